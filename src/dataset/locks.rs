//! The locks of keys, and who watches a key.
//!
//! Keys share [`STRIPES`] locks. Who needs several takes them in ascending order, so nobody waits in a circle. Who must not
//! wait for a disk (dataset D4) gives up after [`MOMENT`], and has none of them.
//!
//! (L1) A key is marked as changed under the lock of its stripe, after its write has its place in the order; a watch begins under the
//!      same lock. So whoever finds a watch unmarked, holding the locks of what it watches, knows that nothing was written to
//!      these keys since it began.

use super::{Halt, Reach};
use crate::sync::plain::atomic::{AtomicBool, Ordering};
use crate::sync::plain::{Mutex, MutexGuard};
use std::collections::HashMap;
use std::sync::{Arc, Weak};
use std::time::Duration;
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// More writers than this at a time meet only by chance.
pub const STRIPES: usize = 256;

/// A command that finds all in memory takes a few microseconds.
const MOMENT: Duration = Duration::from_micros(500);

/// A key, and the database it is of.
type Name = (u8, Box<[u8]>);

/// A number of a stripe.
type Number = u8;

/// Set when one of the watched keys was written to.
#[derive(Debug, Default)]
pub struct Watch(AtomicBool);

impl Watch {
    /// Whether one was.
    pub fn is_marked(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }

    fn mark(&self) {
        self.0.store(true, Ordering::Release);
    }
}

/// What the lock of a stripe guards: who watches its keys.
#[derive(Debug, Default)]
pub struct Stripe {
    watched: HashMap<Name, Vec<Weak<Watch>>>,
}

/// The locks of all keys.
pub struct Stripes {
    list: [Mutex<Stripe>; STRIPES],
}

/// Locks that are held.
pub enum Held<'a> {
    /// Of no key.
    None,
    /// Of one key.
    One(MutexGuard<'a, Stripe>),
    /// Of several, in the order of their stripes.
    Many(Vec<(Number, MutexGuard<'a, Stripe>)>),
}

impl Stripes {
    /// Nobody holds or watches anything.
    pub fn new() -> Stripes {
        Stripes { list: std::array::from_fn(|_| Mutex::default()) }
    }

    /// Takes the lock of one key.
    ///
    /// # Errors
    /// [`Halt::Slow`].
    pub fn lock(&self, database: u8, key: &[u8], reach: Reach) -> Result<Held<'_>, Halt> {
        let lock = self.list.get(usize::from(stripe(database, key)));
        lock.map_or(Ok(Held::None), |lock| Ok(Held::One(take(lock, reach)?)))
    }

    /// Takes the locks of several keys.
    ///
    /// # Errors
    /// [`Halt::Slow`].
    pub fn lock_many<'k>(
        &self,
        keys: impl Iterator<Item = (u8, &'k [u8])>,
        reach: Reach,
    ) -> Result<Held<'_>, Halt> {
        let mut wanted = [false; STRIPES];
        for (database, key) in keys {
            if let Some(wanted) = wanted.get_mut(usize::from(stripe(database, key))) {
                *wanted = true;
            }
        }
        let wanted = |number| wanted.get(usize::from(number)).is_some_and(|wanted| *wanted);
        self.lock_stripes(wanted, reach)
    }

    /// Takes all locks.
    ///
    /// # Errors
    /// [`Halt::Slow`].
    pub fn lock_all(&self, reach: Reach) -> Result<Held<'_>, Halt> {
        self.lock_stripes(|_| true, reach)
    }

    fn lock_stripes(&self, wanted: impl Fn(Number) -> bool, reach: Reach) -> Result<Held<'_>, Halt> {
        let wanted = (0..=Number::MAX).zip(&self.list).filter(|(number, _)| wanted(*number));
        let held: Result<_, Halt> = wanted.map(|(number, lock)| Ok((number, take(lock, reach)?))).collect();
        Ok(Held::Many(held?))
    }

    /// From now on, `watch` is marked when somebody writes to the key.
    ///
    /// # Errors
    /// [`Halt::Slow`].
    pub fn watch(&self, database: u8, key: &[u8], watch: &Arc<Watch>, reach: Reach) -> Result<(), Halt> {
        self.lock(database, key, reach)?.watch(database, key, watch);
        Ok(())
    }

    /// Forgets watches that have ended. To be called by who ends them, for each key.
    pub fn unwatch(&self, database: u8, key: &[u8]) {
        if let Ok(Held::One(mut stripe)) = self.lock(database, key, Reach::Anywhere) {
            let name = (database, Box::from(key));
            if let Some(watches) = stripe.watched.get_mut(&name) {
                watches.retain(|watch| watch.strong_count() > 0);
                if watches.is_empty() {
                    stripe.watched.remove(&name);
                }
            }
        }
    }
}

