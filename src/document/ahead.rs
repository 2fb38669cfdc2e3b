//! Documents that rows lead to, read in groups: a group's waits for memory overlap ([`View::find_many`](crate::store::View::find_many)).
//!
//! (A1) No group is larger than the number of documents that may still be wanted: whoever wants one reads one.
//! (A2) The first is of one, and each next one twice the last, up to [`MOST`]; after one of more than [`MOST_BYTES`] all are of one. So
//!      large documents are held one at a time, but for the first of them behind small ones.
//! (A3) The documents come in the order of the rows, and one that is not there comes as such in its turn.
//! (A4) So does an error: what cannot be read as a group is read one by one, and what ended the rows comes behind those before it.

use super::error::Error;
use super::keys::Row;
use crate::Slice;

/// So many documents are read at once: as many as the engine looks for side by side.
const MOST: usize = 8;
/// A group that had more bytes than this was too large.
const MOST_BYTES: usize = 256 << 10;

/// What was read and not asked for yet.
#[derive(Default)]
pub(super) struct Ahead {
    read: std::vec::IntoIter<(Row, Option<Slice>)>,
    /// Those that could not be read as a group.
    unread: std::vec::IntoIter<Row>,
    /// What ended the rows.
    error: Option<Error>,
    /// How large the last group was.
    last: usize,
    /// Whether a group was too large.
    large: bool,
}

/// What is next.
pub(super) enum Next {
    /// A document that was read; `None` when there is none in this row.
    Read(Row, Option<Slice>),
    /// A row that is to be read by itself.
    Unread(Row),
    Failed(Error),
}

impl Ahead {
    /// What is next, if rows are ahead.
    pub(super) fn next(&mut self) -> Option<Next> {
        if let Some((row, document)) = self.read.next() {
            return Some(Next::Read(row, document));
        }
        let row = self.unread.next().map(Next::Unread);
        row.or_else(|| self.error.take().map(Next::Failed))
    }

    /// How many rows the next group is to have, when so many documents may still be wanted.
    pub(super) fn size(&self, wanted: u64) -> usize {
        let most = if self.large { 1 } else { (2 * self.last).clamp(1, MOST) };
        usize::try_from(wanted).unwrap_or(usize::MAX).clamp(1, most)
    }

    /// What was read of a group.
    pub(super) fn fill(&mut self, rows: Vec<Row>, documents: Vec<Option<Slice>>) {
        self.note(rows.len(), documents.iter().flatten().map(|document| document.len()).sum());
        self.read = rows.into_iter().zip(documents).collect::<Vec<_>>().into_iter();
    }

    /// Rows that could not be read as a group.
    pub(super) fn leave(&mut self, rows: Vec<Row>) {
        self.unread = rows.into_iter();
    }

    /// There are no more rows, because of this.
    pub(super) fn end_with(&mut self, error: Error) {
        self.error = Some(error);
    }

    /// As [`Ahead::fill`], of what nobody has to come back for.
    pub(super) fn note(&mut self, rows: usize, bytes: usize) {
        self.last = rows;
        self.large |= bytes > MOST_BYTES;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_grow_while_documents_are_small_and_wanted() {
        let mut ahead = Ahead::default();
        let mut size = |wanted, bytes| {
            let size = ahead.size(wanted);
            ahead.note(size, bytes);
            size
        };
        let sizes = [(); 6].map(|()| size(u64::MAX, 100));
        assert_eq!(sizes, [1, 2, 4, 8, 8, 8]);
        assert_eq!([size(3, 0), size(3, 0), size(0, 0)], [3, 3, 1]);
        assert_eq!([size(9, MOST_BYTES), size(9, MOST_BYTES + 1), size(9, 0), size(9, 0)], [2, 4, 1, 1]);
    }
}
