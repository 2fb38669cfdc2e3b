//! Walks over the keys of a space: what the engine has, with what a transaction has written over it.

use super::Halt;
use super::Reach;
use super::overlay::{Hole, lies_in};
use super::spaces::Space;
use super::txn::Txn;
use crate::Slice;
use crate::store::{Direction, Entries, Found, Scan};
use std::iter::Peekable;
use std::vec::IntoIter;

/// Keys and stored values in the order of a scan, all of one moment.
pub struct Walk {
    engine: Peekable<Entries>,
    written: Peekable<IntoIter<(Vec<u8>, Option<Found>)>>,
    /// What the transaction has deleted of what the engine has.
    holes: Vec<Hole>,
    direction: Direction,
    left: usize,
}

impl Txn<'_> {
    /// Walks over the database. It may take long, so it halts where it must not.
    ///
    /// # Errors
    /// [`Halt::Slow`], [`Halt::Engine`].
    pub fn walk(&self, scan: Scan<'_>) -> Result<Walk, Halt> {
        if self.reach() == Reach::Memory {
            return Err(Halt::Slow);
        }
        self.walk_in(Space(self.database()), scan)
    }

    pub(super) fn walk_in(&self, space: Space, scan: Scan<'_>) -> Result<Walk, Halt> {
        let left = scan.limit.unwrap_or(usize::MAX);
        // What was deleted since must not count.
        let unlimited = Scan { limit: None, ..scan };
        let (engine, overlay) = self.layers(space, unlimited)?;
        let mut written = overlay.range(space, (scan.lower, scan.upper));
        let now = self.now();
        for (_, found) in &mut written {
            *found = found.take().filter(|found| found.expiry.is_none_or(|expiry| expiry > now));
        }
        if scan.direction == Direction::Reverse {
            written.reverse();
        }
        let written = written.into_iter().peekable();
        let holes = overlay.holes(space);
        Ok(Walk { engine: engine.peekable(), written, holes, direction: scan.direction, left })
    }
}

impl Walk {
    /// True when what was written comes next; an entry of the engine that it replaces is passed over.
    fn written_is_next(&mut self) -> bool {
        while let Some(Ok((key, _))) = self.engine.peek()
            && lies_in(&self.holes, key)
        {
            self.engine.next();
        }
        let Some((key, _)) = self.written.peek() else { return false };
        let Some(Ok((other, _))) = self.engine.peek() else { return self.engine.peek().is_none() };
        if key[..] == other[..] {
            self.engine.next();
            return true;
        }
        match self.direction {
            Direction::Forward => key[..] < other[..],
            Direction::Reverse => key[..] > other[..],
        }
    }
}

impl Iterator for Walk {
    type Item = Result<(Slice, Slice), Halt>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.left == 0 {
            return None;
        }
        while self.written_is_next() {
            if let (key, Some(found)) = self.written.next()? {
                self.left -= 1;
                return Some(Ok((Slice::from(key), found.value)));
            }
        }
        let entry = self.engine.next()?;
        self.left -= 1;
        Some(entry.map_err(Halt::Engine))
    }
}
