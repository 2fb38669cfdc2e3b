//! Linearizability, seen by clients over TCP: what they were told has an order that explains all of it, over kills and
//! restarts.
//!
//! A history has a few lives of one database. In half of the histories the server is the real program, and dies by `kill -9` or
//! ends when told to, with requests under way; in the others it runs in this process, on a database whose buffers and tables
//! are so small that something is flushed and compacted all the time, and is shut down under load. What was asked and not
//! answered may have happened or not. The checker is that of `tests/it/linear`; [`client`] makes the operations.
//!
//! `SILTSTONE_LINEAR_NET_OPS` sets how many operations are done in all.

#[allow(dead_code, reason = "no request of a client asks for a sync")]
#[path = "../../common/linear.rs"]
mod checker;
mod client;

use crate::harness::{Running, serve_on};
use crate::program::{Place, Server};
use crate::support::{Random, from_env};
use checker::{History, NEVER, Op, Tickets};
use client::Client;
use siltstone::server::Config;
use siltstone::store::{
    Capabilities, Commit, Entries, Found, LsmEngine, MemoryEngine, Room, Scan, StorageEngine, View,
};
use siltstone::{Db, Durability, KeyspaceRef, Options, Slice, WriteBatch};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, SystemTime};

/// Operations of a history, about.
const OPS: u64 = 400;

/// A server that can be made to go.
enum Life {
    Program(Server),
    Here { server: Running, db: Db },
}

/// How many there were.
#[derive(Default, Debug)]
struct Totals {
    operations: u64,
    unanswered: u64,
    histories: u64,
    kills: u64,
    flushes: u64,
    compactions: u64,
}

impl Life {
    fn begin(place: &Place, options: Option<&Options>, random: &mut Random) -> Life {
        match options {
            None => {
                let durability = *random.pick(&["sync", "interval", "os"]);
                Life::Program(Server::start(place, &["--durability", durability]))
            }
            Some(options) => {
                let db = options.clone().open(place.path().join("data")).unwrap();
                Life::Here { server: serve(Arc::new(LsmEngine::new(db.clone()))), db }
            }
        }
    }

    fn address(&self) -> SocketAddr {
        match self {
            Life::Program(server) => server.address.parse().unwrap(),
            Life::Here { server, .. } => server.addr,
        }
    }

    /// Ends it, with whatever is under way. When this returns nothing of it goes on.
    fn end(self, random: &mut Random, totals: &mut Totals) {
        match self {
            Life::Program(mut server) if random.one_in(4) => assert_eq!(server.stop(), ""),
            Life::Program(mut server) => {
                assert_eq!(server.kill(), "");
                totals.kills += 1;
            }
            Life::Here { server, db } => {
                drop(server);
                let stats = db.stats();
                totals.flushes += stats.flushes;
                totals.compactions += stats.compactions;
                db.close().unwrap();
            }
        }
    }
}

fn serve(engine: Arc<dyn StorageEngine>) -> Running {
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    runtime.worker_threads(2);
    serve_on(runtime, engine, Config::default())
}

/// So small that something is flushed and compacted at every moment.
fn options(random: &mut Random) -> Options {
    let durability = [Durability::Sync, Durability::Os, Durability::Interval(Duration::from_millis(1))];
    Options::default()
        .durability(*random.pick(&durability))
        // One entry, some three, some twenty.
        .memtable_bytes(*random.pick(&[1 << 10, 4800, 5888]))
        .table_bytes(*random.pick(&[300, 1 << 10]))
        .block_bytes(*random.pick(&[1, 200]))
        .memory_budget(*random.pick(&[(1 << 20) + (64 * 200), 8 << 20]))
        .level_ratio(2)
}

/// Clients work until they have done `most` operations together, or somebody ends the server.
fn work(
    address: SocketAddr,
    clients: usize,
    most: u64,
    tickets: &Tickets,
    seed: u64,
    end: impl FnOnce(),
) -> Vec<Op> {
    let (done, over) = (AtomicU64::new(0), AtomicBool::new(false));
    thread::scope(|scope| {
        let threads: Vec<_> = (0..clients)
            .map(|who| {
                let (done, over) = (&done, &over);
                scope.spawn(move || {
                    let mut client = Client::new(who, address, seed, tickets);
                    // Twice as many as wanted: the end comes in the middle of them.
                    while !over.load(Ordering::Relaxed)
                        && done.load(Ordering::Relaxed) < 2 * most
                        && client.pipeline()
                    {
                        done.fetch_add(client.answered(), Ordering::Relaxed);
                    }
                    client.ops
                })
            })
            .collect();
        while done.load(Ordering::Relaxed) < most && !threads.iter().all(|thread| thread.is_finished()) {
            thread::yield_now();
        }
        end();
        over.store(true, Ordering::Relaxed);
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    })
}

