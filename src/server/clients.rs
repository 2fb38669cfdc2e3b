//! Who is connected, as far as others may see it.

use crate::sync::plain::Mutex;
use crate::sync::plain::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::sync::Notify;
use tokio::time::Instant;

/// What others may see of a client.
#[derive(Debug)]
pub(super) struct Client {
    /// Its number, which nobody had before.
    pub(super) id: u64,
    /// Where it comes from.
    pub(super) peer: SocketAddr,
    /// Where it came to.
    pub(super) local: SocketAddr,
    /// When it came.
    pub(super) since: Instant,
    /// What it says of itself, and what it did last.
    pub(super) about: Mutex<About>,
    killed: AtomicBool,
    /// Notified when its connection has to look whether it ends, or the server does.
    pub(super) told: Arc<Notify>,
}

/// What changes of a client.
#[derive(Debug, Clone, Default)]
pub(super) struct About {
    /// The name it gave itself.
    pub(super) name: String,
    /// The library it says to use.
    pub(super) library: String,
    /// And the version of that.
    pub(super) library_version: String,
    /// Who it is; empty for a stranger.
    pub(super) user: String,
    /// The last command.
    pub(super) command: &'static str,
    /// When that was.
    pub(super) last: Option<Instant>,
    /// Its database.
    pub(super) database: u8,
    /// 2 or 3.
    pub(super) version: u8,
    /// How many commands wait for EXEC; -1 when none are put together.
    pub(super) queued: i64,
    /// How many keys it watches.
    pub(super) watched: usize,
}

impl Client {
    /// Ends its connection soon.
    pub(super) fn kill(&self) {
        self.killed.store(true, Relaxed);
        self.told.notify_one();
    }

    /// Whether it is to end.
    pub(super) fn is_killed(&self) -> bool {
        self.killed.load(Relaxed)
    }
}

/// All clients.
#[derive(Debug, Default)]
pub(super) struct Clients {
    next: AtomicU64,
    list: Mutex<BTreeMap<u64, Arc<Client>>>,
}

impl Clients {
    /// A client has come.
    pub(super) fn enter(&self, peer: SocketAddr, local: SocketAddr) -> Arc<Client> {
        let id = self.next.fetch_add(1, Relaxed) + 1;
        let client = Arc::new(Client {
            id,
            peer,
            local,
            since: Instant::now(),
            about: Mutex::new(About { version: 2, queued: -1, ..About::default() }),
            killed: AtomicBool::new(false),
            told: Arc::default(),
        });
        self.list.lock().insert(id, Arc::clone(&client));
        client
    }

    /// A client has gone.
    pub(super) fn leave(&self, client: &Client) {
        self.list.lock().remove(&client.id);
    }

    /// All that are there, the oldest first.
    pub(super) fn all(&self) -> Vec<Arc<Client>> {
        self.list.lock().values().cloned().collect()
    }

    /// Has all connections look whether the server stops.
    pub(super) fn tell_all(&self) {
        self.list.lock().values().for_each(|client| client.told.notify_one());
    }

    /// How many are there.
    pub(super) fn len(&self) -> usize {
        self.list.lock().len()
    }
}
