//! The rules of the folder's `mod.rs`, each held by something that breaks when the rule does.

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
        let segment = prepare(&dir, place(number), 0, None).unwrap();
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
        prepare(&self.dir, place(self.next_number - 1), 0, used).unwrap()
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
    let large = prepare(&log.dir, place(2), 200_000, None).unwrap();
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

#[test]
fn after_a_cut_the_log_goes_on_from_exactly_there() {
    let mut log = Log::new();
    let mut expected = vec![(1, b"kept".to_vec())];
    log.append("kept");
    for life in 2..6u64 {
        let at = log.tail();
        log.append(vec![1; 900]);
        log.append("not promised");
        let number = log.writer.number();
        log.damage(number, |bytes| bytes[at as usize + 500] = 9);
        let (batches, found) = log.read().unwrap();
        assert_eq!(batches, expected);
        assert_eq!(found.cuts.len() as u64, life - 1, "{:?}", found.cuts);
        assert_cut(&found.cuts[life as usize - 2..], number, at, 1);
        log = Log::over(log.mem.clone(), &found, number + 1, 1);
        log.append(format!("life {life}"));
        expected.extend(log.written.iter().cloned());
        // Numbers were used again for what was cut, and only these count.
        assert_eq!(expected.last().unwrap().0, life);
    }
    let (batches, found) = log.read().unwrap();
    assert_eq!(batches, expected);
    assert_eq!(found.segments, [1, 2, 3, 4, 5]);
    // A promise made after the cut does not count for what was cut, but what it does count for is held to it.
    log.sync();
    log.append("vouches");
    assert!(log.read().is_ok());
    log.damage(4, |bytes| bytes[HEADER_LEN + START_LEN as usize + 41] ^= 1);
    assert_damaged(log.read(), 4, HEADER_LEN as u64 + START_LEN);
    // What was cut stays cut when the log is read on behind that.
    let (batches, holes) = log.salvage();
    expected.push((6, b"vouches".to_vec()));
    expected.remove(3);
    assert_eq!((batches, holes), (expected, vec![(4, Some(5))]));
}

/// What was cut by a recovery is not taken behind a hole either, also when what was cut vouches for what is damaged: its
/// numbers were used again in the segment after.
#[test]
fn behind_a_hole_nothing_is_taken_that_was_cut_before() {
    let mut log = Log::new();
    log.append("damaged later");
    log.append("kept");
    log.sync();
    let at = log.tail() as usize;
    log.append([1; 300]);
    log.append("cut, and vouches for what is before");
    log.damage(1, |bytes| bytes[at + 100] ^= 1);
    let (_, found) = log.read().unwrap();
    let mut log = Log::over(log.mem.clone(), &found, 2, 1);
    log.append("again the third");
    log.damage(1, |bytes| bytes[HEADER_LEN + START_LEN as usize + 41] ^= 1);
    assert!(log.read().is_err());
    let (batches, holes) = log.salvage();
    assert_eq!(batches, [(2, b"kept".to_vec()), (3, b"again the third".to_vec())]);
    assert_eq!(holes, [(1, Some(2))]);
}

