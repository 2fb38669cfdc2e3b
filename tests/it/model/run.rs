//! A list of operations on a database, and what is expected of it.

use super::after;
use super::answer::Answer;
use super::data::{Keys, Space};
use super::database::Database;
use super::map::Model;
use super::op::{Op, Stream};
use super::options::Set;
use std::cell::Cell;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

/// Where a run went wrong, and how.
#[derive(Debug, Clone)]
pub struct Difference {
    /// The number of the operation; after the last one, what is checked then.
    pub at: usize,
    pub what: String,
}

/// What databases did besides.
#[derive(Debug, Clone, Copy, Default)]
pub struct Run {
    pub opened: u64,
    pub crashes: u64,
    pub flushes: u64,
    pub compactions: u64,
}

impl std::ops::AddAssign for Run {
    fn add_assign(&mut self, other: Run) {
        self.opened += other.opened;
        self.crashes += other.crashes;
        self.flushes += other.flushes;
        self.compactions += other.compactions;
    }
}

impl Run {
    /// A test without any of these would show little.
    pub fn assert_some_of_each(self) {
        assert!(self.opened > 0 && self.crashes > 0 && self.flushes > 0 && self.compactions > 0, "{self:?}");
    }
}

impl Difference {
    /// What kind it is, so that a shorter list is known to go wrong in the same way: its words up to the first number or
    /// brace, which for an answer are the name of the operation.
    pub fn kind(&self) -> &str {
        let end = self.what.find(|c: char| c.is_ascii_digit() || c == '{' || c == '\n');
        &self.what[..end.unwrap_or(self.what.len())]
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at operation {}: {}", self.at, self.what)
    }
}

/// What the map answers to each operation of a stream that loses nothing.
pub fn history(stream: &Stream) -> Vec<u64> {
    let mut map = Model::new(&Arc::new(Keys::new(stream.space)), false);
    let answer = |op: &Op| {
        let mut answer = Answer::brief();
        op.on_map(&mut map, &mut answer);
        answer.number
    };
    stream.ops.iter().map(answer).collect()
}

/// Runs a stream under a set of options; its history must be this one.
pub fn repeat(stream: &Stream, set: &Set, history: &[u64]) -> Result<Run, Difference> {
    run(&stream.ops, &Arc::new(Keys::new(stream.space)), set, &Answer::brief(), |at, _, _| Answer {
        number: history[at],
        words: None,
    })
}

/// Runs operations step by step beside the map, which is told what power cuts left.
pub fn beside_a_map(ops: &[Op], space: Space, set: &Set) -> Result<Run, Difference> {
    beside(ops, space, set, &Answer::brief())
}

/// The same again, for people to read what differs; `None` when it does not happen again.
pub fn in_words(ops: &[Op], space: Space, set: &Set) -> Option<Difference> {
    beside(ops, space, set, &Answer::in_words()).err()
}

fn beside(ops: &[Op], space: Space, set: &Set, empty: &Answer) -> Result<Run, Difference> {
    let keys = Arc::new(Keys::new(space));
    let mut map = Model::new(&keys, true);
    map.default = set.choice(0).durability;
    run(ops, &keys, set, empty, |_, op, db| {
        let mut answer = empty.clone();
        map.found = db.found.take();
        map.found_aside = db.found_aside.take();
        op.on_map(&mut map, &mut answer);
        map.default = db.default();
        answer
    })
}

fn run(
    ops: &[Op],
    keys: &Arc<Keys>,
    set: &Set,
    empty: &Answer,
    mut expect: impl FnMut(usize, &Op, &mut Database) -> Answer,
) -> Result<Run, Difference> {
    let at = Cell::new(0);
    let whole = catch_unwind(AssertUnwindSafe(|| {
        let mut db = Database::new(keys, set).map_err(|error| error.to_string())?;
        for (n, op) in ops.iter().enumerate() {
            at.set(n);
            let mut found = empty.clone();
            op.on_db(&mut db, &mut found);
            let expected = expect(n, op, &mut db);
            if found != expected {
                return Err(differ(op, &found, &expected));
            }
        }
        at.set(ops.len());
        after::check(&mut db)?;
        Ok(db.did)
    }));
    let what = match whole {
        Ok(Ok(run)) => return Ok(run),
        Ok(Err(what)) => what,
        Err(panic) => format!("a panic: {}", message(&*panic)),
    };
    Err(Difference { at: at.get(), what })
}

fn differ(op: &Op, found: &Answer, expected: &Answer) -> String {
    let words = |answer: &Answer| answer.words.clone().unwrap_or_else(|| format!("{:x}", answer.number));
    format!("{op:?}\nthe database answers {}\nthe sorted map      {}", words(found), words(expected))
}

fn message(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().cloned();
    text.or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string)).unwrap_or_default()
}
