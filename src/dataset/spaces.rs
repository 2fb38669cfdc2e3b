//! Which keyspace of the engine each database is.
//!
//! A database but the first is made when it is first selected, so that most stores never have more than one.

use crate::store::{Capabilities, StorageEngine};
use crate::sync::{ArcSwap, plain::Mutex};
use crate::{Error, KeyspaceRef, Result, WriteBatch};
use std::sync::Arc;

/// How many databases there are.
pub const DATABASES: u8 = 16;

/// One of the keyspaces, by number: the databases, then these two.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Space(pub u8);

impl Space {
    /// The fields of all hashes.
    pub const FIELDS: Space = Space(DATABASES);
    /// What the dataset notes for itself.
    pub const SYSTEM: Space = Space(DATABASES + 1);
    /// How many there are.
    pub const COUNT: usize = DATABASES as usize + 2;
}

const NOTES_KEY: &[u8] = b"databases";

/// Which keyspace each database has, by number, and which of the keyspaces were made, a bit each. Stored as these eighteen
/// bytes, the bits big-endian.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Notes {
    map: [u8; DATABASES as usize],
    made: u16,
}

impl Notes {
    fn decode(stored: &[u8]) -> Option<Notes> {
        let (map, made) = stored.split_first_chunk()?;
        let in_range = map.iter().all(|number| *number < DATABASES);
        in_range.then_some(Notes { map: *map, made: u16::from_be_bytes(*made.first_chunk()?) })
    }

    fn encode(self) -> Vec<u8> {
        [&self.map[..], &self.made.to_be_bytes()].concat()
    }
}

/// The keyspaces of one engine.
pub struct Spaces {
    /// What is looked at for each key: one load, and no lock.
    now: ArcSwap<Now>,
    /// Held while it changes.
    changing: Mutex<()>,
}

/// The keyspaces as they are at the moment.
#[derive(Debug, Clone)]
struct Now {
    notes: Notes,
    /// By number of the keyspace, not of the database.
    made: [Option<KeyspaceRef>; Space::COUNT],
    /// By space.
    of: [Option<KeyspaceRef>; Space::COUNT],
}

impl Now {
    /// The keyspace of a number was made, or the notes are others.
    fn arrange(&mut self) {
        let number = |space: usize| self.notes.map.get(space).map_or(space, |number| usize::from(*number));
        self.of = std::array::from_fn(|space| self.made.get(number(space)).copied().flatten());
    }

    /// The number of the keyspace that a space has.
    fn number(&self, space: Space) -> Space {
        Space(self.notes.map.get(usize::from(space.0)).copied().unwrap_or(space.0))
    }

    fn make(&mut self, engine: &dyn StorageEngine, number: Space) -> Result<KeyspaceRef> {
        let Some(slot) = self.made.get_mut(usize::from(number.0)) else {
            return Err(Error::invalid("there is no such database"));
        };
        let made = match slot {
            Some(made) => *made,
            None => *slot.insert(engine.keyspace(&name(number))?),
        };
        self.arrange();
        Ok(made)
    }
}

impl Spaces {
    /// Reads what is noted of an engine.
    pub(super) fn open(engine: &dyn StorageEngine, capabilities: Capabilities) -> Result<Spaces> {
        let notes = Notes { map: std::array::from_fn(|at| at as u8), made: 1 };
        let mut now = Now { notes, made: [None; Space::COUNT], of: [None; Space::COUNT] };
        now.make(engine, Space(0))?;
        if capabilities.keyspaces {
            now.make(engine, Space::FIELDS)?;
            let system = now.make(engine, Space::SYSTEM)?;
            let noted = engine.find(system, NOTES_KEY)?.and_then(|found| Notes::decode(&found.value));
            now.notes = noted.unwrap_or(notes);
            let made = now.notes.made;
            for number in (0..DATABASES).filter(|number| made & 1 << number != 0) {
                now.make(engine, Space(number))?;
            }
        }
        Ok(Spaces { now: ArcSwap::from_pointee(now), changing: Mutex::new(()) })
    }

    /// The keyspace of a space. Of a database but the first only after it was [`Spaces::select`]ed once.
    ///
    /// # Errors
    /// There is none.
    #[inline]
    pub fn get(&self, space: Space) -> Result<KeyspaceRef> {
        self.find(space).ok_or_else(|| Error::invalid("the engine of this server has one database only"))
    }

    /// The keyspace of a space, if there is one.
    #[inline]
    pub fn find(&self, space: Space) -> Option<KeyspaceRef> {
        self.now.load().of.get(usize::from(space.0)).copied().flatten()
    }

    /// The number of the keyspace that a database has: it stays the same when databases are exchanged.
    pub fn number_of(&self, database: u8) -> u8 {
        self.now.load().number(Space(database)).0
    }

    /// The database that has the keyspace of a number, and that keyspace.
    pub fn by_number(&self, number: u8) -> Option<(u8, KeyspaceRef)> {
        let now = self.now.load();
        let keyspace = now.made.get(usize::from(number)).copied().flatten()?;
        let database = (0..DATABASES).find(|database| now.number(Space(*database)).0 == number)?;
        Some((database, keyspace))
    }

    /// Whether the first database is the keyspace without a name.
    pub fn is_plain(&self) -> bool {
        self.now.load().number(Space(0)) == Space(0)
    }

    /// Whether a database has its keyspace.
    pub fn is_made(&self, database: u8) -> bool {
        self.find(Space(database)).is_some()
    }

    /// Makes sure that a database has its keyspace. It may write, and wait for that.
    ///
    /// # Errors
    /// The engine has one keyspace only, or could not make another.
    pub fn select(&self, engine: &dyn StorageEngine, database: u8) -> Result<()> {
        if self.is_made(database) {
            return Ok(());
        }
        let _alone = self.changing.lock();
        let mut now = Now::clone(&self.now.load());
        let number = now.number(Space(database));
        now.make(engine, number)?;
        now.notes.made |= 1 << number.0;
        self.note(engine, now)
    }

    /// Exchanges two databases, for good. Nobody may be writing to either.
    ///
    /// # Errors
    /// The engine has one keyspace only, or could not write.
    pub fn swap(&self, engine: &dyn StorageEngine, one: u8, other: u8) -> Result<()> {
        self.select(engine, one)?;
        self.select(engine, other)?;
        let _alone = self.changing.lock();
        let mut now = Now::clone(&self.now.load());
        now.notes.map.swap(usize::from(one), usize::from(other));
        now.arrange();
        self.note(engine, now)
    }

    fn note(&self, engine: &dyn StorageEngine, now: Now) -> Result<()> {
        let mut batch = WriteBatch::new();
        batch.within(self.get(Space::SYSTEM)?).put(NOTES_KEY, now.notes.encode());
        engine.write(batch, None)?.wait()?;
        self.now.store(Arc::new(now));
        Ok(())
    }
}

fn name(number: Space) -> String {
    match number {
        Space(0) => String::new(),
        Space::FIELDS => "siltstone/fields".into(),
        Space::SYSTEM => "siltstone/system".into(),
        Space(number) => format!("siltstone/database/{number}"),
    }
}
