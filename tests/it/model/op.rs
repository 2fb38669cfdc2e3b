//! The operations: an enum with a variant for each idea, and a file for each idea.
//!
//! To add one, write a file like [`writes`](super::writes) with an enum of its operations, `random`, `on_map` and `on_db`, and
//! add it here: a variant, a weight, and three lines. An operation must make sense after any others, since the shrinker
//! takes them away one by one: one on a slot that is empty does nothing.

use super::answer::Answer;
use super::data::Space;
use super::database::Database;
use super::lives::Lives;
use super::map::Model;
use super::ranges::Ranges;
use super::reads::Reads;
use super::snapshots::Snapshots;
use super::spaces::Spaces;
use super::time::Time;
use super::transactions::Transactions;
use super::upkeep::Upkeep;
use super::walks::Walks;
use super::writes::Writes;
use crate::support::Random;

/// One thing done to a database, and to a map.
#[derive(Debug, Clone, PartialEq)]
pub enum Op {
    Writes(Writes),
    Ranges(Ranges),
    Spaces(Spaces),
    Reads(Reads),
    Walks(Walks),
    Snapshots(Snapshots),
    Upkeep(Upkeep),
    Lives(Lives),
    Time(Time),
    Transactions(Transactions),
}

/// What a stream is like: how often each idea comes, and what is common to its operations.
#[derive(Debug, Clone)]
pub struct Shape {
    pub space: Space,
    /// Whether power cuts may lose what was not durable. What is left depends on the options then, so histories differ.
    pub lossy: bool,
    /// The sum of the weights up to each idea.
    weights: [usize; 10],
    /// Numbers for values, so that no two are alike.
    pub stamp: u32,
}

impl Shape {
    /// Some ideas come more often in a stream than in another, and some not at all: what they do to each other is seen best
    /// when the others do not get in between (Groce and others, "Swarm testing", 2012).
    pub fn random(random: &mut Random, lossy: bool) -> Shape {
        let usual = [420, 250, 200, 60, 25, 7, 10, 12, 12, 120];
        let mut sum = 0;
        let weights = usual.map(|usual| {
            sum += usual * *random.pick(&[0, 1, 1, 1, 3]);
            sum
        });
        let space = Space::random(random);
        // A stream that never writes finds nothing.
        if weights[0] == 0 { Shape::random(random, lossy) } else { Shape { space, lossy, weights, stamp: 0 } }
    }
}

impl Op {
    pub fn random(random: &mut Random, shape: &mut Shape) -> Op {
        let at = random.below(shape.weights[9]);
        match shape.weights.iter().position(|sum| at < *sum) {
            Some(0) => Op::Writes(Writes::random(random, shape)),
            Some(1) => Op::Reads(Reads::random(random, shape)),
            Some(2) => Op::Walks(Walks::random(random, shape)),
            Some(3) => Op::Snapshots(Snapshots::random(random, shape)),
            Some(4) => Op::Upkeep(Upkeep::random(random, shape)),
            Some(5) => Op::Lives(Lives::random(random, shape)),
            Some(6) => Op::Time(Time::random(random)),
            Some(7) => Op::Ranges(Ranges::random(random, shape)),
            Some(8) => Op::Spaces(Spaces::random(random, shape)),
            _ => Op::Transactions(Transactions::random(random, shape)),
        }
    }

    pub fn on_map(&self, map: &mut Model, answer: &mut Answer) {
        match self {
            Op::Writes(op) => op.on_map(map, answer),
            Op::Ranges(op) => op.on_map(map, answer),
            Op::Spaces(op) => op.on_map(map, answer),
            Op::Reads(op) => op.on_map(map, answer),
            Op::Walks(op) => op.on_map(map, answer),
            Op::Snapshots(op) => op.on_map(map, answer),
            Op::Upkeep(op) => op.on_map(map, answer),
            Op::Lives(op) => op.on_map(map, answer),
            Op::Time(op) => op.on_map(map),
            Op::Transactions(op) => op.on_map(map, answer),
        }
    }

    /// An error becomes part of the answer, and so a difference.
    pub fn on_db(&self, db: &mut Database, answer: &mut Answer) {
        let done = match self {
            Op::Writes(op) => op.on_db(db),
            Op::Ranges(op) => op.on_db(db),
            Op::Spaces(op) => op.on_db(db, answer),
            Op::Reads(op) => op.on_db(db, answer),
            Op::Walks(op) => op.on_db(db, answer),
            Op::Snapshots(op) => op.on_db(db, answer),
            Op::Upkeep(op) => op.on_db(db, answer),
            Op::Lives(op) => op.on_db(db, answer),
            Op::Time(op) => {
                op.on_db(db);
                Ok(())
            }
            Op::Transactions(op) => op.on_db(db, answer),
        };
        if let Err(error) = done {
            answer.fact(error);
        }
    }

    /// Smaller ones to try in its place.
    pub fn simpler(&self) -> Vec<Op> {
        match self {
            Op::Writes(op) => op.simpler().into_iter().map(Op::Writes).collect(),
            _ => Vec::new(),
        }
    }
}

/// The operations of a stream.
pub struct Stream {
    pub space: Space,
    pub ops: Vec<Op>,
}

impl Stream {
    pub fn new(seed: u64, len: usize, lossy: bool) -> Stream {
        let mut random = Random::new(seed);
        let mut shape = Shape::random(&mut random, lossy);
        let mut ops: Vec<Op> = (1..len).map(|_| Op::random(&mut random, &mut shape)).collect();
        ops.push(Op::Upkeep(Upkeep::Everything));
        Stream { space: shape.space, ops }
    }
}
