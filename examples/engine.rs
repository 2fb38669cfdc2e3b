//! An engine of your own behind the seam that the server and everything above it are written against.
//!
//! ```sh
//! cargo run --release --example engine
//! ```
//!
//! [`LogEngine`] is built the way small databases often are: all writes go to the end of one file, and an index in memory says
//! where the latest value of each key lies. Both halves can be exchanged: the file is any [`File`] of any [`Vfs`], such as the
//! encrypted one of `examples/encrypted.rs`, the index any [`Index`](siltstone::index::Index), such as the tree of
//! `examples/index.rs`.
//!
//! ```text
//! record   checksum u32 | length u32 | payload                           one for each batch
//! payload  ( kind u8 | key length u32 | value length u32 | key | value )*
//! ```
//!
//! (L1) A record counts when its checksum is right and all records before it do. What follows the first that does not is cut off
//!      when the file is opened: a power cut tore it, and nobody was told that it was written.
//! (L2) The number of an entry, counted from the beginning of the file, is its version. `visible` is that of the last one of a
//!      whole batch, and readers look at nothing above what it was when they began.
//! (L3) A write is durable when `write` returns, unless asked otherwise: so commits are in order, and nobody's waiting is needed.
//!
//! What a real one would add: room is never given back, and opening reads all of the file.

#![allow(
    clippy::indexing_slicing,
    reason = "an example is read more often than run: each range is beside its proof"
)]

#[path = "index.rs"]
#[allow(dead_code, reason = "its `main` is another example")]
pub mod index;

use siltstone::index::{Index, NewIndex};
use siltstone::store::{Capabilities, Commit, Direction, Entries, Room, Scan, StorageEngine};
use siltstone::vfs::{File, Mode, Vfs};
use siltstone::{Durability, Error, Result, Slice, WriteBatch};
use std::ops::Bound;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

const HEADER: usize = 8;
const ENTRY: usize = 9;

/// One file and one index.
pub struct LogEngine {
    file: Box<dyn File>,
    path: PathBuf,
    index: Arc<dyn Index>,
    /// Where the next record goes, and the version of the entry before.
    end: Mutex<End>,
    visible: AtomicU64,
    closed: AtomicBool,
}

struct End {
    offset: u64,
    version: u64,
    /// A write or a sync failed: what the file holds is not certain any more.
    failed: bool,
}

impl LogEngine {
    /// Opens the file, or makes it. All of it is read.
    pub fn open(vfs: &dyn Vfs, path: &Path, new_index: &NewIndex) -> Result<LogEngine> {
        let io = |op| move |error| Error::io(op, path, error);
        let mode =
            if vfs.len(path).map_err(io("look up"))?.is_some() { Mode::Write } else { Mode::CreateNew };
        let file = vfs.open(path, mode).map_err(io("open"))?;
        vfs.sync_dir(path.parent().unwrap_or(Path::new("."))).map_err(io("sync the folder of"))?;
        let engine = LogEngine {
            file,
            path: path.into(),
            index: new_index.make(),
            end: Mutex::new(End { offset: 0, version: 0, failed: false }),
            visible: AtomicU64::new(0),
            closed: AtomicBool::new(false),
        };
        engine.recover()?;
        Ok(engine)
    }

    /// Reads record after record (L1).
    fn recover(&self) -> Result<()> {
        let mut end = self.end();
        while let Some(payload) = self.record(end.offset)? {
            let offset = end.offset + HEADER as u64;
            end.version = self.index_entries(&payload, offset, end.version);
            end.offset = offset + payload.len() as u64;
        }
        self.visible.store(end.version, Ordering::Release);
        self.file.set_len(end.offset).map_err(|error| Error::io("cut", &self.path, error))
    }

    /// The payload of the record at `offset`, if a whole one lies there.
    fn record(&self, offset: u64) -> Result<Option<Vec<u8>>> {
        let mut header = [0; HEADER];
        if self.read(&mut header, offset)? < HEADER {
            return Ok(None);
        }
        let (checksum, len) = header.split_at(4);
        let len = number(len);
        let file_len = self.file.len().map_err(|error| Error::io("look up", &self.path, error))?;
        if len as u64 > file_len.saturating_sub(offset + HEADER as u64) {
            return Ok(None);
        }
        let mut payload = vec![0; len];
        let whole = self.read(&mut payload, offset + HEADER as u64)? == len;
        let right = number(checksum) == crc32fast::hash(&payload) as usize;
        Ok((whole && right && len > 0).then_some(payload))
    }

