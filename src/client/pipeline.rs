//! Commands that are sent together, and batches, of which all or nothing happens.
//!
//! ```text
//! command = "*" n CRLF ("$" len CRLF byte{len} CRLF){n}
//! ```

use super::error::{Error, Result};
use crate::protocol::resp::number::push_i64;
use std::time::Duration;

/// Commands that are sent in one go; their replies come in the same order.
///
/// What is gained is the time on the way: a thousand commands wait for the network once. Other clients' commands may come in
/// between; [`Batch`] is for what belongs together.
///
/// ```no_run
/// use siltstone::client::{Client, Pipeline, Value};
///
/// let mut client = Client::connect("127.0.0.1:9999")?;
/// let mut pipeline = Pipeline::new();
/// pipeline.command(["SET", "a", "1"])?.command(["INCR", "a"])?.command(["GET", "b"])?;
/// let replies = client.run(&pipeline)?;
/// assert_eq!(replies[1], Value::Int(2));
/// # Ok::<(), siltstone::client::Error>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct Pipeline {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Pipeline {
    /// One without commands.
    #[must_use]
    pub fn new() -> Pipeline {
        Pipeline::default()
    }

    /// Adds a command: its name, and its arguments.
    ///
    /// # Errors
    /// [`Error::Refused`] for a command without a name, and for those that are not answered by exactly one reply
    /// (`SUBSCRIBE`, `MONITOR` and the like).
    pub fn command<A: AsRef<[u8]>>(&mut self, args: impl IntoIterator<Item = A>) -> Result<&mut Pipeline> {
        let args: Vec<A> = args.into_iter().collect();
        let parts: Vec<&[u8]> = args.iter().map(AsRef::as_ref).collect();
        check(&parts)?;
        Ok(self.push(&parts))
    }

    /// How many commands there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// True when there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Takes all commands out, and keeps the room.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
    }

    pub(super) fn push(&mut self, args: &[&[u8]]) -> &mut Pipeline {
        let header = |out: &mut Vec<u8>, sign: u8, number: usize| {
            out.push(sign);
            push_i64(out, i64::try_from(number).unwrap_or(i64::MAX));
            out.extend_from_slice(b"\r\n");
        };
        header(&mut self.bytes, b'*', args.len());
        for arg in args {
            header(&mut self.bytes, b'$', arg.len());
            self.bytes.extend_from_slice(arg);
            self.bytes.extend_from_slice(b"\r\n");
        }
        self.ends.push(self.bytes.len());
        self
    }

    /// The commands as they are sent.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Where each command ends in the bytes.
    pub(super) fn ends(&self) -> &[usize] {
        &self.ends
    }
}

/// Whether a command is answered by one reply, as all that is built on this relies on.
fn check(args: &[&[u8]]) -> Result<()> {
    let is =
        |at: usize, word: &str| args.get(at).is_some_and(|arg| arg.eq_ignore_ascii_case(word.as_bytes()));
    if args.first().is_none_or(|name| name.is_empty()) {
        return Err(Error::Refused {
            why: "a command without a name was not sent: give its name first".into(),
        });
    }
    let streams = [
        "subscribe",
        "psubscribe",
        "ssubscribe",
        "unsubscribe",
        "punsubscribe",
        "sunsubscribe",
        "monitor",
        "sync",
        "psync",
    ];
    let silent = is(0, "client") && is(1, "reply");
    if silent || streams.iter().any(|name| is(0, name)) {
        let name = String::from_utf8_lossy(args.first().copied().unwrap_or_default()).to_uppercase();
        let why = format!(
            "{name} was not sent: it is not answered by one reply, which is all that this client reads"
        );
        return Err(Error::Refused { why });
    }
    Ok(())
}

/// Writes of which all or nothing happens, whoever reads meanwhile ([`Client::batch`](super::Client::batch)).
///
/// ```no_run
/// use siltstone::client::{Batch, Client};
///
/// let mut client = Client::connect("127.0.0.1:9999")?;
/// let mut batch = Batch::new();
/// batch.put("user:2", "Grace").delete("user:1");
/// client.batch(&batch)?;
/// # Ok::<(), siltstone::client::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Batch(Pipeline);

impl Default for Batch {
    fn default() -> Batch {
        Batch::new()
    }
}

impl Batch {
    /// One without writes.
    #[must_use]
    pub fn new() -> Batch {
        let mut commands = Pipeline::new();
        commands.push(&[b"MULTI"]);
        Batch(commands)
    }

    /// Sets a key to a value.
    pub fn put(&mut self, key: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> &mut Batch {
        self.0.push(&[b"SET", key.as_ref(), value.as_ref()]);
        self
    }

    /// Sets a key to a value that vanishes after a while, to the millisecond.
    pub fn put_with_ttl(
        &mut self,
        key: impl AsRef<[u8]>,
        value: impl AsRef<[u8]>,
        ttl: Duration,
    ) -> &mut Batch {
        self.0.push(&[b"SET", key.as_ref(), value.as_ref(), b"PX", &milliseconds(ttl)]);
        self
    }

    /// Deletes a key.
    pub fn delete(&mut self, key: impl AsRef<[u8]>) -> &mut Batch {
        self.0.push(&[b"DEL", key.as_ref()]);
        self
    }

    /// How many writes there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len() - 1
    }

    /// True when there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The commands of the transaction.
    pub(super) fn commands(&self) -> Pipeline {
        let mut commands = self.0.clone();
        commands.push(&[b"EXEC"]);
        commands
    }
}

/// A time to live as the server takes it; what is not nothing is a millisecond at least.
pub(super) fn milliseconds(ttl: Duration) -> Vec<u8> {
    let rounded = ttl.as_nanos().div_ceil(1_000_000);
    rounded.min(i64::MAX as u128).to_string().into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_lists_of_bytes() {
        let mut pipeline = Pipeline::new();
        pipeline.command(["GET", "k"]).unwrap().command([&b"SET"[..], b"\r\n", b""]).unwrap();
        assert_eq!(
            pipeline.bytes(),
            b"*2\r\n$3\r\nGET\r\n$1\r\nk\r\n*3\r\n$3\r\nSET\r\n$2\r\n\r\n\r\n$0\r\n\r\n"
        );
        assert_eq!(pipeline.ends(), [20, pipeline.bytes().len()]);
        pipeline.clear();
        assert!(pipeline.is_empty());
    }

    #[test]
    fn a_command_that_has_not_one_reply_is_refused() {
        for args in [&[][..], &[""], &["subscribe", "x"], &["MONITOR"], &["Client", "Reply", "off"]] {
            let refused = Pipeline::new().command(args).map(|_| ()).unwrap_err();
            assert!(matches!(refused, Error::Refused { .. }) && refused.leaves_connection(), "{args:?}");
        }
        assert!(Pipeline::new().command(["CLIENT", "ID"]).is_ok());
    }

    #[test]
    fn a_batch_is_a_transaction() {
        let mut batch = Batch::new();
        assert!(batch.is_empty());
        batch.put_with_ttl("k", "v", Duration::from_micros(1500)).delete("d");
        assert_eq!(batch.len(), 2);
        let text = String::from_utf8(batch.commands().bytes().to_vec()).unwrap();
        let words: Vec<&str> = text.split("\r\n").filter(|word| !word.starts_with(['$', '*'])).collect();
        assert_eq!(words, ["MULTI", "SET", "k", "v", "PX", "2", "DEL", "d", "EXEC", ""]);
    }
}
