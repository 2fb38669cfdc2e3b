//! What the doors ask for that have a few requests of their own: JSON lines, text lines and framed JSON. The commands of Redis
//! are in `commands`.

use super::answers::{What, refusal};
use super::execute::{Asking, Later, Step, done};
use super::failure::describe;
use super::long_range::{LongRange, SHORT_RANGE};
use super::outcome::{Outcome, Refusal};
use super::place::Place;
use super::service::{LONG_BYTES, Service};
use crate::dataset::gather::expiry_after;
use crate::dataset::spaces::Space;
use crate::protocol::tables::Of;
use crate::protocol::{Denial, Pairs, RangeRequest, Reply, Request};
use crate::store::{Scan, Value};
use crate::{Error, Result, WriteBatch};
use std::ops::Bound::Included;

impl Service {
    /// Carries out what is no command of Redis.
    pub(super) fn request(&self, asking: &mut Asking<'_>, request: &Request<'_>) -> Step {
        let known = asking.session.user.is_some() || !self.users.are_required();
        if !known && !is_for_strangers(request) {
            return done(Reply::LoginFirst);
        }
        match request {
            Request::Put { key, value, ttl } => self.put(asking, key, value, *ttl),
            _ if !asking.gather.is_empty() => Step::Flush,
            Request::Ping => done(Reply::Pong),
            Request::Get { key } => self.get(asking, key),
            Request::Range(range) => self.range(asking, range).unwrap_or_else(|error| failed(&error)),
            Request::Delete { key } => {
                let deleted = self.on_key(asking, key, |txn| Ok(Reply::Number(txn.delete(key)?.into())));
                asking.tally.deletes += u64::from(is_done(&deleted));
                self.step(deleted)
            }
            Request::Expire { key, ttl } => {
                let changed = self.on_key(asking, key, |txn| {
                    let expiry = ttl.map(|seconds| expiry_after(txn.now(), seconds.saturating_mul(1000)));
                    Ok(Reply::Number(txn.set_expiry(key, expiry)?.into()))
                });
                asking.tally.puts += u64::from(is_done(&changed));
                self.step(changed)
            }
            Request::Batch(_) if !self.data.capabilities().atomic_batches => {
                refuse("the engine of this server has no atomic batches")
            }
            Request::Batch(pairs) => {
                let written = self.batch(asking, pairs);
                self.step(written)
            }
            Request::Authenticate(credentials) => self.authenticate(asking, credentials),
            // It counts keys.
            Request::Stats if asking.place == Place::Runtime => Step::Elsewhere,
            Request::Stats => done(self.stats()),
            Request::Compact => self.compact_step(asking),
            Request::Shutdown => self.shutdown_step(asking),
            Request::Quit => Step::Close(What::Reply(Reply::Done)),
            Request::Login { credentials, database } => self.log_in(asking, credentials, database),
            Request::CreateDatabase { token, name, credentials } => {
                self.create_database(asking, token.as_ref(), name, credentials)
            }
            Request::Table(request) => self.tables(asking, request),
            Request::Action { token, action } => self.action(token.as_ref(), action),
            Request::Command(_) => Step::Silent,
        }
    }

    fn put(&self, asking: &mut Asking<'_>, key: &[u8], value: &Value<'_>, ttl: Option<i64>) -> Step {
        let expiry = ttl.map(|s| expiry_after(self.data.engine().now(), s.saturating_mul(1000)));
        self.gather(asking, key, value, expiry)
    }

    fn batch(&self, asking: &mut Asking<'_>, pairs: &Pairs) -> Result<Outcome, Refusal> {
        // It has no place in the order.
        if pairs.is_empty() {
            return Ok(Reply::Done.into());
        }
        let database = asking.session.database;
        let keyspace = self.data.spaces().get(Space(database))?;
        let mut batch = WriteBatch::new();
        let mut within = batch.within(keyspace);
        pairs.iter().for_each(|(key, value)| within.put(key, value));
        if let Err(error) = batch.check_limits() {
            return Ok(refusal(&error, describe(&error)).into());
        }
        if !self.has_room(batch.byte_len())? {
            return Ok(Outcome::Room(batch.byte_len()));
        }
        // In this order, as everywhere (service L1).
        let keys = pairs.iter().map(|(key, _)| (database, key));
        let held = self.data.stripes().lock_many(keys, asking.place.reach())?;
        let _alone = (batch.byte_len() > LONG_BYTES).then(|| self.writing_long.lock());
        let commit = self.data.engine().write(batch, None)?;
        pairs.iter().for_each(|(key, _)| held.mark(database, key));
        asking.tally.puts += pairs.len() as u64;
        Ok(Outcome::Commit(commit, Reply::Done))
    }

    fn compact_step(&self, asking: &Asking<'_>) -> Step {
        if asking.place == Place::Runtime {
            return Step::Elsewhere;
        }
        match self.compact() {
            Ok(()) => {
                self.audit(asking.session, "COMPACT");
                done(Reply::Done)
            }
            Err(error) => done(Reply::Failed(describe(&error))),
        }
    }

    fn shutdown_step(&self, asking: &Asking<'_>) -> Step {
        if !self.may_shut_down() {
            return done(Reply::Denied(Denial::Disabled));
        }
        self.audit(asking.session, "SHUTDOWN");
        self.shut_down();
        Step::Close(What::Reply(Reply::Done))
    }

    fn range(&self, asking: &Asking<'_>, range: &RangeRequest<'_>) -> Result<Step> {
        if asking.place == Place::Runtime {
            return Ok(Step::Elsewhere);
        }
        if !self.data.capabilities().ordered_ranges {
            return Ok(refuse("the engine of this server has no ranges"));
        }
        let scan = Scan::between(Included(&*range.start), Included(&*range.end));
        let scan = range.limit.map_or(scan, |limit| scan.limited(limit));
        let scan = if range.reverse { scan.reversed() } else { scan };
        let entries = self.data.range(asking.session.database, scan)?;
        let mut range = LongRange::new(entries, self.config.max_range_bytes, &self.budget);
        Ok(match range.take(SHORT_RANGE) {
            Some(reply) => done(reply),
            None => Step::Later(Later::Range(range)),
        })
    }
}

/// Whether somebody may ask for this who has not said who they are; what carries a token says it by that.
fn is_for_strangers(request: &Request<'_>) -> bool {
    match request {
        Request::Ping | Request::Authenticate(_) | Request::Quit => true,
        Request::Login { .. } | Request::CreateDatabase { .. } | Request::Action { .. } => true,
        // It says itself who asks.
        Request::Table(request) => {
            matches!(&request.of, Of::Token(_) | Of::Named { token: Some(_), .. })
        }
        _ => false,
    }
}

/// Whether a request was carried out, and is not begun anew: that is counted once.
fn is_done(outcome: &Result<Outcome, Refusal>) -> bool {
    matches!(outcome, Ok(Outcome::Reply(_) | Outcome::Commit(..)))
}

fn failed(error: &Error) -> Step {
    done(refusal(error, describe(error)))
}

fn refuse(why: &'static str) -> Step {
    done(Reply::Failed(why.into()))
}
