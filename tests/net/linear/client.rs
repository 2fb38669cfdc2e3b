//! One client of a history: pipelines of requests on a few keys, with the moments of asking and of being answered.

use super::checker::{Action, NEVER, Op, Pair, Tickets};
use crate::support::Random;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, ErrorKind, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// The keys, in their order.
pub const KEYS: [&str; 5] = ["", "a", "a\0", "é", "😀"];

/// Long enough for a slow machine; a server that needs longer hangs.
const PATIENCE: Duration = Duration::from_secs(60);

/// So many requests are sent at a time, at most; mostly one, for what happens at the same time makes the search long.
const PIPELINE: usize = 3;

pub struct Client<'a> {
    who: usize,
    random: Random,
    tickets: &'a Tickets,
    /// Nothing, once the server is gone.
    connection: Option<(TcpStream, BufReader<TcpStream>)>,
    /// Makes every value different from all others.
    count: u64,
    answered: u64,
    pub ops: Vec<Op>,
}

/// What a request asks, besides what the operation says.
enum Asked {
    /// One key.
    Get(u32),
    /// All keys.
    Range,
    Write,
    Delete(u32),
}

impl Client<'_> {
    pub fn new(who: usize, address: SocketAddr, seed: u64, tickets: &Tickets) -> Client<'_> {
        let connection = TcpStream::connect(address).ok().map(|stream| {
            stream.set_read_timeout(Some(PATIENCE)).unwrap();
            stream.set_nodelay(true).unwrap();
            (stream.try_clone().unwrap(), BufReader::new(stream))
        });
        let random = Random::new(seed.wrapping_add(who as u64));
        Client { who, random, tickets, connection, count: 0, answered: 0, ops: Vec::new() }
    }

    /// How many answers the last pipeline had.
    pub fn answered(&self) -> u64 {
        self.answered
    }

    /// Sends a few requests and reads the replies; false when the server is gone.
    pub fn pipeline(&mut self) -> bool {
        let many = if self.random.one_in(4) { 1 + self.random.below(PIPELINE) } else { 1 };
        let requests: Vec<_> = (0..many).map(|_| self.request()).collect();
        self.exchange(requests)
    }

    /// Reads everything.
    pub fn look_at_all(&mut self) {
        let whole = json!({"command": "read_key_range", "start_key": "", "end_key": char::MAX.to_string()});
        assert!(self.exchange(vec![(Asked::Range, whole, Action::Read(Vec::new()))]), "the server lives");
    }

    fn exchange(&mut self, requests: Vec<(Asked, Value, Action)>) -> bool {
        self.answered = 0;
        let Some((stream, _)) = &mut self.connection else { return false };
        let lines: String = requests.iter().map(|(_, line, _)| format!("{line}\n")).collect();
        let first = self.ops.len();
        for (_, _, action) in &requests {
            let (who, call) = (self.who, self.tickets.next());
            self.ops.push(Op { who, call, answer: NEVER, action: action.clone(), durable: true });
        }
        if stream.write_all(lines.as_bytes()).is_err() {
            // A part may have arrived.
            self.connection = None;
            return false;
        }
        for (at, (asked, line, _)) in requests.iter().enumerate() {
            let Some(reply) = self.reply() else { return false };
            let answer = self.tickets.next();
            let op = &mut self.ops[first + at];
            op.action = seen(asked, &op.action, &reply).unwrap_or_else(|| panic!("{reply} to {line}"));
            op.answer = answer;
            self.answered += 1;
        }
        true
    }

    fn reply(&mut self) -> Option<Value> {
        let (_, input) = self.connection.as_mut()?;
        let mut line = String::new();
        if let Err(error) = input.read_line(&mut line) {
            let hangs = matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut);
            assert!(!hangs, "the server does not answer");
        }
        if !line.ends_with('\n') {
            self.connection = None;
            return None;
        }
        Some(serde_json::from_str(&line).unwrap())
    }

    fn request(&mut self) -> (Asked, Value, Action) {
        let at = self.random.below(KEYS.len()) as u32;
        let key = KEYS[at as usize];
        match self.random.below(10) {
            0..3 => {
                let number = self.number();
                let line = json!({"command": "put", "key": key, "value": padded(number)});
                (Asked::Write, line, Action::Write(vec![(at, Some(number))]))
            }
            3 => {
                let number = self.number();
                let some: Vec<u32> =
                    (0..KEYS.len() as u32).filter(|other| *other == at || self.random.one_in(2)).collect();
                let keys: Vec<&str> = some.iter().map(|at| KEYS[*at as usize]).collect();
                let values = vec![padded(number); keys.len()];
                let line = json!({"command": "batch_put", "keys": keys, "values": values});
                (Asked::Write, line, Action::Write(some.into_iter().map(|at| (at, Some(number))).collect()))
            }
            4 => (Asked::Delete(at), json!({"command": "delete", "key": key}), Action::Take(at, true)),
            5 | 6 => {
                let line = json!({
                    "command": "read_key_range", "start_key": "", "end_key": char::MAX.to_string(),
                    "reverse": self.random.one_in(2),
                });
                (Asked::Range, line, Action::Read(Vec::new()))
            }
            _ => (Asked::Get(at), json!({"command": "read", "key": key}), Action::Read(Vec::new())),
        }
    }

    fn number(&mut self) -> u64 {
        self.count += 1;
        (self.who as u64) << 48 | self.tickets.now() << 16 | self.count & 0xffff
    }
}

/// What an operation was, once its reply is known; none when there is no such reply.
fn seen(asked: &Asked, action: &Action, reply: &Value) -> Option<Action> {
    let result = &reply["result"];
    let done = reply["status"] == "ok";
    match asked {
        Asked::Write => (done && *result == true).then(|| action.clone()),
        Asked::Delete(at) if done => Some(Action::Take(*at, true)),
        Asked::Delete(at) => {
            (reply["message"] == "Failed to delete key or key not found").then_some(Action::Take(*at, false))
        }
        Asked::Get(at) => done.then(|| Action::Read(vec![(*at, number(result))])),
        Asked::Range => {
            let entries = result.as_object()?;
            assert!(entries.keys().all(|key| KEYS.contains(&key.as_str())), "{reply}");
            let value = |key: &str| entries.get(key).and_then(number);
            let pairs: Vec<Pair> = KEYS.iter().enumerate().map(|(at, key)| (at as u32, value(key))).collect();
            done.then_some(Action::Read(pairs))
        }
    }
}

/// A value of its own length for each number, so that one put together from two is noticed.
fn padded(number: u64) -> String {
    format!("{number}:{}", "x".repeat(number as usize % 97))
}

#[track_caller]
fn number(value: &Value) -> Option<u64> {
    let text = value.as_str()?;
    let number = text.split(':').next().unwrap().parse().unwrap();
    assert_eq!(text, padded(number), "a value that was never written");
    Some(number)
}
