//! A blocking client for a server that speaks RESP: ours, or Redis.
//!
//! ```no_run
//! use siltstone::client::Client;
//!
//! let mut client = Client::connect("127.0.0.1:9999")?;
//! client.put("user:1", "Ada")?; // durable when this returns, as far as the server is set up so
//! assert_eq!(client.get("user:1")?.as_deref(), Some(&b"Ada"[..]));
//! client.hset("user:1:visits", "today", "1")?;
//! assert_eq!(client.increment("visits", 1)?, 1);
//! for entry in client.prefix("user:").limit(10) {
//!     let (key, value) = entry?;
//!     println!("{key:?} = {value:?}");
//! }
//! let reply = client.command(["OBJECT", "ENCODING", "visits"])?; // whatever has no method
//! # Ok::<(), siltstone::client::Error>(())
//! ```
//!
//! It needs no runtime and nothing beyond the standard library. There is one thread to a [`Client`], which is one connection:
//! its methods take `&mut self`. For several threads, several clients. There is no TLS yet.
//!
//! (C1) A reply belongs to the command that was sent for it, or the connection is poisoned: after an I/O error, a timeout or
//!      bytes that are no reply, every call fails with [`Error::Poisoned`], and the way on is to connect again. Nothing is
//!      sent a second time by itself, since a write of which no answer came may have been carried out.
//! (C2) What the peer sends has limits ([`ReplyLimits`]), so that a wrong or hostile one costs no more memory than they say.
//! (C3) What has a method uses commands that every server with this protocol knows, but for [`Client::range`] and
//!      [`Client::prefix`], which only ours does.
//!
//! Reading order: this page, `value`, `error`, `options`; then `pipeline`, `range`; below them `wire` and `decoder`.

mod decoder;
mod error;
mod options;
mod pipeline;
mod range;
#[cfg(test)]
mod tests;
mod value;
mod wire;

pub use decoder::{ReplyDecoder, ReplyLimits};
pub use error::{Error, ReplyError, Result};
pub use options::ClientOptions;
pub use pipeline::{Batch, Pipeline};
pub use range::Range;
pub use value::Value;

use pipeline::milliseconds;
use std::net::ToSocketAddrs;
use std::ops::RangeBounds;
use std::time::Duration;
use wire::Wire;

/// One connection with a server.
#[derive(Debug)]
pub struct Client {
    wire: Wire,
    version: u8,
}

impl Client {
    /// Connects, with the limits of [`ClientOptions::default`].
    ///
    /// # Errors
    /// As [`Client::connect_with`].
    pub fn connect(address: impl ToSocketAddrs + ToString) -> Result<Client> {
        Client::connect_with(address, &ClientOptions::default())
    }

    /// Connects, says who it is, and agrees on the version of the protocol: 3, or 2 with those who do not know that.
    ///
    /// # Errors
    /// [`Error::Io`] or [`Error::Timeout`] when nobody answers there, [`Error::Protocol`] when somebody else does,
    /// [`Error::Server`] when the server does not want us.
    pub fn connect_with(address: impl ToSocketAddrs + ToString, options: &ClientOptions) -> Result<Client> {
        let wire = Wire::connect(&address, options)?;
        let mut client = Client { wire, version: 2 };
        client.greet(options)?;
        Ok(client)
    }

    fn greet(&mut self, options: &ClientOptions) -> Result<()> {
        if let Some(password) = &options.password {
            let parts = [Some("AUTH"), options.user.as_deref(), Some(password)];
            self.ask(parts.into_iter().flatten())?.into_word("OK")?;
        }
        match self.ask(["HELLO", "3"]) {
            Ok(_) => self.version = 3,
            // One from before version 3 knows no such command; one that refuses the version says so.
            Err(Error::Server { code, .. }) if code == "ERR" || code == "NOPROTO" => {}
            Err(other) => return Err(other),
        }
        if let Some(name) = &options.name {
            self.ask(["CLIENT", "SETNAME", name])?.into_word("OK")?;
        }
        if options.database != 0 {
            self.ask(["SELECT", &options.database.to_string()])?.into_word("OK")?;
        }
        Ok(())
    }

