//! The ring's accounting beside readers, inserts and tables that go.

use super::*;
use crate::sync::{model, thread};

struct Weight(usize);

impl Weigh for Weight {
    fn weight(&self) -> usize {
        self.0
    }
}

fn held(slots: &Slots<Weight>) -> usize {
    slots.table.slots.iter().filter_map(|slot| slot.value.load().as_ref().map(|value| value.0)).sum()
}

/// Two values of which only one fits, and a reader that sets reference bits while room is made.
#[test]
fn the_budget_is_kept_and_every_byte_accounted_for() {
    model::check(|| {
        let cache = Cache::new(|| 10);
        let slots = Arc::new(cache.slots(2));
        let insert = |ordinal: usize| {
            let slots = Arc::clone(&slots);
            move || {
                slots.insert(ordinal, &Arc::new(Weight(6 + ordinal)));
                if let Some(value) = &*slots.get(ordinal) {
                    assert_eq!(value.0, 6 + ordinal);
                }
            }
        };
        let other = thread::spawn(insert(0));
        insert(1)();
        // Not all of the statistics: counters that nobody orders are more than loom follows in a thread that reads them meanwhile.
        assert!(cache.bytes.load(Relaxed) <= 10);
        other.join().unwrap();
        let stats = cache.stats();
        assert_eq!((stats.bytes, stats.inserts, stats.evictions), (held(&slots), 2, 1));
    });
}

/// Two threads find a block missing and both bring it.
#[test]
fn of_two_values_for_a_slot_one_counts() {
    model::check(|| {
        let cache = Cache::new(|| 100);
        let slots = Arc::new(cache.slots(1));
        let insert = |weight| {
            let slots = Arc::clone(&slots);
            move || slots.insert(0, &Arc::new(Weight(weight)))
        };
        let other = thread::spawn(insert(1));
        insert(2)();
        other.join().unwrap();
        assert_eq!((cache.stats().bytes, cache.stats().inserts), (held(&slots), 1));
    });
}

/// A table goes while another one needs its room.
#[test]
fn a_table_that_goes_gives_back_what_is_left_of_it() {
    model::check(|| {
        let cache = Cache::new(|| 10);
        let (going, staying) = (cache.slots(1), cache.slots(1));
        going.insert(0, &Arc::new(Weight(6)));
        let other = thread::spawn(move || drop(going));
        staying.insert(0, &Arc::new(Weight(7)));
        other.join().unwrap();
        assert_eq!((cache.stats().bytes, held(&staying)), (7, 7));
        let ring = cache.ring.lock();
        assert_eq!(ring.clock.iter().filter(|entry| entry.live().is_none()).count(), ring.dead);
    });
}
