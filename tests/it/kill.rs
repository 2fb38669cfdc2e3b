//! The danger: the program is killed, and something it acknowledged is gone, or something nobody sent is there.
//!
//! The real program is killed (`kill -9`) at a random moment of real work, over and over on one folder, and what the next
//! one finds is held against [`Ledger`]s kept here, outside. Then it must go on: the lock is free, writes are taken.
//!
//! Half of the writers speak JSON lines, the others as clients of Redis do, with `MULTI` and `MSET`. Seeds decide what is sent and after how many events the kill comes; how far the program has got by then is up to the
//! machine. `SILTSTONE_SEED` gives another seed, `SILTSTONE_KILL_ROUNDS` more kills (default 5):
//!
//! ```sh
//! SILTSTONE_KILL_ROUNDS=200 SILTSTONE_SEED=$RANDOM cargo test --features cli --test it kill
//! ```

mod speech;

use crate::ledger::{Entries, Ledger, Settled};
use crate::packages::{Package, document, index};
use crate::program::{PATIENCE, Place, Server};
use crate::support::{Random, from_env};
use serde_json::{Value, json};
use siltstone::{Db, RecoveryReport};
use speech::{Said, Speech};

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::process::Stdio;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// Connections that write at the same time.
const WRITERS: usize = 4;
/// The most packages they write, so that later rounds overwrite and delete what earlier ones wrote.
const PACKAGES: usize = 4000;
/// The most commands of one writer in one round.
const COMMANDS: usize = 600;
/// From the start of a program to its first acknowledged write, recovery included.
const ALIVE: Duration = Duration::from_secs(5);

#[test]
fn a_killed_server_keeps_what_it_acknowledged_by_sync() {
    serve_and_kill("sync");
}

#[test]
fn a_killed_server_keeps_what_it_acknowledged_at_an_interval() {
    serve_and_kill("interval");
}

#[test]
fn a_killed_server_keeps_what_it_acknowledged_by_the_system() {
    serve_and_kill("os");
}

fn serve_and_kill(durability: &str) {
    let (seed, rounds) = (from_env("SILTSTONE_SEED", 1), from_env("SILTSTONE_KILL_ROUNDS", 5));
    println!("SILTSTONE_SEED={seed} SILTSTONE_KILL_ROUNDS={rounds}");
    let place = Place::new();
    let mut random = Random::new(seed);
    let mut writers: Vec<Writer> = (0..WRITERS).map(|n| Writer::new(n, random.next())).collect();
    let mut pulse = Ledger::default();
    for round in 0..rounds {
        let mut server = restart(&place, durability, &mut pulse, round);
        look(&server, &mut writers, &mut pulse);
        let most = 1 + random.below(COMMANDS);
        // Each command is two events, one when it is sent and one when it is answered, so this many do come.
        let events = 1 + random.below(2 * most * WRITERS);
        let killer = Killer { server: Mutex::new(&mut server), events: AtomicUsize::new(0), at: events };
        let address = killer.server.lock().unwrap().address.clone();
        std::thread::scope(|scope| {
            for writer in &mut writers {
                scope.spawn(|| writer.work(&address, most, &killer));
            }
        });
        assert!(killer.events.into_inner() >= events, "the kill of round {round} did not come");
    }
    let mut server = restart(&place, durability, &mut pulse, rounds);
    look(&server, &mut writers, &mut pulse);
    server.kill();
    // One command reads what the killed program left, the other opens and closes it.
    place.ok(&["verify"]);
    place.ok(&["stats"]);
    let (found, recovery) = read_folder(&place);
    assert!(recovery.clean, "{recovery:?}");
    let settled = writers.iter().map(|writer| writer.ledger.settled()).chain([pulse.settled()]);
    assert!(settled.flatten().map(|(key, value)| (key.clone(), value.clone())).collect::<Entries>() == found);
}

