//! Which place of a walk a number stands for: clients take a cursor for a number, and a place is a key.

use crate::sync::plain::Mutex;
use std::collections::{HashMap, VecDeque};
use xxhash_rust::xxh3::xxh3_64;

/// Places of walks that may be gone on with; of more than this the oldest are forgotten.
const MAX_CURSORS: usize = 16 << 10;
const MAX_CURSOR_BYTES: usize = 16 << 20;

/// Which places cursors stand for.
#[derive(Debug, Default)]
pub(super) struct Cursors(Mutex<Places>);

#[derive(Debug, Default)]
struct Places {
    /// The last key that was seen, by cursor.
    map: HashMap<u64, Box<[u8]>>,
    /// The cursors, the oldest first.
    order: VecDeque<u64>,
    bytes: usize,
}

impl Cursors {
    /// A number for the place behind `key`; never 0. The same key has the same number.
    pub(super) fn note(&self, key: &[u8]) -> u64 {
        // Within what every client's integers hold.
        let cursor = (xxh3_64(key) >> 11).max(1);
        let mut places = self.0.lock();
        let places = &mut *places;
        if let Some(replaced) = places.map.insert(cursor, key.into()) {
            places.bytes -= replaced.len();
        } else {
            places.order.push_back(cursor);
        }
        places.bytes += key.len();
        while places.order.len() > MAX_CURSORS || places.bytes > MAX_CURSOR_BYTES {
            let Some(oldest) = places.order.pop_front() else { break };
            places.bytes -= places.map.remove(&oldest).map_or(0, |key| key.len());
        }
        cursor
    }

    /// The key that a number stands for.
    pub(super) fn place(&self, cursor: u64) -> Option<Box<[u8]>> {
        self.0.lock().map.get(&cursor).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursors_are_bounded_and_name_their_place() {
        let cursors = Cursors::default();
        let first = cursors.note(b"first");
        assert_eq!(cursors.note(b"first"), first);
        assert_eq!(cursors.place(first).as_deref(), Some(&b"first"[..]));
        for n in 0..MAX_CURSORS as u32 {
            cursors.note(&n.to_be_bytes());
        }
        assert_eq!(cursors.place(first), None);
        assert_eq!(cursors.0.lock().map.len(), MAX_CURSORS);
    }
}
