//! The ways to do wrong. Each is a function that does it once, or a few times, and says how many frames that were.
//!
//! An attacker whose connection is refused, reset or closed has met a limit of the server: it goes on with the next thing.

use super::commands;
use super::frames::{self, BIG};
use crate::support::Random;
use socket2::SockRef;
use std::fmt::Write as _;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// How long an attacker waits for anything.
const PATIENCE: Duration = Duration::from_secs(2);

/// The most connections of one burst.
const BURST: usize = 10_000;

/// Name, how often it is chosen, and what it does.
pub struct Attack {
    pub name: &'static str,
    weight: usize,
    run: fn(&mut Attacker) -> usize,
}

const fn attack(name: &'static str, weight: usize, run: fn(&mut Attacker) -> usize) -> Attack {
    Attack { name, weight, run }
}

pub const ATTACKS: [Attack; 21] = [
    attack("changed requests", 60, Attacker::changed),
    attack("a byte at a time", 20, Attacker::drip),
    attack("half-closed", 20, Attacker::half_close),
    attack("reset in the middle of replies", 20, Attacker::reset),
    attack("pipelines and never reads", 8, Attacker::never_read),
    attack("lines over the limit", 1, Attacker::oversize),
    attack("deep nesting and long numbers", 20, Attacker::extreme),
    attack("other protocols", 40, Attacker::foreign),
    attack("burst of connections", 1, Attacker::burst),
    attack("connects and goes", 20, Attacker::churn),
    attack("slow large upload", 6, Attacker::upload),
    attack("dies in a batch", 20, Attacker::die_in_batch),
    attack("dies before the reply", 20, Attacker::die_before_reply),
    attack("ranges over everything", 4, Attacker::ranges),
    attack("silent connections", 4, Attacker::silent),
    attack("changed commands", 60, Attacker::changed_commands),
    attack("commands that claim to be large", 20, Attacker::extreme_commands),
    attack("bulks over the limit", 1, Attacker::large_bulk),
    attack("commands and never reads", 8, Attacker::commands_and_never_reads),
    attack("dies in a transaction", 20, Attacker::die_in_transaction),
    attack("dies before EXEC is answered", 20, Attacker::die_before_transaction_is_answered),
];

/// What all attackers share.
pub struct Storm {
    pub address: SocketAddr,
    over: AtomicBool,
    /// What each attacker does now.
    doing: Vec<AtomicUsize>,
    runs: [AtomicU64; ATTACKS.len()],
    frames: [AtomicU64; ATTACKS.len()],
    /// Held by whoever makes a burst: one takes all the places there are.
    bursting: Mutex<()>,
}

impl Storm {
    pub fn new(address: SocketAddr, attackers: usize) -> Storm {
        Storm {
            address,
            over: AtomicBool::new(false),
            doing: (0..attackers).map(|_| AtomicUsize::new(0)).collect(),
            runs: Default::default(),
            frames: Default::default(),
            bursting: Mutex::new(()),
        }
    }

    pub fn end(&self) {
        self.over.store(true, Relaxed);
    }

    pub fn is_over(&self) -> bool {
        self.over.load(Relaxed)
    }

    /// Ends the storm when it is dropped.
    pub fn end_with_scope(&self) -> impl Drop + '_ {
        struct End<'a>(&'a Storm);
        impl Drop for End<'_> {
            fn drop(&mut self) {
                self.0.end();
            }
        }
        End(self)
    }

    /// What is being done to the server at the moment.
    pub fn now(&self) -> String {
        let names: Vec<&str> = self.doing.iter().map(|at| ATTACKS[at.load(Relaxed)].name).collect();
        names.join(", ")
    }

    pub fn runs(&self) -> impl Iterator<Item = u64> {
        self.runs.iter().map(|runs| runs.load(Relaxed))
    }

    pub fn report(&self) -> String {
        let mut text = format!("{:32} {:>8} {:>10}", "attack", "times", "frames");
        let mut total = 0;
        for ((attack, runs), frames) in ATTACKS.iter().zip(self.runs()).zip(&self.frames) {
            let frames = frames.load(Relaxed);
            total += frames;
            let _ = write!(text, "\n{:32} {runs:8} {frames:10}", attack.name);
        }
        let _ = write!(text, "\n{:32} {:8} {total:10}", "all", self.runs().sum::<u64>());
        text
    }
}

/// One of those who attack.
pub struct Attacker {
    storm: Arc<Storm>,
    number: usize,
    pub(super) random: Random,
    /// How many things it has done: makes names that are used once.
    count: u64,
}

impl Attacker {
    pub fn new(storm: Arc<Storm>, number: usize, random: Random) -> Attacker {
        Attacker { storm, number, random, count: 0 }
    }

