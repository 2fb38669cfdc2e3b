//! How to connect.

use std::fmt;
use std::time::Duration;

/// How to connect, and as whom.
///
/// ```no_run
/// use siltstone::client::{Client, ClientOptions};
/// use std::time::Duration;
///
/// let options = ClientOptions::default().user("ada").password("secret").read_timeout(Duration::from_secs(5));
/// let mut client = Client::connect_with("db.example:9999", &options)?;
/// # Ok::<(), siltstone::client::Error>(())
/// ```
#[derive(Clone)]
pub struct ClientOptions {
    pub(super) connect_timeout: Duration,
    pub(super) read_timeout: Duration,
    pub(super) write_timeout: Duration,
    pub(super) user: Option<String>,
    pub(super) password: Option<String>,
    pub(super) database: u32,
    pub(super) name: Option<String>,
    pub(super) max_reply_bytes: usize,
}

impl Default for ClientOptions {
    fn default() -> ClientOptions {
        ClientOptions {
            connect_timeout: Duration::from_secs(5),
            read_timeout: Duration::from_secs(60),
            write_timeout: Duration::from_secs(60),
            user: None,
            password: None,
            database: 0,
            name: None,
            max_reply_bytes: super::ReplyLimits::default().bytes,
        }
    }
}

impl ClientOptions {
    /// How long connecting to one address may take; 5 seconds when not said, and none for a limit of zero. A name may have
    /// several addresses, which are tried in turn.
    #[must_use]
    pub fn connect_timeout(self, limit: Duration) -> ClientOptions {
        ClientOptions { connect_timeout: limit, ..self }
    }

    /// How long the server may say nothing while a reply is awaited; 60 seconds when not said, and none for a limit of zero.
    #[must_use]
    pub fn read_timeout(self, limit: Duration) -> ClientOptions {
        ClientOptions { read_timeout: limit, ..self }
    }

    /// How long the server may take nothing of what is sent; 60 seconds when not said, and none for a limit of zero.
    #[must_use]
    pub fn write_timeout(self, limit: Duration) -> ClientOptions {
        ClientOptions { write_timeout: limit, ..self }
    }

    /// The user who asks; the server's default one when not said. Goes with a password.
    #[must_use]
    pub fn user(self, user: impl Into<String>) -> ClientOptions {
        ClientOptions { user: Some(user.into()), ..self }
    }

    /// The password of the user, sent as it is: without TLS, whoever can listen on the way can read it.
    #[must_use]
    pub fn password(self, password: impl Into<String>) -> ClientOptions {
        ClientOptions { password: Some(password.into()), ..self }
    }

    /// The database by its number; 0 when not said.
    #[must_use]
    pub fn database(self, database: u32) -> ClientOptions {
        ClientOptions { database, ..self }
    }

    /// A name for the connection, which the server shows in `CLIENT LIST`.
    #[must_use]
    pub fn name(self, name: impl Into<String>) -> ClientOptions {
        ClientOptions { name: Some(name.into()), ..self }
    }

    /// The most bytes of a reply, with the room that its values take; a gibibyte when not said.
    #[must_use]
    pub fn max_reply_bytes(self, bytes: usize) -> ClientOptions {
        ClientOptions { max_reply_bytes: bytes, ..self }
    }
}

/// Without the password: what is printed ends up in logs.
impl fmt::Debug for ClientOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientOptions")
            .field("connect_timeout", &self.connect_timeout)
            .field("read_timeout", &self.read_timeout)
            .field("write_timeout", &self.write_timeout)
            .field("user", &self.user)
            .field("password", &self.password.as_ref().map(|_| "…"))
            .field("database", &self.database)
            .field("name", &self.name)
            .field("max_reply_bytes", &self.max_reply_bytes)
            .finish()
    }
}
