//! Threads that read for tasks: a task must not wait for the disk itself, since others wait for its thread.
//!
//! They are few, begin when one is first needed, and end with the database. What is asked of them is done in the order in which
//! it was asked.
//!
//! (J1) Every job is answered once: with what it read, or, when the database was closed before its turn, with `Error::Closed`.
//!      One that nobody waits for any more is passed over.
//! (J2) Wakers are called, and jobs dropped, without a lock of this module: either may run anything.

use crate::sync::thread::{self, JoinHandle};
use crate::sync::{Condvar, Mutex};
use crate::{Error, Result};
use std::collections::VecDeque;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

/// No more threads than these: as many reads a disk has at a time. More tasks than that wait for their turn.
const MOST: usize = 4;

/// The threads, and what they have to do.
#[derive(Default)]
pub struct Readers {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    jobs: VecDeque<Job>,
    threads: Vec<JoinHandle<()>>,
    /// How many of them have nothing to do.
    idle: usize,
    ended: bool,
}

/// Told whether the database is still open.
type Job = Box<dyn FnOnce(bool) + Send>;

/// What a job will have read.
pub struct Pending<T>(Arc<Reply<T>>);

struct Reply<T>(Mutex<Answer<T>>);

struct Answer<T> {
    outcome: Option<Result<T>>,
    waker: Option<Waker>,
}

impl<T> Pending<T> {
    /// The outcome; when there is none yet, the waker is called once there is.
    pub fn poll(&self, context: &Context<'_>) -> Poll<Result<T>> {
        let mut answer = self.0.0.lock();
        match answer.outcome.take() {
            Some(outcome) => Poll::Ready(outcome),
            None => {
                answer.waker = Some(context.waker().clone());
                Poll::Pending
            }
        }
    }
}

impl<T> Reply<T> {
    fn answer(&self, outcome: Result<T>) {
        let waker = {
            let mut answer = self.0.lock();
            answer.outcome = Some(outcome);
            answer.waker.take()
        };
        waker.into_iter().for_each(Waker::wake);
    }
}

impl Readers {
    /// Has one of the threads do `read`. Dropping what is returned takes the job back, unless it has begun.
    pub fn submit<T: Send + 'static>(
        self: &Arc<Self>,
        read: impl FnOnce() -> Result<T> + Send + 'static,
    ) -> Pending<T> {
        let reply = Arc::new(Reply(Mutex::new(Answer { outcome: None, waker: None })));
        let pending = Pending(Arc::clone(&reply));
        let job = move |is_open: bool| {
            if Arc::strong_count(&reply) > 1 {
                reply.answer(if is_open { read() } else { Err(Error::Closed) });
            }
        };
        if let Some((job, is_open)) = self.hand_over(Box::new(job)) {
            job(is_open);
        }
        pending
    }

    /// Gives the job back when nobody will do it: the database is closed, or the system gives no thread.
    fn hand_over(self: &Arc<Self>, job: Job) -> Option<(Job, bool)> {
        let mut state = self.state.lock();
        if state.ended {
            return Some((job, false));
        }
        state.jobs.push_back(job);
        if state.jobs.len() > state.idle && state.threads.len() < MOST {
            let readers = Arc::clone(self);
            match thread::Builder::new().name("siltstone-read".into()).spawn(move || readers.work()) {
                Ok(thread) => state.threads.push(thread),
                Err(error) if state.threads.is_empty() => {
                    tracing::warn!(%error, "no thread to read with: the task that asks reads itself");
                    return state.jobs.pop_back().map(|job| (job, true));
                }
                // The others will come to it.
                Err(_) => {}
            }
        }
        drop(state);
        self.changed.notify_all();
        None
    }

    fn work(&self) {
        let mut state = self.state.lock();
        loop {
            if let Some(job) = state.jobs.pop_front() {
                let is_open = !state.ended;
                drop(state);
                job(is_open);
                state = self.state.lock();
            } else if state.ended {
                return;
            } else {
                state.idle += 1;
                self.changed.wait(&mut state);
                state.idle -= 1;
            }
        }
    }

    /// Has all that still waits told that the database is closed, and waits for the threads. One of them may be the caller: a job
    /// can hold the last handle.
    pub fn end(&self) {
        let threads = {
            let mut state = self.state.lock();
            state.ended = true;
            std::mem::take(&mut state.threads)
        };
        self.changed.notify_all();
        let here = thread::current().id();
        for thread in threads.into_iter().filter(|thread| thread.thread().id() != here) {
            if thread.join().is_err() {
                tracing::error!("a thread that reads has panicked");
            }
        }
    }
}
