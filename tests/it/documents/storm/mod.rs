//! All at once: writers that want the same values, indexes that come and go, power cuts, and then queries, each answered by index, by
//! scan, by count and by a list in memory.
//!
//! A run has epochs. In each, some of 16 writers change documents of their own, beside one who builds and drops indexes; unique values
//! come out of one pool, so that writers meet. It ends with a power cut, or with one before every file operation, with a close, or just
//! with a pause. What is there then is held
//! against what each writer noted ([`log`]): all that was acknowledged, what was on its way wholly or not at all; and who was refused a
//! value against who had it ([`judge`]). Then the queries are asked.
//!
//! The seed fixes what each thread does and before which file operation the power is cut. How the threads interleave is up to the
//! machine, so a failure may need a few runs to come again. `SILTSTONE_SEED=…` runs one seed, `SILTSTONE_DOCUMENT_QUERIES` sets how
//! many queries are asked.
//!
//! | module | what it has |
//! |---|---|
//! | [`change`] | what a writer does, to a table and to a list |
//! | [`log`] | what a writer did, and what may be left of it |
//! | [`builder`] | indexes come and go, and agree with the documents at every moment |
//! | [`judge`] | a value has one holder, and who is refused it was refused for somebody |

pub mod builder;
pub mod change;
pub mod judge;
pub mod log;

use super::{data, naive};
use crate::support::{Random, buffer_of, from_env, on_all_cores};
use change::Shape;
use log::{Wind, Writer};
use siltstone::Options;
use siltstone::document::value::Value;
use siltstone::document::{Documents, Query, Table};
use siltstone::store::LsmEngine;
use siltstone::vfs::mem::{CrashPolicy, MemVfs};
use std::sync::Arc;

const WRITERS: u64 = 16;
const EPOCHS: usize = 4;
/// More than an index takes in one chunk while it is built.
const MANY: u64 = 700;

/// How an epoch ends.
#[derive(Debug, Clone, Copy)]
enum End {
    /// The power is cut.
    Cut(CrashPolicy),
    /// The same, and before every file operation until then as well, to look at what each cut leaves.
    Cuts(CrashPolicy),
    Close,
    Pause,
}

/// Tells the seed when a test fails.
struct Seed(u64);

impl Drop for Seed {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("SILTSTONE_SEED={}", self.0);
        }
    }
}

/// A table, its files, and who writes to it.
struct World {
    random: Random,
    vfs: MemVfs,
    documents: Documents,
    writers: Vec<Writer>,
    /// Documents that nobody changes.
    still: Vec<Value>,
    shape: Shape,
}

fn open(vfs: &MemVfs) -> Documents {
    let options = Options::default().vfs(Arc::new(vfs.clone())).memtable_bytes(buffer_of(200));
    Documents::open(Arc::new(LsmEngine::new(options.open("db").unwrap()))).unwrap()
}

/// The documents of a table.
pub fn all(table: &Table) -> Vec<Value> {
    table.find(Value::Null).unwrap().map(Result::unwrap).collect()
}

impl World {
    fn new(seed: u64) -> World {
        let mut random = Random::new(seed);
        let vfs = MemVfs::new();
        let documents = open(&vfs);
        let shape = if random.one_in(2) { Shape::Columns } else { Shape::Free };
        let table = documents.create_table("db", "storm", shape.schema().as_ref()).unwrap();
        table.create_index(builder::unique("u"), |_| {}).unwrap();
        let many = if random.one_in(8) { MANY } else { 0 };
        let mut still = |n| {
            let document = change::document(&mut random, n, WRITERS);
            shape.stored(change::member(document, "v", Value::from(1000 + n)))
        };
        let still: Vec<Value> = (0..many).map(&mut still).collect();
        table.insert_many(still.clone()).unwrap();
        let writers = (0..WRITERS).map(|owner| Writer::new(owner, random.next(), shape)).collect();
        World { random, vfs, documents, writers, still, shape }
    }

    fn table(&self) -> Table {
        self.documents.table("db", "storm").unwrap()
    }

    /// Some writers and one builder work at the same time, until the power is cut or all is done.
    fn blow(&mut self, end: End) -> u64 {
        let active = 4 + self.random.below(WRITERS as usize - 3);
        let steps = 3 + self.random.below(10);
        let cut = self.vfs.op_count() + self.random.below(active * steps * 2) as u64;
        let seed = self.random.next();
        let cut = match end {
            End::Cut(policy) => {
                self.vfs.schedule_crash(cut, policy, seed);
                cut
            }
            End::Cuts(policy) => {
                self.vfs.schedule_crashes(self.vfs.op_count()..=cut, &[policy], seed);
                cut
            }
            End::Close | End::Pause => u64::MAX,
        };
        let first = self.random.below(WRITERS as usize);
        let builder = self.random.next();
        let (table, wind) = (self.table(), Wind::new(&self.vfs, cut));
        self.writers.rotate_left(first);
        std::thread::scope(|scope| {
            for writer in self.writers.iter_mut().take(active) {
                let (table, wind) = (&table, &wind);
                scope.spawn(move || writer.work(table, steps, wind));
            }
            let (table, wind) = (&table, &wind);
            scope.spawn(move || builder::build(table, Random::new(builder), steps, || wind.is_over()));
        });
        cut
    }

