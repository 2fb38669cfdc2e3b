//! Ordered walks: over any span, in changing directions, at once or bit by bit while others write; brought to the present; over
//! keys alone; and in pages, each of which begins anew.

use super::answer::Answer;
use super::data::{Key, Keys, Look};
use super::database::Database;
use super::map::{Map, Model};
use super::op::Shape;
use crate::support::Random;
use siltstone::{Db, Range, Result, Slice, Snapshot, Transaction, TransactionRange};
use std::collections::VecDeque;
use std::ops::Bound;
use xxhash_rust::xxh3::xxh3_64;

/// How many iterators can be open at once.
pub const SLOTS: usize = 3;

#[derive(Debug, Clone, PartialEq)]
pub enum Walks {
    Scan {
        span: Span,
        moves: Vec<i16>,
    },
    OpenRange {
        slot: usize,
        span: Span,
    },
    StepRange {
        slot: usize,
        moves: Vec<i16>,
    },
    /// Brings one to the present.
    RefreshRange {
        slot: usize,
    },
    CloseRange {
        slot: usize,
    },
    /// Over the keys alone.
    Keys {
        span: Span,
        moves: Vec<i16>,
    },
    OpenPages {
        slot: usize,
        span: Span,
    },
    /// The next page of what is left, from either end, perhaps in another life of the database.
    NextPage {
        slot: usize,
        limit: usize,
        back: bool,
    },
    Count,
}

/// A part of all keys.
#[derive(Debug, Clone, PartialEq)]
pub enum Span {
    All,
    Between {
        lower: Bound<u32>,
        upper: Bound<u32>,
    },
    /// All that begin with the first bytes of a key.
    Prefix {
        key: u32,
        len: usize,
    },
}

/// To the end.
pub const END: i16 = i16::MAX;

/// Runs of steps, forwards or backwards.
pub fn moves(random: &mut Random) -> Vec<i16> {
    match random.below(4) {
        0 => vec![*random.pick(&[END, -END])],
        1 => vec![(1 + random.below(30)) as i16],
        2 => vec![-1 - random.below(30) as i16],
        _ => (0..random.below(8)).map(|_| random.below(13) as i16 - 6).collect(),
    }
}

impl Span {
    pub fn random(random: &mut Random, shape: &Shape) -> Span {
        let mut bound = || match random.below(5) {
            0 => Bound::Unbounded,
            1 | 2 => Bound::Included(shape.space.any(random)),
            _ => Bound::Excluded(shape.space.any(random)),
        };
        let (lower, upper) = (bound(), bound());
        match random.below(8) {
            0 => Span::All,
            1 | 2 => Span::Prefix { key: shape.space.any(random), len: random.below(8) },
            _ => Span::Between { lower, upper },
        }
    }

    pub fn prefix(keys: &Keys, key: u32, len: usize) -> &[u8] {
        let key = keys.bytes(key);
        &key[..key.len().min(len)]
    }

    /// A walk of a transaction over it.
    pub fn on_transaction(&self, tx: &Transaction, keys: &Keys) -> TransactionRange {
        match self {
            Span::All => tx.iter(),
            Span::Prefix { key, len } => tx.prefix(Span::prefix(keys, *key, *len)),
            Span::Between { lower, upper } => {
                tx.range::<&[u8]>((lower.map(|n| keys.bytes(n)), upper.map(|n| keys.bytes(n))))
            }
        }
    }

    /// The pairs of the map in it.
    pub fn on_map<'m>(
        &self,
        map: &'m Map,
        keys: &Keys,
    ) -> Box<dyn DoubleEndedIterator<Item = (&'m Key, Look)> + 'm> {
        let pairs = |bounds: (Bound<&[u8]>, Bound<&[u8]>)| map.range::<[u8], _>(bounds).map(|(k, v)| (k, *v));
        match self {
            Span::All => Box::new(map.iter().map(|(key, look)| (key, *look))),
            Span::Prefix { key, len } => {
                let prefix = Span::prefix(keys, *key, *len).to_vec();
                let with: Vec<_> = pairs((Bound::Included(&prefix), Bound::Unbounded))
                    .take_while(|(key, _)| key.bytes.starts_with(&prefix))
                    .collect();
                Box::new(with.into_iter())
            }
            Span::Between { lower, upper } => {
                let bounds = (lower.map(|n| keys.bytes(n)), upper.map(|n| keys.bytes(n)));
                if is_backward(bounds) { Box::new(std::iter::empty()) } else { Box::new(pairs(bounds)) }
            }
        }
    }
}

/// What the standard library's map refuses, and a database shows nothing for.
fn is_backward(bounds: (Bound<&[u8]>, Bound<&[u8]>)) -> bool {
    match bounds {
        (Bound::Excluded(lower), Bound::Excluded(upper)) => lower >= upper,
        (
            Bound::Included(lower) | Bound::Excluded(lower),
            Bound::Included(upper) | Bound::Excluded(upper),
        ) => lower > upper,
        _ => false,
    }
}

/// What is left of a walk, as bounds.
pub type Bounds = (Bound<Vec<u8>>, Bound<Vec<u8>>);

