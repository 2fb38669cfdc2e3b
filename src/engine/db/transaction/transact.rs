//! Running a transaction again until it commits.

use super::Transaction;
use crate::Error;
use crate::engine::db::Db;
use crate::engine::db::inner::Inner;
use std::time::Duration;

/// How often a transaction is tried. At each try that fails another writer has succeeded; who loses this often writes to what
/// everybody writes to, and should know.
const TRIES: u32 = 32;
/// How long the pause before the second try may be; each further one twice as long, up to the longest.
const FIRST_PAUSE: Duration = Duration::from_micros(20);
const LONGEST_PAUSE: Duration = Duration::from_millis(10);

impl Db {
    /// Runs `work` in a transaction and commits it. When it conflicts with what others wrote meanwhile, `work` is run again, in
    /// a new transaction and after a short pause, up to 32 times.
    ///
    /// An error of `work` ends it, and nothing is written. Whatever `work` does besides may happen several times.
    ///
    /// ```
    /// # use siltstone::Db;
    /// # let folder = tempfile::tempdir().unwrap();
    /// # let db = Db::open(folder.path().join("db"))?;
    /// let count = db.transact(|tx| {
    ///     let count = tx.get("count")?.map_or(0, |value| value.len());
    ///     tx.put("count", "x".repeat(count + 1))?;
    ///     Ok::<_, siltstone::Error>(count + 1) // or any error that a siltstone one can become
    /// })?;
    /// assert_eq!(count, 1);
    /// # Ok::<(), siltstone::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Conflict`] of the last try; what `work` returns; else as [`Transaction::commit`].
    pub fn transact<T, E: From<Error>>(
        &self,
        mut work: impl FnMut(&mut Transaction) -> Result<T, E>,
    ) -> Result<T, E> {
        let mut tried = 1;
        loop {
            let mut transaction = self.transaction();
            let answer = work(&mut transaction)?;
            match transaction.commit() {
                Ok(()) => return Ok(answer),
                Err(Error::Conflict { .. }) if tried < TRIES => self.inner().pause_before_try(tried),
                Err(error) => return Err(error.into()),
            }
            tried += 1;
        }
    }
}

impl Inner {
    /// A random part of a time that doubles with each try, so that those who met once do not meet again.
    fn pause_before_try(&self, tried: u32) {
        let longest = FIRST_PAUSE.saturating_mul(1 << tried.min(20)).min(LONGEST_PAUSE);
        let nanos = u64::try_from(longest.as_nanos()).unwrap_or(u64::MAX);
        let clock = &self.options.clock;
        clock.sleep(Duration::from_nanos(clock.random() % nanos.max(1)));
    }
}