#[test]
fn behind_every_kind_of_hole_the_log_goes_on() {
    let written = || {
        let mut log = Log::new();
        let mut places = Vec::new();
        for i in 0..9u8 {
            if i % 3 == 0 && i > 0 {
                log.rotate();
            }
            places.push(log.tail() as usize);
            log.append([b'a' + i; 30]);
            log.sync();
        }
        (log, places)
    };
    let all = written().0.written;
    let without = |gone: &[usize]| -> Batches {
        all.iter().enumerate().filter(|(i, _)| !gone.contains(i)).map(|(_, batch)| batch.clone()).collect()
    };
    let check = |damage: &dyn Fn(&Log, &[usize]), gone: &[usize], expected: &[(u64, Option<u64>)]| {
        let (log, places) = written();
        damage(&log, &places);
        assert!(log.read().is_err());
        let (batches, holes) = log.salvage();
        let lost: Vec<_> = holes.into_iter().filter(|(from, to)| *to != Some(*from)).collect();
        assert_eq!((batches, &lost[..]), (without(gone), expected));
    };
    let flip = |log: &Log, number: u64, at: usize| log.damage(number, |bytes| bytes[at] ^= 1);
    // In the middle of a segment, at its end before the `Seal`, two in one segment.
    check(&|log, at| flip(log, 1, at[1] + 45), &[1], &[(2, Some(3))]);
    check(&|log, at| flip(log, 1, at[2] + 45), &[2], &[(3, Some(4))]);
    check(
        &|log, at| [3, 5].iter().for_each(|i| flip(log, 2, at[*i] + 45)),
        &[3, 5],
        &[(4, Some(5)), (6, Some(7))],
    );
    // A `Start`, a `Seal`, a header.
    check(&|log, _| flip(log, 2, HEADER_LEN + 50), &[], &[]);
    check(&|log, at| flip(log, 1, at[2] + 72 + 41), &[], &[]);
    check(&|log, _| flip(log, 2, 20), &[], &[]);
    // The first, a middle segment, or the beginning of all.
    let lose = |log: &Log, number: u64| log.mem.remove_file(&path(number)).unwrap();
    check(&|log, _| lose(log, 2), &[3, 4, 5], &[(4, None)]);
    check(&|log, _| log.damage(2, |bytes| bytes.fill(0)), &[3, 4, 5], &[(4, None), (4, Some(7))]);
}

#[test]
fn a_failed_append_is_followed_by_a_good_one() {
    let full = encoded_len(100) + 8;
    let effects = (0..=full).step_by(9).map(Effect::ShortWrite).chain([Effect::NotDone, Effect::Done]);
    for effect in effects {
        for next in [1, 100, 300] {
            let mut log = Log::new();
            log.append("before");
            log.vfs.inject(Fault::nth(0).on(Op::Write).failing_with(Failure::NoSpace).with(effect));
            assert!(log.try_append(&[1; 100]).unwrap_err().is_transient());
            let failed = (2, vec![1; 100]);
            let (batches, found) = log.read().unwrap();
            let arrived = batches.len() == 2;
            assert_eq!(batches.get(1), arrived.then_some(&failed));
            assert!(
                arrived
                    || effect == Effect::NotDone
                    || effect == Effect::ShortWrite(0)
                    || found.cuts.len() == 1
            );
            log.append(vec![2; next]);
            log.append("after");
            let (batches, found) = log.read().unwrap();
            assert_eq!(batches, log.written, "{effect:?}");
            assert_eq!((found.next_seq, found.cuts), (5, vec![]));
        }
    }
}

#[test]
fn what_a_failed_append_left_does_not_come_back_with_later_records() {
    // A page that a power cut did not let through may still hold its first write: the failed record, as long as the one
    // written over it. The record behind it, on another page, must not follow.
    let mut log = Log::new();
    log.append("before");
    let at = log.tail() as usize;
    log.vfs.inject(Fault::nth(0).on(Op::Write).failing_with(Failure::NoSpace).with(Effect::Done));
    assert!(log.try_append(b"failed").is_err());
    let old = log.mem.read_file(&path(1)).unwrap()[at..at + encoded_len(6)].to_vec();
    log.append("second");
    log.append("third!");
    assert_eq!(log.read().unwrap().0, log.written);
    log.damage(1, |bytes| bytes[at..at + old.len()].copy_from_slice(&old));
    let (batches, found) = log.read().unwrap();
    assert_eq!(batches, [(1, b"before".to_vec()), (2, b"failed".to_vec())]);
    assert_cut(&found.cuts, 1, (at + old.len()) as u64, 1);
}

#[test]
fn a_failed_rotation_can_be_tried_again_or_left() {
    for nth in 0..2 {
        for effect in [Effect::NotDone, Effect::ShortWrite(30), Effect::Done] {
            for between in [None, Some(SEAL_SIZED), Some(2 * SEAL_SIZED + 40), Some(500)] {
                for sync in [true, false] {
                    rotate_with_failure(nth, effect, between, sync);
                }
            }
        }
    }
}

