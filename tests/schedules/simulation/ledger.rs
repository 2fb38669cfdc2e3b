//! What the clients of a simulation know, and what a database may hold by that.
//!
//! Client `c` numbers its batches, and batch `n` does the same each time: it sets `c/x` and `c/y` to `n`, and sets or deletes
//! some more of the client's keys. So a number says what all keys of a client hold, and a state of the database is a number for
//! each client.
//!
//! (L1) A state holds whole batches of each client, and no other keys.
//! (L2) After a crash it holds what was durable when the crash came, or what was acknowledged if nothing was lost but the
//!      process, and nothing that was begun later.
//! (L3) A batch is in it only when all are that had ended before it was begun, of whichever client: it is a prefix.

use super::Random;
use crate::world::Map;

/// What is known of one client's batches.
#[derive(Clone, Default)]
struct Lane {
    /// The number found at the beginning of this life.
    base: u64,
    visible: u64,
    writes: Vec<Write>,
}

/// A batch, by moments in the order of everything that happens.
#[derive(Clone, Copy)]
struct Write {
    begun: u64,
    /// How many file operations there had been.
    begun_at: u64,
    ended: Option<u64>,
}

/// After so many file operations, so many batches of each client were acknowledged, or durable.
struct Mark {
    at: u64,
    durable: bool,
    counts: Vec<u64>,
}

/// See the top of the file.
pub struct Ledger {
    seed: u64,
    lanes: Vec<Lane>,
    marks: Vec<Mark>,
    now: u64,
    /// Before which file operation the last life was cut off, whether everything written had arrived, and whether it is going
    /// on and has been judged.
    cut: Option<u64>,
    arrived: bool,
    opened: bool,
}

impl Ledger {
    pub fn new(seed: u64, clients: usize) -> Ledger {
        let lanes = vec![Lane::default(); clients];
        Ledger { seed, lanes, marks: Vec::new(), now: 0, cut: None, arrived: true, opened: false }
    }

    /// A client begins its next batch, or the one that was refused before; gives its number.
    pub fn begin(&mut self, client: usize, at: u64) -> u64 {
        self.now += 1;
        let lane = &mut self.lanes[client];
        if lane.begun() == lane.visible {
            lane.writes.push(Write { begun: self.now, begun_at: at, ended: None });
        }
        lane.begun()
    }

    /// The batch that it began last is visible.
    pub fn applied(&mut self, client: usize) {
        self.now += 1;
        let lane = &mut self.lanes[client];
        lane.visible = lane.begun();
        if let Some(write) = lane.writes.last_mut() {
            write.ended = Some(self.now);
        }
    }

    /// What any reader that begins now sees at least.
    pub fn visible(&self) -> Vec<u64> {
        self.lanes.iter().map(|lane| lane.visible).collect()
    }

    /// What no reader that has ended sees more than.
    pub fn begun(&self) -> Vec<u64> {
        self.lanes.iter().map(Lane::begun).collect()
    }

    /// So much was acknowledged, or durable, before file operation `at`.
    pub fn mark(&mut self, at: u64, durable: bool, counts: Vec<u64>) {
        self.marks.push(Mark { at, durable, counts });
    }

    /// A life has ended: before a file operation, if it was cut off, and with everything written on the disk or not. A life
    /// that could not even open the database has only taken away from what the one before left.
    pub fn end(&mut self, cut: Option<u64>, arrived: bool) {
        if self.opened {
            (self.cut, self.arrived, self.opened) = (cut, arrived, false);
        } else {
            self.arrived &= arrived;
        }
    }