/// Starts the server on the folder the last one was killed in, and gives it a write to take.
fn restart(place: &Place, durability: &str, pulse: &mut Ledger, round: u64) -> Server {
    let started = Instant::now();
    let server = Server::start(place, &["--durability", durability]);
    let mut client = Client::connect(&server.address).unwrap();
    pulse.send(vec![("~pulse".into(), Some(round.to_string().into()))]);
    client.ask(&json!({"command": "put", "key": "~pulse", "value": round}));
    pulse.acknowledge();
    let took = started.elapsed();
    assert!(took < ALIVE, "{took:?} from the start of round {round} to the first write");
    server
}

/// Reads everything, in each way the protocol has, and settles it with the ledgers.
fn look(server: &Server, writers: &mut [Writer], pulse: &mut Ledger) {
    let mut client = Client::connect(&server.address).unwrap();
    let found = client.read_all(Way::Forward);
    assert!(found == client.read_all(Way::Backward), "the ways differ");
    let ledgers = || writers.iter().map(|writer| &writer.ledger).chain([&*pulse]);
    let mut keys: Vec<&String> = ledgers().flat_map(Ledger::keys).collect();
    keys.sort();
    client.read_each(&keys, &found);
    let mut entries = 0;
    let mut total = Settled::default();
    for ledger in writers.iter_mut().map(|writer| &mut writer.ledger).chain([pulse]) {
        let settled = ledger.settle(&found).unwrap_or_else(|why| panic!("{why}"));
        total.sent += settled.sent;
        total.acknowledged += settled.acknowledged;
        total.kept += settled.kept;
        entries += ledger.settled().len();
    }
    assert_eq!(found.len(), entries, "there are keys that nobody sent");
    println!("{total:?}, {entries} entries");
}

/// Kills the server at an event.
struct Killer<'a> {
    server: Mutex<&'a mut Server>,
    events: AtomicUsize,
    at: usize,
}

impl Killer<'_> {
    fn event(&self) {
        if self.events.fetch_add(1, Ordering::Relaxed) + 1 == self.at {
            let said = self.server.lock().unwrap().kill();
            assert_eq!(said, "", "the server complains");
        }
    }
}

/// One of those who write, with packages of its own.
struct Writer {
    speech: Speech,
    packages: Vec<&'static Package>,
    random: Random,
    /// Makes every value different from all others of its key.
    stamp: u64,
    ledger: Ledger,
}

impl Writer {
    fn new(number: usize, seed: u64) -> Writer {
        let all = &index().packages;
        let some = all.iter().step_by(all.len().div_ceil(PACKAGES));
        let packages = some.skip(number).step_by(WRITERS).collect();
        let speech = if number.is_multiple_of(2) { Speech::JsonLines } else { Speech::Redis };
        Writer { speech, packages, random: Random::new(seed), stamp: 0, ledger: Ledger::default() }
    }

    /// Sends commands in pipelines until they are all answered or the server is gone.
    fn work(&mut self, address: &str, mut commands: usize, killer: &Killer<'_>) {
        let Ok(mut client) = Client::connect(address) else { return };
        let mut replies = VecDeque::new();
        while commands > 0 {
            let pipeline = (1 + self.random.below(64)).min(commands);
            commands -= pipeline;
            let mut requests = Vec::new();
            for _ in 0..pipeline {
                let Said { command, request, reply } = self.next_command();
                self.ledger.send(command);
                requests.extend(request);
                replies.push_back(reply);
            }
            if client.stream.write_all(&requests).is_err() {
                return;
            }
            (0..pipeline).for_each(|_| killer.event());
            // The next pipeline may be sent before this one is answered.
            let ahead = if commands == 0 { 0 } else { self.random.below(64) };
            while self.ledger.waiting() > ahead {
                let expected = replies.pop_front().expect("a reply for each");
                let Some(reply) = client.read(expected.len()) else { return };
                assert_eq!(String::from_utf8_lossy(&reply), String::from_utf8_lossy(&expected));
                self.ledger.acknowledge();
                killer.event();
            }
        }
    }