fn rotate_with_failure(nth: u64, effect: Effect, between: Option<usize>, sync: bool) {
    let mut log = Log::new();
    log.append("before");
    let spare = log.spare(None);
    log.vfs.inject(Fault::nth(nth).on(Op::Write).failing_with(Failure::NoSpace).with(effect));
    assert!(log.writer.rotate(spare.clone(), log.next_seq, log.synced).is_err());
    assert_eq!(log.writer.number(), 1);
    let check = |log: &Log| {
        let (batches, _) = log.read().unwrap();
        assert_eq!(batches, log.written, "{nth} {effect:?} {between:?} {sync}");
    };
    check(&log);
    if let Some(len) = between {
        log.append(vec![3; len]);
        if sync {
            log.sync();
        }
        check(&log);
        // The segment begun in vain may claim to begin right here; it has nothing to go on with.
        assert_eq!(log.read().unwrap().1.segments, [1]);
        // Damage is not hidden by the segment that was begun in vain.
        log.append("vouches");
        let image = log.mem.crash_image(CrashPolicy::All, 0);
        damage(&image, 1, |bytes| bytes[HEADER_LEN + START_LEN as usize + 40] ^= 1);
        assert_eq!(read(&|| Arc::new(image.clone()), 1, 0, 0).is_err(), sync);
    }
    log.writer.rotate(spare, log.next_seq, log.synced).unwrap();
    assert_eq!(log.writer.number(), 2);
    log.append("after");
    check(&log);
    log.rotate();
    log.append("and on");
    check(&log);
    assert_eq!(log.read().unwrap().1.cuts, []);
}

/// A small log of two segments, synced now and then.
fn small() -> (Log, Vec<(u64, u64, u64)>) {
    let mut log = Log::new();
    // Segment, offset in it, position behind it, of every record.
    let mut ends = Vec::new();
    for i in 0..8u8 {
        let at = (log.writer.number(), log.tail());
        let end = log.append(vec![i; 3 + usize::from(i) * 5]);
        ends.push((at.0, at.1, end));
        if i == 1 || i == 4 {
            log.sync();
        }
        if i == 3 {
            log.rotate();
        }
    }
    (log, ends)
}

#[test]
fn no_flipped_bit_loses_what_was_vouched_for() {
    let (log, ends) = small();
    // The last record vouches for all up to the last sync before it.
    let vouched = ends.iter().map(|(_, _, end)| *end).rfind(|end| *end <= log.synced).unwrap();
    assert_eq!(vouched, ends[4].2);
    let base = log.writer.base();
    for (number, promised) in [(1, base), (2, vouched - base)] {
        let good = log.mem.read_file(&path(number)).unwrap();
        let used = good.iter().rposition(|byte| *byte != 0).unwrap() + 64;
        for bit in 0..used * 8 {
            let mut bad = good.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            log.mem.write_file(&path(number), &bad).unwrap();
            match log.read() {
                Err(Error::Corruption(found)) => assert_eq!(found.path, path(number), "bit {bit}"),
                Err(other) => panic!("segment {number} bit {bit}: {other}"),
                Ok((batches, found)) => {
                    assert!(bit as u64 / 8 >= promised, "segment {number} bit {bit} went unnoticed");
                    assert_eq!(batches, log.written[..batches.len()], "segment {number} bit {bit}");
                    assert!(
                        batches.len() == 8 || !found.cuts.is_empty(),
                        "segment {number} bit {bit}: silent"
                    );
                }
            }
        }
        log.mem.write_file(&path(number), &good).unwrap();
    }
}

