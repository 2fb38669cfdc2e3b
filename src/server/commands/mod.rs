//! The commands of Redis, and our own beside them: one function each, in a file for each family.
//!
//! A command on data is a function of a transaction and its arguments; it neither waits nor knows who asks. So it can be queued
//! between MULTI and EXEC, and begun anew where it may wait for a disk (dataset D4). A command on the session or the server
//! gets these as well, and is never begun anew after it changed something.
//!
//! Reading order: this page; [`table`], all commands by name; then the families.

mod admin;
mod arguments;
mod bits;
mod client;
mod connection;
mod decimal;
mod expiry;
mod flush;
mod hashes;
mod info;
mod keys;
mod lcs;
mod ranges;
mod reflection;
mod scan;
mod set;
pub(super) mod spec;
mod strings;
pub(super) mod table;
pub(super) mod transactions;

use super::outcome::{Answered, Outcome, Refusal, error};
use super::place::Place;
use super::service::Service;
use super::session::Session;
use crate::dataset::locks::Held;
use crate::dataset::txn::Txn;
use crate::protocol::resp::Args;
use spec::Commands;

/// What a command on the session or the server may use.
pub(super) struct Call<'a> {
    /// The server.
    pub(super) service: &'a Service,
    /// The client that asks.
    pub(super) session: &'a mut Session,
    /// The name of the command, and its arguments.
    pub(super) args: Args<'a>,
    /// Where it is carried out.
    pub(super) place: Place,
    /// All commands there are.
    pub(super) commands: &'static Commands,
}

impl<'a> Call<'a> {
    /// Goes on only where blocking is allowed.
    fn elsewhere(&self) -> Result<(), Refusal> {
        if self.place == Place::Runtime { Err(Refusal::Elsewhere) } else { Ok(()) }
    }

    /// Reads in the database of the session, without locks.
    fn txn(&self) -> Txn<'a> {
        Txn::begin(&self.service.data, Held::None, self.session.database, self.place.reach())
    }
}

/// A command on data.
pub(super) type OnData = fn(&mut Txn<'_>, Args<'_>) -> Answered;
/// A command on the session or the server.
pub(super) type OnServer = fn(&mut Call<'_>) -> Result<Outcome, Refusal>;

/// How a command is carried out.
#[derive(Clone, Copy)]
pub(super) enum Run {
    /// On data.
    Data(OnData),
    /// On data, and it sets one key, which often needs no reading ([`Set`]).
    Set(set::Parse),
    /// It reads one key, and nothing else.
    Get,
    /// On the session or the server.
    Server(OnServer),
}
