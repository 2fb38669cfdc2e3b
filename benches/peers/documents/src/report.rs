//! Tables of medians, in Markdown.
//!
//! A cell is the median over the rounds of one engine and piece of work. Rounds that the rest of the machine disturbed are left out
//! while an undisturbed one is there; a cell that has none carries a cross.

use crate::args::Args;
use crate::engine::EngineKind;
use crate::record::Record;
use crate::work::Work;
use siltstone_peers::table::{count, markdown, median, mib, microseconds};
use std::fmt::Write;

/// One table: its heading, and what a cell says.
type Table = (&'static str, fn(&Cell) -> Option<String>);

const TABLES: [Table; 4] = [
    ("latency µs: p50 / p99 (of a batch in a load)", |cell| {
        let (p50, p99) = (cell.median(|r| r.p50_ns as f64), cell.median(|r| r.p99_ns as f64));
        Some(format!("{} / {}", microseconds(p50), microseconds(p99)))
    }),
    ("CPU µs for each operation, user and system, all threads, settling included", |cell| {
        Some(format!("{:.1}", cell.median(|r| r.cpu_seconds / r.ops as f64 * 1e6)))
    }),
    ("seconds of settling", |cell| {
        cell.work.loads().then(|| format!("{:.2}", cell.median(|r| r.settle_seconds)))
    }),
    ("MiB on disk after settling", |cell| {
        cell.work.loads().then(|| mib(cell.median(|r| r.disk_bytes as f64)))
    }),
];

/// All tables.
pub fn tables(args: &Args, records: &[Record]) -> String {
    let mut text = heading(args, records);
    text.push_str(&rates(args, records));
    for (title, show) in TABLES {
        text.push_str(&table(args, records, title, show));
    }
    text
}

/// What a run is doing, in one line.
pub fn progress(record: &Record, rounds: u32) -> String {
    let Record { engine, work, round, foreign_cores, .. } = record;
    let disturbed = match record.is_disturbed() {
        true => format!(", disturbed by {foreign_cores:.2} cores"),
        false => String::new(),
    };
    let (round, rate) = (round + 1, count(record.rate()));
    format!("round {round} of {rounds}: {} on {engine}: {rate} a second{disturbed}", work.name())
}

fn heading(args: &Args, records: &[Record]) -> String {
    let documents = records.iter().find(|record| record.work.loads()).map_or(0, |record| record.ops);
    let text = if args.text { ", found documents as text" } else { "" };
    let mut heading =
        format!("{documents} documents, {} MiB of memory, {} rounds{text}.\n", args.memory_mib, args.rounds);
    for engine in &args.engines {
        if let Some(record) = records.iter().find(|record| record.engine == *engine) {
            let _ = writeln!(heading, "{engine} is {}.", record.version);
        }
    }
    heading
}

/// Operations a second, and how Siltstone stands to the best of the others.
fn rates(args: &Args, records: &[Record]) -> String {
    let mut rows = Vec::new();
    for work in Work::ALL {
        let mut row = vec![work.name().to_string()];
        let (mut ours, mut best) = (None, None);
        for engine in &args.engines {
            let cell = Cell::of(records, *engine, work);
            let rate = cell.as_ref().map(|cell| cell.median(Record::rate));
            row.push(cell.zip(rate).map_or("–".into(), |(cell, rate)| cell.marked(count(rate))));
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
    markdown("a second (× every round was disturbed)", &columns, &rows)
}

fn table(args: &Args, records: &[Record], title: &str, show: fn(&Cell) -> Option<String>) -> String {
    let mut rows = Vec::new();
    for work in Work::ALL {
        let cells: Vec<Option<String>> =
            args.engines.iter().map(|engine| show(&Cell::of(records, *engine, work)?)).collect();
        if cells.iter().any(Option::is_some) {
            let cells = cells.into_iter().map(|cell| cell.unwrap_or("–".into()));
            rows.push(std::iter::once(work.name().to_string()).chain(cells).collect());
        }
    }
    markdown(title, &columns(args), &rows)
}

fn columns(args: &Args) -> Vec<String> {
    std::iter::once("work".to_string()).chain(args.engines.iter().map(EngineKind::to_string)).collect()
}

/// The rounds of one engine and piece of work that count.
struct Cell<'a> {
    work: Work,
    counted: Vec<&'a Record>,
    disturbed: bool,
}

impl<'a> Cell<'a> {
    fn of(records: &'a [Record], engine: EngineKind, work: Work) -> Option<Cell<'a>> {
        let ours = |record: &&Record| record.engine == engine && record.work == work;
        let all: Vec<&Record> = records.iter().filter(ours).collect();
        let clean: Vec<&Record> = all.iter().copied().filter(|record| !record.is_disturbed()).collect();
        let disturbed = clean.is_empty();
        let counted = if disturbed { all } else { clean };
        (!counted.is_empty()).then_some(Cell { work, counted, disturbed })
    }

    fn median(&self, value: impl Fn(&Record) -> f64) -> f64 {
        median(self.counted.iter().map(|record| value(record)).collect())
    }

    fn marked(&self, text: String) -> String {
        if self.disturbed { format!("{text} ×") } else { text }
    }
}