#[test]
fn no_bytes_set_to_zero_make_a_wrong_record() {
    let (log, _) = small();
    for number in [1, 2] {
        let good = log.mem.read_file(&path(number)).unwrap();
        let used = good.iter().rposition(|byte| *byte != 0).unwrap() + 8;
        for at in (0..used).step_by(3) {
            for len in [1, 8, 16, 40, 100, 512] {
                let mut bad = good.clone();
                let end = (at + len).min(bad.len());
                bad[at..end].fill(0);
                log.mem.write_file(&path(number), &bad).unwrap();
                if let Ok((batches, _)) = log.read() {
                    assert_eq!(
                        batches,
                        log.written[..batches.len()],
                        "segment {number}, {len} zeros at {at}"
                    );
                }
            }
        }
        log.mem.write_file(&path(number), &good).unwrap();
    }
}

#[test]
fn a_copy_of_a_record_in_a_value_vouches_for_nothing() {
    let mut log = Log::new();
    log.append("a");
    let at = log.tail();
    let promise = |place: Place, offset| {
        let mut copy = Vec::new();
        let kind = RecordType::Batch;
        let record =
            Record { kind, after_gap: false, count: 1, first_seq: 2, synced: 1 << 40, payload: b"x" };
        record::encode(&mut copy, &place, offset, &record);
        copy
    };
    let mut value = Vec::new();
    let here = || at + record::HEADER_LEN as u64;
    value.extend(promise(place(1), at));
    value.extend(promise(place(2), here() + value.len() as u64));
    value.extend(promise(Place { database: 1, ..place(1) }, here() + value.len() as u64));
    log.append(&value);
    // With its header gone, the value is all there is to see.
    log.damage(1, |bytes| bytes[at as usize] ^= 1);
    let (batches, found) = log.read().unwrap();
    assert_eq!(batches, log.written[..1]);
    assert_cut(&found.cuts, 1, at, 0);
    // The same, were it bound to nothing but the truth.
    log.damage(1, |bytes| {
        let at = at as usize + record::HEADER_LEN;
        let copy = promise(place(1), at as u64);
        bytes[at..at + copy.len()].copy_from_slice(&copy);
    });
    assert_damaged(log.read(), 1, at);
}

#[test]
fn values_that_look_like_long_records_do_not_keep_recovery_busy() {
    let mut log = Log::new();
    let at = log.tail();
    let mut fake = [0; 40];
    fake[4..8].copy_from_slice(&(1u32 << 20).to_le_bytes());
    fake[8] = RecordType::Batch as u8;
    fake[32] = 1;
    log.append(fake.repeat((8 << 20) / 40));
    log.damage(1, |bytes| bytes[at as usize] ^= 1);
    let (batches, found) = log.read().unwrap();
    assert_eq!(batches, []);
    assert_cut(&found.cuts, 1, at, 0);
}

#[test]
fn a_record_of_a_newer_kind_is_refused() {
    let mut log = Log::new();
    log.append("a");
    let at = log.tail() as usize;
    log.append("from the future");
    log.damage(1, |bytes| {
        bytes[at + 8] = 9;
        let end = at + encoded_len(15);
        let crc = place(1).crc(at as u64, &[&bytes[at + 4..end]]);
        bytes[at..at + 4].copy_from_slice(&crc.to_le_bytes());
    });
    assert!(matches!(log.read(), Err(Error::Incompatible { .. })));
}

/// Found by fuzzing: the number after such a one did not fit, and opening panicked.
#[test]
fn numbers_that_there_cannot_be_are_refused() {
    for first_seq in [MAX_SEQ, MAX_SEQ + 1, u64::MAX] {
        let mut log = Log::new();
        log.append("a");
        let offset = log.tail() as usize;
        log.append("far too high");
        log.damage(1, |bytes| {
            // It may leave out any numbers, so it goes on.
            bytes[offset + 9] = 1;
            bytes[offset + 16..offset + 24].copy_from_slice(&first_seq.to_le_bytes());
            let crc = place(1).crc(offset as u64, &[&bytes[offset + 4..offset + encoded_len(12)]]);
            bytes[offset..offset + 4].copy_from_slice(&crc.to_le_bytes());
        });
        match log.read() {
            Ok((batches, _)) => assert_eq!((first_seq, batches.len()), (MAX_SEQ, 2)),
            refused => assert_damaged(refused, 1, offset as u64),
        }
    }
}