    /// Adds the entries of a payload that lies at `offset` to the index; gives the version of the last.
    fn index_entries(&self, payload: &[u8], offset: u64, mut version: u64) -> u64 {
        let mut at = 0;
        while let Some((_, key, value)) = entry(&payload[at..]) {
            version += 1;
            self.index.insert(key, version, offset + at as u64);
            at += ENTRY + key.len() + value;
        }
        version
    }

    fn read(&self, buf: &mut [u8], offset: u64) -> Result<usize> {
        let mut done = 0;
        while done < buf.len() {
            match self.file.read_at(&mut buf[done..], offset + done as u64) {
                Ok(0) => break,
                Ok(n) => done += n,
                Err(error) => return Err(Error::io("read", &self.path, error)),
            }
        }
        Ok(done)
    }

    /// The value of the entry at `place`, unless it is a deletion.
    fn value(&self, place: u64, key: &[u8]) -> Result<Option<Slice>> {
        let mut head = [0; ENTRY];
        self.read(&mut head, place)?;
        if head[0] == 0 {
            return Ok(None);
        }
        let mut value = vec![0; number(&head[5..])];
        let found = self.read(&mut value, place + (ENTRY + key.len()) as u64)?;
        if found < value.len() {
            let detail = format!("{found} bytes of a value, {} expected", value.len());
            return Err(Error::corruption(&self.path, place, "log entry", detail));
        }
        Ok(Some(Slice::copy_of(&value)))
    }

    fn get_at(&self, key: &[u8], visible: u64) -> Result<Option<Slice>> {
        let mut cursor = Arc::clone(&self.index).cursor();
        cursor.seek(key, visible);
        match cursor.at() {
            Some(at) if at.key == key => self.value(at.place, key),
            _ => Ok(None),
        }
    }

    fn end(&self) -> MutexGuard<'_, End> {
        self.end.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn check_open(&self) -> Result<()> {
        if self.closed.load(Ordering::Acquire) { Err(Error::Closed) } else { Ok(()) }
    }

    /// Syncs under the lock; after a failure nothing is written any more (V4 of `siltstone::vfs`).
    fn sync_file(&self, end: &mut End) -> Result<()> {
        self.file.sync_data().map_err(|error| {
            end.failed = true;
            Error::io("sync", &self.path, error)
        })
    }
}

fn number(bytes: &[u8]) -> usize {
    bytes.first_chunk().map_or(0, |bytes| u32::from_le_bytes(*bytes) as usize)
}

/// Kind, key and length of the value of the entry at the beginning of `payload`.
fn entry(payload: &[u8]) -> Option<(u8, &[u8], usize)> {
    let (head, rest) = payload.split_at_checked(ENTRY)?;
    let (key, value) = (number(&head[1..]), number(&head[5..]));
    (rest.len() >= key + value).then(|| (head[0], &rest[..key], value))
}

/// The record of a batch.
fn encode(batch: &WriteBatch) -> Vec<u8> {
    let mut record = vec![0; HEADER];
    for (key, value) in batch.iter() {
        record.push(u8::from(value.is_some()));
        let value = value.unwrap_or_default();
        [key, value].iter().for_each(|part| record.extend_from_slice(&(part.len() as u32).to_le_bytes()));
        record.extend_from_slice(key);
        record.extend_from_slice(value);
    }
    let (checksum, len) = (crc32fast::hash(&record[HEADER..]), (record.len() - HEADER) as u32);
    record[..4].copy_from_slice(&checksum.to_le_bytes());
    record[4..HEADER].copy_from_slice(&len.to_le_bytes());
    record
}

/// The engine itself is shared by those who walk over it.
#[derive(Clone)]
pub struct Shared(Arc<LogEngine>);

impl Shared {
    /// To be shared.
    pub fn new(engine: LogEngine) -> Shared {
        Shared(Arc::new(engine))
    }
}

impl StorageEngine for Shared {
    fn get(&self, key: &[u8]) -> Result<Option<Slice>> {
        self.0.check_open()?;
        self.0.get_at(key, self.0.visible.load(Ordering::Acquire))
    }

    fn range(&self, scan: Scan<'_>) -> Result<Entries> {
        self.0.check_open()?;
        let walk = Walk {
            engine: Arc::clone(&self.0),
            visible: self.0.visible.load(Ordering::Acquire),
            lower: scan.lower.map(<[u8]>::to_vec),
            upper: scan.upper.map(<[u8]>::to_vec),
            direction: scan.direction,
        };
        Ok(Box::new(walk.take(scan.limit.unwrap_or(usize::MAX))))
    }

