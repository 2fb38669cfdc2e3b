//! The client that does right: it knows the answer to everything it asks, and how long each took.

use super::attacks::{Storm, WHOLE};
use super::commands::command;
use super::frames::{BIG, BIG_BYTES};
use crate::harness::{OK, PING, delete, error_false, ok, put, range, read};
use crate::support::Random;
use siltstone::Db;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

/// How many keys it has.
const KEYS: usize = 50;

/// How many of the longest waits are told.
const TOLD: usize = 5;

pub struct Good<'a> {
    storm: &'a Storm,
    stream: TcpStream,
    input: BufReader<TcpStream>,
    /// Another connection, for commands of Redis.
    commands: TcpStream,
    random: Random,
    /// What its keys begin with, and nobody else's.
    prefix: String,
    stored: BTreeMap<String, String>,
    reads: Vec<Duration>,
    writes: Vec<Duration>,
    /// When, how long, what was asked and what the others did, the longest first.
    waits: Vec<(Duration, Duration, String, String)>,
    started: Instant,
}

impl Good<'_> {
    pub fn connect(storm: &Storm, seed: u64) -> Good<'_> {
        let connect = || {
            let stream = TcpStream::connect(storm.address).unwrap();
            // Longer than any bound: what takes so long hangs.
            stream.set_read_timeout(Some(Duration::from_secs(120))).unwrap();
            stream.set_nodelay(true).unwrap();
            stream
        };
        let stream = connect();
        let mut random = Random::new(seed);
        Good {
            storm,
            input: BufReader::new(stream.try_clone().unwrap()),
            stream,
            commands: connect(),
            prefix: format!("{:016x}", random.next()),
            random,
            stored: BTreeMap::new(),
            reads: Vec::new(),
            writes: Vec::new(),
            waits: Vec::new(),
            started: Instant::now(),
        }
    }

    /// Stores what the others will ask for.
    pub fn prepare(&mut self) {
        assert_eq!(self.ask(&put(BIG, &"v".repeat(BIG_BYTES))), OK);
        for n in 0..500 {
            assert_eq!(self.ask(&put(&format!("h:{n}"), &"v".repeat(n))), OK);
        }
        self.started = Instant::now();
    }

    pub fn work_until(&mut self, end: Instant) {
        while Instant::now() < end {
            self.step();
        }
    }

    fn step(&mut self) {
        let key = format!("{}:{:02}", self.prefix, self.random.below(KEYS));
        let value = format!("{:x}", self.random.next());
        match self.random.below(16) {
            10..12 => {
                let found = self.stored.get(&key);
                let reply =
                    found.map_or("$-1\r\n".into(), |value| format!("${}\r\n{value}\r\n", value.len()));
                self.check_command(&["GET", &key], &reply);
            }
            12..14 => {
                self.check_command(&["SET", &key, &value], "+OK\r\n");
                self.stored.insert(key, value);
            }
            14 => {
                let there = self.stored.remove(&key).is_some();
                self.check_command(&["DEL", &key], if there { ":1\r\n" } else { ":0\r\n" });
            }
            15 => self.check_command(&["PING"], "+PONG\r\n"),
            0 => self.check(PING, &ok("\"pong\"")),
            1..5 => {
                let found = self.stored.get(&key).map_or("null".into(), |value| format!("\"{value}\""));
                self.check(&read(&key), &ok(&found));
            }
            5 => self.check_range(&key),
            6 => {
                let there = self.stored.remove(&key).is_some();
                let gone = error_false("Failed to delete key or key not found");
                self.check(&delete(&key), if there { OK } else { &gone });
            }
            7 => {
                let other = format!("{}:{:02}", self.prefix, self.random.below(KEYS));
                let line = format!(
                    r#"{{"command":"batch_put","keys":["{key}","{other}"],"values":["{value}","{value}"]}}"#
                );
                self.check(&line, OK);
                self.stored.extend([(key, value.clone()), (other, value)]);
            }
            _ => {
                self.check(&put(&key, &value), OK);
                self.stored.insert(key, value);
            }
        }
    }

    fn check_range(&mut self, from: &str) {
        let last = format!("{}:~", self.prefix);
        let entries: Vec<String> = self
            .stored
            .range(from.to_owned()..)
            .map(|(key, value)| format!("\"{key}\":\"{value}\""))
            .collect();
        let expected = ok(&format!("{{{}}}", entries.join(",")));
        self.check(&range(from, &last, ""), &expected);
    }

    #[track_caller]
    fn check(&mut self, request: &str, reply: &str) {
        let before = Instant::now();
        let found = self.ask(request);
        assert_eq!(found, reply, "{request}");
        self.note(before, request, request.contains("put") || request.contains("delete"));
    }

    #[track_caller]
    fn check_command(&mut self, words: &[&str], reply: &str) {
        let args: Vec<&[u8]> = words.iter().map(|word| word.as_bytes()).collect();
        let mut found = vec![0; reply.len()];
        let before = Instant::now();
        self.commands.write_all(&command(&args)).unwrap();
        self.commands.read_exact(&mut found).unwrap();
        assert_eq!(String::from_utf8_lossy(&found), reply, "{words:?}");
        self.note(before, &words.join(" "), matches!(words[0], "SET" | "DEL"));
    }

    /// Notes how long the answer took to a request that was sent at `before`.
    fn note(&mut self, before: Instant, request: &str, is_write: bool) {
        let took = before.elapsed();
        if is_write { &mut self.writes } else { &mut self.reads }.push(took);
        if self.waits.len() < TOLD || self.waits.last().is_some_and(|(last, ..)| took > *last) {
            let asked = request.chars().take(24).collect();
            self.waits.push((took, before - self.started, asked, self.storm.now()));
            self.waits.sort_by_key(|(took, ..)| std::cmp::Reverse(*took));
            self.waits.truncate(TOLD);
        }
    }

    fn ask(&mut self, line: &str) -> String {
        self.stream.write_all(format!("{line}\n").as_bytes()).unwrap();
        let mut reply = String::new();
        self.input.read_line(&mut reply).unwrap();
        assert_eq!(reply.pop(), Some('\n'), "a whole line, but it is {reply:?}");
        reply
    }

    /// What was cut off in the middle is not there, and what was sent whole is there whole or not at all.
    pub fn look_for_half_done(&mut self) {
        let torn = self.ask(&range("torn:", "torn:~", ""));
        assert_eq!(torn, ok("{}"), "of batches that were never whole");
        let whole: serde_json::Value =
            serde_json::from_str(&self.ask(&range("whole:", "whole:~", ""))).unwrap();
        let mut counts = BTreeMap::new();
        for key in whole["result"].as_object().unwrap().keys() {
            *counts.entry(key.rsplit_once(':').unwrap().0.to_owned()).or_insert(0) += 1;
        }
        assert!(counts.values().all(|count| *count == WHOLE), "{counts:?}");
        self.check_range(&self.prefix.clone());
    }

    /// What it wrote is in the database that the server closed.
    pub fn check_stored(&self, db: &Db) {
        let found: BTreeMap<String, String> = db
            .prefix(&self.prefix)
            .map(|entry| {
                let (key, value) = entry.unwrap();
                (String::from_utf8(key.to_vec()).unwrap(), String::from_utf8(value.to_vec()).unwrap())
            })
            .collect();
        assert_eq!(found, self.stored);
    }

    pub fn longest(&self) -> Duration {
        self.waits.first().map_or(Duration::ZERO, |(took, ..)| *took)
    }

    pub fn report(&self) -> String {
        let mut text = String::from("good client     answers       p50       p99     p99.9   longest");
        for (what, times) in [("reads", &self.reads), ("writes", &self.writes)] {
            let mut times = times.clone();
            times.sort();
            let at =
                |part: f64| times.get(((times.len() as f64 * part) as usize).min(times.len().max(1) - 1));
            let ms = |part| at(part).map_or(0.0, |time| time.as_secs_f64() * 1e3);
            let _ = write!(
                text,
                "\n{what:12} {:10} {:7.2} ms {:6.2} ms {:6.2} ms {:6.2} ms",
                times.len(),
                ms(0.5),
                ms(0.99),
                ms(0.999),
                ms(1.0)
            );
        }
        for (took, at, asked, during) in &self.waits {
            let _ = write!(text, "\n  {took:.1?} at {at:.1?}, {asked} during {during}");
        }
        text
    }
}
