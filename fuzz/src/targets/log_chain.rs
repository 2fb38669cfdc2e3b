//! Several log segments, damaged on purpose, against the rule of `docs/format.md`, "Where the log ends", read by this
//! package. Both must come to the same: the same writes, or a refusal.

use crate::choices::{List, Rest};
use crate::format::{HEADER, LOG, Place, Reader, log, manifest};
use crate::memory::bounded;
use crate::store::{Folder, MEMORY, Map, NOW, SEGMENT, name, read_all};
use arbitrary::{Arbitrary, Unstructured};
use std::collections::BTreeMap;

const DATABASE: u64 = 7;
const SEGMENTS: usize = 4;
const ZEROS: [u8; 1024] = [0; 1024];

/// What the fuzzer chooses.
#[derive(Debug, Arbitrary)]
pub struct Chain {
    damage: List<Damage, 6>,
    /// Which segment is known to be durable in its beginning, counted from the last.
    newest: u8,
    /// A segment that is not there.
    lost: Option<u8>,
    segments: Rest<Segment, SEGMENTS>,
}

#[derive(Debug, Arbitrary)]
struct Segment {
    records: List<Record, 12>,
    /// What makes this segment not follow the one before: too low a number, another predecessor, another position.
    odd: Option<Odd>,
    sealed: bool,
    /// Bytes of an earlier life behind the end: the records of the segment before, under its number.
    recycled: bool,
}

#[derive(Debug, Arbitrary)]
enum Odd {
    Number(u8),
    Previous(u8),
    Base(i8),
    Short(u16),
}

#[derive(Debug, Arbitrary)]
struct Record {
    writes: List<(u8, Option<u8>), 5>,
    /// How many sequence numbers are left out, and whether the record says so.
    gap: u8,
    after_gap: bool,
    vouches: Vouches,
}

#[derive(Debug, Arbitrary)]
enum Vouches {
    Nothing,
    AllBefore,
    Some(u16),
    TooMuch(u8),
}

#[derive(Debug, Arbitrary)]
struct Damage {
    segment: u8,
    at: u16,
    change: Change,
}

#[derive(Debug, Arbitrary)]
enum Change {
    Flip(u8),
    Zero(u8),
    Cut,
}

/// Segments as they lie in the folder.
type Files = BTreeMap<u64, Vec<u8>>;

pub fn log_chain(input: &[u8]) {
    let Ok(chain) = Chain::arbitrary_take_rest(Unstructured::new(input)) else { return };
    bounded(MEMORY + SEGMENTS * SEGMENT * 8 + 64 * input.len(), || {
        let (files, newest) = chain.build();
        let mut folder = Folder::with_edits(DATABASE, &[manifest::logs(1, newest)]);
        for (number, file) in &files {
            folder = folder.put(&name(LOG, *number), file);
        }
        let expected = Recovery::new(&files, newest).run();
        let found = folder.open();
        match (&found, &expected) {
            (Ok(db), Some(map)) => assert_eq!(read_all(db, map.len()).as_ref(), Some(map), "{chain:?}"),
            (Err(_), None) => {}
            (Ok(_), None) => panic!("opened, though the log must not be read: {chain:?}"),
            (Err(error), Some(map)) => panic!("{error}; expected {map:?}; {chain:?}"),
        }
    });
}

impl Chain {
    fn build(&self) -> (Files, u64) {
        let mut files = Files::new();
        let (mut base, mut next_seq) = (0, 1);
        let count = self.segments.len();
        for (segment, number) in self.segments.iter().zip(1..) {
            let earlier = files.get(&(number - 1)).cloned();
            let (file, end) = segment.build(number, base, &mut next_seq, earlier, number == count as u64);
            files.insert(number, file);
            base += end as u64;
        }
        for damage in self.damage.iter() {
            if let Some(file) = files.get_mut(&(1 + u64::from(damage.segment) % SEGMENTS as u64)) {
                damage.apply(file);
            }
        }
        if let Some(lost) = self.lost {
            files.remove(&(1 + u64::from(lost)));
        }
        (files, (count as u64).saturating_sub(self.newest.into()))
    }
}

impl Segment {
    /// The file, and where its records end.
    fn build(
        &self,
        number: u64,
        base: u64,
        next_seq: &mut u64,
        earlier: Option<Vec<u8>>,
        last: bool,
    ) -> (Vec<u8>, usize) {
        let place = place(number);
        let mut file = place.header();
        let (mut previous, mut first, mut begin) = (number - 1, *next_seq, base);
        match self.odd {
            Some(Odd::Number(less)) => first = first.saturating_sub(less.into()),
            Some(Odd::Previous(other)) => previous = other.into(),
            Some(Odd::Base(by)) => begin = begin.saturating_add_signed(i64::from(by) * 8),
            Some(Odd::Short(_)) | None => {}
        }
        log::append(&place, &mut file, &log::start(previous, begin, SEGMENT as u64, first));
        for record in self.records.iter() {
            record.append(&place, &mut file, base, next_seq);
        }
        if self.sealed && !last {
            let payload = (number + 1).to_le_bytes().to_vec();
            let seal = log::NewRecord {
                kind: log::SEAL,
                first_seq: *next_seq,
                synced: base,
                payload,
                ..Default::default()
            };
            log::append(&place, &mut file, &seal);
        }
        let end = file.len();
        file.resize(end + 8, 0);
        if let Some(earlier) = earlier.filter(|earlier| self.recycled && earlier.len() > file.len()) {
            let from = file.len();
            file.extend_from_slice(&earlier[from..]);
        }
        file.resize(file.len().max(SEGMENT), 0);
        if let Some(Odd::Short(by)) = self.odd {
            file.truncate(SEGMENT - usize::from(by));
        }
        (file, end)
    }
}

