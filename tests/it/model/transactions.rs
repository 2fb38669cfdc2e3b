//! Transactions that live among all other operations, and batches that require something.
//!
//! The map keeps for each transaction what it read, key by key of all that there can be, and what was written meanwhile; so it
//! knows exactly which commit conflicts.

use super::answer::Answer;
use super::data::{Key, Keys, Look, V};
use super::database::Database;
use super::map::{Map, Model};
use super::op::Shape;
use super::ranges;
use super::walks::{Span, is_open, moves, say_found, say_pair, step};
use super::writes::{Form, Kind, acknowledged};
use crate::support::Random;
use siltstone::{Db, Durability, Error, Result, Transaction, WriteBatch, WriteOptions};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// How many can live at once.
pub const SLOTS: usize = 3;

#[derive(Debug, Clone, PartialEq)]
pub enum Transactions {
    Begin { slot: usize },
    TransactionGet { slot: usize, key: u32 },
    TransactionScan { slot: usize, span: Span, moves: Vec<i16> },
    TransactionWrite { slot: usize, key: u32, value: Option<V> },
    TransactionDelete { slot: usize, span: Span },
    TransactionCommit { slot: usize, durability: Option<Kind> },
    Rollback { slot: usize },
    Conditional { conditions: Vec<(u32, Wanted)>, pairs: Vec<(u32, Option<V>)> },
}

/// What a batch requires of a key.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Wanted {
    Absent,
    Present,
    /// As it is right now.
    Same,
    Value(V),
}

/// A transaction as the map knows it.
#[derive(Default)]
pub struct Tx {
    /// What it sees.
    map: Map,
    writes: BTreeMap<Key, (u32, Option<V>)>,
    /// The ranges it deletes, before its writes.
    deletes: Vec<Span>,
    deleted: BTreeSet<Key>,
    read: BTreeSet<Key>,
    /// What others have written since it began.
    pub changed: BTreeSet<Key>,
}

/// A transaction of the database.
pub struct Live {
    tx: Transaction,
    /// It deletes a range, which ends the others when it commits: see [`ranges`].
    deletes: bool,
}

impl Transactions {
    pub fn random(random: &mut Random, shape: &mut Shape) -> Transactions {
        let slot = random.below(SLOTS);
        let mut value = |random: &mut Random| {
            shape.stamp += 1;
            let value = V::random(random, shape.stamp);
            Some(value).filter(|_| !random.one_in(4))
        };
        match random.below(20) {
            0..3 => Transactions::Begin { slot },
            3..7 => Transactions::TransactionGet { slot, key: shape.space.any(random) },
            7..9 => {
                let (span, moves) = (Span::random(random, shape), moves(random));
                Transactions::TransactionScan { slot, span, moves }
            }
            9 if random.one_in(2) => {
                Transactions::TransactionDelete { slot, span: Span::random(random, shape) }
            }
            9..13 => {
                let value = value(random);
                Transactions::TransactionWrite { slot, key: shape.space.key(random), value }
            }
            13..17 => {
                let kinds = [None, None, Some(Kind::Sync), Some(Kind::Os), Some(Kind::Interval(50))];
                Transactions::TransactionCommit { slot, durability: *random.pick(&kinds) }
            }
            17 => Transactions::Rollback { slot },
            _ => {
                let pairs: Vec<_> = (0..1 + random.below(3)).map(|_| value(random)).collect();
                let pairs = pairs.into_iter().map(|value| (shape.space.key(random), value)).collect();
                let wanted = |random: &mut Random, stamp: u32| match random.below(6) {
                    0 => Wanted::Absent,
                    1 => Wanted::Present,
                    2 => Wanted::Value(V::random(random, stamp)),
                    _ => Wanted::Same,
                };
                let condition = |random: &mut Random| (shape.space.any(random), wanted(random, shape.stamp));
                let conditions = (0..1 + random.below(3)).map(|_| condition(random)).collect();
                Transactions::Conditional { conditions, pairs }
            }
        }
    }