/// One history of about [`OPS`] operations.
fn run(seed: u64, totals: &mut Totals) -> Result<(), String> {
    let mut random = Random::new(seed);
    let place = Place::new();
    let options = seed.is_multiple_of(2).then(|| options(&mut random));
    let (clients, lives) = (2 + random.below(3), 1 + random.below(3));
    let (tickets, mut history) = (Tickets::default(), History::default());
    tickets.next();
    for _ in 0..lives {
        let life = Life::begin(&place, options.as_ref(), &mut random);
        let most = OPS / (2 * lives as u64) + random.below(50) as u64;
        let (address, own) = (life.address(), random.next() >> 1);
        let ops = work(address, clients, most, &tickets, own, || life.end(&mut random, totals));
        history.ops.extend(ops);
        history.crashes.push(tickets.next());
    }
    let life = Life::begin(&place, options.as_ref(), &mut random);
    let mut last = Client::new(clients, life.address(), 0, &tickets);
    last.look_at_all();
    history.ops.append(&mut last.ops);
    drop(last);
    life.end(&mut random, totals);
    totals.operations += history.ops.len() as u64;
    totals.unanswered += history.ops.iter().filter(|op| op.answer == NEVER).count() as u64;
    totals.histories += 1;
    history.check()
}

#[test]
fn every_history_of_clients_is_linearizable() {
    let first = from_env("SILTSTONE_SEED", 1);
    let wanted = from_env("SILTSTONE_LINEAR_NET_OPS", 6000);
    let mut totals = Totals::default();
    for seed in first.. {
        run(seed, &mut totals).unwrap_or_else(|why| panic!("SILTSTONE_SEED={seed}: {why}"));
        if totals.operations >= wanted {
            break;
        }
    }
    println!("from seed {first}: {totals:?}");
    let Totals { kills, flushes, compactions, unanswered, .. } = totals;
    assert!(kills > 0 && flushes > 0 && compactions > 0 && unanswered > 0, "there was no pressure");
}

/// An engine that gives at times what was there before the last write of a key.
struct Stale {
    inner: MemoryEngine,
    before: Mutex<Vec<(Vec<u8>, Option<Slice>)>>,
    reads: AtomicU64,
}

impl StorageEngine for Stale {
    fn get(&self, key: &[u8]) -> siltstone::Result<Option<Slice>> {
        if self.reads.fetch_add(1, Ordering::Relaxed) % 40 == 39 {
            let before = self.before.lock().unwrap();
            if let Some((_, old)) = before.iter().rev().find(|(written, _)| written == key) {
                return Ok(old.clone());
            }
        }
        self.inner.get(key)
    }

    fn write(&self, batch: WriteBatch, durability: Option<Durability>) -> siltstone::Result<Commit> {
        let mut before = self.before.lock().unwrap();
        for (key, _) in batch.iter() {
            before.push((key.to_vec(), self.inner.get(key)?));
        }
        self.inner.write(batch, durability)
    }

    fn range(&self, scan: Scan<'_>) -> siltstone::Result<Entries> {
        self.inner.range(scan)
    }

    fn room(&self, bytes: usize) -> Room {
        self.inner.room(bytes)
    }

    fn stats_json(&self) -> String {
        self.inner.stats_json()
    }

    fn sync(&self) -> siltstone::Result<()> {
        self.inner.sync()
    }

    fn close(&self) -> siltstone::Result<()> {
        self.inner.close()
    }

    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }

    fn keyspace(&self, name: &str) -> siltstone::Result<KeyspaceRef> {
        self.inner.keyspace(name)
    }

    fn find(&self, keyspace: KeyspaceRef, key: &[u8]) -> siltstone::Result<Option<Found>> {
        if keyspace != KeyspaceRef::ROOT {
            return self.inner.find(keyspace, key);
        }
        Ok(self.get(key)?.map(|value| Found { value, expiry: None }))
    }

    fn view(&self) -> siltstone::Result<Arc<dyn View>> {
        self.inner.view()
    }

    fn now(&self) -> SystemTime {
        self.inner.now()
    }
}

#[test]
fn a_server_that_gives_old_values_is_caught() {
    let caught = (0..20).find_map(|seed| {
        let (inner, before, reads) = (MemoryEngine::new(), Mutex::default(), AtomicU64::new(0));
        let server = serve(Arc::new(Stale { inner, before, reads }));
        let tickets = Tickets::default();
        let ops = work(server.addr, 3, 300, &tickets, seed, || ());
        History { ops, crashes: Vec::new() }.check().err()
    });
    let why = caught.expect("nothing was noticed in 20 histories");
    assert!(why.contains("cannot come"), "{why}");
}
