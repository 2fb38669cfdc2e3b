//! The rules of the folder's `mod.rs`, each held by something that breaks when the rule does.

mod damage;
mod failures;
mod holes;
mod lives;

use super::reader::{Cut, Hole, Recovered, Request, recover, salvage};
use super::record::{self, Record, RecordType, encoded_len};
use super::segment::{MIN_CAPACITY, Segment, prepare, set_aside};
use super::writer::Writer;
use crate::engine::checksum::Place;
use crate::engine::filename::FileName;
use crate::engine::header::{FileKind, HEADER_LEN};
use crate::engine::key::MAX_SEQ;
use crate::vfs::fault::{Effect, Failure, Fault, FaultVfs, Op};
use crate::vfs::mem::{CrashPolicy, MemVfs};
use crate::vfs::{Dir, Mapped, Mode, Vfs};
use crate::{Error, Result};
use std::path::{Path, PathBuf};
use std::sync::Arc;

const DATABASE: u64 = 0x5117_0bad_cafe_0001;
/// A batch record whose payload has this length is as long as a `Seal`.
const SEAL_SIZED: usize = 8;
const START_LEN: u64 = 64;

fn place(number: u64) -> Place {
    Place { database: DATABASE, kind: FileKind::Log, number }
}

/// Maps a segment.
fn map(dir: &Dir, name: &str) -> Result<Arc<dyn Mapped>> {
    dir.open(name, Mode::Read)?.map()
}

/// What was read: first number and payload of each batch.
type Batches = Vec<(u64, Vec<u8>)>;

fn read(vfs: &dyn Fn() -> Arc<dyn Vfs>, first: u64, base: u64, newest: u64) -> Result<(Batches, Recovered)> {
    let dir = Dir::new(vfs(), "/");
    let mut numbers: Vec<u64> = (dir.list()?.iter())
        .filter_map(|name| match FileName::parse(name) {
            Some(FileName::Log(number)) if number >= first => Some(number),
            _ => None,
        })
        .collect();
    numbers.sort_unstable();
    let limit = u64::MAX;
    let load = &map;
    let base = Some(base);
    let request =
        Request { dir: &dir, database: DATABASE, numbers: &numbers, first, base, newest, limit, load };
    let mut batches = Vec::new();
    let found = recover(&request, &mut |record, _, _| {
        batches.push((record.first_seq, record.payload.to_vec()));
        Ok(())
    });
    let (salvaged, holes) = read_damaged(&request);
    match &found {
        // reader H1
        Ok(found) => assert_eq!((&salvaged.0, &salvaged.1.cuts, holes.len()), (&batches, &found.cuts, 0)),
        Err(_) => assert!(!holes.is_empty() && salvaged.0.starts_with(&batches)),
    }
    Ok((batches, found?))
}

/// What is left of a log that may be damaged, and the holes in it.
fn read_damaged(request: &Request<'_>) -> ((Batches, Recovered), Vec<Hole>) {
    let (mut batches, mut holes) = (Batches::new(), Vec::new());
    let mut apply = |record: &Record<'_>, _: &Path, _: u64| {
        batches.push((record.first_seq, record.payload.to_vec()));
        Ok(())
    };
    let found = salvage(request, &mut apply, &mut |hole| holes.push(hole)).unwrap();
    assert!(batches.is_sorted_by_key(|(seq, _)| *seq), "{batches:?}");
    ((batches, found), holes)
}

/// A log being written, the way `engine::db` does it.
struct Log {
    mem: MemVfs,
    vfs: FaultVfs,
    dir: Dir,
    writer: Writer,
    synced: u64,
    next_seq: u64,
    next_number: u64,
    written: Batches,
    /// What may be there all the same, but with nothing after it.
    failed: Batches,
}

impl Log {
    fn new() -> Log {
        Log::over(MemVfs::new(), &Recovered::default(), 1, 1)
    }

