//! The commands that took long, the newest few of them.

use super::clients::Client;
use crate::protocol::Reply;
use crate::protocol::resp::Args;
use crate::sync::plain::Mutex;
use crate::sync::plain::atomic::{AtomicI64, AtomicUsize, Ordering::Relaxed};
use std::collections::VecDeque;
use std::time::Duration;

/// How much is kept of a command: so many arguments, and so many bytes of each.
const MAX_ARGS: usize = 32;
const MAX_ARG_BYTES: usize = 128;

/// What took long.
#[derive(Debug)]
pub(super) struct SlowLog {
    limit_us: AtomicI64,
    most: AtomicUsize,
    list: Mutex<List>,
}

#[derive(Debug, Default)]
struct List {
    next: i64,
    /// The newest first.
    entries: VecDeque<Entry>,
}

#[derive(Debug, Clone)]
struct Entry {
    id: i64,
    unix_seconds: i64,
    micros: i64,
    args: Vec<Vec<u8>>,
    peer: String,
    name: String,
}

impl SlowLog {
    /// Keeps up to `most` commands that took longer than `limit`.
    pub(super) fn new(limit: Duration, most: usize) -> SlowLog {
        let limit = i64::try_from(limit.as_micros()).unwrap_or(i64::MAX);
        SlowLog { limit_us: limit.into(), most: most.into(), list: Mutex::default() }
    }

    /// Notes a command if it took long enough. Those that carry a password are not shown.
    #[inline]
    pub(super) fn look(&self, took: Duration, client: &Client, args: Args<'_>, now: impl FnOnce() -> i64) {
        let limit = self.limit_us.load(Relaxed);
        let micros = i64::try_from(took.as_micros()).unwrap_or(i64::MAX);
        if limit >= 0 && micros >= limit {
            self.note(micros, client, args, now());
        }
    }

    fn note(&self, micros: i64, client: &Client, args: Args<'_>, unix_seconds: i64) {
        let secret = ["auth", "hello"].iter().any(|name| args.name().eq_ignore_ascii_case(name.as_bytes()));
        let shown = if secret { 1 } else { MAX_ARGS };
        let mut kept: Vec<Vec<u8>> =
            args.from(0).take(shown).map(|arg| arg.get(..MAX_ARG_BYTES).unwrap_or(arg).to_vec()).collect();
        if args.len() > shown {
            kept.push(format!("... ({} more arguments)", args.len() - shown).into_bytes());
        }
        tracing::info!(micros, command = %String::from_utf8_lossy(args.name()), client = %client.peer, "slow command");
        let name = client.about.lock().name.clone();
        let mut list = self.list.lock();
        let id = list.next;
        list.next += 1;
        list.entries.push_front(Entry {
            id,
            unix_seconds,
            micros,
            args: kept,
            peer: client.peer.to_string(),
            name,
        });
        list.entries.truncate(self.most.load(Relaxed));
    }

    /// The newest `count`, as `SLOWLOG GET` shows them.
    pub(super) fn newest(&self, count: usize) -> Vec<Reply> {
        let shown: Vec<Entry> = self.list.lock().entries.iter().take(count).cloned().collect();
        let one = |entry: Entry| {
            Reply::List(vec![
                Reply::Number(entry.id),
                Reply::Number(entry.unix_seconds),
                Reply::Number(entry.micros),
                Reply::List(entry.args.into_iter().map(Reply::bytes).collect()),
                Reply::bytes(entry.peer),
                Reply::bytes(entry.name),
            ])
        };
        shown.into_iter().map(one).collect()
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.list.lock().entries.len()
    }

    /// Forgets them.
    pub(super) fn clear(&self) {
        self.list.lock().entries.clear();
    }

    /// How long is long; negative for never.
    pub(super) fn limit_us(&self) -> i64 {
        self.limit_us.load(Relaxed)
    }

    /// Changes how long is long.
    pub(super) fn set_limit_us(&self, limit: i64) {
        self.limit_us.store(limit, Relaxed);
    }

    /// How many are kept.
    pub(super) fn most(&self) -> usize {
        self.most.load(Relaxed)
    }

    /// Changes how many are kept.
    pub(super) fn set_most(&self, most: usize) {
        /// More would be no log of what is rare.
        const MOST: usize = 100_000;
        self.most.store(most.min(MOST), Relaxed);
        self.list.lock().entries.truncate(most);
    }
}
