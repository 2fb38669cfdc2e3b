//! What a transaction has read, to be looked at again before it commits.
//!
//! Single keys and walks over ranges are noted as they come, and put in order only when there are many of them, or at the end:
//! then each key stands once, ranges that touch are one, and keys that lie in a range go. So what is kept is bounded by what
//! was read, not by how often.
//!
//! ```text
//! walk     lower ─▶ front ┄┄┄┄ back ◀─ upper        read is what lies between lower and front, and between back and upper;
//!                                                  all of it when an end was reached
//! ```
//!
//! (Q1) A key or a step of a walk is noted before its result is given out.

use super::LIMIT_BYTES;
use crate::engine::slice::Slice;
use crate::sync::Mutex;
use crate::{Error, Result};
use std::sync::Arc;

/// A range of engine keys: from the first on and before the second, which may be no limit.
pub type Span = (Vec<u8>, Option<Vec<u8>>);

/// How many bytes an item takes besides its keys, about.
const ITEM_BYTES: usize = 64;
/// What may be left once it is put in order. The rest up to the limit is for what is noted twice, so that ordering is not done all
/// the time.
const MOST_BYTES: usize = LIMIT_BYTES - LIMIT_BYTES / 8;
/// Nothing is put in order below this many bytes.
const FIRST_SETTLING: usize = 64 << 10;

/// The keys and ranges that were read.
#[derive(Debug)]
pub struct Reads {
    keys: Vec<Slice>,
    spans: Vec<Span>,
    /// Walks that may still go on; the iterator holds the other reference.
    walks: Vec<Arc<Mutex<Walk>>>,
    bytes: usize,
    /// They are put in order when there are more bytes than this.
    settle_at: usize,
}

impl Reads {
    /// Nothing yet.
    pub fn new() -> Reads {
        Reads { keys: Vec::new(), spans: Vec::new(), walks: Vec::new(), bytes: 0, settle_at: FIRST_SETTLING }
    }

    /// Notes a single engine key.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] when the transaction has read too much. Nothing was noted then.
    pub fn note(&mut self, key: Slice) -> Result<()> {
        self.make_room(key.len() + ITEM_BYTES)?;
        self.keys.push(key);
        Ok(())
    }

    /// Notes a walk that begins; what of `span` it reads, it tells in what is returned.
    ///
    /// # Errors
    /// As [`Reads::note`].
    pub fn begin_walk(&mut self, span: Span) -> Result<Arc<Mutex<Walk>>> {
        self.make_room(len_of(&span))?;
        let walk = Arc::new(Mutex::new(Walk { span, front: None, back: None, whole: false }));
        self.walks.push(Arc::clone(&walk));
        Ok(walk)
    }

    /// Everything that was read, in order: single keys, and ranges.
    pub fn into_parts(mut self) -> (Vec<Slice>, Vec<Span>) {
        for walk in self.walks.drain(..) {
            walk.lock().add_to(&mut self.spans);
        }
        self.settle();
        (self.keys, self.spans)
    }

    /// Counts `more` bytes, if there is room for them.
    #[inline]
    fn make_room(&mut self, more: usize) -> Result<()> {
        if self.bytes + more > self.settle_at {
            self.settle_for(more)?;
        }
        self.bytes += more;
        Ok(())
    }

    fn settle_for(&mut self, more: usize) -> Result<()> {
        let spans = &mut self.spans;
        // A walk that nobody else holds goes no further.
        self.walks.retain_mut(|walk| match Arc::get_mut(walk) {
            Some(ended) => {
                ended.lock().add_to(spans);
                false
            }
            None => true,
        });
        self.settle();
        let under_way: usize = self.walks.iter().map(|walk| len_of(&walk.lock().span)).sum();
        let keys: usize = self.keys.iter().map(|key| key.len() + ITEM_BYTES).sum();
        self.bytes = under_way + keys + self.spans.iter().map(len_of).sum::<usize>();
        if self.bytes + more > MOST_BYTES {
            return Err(Error::invalid(format!(
                "the transaction has read {} keys and {} ranges, and can keep at most {MOST_BYTES} bytes of them in mind: \
                 read less in one transaction, or from a snapshot",
                self.keys.len(),
                self.spans.len() + self.walks.len()
            )));
        }
        self.settle_at = ((self.bytes + more) * 2).clamp(FIRST_SETTLING, LIMIT_BYTES);
        Ok(())
    }

    /// Each key once, and ranges apart from each other.
    fn settle(&mut self) {
        self.spans.retain(|(lower, upper)| upper.as_ref().is_none_or(|upper| lower < upper));
        self.spans.sort_unstable();
        self.spans.dedup_by(|next, before| {
            let Some(end) = &mut before.1 else { return true };
            if next.0 > *end {
                return false;
            }
            match next.1.take() {
                Some(further) if further > *end => *end = further,
                Some(_) => {}
                None => before.1 = None,
            }
            true
        });
        self.keys.sort_unstable();
        self.keys.dedup();
        let spans = &self.spans;
        self.keys.retain(|key| {
            let at = spans.partition_point(|(lower, _)| **lower <= **key);
            let nearest = at.checked_sub(1).and_then(|at| spans.get(at));
            nearest.is_none_or(|(_, upper)| upper.as_ref().is_some_and(|upper| **key >= **upper))
        });
    }
}

