//! No raise is missed.

use super::*;
use crate::sync::{atomic::AtomicUsize, model, thread};
use std::sync::Arc;
use std::task::Wake;

/// A thread that does rounds of work until it is told to end, as those of the background do. Were a raise missed, the join
/// would never return.
#[test]
fn a_thread_does_what_it_is_told_and_ends() {
    model::check(|| {
        let (signal, stop) = (Arc::new(Signal::default()), Arc::new(AtomicBool::new(false)));
        let work = Arc::new(Mutex::new(0));
        let thread = thread::spawn({
            let (signal, stop, work) = (Arc::clone(&signal), Arc::clone(&stop), Arc::clone(&work));
            move || {
                let mut done = 0;
                while let Some(seen) = signal.next_round(&stop) {
                    done += std::mem::take(&mut *work.lock());
                    signal.wait(seen, None);
                }
                done
            }
        });
        *work.lock() += 1;
        signal.raise();
        stop.store(true, Ordering::Release);
        signal.raise();
        let done = thread.join().unwrap();
        assert_eq!(done + *work.lock(), 1);
    });
}

struct Woken(AtomicUsize);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::AcqRel);
    }
}

/// A task registers and then looks; what it waits for comes before, between or after. It sees it, or is woken.
#[test]
fn a_task_that_looks_after_it_registered_misses_nothing() {
    model::check(|| {
        let (signal, room) = (Arc::new(Signal::default()), Arc::new(AtomicBool::new(false)));
        let woken = Arc::new(Woken(AtomicUsize::new(0)));
        let other = thread::spawn({
            let (signal, room) = (Arc::clone(&signal), Arc::clone(&room));
            move || {
                room.store(true, Ordering::Release);
                signal.raise();
            }
        });
        signal.register(&Waker::from(Arc::clone(&woken)));
        let seen = room.load(Ordering::Acquire);
        other.join().unwrap();
        assert!(seen || woken.0.load(Ordering::Acquire) == 1);
    });
}