    /// Attacks until the storm is over; everything once first, each attacker beginning elsewhere.
    pub fn attack(mut self) {
        let all = ATTACKS.iter().map(|attack| attack.weight).sum();
        while !self.storm.is_over() {
            let chosen = match self.count as usize {
                n if n < ATTACKS.len() => (n + 2 * self.number) % ATTACKS.len(),
                _ => by_weight(self.random.below(all)),
            };
            self.count += 1;
            self.storm.doing[self.number].store(chosen, Relaxed);
            let frames = (ATTACKS[chosen].run)(&mut self);
            self.storm.runs[chosen].fetch_add(u64::from(frames > 0), Relaxed);
            self.storm.frames[chosen].fetch_add(frames as u64, Relaxed);
        }
    }

    pub(super) fn connect(&self) -> Option<TcpStream> {
        let stream = TcpStream::connect_timeout(&self.storm.address, PATIENCE).ok()?;
        stream.set_read_timeout(Some(PATIENCE)).ok()?;
        stream.set_write_timeout(Some(PATIENCE)).ok()?;
        stream.set_nodelay(true).ok()?;
        Some(stream)
    }

    pub(super) fn name(&self, kind: &str) -> String {
        format!("{kind}:{}:{}", self.number, self.count)
    }

    /// Many changed requests in one pipeline; each line must get a reply that is one.
    fn changed(&mut self) -> usize {
        let mut bytes = Vec::new();
        for _ in 0..20 + self.random.below(200) {
            let mut line = frames::valid(&mut self.random);
            if self.random.one_in(2) {
                frames::mutate(&mut self.random, &mut line);
            }
            bytes.extend(line);
        }
        self.converse(&bytes);
        frames::replies(&bytes)
    }

    fn extreme(&mut self) -> usize {
        let lines = frames::extreme(&mut self.random);
        self.converse(&lines);
        1
    }

    /// Sends, reads to the end, and looks at every reply. Nothing is said of a connection that was refused or broke.
    fn converse(&mut self, bytes: &[u8]) {
        let Some(mut stream) = self.connect() else { return };
        // The first line tells the server that this is about lines of JSON, whatever comes after it.
        let bytes = &[b"{\"command\":\"ping\"}\n", bytes].concat()[..];
        if stream.write_all(bytes).and_then(|()| stream.shutdown(Shutdown::Write)).is_err() {
            return;
        }
        let mut said = Vec::new();
        if stream.read_to_end(&mut said).is_err() {
            return;
        }
        let said = String::from_utf8(said).expect("replies are ASCII");
        let replies: Vec<&str> = said.lines().collect();
        for reply in &replies {
            let reply: serde_json::Value = serde_json::from_str(reply).expect("every line is JSON");
            assert!(reply["status"] == "ok" || reply["message"].is_string(), "{reply}");
        }
        if said.contains("too many connections") || said.contains("server is busy") {
            return;
        }
        assert_eq!(replies.len(), frames::replies(bytes), "replies to {:?}", String::from_utf8_lossy(bytes));
    }

    /// A request that is right, in one protocol or the other.
    fn any(&mut self) -> Vec<u8> {
        if self.random.one_in(2) {
            frames::valid(&mut self.random)
        } else {
            commands::valid(&mut self.random)
        }
    }

    fn foreign(&mut self) -> usize {
        let Some(mut stream) = self.connect() else { return 0 };
        let _ = stream.write_all(&frames::foreign(&mut self.random));
        if self.random.one_in(2) {
            // A client of that protocol waits for an answer.
            let _ = stream.set_read_timeout(Some(Duration::from_millis(20)));
            let _ = stream.read(&mut [0; 500]);
        }
        1
    }

    fn drip(&mut self) -> usize {
        let mut streams: Vec<TcpStream> = (0..16).filter_map(|_| self.connect()).collect();
        let lines: Vec<Vec<u8>> = streams.iter().map(|_| self.any()).collect();
        for at in 0..lines.iter().map(Vec::len).max().unwrap_or(0).min(400) {
            for (stream, line) in streams.iter_mut().zip(&lines) {
                if let Some(byte) = line.get(at..=at) {
                    let _ = stream.write(byte);
                }
            }
        }
        lines.len()
    }

    fn half_close(&mut self) -> usize {
        let Some(mut stream) = self.connect() else { return 0 };
        let lines = 1 + self.random.below(100);
        let of_one = if self.random.one_in(2) { frames::valid } else { commands::valid };
        for _ in 0..lines {
            let _ = stream.write_all(&of_one(&mut self.random));
        }
        let how = *self.random.pick(&[Shutdown::Write, Shutdown::Read, Shutdown::Both]);
        let _ = stream.shutdown(how);
        sleep(Duration::from_millis(self.random.below(20) as u64));
        lines
    }

    fn reset(&mut self) -> usize {
        let Some(mut stream) = self.connect() else { return 0 };
        let lines = 50;
        let _ = stream
            .write_all(format!("{{\"command\":\"read\",\"key\":\"{BIG}\"}}\n").repeat(lines).as_bytes());
        let _ = stream.read(&mut [0; 1000]);
        drop_hard(stream);
        lines
    }