    /// What the end leaves: the table is opened again, unless it was a pause. All that was acknowledged before this file operation
    /// has to be there.
    fn calm(&mut self, end: End, cut: u64) -> u64 {
        match end {
            End::Pause => u64::MAX,
            End::Close => {
                self.documents.engine().close().unwrap();
                self.documents = open(&self.vfs);
                u64::MAX
            }
            End::Cut(policy) | End::Cuts(policy) => {
                let at = cut.min(self.vfs.op_count());
                let seed = self.random.next();
                let mut images = self.vfs.take_crash_images();
                let last = images.pop_if(|image| image.at_op == cut).map(|image| image.vfs);
                for image in images {
                    self.look(&open(&image.vfs), image.at_op);
                }
                let last = last.unwrap_or_else(|| self.vfs.crash_image(policy, seed));
                self.vfs = self.cut_again(last, policy);
                self.documents = open(&self.vfs);
                at
            }
        }
    }

    /// Now and then the power goes once more, while the table is opened.
    fn cut_again(&mut self, vfs: MemVfs, policy: CrashPolicy) -> MemVfs {
        if !self.random.one_in(4) {
            return vfs;
        }
        let seed = self.random.next();
        vfs.schedule_crash(self.random.below(40) as u64, policy, seed);
        drop(open(&vfs));
        vfs.take_crash_image().unwrap_or_else(|| vfs.crash_image(policy, seed))
    }

    /// What is there is what the logs permit, and the indexes say the same.
    fn look(&self, documents: &Documents, at: u64) -> Vec<Value> {
        let table = documents.table("db", "storm").unwrap();
        table.verify().unwrap();
        builder::resume(&table);
        table.verify().unwrap();
        let found = all(&table);
        judge::unique(&table, &found);
        let mut owned = log::of(&found, WRITERS);
        assert_eq!(owned, self.still, "nobody changed these");
        for writer in &self.writers {
            let own = log::of(&found, writer.owner);
            writer.check(&own, at);
            owned.extend(own);
        }
        assert_eq!(found.len(), owned.len(), "there are documents that nobody wrote");
        found
    }

    /// The same of what goes on, and of who had which values meanwhile.
    fn settle(&mut self, at: u64) -> Vec<Value> {
        judge::holders(&self.writers);
        let found = self.look(&self.documents, at);
        for writer in &mut self.writers {
            writer.begin(log::of(&found, writer.owner));
        }
        found
    }

    /// How many queries were asked.
    fn ask(&mut self, found: &[Value]) -> u64 {
        let table = self.table();
        let count = if self.still.is_empty() { 50 } else { 8 };
        for _ in 0..count {
            let query = query(&mut self.random, self.shape);
            let expected = naive::find(found, &query);
            let hidden = hidden(&query);
            assert_eq!(table.explain(hidden.clone()).unwrap().index, None);
            for (way, query) in [("index", &query), ("scan", &hidden)] {
                let answer: Vec<Value> = table.find(query.clone()).unwrap().map(Result::unwrap).collect();
                let plan = || table.explain(query.clone()).unwrap();
                assert!(answer == expected, "{way}: {query:?} {:?}: {answer:?}, not {expected:?}", plan());
            }
            assert_eq!(table.count(query.clone()).unwrap(), expected.len() as u64, "count: {query:?}");
        }
        count
    }
}

/// As [`data::query`], and often of the members that are unique, or of dates.
fn query(random: &mut Random, shape: Shape) -> Query {
    let mut query = data::query(random);
    let dates = shape == Shape::Columns;
    if random.one_in(2) {
        let (name, value) = match random.below(if dates { 4 } else { 2 }) {
            0 => ("u", change::wanted(random)),
            1 => ("v", change::wanted(random)),
            _ => ("at", data::date(random)),
        };
        let operator = *random.pick(&["$eq", "$gte", "$lt", "$ne", "$gt", "$lte"]);
        let clause = Value::object([(name, Value::object([(operator, value)]))]);
        query.filter = match random.below(2) {
            0 => clause,
            _ => Value::object([("$and", Value::Array(vec![clause, query.filter]))]),
        };
    }
    if dates && random.one_in(6) {
        query.sort = Value::object([("at", Value::from(if random.one_in(2) { -1_i64 } else { 1 }))]);
    }
    query
}

/// The same query in a way that no index serves: twice not, and sorted by what no document has, first of all.
fn hidden(query: &Query) -> Query {
    let not = |filter| Value::object([("$nor", Value::Array(vec![filter]))]);
    let mut sort = vec![("nothing".to_owned(), Value::from(1_u64))];
    if let Value::Object(paths) = &query.sort {
        sort.extend(paths.iter().cloned());
    }
    Query { filter: not(not(query.filter.clone())), sort: Value::Object(sort), ..query.clone() }
}

/// One table through some epochs; how many queries were asked.
fn run(seed: u64) -> u64 {
    let _seed = Seed(seed);
    let mut world = World::new(seed);
    let mut asked = 0;
    for _ in 0..EPOCHS {
        let end = match world.random.below(8) {
            0 => End::Close,
            1 => End::Pause,
            2 if world.still.is_empty() => End::Cuts(*world.random.pick(&CrashPolicy::EVERY)),
            _ => End::Cut(*world.random.pick(&CrashPolicy::EVERY)),
        };
        let cut = world.blow(end);
        let at = world.calm(end, cut);
        let found = world.settle(at);
        asked += world.ask(&found);
    }
    asked
}

#[test]
fn all_answers_agree_between_crashes_and_racing_writers() {
    let goal = from_env("SILTSTONE_DOCUMENT_QUERIES", 2000);
    match std::env::var("SILTSTONE_SEED") {
        Ok(seed) => _ = run(seed.parse().unwrap()),
        Err(_) => assert!(on_all_cores(1, goal, run) >= goal),
    }
}
