//! What the server does for those who look after it: state, compaction, stopping.

use super::Shared;
use super::service::Service;
use super::session::Session;
use crate::dataset::sweep::{Position, Step};
use crate::protocol::Reply;
use crate::sync::plain::atomic::Ordering::Relaxed;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;

/// How often the rate of commands is looked at.
const LOOK: Duration = Duration::from_millis(100);
/// How often something else is done: each so many looks.
const WORK_EVERY: u64 = 10;
/// How many hashes are looked at at a time, and how long the sweep rests when it has seen all.
const SWEPT: usize = 1024;
const REST: Duration = Duration::from_secs(60);

/// Runs beside the connections until the server stops.
pub(super) async fn run(shared: Arc<Shared>, mut stopping: watch::Receiver<bool>) {
    let mut sweep = Sweep { at: Position::default(), rests_until: Instant::now() + REST };
    for look in 1_u64.. {
        if tokio::time::timeout(LOOK, stopping.wait_for(|stopping| *stopping)).await.is_ok() {
            return;
        }
        let service = &shared.service;
        service.rate.look(service.metrics.commands.load(Relaxed));
        if look.is_multiple_of(WORK_EVERY) {
            service.snapshots.expire();
            sweep = sweep.go_on(&shared).await;
        }
    }
}

/// How far the sweep for fields that nobody reaches has come.
#[derive(Debug, Clone, Copy)]
struct Sweep {
    at: Position,
    rests_until: Instant,
}

impl Sweep {
    async fn go_on(mut self, shared: &Arc<Shared>) -> Sweep {
        if Instant::now() < self.rests_until {
            return self;
        }
        let (shared, at) = (Arc::clone(shared), self.at);
        let swept = tokio::task::spawn_blocking(move || shared.service.data.sweep(at, SWEPT)).await;
        match swept {
            Ok(Ok(Step { next: Some(next), .. })) => self.at = next,
            // The end, or something is wrong with the database, which others tell of.
            _ => self = Sweep { at: Position::default(), rests_until: Instant::now() + REST },
        }
        self
    }
}

impl Service {
    /// The counters of the text protocol, in its order.
    pub(super) fn stats(&self) -> Reply {
        let (metrics, engine) = (&self.metrics, self.engine_stats());
        // Blocks, each with many keys.
        let evicted = number(&engine, &["cache", "evictions"]);
        let cached = number(&engine, &["cache", "inserts"]).saturating_sub(evicted);
        let last = match self.last_compaction.load(Relaxed) {
            0 => "None".into(),
            seconds => seconds.to_string(),
        };
        Reply::Table(vec![
            ("keys_in_index", self.count_keys(0).to_string()),
            ("keys_in_cache", cached.to_string()),
            ("put_count", metrics.puts.load(Relaxed).to_string()),
            ("delete_count", metrics.deletes.load(Relaxed).to_string()),
            ("file_size_bytes", number(&engine, &["table_bytes"]).to_string()),
            ("last_compaction_time", last),
        ])
    }

    /// How many keys a database had a moment ago. It may take long, and wait for a disk.
    pub(super) fn count_keys(&self, database: u8) -> u64 {
        self.counting.count(&self.data, database)
    }

    /// What the engine counts.
    pub(super) fn engine_stats(&self) -> serde_json::Value {
        serde_json::from_str(&self.data.engine().stats_json()).unwrap_or_default()
    }

    /// Merges all files. It takes long.
    pub(super) fn compact(&self) -> crate::Result<()> {
        self.data.engine().compact()?;
        let now = crate::dataset::txn::ms_of_time(self.data.engine().now()) / 1000;
        self.last_compaction.store(u64::try_from(now).unwrap_or(0), Relaxed);
        Ok(())
    }

    /// Whether clients may stop the server: those of this machine, unless the configuration says otherwise.
    pub(super) fn may_shut_down(&self) -> bool {
        self.config.allow_shutdown.unwrap_or_else(|| self.stopper.is_local())
    }

    /// Stops the server, in order.
    pub(super) fn shut_down(&self) {
        self.stopper.stop();
    }

    /// The port of the first listener.
    pub(super) fn port(&self) -> u16 {
        self.stopper.port()
    }

    /// Notes in the log who did something that matters to all.
    pub(super) fn audit(&self, session: &Session, what: &str) {
        let user = session.user.as_ref().map_or("", |user| user.name.as_str());
        tracing::info!(target: "siltstone::audit", client = %session.client.peer, user, "{what}");
    }

    /// Notes in the log a command on data that matters to all, when it is done.
    pub(super) fn audit_command(&self, session: &Session, name: &[u8]) {
        for audited in ["FLUSHALL", "FLUSHDB"] {
            if name.eq_ignore_ascii_case(audited.as_bytes()) {
                self.audit(session, audited);
            }
        }
    }

    /// Lets go of the keys that a client watches.
    pub(super) fn forget_watches(&self, session: &mut Session) {
        let watching = std::mem::take(&mut session.watching);
        drop(watching.watch);
        for (database, key, _) in watching.keys {
            self.data.stripes().unwatch(database, &key);
        }
        session.client.about.lock().watched = 0;
    }
}

/// A number out of what the engine counts; 0 when it has none by that name.
pub(super) fn number(stats: &serde_json::Value, path: &[&str]) -> u64 {
    let found = path.iter().try_fold(stats, |value, name| value.get(name));
    found.and_then(serde_json::Value::as_u64).unwrap_or(0)
}