    /// Sends until the server does not take more, holds on for a while, and goes.
    fn never_read(&mut self) -> usize {
        let lines = format!("{{\"command\":\"read\",\"key\":\"{BIG}\"}}\n").repeat(100);
        let streams: Vec<TcpStream> = (0..4).filter_map(|_| self.connect()).collect();
        for mut stream in &streams {
            let _ = stream.set_nonblocking(true);
            let mut refused = 0;
            while refused < 20 {
                match stream.write(lines.as_bytes()) {
                    Ok(_) => {}
                    Err(error) if error.kind() == ErrorKind::WouldBlock => {
                        refused += 1;
                        sleep(Duration::from_millis(1));
                    }
                    Err(_) => break,
                }
            }
        }
        // What only the buffers between the two have taken does not count.
        100 * streams.len()
    }

    /// Large replies that are not read.
    fn ranges(&mut self) -> usize {
        let range = "{\"command\":\"read_key_range\",\"start_key\":\"\",\"end_key\":\"~\"}\n";
        let streams: Vec<TcpStream> = (0..8).filter_map(|_| self.connect()).collect();
        for mut stream in &streams {
            let _ = stream.write_all(range.repeat(20).as_bytes());
        }
        sleep(Duration::from_millis(50));
        20 * streams.len()
    }

    fn oversize(&mut self) -> usize {
        let Some(mut stream) = self.connect() else { return 0 };
        let piece = vec![b'{'; 1 << 20];
        for _ in 0..65 {
            if stream.write_all(&piece).is_err() {
                break;
            }
        }
        let mut said = String::new();
        if stream.read_to_string(&mut said).is_ok() && !said.is_empty() {
            assert!(
                said.contains("the line is longer than")
                    || said.contains("too many connections")
                    || said.contains("server is busy"),
                "{said}"
            );
        }
        1
    }

    fn burst(&mut self) -> usize {
        let storm = Arc::clone(&self.storm);
        let Ok(_one) = storm.bursting.try_lock() else { return 0 };
        let mut streams = Vec::new();
        let until = Instant::now() + PATIENCE;
        // Fewer where descriptors end.
        while streams.len() < BURST && Instant::now() < until {
            match TcpStream::connect_timeout(&self.storm.address, Duration::from_millis(100)) {
                Ok(stream) => streams.push(stream),
                Err(error) if error.kind() == ErrorKind::TimedOut => {}
                Err(_) => break,
            }
        }
        let count = streams.len();
        streams.into_iter().for_each(drop_hard);
        count
    }

    fn churn(&mut self) -> usize {
        for n in 0..100 {
            let Some(mut stream) = self.connect() else { return n };
            if self.random.one_in(2) {
                let _ = stream.write_all(b"{");
            }
            drop_hard(stream);
        }
        100
    }

    /// A value of some megabytes that comes slowly, and half of the time not to the end.
    fn upload(&mut self) -> usize {
        let Some(mut stream) = self.connect() else { return 0 };
        let pieces = 16 + self.random.below(240);
        let whole = self.random.one_in(2);
        let _ = stream.write_all(br#"{"command":"put","key":"h:upload","value":""#);
        let piece = vec![b'u'; 32 << 10];
        for _ in 0..pieces {
            if stream.write_all(&piece).is_err() || self.storm.is_over() {
                return 1;
            }
            sleep(Duration::from_millis(1));
        }
        if whole {
            let _ = stream.write_all(b"\"}\n");
            let _ = stream.read(&mut [0; 100]);
        }
        1
    }

    fn die_in_batch(&mut self) -> usize {
        let Some(mut stream) = self.connect() else { return 0 };
        let batch = frames::batch(&self.name("torn"), 50);
        let part = self.random.below(batch.len());
        let _ = stream.write_all(&batch[..part]);
        if self.random.one_in(2) {
            drop_hard(stream);
        }
        1
    }

    fn die_before_reply(&mut self) -> usize {
        let Some(mut stream) = self.connect() else { return 0 };
        let _ = stream.write_all(&frames::batch(&self.name("whole"), WHOLE));
        if self.random.one_in(2) {
            drop_hard(stream);
        }
        1
    }

    /// Connections that say nothing, or begin to say something, and wait.
    fn silent(&mut self) -> usize {
        let mut streams: Vec<TcpStream> = (0..100).filter_map(|_| self.connect()).collect();
        for stream in streams.iter_mut().step_by(2) {
            let _ = stream.write_all(b"{\"command\":\"put\",\"key\":\"h:0\",\"value\":\"");
        }
        sleep(Duration::from_millis(100));
        streams.len()
    }
}

/// How many keys the batches have that are sent whole.
pub const WHOLE: usize = 20;

fn by_weight(mut at: usize) -> usize {
    ATTACKS
        .iter()
        .position(|attack| {
            let here = at < attack.weight;
            at = at.saturating_sub(attack.weight);
            here
        })
        .unwrap_or(0)
}

/// Closes so that the other side is reset and no port is kept waiting.
pub(super) fn drop_hard(stream: TcpStream) {
    let _ = SockRef::from(&stream).set_linger(Some(Duration::ZERO));
}
