//! What may become of a damaged store: right data or an error with a place, for every way of looking at it.

use super::store::{Store, options};
use super::trials::Trial;
use crate::history::{Map, brief};
use crate::memory;
use siltstone::vfs::mem::{CrashPolicy, MemVfs};
use siltstone::{Compression, Db, Error, Finding, Options, RepairReport, Result, Slice, TablesBy};
use std::path::PathBuf;

/// No trial may take more memory than before.
const MOST_MEMORY: usize = 64 << 20;

/// What became of a damaged store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Opening or `Db::verify` gave an error that named a file.
    Reported,
    /// The last write was left out, and the report of the recovery says so.
    Cut,
    /// All data was right, and the open database did not notice.
    Unnoticed,
}

/// Counts verdicts.
#[derive(Default, Debug)]
pub struct Tally {
    pub trials: u64,
    pub cuts: u64,
    /// What the open database did not notice.
    pub unnoticed: Vec<String>,
    /// What `verify` of the folder did not report.
    pub unverified: Vec<String>,
    /// Repairs that lost nothing, and those that could not know.
    pub complete: u64,
    pub guessed: u64,
}

/// A store with what is known of it undamaged.
pub struct Judge<'a> {
    store: &'a Store,
    notes: Vec<Finding>,
    pub tally: Tally,
}

