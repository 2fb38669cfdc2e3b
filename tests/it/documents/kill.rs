//! The process that writes documents is killed, over and over on one folder, and what the next one finds is held against what it had
//! acknowledged.
//!
//! The child is this test binary once more. Its writers change documents of their own and want the same unique values, as those of
//! [`storm`](super::storm) do; after each change they say on the error output whose it was, and whether it was refused. The parent
//! draws the same changes from the same seed, so from these words it knows what the documents are. `SILTSTONE_KILL_ROUNDS` sets how
//! often the child is killed, `SILTSTONE_SEED` what it does; how far it has got by then is up to the machine.

use super::storm::change::{Hand, Shape};
use super::storm::{all, builder, judge, log::of};
use crate::support::{Random, from_env};
use siltstone::document::value::Value;
use siltstone::document::{Documents, Error, Table};
use siltstone::store::LsmEngine;
use siltstone::{Durability, Options};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// Set for the child: the seed of its round.
const CHILD: &str = "SILTSTONE_DOCUMENT_KILL_CHILD";
const FOLDER: &str = "SILTSTONE_DOCUMENT_KILL_FOLDER";
const NAME: &str = "documents::kill::a_killed_process_keeps_the_documents_that_it_acknowledged";

const WRITERS: u64 = 4;
/// More than a child lives to do.
const STEPS: usize = 100_000;

#[test]
fn a_killed_process_keeps_the_documents_that_it_acknowledged() {
    match std::env::var(CHILD) {
        Ok(round) => work(Path::new(&std::env::var_os(FOLDER).unwrap()), round.parse().unwrap()),
        Err(_) => kill(),
    }
}

fn kill() {
    let (seed, rounds) = (from_env("SILTSTONE_SEED", 1), from_env("SILTSTONE_KILL_ROUNDS", 5));
    println!("SILTSTONE_SEED={seed} SILTSTONE_KILL_ROUNDS={rounds}");
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("db");
    let mut random = Random::new(seed);
    let mut before = Vec::new();
    for round in 0..rounds {
        let (seed, most) = (random.next() >> 20, 1 + random.below(400));
        let said = live(&folder, seed, most);
        let table = open(&folder, Durability::Sync);
        table.verify().unwrap();
        builder::resume(&table);
        table.verify().unwrap();
        let found = all(&table);
        judge::unique(&table, &found);
        let mut count = 0;
        for owner in 0..WRITERS {
            let own = of(&found, owner);
            let said = said.iter().filter(|(of, _)| *of == owner).map(|(_, done)| *done);
            check(&own, &of(&before, owner), Hand::new(owner, seed ^ owner, seed, Shape::Columns), said);
            count += own.len();
        }
        assert_eq!(found.len(), count, "there are documents that nobody wrote");
        println!("round {round}: {} changes, {count} documents", said.len());
        before = found;
    }
}

/// Lets a child work until it has said so much, and then kills it: whose each change was, and whether it was done.
fn live(folder: &Path, seed: u64, most: usize) -> Vec<(u64, bool)> {
    let mut this = Command::new(std::env::current_exe().unwrap());
    this.args([NAME, "--exact", "--nocapture"]).env(CHILD, seed.to_string()).env(FOLDER, folder);
    let mut child = Killed(this.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap());
    let mut said = Vec::new();
    let mut lines = BufReader::new(child.0.stderr.take().unwrap()).lines().map(Result::unwrap);
    while let Some(line) = lines.next() {
        match line.split_once(' ').and_then(|(owner, done)| Some((owner.parse().ok()?, done == "done"))) {
            Some(word) => said.push(word),
            None => {
                child.0.kill().unwrap();
                panic!("the child says: {line}\n{}", lines.collect::<Vec<_>>().join("\n"));
            }
        }
        if said.len() == most {
            child.0.kill().unwrap();
        }
    }
    assert!(said.len() >= most, "the child ended by itself");
    said
}

/// A child that does not outlive its test.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        _ = self.0.kill();
        _ = self.0.wait();
    }
}

/// What is there of an owner is what was there before, with all changes that it said were done, and at most one more.
fn check(found: &[Value], before: &[Value], mut hand: Hand, said: impl Iterator<Item = bool>) {
    let mut list = before.to_vec();
    for done in said {
        let after = hand.draw(&list).on_list(&list, Shape::Columns).0;
        list = if done { after } else { list };
    }
    let last = hand.draw(&list);
    assert!(
        found == list || found == last.on_list(&list, Shape::Columns).0,
        "found {found:?}, not {list:?}, perhaps with {last:?}"
    );
}

fn open(folder: &Path, durability: Durability) -> Table {
    let options = Options::default().durability(durability).memtable_bytes(crate::support::buffer_of(500));
    let documents =
        Documents::open(std::sync::Arc::new(LsmEngine::new(options.open(folder).unwrap()))).unwrap();
    let table = documents
        .table("db", "t")
        .or_else(|_| documents.create_table("db", "t", Shape::Columns.schema().as_ref()))
        .unwrap();
    table.create_index(builder::unique("u"), |_| {}).unwrap();
    table
}

/// The child: until it is killed.
fn work(folder: &Path, seed: u64) {
    let table = open(folder, if seed.is_multiple_of(2) { Durability::Sync } else { Durability::Os });
    builder::resume(&table);
    let all = all(&table);
    std::thread::scope(|scope| {
        for owner in 0..WRITERS {
            let (table, list) = (&table, of(&all, owner));
            scope.spawn(move || write(table, Hand::new(owner, seed ^ owner, seed, Shape::Columns), list));
        }
        scope.spawn(|| builder::build(&table, Random::new(seed), STEPS, || false));
    });
}

fn write(table: &Table, mut hand: Hand, mut list: Vec<Value>) {
    for _ in 0..STEPS {
        let change = hand.draw(&list);
        let said = match change.on_table(table) {
            Ok(_) => {
                list = change.on_list(&list, Shape::Columns).0;
                "done"
            }
            Err(Error::NotUnique { .. }) => "refused",
            Err(other) => panic!("{change:?}: {other}"),
        };
        // In one piece, so that nobody else's words come between.
        std::io::stderr().write_all(format!("{} {said}\n", hand.owner).as_bytes()).unwrap();
    }
}
