//! Waiting for engines that work in the background.

use anyhow::Result;
use std::time::{Duration, Instant};

/// Looks every few milliseconds whether an engine that cannot be waited for is busy, until it was not for `quiet` in a
/// row. The answer is the time it was seen doing nothing.
pub fn watch_until_quiet(quiet: Duration, mut is_busy: impl FnMut() -> Result<bool>) -> Result<Duration> {
    const STEP: Duration = Duration::from_millis(5);
    let (mut idle, mut idle_in_a_row) = (Duration::ZERO, Duration::ZERO);
    while idle_in_a_row < quiet {
        let start = Instant::now();
        std::thread::sleep(STEP);
        match is_busy()? {
            true => idle_in_a_row = Duration::ZERO,
            false => {
                idle += start.elapsed();
                idle_in_a_row += start.elapsed();
            }
        }
    }
    Ok(idle)
}

/// Flushes Siltstone, and waits until it has nothing left to merge. The answer is as that of [`watch_until_quiet`].
#[cfg(feature = "siltstone")]
pub fn siltstone(db: &siltstone::Db) -> Result<Duration> {
    /// How long it has to be quiet to count as settled: longer than the second after which it counts itself as idle and merges
    /// level 0 down.
    const QUIET: Duration = Duration::from_millis(1500);
    db.flush()?;
    let mut seen = None;
    watch_until_quiet(QUIET, || {
        let stats = db.stats();
        if let Some(error) = stats.last_background_error {
            anyhow::bail!("background work failed: {error}");
        }
        let now = Some((stats.flushes, stats.compactions, stats.levels.len()));
        let changed = std::mem::replace(&mut seen, now) != now;
        Ok(changed || stats.compacting)
    })
}