    pub fn on_map(&self, map: &mut Model, answer: &mut Answer) {
        match self {
            Transactions::Conditional { conditions, pairs } => {
                conditional_on_map(map, answer, conditions, pairs);
            }
            Transactions::Begin { slot } => {
                map.transactions[*slot] = Some(Tx { map: map.map.clone(), ..Tx::default() });
            }
            Transactions::Rollback { slot } => map.transactions[*slot] = None,
            Transactions::TransactionCommit { slot, durability } => {
                let Some(tx) = map.transactions[*slot].take() else { return };
                let only_reads = tx.writes.is_empty() && tx.deletes.is_empty();
                let is_sound = only_reads || tx.read.is_disjoint(&tx.changed);
                answer.fact(if is_sound { "committed" } else { "conflict" });
                let writes: Vec<_> = tx.writes.into_values().collect();
                match (is_sound, tx.deletes.as_slice(), writes.as_slice()) {
                    (false, ..) | (true, [], []) => return,
                    (true, [], _) => map.write(&writes),
                    (true, deletes, _) => map.write_ranges(&[], deletes, &writes),
                }
                acknowledged(map, Form::Write, *durability);
            }
            Transactions::TransactionGet { slot, key } => {
                let Some(tx) = &mut map.transactions[*slot] else { return };
                let key = map.keys.get(*key);
                if !tx.writes.contains_key(key) && !tx.deleted.contains(key) {
                    tx.read.insert(key.clone());
                }
                answer.value(tx.map.get(key).copied());
            }
            Transactions::TransactionScan { slot, span, moves } => {
                let Some(tx) = &mut map.transactions[*slot] else { return };
                tx.scan(&map.keys, span, moves, answer);
            }
            Transactions::TransactionWrite { slot, key, value } => {
                let Some(tx) = &mut map.transactions[*slot] else { return };
                let place = map.keys.get(*key).clone();
                match value {
                    Some(value) => tx.map.insert(place.clone(), value.look()),
                    None => tx.map.remove(&place),
                };
                tx.writes.insert(place, (*key, *value));
            }
            Transactions::TransactionDelete { slot, span } => {
                let Some(tx) = &mut map.transactions[*slot] else { return };
                tx.delete(&map.keys, span);
            }
        }
    }

    pub fn on_db(&self, db: &mut Database, answer: &mut Answer) -> Result<()> {
        let keys = Arc::clone(&db.keys);
        match self {
            Transactions::Begin { slot } => {
                db.transactions[*slot] = Some(Live { tx: db.db().transaction(), deletes: false });
            }
            Transactions::Rollback { slot } => {
                if let Some(live) = db.transactions[*slot].take() {
                    live.tx.rollback();
                }
            }
            Transactions::TransactionGet { slot, key } => {
                if let Some(Live { tx, .. }) = &db.transactions[*slot] {
                    answer.found(tx.get(keys.bytes(*key))?.as_ref());
                }
            }
            Transactions::TransactionScan { slot, span, moves } => {
                if let Some(Live { tx, .. }) = &db.transactions[*slot] {
                    let mut walk = span.on_transaction(tx, &keys);
                    step(&mut walk, moves, |found| say_found(answer, found))?;
                }
            }
            Transactions::TransactionWrite { slot, key, value } => {
                if let Some(Live { tx, .. }) = &mut db.transactions[*slot] {
                    match value {
                        Some(value) => tx.put(keys.bytes(*key), value.bytes())?,
                        None => tx.delete(keys.bytes(*key))?,
                    }
                }
            }
            Transactions::TransactionDelete { slot, span } => {
                if let Some(live) = &mut db.transactions[*slot] {
                    let bounds = span.bounds(&keys);
                    live.deletes |= is_open(&bounds);
                    live.tx.delete_range::<&[u8]>((ranges::slice(&bounds.0), ranges::slice(&bounds.1)))?;
                }
            }
            Transactions::TransactionCommit { slot, durability } => {
                let Some(Live { tx, deletes }) = db.transactions[*slot].take() else { return Ok(()) };
                match tx.commit_with(WriteOptions { durability: durability.map(Durability::from) }) {
                    Err(Error::Conflict { .. }) => answer.fact("conflict"),
                    done => {
                        done?;
                        answer.fact("committed");
                        if deletes {
                            db.transactions = Default::default();
                        }
                    }
                }
            }
            Transactions::Conditional { conditions, pairs } => {
                match db.db().write(conditional(db.db(), &keys, conditions, pairs)?) {
                    Err(Error::ConditionFailed { .. }) => answer.fact("refused"),
                    done => done.map(|()| answer.fact("written"))?,
                }
            }
        }
        Ok(())
    }
}

