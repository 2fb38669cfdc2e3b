//! Every limit of the server, with its default and its reason.

use super::door::Protocol;
use super::password::PasswordHash;
use std::collections::BTreeMap;
use std::time::Duration;

/// What a server allows. Start from `default()` and change what must be.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Config {
    /// The most clients served at a time; more are told so and closed. 1024, which fits the number of files a process
    /// may usually have open, with the engine's.
    pub max_connections: usize,
    /// The most bytes a request line may have; a longer one is answered with an error and the connection closed,
    /// for its end is not looked for. 64 MiB.
    pub max_line_bytes: usize,
    /// The most bytes one range may gather: its keys, its values and some 80 bytes to hold each entry. A larger one is
    /// answered with an error that says to ask for less. 64 MiB. On the wire a reply is up to six times that, when
    /// every character must be escaped.
    pub max_range_bytes: usize,
    /// The most memory that all connections together may take for requests and replies, beyond some 256 KiB for each of
    /// them: what has arrived of a long line, what carrying it out takes, and replies until they are read. A request for
    /// which nothing is left is answered with an error that says so. 512 MiB, which a line of 64 MiB may need.
    pub max_buffered_bytes: usize,
    /// How long a new client may take to complete its first request. 60 seconds.
    pub handshake_timeout: Duration,
    /// How long a client may take from one request to the next, or to read its replies. What it sends without
    /// completing a request does not count. 10 minutes.
    pub idle_timeout: Duration,
    /// How long a shutdown waits for what is being answered. 10 seconds.
    pub drain_timeout: Duration,
    /// What is spoken on the port that [`Server::bind`](super::Server::bind) is given. Any protocol.
    pub protocol: Protocol,
    /// What takes longer is noted in the slow log. 10 milliseconds.
    pub slow_log_limit: Duration,
    /// How many commands the slow log keeps. 128.
    pub slow_log_entries: usize,
    /// Whether clients may stop the server. `None`, the default: those of this machine may, when no others can connect.
    pub allow_shutdown: Option<bool>,
    /// Whether there are commands that are for tests only, such as one that sleeps. No.
    pub debug_commands: bool,
    /// Who may use the server, by name, and what is kept of their passwords. Nobody, the default, means that whoever can connect
    /// may do everything. The user `default` need not be named by who logs in.
    pub users: BTreeMap<String, PasswordHash>,
    /// How long a token is good that a login to a database of the framed protocol gave. 24 hours.
    pub token_life: Duration,
    /// Whether a login to a database that is not there fails in the words for a wrong password. No: it is told that there is no
    /// such database, as clients expect.
    pub strict_logins: bool,
    /// Listen also on addresses that other machines can reach, although there are no [`Config::users`]. Off: whoever can connect
    /// could read and change everything.
    pub allow_remote: bool,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            max_connections: 1024,
            max_line_bytes: 64 << 20,
            max_range_bytes: 64 << 20,
            max_buffered_bytes: 512 << 20,
            handshake_timeout: Duration::from_secs(60),
            idle_timeout: Duration::from_secs(600),
            drain_timeout: Duration::from_secs(10),
            protocol: Protocol::Auto,
            slow_log_limit: Duration::from_millis(10),
            slow_log_entries: 128,
            allow_shutdown: None,
            debug_commands: false,
            users: BTreeMap::new(),
            token_life: Duration::from_secs(24 * 3600),
            strict_logins: false,
            allow_remote: false,
        }
    }
}
