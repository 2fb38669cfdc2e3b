//! The way of an event from where it happens to whoever listens: one place for the log and for the listener.
//!
//! ```text
//! tell ──▶ tracing, at once
//!      └─▶ queue ──▶ siltstone-events ──▶ Listener::on_event        without a listener there is neither
//! ```
//!
//! Events happen where locks are held: a full disk is met under `commit`, the end of writes under `manifest`. So nothing is called
//! there; the event goes into a queue, whose lock takes no other.
//!
//! (N1) The listener is called with no lock of the engine held: by a thread that takes none but the queue's, and lets go of it
//!      before the call. Under `Background::Stepped`, by [`Events::deliver`], which is called at the ends of public calls only.
//! (N2) Nothing in the engine waits for the listener. The one thing that does is a close, for its last events; one from within
//!      the listener does not. So whatever a listener waits for comes.
//! (N3) Events are delivered one at a time, in the order of the queue; one that calls back and so leads to more is not called
//!      from within itself.
//! (N4) A listener that panics has lost that event. What it does then is its own matter: the engine has no state that it could
//!      have left half changed.

use crate::engine::event::{Event, Listener, StallBegun, StallEnded};
use crate::engine::options::{Background, Options};
use crate::error::StallReason;
use crate::sync::atomic::{AtomicBool, Ordering};
use crate::sync::thread::{self, JoinHandle, ThreadId};
use crate::sync::{Condvar, Mutex, OnceLock};
use crate::{Error, Result};
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

/// How many events wait for a slow listener at most.
const MOST_WAITING: usize = 4096;

/// Where events go.
pub struct Events {
    hears: Option<Hears>,
    stall: Mutex<Option<Stall>>,
}

/// What there is with a listener only.
struct Hears {
    listener: Arc<dyn Listener>,
    queue: Mutex<Queue>,
    changed: Condvar,
    /// Somebody is calling the listener (N3).
    delivering: AtomicBool,
    /// Who delivers, when it is a thread of its own.
    thread: OnceLock<ThreadId>,
    stepped: bool,
}

#[derive(Default)]
struct Queue {
    events: VecDeque<Event>,
    missed: u64,
    ended: bool,
}

/// Writes that wait at the moment.
struct Stall {
    reason: StallReason,
    since: Duration,
    waiting: usize,
}

impl Events {
    /// Those of a database with these options.
    pub fn new(options: &Options) -> Events {
        let hears = options.listener.as_ref().map(|listener| Hears {
            listener: Arc::clone(listener),
            queue: Mutex::default(),
            changed: Condvar::default(),
            delivering: AtomicBool::new(false),
            thread: OnceLock::new(),
            stepped: options.background == Background::Stepped,
        });
        Events { hears, stall: Mutex::new(None) }
    }

    /// Starts the thread that calls the listener, if there is one.
    pub fn start(self: &Arc<Self>) -> Result<Option<JoinHandle<()>>> {
        if self.hears.as_ref().is_none_or(|hears| hears.stepped) {
            return Ok(None);
        }
        let events = Arc::clone(self);
        let body = move || {
            if let Some(hears) = &events.hears {
                let _ = hears.thread.set(thread::current().id());
                while hears.wait() {
                    hears.deliver();
                }
            }
        };
        let name = "siltstone-events";
        let started = thread::Builder::new().name(name.into()).spawn(body);
        started.map(Some).map_err(|e| Error::io("start a thread for", std::path::Path::new(name), e))
    }

    /// Tells of an event. Calls nobody but the log; takes a lock that takes no other.
    pub fn tell(&self, event: Event) {
        log(&event);
        let Some(hears) = &self.hears else { return };
        let mut queue = hears.queue.lock();
        if queue.events.len() < MOST_WAITING && queue.missed == 0 {
            queue.events.push_back(event);
        } else {
            queue.missed += 1;
        }
        drop(queue);
        hears.changed.notify_all();
    }

    /// Under `Background::Stepped`: calls the listener for what has happened. No lock may be held (N1).
    pub fn deliver(&self) {
        if let Some(hears) = self.hears.as_ref().filter(|hears| hears.stepped) {
            hears.deliver();
        }
    }

    /// Has the thread deliver what is left and end. Whether it should be awaited: not by itself (N2).
    pub fn end(&self) -> bool {
        let Some(hears) = &self.hears else { return true };
        hears.queue.lock().ended = true;
        hears.changed.notify_all();
        hears.thread.get() != Some(&thread::current().id())
    }

    /// A write begins to wait.
    pub fn stall_begins(&self, reason: StallReason, now: Duration) {
        let mut stall = self.stall.lock();
        match &mut *stall {
            Some(stall) => stall.waiting += 1,
            none => {
                *none = Some(Stall { reason, since: now, waiting: 1 });
                self.tell(Event::StallBegun(StallBegun { reason }));
            }
        }
    }

    /// It waits no more.
    pub fn stall_ends(&self, now: Duration) {
        let mut stall = self.stall.lock();
        let Some(waiting) = &mut *stall else { return };
        waiting.waiting -= 1;
        if waiting.waiting == 0 {
            let (reason, took) = (waiting.reason, now.saturating_sub(waiting.since));
            self.tell(Event::StallEnded(StallEnded { reason, took }));
            *stall = None;
        }
    }

    /// Why writes wait at the moment, if any does.
    pub fn stalled(&self) -> Option<StallReason> {
        self.stall.lock().as_ref().map(|stall| stall.reason)
    }
}

impl Queue {
    fn is_empty(&self) -> bool {
        self.events.is_empty() && self.missed == 0
    }
}

impl Hears {
    /// Waits until there is something to deliver; false when there never will be.
    fn wait(&self) -> bool {
        let mut queue = self.queue.lock();
        while queue.is_empty() {
            if queue.ended {
                return false;
            }
            self.changed.wait(&mut queue);
        }
        true
    }

    /// Calls the listener for everything that waits.
    fn deliver(&self) {
        // Who comes while another delivers leaves its events to that one, which looks again when it is done.
        while !self.queue.lock().is_empty() && !self.delivering.swap(true, Ordering::AcqRel) {
            while let Some(event) = self.next() {
                self.call(&event);
            }
            self.delivering.store(false, Ordering::Release);
        }
    }

    fn call(&self, event: &Event) {
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| self.listener.on_event(event))) {
            let said = panic.downcast_ref::<&str>().copied();
            let said = said.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
            tracing::error!(said, %event, "the listener panicked; it is called again for the next event");
        }
    }

    fn next(&self) -> Option<Event> {
        let mut queue = self.queue.lock();
        queue.events.pop_front().or_else(|| match std::mem::take(&mut queue.missed) {
            0 => None,
            missed => Some(Event::Missed(missed)),
        })
    }
}

/// The same for `tracing`, at a level that says who should care.
fn log(event: &Event) {
    match event {
        Event::ReadOnly(_) => tracing::error!("{event}"),
        Event::BackgroundError(_) | Event::DiskFull(_) => tracing::warn!("{event}"),
        Event::BackgroundResumed(_) | Event::DiskFullOver => tracing::info!("{event}"),
        _ => tracing::debug!("{event}"),
    }
}