fn len_of((lower, upper): &Span) -> usize {
    lower.len() + upper.as_ref().map_or(0, Vec::len) + ITEM_BYTES
}

/// How far a range was walked.
#[derive(Debug)]
pub struct Walk {
    span: Span,
    /// The last engine key given out at the front, and at the back.
    front: Option<Vec<u8>>,
    back: Option<Vec<u8>>,
    whole: bool,
}

impl Walk {
    /// The walk has come to the engine key made of these two parts, at one of its ends.
    pub fn came_to(&mut self, forward: bool, prefix: &[u8], user_key: &[u8]) {
        let end = if forward { &mut self.front } else { &mut self.back };
        let end = end.get_or_insert_default();
        end.clear();
        end.extend_from_slice(prefix);
        end.extend_from_slice(user_key);
    }

    /// The walk has come to an end: there is nothing more in the range.
    pub fn came_to_the_end(&mut self) {
        self.whole = true;
    }

    fn add_to(&mut self, spans: &mut Vec<Span>) {
        let (lower, upper) = std::mem::take(&mut self.span);
        if self.whole {
            return spans.push((lower, upper));
        }
        if let Some(mut front) = self.front.take() {
            // The key right behind a key is the key with a zero byte appended.
            front.push(0);
            spans.push((lower, Some(front)));
        }
        if let Some(back) = self.back.take() {
            spans.push((back, upper));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(lower: &str, upper: &str) -> Span {
        (lower.into(), (upper != "-").then(|| upper.into()))
    }

    fn parts(reads: Reads) -> String {
        let (keys, spans) = reads.into_parts();
        let text = |bytes: &[u8]| bytes.escape_ascii().to_string();
        let spans = spans.iter().map(|(a, b)| match b {
            Some(b) => format!("{}..{}", text(a), text(b)),
            None => format!("{}..", text(a)),
        });
        keys.iter().map(|key| text(key)).chain(spans).collect::<Vec<_>>().join(" ")
    }

    fn noted(keys: &str, spans: &str) -> Reads {
        let mut reads = Reads::new();
        keys.split_whitespace().for_each(|key| reads.note(Slice::copy_of(key.as_bytes())).unwrap());
        for text in spans.split_whitespace() {
            let (lower, upper) = text.split_once('/').unwrap();
            reads.begin_walk(span(lower, upper)).unwrap().lock().came_to_the_end();
        }
        reads
    }

    #[test]
    fn what_was_read_is_kept_once() {
        assert_eq!(parts(noted("b a b a", "")), "a b");
        assert_eq!(parts(noted("a c e", "b/d c/e")), "a e b..e");
        assert_eq!(parts(noted("e f", "b/d d/e x/-")), "e f b..e x..");
        assert_eq!(parts(noted("z", "b/- a/c")), "a..");
        assert_eq!(parts(noted("d", "b/g c/e")), "b..g");
        assert_eq!(parts(noted("", "c/b b/b")), "");
        assert_eq!(parts(noted("a", "a/b c/d")), "a..b c..d");
    }

    #[test]
    fn a_walk_counts_as_far_as_it_went() {
        let mut reads = Reads::new();
        let [untouched, front, back, both] = ["a/b", "c/f", "g/k", "l/z"]
            .map(|text| text.split_once('/').unwrap())
            .map(|(lower, upper)| reads.begin_walk(span(lower, upper)).unwrap());
        drop(untouched);
        front.lock().came_to(true, b"", b"d");
        front.lock().came_to(true, b"", b"dd");
        back.lock().came_to(false, b"", b"i");
        both.lock().came_to(true, b"m", b"m");
        both.lock().came_to(false, b"x", b"");
        assert_eq!(parts(reads), "c..dd\\x00 i..k l..mm\\x00 x..z");
    }

    #[test]
    fn reading_the_same_again_and_again_stays_small() {
        let mut reads = Reads::new();
        for n in 0..300_000u32 {
            let key = format!("{:04}", n % 1000);
            reads.note(Slice::copy_of(key.as_bytes())).unwrap();
            if n % 10 == 0 {
                let walk = reads.begin_walk((key.clone().into(), None)).unwrap();
                walk.lock().came_to(true, b"", key.as_bytes());
            }
        }
        assert!(reads.bytes <= 2 * FIRST_SETTLING + 1000 * 200, "{}", reads.bytes);
        let (keys, spans) = reads.into_parts();
        assert_eq!((keys.len(), spans.len()), (900, 100));
    }

    #[test]
    fn there_is_a_limit_to_what_is_kept() {
        let mut reads = Reads::new();
        let mut noted = 0u32;
        let refused = loop {
            let key = [&noted.to_be_bytes()[..], &[b'k'; 60_000]].concat();
            match reads.note(key.into()) {
                Ok(()) => noted += 1,
                Err(refused) => break refused,
            }
        };
        assert!((MOST_BYTES / 60_100..=LIMIT_BYTES / 60_000).contains(&(noted as usize)), "{noted}");
        assert!(reads.note(vec![1].into()).is_ok() || reads.bytes <= MOST_BYTES);
        assert!(reads.note(vec![b'k'; 60_000].into()).is_err() && reads.keys.len() <= noted as usize + 1);
        let text = refused.to_string();
        assert!(text.contains("keys") && text.contains("from a snapshot"), "{text}");
    }
}
