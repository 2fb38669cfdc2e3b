//! Was anything written since? What a transaction asks before it commits.
//!
//! (G1) For a sequence number `since` that is not below that of some live snapshot: a key was written by a batch after
//!      `since` if, and only if, a buffer or table has an entry of it with a higher number. An entry goes for a newer one of
//!      its key in the same stripe (`retain` D1), and that one is found; only entries in stripe 0 lose their number (D4) or go
//!      without another in their place (D3, D5), and stripe 0 ends at the oldest snapshot; a table is dropped unread only when
//!      it ends there, too (`picker::expiry` X1). What expires meanwhile changes no number.
//! (G3) The deletion of a range is a write of every key in it. What it hides may go from buffers and tables although it is newer
//!      than `since`; then the deletion is there, until no table has anything that it hides. What was there at `since` is kept for
//!      the snapshot, so the deletion of that is found; of what came later and went again nothing need be known.
//! (G2) A super version that is taken *after* a number was seen to be visible has all entries up to that number, or newer ones
//!      of the same keys. The other order is that of readers (R1), and would miss what was written between the two.
//!
//! Buffers, runs of them, and tables that have nothing newer than `since` are passed over unread. So of what is in memory only
//! what was written lately is searched, and mostly no table.

use super::lazy_table::TableRef;
use super::level_cursor::LevelCursor;
use super::super_version::SuperVersion;
use crate::Result;
use crate::engine::iter::Cursor;
use crate::engine::key::{MAX_SEQ, Trailer};
use crate::engine::memtable::Memtable;
use crate::engine::tombstones::Fragment;
use std::ops::Bound;
use std::sync::Arc;

/// Engine keys that somebody asks about.
#[derive(Debug, Clone, Copy)]
pub enum Keys<'a> {
    /// This one, with its hash.
    One(&'a [u8], u64),
    /// Those from the first on and before the second; `None` is no limit.
    Between(&'a [u8], Option<&'a [u8]>),
}

impl SuperVersion {
    /// One of `keys` that has an entry with a sequence number above `since`, if there is one (G1, G2).
    ///
    /// # Errors
    /// What reading gives, as [`SuperVersion::get`].
    pub fn written_since(&self, keys: Keys<'_>, since: u64) -> Result<Option<Vec<u8>>> {
        if let Some(key) = self.deleted_since(keys, since) {
            return Ok(Some(key));
        }
        let buffers = self.buffers().filter(|memtable| memtable.max_seq().is_some_and(|seq| seq > since));
        if let Some(key) = first(buffers, |memtable| in_memtable(memtable, keys, since))? {
            return Ok(Some(key));
        }
        let newer = |table: &&Arc<TableRef>| table.summary.max_seq > since;
        match keys {
            Keys::One(key, _) => {
                let tables = self.version.candidates(key).filter(newer);
                first(tables, |table| in_table(table, keys, since))
            }
            Keys::Between(lower, upper) => {
                let range = (Bound::Included(lower), upper.map_or(Bound::Unbounded, Bound::Excluded));
                let tables = self.version.levels().iter().flat_map(|level| level.overlapping(range));
                first(tables.filter(newer), |table| in_table(table, keys, since))
            }
        }
    }
}

impl SuperVersion {
    /// One of `keys` that lies in a range that was deleted after `since`, if there is one (G3).
    fn deleted_since(&self, keys: Keys<'_>, since: u64) -> Option<Vec<u8>> {
        if !self.has_tombstones() {
            return None;
        }
        match keys {
            Keys::One(key, _) => (self.deleted_at(key, MAX_SEQ) > since).then(|| key.to_vec()),
            Keys::Between(lower, upper) => {
                let covering = self
                    .deletions(MAX_SEQ)
                    .flat_map(|set| set.overlapping(lower, upper.unwrap_or(BEHIND_ALL)));
                let newer =
                    |fragment: &&Arc<Fragment>| fragment.newest_up_to(MAX_SEQ).is_some_and(|seq| seq > since);
                covering.filter(newer).map(|fragment| lower.max(&fragment.start).to_vec()).next()
            }
        }
    }
}

/// No engine key is as large.
const BEHIND_ALL: &[u8] = &[0xff; 16];

/// What `find` finds first.
fn first<T>(
    items: impl Iterator<Item = T>,
    find: impl Fn(T) -> Result<Option<Vec<u8>>>,
) -> Result<Option<Vec<u8>>> {
    for item in items {
        if let Some(key) = find(item)? {
            return Ok(Some(key));
        }
    }
    Ok(None)
}

fn in_memtable(memtable: &Memtable, keys: Keys<'_>, since: u64) -> Result<Option<Vec<u8>>> {
    match keys {
        Keys::One(key, hash) => {
            let newest = memtable.get(key, hash, MAX_SEQ);
            Ok(newest.filter(|(trailer, _)| trailer.seq() > since).map(|_| key.to_vec()))
        }
        Keys::Between(lower, upper) => {
            let parts = memtable.cursors_from(since + 1).into_iter();
            first(parts, |mut part| first_newer(&mut part, lower, upper, since))
        }
    }
}

fn in_table(table: &Arc<TableRef>, keys: Keys<'_>, since: u64) -> Result<Option<Vec<u8>>> {
    match keys {
        Keys::One(key, hash) => {
            let newest = table.handle.open()?.get(key, hash, MAX_SEQ)?;
            Ok(newest.filter(|(trailer, _)| trailer.seq() > since).map(|_| key.to_vec()))
        }
        Keys::Between(lower, upper) => {
            first_newer(&mut LevelCursor::new(vec![Arc::clone(table)]), lower, upper, since)
        }
    }
}

fn first_newer(
    cursor: &mut impl Cursor,
    lower: &[u8],
    upper: Option<&[u8]>,
    since: u64,
) -> Result<Option<Vec<u8>>> {
    cursor.seek(lower, Trailer(u64::MAX))?;
    while cursor.valid() && upper.is_none_or(|upper| cursor.key() < upper) {
        if cursor.trailer().seq() > since {
            return Ok(Some(cursor.key().to_vec()));
        }
        cursor.next()?;
    }
    Ok(None)
}
