//! From a folder to an open database.
//!
//! 1. Look at the folder: ours, empty, or somebody else's. Take the lock.
//! 2. Read the manifest, or create the database. Check that every table is there with its length.
//! 3. Remove what no edit names: unfinished tables, spare segments.
//! 4. Read the log into write buffers. Begin a new segment, sync it, and note it in the manifest.
//! 5. Publish; start the threads. The buffers of step 4 are flushed in the background.
//!
//! No table is opened on the way. A crash anywhere leaves the same state to the next open: steps 1 to 3 change nothing that
//! is named, and step 4 only adds a segment that continues the log where it ended.

use super::commit::put_in_buffer;
use super::group_sync::GroupSync;
use super::inner::{Buffers, Committer, Inner, LogStart, Parts};
use crate::engine::batch;
use crate::engine::cache::Cache;
use crate::engine::checksum::Place;
use crate::engine::filename::FileName;
use crate::engine::header::FileKind;
use crate::engine::key::{KeyspaceId, Kind};
use crate::engine::manifest::{self, Edit, Manifest, Presence};
use crate::engine::memtable::{self, Memtable};
use crate::engine::options::Options;
use crate::engine::read::{LazyTable, SuperVersion, TableFiles};
use crate::engine::wal::reader::{self, Cut, Recovered, Request};
use crate::engine::wal::record::Record;
use crate::engine::wal::{segment, writer::Writer};
use crate::planted::{Bug, planted};
use crate::vfs::{Dir, Mode, OpenFile};
use crate::{Error, Result};
use std::collections::{BTreeMap, HashSet};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// What opening found and did.
#[derive(Debug, Clone, Default, serde::Serialize)]
#[non_exhaustive]
pub struct RecoveryReport {
    /// The last close was clean, so there was no log to read.
    pub clean: bool,
    /// Batches read from the log.
    pub batches: u64,
    /// Bytes of log they took.
    pub log_bytes: u64,
    /// Pieces of the log, or of the manifest, that were never acknowledged as durable and were left out.
    pub cuts: Vec<Cut>,
    /// Files that no edit names, and that were removed: what a crash left half done.
    pub orphans_removed: Vec<String>,
    /// How long opening took.
    pub took: Duration,
}

/// Opens the database in `path`. Gives what must be kept: the lock, and the report.
pub fn open(options: Options, path: &Path) -> Result<(Inner, Box<dyn Send + Sync>, RecoveryReport)> {
    let clock = Arc::clone(&options.clock);
    let started = clock.monotonic();
    let dir = Dir::new(Arc::clone(&options.vfs), path);
    look_at_folder(&dir, options.create_if_missing)?;
    let lock: Box<dyn Send + Sync> =
        if planted(Bug::SkipLock) { Box::new(()) } else { dir.lock(&FileName::Lock.to_string())? };
    let mut opening = Opening::begin(options, dir)?;
    let logs = opening.clean_up()?;
    let recovered = opening.replay(&logs)?;
    let mut report = std::mem::take(&mut opening.report);
    let inner = opening.finish(recovered, &logs)?;
    report.took = clock.monotonic().saturating_sub(started);
    tracing::debug!(?report, "opened");
    Ok((inner, lock, report))
}

