//! Mistakes of the kind that lose data, planted where they could be made, to see whether the tests find them.
//!
//! A test that cannot fail proves nothing. So each harness is run against engines that are known to be wrong: one bug at a
//! time, chosen by `SILTSTONE_PLANTED=Name`, in builds with the feature `planted-bugs`. Without that feature [`planted`] is
//! `false` at compile time and nothing of this is left; with it, a build without debug assertions, such as a release, is
//! refused. Which harness finds which bug is in `docs/promises.md`; `tests/common/planted` holds it.
//!
//! A plant is one line at the place where a tired programmer would have made the mistake:
//!
//! ```text
//! if planted(Bug::SkipLogSync) {
//!     return Ok(());
//! }
//! ```
//!
//! Rejected: mutating the source by a tool. It finds other things, at the price of a build for each mutant; these bugs are
//! the ones that storage engines have had, and all of them are in one build.

use crate::sync::plain::atomic::{AtomicUsize, Ordering::Relaxed};

const UNKNOWN: usize = usize::MAX;
const NONE: usize = usize::MAX - 1;

/// Whether this bug is to be made now.
#[inline(always)]
#[must_use]
pub fn planted(bug: Bug) -> bool {
    crate::PLANTED_BUGS && chosen() == bug as usize
}

/// The place in [`NAMES`] of the bug that the environment names, or `NONE`.
fn chosen() -> usize {
    static CHOSEN: AtomicUsize = AtomicUsize::new(UNKNOWN);
    match CHOSEN.load(Relaxed) {
        UNKNOWN => {
            let chosen = read_environment();
            CHOSEN.store(chosen, Relaxed);
            chosen
        }
        chosen => chosen,
    }
}

fn read_environment() -> usize {
    let name = std::env::var("SILTSTONE_PLANTED").unwrap_or_default();
    let place = NAMES.iter().position(|known| *known == name);
    assert!(
        place.is_some() || name.is_empty(),
        "SILTSTONE_PLANTED={name}: there is no such bug, only {NAMES:?}"
    );
    place.unwrap_or(NONE)
}

macro_rules! bugs {
    ($($(#[$what:meta])* $name:ident,)*) => {
        /// A mistake that can be made on purpose.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        #[allow(dead_code, reason = "not every build has all modules that one is planted in")]
        pub enum Bug {
            $($(#[$what])* $name,)*
        }

        /// The names of all bugs.
        pub const NAMES: &[&str] = &[$(stringify!($name)),*];
    };
}

bugs! {
    // Durability.
    /// The log is called durable without a sync.
    SkipLogSync,
    /// Only the segment in use is synced, not the one before it, which has records of the same group.
    SyncNewestSegmentOnly,
    /// What recovery has read from the log is vouched for without being synced.
    SkipRecoveredLogSync,
    /// The names of new tables are not made durable.
    SkipFolderSyncAfterCreate,
    /// The folder is not synced after `CURRENT` was renamed.
    SkipFolderSyncAfterRename,
    /// A table is named by the manifest before its content is durable.
    SkipTableSync,
    /// Log segments go before the edit that makes them needless is durable.
    RemoveLogBeforeEdit,
    /// Writes with an interval are never synced by themselves.
    IntervalNeverSyncs,
    /// The server answers a write before it is durable.
    AnswerBeforeDurable,

    // Failing files.
    /// A sync that failed is tried again, and its success believed.
    RetryFailedSync,
    /// An error of writing to the log is passed over.
    IgnoreFailedAppend,
    /// A batch becomes visible although its record could not be written.
    PublishBeforeLogged,
    /// After a failed append the log goes on behind what that left, not over it.
    GoOnBehindFailedAppend,
    /// The numbers of a batch whose record could not be written are given to the next one.
    ReuseSequence,
    /// A record of the manifest that did not fit on the disk is not cut off again.
    LeaveHalfEdit,
    /// A read-only database takes writes.
    IgnorePoison,

    // Recovery.
    /// Recovery ends at damage in the middle of the log without a word.
    EndLogSilently,
    /// Recovery leaves out the last whole record, too, before one that is torn.
    CutTooFar,
    /// A manifest that goes on in a new file lacks the edit that it was made for.
    RollOverLosesEdit,
    /// The first write after a clean close leaves `CURRENT` clean.
    StaysClean,
    /// A second process may open the folder.
    SkipLock,
    /// A file of a later format is read as if it were of this one.
    AcceptNewerFormat,

    // Damage.
    /// The checksum of a filter is not looked at.
    UncheckedFilter,
    /// The checksum of a block does not cover its first four bytes, which are the length where it is compressed.
    ChecksumMissesLength,
    /// `verify` does not look into tables.
    VerifySkipsTables,
    /// `repair` does not tell what of a table it could not take.
    RepairHidesLosses,

    // Flush and compaction.
    /// A tombstone goes although an older version lies deeper.
    DropTombstoneAboveBottom,
    /// Versions that only a snapshot sees are dropped.
    ForgetSnapshots,
    /// An expired value goes without a tombstone, and what it had overwritten is there again.
    ExpiredUncoversOlder,
    /// The deletion of a range that a flush takes from the log is not noted in the manifest.
    FlushForgetsRange,
    /// What the deletion of a range hides is dropped although a snapshot from before it sees it.
    RangeIgnoresSnapshots,
    /// A put into a gap that is known to be empty does not end it.
    GapSurvivesPut,
    /// A keyspace is dropped before what was written earlier is durable.
    DropBeforeLogSync,
    /// The deletion of a range leaves the manifest while a table still has what it hides.
    RangeDoneTooEarly,
    /// The table of level 0 that was written first is read first.
    OldestTableFirst,
    /// The file of a table goes when a compaction has replaced it, whoever still reads it.
    RemoveReadTable,

    // Reading.
    /// A seek that would land on the last entry of a block goes to the next one.
    SeekMissesBlockEnd,
    /// The largest key of a table is looked for in the next table.
    LevelMissesLargestKey,
    /// The first key of a table is not in its filter.
    FilterMissesFirstKey,
    /// Two blocks next to each other share one place in the cache.
    ShareCacheSlot,
    /// Of a key's versions in different runs a walk backwards takes the older one for the newer.
    BackwardTakesOlder,
    /// A key that is overwritten in the write buffer keeps leading to its first version.
    OlderVersionWins,

    // Transactions.
    /// Ranges that were walked are not looked at again before a transaction commits.
    ValidationSkipsRanges,
    /// What a write depends on is looked at before it takes the lock that gives it its place, and not under it.
    GuardBeforeLock,
    /// That a key was absent is not kept in mind.
    ForgetAbsentReads,

    // Threads.
    /// Whoever waits for another's sync is not told of its end.
    LoseWakeUp,
    /// The entries of a batch become visible one by one.
    BatchInTwoSteps,
    /// A batch becomes visible before its entries are in the write buffer.
    VisibleBeforeApplied,
    /// A reader learns what is visible before it takes the tables that hold it.
    NumberBeforeView,
}
