//! A connection: bytes out, values in, and what is known of its state.
//!
//! (W1) After a failure nobody knows which reply belongs to which command, so the connection is poisoned: every later call says so
//!      and why, and nothing is sent or read any more.
//! (W2) Of what was sent without its replies being read there are never more than [`WINDOW`] bytes, but for a command
//!      that is sent when no reply is awaited. A server that stops reading because nobody reads its replies can
//!      therefore not bring both to a standstill: so many bytes fit into the buffers of the two systems.
//! (W3) What the server says unasked is set aside, the latest [`MAX_PUSHES`] of it.

use super::decoder::{ReplyDecoder, ReplyLimits};
use super::error::{Error, ReplyError, Result};
use super::options::ClientOptions;
use super::pipeline::Pipeline;
use super::value::Value;
use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

/// So many bytes may be under way (W2).
const WINDOW: usize = 64 << 10;
/// So many messages that nobody asked for are kept (W3).
const MAX_PUSHES: usize = 1024;
/// The most that one read takes.
const READ: usize = 64 << 10;

/// One connection.
#[derive(Debug)]
pub(super) struct Wire {
    stream: TcpStream,
    pub(super) address: String,
    read_timeout: Duration,
    write_timeout: Duration,
    decoder: ReplyDecoder,
    /// What came and is not decoded, from `at` on.
    input: Vec<u8>,
    at: usize,
    pub(super) pushes: VecDeque<Value>,
    /// Replies that are still to come.
    awaited: usize,
    /// Why nothing can be done any more (W1).
    poisoned: Option<String>,
}

fn some(limit: Duration) -> Option<Duration> {
    (!limit.is_zero()).then_some(limit)
}

impl Wire {
    pub(super) fn connect(target: &(impl ToSocketAddrs + ToString), options: &ClientOptions) -> Result<Wire> {
        let address = target.to_string();
        let failed = |source: io::Error| match source.kind() {
            ErrorKind::TimedOut | ErrorKind::WouldBlock => Error::Timeout {
                address: address.clone(),
                operation: "connect to",
                after: options.connect_timeout,
            },
            _ => Error::Io { address: address.clone(), operation: "connect to", source },
        };
        let stream = reach(target, options.connect_timeout).map_err(failed)?;
        // A command is sent in one piece, and its reply awaited: nothing is gained by holding it back.
        stream
            .set_nodelay(true)
            .and_then(|()| stream.set_read_timeout(some(options.read_timeout)))
            .and_then(|()| stream.set_write_timeout(some(options.write_timeout)))
            .map_err(failed)?;
        let limits = ReplyLimits { bytes: options.max_reply_bytes, ..ReplyLimits::default() };
        Ok(Wire {
            stream,
            address,
            read_timeout: options.read_timeout,
            write_timeout: options.write_timeout,
            decoder: ReplyDecoder::new(limits),
            input: Vec::new(),
            at: 0,
            pushes: VecDeque::new(),
            awaited: 0,
            poisoned: None,
        })
    }

    /// Whether something has failed (W1).
    pub(super) fn is_poisoned(&self) -> bool {
        self.poisoned.is_some()
    }