/// Refuses folders that are not ours, before anything is written to them.
fn look_at_folder(dir: &Dir, create: bool) -> Result<()> {
    let refuse = |why: &str| Err(Error::NotADatabase { path: dir.path().to_path_buf(), why: why.into() });
    let names = match dir.list() {
        Ok(names) => names,
        Err(Error::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => {
            if !create {
                return refuse("there is no such folder; create the database first, or name another folder");
            }
            return dir.create_all();
        }
        Err(Error::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotADirectory => {
            return refuse("it is a file, or lies in one; name a folder");
        }
        Err(e) => return Err(e),
    };
    let ours = |name: &String| FileName::parse(name).is_some() || name == "lost+found";
    let has_current = names.iter().any(|n| FileName::parse(n) == Some(FileName::Current));
    if !has_current && !names.iter().all(ours) {
        return refuse("it holds other files; name an empty folder, or a new one");
    }
    if !has_current && !create {
        return refuse("it has no CURRENT file; create the database first, or name another folder");
    }
    Ok(())
}

/// The database while it is being opened.
struct Opening {
    options: Options,
    dir: Dir,
    manifest: Manifest<LazyTable>,
    files: Arc<TableFiles>,
    report: RecoveryReport,
    /// Buffers filled from the log, and the highest log number seen.
    full: Vec<Arc<Memtable>>,
    filling: memtable::Writer,
    newest_log: u64,
    next_table: u64,
    /// Something in the log expires.
    expires: bool,
}

impl Opening {
    fn begin(options: Options, dir: Dir) -> Result<Opening> {
        let files = TableFiles::new(dir.clone(), Cache::new(options.cache_bytes));
        let mut report = RecoveryReport::default();
        let manifest = match manifest::look(&dir)? {
            Presence::Nothing => {
                // The folder may be there because an earlier open was interrupted, before its name was durable.
                dir.create_all()?;
                Manifest::create(&dir, &*options.clock)?
            }
            Presence::Database => {
                let mut make = |summary: &_| LazyTable::new(Arc::clone(&files), summary);
                let opened = Manifest::open(&dir, &mut make)?;
                report.clean = opened.clean.is_some();
                let name = FileName::Manifest(opened.manifest.number()).to_string();
                report.cuts.extend(opened.torn.map(|torn| Cut {
                    file: dir.join(&name),
                    offset: torn.offset,
                    records: 0,
                    reason: "an edit of the manifest that was not written whole",
                }));
                opened.manifest
            }
        };
        files.belong_to(manifest.database());
        let (filling, _) = Memtable::new(memtable::Config { expected_keys: 0 });
        let next_table = manifest.registry().next_table;
        Ok(Opening {
            options,
            dir,
            manifest,
            files,
            report,
            full: Vec::new(),
            filling,
            newest_log: 0,
            next_table,
            expires: false,
        })
    }

    /// Removes what no edit names; gives the log segments, ascending.
    fn clean_up(&mut self) -> Result<Vec<u64>> {
        let min_log = self.manifest.registry().min_log;
        let version = Arc::clone(self.manifest.version());
        let named: HashSet<u64> = version.tables().map(|(_, t)| t.summary.number).collect();
        let mut lengths = BTreeMap::new();
        let (mut logs, mut orphans) = (Vec::new(), Vec::new());
        for name in self.dir.list()? {
            let Some(parsed) = FileName::parse(&name) else { continue };
            lengths.insert(parsed, self.dir.len(&name)?.unwrap_or(0));
            let orphan = match parsed {
                FileName::Table(number) => {
                    self.next_table = self.next_table.max(number + 1);
                    !named.contains(&number)
                }
                FileName::Log(number) => {
                    self.newest_log = self.newest_log.max(number);
                    if number >= min_log {
                        logs.push(number);
                    }
                    number < min_log
                }
                FileName::Spare(number) => {
                    self.newest_log = self.newest_log.max(number);
                    true
                }
                FileName::CurrentTmp => true,
                FileName::Manifest(number) => number != self.manifest.number(),
                FileName::Lock | FileName::Current => false,
            };
            if orphan {
                orphans.push(name);
            }
        }
        let wrong = manifest::check_files(&self.dir, &version, self.manifest.registry(), &lengths);
        if let Some(first) = wrong.into_iter().next() {
            return Err(first);
        }
        // A process may have ended before it synced a name that was seen here. It must be durable before anything is built
        // upon it: before orphans go, and before a log stands beside a CURRENT that a power cut might take.
        self.dir.sync()?;
        for name in &orphans {
            self.dir.remove(name)?;
        }
        self.report.orphans_removed = orphans;
        logs.sort_unstable();
        Ok(logs)
    }

    fn replay(&mut self, logs: &[u64]) -> Result<Recovered> {
        let state = self.manifest.registry();
        let flushed = state.last_seq;
        let request = Request {
            dir: &self.dir.clone(),
            database: self.manifest.database(),
            numbers: logs,
            first: state.min_log,
            base: Some(state.log_base),
            newest: state.newest_log,
            limit: u64::MAX,
            load: &OpenFile::map,
        };
        let recovered = reader::recover(&request, &mut |record, path, offset| {
            // What a flushed buffer held is in the log still when a later buffer shares its segment.
            if record.first_seq <= flushed { Ok(()) } else { self.replay_record(record, path, offset) }
        })?;
        self.report.batches = recovered.batches;
        self.report.log_bytes = recovered.bytes;
        self.report.cuts.extend(recovered.cuts.iter().cloned());
        Ok(recovered)
    }

    fn replay_record(&mut self, record: &Record<'_>, path: &Path, offset: u64) -> Result<()> {
        let (mut seq, end) = (record.first_seq, record.first_seq + u64::from(record.count));
        let miscounted = |found: &str| {
            let detail = format!("{found} than {} entries, as its record says", record.count);
            Err(Error::corruption(path, offset, "batch in a log record", detail))
        };
        for entry in batch::entries(record.payload) {
            let entry = entry.map_err(|(at, why)| {
                Error::corruption(path, offset + at as u64, "batch in a log record", why)
            })?;
            if !entry.kind.is_supported_in_log() {
                return Err(Error::Incompatible {
                    path: path.to_path_buf(),
                    what: "entry kind",
                    found: (entry.kind as u8).to_string(),
                    supported: "puts, expiring ones, and deletes, of ranges too".into(),
                });
            }
            if seq == end {
                return miscounted("more");
            }
            if self.is_kept(entry.key) {
                self.expires |= entry.kind == Kind::PutExpiring;
                put_in_buffer(&mut self.filling, &entry, seq);
            }
            seq += 1;
        }
        if seq < end {
            return miscounted("fewer");
        }
        if self.filling.memtable().bytes() >= self.options.memtable_bytes {
            self.next_buffer();
        }
        Ok(())
    }

    /// Whether a key is of a keyspace that was not dropped (`keyspaces` Y1).
    fn is_kept(&self, key: &[u8]) -> bool {
        let known = &self.manifest.registry().keyspaces;
        let (id, _) = KeyspaceId::split(key).unwrap_or((KeyspaceId::DEFAULT, key));
        id == KeyspaceId::DEFAULT || known.contains_key(&id) || planted(Bug::ReplayDroppedKeyspace)
    }

    fn next_buffer(&mut self) {
        let config = memtable::Config { expected_keys: self.options.expected_keys() };
        let (writer, _) = Memtable::new(config);
        let full = std::mem::replace(&mut self.filling, writer);
        self.full.push(Arc::clone(full.memtable()));
    }

    fn finish(mut self, recovered: Recovered, logs: &[u64]) -> Result<Inner> {
        if !self.filling.memtable().is_empty() {
            self.next_buffer();
        }
        let start = self.begin_log(&recovered)?;
        let state = self.manifest.registry();
        let first = match logs.first() {
            Some(_) if !self.full.is_empty() => LogStart { segment: state.min_log, base: state.log_base },
            _ => start.at,
        };
        let edit = Edit {
            newest_log: Some(start.at.segment),
            min_log: Some(first.segment),
            log_base: Some(first.base),
            next_table: Some(self.next_table),
            ..Edit::default()
        };
        let files = Arc::clone(&self.files);
        self.manifest.commit(&edit, &mut |summary| LazyTable::new(Arc::clone(&files), summary))?;
        let expires = self.expires || self.manifest.version().tables().any(|(_, t)| t.summary.max_expiry > 0);
        let active = Arc::clone(self.filling.memtable());
        let sealed = self.full.iter().rev().map(Arc::clone).collect();
        let dropped = super::traits::dropped(self.manifest.registry());
        let super_version = SuperVersion::new(active, sealed, Arc::clone(self.manifest.version()), dropped);
        let sealed = self.full.into_iter().map(|memtable| (memtable, first)).collect();
        Ok(Inner::new(Parts {
            options: self.options,
            dir: self.dir,
            database: self.manifest.database(),
            files: self.files,
            manifest: self.manifest,
            super_version,
            committer: Committer {
                log: start.log,
                active: self.filling,
                next_seq: start.next_seq,
                spare: None,
                spare_may_be_named: false,
            },
            buffers: Buffers { sealed, active: start.at },
            next_table: self.next_table,
            next_log: start.at.segment + 1,
            group_sync: GroupSync::new(start.synced, start.at.segment),
            expires,
        }))
    }

    /// Begins the segment that continues the log where it ended, and makes its beginning durable. It vouches for all that
    /// was read, so that is synced first: after the end of a process, though not after a power cut, it may lie in the
    /// operating system's memory alone.
    fn begin_log(&self, recovered: &Recovered) -> Result<Start> {
        for number in &recovered.segments {
            if planted(Bug::SkipRecoveredLogSync) {
                break;
            }
            self.dir.open(&FileName::Log(*number).to_string(), Mode::Write)?.sync()?;
        }
        let state = self.manifest.registry();
        let number = self.newest_log.max(state.newest_log).max(state.min_log.saturating_sub(1)) + 1;
        let next_seq = recovered.next_seq.max(state.last_seq + 1);
        let place = Place { database: self.manifest.database(), kind: FileKind::Log, number };
        // A small one: most databases are opened for a few writes, and filling costs time.
        let segment = segment::prepare(&self.dir, place, segment::MIN_CAPACITY, None)?;
        let mut log =
            Writer::start(segment, recovered.segment, recovered.position, next_seq, recovered.position)?;
        let target = log.sync_target(recovered.position);
        for file in &target.files {
            file.sync()?;
        }
        let at = LogStart { segment: number, base: log.base() };
        Ok(Start { log, at, next_seq, synced: target.position })
    }
}

/// The log as it begins anew.
struct Start {
    log: Writer,
    at: LogStart,
    next_seq: u64,
    synced: u64,
}
