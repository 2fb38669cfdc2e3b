//! What the server knows of a client from one request to the next.

use super::clients::Client;
use super::users::{User, Verdict};
use crate::dataset::locks::Watch;
use crate::protocol::resp::Version;
use crate::protocol::resp::args::OwnedArgs;
use std::sync::Arc;
use std::time::SystemTime;
use tokio::time::Instant;

/// The state of one client.
#[derive(Debug)]
pub(super) struct Session {
    /// What others may see of it.
    pub(super) client: Arc<Client>,
    /// Who it is, if it said so.
    pub(super) user: Option<Arc<User>>,
    /// What became of the credentials that it showed last, until the command that brought them is done.
    pub(super) verdict: Option<Verdict>,
    /// The pause that its last command asked for is over.
    pub(super) has_slept: bool,
    /// How many logins failed since one did not.
    pub(super) failures: u8,
    /// The name of the last command.
    pub(super) last: &'static str,
    /// The database its keys are of.
    pub(super) database: u8,
    /// The version of RESP that it reads.
    pub(super) version: Version,
    /// The commands of a transaction that is being put together.
    pub(super) queue: Option<Queue>,
    /// The keys it watches.
    pub(super) watching: Watching,
    /// Which replies it wants.
    pub(super) replies: Replies,
}

/// The commands between MULTI and EXEC.
#[derive(Debug, Default)]
pub(super) struct Queue {
    /// The commands.
    pub(super) commands: Vec<OwnedArgs>,
    /// About how much memory they take.
    pub(super) weight: usize,
    /// One of them was refused, so all of them will be.
    pub(super) broken: bool,
}

/// Keys that must not change until EXEC.
#[derive(Debug, Default)]
pub(super) struct Watching {
    /// Marked when one changes.
    pub(super) watch: Option<Arc<Watch>>,
    /// The keys by database, and when each expires, if it was there and does.
    pub(super) keys: Vec<(u8, Vec<u8>, Option<SystemTime>)>,
}

/// Which replies a client wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Replies {
    /// All.
    #[default]
    On,
    /// None, until it says otherwise.
    Off,
    /// Not the next one.
    Skip,
}

impl Session {
    /// A client that has said nothing.
    pub(super) fn new(client: Arc<Client>) -> Session {
        Session {
            client,
            user: None,
            verdict: None,
            has_slept: false,
            failures: 0,
            last: "",
            database: 0,
            version: Version::V2,
            queue: None,
            watching: Watching::default(),
            replies: Replies::On,
        }
    }

    /// Lets others see what changes with each command, once a pass.
    pub(super) fn show(&self, at: Instant) {
        let mut about = self.client.about.lock();
        about.last = Some(at);
        about.command = self.last;
        about.queued = self.queue.as_ref().map_or(-1, |queue| queue.commands.len() as i64);
    }

    /// From now on it is known who this is.
    pub(super) fn log_in(&mut self, user: Arc<User>) {
        self.client.about.lock().user.clone_from(&user.name);
        self.user = Some(user);
    }

    /// Whether the reply to the command that was just carried out is wanted.
    pub(super) fn wants_reply(&mut self) -> bool {
        match self.replies {
            Replies::On => true,
            Replies::Off => false,
            Replies::Skip => {
                self.replies = Replies::On;
                false
            }
        }
    }
}
