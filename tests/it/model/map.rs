//! The sorted map that a database is compared with, and what of it a power cut may take.

use super::answer::Answer;
use super::data::{Key, Keys, Look, V};
use super::transactions::Tx;
use super::walks::{self, Bounds, Span, Walk};
use super::{snapshots, transactions};
use siltstone::Durability;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

pub type Map = BTreeMap<Key, Look>;

/// What the database is expected to hold and to say.
pub struct Model {
    pub keys: Arc<Keys>,
    pub map: Map,
    /// What is in the keyspace beside, if it is there.
    pub side: Option<Map>,
    /// By slot.
    pub snapshots: [Option<Then>; snapshots::SLOTS],
    /// By slot, what is left to give out.
    pub ranges: [Option<Walk>; walks::SLOTS],
    /// By slot, where a walk in pages goes on.
    pub pages: [Option<Bounds>; walks::SLOTS],
    /// By slot.
    pub transactions: [Option<Tx>; transactions::SLOTS],
    /// How often the database was opened anew.
    pub life: usize,
    /// On the monotonic clock.
    pub now: Duration,
    /// What a write asks for that asks for nothing.
    pub default: Durability,
    /// What a database was found to hold after a power cut, for [`Model::recover`], and what beside.
    pub found: Option<Map>,
    pub found_aside: Option<Map>,
    past: Option<Past>,
}

/// What a snapshot shows.
#[derive(Clone)]
pub struct Then {
    /// `None` when its database was closed.
    pub map: Option<Map>,
    /// Which life of the database it belongs to.
    pub life: usize,
}

/// Which writes are durable for certain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durable {
    AllSoFar,
    /// And nothing is to be waited for any more.
    Reopened,
}

/// The writes that a power cut may take, all from one of them on.
#[derive(Default)]
struct Past {
    /// The state before the first of `since`.
    base: Map,
    since: Vec<Vec<(Key, Option<Look>)>>,
    /// How many of `since` are durable for certain.
    least: usize,
    /// How many will be when what was left is waited for.
    left: usize,
    /// When the next interval write makes everything durable.
    deadline: Option<Duration>,
}

/// Above so many writes those that are durable are put into the base.
const MANY: usize = 500;

impl Model {
    /// An empty one. Only a `lossy` one can tell what a power cut may take.
    pub fn new(keys: &Arc<Keys>, lossy: bool) -> Model {
        Model {
            keys: Arc::clone(keys),
            map: Map::new(),
            side: None,
            snapshots: Default::default(),
            ranges: Default::default(),
            transactions: Default::default(),
            pages: Default::default(),
            life: 0,
            now: Duration::ZERO,
            default: Durability::Os,
            found: None,
            found_aside: None,
            past: lossy.then(Past::default),
        }
    }

    pub fn get(&self, key: u32) -> Option<Look> {
        self.map.get(self.keys.bytes(key)).copied()
    }

    pub fn write(&mut self, pairs: &[(u32, Option<V>)]) {
        let pair = |(key, value): &(u32, Option<V>)| (self.keys.get(*key).clone(), value.map(V::look));
        self.write_pairs(pairs.iter().map(pair).collect());
    }

    fn write_pairs(&mut self, pairs: Vec<(Key, Option<Look>)>) {
        apply(&mut self.map, &pairs);
        for tx in self.transactions.iter_mut().flatten() {
            tx.changed.extend(pairs.iter().map(|(key, _)| key.clone()));
        }
        if let Some(past) = &mut self.past {
            past.since.push(pairs);
        }
    }

    /// One write: puts, then the deletion of what the map has in some spans, then puts and deletions. It ends all transactions.
    pub fn write_ranges(&mut self, before: &[(u32, V)], spans: &[Span], after: &[(u32, Option<V>)]) {
        let mut pairs: Vec<_> =
            before.iter().map(|(key, value)| (self.keys.get(*key).clone(), Some(value.look()))).collect();
        let mut then = self.map.clone();
        apply(&mut then, &pairs);
        for span in spans {
            pairs.extend(span.on_map(&then, &self.keys).map(|(key, _)| (key.clone(), None)));
        }
        pairs.extend(after.iter().map(|(key, value)| (self.keys.get(*key).clone(), value.map(V::look))));
        self.transactions = Default::default();
        self.write_pairs(pairs);
    }

    pub fn durable(&mut self, what: Durable) {
        let Some(past) = &mut self.past else { return };
        past.least = past.since.len();
        if what == Durable::Reopened {
            past.left = 0;
            past.deadline = None;
        }
        if past.since.len() > MANY {
            for pairs in past.since.drain(..) {
                apply(&mut past.base, &pairs);
            }
            (past.least, past.left) = (0, 0);
        }
    }

    /// The last write asked to be synced, and was not waited for.
    pub fn leave(&mut self) {
        if let Some(past) = &mut self.past {
            past.left = past.since.len();
        }
    }

    /// It was waited for now.
    pub fn await_left(&mut self) {
        if let Some(past) = &mut self.past {
            past.least = past.least.max(past.left);
        }
    }

    /// The last write asked to be synced within so long. Without threads, the first such write after that time does it.
    pub fn within(&mut self, interval: Duration) {
        let Some(past) = &mut self.past else { return };
        let asked = self.now + interval;
        let deadline = past.deadline.map_or(asked, |earlier| earlier.min(asked));
        past.deadline = Some(deadline).filter(|at| *at > self.now);
        if past.deadline.is_none() {
            self.durable(Durable::AllSoFar);
        }
    }

    /// Takes over what was found after a power cut, if that can be: the state after some of the writes, in their order, and
    /// after all that were durable.
    pub fn recover(&mut self, answer: &mut Answer) {
        let (Some(found), Some(past)) = (self.found.take(), &mut self.past) else {
            return answer.fact("nothing was noted of what is left");
        };
        let mut state = std::mem::take(&mut past.base);
        let (mut sum, wanted) = (fingerprint(&state), fingerprint(&found));
        for (n, pairs) in past.since.drain(..).map(Some).chain([None]).enumerate() {
            if n >= past.least && sum == wanted && state == found {
                break;
            }
            let Some(pairs) = pairs else {
                answer.fact(format_args!("a state that never was, of {} pairs", found.len()));
                break;
            };
            sum = sum.wrapping_add(apply(&mut state, &pairs));
        }
        *past = Past { base: found.clone(), ..Past::default() };
        self.map = found;
        self.side = self.found_aside.take();
    }
}

/// Gives what is to be added to the fingerprint.
fn apply(map: &mut Map, pairs: &[(Key, Option<Look>)]) -> u64 {
    let mut change = 0u64;
    for (key, look) in pairs {
        let old = match look {
            Some(look) => map.insert(key.clone(), *look),
            None => map.remove(key),
        };
        let print = |look: Option<Look>| look.map_or(0, |look| print(key, look));
        change = change.wrapping_add(print(*look)).wrapping_sub(print(old));
    }
    change
}

fn print(key: &Key, look: Look) -> u64 {
    (key.hash ^ look.number().rotate_left(32)).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

fn fingerprint(map: &Map) -> u64 {
    map.iter().map(|(key, look)| print(key, *look)).fold(0, u64::wrapping_add)
}
