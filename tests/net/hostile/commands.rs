//! The same wrongs in commands of Redis, and what only their framing makes possible.

use super::attacks::{Attacker, WHOLE, drop_hard};
use super::frames::{self, BIG};
use crate::support::Random;
use std::io::{ErrorKind, Read, Write};
use std::net::Shutdown;

/// A command as clients send it.
pub fn command(args: &[&[u8]]) -> Vec<u8> {
    let mut bytes = format!("*{}\r\n", args.len()).into_bytes();
    for arg in args {
        bytes.extend(format!("${}\r\n", arg.len()).bytes());
        bytes.extend_from_slice(arg);
        bytes.extend(b"\r\n");
    }
    bytes
}

fn words(text: &str) -> Vec<u8> {
    command(&text.split(' ').map(str::as_bytes).collect::<Vec<_>>())
}

/// A command that is right; or one within a line.
pub fn valid(random: &mut Random) -> Vec<u8> {
    let (key, other) = (format!("h:{}", random.below(2000)), format!("h:{}", random.below(2000)));
    match random.below(14) {
        0..3 => command(&[b"SET", key.as_bytes(), &vec![b'v'; random.below(5000)]]),
        3..6 => words(&format!("GET {key}")),
        6 => words(&format!("DEL {key} {other}")),
        7 => words(&format!("MSET {key} a {other} b")),
        8 => words(&format!("SS.RANGE {key} {other} LIMIT 20")),
        9 => words(&format!("HSET hash:{key} field {other}")),
        10 => words(&format!("INCR count:{key}")),
        11 => [words("MULTI"), words(&format!("SET {key} x")), words(&format!("GET {other}")), words("EXEC")]
            .concat(),
        12 => words(&format!("SCAN 0 MATCH {key}* COUNT 10")),
        _ => format!("GET {key}\r\n").into_bytes(),
    }
}

/// Frames that claim to be large, or are.
fn extreme(random: &mut Random) -> Vec<u8> {
    let many = |n: usize| [format!("*{n}\r\n").into_bytes(), b"$1\r\nx\r\n".repeat(n)].concat();
    match random.below(9) {
        0 => b"*1048576\r\n".to_vec(),
        1 => b"*99999999999999999999\r\n".to_vec(),
        2 => b"*3\r\n$3\r\nSET\r\n$3\r\nh:0\r\n$99999999999\r\n".to_vec(),
        3 => b"*3\r\n$3\r\nSET\r\n$3\r\nh:0\r\n$-5\r\n".to_vec(),
        4 => many(100_000),
        5 => [b"*100000\r\n".to_vec(), b"*1\r\n".repeat(1000)].concat(),
        6 => vec![b'x'; 200_000],
        7 => [b"GET \"".to_vec(), vec![b'\\'; 50_000], b"\r\n".to_vec()].concat(),
        _ => words(&format!("SETRANGE h:0 {} x", u32::MAX)),
    }
}

/// Many keys that begin with `prefix`, all or none of them: one command, or a transaction.
fn batch(random: &mut Random, prefix: &str, count: usize) -> Vec<u8> {
    let keys: Vec<String> = (0..count).map(|n| format!("{prefix}:{n}")).collect();
    if random.one_in(2) {
        return words(&format!("MSET {} x", keys.join(" x ")));
    }
    let sets = keys.iter().flat_map(|key| words(&format!("SET {key} x")));
    [words("MULTI"), sets.collect(), words("EXEC")].concat()
}

/// Asserts that these are whole replies, one after the other. Who is turned away at the door is told so before it is known which
/// protocol he speaks.
fn check_replies(mut bytes: &[u8]) {
    if bytes.starts_with(b"{") && String::from_utf8_lossy(bytes).contains("too many connections") {
        return;
    }
    while !bytes.is_empty() {
        let shown = String::from_utf8_lossy(&bytes[..bytes.len().min(100)]).into_owned();
        bytes = after_reply(bytes).unwrap_or_else(|| panic!("no reply: {shown:?}"));
    }
}

