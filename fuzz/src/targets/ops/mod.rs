//! Operations instead of bytes: what the fuzzer chooses is done to a database and to a sorted map, and compared.
//!
//! Keys collide on purpose, and options are extreme, so that few operations reach flushes, compactions and rotations.

pub mod crash;
pub mod faults;
pub mod model;

use crate::choices::List;
use crate::history::{Step, Write, range_of};
use arbitrary::{Arbitrary, Unstructured};
use siltstone::vfs::Clock;
use siltstone::vfs::mem::SimClock;
use siltstone::{Background, Compression, Durability, Options};
use std::sync::Arc;
use std::time::Duration;

/// How often writes that ask for it are synced.
const INTERVAL: Duration = Duration::from_millis(50);

/// Options out of few, all small.
#[derive(Debug, Clone, Copy, Arbitrary)]
pub struct Choice {
    memtable: u8,
    entries: u8,
    block: u8,
    table: u8,
    filter: u8,
    compression: u8,
    cache: bool,
    ratio: bool,
    durability: u8,
}

/// What makes a buffer full of so many small entries: an arena's first chunk, the smallest hash table, and what the list takes for
/// each.
fn buffer_of(entries: usize) -> usize {
    4096 + 512 + 64 * entries
}

impl Choice {
    pub fn durability(&self) -> Durability {
        let all = [Durability::Sync, Durability::Os, Durability::Interval(INTERVAL)];
        all[usize::from(self.durability) % all.len()]
    }

    /// Without a file system.
    pub fn options(&self, clock: &Arc<SimClock>) -> Options {
        let pick = |from: &[usize], by: u8| from[usize::from(by) % from.len()];
        let compressions = [Compression::None, Compression::Lz4, Compression::Zstd(-1)];
        let compression = |by: u8| compressions[usize::from(by) % 3];
        Options::default()
            .clock(Arc::clone(clock) as Arc<dyn Clock>)
            .background(Background::Stepped)
            .durability(self.durability())
            .memtable_bytes(
                pick(&[1 << 10, 4 << 10, 100 << 10], self.memtable)
                    .min(buffer_of(pick(&[2, 5, 12, 1000], self.entries))),
            )
            .block_bytes(pick(&[1, 100, 4 << 10], self.block))
            .table_bytes(pick(&[200, 1000, 8 << 10], self.table) as u64)
            .filter_bits(pick(&[0, 1, 10], self.filter) as u32)
            .compression((compression(self.compression), compression(self.compression / 3)))
            .memory_budget(if self.cache { 8 << 20 } else { (1 << 20) + 64 * (4 << 10) })
            .level_ratio(if self.ratio { 10 } else { 2 })
    }
}

/// A key out of thirty-two: some are prefixes of others, some begin alike, some are long.
#[derive(Debug, Clone, Copy, Arbitrary)]
pub struct Key(u8);

impl Key {
    pub fn bytes(self) -> Vec<u8> {
        let n = usize::from(self.0) % 32;
        match n / 4 {
            0 => vec![b'a'; n % 4],
            1 => vec![0; 1 + n % 4],
            2 => vec![0xff; 1 + n % 4],
            3 => [&b"long"[..], &vec![b'x'; 200 + n % 4]].concat(),
            _ => format!("user:{n:02}").into_bytes(),
        }
    }
}

/// How long a value is: mostly short, seldom over several pages.
#[derive(Debug, Clone, Copy, Arbitrary)]
pub struct Length(u8);

impl Length {
    /// A value that tells which write made it.
    pub fn value(self, stamp: u64) -> Vec<u8> {
        let len = match self.0 {
            0 => 0,
            1..250 => usize::from(self.0) % 80,
            250..254 => 1000,
            _ => 9000,
        };
        stamp.to_le_bytes().iter().copied().cycle().take(len).collect()
    }
}

/// A write of up to five keys; no value deletes.
#[derive(Debug, Clone, Arbitrary)]
pub struct Writes(List<(Key, Option<Length>), 5>);

impl Writes {
    pub fn build(&self, stamp: u64) -> Write {
        let build =
            |(key, length): &(Key, Option<Length>)| (key.bytes(), length.map(|length| length.value(stamp)));
        self.0.iter().map(build).collect()
    }
}

/// A step of a workload.
#[derive(Debug, Clone)]
pub enum Doing {
    Put(Key, Length),
    Delete(Key),
    DeleteRange(Key, Key),
    Write(Writes),
    WriteSynced(Writes),
    WriteUnsynced(Writes),
    WriteAtInterval(Writes),
    Sync,
    Flush,
    Compact,
    Reopen,
    /// In milliseconds.
    Wait(u8),
}

/// By hand, since one byte is enough to choose, and writes should be more frequent than the rest.
impl<'a> Arbitrary<'a> for Doing {
    fn arbitrary(u: &mut Unstructured<'a>) -> arbitrary::Result<Doing> {
        Ok(match u8::arbitrary(u)? % 32 {
            0..12 => Doing::Put(u.arbitrary()?, u.arbitrary()?),
            12..14 => Doing::Delete(u.arbitrary()?),
            14 => Doing::DeleteRange(u.arbitrary()?, u.arbitrary()?),
            15..18 => Doing::Write(u.arbitrary()?),
            18..20 => Doing::WriteSynced(u.arbitrary()?),
            20..22 => Doing::WriteUnsynced(u.arbitrary()?),
            22 => Doing::WriteAtInterval(u.arbitrary()?),
            23..25 => Doing::Sync,
            25..27 => Doing::Flush,
            27..29 => Doing::Compact,
            29..31 => Doing::Reopen,
            _ => Doing::Wait(u.arbitrary()?),
        })
    }
}

impl Doing {
    /// The step, the `stamp`th of all.
    pub fn step(&self, stamp: u64) -> Step {
        match self {
            Doing::Put(key, length) => Step::Write(vec![(key.bytes(), Some(length.value(stamp)))], None),
            Doing::Delete(key) => Step::Write(vec![(key.bytes(), None)], None),
            Doing::DeleteRange(from, to) => {
                range_of((0..32).map(|n| Key(n).bytes()), &from.bytes(), &to.bytes())
            }
            Doing::Write(writes) => Step::Write(writes.build(stamp), None),
            Doing::WriteSynced(writes) => Step::Write(writes.build(stamp), Some(Durability::Sync)),
            Doing::WriteUnsynced(writes) => Step::Write(writes.build(stamp), Some(Durability::Os)),
            Doing::WriteAtInterval(writes) => {
                Step::Write(writes.build(stamp), Some(Durability::Interval(INTERVAL)))
            }
            Doing::Sync => Step::Sync,
            Doing::Flush => Step::Flush,
            Doing::Compact => Step::Compact,
            Doing::Reopen => Step::Reopen,
            Doing::Wait(ms) => Step::Wait(Duration::from_millis((*ms).into())),
        }
    }
}