    /// Begins segment `number` after what was recovered.
    fn over(mem: MemVfs, found: &Recovered, number: u64, next_seq: u64) -> Log {
        let vfs = FaultVfs::over_mem(mem.clone());
        let dir = Dir::new(Arc::new(vfs.clone()), "/");
        let segment = prepare(&dir, place(number), 0, None, Mode::Write, &|| ()).unwrap();
        let next_seq = next_seq.max(found.next_seq);
        let writer = Writer::start(segment, found.segment, found.position, next_seq, found.position).unwrap();
        let mut log = Log {
            mem,
            vfs,
            dir,
            writer,
            synced: found.position,
            next_seq,
            next_number: number + 1,
            written: Vec::new(),
            failed: Vec::new(),
        };
        log.sync();
        log
    }

    fn try_append(&mut self, payload: &[u8]) -> Result<u64> {
        let seq = self.next_seq;
        self.next_seq += 1;
        let appended = self.writer.append(seq, 1, payload, self.synced);
        let list = if appended.is_ok() { &mut self.written } else { &mut self.failed };
        list.push((seq, payload.to_vec()));
        appended
    }

    fn append(&mut self, payload: impl AsRef<[u8]>) -> u64 {
        self.try_append(payload.as_ref()).unwrap()
    }

    fn sync(&mut self) {
        let target = self.writer.sync_target(self.synced);
        target.files.iter().for_each(|file| file.sync().unwrap());
        self.synced = target.position;
    }

    fn spare(&mut self, used: Option<u64>) -> Segment {
        self.next_number += 1;
        prepare(&self.dir, place(self.next_number - 1), 0, used, Mode::Write, &|| ()).unwrap()
    }

    fn rotate(&mut self) {
        let spare = self.spare(None);
        self.writer.rotate(spare, self.next_seq, self.synced).unwrap();
    }

    /// What is left of it, and the numbers that each hole may have had.
    fn salvage(&self) -> (Batches, Vec<(u64, Option<u64>)>) {
        let mut numbers: Vec<u64> = (1..self.next_number).collect();
        numbers.retain(|number| self.mem.read_file(&path(*number)).is_ok());
        let (dir, load) = (Dir::new(Arc::new(self.mem.clone()), "/"), &map);
        let (base, limit) = (Some(0), u64::MAX);
        let request = Request {
            dir: &dir,
            database: DATABASE,
            numbers: &numbers,
            first: 1,
            base,
            newest: 0,
            limit,
            load,
        };
        let ((batches, _), holes) = read_damaged(&request);
        (batches, holes.into_iter().map(|hole| (hole.from_seq, hole.to_seq)).collect())
    }

    /// Where in its file the next record goes.
    fn tail(&self) -> u64 {
        self.writer.position() - self.writer.base()
    }

    fn read(&self) -> Result<(Batches, Recovered)> {
        read(&|| Arc::new(self.mem.clone()), 1, 0, 0)
    }

    /// Changes the bytes of a segment.
    fn damage(&self, number: u64, change: impl FnOnce(&mut Vec<u8>)) {
        damage(&self.mem, number, change);
    }
}

fn path(number: u64) -> PathBuf {
    PathBuf::from(format!("/{}", FileName::Log(number)))
}

fn damage(mem: &MemVfs, number: u64, change: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = mem.read_file(&path(number)).unwrap();
    change(&mut bytes);
    mem.write_file(&path(number), &bytes).unwrap();
}

#[track_caller]
fn assert_damaged(outcome: Result<(Batches, Recovered)>, number: u64, offset: u64) {
    match outcome {
        Err(Error::Corruption(found)) => {
            assert_eq!((&found.path, found.offset), (&path(number), offset), "{found}");
        }
        other => panic!("damage in segment {number} at {offset} expected, not {other:?}"),
    }
}

#[track_caller]
fn assert_cut(cuts: &[Cut], number: u64, offset: u64, records: u64) {
    let [cut] = cuts else { panic!("one cut expected, not {cuts:?}") };
    assert_eq!((&cut.file, cut.offset, cut.records), (&path(number), offset, records), "{cut:?}");
}