impl Tx {
    fn delete(&mut self, keys: &Keys, span: &Span) {
        if !is_open(&span.bounds(keys)) {
            return;
        }
        let any = Look::of(&V { stamp: 0, len: 0 }.bytes());
        let all: Map = keys.all().iter().map(|key| (key.clone(), any)).collect();
        for (key, _) in span.on_map(&all, keys) {
            self.map.remove(key);
            self.writes.remove(key);
            self.deleted.insert(key.clone());
        }
        self.deletes.push(span.clone());
    }

    fn scan(&mut self, keys: &Keys, span: &Span, moves: &[i16], answer: &mut Answer) {
        let walk = span.on_map(&self.map, keys);
        let mut walk = Watched { walk, front: None, back: None, whole: false };
        let _ = step(&mut walk, moves, |pair| say_pair(answer, pair));
        let Watched { front, back, whole, .. } = walk;
        let any = Look::of(&V { stamp: 0, len: 0 }.bytes());
        let all: Map = keys.all().iter().map(|key| (key.clone(), any)).collect();
        let came_to =
            |key: &Key| whole || front.is_some_and(|end| key <= end) || back.is_some_and(|end| key >= end);
        let passed = span.on_map(&all, keys).map(|(key, _)| key).filter(|key| came_to(key));
        self.read.extend(passed.cloned());
    }
}

fn conditional(
    db: &Db,
    keys: &Keys,
    conditions: &[(u32, Wanted)],
    pairs: &[(u32, Option<V>)],
) -> Result<WriteBatch> {
    let mut batch = WriteBatch::new();
    for (key, wanted) in conditions {
        let key = keys.bytes(*key);
        match wanted {
            Wanted::Absent => batch.require_absent(key),
            Wanted::Present => batch.require_present(key),
            Wanted::Value(value) => batch.require_value(key, value.bytes()),
            Wanted::Same => match db.get(key)? {
                Some(value) => batch.require_value(key, value),
                None => batch.require_absent(key),
            },
        }
    }
    for (key, value) in pairs {
        match value {
            Some(value) => batch.put(keys.bytes(*key), value.bytes()),
            None => batch.delete(keys.bytes(*key)),
        }
    }
    Ok(batch)
}

fn conditional_on_map(
    map: &mut Model,
    answer: &mut Answer,
    conditions: &[(u32, Wanted)],
    pairs: &[(u32, Option<V>)],
) {
    let holds = |(key, wanted): &(u32, Wanted)| match (wanted, map.get(*key)) {
        (Wanted::Same, _) => true,
        (Wanted::Absent, found) => found.is_none(),
        (Wanted::Present, found) => found.is_some(),
        (Wanted::Value(value), found) => found == Some(value.look()),
    };
    if !conditions.iter().all(holds) {
        return answer.fact("refused");
    }
    map.write(pairs);
    acknowledged(map, Form::Write, None);
    answer.fact("written");
}

/// A walk that notes how far it went.
struct Watched<'m> {
    walk: Box<dyn DoubleEndedIterator<Item = (&'m Key, Look)> + 'm>,
    front: Option<&'m Key>,
    back: Option<&'m Key>,
    whole: bool,
}

impl<'m> Iterator for Watched<'m> {
    type Item = (&'m Key, Look);

    fn next(&mut self) -> Option<(&'m Key, Look)> {
        let pair = self.walk.next();
        self.whole |= pair.is_none();
        self.front = pair.map(|(key, _)| key).or(self.front);
        pair
    }
}

impl DoubleEndedIterator for Watched<'_> {
    fn next_back(&mut self) -> Option<Self::Item> {
        let pair = self.walk.next_back();
        self.whole |= pair.is_none();
        self.back = pair.map(|(key, _)| key).or(self.back);
        pair
    }
}
