//! Warnings that clients can cause, told now and then instead of each time: whoever reads the log must find other things
//! in it, and a full disk or a slow terminal must not hold up the server.

use crate::sync::plain::Mutex;
use std::time::Duration;
use tokio::time::Instant;

/// How long a warning that was told is not told again.
const QUIET: Duration = Duration::from_secs(10);

/// One kind of warning.
#[derive(Debug)]
pub(super) struct Muffle(Mutex<Told>);

#[derive(Debug)]
struct Told {
    last: Option<Instant>,
    /// How often it was not told since.
    missed: u64,
}

impl Muffle {
    /// Nothing told yet.
    pub(super) const fn new() -> Muffle {
        Muffle(Mutex::new(Told { last: None, missed: 0 }))
    }

    /// Calls `tell` with the number of times it was not called since the last time, unless that was a moment ago.
    pub(super) fn tell(&self, tell: impl FnOnce(u64)) {
        let mut told = self.0.lock();
        if told.last.is_some_and(|last| last.elapsed() < QUIET) {
            told.missed += 1;
            return;
        }
        told.last = Some(Instant::now());
        let missed = std::mem::take(&mut told.missed);
        drop(told);
        tell(missed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_happens_all_the_time_is_told_once() {
        let muffle = Muffle::new();
        let mut told = Vec::new();
        (0..1000).for_each(|_| muffle.tell(|missed| told.push(missed)));
        assert_eq!(told, [0]);
        muffle.0.lock().last = None;
        muffle.tell(|missed| told.push(missed));
        assert_eq!(told, [0, 999]);
    }
}
