//! A request becomes a reply, whatever protocol it came by and whatever engine is below.
//!
//! Nothing here waits: what must be waited for, or may take long, is handed back as a [`Step`], and the request is carried out
//! again then.
//!
//! (X2) What reads before it writes does so under the locks of its keys (dataset D1): of two deletes of one key that was there,
//!      exactly one finds it.
//! (X3) Reads that need a disk, and all ranges, run where blocking is allowed. A range of JSON lines that is longer than
//!      `SHORT_RANGE` is handed back after so many entries, so that short ones need not wait for long ones.
//! (X5) Nobody reaches a command who has not said who they are, where that is wanted: it is asked here, before anything else.

use super::answers::{What, refusal};
use super::commands::spec::{Flag, Lock, Spec};
use super::commands::table;
use super::commands::{self, Call, Run};
use super::failure::describe;
use super::long_range::LongRange;
use super::outcome::{Answered, Outcome, Refusal};
use super::place::Place;
use super::service::Service;
use super::session::Session;
use super::tally::Tally;
use super::users::Question;
use crate::dataset::gather::Gather;
use crate::dataset::locks::Held;
use crate::dataset::spaces::Space;
use crate::dataset::txn::Txn;
use crate::protocol::resp::Args;
use crate::protocol::{Credentials, Reply, Request};
use crate::store::Value;
use std::time::Duration;

/// So many bytes of writes are gathered at most.
const MAX_GATHERED: usize = 256 << 10;

/// Who asks, and where it is carried out.
pub(super) struct Asking<'a> {
    pub(super) session: &'a mut Session,
    /// What was written in this pass and is not written yet.
    pub(super) gather: &'a mut Gather,
    pub(super) tally: &'a mut Tally,
    pub(super) place: Place,
}

/// What came of a request.
#[derive(Debug)]
pub(super) enum Step {
    /// Its answer.
    Done(What),
    /// Its answer, and the connection ends.
    Close(What),
    /// There is no answer, or none is wanted.
    Silent,
    /// There is none, and the connection ends.
    HangUp,
    /// It is gathered, and answered with what follows.
    Gathered,
    /// What is gathered has to be written first; then it is to be carried out again.
    Flush,
    /// It has to be carried out where blocking is allowed.
    Elsewhere,
    /// It is to be carried out again when what it says was waited for.
    Later(Later),
}

/// What is waited for.
#[derive(Debug)]
pub(super) enum Later {
    /// Room for so many bytes.
    Room(usize),
    /// This long.
    Pause(Duration),
    /// That this was looked at; the session has the verdict then.
    Verify(Question),
    /// The rest of a range, which is the answer.
    Range(LongRange),
}

impl Service {
    /// Carries out a request as far as nothing need be waited for. Writes are in their place when there is an answer, and
    /// durable when its commit is.
    pub(super) fn execute(&self, asking: &mut Asking<'_>, request: &Request<'_>) -> Step {
        if let Request::Command(args) = request {
            return self.command(asking, *args);
        }
        self.request(asking, request)
    }

    /// Reads one key: no lock, no transaction, and of the clock only what the engine asks.
    pub(super) fn get(&self, asking: &mut Asking<'_>, key: &[u8]) -> Step {
        let space = Space(asking.session.database);
        match self.data.find(space, key, asking.place.reach()) {
            Ok(found) => {
                asking.tally.look_up(found.is_some());
                done(Reply::Value(found.map(|found| found.value)))
            }
            Err(halt) => self.step(Err(halt.into())),
        }
    }

    /// Adds a put to what is gathered.
    pub(super) fn gather(
        &self,
        asking: &mut Asking<'_>,
        key: &[u8],
        value: &Value<'_>,
        expiry: Option<std::time::SystemTime>,
    ) -> Step {
        if asking.gather.byte_len() > MAX_GATHERED {
            return Step::Flush;
        }
        match asking.gather.put(&self.data, asking.session.database, key, value, expiry) {
            Ok(()) => {
                asking.tally.puts += 1;
                Step::Gathered
            }
            Err(error) if asking.gather.is_empty() => done(refusal(&error, describe(&error))),
            Err(_) => Step::Flush,
        }
    }