impl Record {
    fn append(&self, place: &Place, file: &mut Vec<u8>, base: u64, next_seq: &mut u64) {
        let write = |(key, len): &(u8, Option<u8>)| {
            (vec![b'k', *key % 8], len.map(|len| vec![*next_seq as u8; usize::from(len)]))
        };
        let writes: Vec<_> = self.writes.iter().map(write).collect();
        *next_seq += u64::from(self.gap);
        let here = base + file.len() as u64;
        let record = log::NewRecord {
            kind: log::BATCH,
            flags: self.after_gap.into(),
            count: writes.len() as u32,
            first_seq: *next_seq,
            synced: match self.vouches {
                Vouches::Nothing => 0,
                Vouches::AllBefore => here,
                Vouches::Some(to) => u64::from(to).min(here),
                Vouches::TooMuch(by) => here + u64::from(by),
            },
            payload: log::batch(&writes),
        };
        log::append(place, file, &record);
        *next_seq += writes.len() as u64;
    }
}

impl Damage {
    fn apply(&self, file: &mut [u8]) {
        // Behind the header: with a wrong one the file is refused whatever else there is.
        let at = (HEADER + usize::from(self.at)).min(file.len());
        match self.change {
            Change::Flip(bits) => file[at..].iter_mut().take(1).for_each(|byte| *byte ^= bits),
            Change::Zero(len) => file[at..].iter_mut().take(len.into()).for_each(|byte| *byte = 0),
            Change::Cut => file[at..].fill(0),
        }
    }
}

fn place(number: u64) -> Place {
    Place { kind: LOG, database: DATABASE, number }
}

/// The rule, as the document has it.
struct Recovery<'a> {
    files: &'a Files,
    newest: u64,
    /// The last segment that the log was read from, and what comes next by its *Seal*.
    last: Option<(u64, Option<u64>)>,
    /// Where the log has come to.
    position: u64,
    next_seq: u64,
    batches: Vec<log::Record<'a>>,
}

impl<'a> Recovery<'a> {
    fn new(files: &'a Files, newest: u64) -> Recovery<'a> {
        Recovery { files, newest, last: None, position: 0, next_seq: 0, batches: Vec::new() }
    }

    /// What the database holds then, or `None` when it must not be opened.
    fn run(mut self) -> Option<Map> {
        let needed = self.newest >= 1;
        if needed && ![1, self.newest].iter().all(|number| self.files.contains_key(number)) {
            return None;
        }
        for (number, file) in self.files {
            self.segment(*number, file)?;
        }
        // The beginning of the newest segment was durable, and with it all before.
        let reached = self.last.map_or(0, |(number, _)| number);
        if needed && reached < self.newest {
            return None;
        }
        log::replay(self.batches, NOW)
    }

    fn segment(&mut self, number: u64, file: &'a [u8]) -> Option<()> {
        let place = place(number);
        let start = log::record(&place, file, HEADER).filter(|record| record.kind == log::START);
        let mut said = Reader::new(start.map_or(&[], |start| start.payload));
        let said = said.u64().zip(said.u64()).zip(said.u64());
        let prepared = said.map_or(SEGMENT as u64, |(_, capacity)| capacity);
        if (file.len() as u64) < prepared {
            return None;
        }
        let follows = start.zip(said).is_some_and(|(start, ((previous, base), _))| {
            let behind = self.last.is_none_or(|(last, _)| last == previous);
            behind && base == self.position && start.first_seq >= self.next_seq
        });
        let mut end = HEADER;
        if follows {
            let chain = log::chain(&place, file);
            let sealed = chain.last().filter(|record| record.kind == log::SEAL);
            let next = sealed.and_then(|seal| Reader::new(seal.payload).u64());
            if chain.iter().any(|record| self.seals_missing(record)) {
                return None;
            }
            end = chain.last().map_or(HEADER, |record| record.end);
            self.next_seq = after(&chain);
            self.position += end as u64;
            self.last = Some((number, next));
            self.batches.extend(chain);
        }
        (self.vouched(&place, file, end) <= self.position).then_some(())
    }

    /// A segment that a *Seal* names was durable by then.
    fn seals_missing(&self, record: &log::Record<'_>) -> bool {
        let next = Reader::new(record.payload).u64();
        record.kind == log::SEAL && next.is_some_and(|next| !self.files.contains_key(&next))
    }

    /// How far the log is vouched for by records behind `end`.
    fn vouched(&self, place: &Place, file: &[u8], end: usize) -> u64 {
        let (mut at, mut synced) = (end.next_multiple_of(8), 0);
        while at + log::RECORD <= file.len() {
            // No record begins with so many zeros, and looking at each eight of them would take most of the time.
            if file.get(at..at + ZEROS.len()).is_some_and(|piece| piece == ZEROS) {
                at += ZEROS.len() - log::RECORD;
                continue;
            }
            // Only where the segment's number stands in its place can there be a record.
            let there = file[at + 32..at + 40] == place.number.to_le_bytes();
            match there.then(|| log::record(place, file, at)).flatten() {
                Some(record) => {
                    synced = synced.max(record.synced);
                    at = record.end;
                }
                None => at += 8,
            }
        }
        synced
    }
}

/// The number that comes after a chain of records.
fn after(chain: &[log::Record<'_>]) -> u64 {
    let last = chain.iter().rev().find(|record| record.kind == log::BATCH);
    let batch = last.map(|record| record.first_seq + u64::from(record.count));
    batch.or(chain.first().map(|start| start.first_seq)).unwrap_or(0)
}
