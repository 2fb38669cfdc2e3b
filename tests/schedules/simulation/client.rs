//! One of those who use the database: writes its own keys, reads everybody's.

use super::Random;
use super::ledger::{self, Ledger, number};
use crate::world::{World, all, breathe, get, text};
use siltstone::{Db, Durability, Error, WriteBatch};
use std::sync::{Arc, Mutex};
use std::time::Duration;

pub struct Client {
    pub index: usize,
    pub db: Db,
    pub world: Arc<World>,
    pub ledger: Arc<Mutex<Ledger>>,
    pub random: Random,
    pub seed: u64,
    /// Whether operations may fail because files do.
    pub faulty: bool,
}

impl Client {
    /// Does so many things, fewer when the database stops taking writes.
    pub fn work(mut self, steps: u64) {
        let mut seen = self.visible();
        for _ in 0..steps {
            let going = match self.random.below(20) {
                0..11 => self.write(),
                11..14 => self.read(&mut seen),
                14 => self.scan(&mut seen),
                15 => self.hold(),
                16 => self.secure(Db::flush),
                17 => self.secure(Db::sync),
                18 => self.goes_on(self.db.compact_range::<&str>(..)),
                _ => self.db.stats().read_only.is_none(),
            };
            if !going {
                return;
            }
        }
    }

    fn visible(&self) -> Vec<u64> {
        self.ledger.lock().unwrap().visible()
    }

    fn write(&mut self) -> bool {
        let mut visible = self.visible();
        let n = self.ledger.lock().unwrap().begin(self.index, self.world.disk.op_count());
        let mut batch = WriteBatch::new();
        for (key, value) in ledger::batch(self.seed, self.index, n) {
            match value {
                Some(value) => batch.put(key, value),
                None => batch.delete(key),
            }
        }
        let interval = Durability::Interval(Duration::from_millis(1));
        let durability = self.random.pick(&[Durability::Sync, Durability::Sync, Durability::Os, interval]);
        let written = self.db.write_with(batch, durability);
        if written.is_ok() {
            let mut ledger = self.ledger.lock().unwrap();
            ledger.applied(self.index);
            // What was there before it is as durable as it is.
            visible[self.index] = n;
            ledger.mark(self.world.disk.op_count(), durability == Durability::Sync, visible);
        }
        self.goes_on(written)
    }

    /// Something after which all that was visible before it is durable.
    fn secure(&mut self, act: fn(&Db) -> siltstone::Result<()>) -> bool {
        let before = self.visible();
        let done = act(&self.db);
        if done.is_ok() {
            self.ledger.lock().unwrap().mark(self.world.disk.op_count(), true, before);
        }
        self.goes_on(done)
    }

    /// Whether the client goes on: an error must have a reason in what was done to the files, or be a refusal that passes.
    fn goes_on(&self, done: siltstone::Result<()>) -> bool {
        match done {
            Ok(()) => true,
            Err(Error::Stalled { .. }) => true,
            Err(error) if self.faulty => error.is_transient(),
            Err(error) => panic!("nothing was wrong with the files: {error}"),
        }
    }

    /// Two keys of one client, which every batch sets to the same: the second one is not older.
    fn read(&mut self, seen: &mut [u64]) -> bool {
        let client = self.random.below(seen.len() as u64) as usize;
        let least = self.visible()[client];
        let [x, y] = ["x", "y"].map(|name| get(&self.db, &format!("{client}/{name}")));
        let [x, y] = [x, y].map(|value| value.map_or(0, |value| number(&value)));
        let most = self.ledger.lock().unwrap().begun()[client];
        assert!(seen[client].max(least) <= x && x <= y && y <= most, "{seen:?}, {least}, {x}, {y}, {most}");
        seen[client] = y;
        true
    }

    fn scan(&mut self, seen: &mut [u64]) -> bool {
        let least = self.visible();
        let found = all(&self.db);
        let ledger = self.ledger.lock().unwrap();
        let counts = ledger.count_all(&found);
        for (client, count) in counts.iter().enumerate() {
            let within = seen[client].max(least[client])..=ledger.begun()[client];
            assert!(within.contains(count), "client {client}: {count}, not in {within:?}");
        }
        seen.copy_from_slice(&counts);
        true
    }

    /// A snapshot, looked at from both ends, some time apart.
    fn hold(&mut self) -> bool {
        let snapshot = self.db.snapshot();
        let pair = |pair: siltstone::Result<(siltstone::Slice, siltstone::Slice)>| {
            pair.map(|(key, value)| (text(&key), text(&value))).unwrap()
        };
        let first = snapshot.iter().map(pair).collect();
        self.ledger.lock().unwrap().count_all(&first);
        (0..self.random.below(30)).for_each(|_| breathe());
        let second = snapshot.iter().rev().map(pair).collect();
        assert_eq!(first, second, "a snapshot moved");
        true
    }
}