/// What is left of a walk over a map as it was.
pub struct Walk {
    pairs: VecDeque<(Key, Look)>,
    bounds: Bounds,
    /// The life of the database that it was begun in.
    life: usize,
}

impl Span {
    pub fn bounds(&self, keys: &Keys) -> Bounds {
        match self {
            Span::All => (Bound::Unbounded, Bound::Unbounded),
            Span::Prefix { key, len } => {
                let prefix = Span::prefix(keys, *key, *len).to_vec();
                let mut end = prefix.clone();
                while end.pop_if(|last| *last == u8::MAX).is_some() {}
                let upper = end.last_mut().map(|last| *last += 1);
                (Bound::Included(prefix), upper.map_or(Bound::Unbounded, |()| Bound::Excluded(end)))
            }
            Span::Between { lower, upper } => {
                let bytes = |bound: &Bound<u32>| bound.map(|n| keys.bytes(n).to_vec());
                (bytes(lower), bytes(upper))
            }
        }
    }
}

/// Whether any key at all can lie in it: a transaction that deletes such a range has something to write.
pub fn is_open((lower, upper): &Bounds) -> bool {
    let behind = |key: &[u8]| [key, &[0]].concat();
    let first = match lower {
        Bound::Included(key) => key.clone(),
        Bound::Excluded(key) => behind(key),
        Bound::Unbounded => Vec::new(),
    };
    match upper {
        Bound::Included(key) => first < behind(key),
        Bound::Excluded(key) => first < *key,
        Bound::Unbounded => true,
    }
}

fn within(map: &Map, bounds: &Bounds) -> VecDeque<(Key, Look)> {
    let bytes = (bounds.0.as_ref().map(|k| &k[..]), bounds.1.as_ref().map(|k| &k[..]));
    if is_backward(bytes) {
        return VecDeque::new();
    }
    map.range::<[u8], _>(bytes).map(|(key, look)| (key.clone(), *look)).collect()
}

/// What can be walked over.
pub enum View<'a> {
    Now(&'a Db),
    Then(&'a Snapshot),
}

impl View<'_> {
    pub fn walk(&self, span: &Span, keys: &Keys) -> Range {
        match span {
            Span::All => match self {
                View::Now(db) => db.iter(),
                View::Then(snapshot) => snapshot.iter(),
            },
            Span::Prefix { key, len } => {
                let prefix = Span::prefix(keys, *key, *len);
                match self {
                    View::Now(db) => db.prefix(prefix),
                    View::Then(snapshot) => snapshot.prefix(prefix),
                }
            }
            Span::Between { lower, upper } => {
                let bounds = (lower.map(|n| keys.bytes(n)), upper.map(|n| keys.bytes(n)));
                match self {
                    View::Now(db) => db.range::<&[u8]>(bounds),
                    View::Then(snapshot) => snapshot.range::<&[u8]>(bounds),
                }
            }
        }
    }
}

/// Takes steps from both ends of a walk, and says each; at the end of it, that too.
pub fn step<T>(
    walk: &mut dyn DoubleEndedIterator<Item = T>,
    moves: &[i16],
    mut say: impl FnMut(Option<T>) -> Result<()>,
) -> Result<()> {
    for run in moves {
        for _ in 0..run.unsigned_abs() {
            let item = if *run > 0 { walk.next() } else { walk.next_back() };
            let ended = item.is_none();
            say(item)?;
            if ended {
                break;
            }
        }
    }
    Ok(())
}

/// A step of the map's walk, said.
pub fn say_pair(answer: &mut Answer, pair: Option<(&Key, Look)>) -> Result<()> {
    match pair {
        Some((key, look)) => answer.pair(key, look),
        None => answer.say(2, "end"),
    }
    Ok(())
}

/// A step of the database's walk, said.
pub fn say_found(answer: &mut Answer, found: Option<Result<(Slice, Slice)>>) -> Result<()> {
    match found.transpose()? {
        Some((key, value)) => answer.found_pair(&key, &value),
        None => answer.say(2, "end"),
    }
    Ok(())
}

impl Walks {
    pub fn random(random: &mut Random, shape: &Shape) -> Walks {
        let slot = random.below(SLOTS);
        match random.below(20) {
            0..8 => Walks::Scan { span: Span::random(random, shape), moves: moves(random) },
            8 => Walks::Keys { span: Span::random(random, shape), moves: moves(random) },
            9 => match random.below(4) {
                0 => Walks::OpenPages { slot, span: Span::random(random, shape) },
                _ => Walks::NextPage { slot, limit: random.below(20), back: random.one_in(3) },
            },
            10..13 => Walks::OpenRange { slot, span: Span::random(random, shape) },
            13 => Walks::RefreshRange { slot },
            14..18 => Walks::StepRange { slot, moves: moves(random) },
            18 => Walks::CloseRange { slot },
            _ => Walks::Count,
        }
    }

