//! A pause that an operator asked for: until it is over, clients wait.

use crate::sync::plain::Mutex;
use std::time::Duration;
use tokio::time::Instant;

/// Whether there is a pause.
#[derive(Debug, Default)]
pub(super) struct Pause(Mutex<Option<(Instant, bool)>>);

impl Pause {
    /// Begins a pause of so long, for everything or for writes only; `None` ends the one there is.
    pub(super) fn set(&self, pause: Option<(Duration, bool)>) {
        *self.0.lock() = pause.map(|(length, all)| (Instant::now() + length, all));
    }

    /// How long a client has to wait yet that wants to write, or not.
    pub(super) fn left(&self, writes: bool) -> Option<Duration> {
        let mut pause = self.0.lock();
        let (end, all) = (*pause)?;
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            *pause = None;
        }
        ((all || writes) && !left.is_zero()).then_some(left)
    }
}