    fn write(&self, batch: WriteBatch, durability: Option<Durability>) -> Result<Commit> {
        batch.check()?;
        let engine = &*self.0;
        let mut end = engine.end();
        engine.check_open()?;
        if end.failed {
            return Err(Error::invalid("a write or a sync failed before: open the file anew"));
        }
        let record = encode(&batch);
        if record.len() > HEADER {
            if let Err(error) = engine.file.write_at(&record, end.offset) {
                end.failed = true;
                return Err(Error::io("write", &engine.path, error));
            }
            let offset = end.offset + HEADER as u64;
            end.version = engine.index_entries(&record[HEADER..], offset, end.version);
            end.offset += record.len() as u64;
            engine.visible.store(end.version, Ordering::Release);
        }
        Ok(Commit::ready(match durability.unwrap_or_default() {
            Durability::Sync => engine.sync_file(&mut end),
            Durability::Interval(_) | Durability::Os => Ok(()),
        }))
    }

    fn room(&self, _bytes: usize) -> Room {
        Room::ready(Ok(()))
    }

    fn stats_json(&self) -> String {
        let end = self.0.end();
        format!("{{\"engine\":\"log\",\"bytes\":{},\"entries\":{}}}", end.offset, end.version)
    }

    fn sync(&self) -> Result<()> {
        self.0.check_open()?;
        self.0.sync_file(&mut self.0.end())
    }

    fn close(&self) -> Result<()> {
        let mut end = self.0.end();
        if self.0.closed.swap(true, Ordering::AcqRel) { Ok(()) } else { self.0.sync_file(&mut end) }
    }

    fn capabilities(&self) -> Capabilities {
        let mut capabilities = Capabilities::default();
        capabilities.ordered_ranges = true;
        capabilities.atomic_batches = true;
        capabilities.durable = true;
        capabilities
    }
}

/// A walk between two bounds, which move towards each other.
struct Walk {
    engine: Arc<LogEngine>,
    visible: u64,
    lower: Bound<Vec<u8>>,
    upper: Bound<Vec<u8>>,
    direction: Direction,
}

impl Walk {
    /// The next key, whatever its value.
    fn next_key(&mut self) -> Option<Vec<u8>> {
        let mut cursor = Arc::clone(&self.engine.index).cursor();
        match (self.direction, &self.lower, &self.upper) {
            (Direction::Forward, Bound::Included(key), _) => cursor.seek(key, u64::MAX),
            // Versions begin at 1: this is behind all of them.
            (Direction::Forward, Bound::Excluded(key), _) => cursor.seek(key, 0),
            (Direction::Forward, Bound::Unbounded, _) => cursor.seek(b"", u64::MAX),
            (Direction::Reverse, _, Bound::Included(key)) => cursor.seek_before(key, 0),
            (Direction::Reverse, _, Bound::Excluded(key)) => cursor.seek_before(key, u64::MAX),
            (Direction::Reverse, _, Bound::Unbounded) => cursor.seek_last(),
        }
        let key = cursor.at()?.key.to_vec();
        let scan = Scan::between(self.lower.as_ref(), self.upper.as_ref());
        if !scan.contains(&key) {
            return None;
        }
        match self.direction {
            Direction::Forward => self.lower = Bound::Excluded(key.clone()),
            Direction::Reverse => self.upper = Bound::Excluded(key.clone()),
        }
        Some(key)
    }
}

impl Iterator for Walk {
    type Item = Result<(Slice, Slice)>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let key = self.next_key()?;
            match self.engine.get_at(&key, self.visible) {
                Ok(Some(value)) => return Some(Ok((Slice::copy_of(&key), value))),
                Ok(None) => {}
                Err(error) => return Some(Err(error)),
            }
        }
    }
}

fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("log");
    let tree = NewIndex::new(index::TreeIndex::default);
    let engine = Shared::new(LogEngine::open(&siltstone::vfs::std::StdVfs, &path, &tree)?);
    let mut batch = WriteBatch::new();
    for (key, value) in [("apple", "red"), ("banana", "yellow"), ("cherry", "red")] {
        batch.put(key, value);
    }
    engine.write(batch, None)?.wait()?;
    for entry in engine.range(Scan::all().reversed())? {
        let (key, value) = entry?;
        println!("{key:?} = {value:?}");
    }
    println!("{}", engine.stats_json());
    engine.close()?;
    Ok(())
}