fn take(lock: &Mutex<Stripe>, reach: Reach) -> Result<MutexGuard<'_, Stripe>, Halt> {
    match reach {
        Reach::Anywhere => Ok(lock.lock()),
        Reach::Memory => lock.try_lock_for(MOMENT).ok_or(Halt::Slow),
    }
}

impl Held<'_> {
    /// Marks the watches of a key, whose lock is among these, as it was written to.
    pub fn mark(&self, database: u8, key: &[u8]) {
        let Some(held) = self.stripe(database, key).filter(|stripe| !stripe.watched.is_empty()) else {
            return;
        };
        if let Some(watches) = held.watched.get(&(database, Box::from(key))) {
            watches.iter().filter_map(Weak::upgrade).for_each(|watch| watch.mark());
        }
    }

    /// True when somebody watches a key of one of these stripes.
    pub fn is_watched(&self) -> bool {
        match self {
            Held::None => false,
            Held::One(stripe) => !stripe.watched.is_empty(),
            Held::Many(list) => list.iter().any(|(_, stripe)| !stripe.watched.is_empty()),
        }
    }

    /// Calls `see` with every database and key that is watched in these stripes.
    pub fn each_watched(&self, mut see: impl FnMut(u8, &[u8])) {
        let mut see_all =
            |stripe: &Stripe| stripe.watched.keys().for_each(|(database, key)| see(*database, key));
        match self {
            Held::None => {}
            Held::One(stripe) => see_all(stripe),
            Held::Many(list) => list.iter().for_each(|(_, stripe)| see_all(stripe)),
        }
    }

    fn watch(&mut self, database: u8, key: &[u8], watch: &Arc<Watch>) {
        if let Some(stripe) = self.stripe_mut(database, key) {
            stripe.watched.entry((database, Box::from(key))).or_default().push(Arc::downgrade(watch));
        }
    }

    fn stripe(&self, database: u8, key: &[u8]) -> Option<&Stripe> {
        match self {
            Held::None => None,
            Held::One(stripe) => Some(stripe),
            Held::Many(list) => {
                let at = list.binary_search_by_key(&stripe(database, key), |(number, _)| *number).ok()?;
                list.get(at).map(|(_, stripe)| &**stripe)
            }
        }
    }

    fn stripe_mut(&mut self, database: u8, key: &[u8]) -> Option<&mut Stripe> {
        match self {
            Held::None => None,
            Held::One(stripe) => Some(stripe),
            Held::Many(list) => {
                let at = list.binary_search_by_key(&stripe(database, key), |(number, _)| *number).ok()?;
                list.get_mut(at).map(|(_, stripe)| &mut **stripe)
            }
        }
    }
}

/// The stripe of a key.
fn stripe(database: u8, key: &[u8]) -> Number {
    xxh3_64_with_seed(key, u64::from(database)) as Number
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_watch_is_marked_by_writes_to_its_keys_only() {
        let stripes = Stripes::new();
        let watch = Arc::new(Watch::default());
        let reach = Reach::Anywhere;
        stripes.watch(0, b"k", &watch, reach).unwrap();
        stripes.lock(1, b"k", reach).unwrap().mark(1, b"k");
        stripes.lock(0, b"other", reach).unwrap().mark(0, b"other");
        assert!(!watch.is_marked());
        let keys: [(u8, &[u8]); 2] = [(0, b"a"), (0, b"k")];
        let held = stripes.lock_many(keys.into_iter(), reach).unwrap();
        assert!(held.is_watched());
        held.mark(0, b"k");
        assert!(watch.is_marked());
        drop((held, watch));
        stripes.unwatch(0, b"k");
        assert!(!stripes.lock_all(reach).unwrap().is_watched());
    }

    #[test]
    fn who_must_not_wait_does_not_wait_for_a_lock() {
        let stripes = Stripes::new();
        let held = stripes.lock(0, b"k", Reach::Memory).unwrap();
        let keys: [(u8, &[u8]); 2] = [(0, b"a"), (0, b"k")];
        assert!(matches!(stripes.lock(0, b"k", Reach::Memory), Err(Halt::Slow)));
        assert!(matches!(stripes.lock_many(keys.into_iter(), Reach::Memory), Err(Halt::Slow)));
        assert!(stripes.lock(0, b"a", Reach::Memory).is_ok(), "those that were taken are given back");
        drop(held);
        assert!(stripes.lock_all(Reach::Memory).is_ok());
    }
}
