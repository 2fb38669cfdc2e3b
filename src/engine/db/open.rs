//! From a folder to an open database.
//!
//! 1. Look at the folder: ours, empty, or somebody else's. Take the lock.
//! 2. Read the manifest, or create the database. Check that every table is there with its length.
//! 3. Remove what no edit names: unfinished tables, spare segments.
//! 4. Read the log into write buffers, and write these to tables when there are more than memory is meant for. Begin a new segment,
//!    sync it, and note it in the manifest, with the tables.
//! 5. Publish; start the threads. The buffers of step 4 are flushed in the background.
//!
//! No table is opened on the way. A crash anywhere leaves the same state to the next open: steps 1 to 3 change nothing that
//! is named, and step 4 only adds a segment that continues the log where it ended.

use super::commit::{MAX_SEALED, put_in_buffer};
use super::compact::table_options;
use super::group_sync::GroupSync;
use super::inner::{Buffers, Committer, Inner, LogStart, Parts};
use crate::engine::batch;
use crate::engine::checksum::Place;
use crate::engine::compaction::output::{Output, write_tables};
use crate::engine::compaction::retain::Retain;
use crate::engine::filename::FileName;
use crate::engine::header::FileKind;
use crate::engine::iter::Merge;
use crate::engine::key::{KeyspaceId, Kind};
use crate::engine::manifest::set::Opened;
use crate::engine::manifest::{self, Edit, Manifest, Presence};
use crate::engine::memory::Use;
use crate::engine::memtable::{self, Memtable};
use crate::engine::options::Options;
use crate::engine::read::{LazyTable, SuperVersion, TableFiles};
use crate::engine::sstable::{TableOptions, TableSummary};
use crate::engine::tombstones::Tombstone;
use crate::engine::wal::reader::{self, Cut, Load, Recovered, Request};
use crate::engine::wal::record::Record;
use crate::engine::wal::{segment, writer::Writer};
use crate::planted::{Bug, planted};
use crate::sync::atomic::AtomicU64;
use crate::vfs::{Dir, Mode};
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
    let recovered = opening.replay(&logs, &|dir, name| dir.open(name, Mode::Read)?.map())?;
    let mut report = std::mem::take(&mut opening.report);
    let inner = opening.finish(recovered, &logs)?;
    report.took = clock.monotonic().saturating_sub(started);
    Ok((inner, lock, report))
}

