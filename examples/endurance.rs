//! A large load, a kill in the middle of writing, and a full check.
//!
//! ```sh
//! cargo run --release --example endurance -- 20000000 some-empty-folder
//! ```
//!
//! A child process loads so many entries (16-byte keys in random order, 100-byte values, write buffers of 64 MiB, a cache of
//! 256 MiB), says how long the longest put took and how much anonymous memory it had at its peak, and goes on writing until
//! it is killed. Then the database is opened again, timed, every key is read back, and full scans in both directions are
//! compared. It ends with a clean close and the time of the open after it. Exit status 0 means that all of it was right.

use siltstone::{Compression, Db, Durability, Options, Result};
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [n, folder] => check(n.parse()?, folder),
        ["load", n, folder] => Ok(load(n.parse()?, folder)?),
        _ => Err("usage: endurance ENTRIES FOLDER".into()),
    }
}

fn open(folder: &str) -> Result<Db> {
    Options::default()
        .durability(Durability::Os)
        .memtable_bytes(64 << 20)
        .memory_budget(448 << 20)
        .compression(Compression::UPPER)
        .open(folder)
}

/// A number's key: every number has another one, and neighbours are far apart.
fn key(n: u64) -> [u8; 16] {
    let mut z = n.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^= z >> 31;
    let mut out = [0; 16];
    out.copy_from_slice(format!("{z:016x}").as_bytes());
    out
}

/// Half of it is random, so that it compresses to about a half.
fn value(n: u64) -> [u8; 100] {
    let mut out = [b'-'; 100];
    for (i, piece) in out[..48].chunks_mut(16).enumerate() {
        piece.copy_from_slice(&key(n ^ (i as u64 + 1) << 40));
    }
    out
}

/// The child: writes and never stops.
fn load(n: u64, folder: &str) -> Result<()> {
    let db = open(folder)?;
    let (started, mut longest, mut peak) = (Instant::now(), Duration::ZERO, 0);
    for i in 0..u64::MAX {
        let before = Instant::now();
        db.put(key(i), value(i))?;
        longest = longest.max(before.elapsed());
        if i % 100_000 == 0 {
            peak = peak.max(anonymous_kib());
        }
        if i + 1 == n {
            let seconds = started.elapsed().as_secs_f64();
            println!("loaded {n} entries in {seconds:.1} s, {:.0} a second", n as f64 / seconds);
            println!("longest put {longest:?}");
            println!("anonymous memory at most {} MiB", peak >> 10);
            print!("{}", db.stats());
            println!("going on");
        }
    }
    Ok(())
}

fn check(n: u64, folder: &str) -> std::result::Result<(), Box<dyn std::error::Error>> {
    let mut child = Command::new(std::env::current_exe()?)
        .args(["load", &n.to_string(), folder])
        .stdout(Stdio::piped())
        .spawn()?;
    let lines = BufReader::new(child.stdout.take().ok_or("no output")?).lines();
    for line in lines {
        let line = line?;
        println!("  {line}");
        if line == "going on" {
            break;
        }
    }
    std::thread::sleep(Duration::from_millis(300));
    child.kill()?;
    child.wait()?;
    let started = Instant::now();
    let db = open(folder)?;
    let report = db.recovery();
    println!(
        "killed; opened again in {:?}, {} MiB of log, {} batches",
        started.elapsed(),
        report.log_bytes >> 20,
        report.batches
    );

    let started = Instant::now();
    for i in 0..n {
        if db.get(key(i))?.as_deref() != Some(&value(i)[..]) {
            return Err(format!("entry {i} is wrong").into());
        }
    }
    println!("every key read back in {:.1} s", started.elapsed().as_secs_f64());
    let (forward, count) = scan(db.iter(), |last, key| last < key)?;
    let (backward, count_back) = scan(db.iter().rev(), |last, key| last > key)?;
    if forward != backward || count != count_back || count < n {
        return Err(format!("the scans differ: {count} entries forward, {count_back} backward").into());
    }
    println!("anonymous memory now {} MiB", anonymous_kib() >> 10);
    db.close()?;
    let started = Instant::now();
    let db = open(folder)?;
    println!("closed; opened again in {:?}, clean: {}", started.elapsed(), db.recovery().clean);
    db.close()?;
    println!("all is right");
    Ok(())
}

/// A fingerprint of all entries that does not depend on their order, and how many there are.
fn scan(
    entries: impl Iterator<Item = Result<(siltstone::Slice, siltstone::Slice)>>,
    in_order: fn(&[u8], &[u8]) -> bool,
) -> std::result::Result<(u64, u64), Box<dyn std::error::Error>> {
    let started = Instant::now();
    let (mut sum, mut count, mut last) = (0u64, 0, Vec::new());
    for entry in entries {
        let (key, value) = entry?;
        if count > 0 && !in_order(&last, &key) {
            return Err(format!("{key:?} is out of order").into());
        }
        let word = |bytes: &[u8]| bytes.first_chunk().map_or(0, |b| u64::from_le_bytes(*b));
        sum = sum.wrapping_add(word(&key).wrapping_mul(word(&value) | 1));
        count += 1;
        last.clear();
        last.extend_from_slice(&key);
    }
    println!("{count} entries scanned in {:.1} s", started.elapsed().as_secs_f64());
    Ok((sum, count))
}

/// Anonymous memory of this process in KiB, where the system tells.
fn anonymous_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"));
    line.and_then(|rest| rest.trim().trim_end_matches(" kB").parse().ok()).unwrap_or(0)
}
