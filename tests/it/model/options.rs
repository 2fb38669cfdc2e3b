//! Option sets: fixed ones, each with a name and something extreme about it, and random ones.
//!
//! What no option may change is what the database answers.

use crate::support::{Random, buffer_of, least_memory};
use siltstone::{Background, Compression, Durability, Options};
use std::time::Duration;

/// One choice of all options.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Choice {
    pub memtable_bytes: usize,
    pub table_bytes: u64,
    pub block_bytes: usize,
    pub level_ratio: u32,
    /// Beyond the least that the database opens with.
    pub spare_memory: usize,
    pub filter_bits: u32,
    pub compression: Compression,
    pub bottom_compression: Compression,
    pub durability: Durability,
    pub background: Background,
}

/// Small, so that a few hundred operations flush and compact; the sets differ from it.
const SMALL: Choice = Choice {
    memtable_bytes: 8 << 10,
    table_bytes: 8 << 10,
    block_bytes: 512,
    level_ratio: 4,
    spare_memory: 1 << 20,
    filter_bits: 10,
    compression: Compression::Lz4,
    bottom_compression: Compression::Zstd(-1),
    durability: Durability::Os,
    background: Background::Stepped,
};

/// Everything as small as it can be, which makes the most work.
const SMALLEST: Choice = Choice {
    memtable_bytes: 1 << 10,
    table_bytes: 100,
    block_bytes: 1,
    level_ratio: 2,
    spare_memory: 0,
    filter_bits: 1,
    ..SMALL
};

/// What users get who choose nothing, but for durability.
const USUAL: Choice = Choice {
    memtable_bytes: 64 << 20,
    table_bytes: 64 << 20,
    block_bytes: 4 << 10,
    level_ratio: 10,
    spare_memory: 448 << 20,
    ..SMALL
};

/// The fixed sets.
pub const NAMED: [(&str, Choice); 31] = [
    ("usual", USUAL),
    ("small", SMALL),
    ("everything smallest", SMALLEST),
    ("smallest buffers", Choice { memtable_bytes: 1 << 10, ..SMALL }),
    ("a buffer for every write", Choice { memtable_bytes: buffer_of(1), ..SMALL }),
    ("buffers of seven entries", Choice { memtable_bytes: buffer_of(7), ..SMALL }),
    ("tables of one key", Choice { table_bytes: 1, ..SMALL }),
    ("tables of a kibibyte", Choice { table_bytes: 1 << 10, memtable_bytes: 2 << 10, ..SMALL }),
    ("blocks of one entry", Choice { block_bytes: 1, ..SMALL }),
    ("blocks of a mebibyte", Choice { block_bytes: 1 << 20, ..SMALL }),
    ("blocks of 100 bytes, buffers of 1 KiB", Choice { block_bytes: 100, memtable_bytes: 1 << 10, ..SMALL }),
    ("levels of ratio 2", Choice { level_ratio: 2, table_bytes: 1 << 10, memtable_bytes: 1 << 10, ..SMALL }),
    ("levels of ratio 1000", Choice { level_ratio: 1000, memtable_bytes: 1 << 10, ..SMALL }),
    ("the least memory", Choice { spare_memory: 0, ..SMALL }),
    ("the least memory, large buffers", Choice { spare_memory: 0, memtable_bytes: 64 << 20, ..SMALL }),
    ("no filter", Choice { filter_bits: 0, ..SMALL }),
    ("a filter of one bit", Choice { filter_bits: 1, ..SMALL }),
    ("filters of 20 bits", Choice { filter_bits: 20, ..SMALL }),
    ("nothing compressed", both(Compression::None)),
    (
        "nothing compressed, the least memory",
        Choice { spare_memory: 0, block_bytes: 64, ..both(Compression::None) },
    ),
    ("LZ4 everywhere", both(Compression::Lz4)),
    ("Zstandard everywhere", both(Compression::Zstd(1))),
    (
        "fastest Zstandard, then nothing",
        Choice { bottom_compression: Compression::None, ..both(Compression::Zstd(-7)) },
    ),
    ("nothing, then slow Zstandard", Choice { compression: Compression::None, ..both(Compression::Zstd(9)) }),
    ("synced always", Choice { durability: Durability::Sync, ..SMALL }),
    (
        "synced at an interval",
        Choice { durability: Durability::Interval(Duration::from_millis(20)), ..SMALL },
    ),
    ("threads", Choice { background: Background::Threads, ..SMALL }),
    ("threads, everything smallest", Choice { background: Background::Threads, ..SMALLEST }),
    (
        "threads, synced always",
        Choice { background: Background::Threads, durability: Durability::Sync, ..SMALL },
    ),
    (
        "threads, synced at an interval",
        Choice {
            background: Background::Threads,
            durability: Durability::Interval(Duration::from_millis(1)),
            ..SMALL
        },
    ),
    ("threads, usual", Choice { background: Background::Threads, ..USUAL }),
];