#[test]
fn what_was_written_is_read() {
    let mut log = Log::new();
    assert_eq!(log.read().unwrap().0, []);
    for len in [0, 1, 7, 8, 9, 39, 40, 41, 500, 10_000, 90_000, 3] {
        log.append(vec![len as u8; len]);
    }
    let (batches, found) = log.read().unwrap();
    assert_eq!(batches, log.written);
    assert_eq!((found.segment, found.position), (1, log.writer.position()));
    assert_eq!((found.batches, found.next_seq, found.cuts), (12, 13, vec![]));
}

#[test]
fn a_log_goes_on_over_segments_old_and_new() {
    let mut log = Log::new();
    // Every round writes other lengths, so that stale records of a taken segment lie at all kinds of places.
    for round in 0..12usize {
        for i in 0..20 + round {
            let mut value = vec![round as u8; (i * 37 + round * 11) % 300];
            // A value may hold what was a record, of this segment or an earlier one.
            let file = log.mem.read_file(&path(log.writer.number())).unwrap();
            value.extend_from_slice(&file[HEADER_LEN..HEADER_LEN + START_LEN as usize]);
            value.extend_from_slice(&file[log.tail() as usize..][..64]);
            log.append(value);
        }
        let used = (round >= 2).then(|| {
            let old = round as u64 - 1;
            set_aside(&log.dir, old).unwrap();
            old
        });
        let spare = log.spare(used);
        log.writer.rotate(spare, log.next_seq, log.synced).unwrap();
        if used.is_some() {
            // Nothing is in the new life yet, and nothing of the old one shows.
            let first = log.writer.number();
            let (batches, found) =
                read(&|| Arc::new(log.mem.clone()), first, log.writer.base(), first).unwrap();
            assert_eq!((batches, found.position, found.cuts), (vec![], log.writer.position(), vec![]));
        }
    }
    let first = log.writer.number() - 2;
    let begins = log.mem.read_file(&path(first)).unwrap();
    let (start, _) = record::decode(&begins, &place(first), HEADER_LEN).unwrap();
    let base = u64::from_le_bytes(*start.payload[8..].first_chunk().unwrap());
    let (batches, found) = read(&|| Arc::new(log.mem.clone()), first, base, first).unwrap();
    let from = log.written.iter().position(|(seq, _)| *seq == start.first_seq).unwrap();
    assert_eq!(batches, log.written[from..]);
    assert_eq!((found.position, found.cuts), (log.writer.position(), vec![]));
    assert_eq!(found.segments, [first, first + 1, first + 2]);
}

#[test]
fn a_torn_tail_is_cut_and_reported() {
    let mut log = Log::new();
    log.append("first");
    let at = log.tail();
    log.append(vec![7; 3000]);
    let end = log.tail();
    // Less than eight bytes may be nothing but the zeros at the end.
    for kept in (4..end - at).step_by(7) {
        let torn = MemVfs::new();
        let mut bytes = log.mem.read_file(&path(1)).unwrap();
        bytes[(at + kept) as usize..end as usize].fill(0);
        torn.write_file(&path(1), &bytes).unwrap();
        let (batches, found) = read(&|| Arc::new(torn.clone()), 1, 0, 1).unwrap();
        assert_eq!(batches, log.written[..1], "{kept} bytes kept");
        assert_cut(&found.cuts, 1, at, 0);
        assert_eq!(found.position, at);
    }
}

#[test]
fn damage_before_a_promise_is_an_error_with_its_place() {
    let mut log = Log::new();
    let mut places = Vec::new();
    for i in 0..10u8 {
        places.push(log.tail());
        log.append([i; 100]);
        log.sync();
    }
    for &at in &places[..9] {
        log.damage(1, |bytes| bytes[at as usize + 60] ^= 1);
        assert_damaged(log.read(), 1, at);
        log.damage(1, |bytes| bytes[at as usize + 60] ^= 1);
    }
    // Nobody vouches for the last one.
    log.damage(1, |bytes| bytes[places[9] as usize + 60] ^= 1);
    let (batches, found) = log.read().unwrap();
    assert_eq!(batches, log.written[..9]);
    assert_cut(&found.cuts, 1, places[9], 0);
}

