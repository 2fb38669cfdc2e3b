//! A storm of clients that do wrong in every way we know, beside one that does right and must not notice.
//!
//! The server is the real program in a process of its own, so its memory and descriptors are its own. `good` is the client
//! that does right: it knows the answer to everything it asks, and how long each took. `attacks` are the ways to do wrong,
//! `frames` what is sent in them, `commands` the same for Redis' protocol, `watch` what the system says of the server's process.
//!
//! What must hold: every answer to the good client is right and comes before [`stall_bound`]; every line that the server
//! says to the others is a reply; nothing is carried out by half; the memory stays below [`MEMORY_BOUND`]; no descriptor is
//! left when all is over; the server then stops as if nothing had been, and what it acknowledged is there.
//!
//! | variable | what it sets | default |
//! |---|---|---|
//! | `SILTSTONE_HOSTILE_SECONDS` | how long the storm lasts | 5 |
//! | `SILTSTONE_HOSTILE_STALL_MS` | the longest that the good client may wait for an answer | 30,000 |
//!
//! The default bound finds a server that hangs, on any machine. What a quiet machine must show is 250 ms.

mod attacks;
mod commands;
mod frames;
mod good;
mod watch;

use crate::program::{PATIENCE, Place, Server};
use crate::support::{Random, from_env};
use attacks::{ATTACKS, Attacker, Storm};
use good::Good;
use siltstone::Db;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};
use watch::Process;

/// How many threads attack.
const ATTACKERS: usize = 8;

/// The most anonymous memory the server may have: what the engine may have for write buffers and cache, what the server may
/// hold of large requests and replies (`server::Config::max_buffered_bytes`), and what there is besides.
const MEMORY_BOUND: u64 = 900 << 20;

fn stall_bound() -> Duration {
    Duration::from_millis(from_env("SILTSTONE_HOSTILE_STALL_MS", 30_000))
}

#[test]
fn a_good_client_does_not_notice_a_storm() {
    let (seed, seconds) = (from_env("SILTSTONE_SEED", 1), from_env("SILTSTONE_HOSTILE_SECONDS", 5));
    println!("SILTSTONE_SEED={seed} SILTSTONE_HOSTILE_SECONDS={seconds}");
    let place = Place::new();
    let mut server = Server::start(&place, &[]);
    let process = Process::new(server.id());
    let storm = Arc::new(Storm::new(server.address.parse().unwrap(), ATTACKERS));
    let mut good = Good::connect(&storm, seed);
    good.prepare();
    let before = process.descriptors();
    let peak = thread::scope(|scope| {
        for number in 0..ATTACKERS {
            let random = Random::new(seed.wrapping_mul(1000).wrapping_add(number as u64));
            let attacker = Attacker::new(Arc::clone(&storm), number, random);
            scope.spawn(move || attacker.attack());
        }
        let watcher = scope.spawn(|| process.peak_memory_until(|| storm.is_over()));
        // A good client that fails must not leave the others attacking for ever.
        let _end = storm.end_with_scope();
        good.work_until(Instant::now() + Duration::from_secs(seconds));
        storm.end();
        watcher.join().unwrap()
    });
    good.look_for_half_done();
    println!("{}\n{}", storm.report(), good.report());
    println!("memory of the server at most {} MiB", peak >> 20);
    process.wait_for_descriptors(&before, PATIENCE);
    assert!(peak <= MEMORY_BOUND, "{} MiB", peak >> 20);
    assert!(ATTACKS.iter().zip(storm.runs()).all(|(_, runs)| runs > 0) || seconds < 5, "an attack never ran");
    let longest = good.longest();
    assert!(longest <= stall_bound(), "the good client waited {longest:?}");
    let said = server.stop();
    let few = said.lines().count() < 20;
    assert!(few && !said.contains("panicked") && !said.contains("ERROR"), "the server complains: {said}");
    let db = Db::open(place.path().join("data")).unwrap();
    assert!(db.recovery().clean, "{:?}", db.recovery());
    good.check_stored(&db);
}