    fn next_command(&mut self) -> Said {
        let key = &self.random.pick(&self.packages).key;
        match self.random.below(20) {
            // What is not there is not deleted, and answered otherwise.
            0..3 if self.ledger.has(key) => self.speech.delete(key),
            3..8 => {
                let entries = (0..2 + self.random.below(15)).map(|_| self.next_entry()).collect();
                self.speech.put(entries, self.random.one_in(2))
            }
            _ => self.speech.put(vec![self.next_entry()], false),
        }
    }

    fn next_entry(&mut self) -> (String, String) {
        let package = *self.random.pick(&self.packages);
        self.stamp += 1;
        let value = match self.random.below(8) {
            0 => self.stamp.to_string(),
            1 => json!(format!("{} {}", self.stamp, package.json)).to_string(),
            _ => stamped(package, self.stamp),
        };
        (package.key.clone(), value)
    }
}

/// A package's document with one more member.
fn stamped(package: &Package, stamp: u64) -> String {
    format!(r#"{{"stamp":{stamp},{}"#, &package.json[1..])
}

/// A client that takes the end of its server for an end, not for a failure.
struct Client {
    stream: TcpStream,
    input: BufReader<TcpStream>,
}

/// From which end a range is read.
#[derive(Clone, Copy, PartialEq)]
enum Way {
    Forward,
    Backward,
}

impl Client {
    fn connect(address: &str) -> std::io::Result<Client> {
        let stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        stream.set_nodelay(true)?;
        Ok(Client { input: BufReader::new(stream.try_clone()?), stream })
    }

    /// The next reply; `None` when the server is gone.
    fn reply(&mut self) -> Option<Value> {
        let mut line = String::new();
        if let Err(error) = self.input.read_line(&mut line) {
            let hangs = matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut);
            assert!(!hangs, "the server does not answer");
            return None;
        }
        line.ends_with('\n').then(|| serde_json::from_str(&line).unwrap())
    }

    /// The next bytes; `None` when the server is gone.
    fn read(&mut self, len: usize) -> Option<Vec<u8>> {
        let mut bytes = vec![0; len];
        match self.input.read_exact(&mut bytes) {
            Ok(()) => Some(bytes),
            Err(error) => {
                let hangs = matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut);
                assert!(!hangs, "the server does not answer");
                None
            }
        }
    }

    /// The result of a request to a server that is to live.
    fn ask(&mut self, request: &Value) -> Value {
        self.stream.write_all(format!("{request}\n").as_bytes()).unwrap();
        self.result()
    }

    fn result(&mut self) -> Value {
        let mut reply = self.reply().expect("the server lives");
        assert_eq!(reply["status"], "ok", "{reply}");
        reply["result"].take()
    }

    /// Every entry, in pages.
    fn read_all(&mut self, way: Way) -> Entries {
        const PAGE: usize = 700;
        let (mut start, mut end) = (String::new(), char::MAX.to_string());
        let mut all = Entries::new();
        loop {
            let page = self.ask(&json!({
                "command": "read_key_range", "start_key": start, "end_key": end, "limit": PAGE,
                "reverse": way == Way::Backward,
            }));
            let page = page.as_object().unwrap();
            let in_order = |(a, b): (&String, &String)| (a < b) == (way == Way::Forward);
            assert!(page.keys().zip(page.keys().skip(1)).all(in_order), "a page out of order");
            let before = all.len();
            all.extend(page.iter().map(|(key, value)| (key.clone(), value.to_string().into())));
            // A page backward begins with the key that the one before ended with.
            if page.len() < PAGE || all.len() == before {
                return all;
            }
            let last = page.keys().next_back().unwrap();
            match way {
                Way::Forward => start = format!("{last}\0"),
                Way::Backward => end.clone_from(last),
            }
        }
    }

    /// Reads each of `keys` by itself, in pipelines.
    fn read_each(&mut self, keys: &[&String], expected: &Entries) {
        for keys in keys.chunks(100) {
            let lines: String =
                keys.iter().map(|key| json!({"command": "read", "key": key}).to_string() + "\n").collect();
            self.stream.write_all(lines.as_bytes()).unwrap();
            for key in keys {
                let found = self.result().to_string();
                assert_eq!(found, expected.get(*key).map_or("null", |value| value), "{key}");
            }
        }
    }
}

