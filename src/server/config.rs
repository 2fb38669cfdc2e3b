//! Every limit of the server, with its default and its reason.

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
    /// Listen also on addresses that other machines can reach. Off: there is no authentication, so whoever can connect
    /// can read and change everything.
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
            allow_remote: false,
        }
    }
}
