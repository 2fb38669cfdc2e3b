//! Writing what survives of a sorted run into new tables. Flush and compaction are the same walk with other inputs.
//!
//! A finished table is synced; its name is durable when `write_tables` returns. Until an edit names it, it is an orphan that the
//! next open removes; on an error it is removed at once.
//!
//! A table is also ended when its builder has its share of the memory: many tiny entries make a large filter.

use super::retain::{Retain, Verdict};
use crate::Result;
use crate::engine::filename::FileName;
use crate::engine::iter::Cursor;
use crate::engine::key::{self, KeyspaceId, Kind, Trailer};
use crate::engine::memory::Use;
use crate::engine::read::TableFiles;
use crate::engine::sstable::{TableBuilder, TableOptions, TableSummary};
use crate::engine::tombstones::{Fragment, Fragments};
use crate::planted::{Bug, planted};
use crate::sync::atomic::{AtomicU64, Ordering};
use crate::vfs::Mode;

/// How many entries are written between two questions whether the work is still wanted.
const ASK_EVERY: u32 = 1024;
/// The memory for work is looked at as often, and after an entry of so many bytes.
const LARGE: usize = 64 << 10;

/// Where new tables go and what they look like.
pub struct Output<'a> {
    /// The folder and identity of the tables.
    pub files: &'a TableFiles,
    /// Gives each table its number.
    pub next_number: &'a AtomicU64,
    /// Block size, compression, filter; the place is filled in per table.
    pub template: TableOptions,
    /// A table is ended when it has about this many bytes; `u64::MAX` makes one of everything.
    pub table_bytes: u64,
    /// How much memory the inputs take: a block of each at a time.
    pub input_bytes: usize,
    /// The deletions of ranges that are applied to what is written: all up to the number in `template`, and perhaps more.
    pub deleted: &'a Fragments,
    /// Where keys lie that nobody can ask for: those of keyspaces that were dropped. They are left out.
    pub dropped: Option<&'a Fragments>,
    /// Asked every now and then; its error ends the work.
    pub still_wanted: &'a dyn Fn() -> Result<()>,
}

/// The tables written, or the error with nothing left behind.
struct Written<'a> {
    files: &'a TableFiles,
    summaries: Vec<TableSummary>,
    /// Numbers of all files made, the unfinished one included.
    numbers: Vec<u64>,
    kept: bool,
}

impl Written<'_> {
    /// Ends the last table, and makes the names of all durable.
    fn finish(mut self, last: Option<TableBuilder>) -> Result<Vec<TableSummary>> {
        if let Some(last) = last {
            self.summaries.push(last.finish()?);
        }
        if !self.numbers.is_empty() && !planted(Bug::SkipFolderSyncAfterCreate) {
            self.files.dir().sync()?;
        }
        self.kept = true;
        Ok(std::mem::take(&mut self.summaries))
    }
}

impl Drop for Written<'_> {
    fn drop(&mut self) {
        if !self.kept {
            for number in &self.numbers {
                // An orphan that cannot be removed now is removed by the next open.
                let _ = self.files.dir().remove(&FileName::Table(*number).to_string());
            }
        }
    }
}

