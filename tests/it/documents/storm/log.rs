//! What a writer did, and what may be left of it.
//!
//! A writer does one thing after the other, to documents that nobody else touches, so its log says what they are from each moment on.
//! Moments are counted twice: in ticks of a clock that all threads share, and in file operations, before one of which the power is cut.

use super::change::{Hand, Shape};
use siltstone::document::value::Value;
use siltstone::document::{Error, Table};
use siltstone::vfs::mem::MemVfs;
use std::sync::atomic::{AtomicU64, Ordering};

/// What the threads of an epoch share.
pub struct Wind<'v> {
    ticks: AtomicU64,
    vfs: &'v MemVfs,
    /// The power is cut before this file operation, and nobody works on long after it.
    cut: u64,
}

#[derive(Debug, Clone, Copy)]
pub struct Moment {
    pub tick: u64,
    /// So many file operations were done.
    pub ops: u64,
}

/// What the documents of a writer are, after a change that was acknowledged.
#[derive(Debug)]
pub struct State {
    pub begun: Moment,
    pub done: Moment,
    pub list: Vec<Value>,
}

/// A change that was refused for a value that somebody has.
#[derive(Debug)]
pub struct Refusal {
    pub begun: Moment,
    pub done: Moment,
    /// What the documents would have been.
    pub list: Vec<Value>,
    pub field: String,
    pub value: Value,
}

/// What a writer did in an epoch; the first state is that before it.
#[derive(Debug)]
pub struct Log {
    pub states: Vec<State>,
    pub refusals: Vec<Refusal>,
}

/// Who changes documents of its own.
pub struct Writer {
    pub owner: u64,
    pub log: Log,
    hand: Hand,
    shape: Shape,
}

/// The documents of an owner.
pub fn of(list: &[Value], owner: u64) -> Vec<Value> {
    let owner = Value::from(owner);
    list.iter().filter(|document| document.get("owner") == Some(&owner)).cloned().collect()
}

impl<'v> Wind<'v> {
    pub fn new(vfs: &'v MemVfs, cut: u64) -> Wind<'v> {
        Wind { ticks: AtomicU64::new(1), vfs, cut }
    }

    pub fn is_over(&self) -> bool {
        self.vfs.op_count() > self.cut
    }

    fn now(&self) -> Moment {
        Moment { ops: self.vfs.op_count(), tick: self.ticks.fetch_add(1, Ordering::SeqCst) }
    }
}

impl Log {
    fn new(list: Vec<Value>) -> Log {
        let begin = Moment { tick: 0, ops: 0 };
        Log { states: vec![State { begun: begin, done: begin, list }], refusals: Vec::new() }
    }

    /// The documents as they are now.
    pub fn list(&self) -> &[Value] {
        &self.states.last().unwrap().list
    }

    /// What may be there after a power cut before a file operation: the last state that was acknowledged by then, or a later one that
    /// had begun.
    fn permitted(&self, at: u64) -> &[State] {
        let last = |moment: fn(&State) -> Moment| {
            self.states.iter().rposition(|state| moment(state).ops <= at).unwrap()
        };
        &self.states[last(|state| state.done)..=last(|state| state.begun)]
    }
}

impl Writer {
    pub fn new(owner: u64, seed: u64, shape: Shape) -> Writer {
        Writer { owner, log: Log::new(Vec::new()), hand: Hand::new(owner, seed, 0, shape), shape }
    }

    pub fn work(&mut self, table: &Table, steps: usize, wind: &Wind<'_>) {
        for _ in 0..steps {
            if wind.is_over() {
                return;
            }
            let change = self.hand.draw(self.log.list());
            let (list, count) = change.on_list(self.log.list(), self.shape);
            let begun = wind.now();
            let result = change.on_table(table);
            let done = wind.now();
            match result {
                Ok(found) => {
                    assert_eq!(found, count, "writer {}: {change:?}", self.owner);
                    self.log.states.push(State { begun, done, list });
                }
                Err(Error::NotUnique { field, value }) => {
                    self.log.refusals.push(Refusal { begun, done, list, field, value });
                }
                Err(other) => panic!("writer {}: {change:?}: {other}", self.owner),
            }
        }
    }

    /// Holds what was found against the log.
    pub fn check(&self, found: &[Value], at: u64) {
        let permitted = self.log.permitted(at);
        assert!(
            permitted.iter().any(|state| state.list == found),
            "writer {}, the power cut before operation {at}: found {found:?}, not one of {permitted:?}",
            self.owner
        );
    }

    /// Goes on with what was found.
    pub fn begin(&mut self, found: Vec<Value>) {
        self.log = Log::new(found);
    }
}
