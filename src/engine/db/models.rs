//! The smaller parts, each with two or three threads.

use super::deadline::Deadline;
use super::snapshot_list::SnapshotList;
use super::status::Status;
use super::throttle::{LEVEL0_STOP, Throttle};
use crate::Error;
use crate::sync::atomic::{AtomicU64, Ordering};
use crate::sync::{Mutex, model, thread};
use crate::vfs::Clock;
use crate::vfs::mem::SimClock;
use std::sync::Arc;
use std::time::Duration;

/// A writer asks for a sync in time while the log thread carries out an earlier request: his write is covered by that sync, or
/// the deadline is set.
#[test]
fn no_request_for_a_sync_is_lost() {
    model::check(|| {
        let clock = Arc::new(SimClock::new(1));
        let (deadline, written) = (Arc::new(Deadline::default()), Arc::new(Mutex::new(0)));
        deadline.ask(Duration::ZERO, &*clock);
        let writers = [0, 1].map(|millis| {
            let (deadline, written, clock) =
                (Arc::clone(&deadline), Arc::clone(&written), Arc::clone(&clock));
            thread::spawn(move || {
                *written.lock() += 1;
                deadline.ask(Duration::from_millis(millis), &*clock);
            })
        });
        let synced = if deadline.has_come(&*clock) { *written.lock() } else { 0 };
        writers.into_iter().for_each(|writer| writer.join().unwrap());
        assert!(synced == 2 || deadline.remaining(&*clock).is_some());
    });
}

/// A compaction reads which versions to keep while writes are made visible and a snapshot comes and goes (S1 there).
#[test]
fn a_compaction_sees_every_snapshot_it_must_keep_versions_for() {
    model::check(|| {
        let (list, visible) = (Arc::new(SnapshotList::default()), Arc::new(AtomicU64::new(1)));
        let writer = thread::spawn({
            let visible = Arc::clone(&visible);
            move || [2, 3].iter().for_each(|seq| visible.store(*seq, Ordering::Release))
        });
        let reader = thread::spawn({
            let (list, visible) = (Arc::clone(&list), Arc::clone(&visible));
            move || {
                let passing = list.enter(&visible, || 0);
                let staying = list.enter(&visible, || 0);
                list.leave(passing);
                staying.seq
            }
        });
        let (kept, _) = list.boundaries(&visible, || 0);
        let newest = kept[kept.len() - 1];
        let seq = reader.join().unwrap();
        assert!(seq >= newest || kept.contains(&seq), "{kept:?} without {seq}");
        assert!(kept.is_sorted());
        writer.join().unwrap();
        assert_eq!(list.summary(), (1, Some(seq)));
    });
}

/// Two causes and a close at once: whoever asks is told the truth of some moment, the first cause stays, and closed is last.
#[test]
fn the_status_only_goes_forward_and_always_has_its_cause() {
    model::check(|| {
        let status = Arc::new(Status::default());
        let fail = |name: &'static str| {
            let status = Arc::clone(&status);
            move || {
                status.end_writes(Arc::new(Error::invalid(name)), 0);
                match status.check_writable() {
                    Err(Error::ReadOnly { cause }) => {
                        assert!(Arc::ptr_eq(&cause, &status.cause().unwrap().0))
                    }
                    Err(Error::Closed) => assert!(status.check_readable().is_err()),
                    other => panic!("{other:?}"),
                }
            }
        };
        let other = thread::spawn(fail("one"));
        let closer = thread::spawn({
            let status = Arc::clone(&status);
            move || assert!(status.close())
        });
        fail("two")();
        other.join().unwrap();
        closer.join().unwrap();
        assert!(status.cause().is_some() && !status.close());
        assert!(matches!(status.check_writable(), Err(Error::Closed)));
    });
}

/// A disk that gets full and is not any more, while a sync fails: the failure stays.
#[test]
fn a_full_disk_does_not_undo_the_end_of_writes() {
    model::check(|| {
        let status = Arc::new(Status::default());
        let filler = thread::spawn({
            let status = Arc::clone(&status);
            move || {
                if status.set_disk_full() {
                    status.set_disk_not_full();
                }
            }
        });
        status.end_writes(Arc::new(Error::invalid("a sync")), 0);
        assert!(matches!(status.check_writable(), Err(Error::ReadOnly { .. })));
        filler.join().unwrap();
        assert!(matches!(status.check_writable(), Err(Error::ReadOnly { .. })) && !status.set_disk_full());
    });
}

/// Two writers of a full second each at the slowest rate: both are charged, or one is told to rest.
#[test]
fn every_write_is_charged() {
    model::check(|| {
        let (throttle, clock) = (Arc::new(Throttle::default()), Arc::new(SimClock::new(1)));
        throttle.update(LEVEL0_STOP - 1, 0);
        let admit = |throttle: &Throttle, clock: &dyn Clock| throttle.admit(1 << 30, 0.0, clock).is_ok();
        let other = thread::spawn({
            let (throttle, clock) = (Arc::clone(&throttle), Arc::clone(&clock));
            move || admit(&throttle, &*clock)
        });
        let mine = admit(&throttle, &*clock);
        assert!(mine != other.join().unwrap(), "a second can be given out once");
    });
}
