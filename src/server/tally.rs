//! What a pass counts, added to the counters of the server when it ends: a shared word for each command would be dear.

use super::metrics::Metrics;
use crate::dataset::txn::Lookups;

/// Counts of one pass.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) commands: u64,
    pub(super) puts: u64,
    pub(super) deletes: u64,
    pub(super) errors: u64,
    lookups: Lookups,
}

impl Tally {
    /// Adds what a transaction looked for.
    pub(super) fn lookups(&mut self, lookups: Lookups) {
        self.lookups.hits += lookups.hits;
        self.lookups.misses += lookups.misses;
    }

    /// Adds one key that was looked for, and whether it was there.
    pub(super) fn look_up(&mut self, hit: bool) {
        self.lookups.hits += u64::from(hit);
        self.lookups.misses += u64::from(!hit);
    }

    /// Adds everything to the counters, and begins anew.
    pub(super) fn settle(&mut self, metrics: &Metrics) {
        let counted = std::mem::take(self);
        Metrics::add(&metrics.commands, counted.commands);
        Metrics::add(&metrics.puts, counted.puts);
        Metrics::add(&metrics.deletes, counted.deletes);
        Metrics::add(&metrics.errors, counted.errors);
        Metrics::add(&metrics.hits, counted.lookups.hits);
        Metrics::add(&metrics.misses, counted.lookups.misses);
    }
}