    /// With whom, as it was given.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.wire.address
    }

    /// The version of the protocol that was agreed on, 2 or 3.
    #[must_use]
    pub fn version(&self) -> u8 {
        self.version
    }

    /// Whether the connection is of use: nothing has failed, and the server has not closed it as far as is known here.
    /// Nobody is asked, so the next command may still find otherwise.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.wire.is_open()
    }

    /// Whether the server answers.
    ///
    /// # Errors
    /// As [`Client::command`].
    pub fn ping(&mut self) -> Result<()> {
        self.ask(["PING"])?.into_word("PONG")
    }

    /// The value of a key, if there is one.
    ///
    /// # Errors
    /// As [`Client::command`]; with the code `WRONGTYPE` for a key that holds something else, such as a hash.
    pub fn get(&mut self, key: impl AsRef<[u8]>) -> Result<Option<Vec<u8>>> {
        self.ask([b"GET", key.as_ref()])?.into_optional()
    }

    /// Sets a key to a value, whatever it was before.
    ///
    /// # Errors
    /// As [`Client::command`].
    pub fn put(&mut self, key: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Result<()> {
        self.ask([b"SET", key.as_ref(), value.as_ref()])?.into_word("OK")
    }

    /// Sets a key to a value that vanishes after a while, to the millisecond.
    ///
    /// # Errors
    /// As [`Client::command`]; the server refuses a time of nothing.
    pub fn put_with_ttl(
        &mut self,
        key: impl AsRef<[u8]>,
        value: impl AsRef<[u8]>,
        ttl: Duration,
    ) -> Result<()> {
        self.ask([b"SET", key.as_ref(), value.as_ref(), b"PX", &milliseconds(ttl)])?.into_word("OK")
    }

    /// Deletes a key; whether it was there.
    ///
    /// # Errors
    /// As [`Client::command`].
    pub fn delete(&mut self, key: impl AsRef<[u8]>) -> Result<bool> {
        self.ask([b"DEL", key.as_ref()])?.into_flag()
    }

    /// Whether a key is there, whatever it holds.
    ///
    /// # Errors
    /// As [`Client::command`].
    pub fn exists(&mut self, key: impl AsRef<[u8]>) -> Result<bool> {
        self.ask([b"EXISTS", key.as_ref()])?.into_flag()
    }

    /// Adds to the integer that is the value of a key, 0 if there is none, and gives the sum.
    ///
    /// # Errors
    /// As [`Client::command`]; the server refuses when the value is no integer, or the sum has more than 64 bits.
    pub fn increment(&mut self, key: impl AsRef<[u8]>, by: i64) -> Result<i64> {
        self.ask([b"INCRBY", key.as_ref(), by.to_string().as_bytes()])?.into_int()
    }

    /// Sets a field of a hash; whether it is new.
    ///
    /// # Errors
    /// As [`Client::command`]; with the code `WRONGTYPE` for a key that holds something else.
    pub fn hset(
        &mut self,
        key: impl AsRef<[u8]>,
        field: impl AsRef<[u8]>,
        value: impl AsRef<[u8]>,
    ) -> Result<bool> {
        self.ask([b"HSET", key.as_ref(), field.as_ref(), value.as_ref()])?.into_flag()
    }

    /// The value of a field of a hash, if there is one.
    ///
    /// # Errors
    /// As [`Client::hset`].
    pub fn hget(&mut self, key: impl AsRef<[u8]>, field: impl AsRef<[u8]>) -> Result<Option<Vec<u8>>> {
        self.ask([b"HGET", key.as_ref(), field.as_ref()])?.into_optional()
    }

    /// All fields of a hash with their values.
    ///
    /// # Errors
    /// As [`Client::hset`].
    pub fn hgetall(&mut self, key: impl AsRef<[u8]>) -> Result<Vec<(Vec<u8>, Vec<u8>)>> {
        let pairs = self.ask([b"HGETALL", key.as_ref()])?.into_pairs()?;
        pairs.into_iter().map(|(field, value)| Ok((field.into_bytes()?, value.into_bytes()?))).collect()
    }

    /// Deletes a field of a hash; whether it was there.
    ///
    /// # Errors
    /// As [`Client::hset`].
    pub fn hdel(&mut self, key: impl AsRef<[u8]>, field: impl AsRef<[u8]>) -> Result<bool> {
        self.ask([b"HDEL", key.as_ref(), field.as_ref()])?.into_flag()
    }

    /// The entries between two keys in their order; `..` for all. Only our server knows it.
    ///
    /// ```no_run
    /// # let mut client = siltstone::client::Client::connect("127.0.0.1:9999")?;
    /// for entry in client.range("a".."m").rev().limit(3) {
    ///     let (key, value) = entry?;
    /// }
    /// # Ok::<(), siltstone::client::Error>(())
    /// ```
    pub fn range<K: AsRef<[u8]>>(&mut self, range: impl RangeBounds<K>) -> Range<'_> {
        Range::new(
            &mut self.wire,
            range.start_bound().map(AsRef::as_ref),
            range.end_bound().map(AsRef::as_ref),
        )
    }

    /// The entries whose keys begin with a prefix, in their order. Only our server knows it.
    pub fn prefix(&mut self, prefix: impl AsRef<[u8]>) -> Range<'_> {
        Range::of_prefix(&mut self.wire, prefix.as_ref())
    }

    /// Carries out writes, all or none of them, as one (`MULTI` and `EXEC`).
    ///
    /// # Errors
    /// As [`Client::command`]. After [`Error::Server`] nothing was done, unless the server is one that carries out the rest when
    /// one of the commands fails; none of those in a [`Batch`] does for what it finds.
    pub fn batch(&mut self, batch: &Batch) -> Result<()> {
        if batch.is_empty() {
            return Ok(());
        }
        let (mut refused, mut last) = (None, Value::Null);
        self.wire.run(&batch.commands(), |value| {
            if let Value::Error { .. } = &value {
                refused.get_or_insert_with(|| value.clone());
            }
            last = value;
        })?;
        // The reason stands at the command that was refused; at the end it is only said that there was one.
        let items = refused.map_or(Ok(last), answer)?.into_list()?;
        items.into_iter().try_for_each(|item| answer(item).map(drop))
    }

    /// Carries out any command, given by its name and arguments, and gives its reply.
    ///
    /// # Errors
    /// [`Error::Server`] when the server refuses or fails; [`Error::Refused`] for a command that is not answered by one
    /// reply. [`Error::Io`], [`Error::Timeout`], [`Error::Closed`] and [`Error::Protocol`] poison the connection, which
    /// every call after them is told by [`Error::Poisoned`].
    pub fn command<A: AsRef<[u8]>>(&mut self, args: impl IntoIterator<Item = A>) -> Result<Value> {
        let mut commands = Pipeline::new();
        commands.command(args)?;
        let mut reply = Value::Null;
        self.wire.run(&commands, |value| reply = value)?;
        answer(reply)
    }

    /// Carries out commands, and gives their replies in the same order. A command that was refused has [`Value::Error`] in its
    /// place, and the others are carried out all the same.
    ///
    /// # Errors
    /// As [`Client::command`], but for [`Error::Server`].
    pub fn run(&mut self, commands: &Pipeline) -> Result<Vec<Value>> {
        let mut replies = Vec::with_capacity(commands.len());
        self.wire.run(commands, |value| replies.push(value))?;
        Ok(replies)
    }

    /// Sends commands and returns; each reply is to be taken by [`Client::receive`], before anything else is asked. For who has
    /// many connections to wait for at once.
    ///
    /// A server may stop reading when nobody reads its replies; so let no more than some 64 KiB of commands be under way.
    ///
    /// # Errors
    /// As [`Client::command`].
    pub fn send(&mut self, commands: &Pipeline) -> Result<()> {
        self.wire.send(commands)
    }

    /// The next reply to what was sent by [`Client::send`]; [`Value::Error`] when the command was refused.
    ///
    /// # Errors
    /// As [`Client::command`]; [`Error::Refused`] when no reply is to come.
    pub fn receive(&mut self) -> Result<Value> {
        self.wire.receive()
    }

    /// How many replies are still to be received.
    #[must_use]
    pub fn awaited(&self) -> usize {
        self.wire.awaited()
    }

    /// What the server said unasked since the last call, the latest 1024 of it. It is noticed when replies are read.
    pub fn take_pushes(&mut self) -> Vec<Value> {
        self.wire.pushes.drain(..).collect()
    }

    /// As [`Client::command`], for what is known to have one reply.
    fn ask<A: AsRef<[u8]>>(&mut self, args: impl IntoIterator<Item = A>) -> Result<Value> {
        self.command(args)
    }
}

/// A reply, or the error that it is.
fn answer(value: Value) -> Result<Value> {
    match value {
        Value::Error { code, message } => Err(Error::Server { code, message }),
        value => Ok(value),
    }
}