    /// Runs something on data under locks, and commits it.
    pub(super) fn on_data(
        &self,
        asking: &mut Asking<'_>,
        held: Held<'_>,
        run: impl FnOnce(&mut Txn<'_>) -> Answered,
    ) -> Result<Outcome, Refusal> {
        let mut txn = Txn::begin(&self.data, held, asking.session.database, asking.place.reach());
        let reply = run(&mut txn)?;
        asking.tally.lookups(txn.lookups);
        self.commit(txn, reply)
    }

    /// The same under the lock of one key.
    pub(super) fn on_key(
        &self,
        asking: &mut Asking<'_>,
        key: &[u8],
        run: impl FnOnce(&mut Txn<'_>) -> Answered,
    ) -> Result<Outcome, Refusal> {
        let held = self.data.stripes().lock(asking.session.database, key, asking.place.reach())?;
        self.on_data(asking, held, run)
    }

    pub(super) fn step(&self, outcome: Result<Outcome, Refusal>) -> Step {
        match outcome {
            Ok(Outcome::Reply(reply)) => done(reply),
            Ok(Outcome::Commit(commit, reply)) => Step::Done(What::Commit(commit, reply)),
            Ok(Outcome::Room(bytes)) => Step::Later(Later::Room(bytes)),
            Ok(Outcome::Close(reply)) => Step::Close(What::Reply(reply)),
            Ok(Outcome::Silence) => Step::Silent,
            Ok(Outcome::HangUp) => Step::HangUp,
            Err(Refusal::Error(text)) => done(Reply::Error(text)),
            Err(Refusal::Elsewhere) => Step::Elsewhere,
            Err(Refusal::Pause(length)) => Step::Later(Later::Pause(length)),
            Err(Refusal::Engine(error)) => done(refusal(&error, describe(&error))),
            Err(Refusal::Verify { user, password }) => {
                let credentials = Credentials { user: user.map(Into::into), password: password.into() };
                Step::Later(Later::Verify(Question::User(credentials)))
            }
        }
    }

    /// Carries out a command of Redis.
    fn command(&self, asking: &mut Asking<'_>, args: Args<'_>) -> Step {
        let Some(spec) = (table::COMMANDS.find)(args.name()) else { return self.unknown(asking, args) };
        if !spec.takes(args.len()) {
            break_queue(asking.session);
            return done(Reply::error(format!("ERR wrong number of arguments for '{}' command", spec.name)));
        }
        if asking.session.user.is_none() && self.users.are_required() && !spec.has(Flag::NoAuth) {
            return done(Reply::LoginFirst);
        }
        if asking.session.queue.is_some() && !spec.is_alone() {
            let most = self.config.max_line_bytes;
            return commands::transactions::enqueue(asking.session, args, most).map_or(Step::Silent, done);
        }
        asking.session.last = spec.name;
        let writes = spec.has(Flag::Write) || spec.name == "exec";
        if let Some(left) = self.pause.left(writes).filter(|_| spec.name != "client") {
            return Step::Later(Later::Pause(left));
        }
        self.run(asking, spec, args)
    }

    fn run(&self, asking: &mut Asking<'_>, spec: &'static Spec, args: Args<'_>) -> Step {
        if let Run::Set(parse) = spec.run {
            let set = match parse(args) {
                Ok(set) => set,
                Err(refusal) => return self.step(Err(refusal)),
            };
            if set.is_blind() {
                let expiry = set.expiry(|| self.data.engine().now());
                return self.gather(asking, set.key, &Value::Bytes(set.value.into()), expiry);
            }
            if !asking.gather.is_empty() {
                return Step::Flush;
            }
            let outcome = self.on_key(asking, set.key, |txn| set.run(txn));
            asking.tally.puts += u64::from(matches!(outcome, Ok(Outcome::Commit(..))));
            return self.step(outcome);
        }
        if !asking.gather.is_empty() {
            return Step::Flush;
        }
        let outcome = match spec.run {
            Run::Data(run) => {
                let held = self.lock(asking, spec, args);
                let outcome = held.and_then(|held| self.on_data(asking, held, |txn| run(txn, args)));
                if let Ok(Outcome::Commit(..)) = outcome {
                    self.audit_command(asking.session, args.name());
                }
                outcome
            }
            Run::Server(run) => {
                let (service, place) = (self, asking.place);
                run(&mut Call { service, session: asking.session, args, place, commands: &table::COMMANDS })
            }
            Run::Get => return self.get(asking, args.at(1)),
            Run::Set(_) => Ok(Outcome::Silence),
        };
        self.step(outcome)
    }

    fn lock(&self, asking: &Asking<'_>, spec: &Spec, args: Args<'_>) -> Result<Held<'_>, Refusal> {
        let (stripes, database, reach) = (self.data.stripes(), asking.session.database, asking.place.reach());
        Ok(match spec.lock {
            Lock::None => Held::None,
            Lock::All => stripes.lock_all(reach)?,
            Lock::Keys => {
                let mut keys = spec.keys_of(args);
                match (keys.next(), keys.next()) {
                    (None, _) => Held::None,
                    (Some(key), None) => stripes.lock(database, key, reach)?,
                    _ => stripes.lock_many(spec.keys_of(args).map(|key| (database, key)), reach)?,
                }
            }
        })
    }

    /// The reply to a command there is not, as Redis words it.
    fn unknown(&self, asking: &mut Asking<'_>, args: Args<'_>) -> Step {
        /// So much of a name and of the arguments is repeated.
        const SHOWN: usize = 128;
        if asking.session.user.is_none() && self.users.are_required() {
            return done(Reply::LoginFirst);
        }
        break_queue(asking.session);
        let shown =
            |bytes: &[u8], most| String::from_utf8_lossy(bytes.get(..most).unwrap_or(bytes)).into_owned();
        let mut rest = String::new();
        for arg in args.from(1) {
            if rest.len() >= SHOWN {
                break;
            }
            rest += &format!("'{}' ", shown(arg, SHOWN - rest.len()));
        }
        let name = shown(args.name(), SHOWN);
        done(Reply::error(format!("ERR unknown command '{name}', with args beginning with: {rest}")))
    }
}

/// A transaction one of whose commands was refused is refused as a whole.
fn break_queue(session: &mut Session) {
    if let Some(queue) = &mut session.queue {
        queue.broken = true;
    }
}

pub(super) fn done(reply: Reply) -> Step {
    Step::Done(What::Reply(reply))
}
