//! Entries of a range, page by page.
//!
//! ```text
//! SS.RANGE start end LIMIT n [REV]        both ends inclusive; `-` and `+` are open
//! ```
//!
//! (G1) A page begins right behind the last key of the one before, so nothing comes twice and order holds, whatever is written
//!      meanwhile. The pages are of different moments: `SS.SNAPSHOT` is for one view of many.
//! (G2) What the server has no words for is left to it to give a little more, and is dropped here: a bound that is excluded,
//!      and the keys `-` and `+` as bounds.

use super::error::{Error, Result};
use super::pipeline::Pipeline;
use super::value::Value;
use super::wire::Wire;
use crate::store::behind_prefix;
use std::collections::VecDeque;
use std::ops::Bound::{self, Excluded, Included, Unbounded};
use std::ops::RangeBounds;

/// How many entries are asked for at a time.
const PAGE: usize = 1000;

/// The entries of a range in the order of their keys, as an iterator: keys with their values. The value is [`Value::Bytes`], or,
/// for a key that holds something else, [`Value::Text`] with the name of its kind, such as `hash`.
///
/// They are read page by page, each page being of one moment. After an error there is nothing more.
#[derive(Debug)]
pub struct Range<'c> {
    wire: &'c mut Wire,
    lower: Bound<Vec<u8>>,
    upper: Bound<Vec<u8>>,
    reverse: bool,
    left: usize,
    page: usize,
    found: VecDeque<(Vec<u8>, Value)>,
    ended: bool,
}

impl<'c> Range<'c> {
    pub(super) fn new(wire: &'c mut Wire, lower: Bound<&[u8]>, upper: Bound<&[u8]>) -> Range<'c> {
        let (lower, upper) = (lower.map(<[u8]>::to_vec), upper.map(<[u8]>::to_vec));
        Range {
            wire,
            lower,
            upper,
            reverse: false,
            left: usize::MAX,
            page: PAGE,
            found: VecDeque::new(),
            ended: false,
        }
    }

    pub(super) fn of_prefix(wire: &'c mut Wire, prefix: &[u8]) -> Range<'c> {
        let end = behind_prefix(prefix);
        Range::new(wire, Included(prefix), end.as_deref().map_or(Unbounded, Excluded))
    }

    /// From the last key to the first. To be said before the first entry is taken.
    #[must_use]
    pub fn rev(self) -> Range<'c> {
        Range { reverse: !self.reverse, ..self }
    }

    /// At most so many entries; no more than needed is read for them.
    #[must_use]
    pub fn limit(self, entries: usize) -> Range<'c> {
        Range { left: entries, ..self }
    }

    /// Asks for the next page.
    fn fill(&mut self) -> Result<()> {
        let wanted = self.left.min(self.page);
        // One more than wanted, since the first may be one that is dropped (G2).
        let limit = (wanted + 1).to_string();
        let (start, end) = (start(&self.lower), end(&self.upper));
        let mut command = Pipeline::new();
        let mut args: Vec<&[u8]> = vec![b"SS.RANGE", &start, &end, b"LIMIT", limit.as_bytes()];
        args.extend(self.reverse.then_some(&b"REV"[..]));
        command.push(&args);
        let mut reply = Value::Null;
        self.wire.run(&command, |value| reply = value)?;
        if let Value::Error { code, message } = reply {
            // Large values: fewer at a time fit into what the server gathers for one reply.
            if self.page > 1 && message.contains("range is larger than") {
                self.page = wanted.div_ceil(4).max(1).min(self.page - 1);
                return Ok(());
            }
            return Err(Error::Server { code, message });
        }
        let pairs = reply.into_pairs()?;
        self.ended = pairs.len() <= wanted;
        let (lower, upper) = (self.lower.clone(), self.upper.clone());
        for (key, value) in pairs {
            let key = key.into_bytes()?;
            let behind = Excluded(key.clone());
            *(if self.reverse { &mut self.upper } else { &mut self.lower }) = behind;
            if holds(&lower, &upper, &key) {
                self.found.push_back((key, value));
            }
        }
        Ok(())
    }
}

impl Iterator for Range<'_> {
    type Item = Result<(Vec<u8>, Value)>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.left == 0 {
            return None;
        }
        while self.found.is_empty() && !self.ended {
            if let Err(error) = self.fill() {
                self.ended = true;
                return Some(Err(error));
            }
        }
        let entry = self.found.pop_front()?;
        self.left -= 1;
        Some(Ok(entry))
    }
}

/// Whether a key lies between the bounds.
fn holds(lower: &Bound<Vec<u8>>, upper: &Bound<Vec<u8>>, key: &[u8]) -> bool {
    let range = (lower.as_ref().map(Vec::as_slice), upper.as_ref().map(Vec::as_slice));
    RangeBounds::<[u8]>::contains(&range, key)
}

/// The first key to ask for.
fn start(bound: &Bound<Vec<u8>>) -> Vec<u8> {
    /// More than any key that is stored is likely to have behind the sign before `-`; what is between is dropped (G2).
    const NEARLY: usize = 64;
    match bound {
        Unbounded => b"-".to_vec(),
        Included(key) if key == b"-" => [&b","[..], &[0xff; NEARLY]].concat(),
        Included(key) => key.clone(),
        Excluded(key) => [key, &b"\0"[..]].concat(),
    }
}

/// The last key to ask for.
fn end(bound: &Bound<Vec<u8>>) -> Vec<u8> {
    match bound {
        Unbounded => b"+".to_vec(),
        Included(key) | Excluded(key) if key == b"+" => b"+\0".to_vec(),
        Included(key) | Excluded(key) => key.clone(),
    }
}