/// Every entry of the database that nobody has open, read both ways; and what opening it found.
fn read_folder(place: &Place) -> (Entries, RecoveryReport) {
    let db = Db::open(place.path().join("data")).unwrap();
    let entry = |entry: siltstone::Result<(siltstone::Slice, siltstone::Slice)>| {
        let (key, value) = entry.unwrap();
        (String::from_utf8(key.to_vec()).unwrap(), document(&value).into())
    };
    let forward: Vec<_> = db.iter().map(entry).collect();
    assert!(db.iter().rev().map(entry).eq(forward.iter().rev().cloned()), "the ways differ");
    assert!(forward.is_sorted_by(|a, b| a.0 < b.0));
    db.close().unwrap();
    (forward.into_iter().collect(), db.recovery().clone())
}

#[test]
fn a_load_that_is_killed_leaves_what_it_had_taken_in_order() {
    let (seed, rounds) = (from_env("SILTSTONE_SEED", 1), from_env("SILTSTONE_KILL_ROUNDS", 5));
    println!("SILTSTONE_SEED={seed} SILTSTONE_KILL_ROUNDS={rounds}");
    let place = Place::new();
    let mut random = Random::new(seed);
    let mut ledger = Ledger::default();
    for round in 0..=rounds {
        if round < rounds {
            load_and_kill(&place, &mut ledger, &mut random, round);
        } else {
            load_to_the_end(&place, &mut ledger, round);
        }
        // Half the time the program is the first to see what the killed one left, half the time the library is.
        let opened = random.one_in(2);
        if opened {
            place.ok(&["stats"]);
        }
        let (found, recovery) = read_folder(&place);
        assert!(recovery.clean || !opened, "{recovery:?}");
        let settled = ledger.settle(&found).unwrap_or_else(|why| panic!("{why}"));
        assert_eq!(found.len(), ledger.settled().len(), "there are keys that nobody sent");
        println!("{settled:?}, {} entries, {recovery:?}", found.len());
        place.ok(&["verify"]);
    }
}

const LOAD: [&str; 6] = ["load", "-", "--key", "Package", "--key", "Version"];

/// Feeds packages, and kills the program: somewhere on the way, at the end of its input, or once it has said that all is
/// loaded, when it is about to close.
fn load_and_kill(place: &Place, ledger: &mut Ledger, random: &mut Random, round: u64) {
    let packages = &index().packages;
    let (fed, to_the_end, to_its_word) = match random.below(4) {
        0 => (packages.len(), true, true),
        1 => (packages.len(), true, false),
        _ => (random.below(packages.len()), false, false),
    };
    let mut command = place.command(&LOAD);
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    let mut left = &packages[..fed];
    while !left.is_empty() {
        let (piece, rest) = left.split_at((1 + random.below(100)).min(left.len()));
        left = rest;
        // The program lives, so it takes all of it.
        input.write_all(feed(piece, ledger, round).as_bytes()).unwrap();
    }
    let input = Some(input).filter(|_| !to_the_end);
    if to_its_word {
        let mut word = String::new();
        BufReader::new(child.stderr.take().unwrap()).read_line(&mut word).unwrap();
        assert!(word.starts_with("loaded "), "{word}");
        ledger.acknowledge_all();
    }
    child.kill().unwrap();
    child.wait().unwrap();
    drop(input);
}

fn load_to_the_end(place: &Place, ledger: &mut Ledger, round: u64) {
    let lines = feed(&index().packages, ledger, round);
    let run = place.run_with_input(&LOAD, lines.as_bytes());
    assert_eq!(run.status, 0, "{run:?}");
    ledger.acknowledge_all();
}

/// Lines for the program, noted in the ledger.
fn feed(packages: &[Package], ledger: &mut Ledger, round: u64) -> String {
    let mut lines = String::new();
    for package in packages {
        let value = stamped(package, round);
        lines += &value;
        lines.push('\n');
        ledger.send(vec![(package.key.clone(), Some(value.into()))]);
    }
    lines
}
