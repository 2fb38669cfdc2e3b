//! Documents that rows lead to, read in groups: a group's waits for memory overlap ([`View::find_many`](crate::store::View::find_many)).
//!
//! (A1) No group is larger than the number of documents that may still be wanted: whoever wants one reads one.
//! (A2) The first is of one, and each next one twice the last, up to [`MOST`]; after one of more than [`MOST_BYTES`] it begins anew. So
//!      large documents are held one at a time, but for a group of them behind small ones.
//! (A3) The documents come in the order of the rows, and one that is not there comes as such in its turn.

use super::keys::Row;
use crate::Slice;

/// So many documents are read at once; more make nothing quicker.
const MOST: usize = 8;
/// A group that had more bytes than this was too large.
const MOST_BYTES: usize = 256 << 10;

/// What was read and not asked for yet.
#[derive(Default)]
pub(super) struct Ahead {
    rows: std::vec::IntoIter<(Row, Option<Slice>)>,
    /// How large the last group was, if another may be larger.
    last: usize,
}

impl Ahead {
    /// What is next.
    pub(super) fn next(&mut self) -> Option<(Row, Option<Slice>)> {
        self.rows.next()
    }

    /// How many rows the next group is to have, when so many documents may still be wanted.
    pub(super) fn size(&self, wanted: u64) -> usize {
        let most = (2 * self.last).clamp(1, MOST);
        usize::try_from(wanted).unwrap_or(usize::MAX).clamp(1, most)
    }

    /// What was read of a group.
    pub(super) fn fill(&mut self, rows: Vec<Row>, documents: Vec<Option<Slice>>) {
        self.note(rows.len(), documents.iter().flatten().map(|document| document.len()).sum());
        self.rows = rows.into_iter().zip(documents).collect::<Vec<_>>().into_iter();
    }

    /// As [`Ahead::fill`], of what nobody has to come back for.
    pub(super) fn note(&mut self, rows: usize, bytes: usize) {
        self.last = if bytes > MOST_BYTES { 0 } else { rows };
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
        assert_eq!([size(9, MOST_BYTES + 1), size(9, MOST_BYTES), size(9, 0)], [2, 1, 2]);
    }
}