/// Refuses folders that are not ours, before anything is written to them.
pub fn look_at_folder(dir: &Dir, create: bool) -> Result<()> {
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
pub struct Opening {
    pub options: Options,
    pub dir: Dir,
    pub manifest: Manifest<LazyTable>,
    pub files: Arc<TableFiles>,
    pub report: RecoveryReport,
    /// Buffers filled from the log, oldest first, tables that earlier ones became, and the highest log number seen.
    pub full: Vec<Arc<Memtable>>,
    pub flushed: Vec<TableSummary>,
    /// The deletions of ranges in them.
    deleted: Vec<Tombstone>,
    pub filling: memtable::Writer,
    newest_log: u64,
    next_table: u64,
    /// Something in the log expires.
    expires: bool,
    /// Full buffers may become tables; otherwise all of them stay in memory.
    pub may_write: bool,
}

impl Opening {
    fn begin(options: Options, dir: Dir) -> Result<Opening> {
        let files = TableFiles::new(dir.clone(), &options.memory());
        let opened = match manifest::look(&dir)? {
            Presence::Nothing => {
                // The folder may be there because an earlier open was interrupted, before its name was durable.
                dir.create_all()?;
                Opened { manifest: Manifest::create(&dir, &*options.clock)?, clean: None, torn: None }
            }
            Presence::Database => {
                Manifest::open(&dir, &mut |summary| LazyTable::new(Arc::clone(&files), summary))?
            }
        };
        files.belong_to(opened.manifest.database());
        Ok(Opening::of(options, dir, files, opened))
    }

    /// What follows from the manifest.
    pub fn of(options: Options, dir: Dir, files: Arc<TableFiles>, opened: Opened<LazyTable>) -> Opening {
        let Opened { manifest, clean, torn } = opened;
        let name = FileName::Manifest(manifest.number()).to_string();
        let cut = torn.map(|torn| Cut {
            file: dir.join(&name),
            offset: torn.offset,
            records: 0,
            reason: "an edit of the manifest that was not written whole",
        });
        let report = RecoveryReport {
            clean: clean.is_some(),
            cuts: cut.into_iter().collect(),
            ..RecoveryReport::default()
        };
        let memory = files.memory();
        let config = memtable::Config { expected_keys: 0, ..memtable::Config::of(&options, memory) };
        let (filling, _) = Memtable::new(config, memory);
        let next_table = manifest.registry().next_table;
        Opening {
            options,
            dir,
            manifest,
            files,
            report,
            full: Vec::new(),
            flushed: Vec::new(),
            deleted: Vec::new(),
            filling,
            newest_log: 0,
            next_table,
            expires: false,
            may_write: true,
        }
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

    pub fn replay(&mut self, logs: &[u64], load: Load<'_>) -> Result<Recovered> {
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
            load,
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
        let known = &self.manifest.registry().keyspaces;
        let expires = &mut self.expires;
        self.filling.batch(record.count as usize, |buffer| {
            let (mut seq, end) = (record.first_seq, record.first_seq + u64::from(record.count));
            let miscounted = |found: &str| {
                let detail = format!("{found} than {} entries, as its record says", record.count);
                Err(Error::corruption(path, offset, "batch in a log record", detail))
            };
            for entry in batch::entries(record.payload) {
                let entry = entry.map_err(|(at, why)| {
                    Error::corruption(path, offset + at as u64, "batch in a log record", why)
                })?;
                check_supported(&entry, path)?;
                if seq == end {
                    return miscounted("more");
                }
                if is_kept(known, entry.key) {
                    *expires |= entry.kind == Kind::PutExpiring;
                    put_in_buffer(buffer, &entry, seq);
                }
                seq += 1;
            }
            if seq < end { miscounted("fewer") } else { Ok(()) }
        })?;
        if self.filling.memtable().bytes() >= self.files.memory().buffer_bytes() {
            self.next_buffer();
        }
        if self.full.len() > MAX_SEALED && self.may_write { self.flush_full() } else { Ok(()) }
    }

    /// Writes the full buffers to a table. It comes into force with the edit at the end, which also says that the log up to there
    /// is no longer needed; a crash before leaves a table that no edit names.
    fn flush_full(&mut self) -> Result<()> {
        let next_number = AtomicU64::new(self.next_table);
        let deleted: Vec<Tombstone> = self.full.iter().flat_map(|m| m.deleted_ranges().cloned()).collect();
        let mut cursor = Merge::new(self.full.iter().flat_map(|m| m.cursors()).collect());
        let output = Output {
            files: &self.files,
            next_number: &next_number,
            template: TableOptions {
                clean_seq: self.full.iter().filter_map(|m| m.max_seq()).max().unwrap_or(0),
                ..table_options(&self.options, &self.files, self.options.compression.upper)
            },
            deleted: &deleted.iter().collect(),
            // What belongs to a dropped keyspace was left out when it was read.
            dropped: None,
            table_bytes: u64::MAX,
            input_bytes: 0,
            still_wanted: &|| Ok(()),
        };
        // No reader has seen any of it: of each key the newest version is enough, and what expires is left for later.
        let mut retain = Retain::new(&[u64::MAX], 0);
        let written = write_tables(&mut cursor, &mut retain, &mut |_| false, &output);
        self.next_table = next_number.into_inner();
        match written {
            Ok(tables) => self.flushed.extend(tables),
            // On a full disk the database opens all the same, so that something can be deleted.
            Err(Error::DiskFull { .. }) => return Ok(()),
            Err(error) => return Err(error),
        }
        self.deleted.extend(deleted);
        self.full.clear();
        Ok(())
    }

    fn next_buffer(&mut self) {
        let memory = self.files.memory();
        let (writer, _) = Memtable::new(memtable::Config::of(&self.options, memory), memory);
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
        let mut edit = Edit {
            newest_log: Some(start.at.segment),
            min_log: Some(first.segment),
            log_base: Some(first.base),
            next_table: Some(self.next_table),
            last_seq: self.flushed.iter().map(|table| table.max_seq).max(),
            added: std::mem::take(&mut self.flushed).into_iter().map(|table| (0, table)).collect(),
            tombstones: std::mem::take(&mut self.deleted),
            ..Edit::default()
        };
        self.manifest.version().retire(&mut edit);
        let files = Arc::clone(&self.files);
        let log_memory = files.memory().hold(Use::Log, 0);
        self.manifest.commit(&edit, &mut |summary| LazyTable::new(Arc::clone(&files), summary))?;
        let expires = self.has_expiring();
        let active = Arc::clone(self.filling.memtable());
        let sealed = self.full.iter().rev().map(Arc::clone).collect();
        let dropped = super::traits::dropped(self.manifest.registry());
        let super_version = SuperVersion::new(active, sealed, Arc::clone(self.manifest.version()), dropped);
        let sealed = self.full.into_iter().map(|memtable| (memtable, first)).collect();
        Ok(Inner::new(Parts {
            observes: false,
            options: self.options,
            dir: self.dir,
            database: self.manifest.database(),
            files: self.files,
            manifest: self.manifest,
            super_version,
            committer: Committer {
                log: start.log,
                log_memory,
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

    /// Whether something in log or tables expires.
    pub fn has_expiring(&self) -> bool {
        self.expires || self.manifest.version().tables().any(|(_, t)| t.summary.max_expiry > 0)
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
        let mode = self.options.durability.log_mode();
        let segment = segment::prepare(&self.dir, place, segment::MIN_CAPACITY, None, mode, &|| ())?;
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

/// Whether a key is of a keyspace that was not dropped (`keyspaces` Y1).
fn is_kept(known: &BTreeMap<KeyspaceId, String>, key: &[u8]) -> bool {
    let (id, _) = KeyspaceId::split(key).unwrap_or((KeyspaceId::DEFAULT, key));
    id == KeyspaceId::DEFAULT || known.contains_key(&id)
}

fn check_supported(entry: &batch::Entry<'_>, path: &Path) -> Result<()> {
    if entry.kind.is_supported_in_log() {
        return Ok(());
    }
    Err(Error::Incompatible {
        path: path.to_path_buf(),
        what: "entry kind",
        found: (entry.kind as u8).to_string(),
        supported: "puts, expiring ones, and deletes, of ranges too".into(),
    })
}

/// The log as it begins anew.
struct Start {
    log: Writer,
    at: LogStart,
    next_seq: u64,
    synced: u64,
}
