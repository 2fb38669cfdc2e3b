//! Many connections asking a server.
//!
//! Each thread has some of the connections. It sends on each of them, then reads from each, so that all of them have
//! requests under way nearly all the time; a connection never waits for one of another thread.

use super::report::Tally;
use super::workload::{Random, Workload};
use super::{Bench, Out};
use anyhow::{Context, anyhow};
use siltstone::client::{Client, Pipeline, Value};
use std::sync::Barrier;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// Runs the tests one after the other.
pub fn run(bench: &Bench, address: &str, tests: &[Workload], out: &mut Out) -> anyhow::Result<()> {
    let mut clients = connect(bench, address)?;
    if !bench.json {
        eprintln!(
            "{} connections on {} threads, pipeline {}, {} keys, values of {} bytes",
            bench.connections,
            clients.len(),
            bench.pipeline,
            bench.keys,
            bench.value_size
        );
    }
    for test in tests {
        let (tally, took) = measure(bench, *test, &mut clients)?;
        out.write(&tally.report(test.to_string(), took))?;
    }
    Ok(())
}

/// The connections, spread over threads.
fn connect(bench: &Bench, address: &str) -> anyhow::Result<Vec<Vec<Client>>> {
    // Half of the processors are left to the server, which is often on the same machine.
    let half = thread::available_parallelism().map_or(1, |count| count.get().div_ceil(2));
    let threads = bench.threads.map_or(half, |threads| threads as usize).min(bench.connections as usize);
    let mut options = bench.login.options("bench")?;
    let mut spread: Vec<Vec<Client>> = (0..threads).map(|_| Vec::new()).collect();
    for (_, at) in (0..bench.connections).zip((0..threads).cycle()) {
        let client = bench.login.connect(address, &mut options)?;
        spread.get_mut(at).context("there are threads")?.push(client);
    }
    Ok(spread)
}

/// How much is still to be asked.
struct Rest {
    requests: AtomicU64,
    until: Option<Instant>,
}

impl Rest {
    /// Takes up to so many requests.
    fn take(&self, most: u64) -> u64 {
        if let Some(until) = self.until {
            return if Instant::now() < until { most } else { 0 };
        }
        let taken = self
            .requests
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| Some(left.saturating_sub(most)));
        taken.unwrap_or(0).min(most)
    }
}

fn measure(bench: &Bench, test: Workload, clients: &mut [Vec<Client>]) -> anyhow::Result<(Tally, Duration)> {
    let begin = Instant::now();
    let rest = Rest {
        requests: AtomicU64::new(bench.requests),
        until: bench.seconds.map(|seconds| begin + seconds),
    };
    // All begin when all are there: a thread that starts late would measure an idle server.
    let barrier = Barrier::new(clients.len());
    let mut total = Tally::new()?;
    thread::scope(|scope| {
        let threads: Vec<_> = clients
            .iter_mut()
            .enumerate()
            .map(|(number, clients)| {
                let (rest, barrier) = (&rest, &barrier);
                scope.spawn(move || {
                    barrier.wait();
                    ask(bench, test, clients, rest, number as u64 + 1)
                })
            })
            .collect();
        threads.into_iter().try_for_each(|thread| {
            let tally = thread.join().map_err(|_| anyhow!("a thread has panicked"))??;
            total.add(&tally)
        })
    })?;
    Ok((total, begin.elapsed()))
}

/// What one thread does.
fn ask(
    bench: &Bench,
    test: Workload,
    clients: &mut [Client],
    rest: &Rest,
    seed: u64,
) -> anyhow::Result<Tally> {
    let mut tally = Tally::new()?;
    let mut random = Random::new(seed);
    let value = random.value(usize::try_from(bench.value_size)?);
    let mut requests = Pipeline::new();
    let mut sent: Vec<Instant> = Vec::with_capacity(clients.len());
    loop {
        sent.clear();
        for client in clients.iter_mut() {
            let count = rest.take(u64::from(bench.pipeline));
            if count == 0 {
                break;
            }
            requests.clear();
            for _ in 0..count {
                test.push(&mut requests, &mut random, bench.keys, &value)?;
            }
            sent.push(Instant::now());
            client.send(&requests)?;
        }
        if sent.is_empty() {
            return Ok(tally);
        }
        for (client, begin) in clients.iter_mut().zip(&sent) {
            while client.awaited() > 0 {
                let reply = client.receive()?;
                tally.record(begin.elapsed());
                note(&mut tally, test, &reply);
            }
        }
    }
}

fn note(tally: &mut Tally, test: Workload, reply: &Value) {
    if let Value::Error { code, message } = reply {
        tally.errors += 1;
        tally.first_error.get_or_insert_with(|| format!("{code} {message}"));
    }
    let (asked, found) = test.found(reply);
    tally.asked += asked;
    tally.found += found;
}
