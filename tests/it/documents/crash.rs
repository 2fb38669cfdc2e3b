//! The power is cut before every file operation of some work on a table: the documents are those after a whole number of changes, at
//! least as many as were acknowledged, and every index says what the documents say.
//!
//! `SILTSTONE_SEED=…` repeats a run, `SILTSTONE_DOCUMENT_CRASHES` sets how many images are looked at, at least.

use super::{data, naive};
use crate::support::{Random, from_env};
use siltstone::document::value::Value;
use siltstone::document::{Documents, Table};
use siltstone::store::LsmEngine;
use siltstone::vfs::mem::{CrashPolicy, MemVfs, SimClock};
use siltstone::{Background, Options};
use std::sync::Arc;

const MANY: u64 = 20_000;

/// What the documents are from an operation on.
struct State {
    /// So many file operations were done when it was acknowledged.
    acknowledged: u64,
    list: Vec<Value>,
}

fn open(vfs: &MemVfs, seed: u64) -> Documents {
    let clock = Arc::new(SimClock::new(seed));
    let options = Options::default().vfs(Arc::new(vfs.clone())).clock(Arc::clone(&clock) as _);
    let options = options.background(Background::Stepped).memtable_bytes(crate::support::buffer_of(200));
    let db = options.open("db").unwrap();
    Documents::open_with(Arc::new(LsmEngine::new(db)), clock).unwrap()
}

/// Works on a table, and notes what it is after each change.
fn work(documents: &Documents, random: &mut Random, vfs: &MemVfs) -> Vec<State> {
    let table = documents.create_table("db", "t", None).unwrap();
    let mut states = vec![State { acknowledged: vfs.op_count(), list: Vec::new() }];
    let mut next = 0;
    for step in 0..24 {
        let mut list = states.last().unwrap().list.clone();
        match random.below(8) {
            0..=3 => {
                let new: Vec<Value> = (0..1 + random.below(5))
                    .map(|_| {
                        next += 1;
                        data::document(random, next)
                    })
                    .collect();
                table.insert_many(new.clone()).unwrap();
                list.extend(new);
            }
            4 | 5 => {
                let (filter, change) = (data::filter(random, 0), data::change(random));
                table.update(filter.clone(), change.clone()).unwrap();
                for document in list.iter_mut().filter(|document| naive::matches(document, &filter)) {
                    naive::merge(document, &change);
                }
            }
            6 => {
                let filter = data::filter(random, 0);
                table.delete(filter.clone()).unwrap();
                list.retain(|document| !naive::matches(document, &filter));
            }
            _ => {
                table.create_index(data::index(random), |_| {}).unwrap();
                if random.one_in(3) {
                    let name = table.indexes().unwrap().last().unwrap().0.name.clone();
                    table.drop_index(&name).unwrap();
                }
            }
        }
        if step % 7 == 6 {
            documents.engine().compact().unwrap();
        }
        states.push(State { acknowledged: vfs.op_count(), list });
    }
    states
}

fn all(table: &Table) -> Vec<Value> {
    table.find(Value::Null).unwrap().map(Result::unwrap).collect()
}

/// Cuts the power before every operation of one run; how many images there were.
fn run(seed: u64) -> u64 {
    let random = &mut Random::new(seed);
    let vfs = MemVfs::new();
    vfs.schedule_crashes(0..MANY, &CrashPolicy::EVERY, seed);
    let documents = open(&vfs, seed);
    let states = work(&documents, random, &vfs);
    assert!(vfs.op_count() < MANY);
    let mut count = 0;
    for image in vfs.take_crash_images() {
        count += 1;
        let about = format!(
            "SILTSTONE_SEED={seed}, the power cut before operation {}, {:?}",
            image.at_op, image.policy
        );
        let documents = open(&image.vfs, seed + 1);
        let Ok(table) = documents.table("db", "t") else {
            assert!(image.at_op <= states[0].acknowledged, "{about}: the table is gone");
            continue;
        };
        table.verify().unwrap_or_else(|error| panic!("{about}: {error}"));
        table.resume_indexes().unwrap();
        table.verify().unwrap_or_else(|error| panic!("{about}, indexes built: {error}"));
        let found = all(&table);
        let least = states.iter().rposition(|state| state.acknowledged <= image.at_op).unwrap_or(0);
        let fits = states[least..].iter().any(|state| state.list == found);
        assert!(fits, "{about}: {} documents, at least those after {least} changes", found.len());
        for _ in 0..3 {
            let query = data::query(random);
            let answer: Vec<Value> = table.find(query.clone()).unwrap().map(Result::unwrap).collect();
            assert_eq!(answer, naive::find(&found, &query), "{about}: {query:?}");
        }
        table.insert(data::document(random, 1_000_000)).unwrap();
        table.verify().unwrap_or_else(|error| panic!("{about}, written to: {error}"));
    }
    count
}

#[test]
fn documents_and_indexes_survive_a_power_cut_together() {
    let wanted = from_env("SILTSTONE_DOCUMENT_CRASHES", 3000);
    let (mut seed, mut count) = (from_env("SILTSTONE_SEED", 1), 0);
    while count < wanted {
        count += run(seed);
        seed += 1;
    }
}
