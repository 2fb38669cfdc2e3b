//! Writes: single ones, batches, large batches, in every form that a caller can choose.

use super::answer::Answer;
use super::data::V;
use super::database::Database;
use super::map::{Durable, Model};
use super::op::Shape;
use crate::support::{Random, block_on};
use siltstone::{Commit, Db, Durability, Result, WriteBatch, WriteOptions};
use std::future::poll_fn;
use std::time::Duration;

#[derive(Debug, Clone, PartialEq)]
pub enum Writes {
    Put {
        key: u32,
        value: V,
    },
    Delete {
        key: u32,
    },
    Batch {
        pairs: Vec<(u32, Option<V>)>,
        form: Form,
        durability: Option<Kind>,
    },
    /// A batch of so many keys in a row, each with a value of this length.
    Fill {
        first: u32,
        count: u32,
        stamp: u32,
        len: u32,
    },
    /// The end of a [`Form::Left`] commit.
    Await,
}

/// How a batch is given to the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    Write,
    /// In two halves, and the second is waited for.
    Commit,
    /// The same as a future.
    Awaited,
    /// Without waiting for room, after asking for it.
    Now,
    /// All of it as one future.
    Task,
    /// The second half is left for later, perhaps for good.
    Left,
}

/// A durability that one write asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Sync,
    Os,
    Interval(u64),
}

impl From<Kind> for Durability {
    fn from(kind: Kind) -> Durability {
        match kind {
            Kind::Sync => Durability::Sync,
            Kind::Os => Durability::Os,
            Kind::Interval(ms) => Durability::Interval(Duration::from_millis(ms)),
        }
    }
}

impl Writes {
    pub fn random(random: &mut Random, shape: &mut Shape) -> Writes {
        let mut pair = |random: &mut Random| {
            shape.stamp += 1;
            let value = V::random(random, shape.stamp);
            (shape.space.key(random), Some(value).filter(|_| !random.one_in(4)))
        };
        match random.below(500) {
            0..400 => match pair(random) {
                (key, Some(value)) => Writes::Put { key, value },
                (key, None) => Writes::Delete { key },
            },
            400..490 => {
                let pairs = (0..random.below(20)).map(|_| pair(random)).collect();
                use Form::{Awaited, Commit, Left, Now, Task, Write};
                let form = *random.pick(&[Write, Task, Commit, Awaited, Now, Left]);
                let kinds = [None, None, Some(Kind::Sync), Some(Kind::Os), Some(Kind::Interval(50))];
                Writes::Batch { pairs, form, durability: *random.pick(&kinds) }
            }
            490..492 => {
                let (first, count) = (shape.space.key(random), 1 + random.below(300) as u32);
                let stamp = shape.stamp + 1;
                shape.stamp += count;
                Writes::Fill { first, count, stamp, len: random.below(40) as u32 }
            }
            _ => Writes::Await,
        }
    }

    /// What it writes.
    fn pairs(&self) -> Vec<(u32, Option<V>)> {
        match self {
            Writes::Put { key, value } => vec![(*key, Some(*value))],
            Writes::Delete { key } => vec![(*key, None)],
            Writes::Batch { pairs, .. } => pairs.clone(),
            Writes::Fill { first, count, stamp, len } => {
                (0..*count).map(|n| (first + n, Some(V { stamp: stamp + n, len: *len }))).collect()
            }
            Writes::Await => Vec::new(),
        }
    }

    pub fn on_map(&self, map: &mut Model, _: &mut Answer) {
        let (form, durability) = match self {
            Writes::Await => return map.await_left(),
            Writes::Batch { form, durability, .. } => (*form, *durability),
            _ => (Form::Write, None),
        };
        map.write(&self.pairs());
        acknowledged(map, form, durability);
    }

    pub fn on_db(&self, db: &mut Database) -> Result<()> {
        let keys = db.keys.clone();
        match self {
            Writes::Put { key, value } => db.db().put(keys.bytes(*key), value.bytes()),
            Writes::Delete { key } => db.db().delete(keys.bytes(*key)),
            Writes::Await => db.left.drain(..).try_for_each(Commit::wait),
            Writes::Batch { .. } | Writes::Fill { .. } => {
                let mut batch = WriteBatch::new();
                for (key, value) in self.pairs() {
                    match value {
                        Some(value) => batch.put(keys.bytes(key), value.bytes()),
                        None => batch.delete(keys.bytes(key)),
                    }
                }
                let (form, durability) = match self {
                    Writes::Batch { form, durability, .. } => (*form, *durability),
                    _ => (Form::Write, None),
                };
                let left = write(db.db(), batch, form, durability)?;
                db.left.extend(left);
                Ok(())
            }
        }
    }

    pub fn simpler(&self) -> Vec<Writes> {
        match self {
            Writes::Batch { pairs, form, durability } if pairs.len() > 1 => {
                let without = |from: usize, to: usize| {
                    let kept = pairs.iter().enumerate().filter(|(at, _)| !(from..to).contains(at));
                    let pairs = kept.map(|(_, pair)| *pair).collect();
                    Writes::Batch { pairs, form: *form, durability: *durability }
                };
                let half = pairs.len() / 2;
                let halves = [without(0, half), without(half, pairs.len())];
                halves.into_iter().chain((0..pairs.len()).map(|at| without(at, at + 1))).collect()
            }
            Writes::Fill { first, count, stamp, len } if *count > 1 => {
                let half = count / 2;
                let part =
                    |skip, count| Writes::Fill { first: first + skip, count, stamp: stamp + skip, len: *len };
                vec![part(0, half), part(half, count - half)]
            }
            Writes::Put { key, value } if value.len > 8 => {
                vec![Writes::Put { key: *key, value: V { len: 1, ..*value } }]
            }
            _ => Vec::new(),
        }
    }
}

/// What the last write vouches for, once it was given to the database in this form.
pub fn acknowledged(map: &mut Model, form: Form, durability: Option<Kind>) {
    match durability.map_or(map.default, Durability::from) {
        Durability::Sync if form == Form::Left => map.leave(),
        Durability::Sync => map.durable(Durable::AllSoFar),
        Durability::Interval(interval) => map.within(interval),
        Durability::Os => {}
    }
}

/// Gives the second half when it is left.
fn write(db: &Db, batch: WriteBatch, form: Form, durability: Option<Kind>) -> Result<Option<Commit>> {
    let options = WriteOptions { durability: durability.map(Durability::from) };
    match form {
        Form::Write => db.write_with(batch, options)?,
        Form::Commit => db.commit(&batch, options)?.wait()?,
        Form::Awaited => block_on(db.commit(&batch, options)?)?,
        Form::Task => block_on(db.write_async(batch, options))?,
        Form::Now => {
            block_on(poll_fn(|context| db.poll_room(batch.byte_len(), context)))?;
            db.commit_now(&batch, options)?.wait()?;
        }
        Form::Left => return db.commit(&batch, options).map(Some),
    }
    Ok(None)
}