fn after_reply(bytes: &[u8]) -> Option<&[u8]> {
    let end = bytes.windows(2).position(|pair| pair == b"\r\n")?;
    let (line, rest) = (&bytes[1..end], &bytes[end + 2..]);
    let count = || std::str::from_utf8(line).ok()?.parse::<i64>().ok();
    match bytes[0] {
        b'+' | b'-' | b':' => Some(rest),
        b'$' => match usize::try_from(count()?) {
            Ok(len) => rest.get(len..)?.strip_prefix(b"\r\n"),
            Err(_) => Some(rest),
        },
        b'*' => (0..count()?).try_fold(rest, |rest, _| after_reply(rest)),
        _ => None,
    }
}

impl Attacker {
    /// Many changed commands in one pipeline: what is said to them, until it ends, are replies.
    pub fn changed_commands(&mut self) -> usize {
        let (mut bytes, count) = (words("PING"), 20 + self.random.below(200));
        for _ in 0..count {
            let mut frame = valid(&mut self.random);
            if self.random.one_in(4) {
                frames::mutate(&mut self.random, &mut frame);
            }
            bytes.extend(frame);
        }
        self.command_and_listen(&bytes);
        count
    }

    pub fn extreme_commands(&mut self) -> usize {
        let bytes = [words("PING"), extreme(&mut self.random)].concat();
        self.command_and_listen(&bytes);
        1
    }

    fn command_and_listen(&self, bytes: &[u8]) {
        let Some(mut stream) = self.connect() else { return };
        if stream.write_all(bytes).and_then(|()| stream.shutdown(Shutdown::Write)).is_err() {
            return;
        }
        let mut said = Vec::new();
        if stream.read_to_end(&mut said).is_ok() {
            check_replies(&said);
        }
    }

    /// A bulk that is longer than a request may be, and comes.
    pub fn large_bulk(&mut self) -> usize {
        let Some(mut stream) = self.connect() else { return 0 };
        let _ = stream.write_all(b"*3\r\n$3\r\nSET\r\n$3\r\nh:0\r\n$68000000\r\n");
        let piece = vec![b'b'; 1 << 20];
        let mut sent = 0;
        while sent < 65 && stream.write_all(&piece).is_ok() {
            sent += 1;
        }
        let mut said = Vec::new();
        match stream.read_to_end(&mut said) {
            Ok(_) => check_replies(&said),
            Err(error) => assert_ne!(error.kind(), ErrorKind::WouldBlock, "it waits for more"),
        }
        1
    }

    /// Large replies to a pipeline, nobody reads them, and half of the time the connection is reset.
    pub fn commands_and_never_reads(&mut self) -> usize {
        let Some(mut stream) = self.connect() else { return 0 };
        let gets = words(&format!("GET {BIG}")).repeat(200);
        let _ = stream.set_nonblocking(true);
        let _ = stream.write(&gets);
        std::thread::sleep(std::time::Duration::from_millis(self.random.below(30) as u64));
        if self.random.one_in(2) {
            drop_hard(stream);
        }
        200
    }

    pub fn die_in_transaction(&mut self) -> usize {
        let Some(mut stream) = self.connect() else { return 0 };
        let name = self.name("torn");
        let batch = batch(&mut self.random, &name, 50);
        let part = self.random.below(batch.len());
        let _ = stream.write_all(&batch[..part]);
        if self.random.one_in(2) {
            drop_hard(stream);
        }
        1
    }

    pub fn die_before_transaction_is_answered(&mut self) -> usize {
        let Some(mut stream) = self.connect() else { return 0 };
        let name = self.name("whole");
        let _ = stream.write_all(&batch(&mut self.random, &name, WHOLE));
        if self.random.one_in(2) {
            drop_hard(stream);
        }
        1
    }
}
