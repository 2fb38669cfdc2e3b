//! Several commands as one: MULTI, EXEC, and the keys that must not change meanwhile.
//!
//! The commands of a transaction share one [`Txn`]: they see what those before them wrote, and all that they write is one
//! batch. The locks of all their keys, and of the watched ones, are held from before it is asked whether a watched key changed
//! until the batch is written (dataset D1, locks L1).

use super::spec::{Lock, Spec};
use super::{Call, Outcome, Refusal, Run, error};
use crate::dataset::Halt;
use crate::dataset::locks::{Held, Watch};
use crate::dataset::txn::{Txn, ms_of_time};
use crate::protocol::Reply;
use crate::protocol::resp::Args;
use crate::server::failure::describe;
use crate::server::session::{Queue, Session};
use std::sync::Arc;

/// MULTI
pub(super) fn multi(call: &mut Call<'_>) -> Result<Outcome, Refusal> {
    if call.session.queue.is_some() {
        return error("ERR MULTI calls can not be nested");
    }
    call.session.queue = Some(Queue::default());
    Ok(Reply::Done.into())
}

/// DISCARD
pub(super) fn discard(call: &mut Call<'_>) -> Result<Outcome, Refusal> {
    if call.session.queue.take().is_none() {
        return error("ERR DISCARD without MULTI");
    }
    forget_watches(call);
    Ok(Reply::Done.into())
}

/// WATCH key...
pub(super) fn watch(call: &mut Call<'_>) -> Result<Outcome, Refusal> {
    if call.session.queue.is_some() {
        return error("ERR WATCH inside MULTI is not allowed");
    }
    let (data, database) = (&call.service.data, call.session.database);
    let watching = &mut call.session.watching;
    let watch = Arc::clone(watching.watch.get_or_insert_with(Arc::<Watch>::default));
    for key in call.args.from(1) {
        if watching.keys.iter().any(|(of, known, _)| *of == database && known == key) {
            continue;
        }
        // From now on changes are seen; so it is asked after that when it expires.
        data.stripes().watch(database, key, &watch, call.place.reach())?;
        let mut txn = Txn::begin(data, Held::None, database, call.place.reach());
        let found = txn.find(key);
        // Whatever was found: what is in the list is taken back when it ends.
        let expiry = found.as_ref().ok().and_then(|entry| entry.as_ref()?.expiry);
        watching.keys.push((database, key.to_vec(), expiry));
        if let Err(halt) = found {
            watching.keys.pop();
            return Err(halt.into());
        }
    }
    call.session.client.about.lock().watched = watching.keys.len();
    Ok(Reply::Done.into())
}

/// UNWATCH
pub(super) fn unwatch(call: &mut Call<'_>) -> Result<Outcome, Refusal> {
    forget_watches(call);
    Ok(Reply::Done.into())
}

/// Watches nothing any more.
pub(super) fn forget_watches(call: &mut Call<'_>) {
    call.service.forget_watches(call.session);
}

/// Puts a command into the queue of a transaction.
pub(in crate::server) fn enqueue(session: &mut Session, args: Args<'_>, most: usize) -> Option<Reply> {
    let queue = session.queue.as_mut()?;
    let command = args.to_owned();
    queue.weight += command.weight() + size_of_val(&command);
    if queue.weight > most {
        queue.broken = true;
        queue.commands = Vec::new();
        return Some(Reply::error(format!("ERR the transaction is larger than {most} bytes")));
    }
    queue.commands.push(command);
    Some(Reply::Status("QUEUED".into()))
}

/// EXEC
pub(super) fn exec(call: &mut Call<'_>) -> Result<Outcome, Refusal> {
    let Some(queue) = call.session.queue.take() else { return error("ERR EXEC without MULTI") };
    if queue.broken {
        forget_watches(call);
        return error("EXECABORT Transaction discarded because of previous errors.");
    }
    let done = run_all(call, &queue);
    if let Ok(Outcome::Commit(..)) = done {
        for command in &queue.commands {
            call.service.audit_command(call.session, command.args().name());
        }
    }
    // Where it has to be begun anew, the queue must still be there.
    let again = matches!(done, Ok(Outcome::Room(_)) | Err(Refusal::Elsewhere));
    if again {
        call.session.queue = Some(queue);
    } else {
        forget_watches(call);
    }
    done
}