/// Random writing, crashed at every operation under every policy; then recovered, written to and crashed again.
#[test]
fn a_power_cut_leaves_a_prefix_with_all_that_was_synced() {
    let mut images = 0;
    for seed in 0..4 {
        images += lives(seed);
    }
    assert!(images > 5000, "{images}");
}

fn lives(seed: u64) -> u64 {
    let mut random = Random(seed);
    let (mut mem, mut found, mut number, mut images) = (MemVfs::new(), Recovered::default(), 1, 0);
    let (mut before, mut first): (Batches, u64) = (Vec::new(), 1);
    for life in 0..4 {
        let start = mem.clone();
        start.schedule_crashes(0..400, &CrashPolicy::EVERY, seed * 100 + life);
        let (log, marks) = one_life(&mut random, start, &found, number);
        let mut taken = log.mem.take_crash_images();
        images += taken.len() as u64;
        let all: Batches = before.iter().chain(&log.written).cloned().collect();
        // What the manifest knows: the first segment of this life once it was begun, later ones when they were synced.
        for image in &taken {
            let what = format!("seed {seed} life {life} op {} {:?}", image.at_op, image.policy);
            let zero = Mark { op: 0, issued: 0, durable: 0, newest: found.segment };
            let mark = marks.iter().rfind(|mark| mark.op <= image.at_op).unwrap_or(&zero);
            let outcome = read(&|| Arc::new(image.vfs.clone()), first, 0, mark.newest);
            let (mut batches, _) = outcome.unwrap_or_else(|e| panic!("{what}: {e}"));
            batches.pop_if(|last| log.failed.contains(last));
            assert!(batches.len() <= all.len() && batches == all[..batches.len()], "{what}: {batches:?}");
            let least = if image.policy == CrashPolicy::All { mark.issued } else { mark.durable };
            assert!(batches.len() >= before.len() + least, "{what}: {} of {least}", batches.len());
        }
        let image = taken.swap_remove(random.below(taken.len()));
        (before, found) = read(&|| Arc::new(image.vfs.clone()), first, 0, 0).unwrap();
        (mem, number) = (image.vfs, log.next_number);
        if found.segments.is_empty() {
            first = number;
        }
    }
    images
}

/// How much was written and how much was durable when so many operations were done.
struct Mark {
    op: u64,
    issued: usize,
    durable: usize,
    /// The newest segment whose beginning is durable.
    newest: u64,
}

fn one_life(random: &mut Random, mem: MemVfs, found: &Recovered, number: u64) -> (Log, Vec<Mark>) {
    let mut log = Log::over(mem, found, number, 1);
    let (mut durable, mut newest) = (0, number);
    let mut marks = vec![Mark { op: log.mem.op_count(), issued: 0, durable, newest }];
    for step in 0..60u64 {
        match random.below(10) {
            0 => {
                log.sync();
                (durable, newest) = (log.written.len(), log.writer.number());
            }
            1 => {
                let spare = log.spare(None);
                log.writer.rotate(spare, log.next_seq, log.synced).unwrap();
            }
            2 => {
                let effect =
                    [Effect::NotDone, Effect::ShortWrite(random.below(200)), Effect::ShortWrite(4000)];
                let fault = Fault::nth(0).on(Op::Write).failing_with(Failure::NoSpace);
                log.vfs.inject(fault.with(effect[random.below(3)]));
                assert!(log.try_append(&vec![0xff; random.below(9000)]).is_err());
            }
            _ => {
                let value = (number * 1000 + step).to_le_bytes().repeat(random.below(60) * random.below(20));
                log.append(value);
            }
        }
        marks.push(Mark { op: log.mem.op_count(), issued: log.written.len(), durable, newest });
    }
    (log, marks)
}

/// SplitMix64.
struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % n.max(1) as u64) as usize
    }
}