    pub fn on_map(&self, map: &mut Model, answer: &mut Answer) {
        match self {
            Walks::Scan { span, moves } => {
                let _ = step(&mut *span.on_map(&map.map, &map.keys), moves, |pair| say_pair(answer, pair));
            }
            Walks::OpenRange { slot, span } => {
                let pairs = span.on_map(&map.map, &map.keys).map(|(key, look)| (key.clone(), look)).collect();
                let (bounds, life) = (span.bounds(&map.keys), map.life);
                map.ranges[*slot] = Some(Walk { pairs, bounds, life });
            }
            Walks::RefreshRange { slot } => {
                if let Some(walk) = map.ranges[*slot].as_mut().filter(|walk| walk.life == map.life) {
                    walk.pairs = within(&map.map, &walk.bounds);
                }
            }
            Walks::Keys { span, moves } => {
                let _ = step(&mut *span.on_map(&map.map, &map.keys), moves, |pair| {
                    match pair {
                        Some((key, _)) => answer.key(key.hash, &key.bytes),
                        None => answer.say(2, "end"),
                    }
                    Ok(())
                });
            }
            Walks::OpenPages { slot, span } => map.pages[*slot] = Some(span.bounds(&map.keys)),
            Walks::NextPage { slot, limit, back } => {
                let Some(bounds) = map.pages[*slot].take() else { return };
                let (pairs, life) = (within(&map.map, &bounds), map.life);
                let mut walk = Walk { pairs, bounds, life };
                let mut rest = Rest(&mut walk);
                for _ in 0..*limit {
                    let pair = if *back { rest.next_back() } else { rest.next() };
                    let Some((key, look)) = pair else { break };
                    answer.pair(&key, look);
                }
                answer.say(3, if walk.pairs.is_empty() { "no more" } else { "more" });
                map.pages[*slot] = Some(walk.bounds).filter(|_| !walk.pairs.is_empty());
            }
            Walks::StepRange { slot, moves } => {
                if let Some(walk) = &mut map.ranges[*slot] {
                    let _ = step(&mut Rest(walk), moves, |pair| {
                        say_pair(answer, pair.as_ref().map(|(key, look)| (key, *look)))
                    });
                }
            }
            Walks::CloseRange { slot } => map.ranges[*slot] = None,
            Walks::Count => answer.say(map.map.len() as u64, map.map.len()),
        }
    }

    pub fn on_db(&self, db: &mut Database, answer: &mut Answer) -> Result<()> {
        match self {
            Walks::Scan { span, moves } => {
                let mut range = View::Now(db.db()).walk(span, &db.keys);
                step(&mut range, moves, |found| say_found(answer, found))?;
            }
            Walks::OpenRange { slot, span } => {
                db.ranges[*slot] = Some((db.life(), View::Now(db.db()).walk(span, &db.keys)));
            }
            Walks::RefreshRange { slot } => {
                let life = db.life();
                if let Some((_, range)) = db.ranges[*slot].as_mut().filter(|(made_in, _)| *made_in == life) {
                    range.refresh()?;
                }
            }
            Walks::Keys { span, moves } => {
                let mut keys = View::Now(db.db()).walk(span, &db.keys).keys();
                step(&mut keys, moves, |key| {
                    match key.transpose()? {
                        Some(key) => answer.key(xxh3_64(&key), &key),
                        None => answer.say(2, "end"),
                    }
                    Ok(())
                })?;
            }
            Walks::OpenPages { slot, span } => {
                db.tokens[*slot] = Some(View::Now(db.db()).walk(span, &db.keys).resume_token()?);
            }
            Walks::NextPage { slot, limit, back } => {
                let Some(token) = db.tokens[*slot].take() else { return Ok(()) };
                let rest = db.db().resume(&token)?;
                let page = if *back { rest.page_back(*limit)? } else { rest.page(*limit)? };
                page.pairs.iter().for_each(|(key, value)| answer.found_pair(key, value));
                answer.say(3, if page.next.is_none() { "no more" } else { "more" });
                db.tokens[*slot] = page.next;
            }
            Walks::StepRange { slot, moves } => {
                if let Some((_, range)) = &mut db.ranges[*slot] {
                    step(range, moves, |found| say_found(answer, found))?;
                }
            }
            Walks::CloseRange { slot } => db.ranges[*slot] = None,
            Walks::Count => {
                let count = db.db().iter().count();
                answer.say(count as u64, count);
            }
        }
        Ok(())
    }
}

/// What is left of a walk over the map as it was. Once an end was met, there is no more, from either side.
struct Rest<'a>(&'a mut Walk);

impl Iterator for Rest<'_> {
    type Item = (Key, Look);

    fn next(&mut self) -> Option<(Key, Look)> {
        let pair = self.0.pairs.pop_front()?;
        self.0.bounds.0 = Bound::Excluded(pair.0.bytes.to_vec());
        Some(pair)
    }
}

impl DoubleEndedIterator for Rest<'_> {
    fn next_back(&mut self) -> Option<(Key, Look)> {
        let pair = self.0.pairs.pop_back()?;
        self.0.bounds.1 = Bound::Excluded(pair.0.bytes.to_vec());
        Some(pair)
    }
}
