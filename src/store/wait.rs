//! The two things one waits for: that a write is durable ([`Commit`]), and that there is room for one ([`Room`]).
//!
//! Both can be waited for in two ways: `wait` blocks the thread, and `await` costs no thread and needs no particular
//! runtime. An engine implements [`Wait`] once for each; a handle is then a shared pointer and a number, such as a
//! position in the log, so handing one out allocates nothing.
//!
//! (W1) A handle that resolved resolves the same way when asked again.
//! (W2) Dropping a handle changes nothing but that nobody is told (store S5).
//!
//! Rejected: a boxed future per write (an allocation each, and no way for a blocking caller to help with the sync).

use crate::sync::thread::{self, Thread};
use crate::{Error, Result};
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};

/// Something with marks that are reached one after the other: a log that becomes durable up to a position, a buffer
/// that has room for a number of bytes.
pub trait Wait: Send + Sync {
    /// Ready when `mark` is reached, or can no more be reached, which is an error. Otherwise the waker of `cx` is kept
    /// and woken when that may have changed.
    fn poll(&self, mark: u64, cx: &mut Context<'_>) -> Poll<Result<()>>;

    /// Blocks until `mark` is reached. An engine overrides it where the waiting thread can do part of the work.
    ///
    /// # Errors
    /// Why the mark can no more be reached.
    fn wait(&self, mark: u64) -> Result<()> {
        let waker = Waker::from(Arc::new(Unpark(thread::current())));
        let mut cx = Context::from_waker(&waker);
        loop {
            match self.poll(mark, &mut cx) {
                Poll::Ready(result) => return result,
                Poll::Pending => thread::park(),
            }
        }
    }
}

/// A write that has its place in the order and is visible, and will be durable.
///
/// ```
/// # use siltstone::{WriteBatch, store::{MemoryEngine, StorageEngine}};
/// # let (engine, batch) = (MemoryEngine::new(), WriteBatch::new());
/// let commit = engine.write(batch, None)?;
/// commit.wait()?; // or, in async code: commit.await?
/// # Ok::<(), siltstone::Error>(())
/// ```
#[derive(Debug)]
#[must_use = "a write is acknowledged only when its commit was waited for"]
pub struct Commit(Ticket);

impl Commit {
    /// A commit that is decided already.
    pub fn ready(result: Result<()>) -> Commit {
        Commit(Ticket::ready(result))
    }

    /// A commit that is durable when `log` reaches `position`.
    pub fn at(log: Arc<dyn Wait>, position: u64) -> Commit {
        Commit(Ticket::Until { source: log, mark: position })
    }

    /// True when nothing need be waited for: it is as durable as was asked for, or will never be.
    #[must_use]
    pub fn is_decided(&self) -> bool {
        matches!(self.0, Ticket::Ready(_))
    }

    /// Blocks until the write is durable.
    ///
    /// # Errors
    /// It could not be made durable. It may be visible, and may or may not survive a crash.
    pub fn wait(self) -> Result<()> {
        self.0.wait()
    }
}

impl Future for Commit {
    type Output = Result<()>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        self.0.poll(cx)
    }
}

/// Room for a write.
#[derive(Debug)]
#[must_use = "there is room only once it was waited for"]
pub struct Room(Ticket);

impl Room {
    /// The answer is there: go on, or why a write makes no sense.
    pub fn ready(result: Result<()>) -> Room {
        Room(Ticket::ready(result))
    }

    /// There is room when `buffer` can take `bytes` bytes.
    pub fn until(buffer: Arc<dyn Wait>, bytes: u64) -> Room {
        Room(Ticket::Until { source: buffer, mark: bytes })
    }

    /// Blocks until there is room.
    ///
    /// # Errors
    /// There was none within the deadline ([`Error::Stalled`]), or the engine takes no writes any more.
    pub fn wait(self) -> Result<()> {
        self.0.wait()
    }
}

impl Future for Room {
    type Output = Result<()>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        self.0.poll(cx)
    }
}

/// What both handles are.
enum Ticket {
    /// Decided. The error is boxed to keep the good case small.
    Ready(Result<(), Box<Error>>),
    /// To be decided by `source`.
    Until { source: Arc<dyn Wait>, mark: u64 },
}

impl Ticket {
    fn ready(result: Result<()>) -> Ticket {
        Ticket::Ready(result.map_err(Box::new))
    }

    fn wait(self) -> Result<()> {
        match self {
            Ticket::Ready(result) => result.map_err(|error| *error),
            Ticket::Until { source, mark } => source.wait(mark),
        }
    }

    fn poll(&self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        match self {
            Ticket::Ready(Ok(())) => Poll::Ready(Ok(())),
            Ticket::Ready(Err(error)) => Poll::Ready(Err(Error::clone(error))),
            Ticket::Until { source, mark } => source.poll(*mark, cx),
        }
    }
}

impl fmt::Debug for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Ticket::Ready(result) => f.debug_tuple("Ready").field(result).finish(),
            Ticket::Until { mark, .. } => f.debug_struct("Until").field("mark", mark).finish_non_exhaustive(),
        }
    }
}

/// Wakes a thread that waits in [`Wait::wait`].
struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use parking_lot::Mutex;

    /// A log that is durable up to a position, or broken.
    #[derive(Default)]
    struct Log(Mutex<(u64, bool, Vec<Waker>)>);

    impl Log {
        fn advance(&self, to: u64, broken: bool) {
            let mut state = self.0.lock();
            state.0 = to;
            state.1 = broken;
            state.2.drain(..).for_each(Waker::wake);
        }
    }

    impl Wait for Log {
        fn poll(&self, mark: u64, cx: &mut Context<'_>) -> Poll<Result<()>> {
            let mut state = self.0.lock();
            if state.0 >= mark {
                return Poll::Ready(Ok(()));
            }
            if state.1 {
                return Poll::Ready(Err(Error::Closed));
            }
            state.2.push(cx.waker().clone());
            Poll::Pending
        }
    }

    #[test]
    fn a_blocked_thread_is_woken_by_its_mark() {
        let log = Arc::new(Log::default());
        let waiters: Vec<_> = (1..=3)
            .map(|position| {
                let commit = Commit::at(log.clone(), position);
                std::thread::spawn(move || commit.wait())
            })
            .collect();
        log.advance(1, false);
        log.advance(2, true);
        let results: Vec<_> = waiters.into_iter().map(|w| w.join().unwrap().is_ok()).collect();
        assert_eq!(results, [true, true, false]);
    }

    #[test]
    fn polling_repeats_its_answer() {
        let mut cx = Context::from_waker(Waker::noop());
        let log = Arc::new(Log::default());
        let mut commit = Commit::at(log.clone(), 1);
        assert!(Pin::new(&mut commit).poll(&mut cx).is_pending());
        log.advance(1, false);
        let mut failed = Room::ready(Err(Error::Closed));
        for _ in 0..2 {
            assert!(matches!(Pin::new(&mut commit).poll(&mut cx), Poll::Ready(Ok(()))));
            assert!(matches!(Pin::new(&mut failed).poll(&mut cx), Poll::Ready(Err(Error::Closed))));
        }
        assert!(Room::ready(Ok(())).wait().is_ok());
    }
}