fn run_all(call: &mut Call<'_>, queue: &Queue) -> Result<Outcome, Refusal> {
    let commands: Vec<(&'static Spec, Args<'_>)> = queue
        .commands
        .iter()
        .filter_map(|command| Some(((call.commands.find)(command.args().name())?, command.args())))
        .collect();
    let held = lock(call, &commands)?;
    let database = call.session.database;
    let mut txn = Txn::begin(&call.service.data, held, database, call.place.reach());
    if is_changed(call.session, &txn) {
        return Ok(Reply::NullList.into());
    }
    let (mut replies, mut bytes) = (Vec::with_capacity(commands.len()), 0_usize);
    let most = call.service.data.max_walk_bytes();
    for (spec, args) in commands {
        if bytes > most {
            call.session.database = database;
            return error(format!(
                "ERR the replies of the transaction are larger than {most} bytes: nothing of it was done"
            ));
        }
        let reply = match run_one(call, &mut txn, spec, args) {
            Ok(reply) => reply,
            Err(Refusal::Error(text)) => Reply::Error(text),
            Err(Refusal::Engine(failed)) => Reply::Failed(describe(&failed)),
            Err(other) => {
                call.session.database = database;
                return Err(other);
            }
        };
        bytes = bytes.saturating_add(size_of::<Reply>() + reply.weight());
        replies.push(reply);
    }
    let outcome = call.service.commit(txn, Reply::List(replies))?;
    if matches!(outcome, Outcome::Room(_)) {
        call.session.database = database;
    }
    Ok(outcome)
}

fn run_one(call: &mut Call<'_>, txn: &mut Txn<'_>, spec: &Spec, args: Args<'_>) -> Result<Reply, Refusal> {
    match spec.run {
        Run::Data(run) => run(txn, args),
        Run::Get => super::strings::get(txn, args),
        Run::Set(parse) => parse(args)?.run(txn),
        Run::Server(run) => {
            if spec.is_alone() {
                return error(format!("ERR Command '{}' is not allowed inside a transaction", spec.name));
            }
            let mut inner = Call {
                args,
                session: call.session,
                service: call.service,
                place: call.place,
                commands: call.commands,
            };
            let outcome = run(&mut inner)?;
            txn.enter(call.session.database);
            Ok(match outcome {
                Outcome::Reply(reply) | Outcome::Close(reply) => reply,
                Outcome::Commit(..) | Outcome::Room(_) | Outcome::Silence | Outcome::HangUp => Reply::Null,
            })
        }
    }
}

/// Takes the locks of all keys that are watched or named by a command; all there are, when a command says so or changes the
/// database.
fn lock<'a>(call: &Call<'a>, commands: &[(&'static Spec, Args<'_>)]) -> Result<Held<'a>, Halt> {
    let stripes = call.service.data.stripes();
    let all = commands.iter().any(|(spec, _)| spec.lock == Lock::All || matches!(spec.run, Run::Server(_)));
    if all {
        return stripes.lock_all(call.place.reach());
    }
    let database = call.session.database;
    let named = commands.iter().flat_map(|(spec, args)| spec.keys_of(*args)).map(|key| (database, key));
    let watched = call.session.watching.keys.iter().map(|(database, key, _)| (*database, &key[..]));
    stripes.lock_many(named.chain(watched), call.place.reach())
}

/// Whether a watched key was written to, or has expired, since it is watched.
fn is_changed(session: &Session, txn: &Txn<'_>) -> bool {
    let watching = &session.watching;
    let now = ms_of_time(txn.now());
    let expired = |expiry: &std::time::SystemTime| ms_of_time(*expiry) <= now;
    watching.watch.as_ref().is_some_and(|watch| watch.is_marked())
        || watching.keys.iter().any(|(_, _, expiry)| expiry.as_ref().is_some_and(expired))
}