    /// Checks what a new life found (L1 to L3), and goes on from there.
    pub fn judge(&mut self, found: &Map) {
        let counts: Vec<u64> = (0..self.lanes.len()).map(|client| self.count(client, found)).collect();
        self.check_whole(found, &counts);
        let cut = self.cut.unwrap_or(u64::MAX);
        let marks = self.marks.iter().filter(|mark| mark.at <= cut && (mark.durable || self.arrived));
        for mark in marks {
            for (client, (count, least)) in counts.iter().zip(&mark.counts).enumerate() {
                let kind = if mark.durable { "durable" } else { "acknowledged" };
                assert!(
                    count >= least,
                    "client {client}: {least} batches were {kind} before operation {}, {count} are there after {cut}",
                    mark.at
                );
            }
        }
        for (client, (lane, count)) in self.lanes.iter().zip(&counts).enumerate() {
            let begun = lane.writes.partition_point(|write| write.begun_at < cut) as u64;
            assert!(*count <= lane.base + begun, "client {client}: batch {count} was begun after the crash");
        }
        self.check_prefix(&counts);
        self.lanes = counts.iter().map(|n| Lane { base: *n, visible: *n, writes: Vec::new() }).collect();
        (self.marks, self.cut, self.arrived, self.opened) = (Vec::new(), None, true, true);
    }

    /// Checks that a state consists of whole batches (L1), and gives how many of each client.
    pub fn count_all(&self, found: &Map) -> Vec<u64> {
        let counts: Vec<u64> = (0..self.lanes.len()).map(|client| self.count(client, found)).collect();
        self.check_whole(found, &counts);
        counts
    }

    fn count(&self, client: usize, found: &Map) -> u64 {
        found.get(&format!("{client}/x")).map_or(0, |value| number(value))
    }

    fn check_whole(&self, found: &Map, counts: &[u64]) {
        let expected: Map =
            counts.iter().enumerate().flat_map(|(client, n)| state(self.seed, client, *n)).collect();
        assert!(
            *found == expected,
            "at {counts:?}, found {:?}, expected {:?}",
            brief(found),
            brief(&expected)
        );
    }

    fn check_prefix(&self, counts: &[u64]) {
        let all = || {
            self.lanes.iter().zip(counts).flat_map(|(lane, count)| {
                lane.writes.iter().zip(lane.base + 1..).map(move |(write, n)| (write, n <= *count))
            })
        };
        let last_begun = all().filter(|(_, there)| *there).map(|(write, _)| write.begun).max();
        let first_ended = all().filter(|(_, there)| !*there).filter_map(|(write, _)| write.ended).min();
        if let (Some(begun), Some(ended)) = (last_begun, first_ended) {
            assert!(begun < ended, "there is a hole: {counts:?}");
        }
    }
}

impl Lane {
    fn begun(&self) -> u64 {
        self.base + self.writes.len() as u64
    }
}

/// The number in a value.
pub fn number(value: &str) -> u64 {
    value.trim_end_matches('.').parse().expect("a value begins with its number")
}

/// What batch `n` of a client does: keys with their values, `None` deletes.
pub fn batch(seed: u64, client: usize, n: u64) -> Vec<(String, Option<String>)> {
    let mut random = Random(seed ^ n << 8 ^ client as u64);
    let value = |len: u64| Some(format!("{n}{}", ".".repeat(len as usize)));
    let mut writes = vec![(format!("{client}/x"), value(0)), (format!("{client}/y"), value(0))];
    for _ in 0..random.below(4) {
        let key = format!("{client}/{}", random.below(6));
        let len = random.pick(&[0, 10, 100, 6000]);
        writes.push((key, if random.below(3) == 0 { None } else { value(len) }));
    }
    writes
}

/// What a client's keys hold after its first `n` batches.
fn state(seed: u64, client: usize, n: u64) -> Map {
    let mut map = Map::new();
    for (key, value) in (1..=n).flat_map(|n| batch(seed, client, n)) {
        match value {
            Some(value) => map.insert(key, value),
            None => map.remove(&key),
        };
    }
    map
}

fn brief(map: &Map) -> Vec<String> {
    map.iter().map(|(key, value)| format!("{key}={}", number(value))).collect()
}
