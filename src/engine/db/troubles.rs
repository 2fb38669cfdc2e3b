//! What is wrong, and since when: for `stats`, and for the log.
//!
//! (O1) Work that fails is tried again and again. Those who listen are told when it begins to fail, when it fails for another reason,
//!      and when it goes on: not at every try.

use super::events::Events;
use crate::engine::event::{BackgroundError, BackgroundResumed, Event, Work};
use crate::sync::Mutex;
use crate::vfs::Clock;
use crate::{Error, Result};
use serde::ser::{Serialize, SerializeStruct, Serializer};
use std::collections::BTreeMap;
use std::fmt;

/// An error that the database remembers.
///
/// As JSON: `{"kind": "disk_full", "message": "…", "since_ms": 1700000000000, "times": 3}`.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Trouble {
    /// What went wrong.
    pub error: Error,
    /// Since when, by the wall clock: milliseconds since 1970.
    pub since_ms: u64,
    /// How often it was met.
    pub times: u64,
}

/// The troubles of a database.
#[derive(Debug, Default)]
pub struct Troubles {
    failing: Mutex<BTreeMap<Work, Trouble>>,
    last: Mutex<Option<Trouble>>,
    disk_full: Mutex<Option<Trouble>>,
}

impl Trouble {
    /// An error that was met just now.
    pub(super) fn new(error: Error, clock: &dyn Clock) -> Trouble {
        Trouble { error, since_ms: clock.wall_ms(), times: 1 }
    }
}

impl Troubles {
    /// Notes how a piece of work went; `None` when it failed. That it was given up because the database closes is no failure.
    pub fn note<T>(&self, work: Work, outcome: Result<T>, clock: &dyn Clock, events: &Events) -> Option<T> {
        match outcome {
            Ok(value) => {
                self.passed(work, events);
                Some(value)
            }
            Err(Error::Closed) => None,
            Err(error) => {
                self.failed(work, Trouble::new(error, clock), events);
                None
            }
        }
    }

    /// What is failing now.
    pub fn failing(&self) -> BTreeMap<Work, Trouble> {
        self.failing.lock().clone()
    }

    /// Why only deletions are taken, if that is so.
    pub fn disk_full(&self) -> Option<Trouble> {
        self.disk_full.lock().clone()
    }

    /// Notes that only deletions are taken, or that all writes are.
    pub fn set_disk_full(&self, trouble: Option<Trouble>) {
        *self.disk_full.lock() = trouble;
    }

    /// Notes a failure that work may get over by itself.
    pub fn met(&self, trouble: Trouble) {
        *self.last.lock() = Some(trouble);
    }

    /// The error of work that fails for want of space.
    pub fn want_of_space(&self, work: Work) -> Option<Error> {
        let failing = self.failing.lock();
        let error = &failing.get(&work)?.error;
        matches!(error, Error::DiskFull { .. }).then(|| error.clone())
    }

    /// The last failure, whether or not it has passed.
    pub fn last(&self) -> Option<Trouble> {
        self.last.lock().clone()
    }

    fn passed(&self, work: Work, events: &Events) {
        let passed = self.failing.lock().remove(&work);
        if let Some(Trouble { times, .. }) = passed {
            events.tell(Event::BackgroundResumed(BackgroundResumed { work, times }));
        }
    }

    fn failed(&self, work: Work, trouble: Trouble, events: &Events) {
        *self.last.lock() = Some(trouble.clone());
        let Trouble { error, .. } = &trouble;
        let mut failing = self.failing.lock();
        match failing.get_mut(&work) {
            Some(known) if known.error.kind() == error.kind() => {
                known.times += 1;
                known.error = error.clone();
            }
            _ => {
                events.tell(Event::BackgroundError(BackgroundError { work, error: error.clone() }));
                failing.insert(work, trouble);
            }
        }
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

impl Serialize for Trouble {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        let mut fields = serializer.serialize_struct("Trouble", 4)?;
        fields.serialize_field("kind", self.error.kind())?;
        fields.serialize_field("message", &self.error.to_string())?;
        fields.serialize_field("since_ms", &self.since_ms)?;
        fields.serialize_field("times", &self.times)?;
        fields.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::options::Options;
    use crate::vfs::mem::SimClock;
    use std::path::Path;
    use std::time::Duration;

    fn full() -> Error {
        Error::DiskFull { op: "write", path: "7.table".into() }
    }

    #[test]
    fn failures_are_remembered_until_they_pass() {
        let (troubles, clock) = (Troubles::default(), SimClock::new(1));
        let events = Events::new(&Options::default());
        let start = clock.wall_ms();
        for _ in 0..3 {
            assert_eq!(troubles.note(Work::Flush, Err::<(), _>(full()), &clock, &events), None);
            clock.advance(Duration::from_secs(1));
        }
        let failing = troubles.failing();
        let trouble = &failing[&Work::Flush];
        assert_eq!((trouble.since_ms, trouble.times, failing.len()), (start, 3, 1));
        assert!(troubles.want_of_space(Work::Flush).is_some() && troubles.want_of_space(Work::Log).is_none());
        let json = serde_json::to_string(&failing).unwrap();
        assert!(json.starts_with(r#"{"flush":{"kind":"disk_full","message":"no space left"#), "{json}");

        // Another reason begins anew.
        let broken = Error::io("write", Path::new("8.table"), std::io::Error::other("broken"));
        troubles.note(Work::Flush, Err::<(), _>(broken), &clock, &events);
        assert_eq!(troubles.failing()[&Work::Flush].times, 1);
        assert!(troubles.want_of_space(Work::Flush).is_none());

        assert_eq!(troubles.note(Work::Flush, Ok(5), &clock, &events), Some(5));
        assert!(troubles.failing().is_empty());
        assert_eq!(troubles.last().unwrap().error.kind(), "io");
        assert_eq!(troubles.note(Work::Flush, Err::<(), _>(Error::Closed), &clock, &events), None);
        assert!(troubles.failing().is_empty());
    }
}
