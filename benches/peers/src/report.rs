//! Tables of medians, in Markdown.
//!
//! A cell is the median over the rounds of one engine and workload. Rounds that the rest of the machine disturbed are
//! left out while an undisturbed one is there; a cell that has none carries a cross.

use crate::args::Args;
use crate::engine::EngineKind;
use crate::record::{Latency, Record};
use crate::workload::{Group, Workload};
use siltstone_peers::table::{count, markdown, median, mib, microseconds};
use std::fmt::Write;

/// One table: its heading, and what a cell says.
type Table = (&'static str, fn(&Cell) -> Option<String>);

const TABLES: [Table; 8] = [
    ("latency µs: p50 / p99 / p99.9 / max (of a batch in fillbatch)", |cell| cell.latency().map(latency)),
    ("sustained ops/s: foreground and the wait for flush and compaction", |cell| {
        cell.writes().then(|| count(cell.median(sustained)))
    }),
    ("CPU seconds, user and system, all threads, settling included (µs for each operation)", |cell| {
        let (seconds, each) =
            (cell.median(|r| r.cpu_seconds), cell.median(|r| r.cpu_seconds / r.ops as f64 * 1e6));
        Some(format!("{seconds:.2} ({each:.2})"))
    }),
    ("peak RSS MiB (most anonymous seen; anonymous at the end)", |cell| {
        let (peak, most) =
            (cell.median(|r| r.peak_resident as f64), cell.median(|r| r.peak_anonymous as f64));
        Some(format!("{} ({}; {})", mib(peak), mib(most), mib(cell.median(|r| r.anonymous as f64))))
    }),
    ("MiB written, settling included (for each byte of keys and values)", |cell| {
        let written = mib(cell.median(|r| r.bytes_written as f64));
        let each = cell.median(|r| r.bytes_written as f64 / r.user_bytes as f64);
        cell.writes().then(|| format!("{written} ({each:.2})"))
    }),
    ("MiB on disk after settling", |cell| cell.writes().then(|| mib(cell.median(|r| r.disk_bytes as f64)))),
    ("puts/s of the thread that wrote beside", |cell| {
        let beside = cell.median(|r| r.writes_beside_per_second.unwrap_or(0.0));
        (beside > 0.0).then(|| count(beside))
    }),
    ("undisturbed rounds, of rounds run", |cell| Some(format!("{} of {}", cell.clean, cell.run))),
];

/// All tables.
pub fn tables(args: &Args, records: &[Record]) -> String {
    let mut text = heading(args, records);
    text.push_str(&throughput(args, records));
    for (title, show) in TABLES {
        text.push_str(&table(args, records, title, show));
    }
    text
}

/// What a run is doing, in one line.
pub fn progress(record: &Record, rounds: u32) -> String {
    let Record { engine, workload, round, foreign_cores, .. } = record;
    let rate = count(record.ops_per_second);
    let disturbed = if record.is_disturbed() {
        format!(", disturbed by {foreign_cores:.2} cores")
    } else {
        String::new()
    };
    format!("round {} of {rounds}: {workload} on {engine}: {rate} ops/s{disturbed}", round + 1)
}

fn heading(args: &Args, records: &[Record]) -> String {
    let Args { n, compression, cache_mib, memtable_mib, rounds, .. } = args;
    let compression = format!("{compression:?}").to_lowercase();
    let mut text = format!(
        "{n} entries, compression {compression}, cache {cache_mib} MiB, memtable {memtable_mib} MiB, {rounds} rounds.\n"
    );
    for engine in &args.engines {
        if let Some(record) = records.iter().find(|record| record.engine == *engine) {
            let _ = writeln!(text, "{engine} is {}.", record.version);
        }
    }
    text
}

/// Operations a second, and how Siltstone stands to the best of the others.
fn throughput(args: &Args, records: &[Record]) -> String {
    let mut rows = Vec::new();
    for workload in workloads(args) {
        let mut row = vec![workload.to_string()];
        let (mut ours, mut best) = (None, None);
        for engine in &args.engines {
            let rate =
                Cell::of(records, *engine, workload).map(|cell| (cell.median(|r| r.ops_per_second), cell));
            row.push(rate.as_ref().map_or("–".into(), |(rate, cell)| cell.marked(count(*rate))));
            let rate = rate.map(|(rate, _)| rate);
            match engine {
                EngineKind::Siltstone => ours = rate,
                _ => best = rate.into_iter().chain(best).reduce(f64::max),
            }
        }
        row.push(ours.zip(best).map_or("–".into(), |(ours, best)| format!("{:.2}×", ours / best)));
        rows.push(row);
    }
    let mut columns = columns(args);
    columns.push("siltstone / best peer".into());
    markdown("ops/s (× every round was disturbed)", &columns, &rows)
}

fn table(args: &Args, records: &[Record], title: &str, show: fn(&Cell) -> Option<String>) -> String {
    let mut rows = Vec::new();
    for workload in workloads(args) {
        let cells: Vec<Option<String>> =
            args.engines.iter().map(|engine| show(&Cell::of(records, *engine, workload)?)).collect();
        if cells.iter().any(Option::is_some) {
            let cells = cells.into_iter().map(|cell| cell.unwrap_or("–".into()));
            rows.push(std::iter::once(workload.to_string()).chain(cells).collect());
        }
    }
    if rows.is_empty() { String::new() } else { markdown(title, &columns(args), &rows) }
}

fn workloads(args: &Args) -> impl Iterator<Item = Workload> {
    let all = Group::ALL.into_iter().flat_map(|group| group.workloads()).copied();
    all.filter(|workload| args.workloads.contains(workload))
}

fn columns(args: &Args) -> Vec<String> {
    std::iter::once("workload".to_string()).chain(args.engines.iter().map(EngineKind::to_string)).collect()
}

/// The rounds of one engine and workload that count.
struct Cell<'a> {
    counted: Vec<&'a Record>,
    clean: usize,
    run: usize,
}

impl<'a> Cell<'a> {
    fn of(records: &'a [Record], engine: EngineKind, workload: Workload) -> Option<Cell<'a>> {
        let ours = |record: &&Record| record.engine == engine && record.workload == workload;
        let all: Vec<&Record> = records.iter().filter(ours).collect();
        let clean: Vec<&Record> = all.iter().copied().filter(|record| !record.is_disturbed()).collect();
        let (run, clean_rounds) = (all.len(), clean.len());
        let counted = if clean.is_empty() { all } else { clean };
        (run > 0).then_some(Cell { counted, clean: clean_rounds, run })
    }

    fn median(&self, value: impl Fn(&Record) -> f64) -> f64 {
        median(self.counted.iter().map(|record| value(record)).collect())
    }

    fn latency(&self) -> Option<[f64; 4]> {
        let parts: [fn(Latency) -> u64; 4] = [|l| l.p50, |l| l.p99, |l| l.p999, |l| l.max];
        self.counted.first()?.latency_ns?;
        Some(
            parts.map(|part| {
                self.median(|record| record.latency_ns.map_or(0.0, |latency| part(latency) as f64))
            }),
        )
    }

    fn writes(&self) -> bool {
        self.counted.first().is_some_and(|record| record.workload.writes())
    }

    fn marked(&self, text: String) -> String {
        if self.clean == 0 { format!("{text} ×") } else { text }
    }
}

fn sustained(record: &Record) -> f64 {
    record.ops as f64 / (record.seconds + record.settle_seconds)
}

fn latency(nanoseconds: [f64; 4]) -> String {
    nanoseconds.map(microseconds).join(" / ")
}
