//! Writers, those who await, and the thread that leads for them, over a log that is a number.

use super::*;
use crate::sync::{model, thread};
use crate::vfs::fault::{Fault, FaultVfs, Op};
use crate::vfs::mem::MemVfs;
use crate::vfs::{Dir, Mode, OpenFile};
use std::task::Wake;

/// A log: how far it is written, and on which file it lies.
struct Log {
    sync: GroupSync,
    written: Mutex<u64>,
    durable: AtomicU64,
    file: Option<OpenFile>,
}

impl Log {
    fn new(file: Option<OpenFile>) -> Arc<Log> {
        let sync = GroupSync::new(0, 1);
        Arc::new(Log { sync, written: Mutex::new(0), durable: AtomicU64::new(0), file })
    }

    fn append(&self) -> u64 {
        let mut written = self.written.lock();
        *written += 1;
        *written
    }

    fn wait(&self, position: u64) -> Result<()> {
        let target = || {
            let position = *self.written.lock();
            self.durable.fetch_max(position, Ordering::Relaxed);
            SyncTarget { files: self.file.iter().cloned().collect(), position, segment: 1 }
        };
        self.sync.wait(position, &target)
    }
}

/// Two writers, of whom one leads for both or each for himself.
#[test]
fn who_is_told_that_it_is_durable_is_told_the_truth() {
    model::check(|| {
        let log = Log::new(None);
        let write = |log: &Log| {
            let position = log.append();
            log.wait(position).unwrap();
            assert!(log.sync.synced() >= position && log.durable.load(Ordering::Relaxed) >= position);
        };
        let other = thread::spawn({
            let log = Arc::clone(&log);
            move || write(&log)
        });
        write(&log);
        other.join().unwrap();
    });
}

/// The first sync fails: nobody waits for ever, nobody is told that it went well, and there is no second one.
#[test]
fn a_failure_reaches_all() {
    model::check(|| {
        let vfs = FaultVfs::over_mem(MemVfs::new());
        let file = Dir::new(Arc::new(vfs.clone()), "/").open("1.log", Mode::CreateNew).unwrap();
        vfs.inject(Fault::nth(0).on(Op::Sync));
        let log = Log::new(Some(file));
        let write = |log: &Log| {
            let position = log.append();
            assert!(matches!(log.wait(position), Err(Error::ReadOnly { .. })));
        };
        let other = thread::spawn({
            let log = Arc::clone(&log);
            move || write(&log)
        });
        write(&log);
        other.join().unwrap();
        assert_eq!((log.sync.synced(), vfs.injected()), (0, 1));
        assert!(log.sync.failure().is_some());
    });
}

/// Whether it was called. loom forgets an unpark that comes while the thread waits for a lock, so it is no `unpark`.
#[derive(Default)]
struct Called(Mutex<bool>, Condvar);

impl Wake for Called {
    fn wake(self: Arc<Self>) {
        *self.0.lock() = true;
        self.1.notify_all();
    }
}

/// One awaits, and a thread leads for those who do, once they have told it to look.
#[test]
fn a_waker_is_called() {
    model::check(|| {
        let log = Log::new(None);
        let told = Arc::new(Called::default());
        let leader = thread::spawn({
            let (log, told) = (Arc::clone(&log), Arc::clone(&told));
            move || {
                let position = log.append();
                log.wait(position).unwrap();
                await_call(&told);
                if log.sync.has_wakers() {
                    let position = *log.written.lock();
                    log.wait(position).unwrap();
                }
            }
        });
        let position = log.append();
        let called = Arc::new(Called::default());
        let waker = Waker::from(Arc::clone(&called));
        while log.sync.poll(position, &mut Context::from_waker(&waker)).is_pending() {
            Arc::clone(&told).wake();
            await_call(&called);
        }
        assert!(log.durable.load(Ordering::Relaxed) >= position);
        told.wake();
        leader.join().unwrap();
    });
}

fn await_call(called: &Called) {
    let mut now = called.0.lock();
    while !*now {
        called.1.wait(&mut now);
    }
    *now = false;
}
