//! Whether anything that a transaction read was changed since.
//!
//! ```text
//!      the snapshot            visible when prepared        the place under the lock
//! ─────────┼───────────────────────────┼──────────────────────────┼─────────▶ sequence numbers
//!          └── looked at without lock ─┘└── looked at under it ───┘
//! ```
//!
//! (Z1) The snapshot is on the list of live ones until the transaction has its place in the order, so (G1) of `read` holds from
//!      there on, and for every later number.
//! (Z2) The view is taken after the number that it is looked at up to (`read` G2). What it has beyond that number counts as
//!      well: it comes before the transaction's place in any case.
//! (Z3) Nothing that was read has changed up to the place, so the transaction might have read all of it right there. That
//!      makes the order of commits the serial order, for transactions that write. One that only reads stands at its snapshot.

use super::reads::{Reads, Span};
use crate::Result;
use crate::engine::db::guard::{Checked, Guard, Why};
use crate::engine::db::inner::Inner;
use crate::engine::key::hash;
use crate::engine::read::{Keys, SuperVersion};
use crate::engine::slice::Slice;
use crate::planted::{Bug, planted};
use crate::sync::atomic::Ordering;

/// With more writes than this since the last look, the next look is without the lock, too: under it, others wait. So many are
/// less than the newest part of a write buffer has, which is searched in well under a millisecond.
const MANY: u64 = 4096;
/// How often that is tried. Writers that are that fast must not keep a transaction from ending.
const ROUNDS: u32 = 3;

/// What a transaction read, up to where it is known to be unchanged.
pub struct Validation {
    keys: Vec<Slice>,
    spans: Vec<Span>,
    unchanged: u64,
    rounds: u32,
}

impl Validation {
    /// Of what was read at the snapshot with this number.
    pub fn new(reads: Reads, snapshot: u64) -> Validation {
        let (keys, mut spans) = reads.into_parts();
        if planted(Bug::ValidationSkipsRanges) {
            spans.clear();
        }
        Validation { keys, spans, unchanged: snapshot, rounds: 0 }
    }

    /// The first thing that was read and has an entry in `view` from after it was known to be unchanged.
    fn changed(&self, view: &SuperVersion) -> Result<Option<(Vec<u8>, Why)>> {
        let since = self.unchanged;
        for key in &self.keys {
            if let Some(key) = view.written_since(Keys::One(key, hash(key)), since)? {
                return Ok(Some((key, Why::Changed { walked: false })));
            }
        }
        for (lower, upper) in &self.spans {
            if let Some(key) = view.written_since(Keys::Between(lower, upper.as_deref()), since)? {
                return Ok(Some((key, Why::Changed { walked: true })));
            }
        }
        Ok(None)
    }
}

impl Guard for Validation {
    fn prepare(&mut self, inner: &Inner) -> Result<()> {
        self.rounds += 1;
        // The order of these two lines is Z2.
        let visible = inner.visible.0.load(Ordering::Acquire);
        let view = inner.super_version.load_full();
        if visible > self.unchanged {
            if let Some((key, why)) = self.changed(&view)? {
                return Err(inner.refusal(&key, why));
            }
            self.unchanged = visible;
        }
        Ok(())
    }

    fn check(&self, inner: &Inner) -> Result<Checked> {
        let visible = inner.visible.0.load(Ordering::Acquire);
        if visible == self.unchanged {
            return Ok(Checked::Holds);
        }
        if visible - self.unchanged > MANY && self.rounds < ROUNDS {
            return Ok(Checked::Stale);
        }
        Ok(match self.changed(&inner.super_version.load())? {
            None => Checked::Holds,
            Some((key, why)) => Checked::Clash(key, why),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::batch::WriteBatch;
    use crate::engine::options::{Background, Options};
    use crate::vfs::mem::MemVfs;
    use crate::{Durability, Error};
    use std::sync::Arc;

    #[test]
    fn after_many_writes_it_looks_again_without_the_lock_but_not_for_ever() {
        let options = Options::default().background(Background::Stepped).durability(Durability::Os);
        let db = options.vfs(Arc::new(MemVfs::new())).open("/db").unwrap();
        let snapshot = db.snapshot();
        let mut reads = Reads::new();
        reads.note(Slice::copy_of(b"\0read")).unwrap();
        let mut guard = Validation::new(reads, snapshot.moment().seq);
        for round in 1..=ROUNDS {
            guard.prepare(db.inner()).unwrap();
            assert!(matches!(guard.check(db.inner()).unwrap(), Checked::Holds));
            let mut batch = WriteBatch::new();
            (0..=MANY).for_each(|n| batch.put(n.to_be_bytes(), ""));
            db.write(batch).unwrap();
            let is_stale = matches!(guard.check(db.inner()).unwrap(), Checked::Stale);
            assert_eq!(is_stale, round < ROUNDS, "round {round}");
        }
        db.put("read", "").unwrap();
        let found = guard.check(db.inner()).unwrap();
        assert!(
            matches!(&found, Checked::Clash(key, Why::Changed { walked: false }) if key == b"\0read"),
            "{found:?}"
        );
        assert!(matches!(guard.prepare(db.inner()), Err(Error::Conflict { .. })));
    }
}