impl<'a> Judge<'a> {
    /// Looks at the store as it is: it must be sound, and a repair an exact copy.
    pub fn new(store: &'a Store) -> Judge<'a> {
        let vfs = store.vfs.crash_image(CrashPolicy::All, 0);
        let options = options(&vfs, Compression::None, 10, 3);
        let report = options.verify("/db", &|_| {}).unwrap();
        assert!(report.is_sound(), "{}: {report}", store.name);
        assert!(report.tables > 2 && report.entries > 40);
        let judge = Judge { store, notes: report.notes, tally: Tally::default() };
        let trial = Trial { what: &|| "undamaged".into(), change: &|_| {}, newer: false, wide: false };
        let repaired = judge.repair(&options, &vfs, &trial, trial.what).unwrap();
        assert!(repaired.is_complete() && repaired.harmless.is_empty(), "{repaired}");
        judge
    }

    pub fn try_out(&mut self, trial: &Trial<'_>) {
        let vfs = self.store.vfs.crash_image(CrashPolicy::All, 0);
        (trial.change)(&vfs);
        let what = || format!("{}: {}", self.store.name, (trial.what)());
        let options = options(&vfs, Compression::None, 10, 3);
        let is_verified = self.verify(&options, &vfs, &what);
        let repaired = self.repair(&options, &vfs, trial, &what);
        let opened = bounded(&what, || options.open("/db").map(|db| self.read(&db, trial, &what)));
        let verdict = opened.unwrap_or_else(|e| reported(&e, &what));
        let tally = &mut self.tally;
        tally.trials += 1;
        tally.cuts += u64::from(verdict == Verdict::Cut);
        tally.complete += u64::from(repaired.as_ref().is_some_and(RepairReport::is_complete));
        tally.guessed += u64::from(repaired.is_some_and(|r| r.tables_by == TablesBy::Guess));
        if verdict == Verdict::Unnoticed {
            tally.unnoticed.push((trial.what)());
        }
        if !is_verified {
            tally.unverified.push((trial.what)());
        }
    }

    /// Verifies the folder, and tells whether anything was found that the undamaged store does not have.
    fn verify(&self, options: &Options, vfs: &MemVfs, what: &dyn Fn() -> String) -> bool {
        let before = (contents(vfs), vfs.op_count());
        let report = match bounded(what, || options.verify("/db", &|_| {})) {
            Ok(report) => report,
            Err(e) => {
                reported(&e, what);
                return true;
            }
        };
        assert!(contents(vfs) == before.0 && vfs.op_count() <= before.1 + 1, "{}: it wrote", what());
        let places = report.problems.iter().chain(&report.notes).map(|finding| &finding.file);
        let mut places = places.chain(report.unread.iter().map(|unread| &unread.file));
        assert!(places.all(|file| file.starts_with("/db")), "{}: {report}", what());
        !report.is_sound() || report.notes != self.notes
    }

    /// Repairs the folder: what comes of it is sound, and holds what it should. `None` when that is refused.
    fn repair(
        &self,
        options: &Options,
        vfs: &MemVfs,
        trial: &Trial<'_>,
        what: &dyn Fn() -> String,
    ) -> Option<RepairReport> {
        let before = contents(vfs);
        let repaired = bounded(what, || options.repair("/db", "/new", &|_| {}));
        let is_old = |(path, _): &(PathBuf, Vec<u8>)| path.starts_with("/db");
        let after: Vec<_> = contents(vfs).into_iter().filter(is_old).collect();
        assert!(after == before, "{}: repair changed the old folder", what());
        let report = match repaired {
            Ok(report) => report,
            Err(e) => {
                let may_fail = trial.newer && matches!(e, Error::Incompatible { .. });
                assert!(may_fail, "{}: repair failed: {e}", what());
                assert!(vfs.files().iter().all(|path| path.starts_with("/db")), "{}: left over", what());
                return None;
            }
        };
        let new = options.clone().create_if_missing(false).open("/new").unwrap();
        assert!(new.recovery().clean && new.verify().unwrap().is_sound(), "{}", what());
        let (found, failed) = collect(new.iter(), what);
        assert!(!failed);
        let found: Map = found.into_iter().collect();
        for (key, value) in &found {
            let was_written =
                self.store.ever.get(key).is_some_and(|ever| ever.contains(&Some(value.clone())));
            assert!(was_written, "{}: {} never had this value", what(), key.escape_ascii());
        }
        let untouched = |map: &Map| -> Map {
            let known = map.iter().filter(|(key, _)| !report.concerns("", key));
            known.map(|(key, value)| (key.clone(), value.clone())).collect()
        };
        let mut states = self.states(!report.notes.is_empty(), trial);
        let is_exact = states.any(|state| untouched(&found) == untouched(state));
        let shown = || format!("found {}\nexpected {}", brief(&found), brief(&self.store.expected));
        assert!(is_exact, "{}: beyond what it told:\n{report}{}", what(), shown());
        drop(new);
        for path in vfs.files().into_iter().filter(|path| path.starts_with("/new")) {
            vfs.remove_file(&path).unwrap();
        }
        Some(report)
    }

    /// What a store may hold: all, or if it was said that something was left out, that without the last write; with several of
    /// them gone, if so much of the log is.
    fn states(&self, cut: bool, trial: &Trial<'_>) -> impl Iterator<Item = &Map> {
        let gone = if trial.wide { usize::MAX } else { usize::from(cut) };
        [&self.store.expected].into_iter().chain(self.store.before.iter().take(gone))
    }

    /// Reads everything both ways and key by key, verifies, compacts, and reads again.
    fn read(&self, db: &Db, trial: &Trial<'_>, what: &dyn Fn() -> String) -> Verdict {
        let cut = !db.recovery().cuts.is_empty();
        let (forwards, failed) = collect(db.iter(), what);
        let found = |state: &&Map| !failed && forwards == pairs(state);
        let expected = self.states(cut, trial).find(found).unwrap_or(&self.store.expected);
        let wanted = pairs(expected);
        let is_right = |found: &Pairs, failed: bool, wanted: &Pairs| {
            if failed { wanted.starts_with(found) } else { found == wanted }
        };
        let found = || brief(&forwards.iter().cloned().collect());
        assert!(
            is_right(&forwards, failed, &wanted),
            "{}: found {} expected {}",
            what(),
            found(),
            brief(expected)
        );
        let (backwards, failed_backwards) = collect(db.iter().rev(), what);
        let reversed: Pairs = wanted.iter().rev().cloned().collect();
        assert!(is_right(&backwards, failed_backwards, &reversed), "{}: backwards", what());
        let failed_get = self.get_all(db, expected, what);
        let sound = db.verify().unwrap();
        assert!(sound.problems.iter().all(|p| p.file.starts_with("/db/")), "{}: {sound}", what());
        // What reading stumbles over, `verify` finds; so it need not be looked for by reading.
        let failed = failed || failed_backwards || failed_get;
        assert!(!failed || !sound.is_sound(), "{}: reading failed, but it is called sound", what());
        if let Err(e) = db.compact_range::<&[u8]>(..) {
            reported(&e, what);
            assert!(!sound.is_sound(), "{}: {e}", what());
        }
        let (compacted, failed) = collect(db.iter(), what);
        assert!(is_right(&compacted, failed, &wanted), "{}: after a compaction", what());
        match () {
            () if !sound.is_sound() => Verdict::Reported,
            () if cut => Verdict::Cut,
            () => Verdict::Unnoticed,
        }
    }

    /// Asks for every key, and some that are not there; true when there was an error.
    fn get_all(&self, db: &Db, expected: &Map, what: &dyn Fn() -> String) -> bool {
        let mut failed = false;
        let absent = (0..60).step_by(7).map(|n| format!("key{n:03}x").into_bytes());
        for key in self.store.ever.keys().cloned().chain(absent) {
            match db.get(&key) {
                Ok(found) => {
                    let wanted = expected.get(&key).map(Vec::as_slice);
                    assert!(found.as_deref() == wanted, "{}: wrong value of {}", what(), key.escape_ascii());
                }
                Err(e) => {
                    reported(&e, what);
                    failed = true;
                }
            }
        }
        failed
    }
}

impl Tally {
    pub fn add(&mut self, other: Tally) {
        self.trials += other.trials;
        self.cuts += other.cuts;
        self.complete += other.complete;
        self.guessed += other.guessed;
        self.unnoticed.extend(other.unnoticed);
        self.unverified.extend(other.unverified);
    }
}

type Pairs = Vec<(Vec<u8>, Vec<u8>)>;

fn pairs(map: &Map) -> Pairs {
    map.iter().map(|(key, value)| (key.clone(), value.clone())).collect()
}

fn contents(vfs: &MemVfs) -> Pairs2 {
    vfs.files().into_iter().map(|path| (path.clone(), vfs.read_file(&path).unwrap())).collect()
}

type Pairs2 = Vec<(PathBuf, Vec<u8>)>;

/// Does `work`, which must not take much memory whatever the bytes it reads claim.
fn bounded<T>(what: &dyn Fn() -> String, work: impl FnOnce() -> T) -> T {
    let (done, most) = memory::peak(work);
    assert!(most < MOST_MEMORY, "{}: {most} bytes were allocated", what());
    done
}

/// What came before the end or the first error, and whether there was one.
fn collect(range: impl Iterator<Item = Result<(Slice, Slice)>>, what: &dyn Fn() -> String) -> (Pairs, bool) {
    let mut found = Vec::new();
    for pair in range {
        match pair {
            Ok((key, value)) => found.push((key.to_vec(), value.to_vec())),
            Err(e) => {
                reported(&e, what);
                return (found, true);
            }
        }
    }
    (found, false)
}

fn reported(e: &Error, what: &dyn Fn() -> String) -> Verdict {
    let text = e.to_string();
    assert!(text.contains("/db"), "{}: no file is named: {text}", what());
    let of_a_kind = matches!(
        e,
        Error::Corruption(_) | Error::Incompatible { .. } | Error::NotADatabase { .. } | Error::Io { .. }
    );
    assert!(of_a_kind, "{}: {text}", what());
    Verdict::Reported
}