#[test]
fn a_promise_in_a_later_segment_counts_for_the_earlier_one() {
    let mut log = Log::new();
    log.append("a");
    let at = log.tail();
    log.append("b");
    log.rotate();
    log.sync();
    log.append("c");
    log.damage(1, |bytes| bytes[at as usize + 40] ^= 1);
    assert_damaged(log.read(), 1, at);
}

#[test]
fn damage_that_nobody_vouches_for_is_a_cut() {
    let mut log = Log::new();
    log.append("a");
    let at = log.tail();
    for i in 0..4 {
        log.append(format!("lost {i}"));
    }
    log.damage(1, |bytes| bytes[at as usize + 40] ^= 1);
    let (batches, found) = log.read().unwrap();
    assert_eq!(batches, log.written[..1]);
    assert_cut(&found.cuts, 1, at, 3);
}

#[test]
fn a_beginning_that_is_damaged_is_noticed() {
    let mut log = Log::new();
    log.append("a");
    log.damage(1, |bytes| bytes[HEADER_LEN + 40] ^= 1);
    assert_damaged(log.read(), 1, HEADER_LEN as u64);
    // Also when the manifest is all that knows it was there.
    let log = Log::new();
    log.damage(1, |bytes| bytes[HEADER_LEN + 40] ^= 1);
    assert_damaged(read(&|| Arc::new(log.mem.clone()), 1, 0, 1), 1, HEADER_LEN as u64);
}

#[test]
fn missing_segments_are_noticed() {
    let mut log = Log::new();
    log.append("a");
    log.rotate();
    log.append("b");
    log.rotate();
    log.append("c");
    let without = |number| {
        let mem = log.mem.crash_image(CrashPolicy::All, 0);
        mem.remove_file(&path(number)).unwrap();
        mem
    };
    assert!(log.read().is_ok());
    for (gone, newest) in [(1, 1), (2, 0), (3, 0), (3, 3)] {
        let mem = without(gone);
        assert_damaged(read(&|| Arc::new(mem.clone()), 1, 0, newest), gone, 0);
    }
    // The newest one is known, and there, but the way to it is not.
    let tail = 32 + START_LEN + encoded_len(1) as u64;
    log.damage(1, |bytes| bytes[tail as usize + 20] ^= 1);
    assert!(log.read().is_ok(), "never promised");
    assert_damaged(read(&|| Arc::new(log.mem.clone()), 1, 0, 2), 1, tail);
}

#[test]
fn a_shortened_segment_is_noticed() {
    let mut log = Log::new();
    log.append("a");
    log.rotate();
    log.append("b");
    for number in [1, 2] {
        for len in (0..MIN_CAPACITY).step_by(61) {
            let mem = log.mem.crash_image(CrashPolicy::All, 0);
            damage(&mem, number, |bytes| bytes.truncate(len as usize));
            let offset = if len < HEADER_LEN as u64 { 0 } else { len };
            assert_damaged(read(&|| Arc::new(mem.clone()), 1, 0, 0), number, offset);
        }
    }
    // One that was prepared to more than the least.
    let mut log = Log::new();
    let large = prepare(&log.dir, place(2), 200_000, None, Mode::Write, &|| ()).unwrap();
    log.writer.rotate(large, log.next_seq, log.synced).unwrap();
    log.append("a");
    log.damage(2, |bytes| bytes.truncate(199_999));
    assert_damaged(log.read(), 2, 199_999);
}

#[test]
fn a_prepared_segment_that_was_never_used_is_passed_over() {
    let mut log = Log::new();
    log.append("a");
    let unused = log.spare(None);
    let found = log.read().unwrap().1;
    assert_eq!((found.segments.clone(), found.cuts.clone()), (vec![1], vec![]));
    let mut log = Log::over(log.mem, &found, unused.place.number + 1, 1);
    log.append("b");
    let (batches, found) = log.read().unwrap();
    assert_eq!(batches, [(1, b"a".to_vec()), (2, b"b".to_vec())]);
    assert_eq!((found.segments, found.cuts), (vec![1, 3], vec![]));
}