    /// Whether the server has not closed it, as far as is known here; asks nobody.
    pub(super) fn is_open(&self) -> bool {
        if self.is_poisoned() || self.stream.set_nonblocking(true).is_err() {
            return false;
        }
        let open = match self.stream.peek(&mut [0]) {
            Ok(count) => count > 0,
            Err(error) => matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted),
        };
        self.stream.set_nonblocking(false).is_ok() && open
    }

    /// How many replies are still to come.
    pub(super) fn awaited(&self) -> usize {
        self.awaited
    }

    /// Nothing may be asked while replies are to come: the wrong one would be taken for the answer.
    fn check_idle(&self) -> Result<()> {
        match self.awaited {
            0 => Ok(()),
            n => Err(Error::Refused {
                why: format!("{n} replies are still to be received: call `receive` for each first"),
            }),
        }
    }

    /// Sends commands, and leaves their replies to be received.
    pub(super) fn send(&mut self, commands: &Pipeline) -> Result<()> {
        self.check()?;
        self.write(commands.bytes())?;
        self.awaited += commands.len();
        Ok(())
    }

    /// The next reply, whatever it is.
    pub(super) fn receive(&mut self) -> Result<Value> {
        if self.awaited == 0 {
            self.check()?;
            return Err(Error::Refused { why: "no reply is to come: send a command first".into() });
        }
        let value = self.read()?;
        self.awaited -= 1;
        Ok(value)
    }

    /// Sends commands and reads their replies, as many as fit being under way (W2).
    pub(super) fn run(&mut self, commands: &Pipeline, mut take: impl FnMut(Value)) -> Result<()> {
        self.check()?;
        self.check_idle()?;
        // Ends of commands: those up to `sent` were written, the replies of those up to `read` have come.
        let (ends, bytes) = (commands.ends(), commands.bytes());
        let end_of = |count: usize| count.checked_sub(1).and_then(|at| ends.get(at)).copied().unwrap_or(0);
        let (mut sent, mut read) = (0, 0);
        while read < ends.len() {
            let room = end_of(read).saturating_add(WINDOW);
            let fits = ends.partition_point(|end| *end <= room);
            let until = if read == sent { fits.max(sent + 1) } else { fits.max(sent) };
            // Many small commands go in few pieces: none is written for less than half of what may be under way, unless it is the rest.
            let worth = until == ends.len() || read == sent || end_of(until) - end_of(sent) >= WINDOW / 2;
            if until > sent && worth {
                self.write(bytes.get(end_of(sent)..end_of(until)).unwrap_or_default())?;
                self.awaited += until - sent;
                sent = until;
            }
            take(self.receive()?);
            read += 1;
        }
        Ok(())
    }

    fn check(&self) -> Result<()> {
        match &self.poisoned {
            Some(why) => Err(Error::Poisoned { address: self.address.clone(), why: why.clone() }),
            None => Ok(()),
        }
    }

    fn poison<T>(&mut self, error: Error) -> Result<T> {
        self.poisoned = Some(match &error {
            Error::Io { source, .. } => source.to_string(),
            Error::Timeout { operation, .. } => format!("could not {operation} it in time"),
            Error::Protocol { found, .. } => found.to_string(),
            _ => "closed by the server".into(),
        });
        self.input = Vec::new();
        Err(error)
    }

    fn fail<T>(&mut self, operation: &'static str, after: Duration, source: io::Error) -> Result<T> {
        let address = self.address.clone();
        self.poison(match source.kind() {
            ErrorKind::WouldBlock | ErrorKind::TimedOut => Error::Timeout { address, operation, after },
            ErrorKind::ConnectionReset | ErrorKind::BrokenPipe | ErrorKind::ConnectionAborted => {
                Error::Closed { address }
            }
            _ => Error::Io { address, operation, source },
        })
    }

    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        match self.stream.write_all(bytes) {
            Ok(()) => Ok(()),
            Err(error) => self.fail("write to", self.write_timeout, error),
        }
    }

    /// The next value that is no push.
    fn read(&mut self) -> Result<Value> {
        self.check()?;
        loop {
            match self.decoder.decode(self.input.get(self.at..).unwrap_or_default()) {
                Err(found) => return self.stranger(found),
                Ok((used, value)) => {
                    self.at += used;
                    match value {
                        Some(push @ Value::Push(_)) => self.set_aside(push),
                        Some(value) => return Ok(value),
                        None => self.fill()?,
                    }
                }
            }
        }
    }

    fn stranger<T>(&mut self, found: ReplyError) -> Result<T> {
        let address = self.address.clone();
        self.poison(Error::Protocol { address, found })
    }

    fn set_aside(&mut self, push: Value) {
        if self.pushes.len() >= MAX_PUSHES {
            self.pushes.pop_front();
        }
        self.pushes.push_back(push);
    }

    /// Reads what there is, at least a byte.
    fn fill(&mut self) -> Result<()> {
        self.input.drain(..self.at);
        self.at = 0;
        if self.input.is_empty() {
            // What one large reply took is not kept for ever.
            self.input.shrink_to(READ);
        }
        let held = self.input.len();
        self.input.resize(held + READ, 0);
        let got = loop {
            match self.stream.read(self.input.get_mut(held..).unwrap_or_default()) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                got => break got,
            }
        };
        self.input.truncate(held + *got.as_ref().unwrap_or(&0));
        match got {
            Ok(0) => {
                let address = self.address.clone();
                self.poison(Error::Closed { address })
            }
            Ok(_) => Ok(()),
            Err(error) => self.fail("read from", self.read_timeout, error),
        }
    }
}

/// Connects to the first address that answers.
fn reach(target: &impl ToSocketAddrs, limit: Duration) -> io::Result<TcpStream> {
    if limit.is_zero() {
        return TcpStream::connect(target);
    }
    let mut last = io::Error::new(ErrorKind::NotFound, "the name has no address");
    for address in target.to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, limit) {
            Ok(stream) => return Ok(stream),
            Err(error) => last = error,
        }
    }
    Err(last)
}