const fn both(compression: Compression) -> Choice {
    Choice { compression, bottom_compression: compression, ..SMALL }
}

impl Choice {
    pub fn options(&self) -> Options {
        Options::default()
            .memtable_bytes(self.memtable_bytes)
            .table_bytes(self.table_bytes)
            .block_bytes(self.block_bytes)
            .level_ratio(self.level_ratio)
            .memory_budget(least_memory(self.block_bytes) + self.spare_memory)
            .filter_bits(self.filter_bits)
            .compression((self.compression, self.bottom_compression))
            .durability(self.durability)
            .background(self.background)
            // Simulated time flies while a thread waits for real work to be done.
            .stall_deadline(Duration::from_secs(1 << 30))
    }

    /// Any. Without threads, so that it does the same every time.
    fn random(random: &mut Random) -> Choice {
        let compressions = [Compression::None, Compression::Lz4, Compression::Zstd(-1), Compression::Zstd(3)];
        let interval = Durability::Interval(Duration::from_millis(20));
        Choice {
            memtable_bytes: *random.pick(&[1 << 10, buffer_of(10), 16 << 10, 64 << 10, 256 << 10]),
            table_bytes: *random.pick(&[100, 1 << 10, 8 << 10, 64 << 10]),
            block_bytes: *random.pick(&[1, 100, 512, 4 << 10, 64 << 10, 1 << 20]),
            level_ratio: *random.pick(&[2, 3, 10, 1000]),
            spare_memory: *random.pick(&[0, 64 << 10, 1 << 20]),
            filter_bits: *random.pick(&[0, 1, 10, 20, 64]),
            compression: *random.pick(&compressions),
            bottom_compression: *random.pick(&compressions),
            durability: *random.pick(&[Durability::Sync, Durability::Os, interval]),
            background: Background::Stepped,
        }
    }
}

/// What a run opens its database with, each time.
#[derive(Debug, Clone, PartialEq)]
pub enum Set {
    /// One of [`NAMED`], at every open.
    Fixed(usize),
    /// The next of [`NAMED`] at every open, beginning with this one.
    Changing(usize),
    /// New ones at every open, from this seed.
    Random(u64),
}

impl Set {
    /// The options of the `n`-th open.
    pub fn choice(&self, n: usize) -> Choice {
        match self {
            Set::Fixed(at) => NAMED[*at].1,
            Set::Changing(at) => NAMED[(at + n) % NAMED.len()].1,
            Set::Random(seed) => Choice::random(&mut Random::new(seed << 20 | n as u64)),
        }
    }

    pub fn name(&self) -> String {
        match self {
            Set::Fixed(at) => format!("`{}`", NAMED[*at].0),
            Set::Changing(at) => format!("another at each open, beginning with `{}`", NAMED[*at].0),
            Set::Random(seed) => format!("random ones of seed {seed}"),
        }
    }

    /// Whether two runs may take different ways.
    pub fn has_threads(&self) -> bool {
        match self {
            Set::Fixed(at) => NAMED[*at].1.background == Background::Threads,
            Set::Changing(_) => true,
            Set::Random(_) => false,
        }
    }
}
