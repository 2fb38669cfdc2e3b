//! Accounts: what must hold over many keys, whatever the order.
//!
//! Each owner, a thread of its own, moves money between its accounts, a batch for each transfer, which also counts it. So for
//! every reader at every moment, for every snapshot, and after every crash: the sum of an owner's accounts is what it was, and
//! every account and counter that a transfer touched bears the number of a transfer that was made.

use crate::support::{Random, from_env};
use siltstone::vfs::mem::{CrashPolicy, MemVfs};
use siltstone::{Db, Durability, Options, Range, WriteBatch};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

const OWNERS: usize = 2;
const ACCOUNTS: usize = 20;
const START: u64 = 1000;

#[test]
fn money_is_neither_made_nor_lost() {
    let rounds = from_env("SILTSTONE_LINEAR_OPS", 100_000).div_ceil(10_000);
    let first = from_env("SILTSTONE_SEED", 1);
    let mut looks = 0;
    for seed in first..first + rounds {
        looks += round(seed);
    }
    println!("{looks} looks in {rounds} rounds from seed {first}");
    assert!(looks > 0);
}

/// Four lives of a database, each ended by a power cut under the hands of its owners.
fn round(seed: u64) -> u64 {
    let mut random = Random::new(seed);
    let mut vfs = MemVfs::new();
    let options = Options::default().memtable_bytes(4 << 10).table_bytes(2 << 10);
    let acknowledged: Vec<AtomicU64> = (0..OWNERS).map(|_| AtomicU64::new(0)).collect();
    let looks = AtomicU64::new(0);
    for _ in 0..4 {
        let db = options.clone().vfs(Arc::new(vfs.clone())).open("/db").unwrap();
        let owners: Vec<Owner> = (0..OWNERS).map(|who| Owner::find(&db, who)).collect();
        for (owner, acknowledged) in owners.iter().zip(&acknowledged) {
            let (found, least) = (owner.transfers, acknowledged.load(Ordering::Acquire));
            assert!(found >= least, "seed {seed}: {found} transfers found, {least} were acknowledged");
        }
        let life = Life { db: &db, acknowledged: &acknowledged, looks: &looks, end: AtomicBool::new(false) };
        vfs = life.live(owners, &mut random, &vfs);
    }
    looks.into_inner()
}

/// What the threads share between an open and a power cut.
struct Life<'a> {
    db: &'a Db,
    acknowledged: &'a [AtomicU64],
    looks: &'a AtomicU64,
    end: AtomicBool,
}

impl Life<'_> {
    /// Lets owners work and a reader look, and cuts the power; gives the files that are left.
    fn live(&self, owners: Vec<Owner>, random: &mut Random, vfs: &MemVfs) -> MemVfs {
        let (policy, transfers) = (*random.pick(&CrashPolicy::EVERY), 100 + random.below(400) as u64);
        let goal = self.acknowledged[0].load(Ordering::Acquire) + transfers;
        let (image, before) = thread::scope(|scope| {
            let seed = random.next();
            let mut threads = vec![scope.spawn(move || self.look(Random::new(seed)))];
            for owner in owners {
                let random = Random::new(random.next());
                threads.push(scope.spawn(move || self.own(owner, random)));
            }
            while self.acknowledged[0].load(Ordering::Acquire) < goal
                && !threads.iter().any(|t| t.is_finished())
            {
                thread::yield_now();
            }
            // What is acknowledged after this was noted may or may not be in the image.
            let before: Vec<u64> = self.acknowledged.iter().map(|n| n.load(Ordering::Acquire)).collect();
            let image = vfs.crash_image(policy, random.next());
            self.end.store(true, Ordering::Release);
            (image, before)
        });
        self.acknowledged.iter().zip(before).for_each(|(n, before)| n.store(before, Ordering::Release));
        image
    }

    fn look(&self, mut random: Random) {
        while !self.end.load(Ordering::Acquire) {
            check(self.db, &mut random);
            self.looks.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn own(&self, mut owner: Owner, mut random: Random) {
        while !self.end.load(Ordering::Acquire) {
            owner.transfer(self.db, &mut random);
            self.acknowledged[owner.who].store(owner.transfers, Ordering::Release);
        }
    }
}

fn key(owner: usize, account: usize) -> String {
    format!("{owner}:{account:03}")
}

/// The sum of each owner's accounts in a walk over all of them, counters left out.
fn sums(range: Range, backwards: bool) -> Vec<u64> {
    let mut sums = vec![0; OWNERS];
    let mut add = |pair: siltstone::Result<(siltstone::Slice, siltstone::Slice)>| {
        let (key, value) = pair.unwrap();
        if key[1] == b':' {
            sums[usize::from(key[0] - b'0')] += number(&value);
        }
    };
    if backwards {
        range.rev().for_each(&mut add)
    } else {
        range.for_each(&mut add)
    }
    sums
}

fn number(value: &[u8]) -> u64 {
    u64::from_le_bytes(value[..8].try_into().unwrap())
}

/// Looks at everything in one of many ways.
fn check(db: &Db, random: &mut Random) {
    let backwards = random.one_in(2);
    let found = match random.below(3) {
        0 => sums(db.iter(), backwards),
        1 => sums(db.snapshot().iter(), backwards),
        _ => {
            let snapshot = db.snapshot();
            let balance = |who, n| snapshot.get(key(who, n)).unwrap().map_or(0, |value| number(&value));
            let found: Vec<u64> =
                (0..OWNERS).map(|who| (0..ACCOUNTS).map(|n| balance(who, n)).sum()).collect();
            // The same moment by another way.
            assert_eq!(found, sums(snapshot.iter(), backwards));
            found
        }
    };
    assert_eq!(found, [START * ACCOUNTS as u64; OWNERS]);
}

struct Owner {
    who: usize,
    balances: Vec<u64>,
    transfers: u64,
}

impl Owner {
    /// What the database says, or a new owner with money in every account.
    fn find(db: &Db, who: usize) -> Owner {
        let counter = db.get(format!("{who}=")).unwrap();
        let balances = (0..ACCOUNTS).map(|n| db.get(key(who, n)).unwrap().map(|value| number(&value)));
        let balances: Vec<Option<u64>> = balances.collect();
        let transfers = counter.map_or(0, |value| number(&value));
        let mut owner = Owner { who, balances: vec![START; ACCOUNTS], transfers };
        if balances.iter().all(Option::is_none) {
            assert_eq!(transfers, 0);
            let mut batch = WriteBatch::new();
            owner.balances.iter().enumerate().for_each(|(n, b)| batch.put(key(who, n), b.to_le_bytes()));
            db.write(batch).unwrap();
        } else {
            owner.balances =
                balances.into_iter().map(|b| b.expect("all accounts were made at once")).collect();
        }
        owner
    }

    fn transfer(&mut self, db: &Db, random: &mut Random) {
        let (from, to) = (random.below(ACCOUNTS), random.below(ACCOUNTS));
        let amount = random.next() % (self.balances[from] + 1);
        self.balances[from] -= amount;
        self.balances[to] += amount;
        self.transfers += 1;
        let mut batch = WriteBatch::new();
        let padding = vec![0; random.below(100)];
        for account in [from, to] {
            let balance = self.balances[account].to_le_bytes();
            batch.put(key(self.who, account), [&balance[..], &padding].concat());
        }
        batch.put(format!("{}=", self.who), self.transfers.to_le_bytes());
        db.write_with(batch, Durability::Sync).unwrap();
    }
}