/// Writes what `retain` keeps of `cursor` (not yet positioned). `is_bottom` tells of a key whether no older version
/// of it can exist outside the cursor.
///
/// # Errors
/// Whatever reading or writing gives; the error of `still_wanted`. No file is left.
pub fn write_tables(
    cursor: &mut impl Cursor,
    retain: &mut Retain<'_>,
    is_bottom: &mut dyn FnMut(&[u8]) -> bool,
    output: &Output<'_>,
) -> Result<Vec<TableSummary>> {
    let mut written =
        Written { files: output.files, summaries: Vec::new(), numbers: Vec::new(), kept: false };
    let mut builder: Option<TableBuilder> = None;
    let held = output.files.memory().hold(Use::Work, output.input_bytes);
    let mut last_key: Vec<u8> = Vec::new();
    let mut deleted = Deleted::new(Some(output.deleted));
    let mut dropped = Deleted::new(output.dropped);
    let mut until_look = ASK_EVERY;
    let (mut first, mut bottom) = (true, false);
    cursor.seek_first()?;
    while cursor.valid() {
        until_look -= 1;
        if until_look == 0 {
            until_look = ASK_EVERY;
            (output.still_wanted)()?;
            held.set(output.input_bytes + builder.as_ref().map_or(0, TableBuilder::memory));
        }
        let key = cursor.key();
        let same_key = !first && key == last_key;
        first = false;
        if !same_key {
            if let Some(full) = builder.take_if(|b| is_full(b, output, &last_key, key)) {
                written.summaries.push(full.finish()?);
            }
            last_key.clear();
            last_key.extend_from_slice(key);
            bottom = is_bottom(key);
        }
        let trailer = cursor.trailer();
        let is_expiring = trailer.kind() == Ok(Kind::PutExpiring);
        let expiry = if is_expiring { key::expiry(cursor.value()) } else { None };
        let verdict = retain.next(same_key, trailer, expiry, bottom, deleted.at(same_key, key));
        let is_dropped = dropped.at(same_key, key).is_some();
        if let Some((trailer, value)) = survivor(verdict, cursor).filter(|_| !is_dropped) {
            let builder = match &mut builder {
                Some(builder) => builder,
                None => builder.insert(begin(output, &mut written.numbers)?),
            };
            builder.add(key, None, trailer, value)?;
            until_look = if value.len() >= LARGE { 1 } else { until_look };
        }
        cursor.next()?;
    }
    written.finish(builder)
}

/// What is left of the entry that the cursor is at.
fn survivor(verdict: Verdict, cursor: &impl Cursor) -> Option<(Trailer, &[u8])> {
    let trailer = cursor.trailer();
    match verdict {
        Verdict::Drop => None,
        Verdict::Keep => Some((trailer, cursor.value())),
        Verdict::KeepAtZero => Some((Trailer(trailer.0 & 0xff), cursor.value())),
        Verdict::KeepAsDelete => Some((Trailer::new(trailer.seq(), Kind::Delete), &[][..])),
    }
}

/// Which deletions of ranges cover the keys of a walk.
struct Deleted<'a> {
    all: Option<&'a Fragments>,
    /// The first fragment that ends behind the last key; `None` when none does.
    next: Option<&'a Fragment>,
    /// Whether it covers the last key.
    covers: bool,
    started: bool,
}

impl<'a> Deleted<'a> {
    fn new(all: Option<&'a Fragments>) -> Deleted<'a> {
        Deleted { all: all.filter(|all| !all.is_empty()), next: None, covers: false, started: false }
    }

    /// What covers `key`. Keys come in ascending order.
    #[inline]
    fn at(&mut self, same_key: bool, key: &[u8]) -> Option<&'a Fragment> {
        let all = self.all?;
        if !same_key {
            if !self.started || self.next.is_some_and(|next| &*next.end <= key) {
                self.started = true;
                self.next = all.from(key).map(|fragment| &**fragment);
            }
            self.covers = self.next.is_some_and(|next| &*next.start <= key);
        }
        self.next.filter(|_| self.covers)
    }
}

/// A table ends when it is large enough, and where a keyspace ends, so that dropping a keyspace drops whole files.
fn is_full(builder: &TableBuilder, output: &Output<'_>, last_key: &[u8], key: &[u8]) -> bool {
    let keyspace = |key| KeyspaceId::split(key).map(|(id, _)| id);
    let one_only = output.table_bytes == u64::MAX;
    builder.estimated_len() >= output.table_bytes
        || (!one_only && keyspace(last_key) != keyspace(key))
        || (!one_only && builder.memory() >= output.files.memory().builder_bytes())
}

fn begin(output: &Output<'_>, numbers: &mut Vec<u64>) -> Result<TableBuilder> {
    let number = output.next_number.fetch_add(1, Ordering::Relaxed);
    let file = output.files.dir().open(&FileName::Table(number).to_string(), Mode::CreateNew)?;
    numbers.push(number);
    let options = TableOptions { place: output.files.place(number), ..output.template };
    Ok(TableBuilder::new(file, options)?.writing_every(output.files.memory().builder_bytes() / 4))
}
