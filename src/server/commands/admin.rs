//! Commands for those who look after the server.

use super::arguments::{count, integer, is, syntax};
use super::keys::unknown_subcommand;
use super::{Call, Outcome, Refusal, error};
use crate::dataset::glob;
use crate::dataset::txn::ms_of_time;
use crate::protocol::Reply;
use std::time::SystemTime;

/// Milliseconds since 1970 by the clock of the engine.
fn now_ms(call: &Call<'_>) -> i64 {
    ms_of_time(call.service.data.engine().now())
}

/// TIME
pub(super) fn time(call: &mut Call<'_>) -> Result<Outcome, Refusal> {
    let now = call.service.data.engine().now();
    let since = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let parts = [since.as_secs().to_string(), since.subsec_micros().to_string()];
    Ok(Reply::List(parts.map(Reply::bytes).into()).into())
}

/// LASTSAVE: everything that was acknowledged is as durable as it was promised to be, so the last save is now.
pub(super) fn lastsave(call: &mut Call<'_>) -> Result<Outcome, Refusal> {
    Ok(Reply::Number(now_ms(call) / 1000).into())
}

/// SAVE: all that was written so far is on stable storage.
pub(super) fn save(call: &mut Call<'_>) -> Result<Outcome, Refusal> {
    call.elsewhere()?;
    call.service.data.engine().sync()?;
    Ok(Reply::Done.into())
}

/// BGSAVE: as SAVE, in the words that its clients expect.
pub(super) fn bgsave(call: &mut Call<'_>) -> Result<Outcome, Refusal> {
    save(call)?;
    Ok(Reply::Status("Background saving started".into()).into())
}

/// SHUTDOWN [NOSAVE | SAVE] [NOW] [FORCE] [ABORT]: what is under way is answered, and the database closed.
pub(super) fn shutdown(call: &mut Call<'_>) -> Result<Outcome, Refusal> {
    for word in call.args.from(1) {
        if is(word, "abort") {
            return error("ERR No shutdown in progress.");
        }
        if !["nosave", "save", "now", "force"].iter().any(|known| is(word, known)) {
            return syntax();
        }
    }
    if !call.service.may_shut_down() {
        return error("NOPERM SHUTDOWN is disabled on this server");
    }
    call.service.audit(call.session, "SHUTDOWN");
    call.service.shut_down();
    Ok(Outcome::HangUp)
}

/// ROLE
pub(super) fn role(_call: &mut Call<'_>) -> Result<Outcome, Refusal> {
    Ok(Reply::List(vec![Reply::bytes("master"), Reply::Number(0), Reply::List(Vec::new())]).into())
}

/// MODULE LIST
pub(super) fn module(call: &mut Call<'_>) -> Result<Outcome, Refusal> {
    if is(call.args.at(1), "list") {
        Ok(Reply::List(Vec::new()).into())
    } else {
        unknown_subcommand(call.args)
    }
}

/// CLUSTER INFO | SLOTS | SHARDS | NODES
pub(super) fn cluster(call: &mut Call<'_>) -> Result<Outcome, Refusal> {
    if is(call.args.at(1), "info") {
        return Ok(Reply::Verbatim("cluster_enabled:0\r\ncluster_state:ok\r\n".into()).into());
    }
    error("ERR This instance has cluster support disabled")
}

/// ACL WHOAMI | USERS
pub(super) fn acl(call: &mut Call<'_>) -> Result<Outcome, Refusal> {
    let name = call.session.user.as_ref().map_or("default", |user| user.name.as_str());
    Ok(match call.args.at(1) {
        what if is(what, "whoami") => Reply::bytes(name),
        what if is(what, "users") => Reply::List(call.service.users.names().map(Reply::bytes).collect()),
        _ => return unknown_subcommand(call.args),
    }
    .into())
}

/// DEBUG SLEEP seconds | JMAP, where it is switched on. Only the client that says so sleeps.
pub(super) fn debug(call: &mut Call<'_>) -> Result<Outcome, Refusal> {
    if !call.service.config.debug_commands {
        return error(
            "ERR DEBUG command not allowed. Set debug_commands in the configuration of the server.",
        );
    }
    match call.args.at(1) {
        what if is(what, "sleep") && call.args.len() == 3 => {
            let seconds = super::arguments::float(call.args.at(2))?.clamp(0.0, 60.0);
            if !std::mem::take(&mut call.session.has_slept) {
                call.session.has_slept = true;
                return Err(Refusal::Pause(std::time::Duration::from_secs_f64(seconds)));
            }
            Ok(Reply::Done.into())
        }
        what if is(what, "jmap") => Ok(Reply::Done.into()),
        _ => unknown_subcommand(call.args),
    }
}

/// LATENCY: nothing is recorded; `SLOWLOG` has what took long.
pub(super) fn latency(call: &mut Call<'_>) -> Result<Outcome, Refusal> {
    Ok(match call.args.at(1) {
        what if is(what, "latest") || is(what, "history") => Reply::List(Vec::new()),
        what if is(what, "reset") => Reply::Number(0),
        what if is(what, "histogram") => Reply::Map(Vec::new()),
        what if is(what, "doctor") => Reply::Verbatim("Nothing is recorded here; see SLOWLOG GET.".into()),
        _ => return unknown_subcommand(call.args),
    }
    .into())
}

/// SLOWLOG GET [count] | LEN | RESET
pub(super) fn slowlog(call: &mut Call<'_>) -> Result<Outcome, Refusal> {
    let (args, log) = (call.args, &call.service.slow_log);
    Ok(match args.at(1) {
        what if is(what, "get") => {
            let wanted = args.get(2).map(integer).transpose()?.unwrap_or(10);
            if wanted < -1 {
                return error("ERR count should be greater than or equal to -1");
            }
            Reply::List(log.newest(usize::try_from(wanted).unwrap_or(usize::MAX)))
        }
        what if is(what, "len") => count(log.len()),
        what if is(what, "reset") => {
            log.clear();
            Reply::Done
        }
        what if is(what, "help") => {
            Reply::List(vec![Reply::Status("SLOWLOG GET [count] | LEN | RESET".into())])
        }
        _ => return unknown_subcommand(args),
    }
    .into())
}

/// CONFIG GET pattern... | SET name value... | RESETSTAT | REWRITE
pub(super) fn config(call: &mut Call<'_>) -> Result<Outcome, Refusal> {
    let args = call.args;
    Ok(match args.at(1) {
        what if is(what, "get") && args.len() > 2 => {
            let shown = parameters(call).into_iter().filter(|(name, _)| {
                args.from(2).any(|pattern| glob::matches(&pattern.to_ascii_lowercase(), name.as_bytes()))
            });
            Reply::Map(shown.map(|(name, value)| (Reply::bytes(name), Reply::bytes(value))).collect())
        }
        what if is(what, "set") && args.len() >= 4 && args.len().is_multiple_of(2) => set(call)?,
        what if is(what, "resetstat") => {
            call.service.metrics.reset();
            Reply::Done
        }
        what if is(what, "rewrite") => {
            return error("ERR The server's configuration file is not changed from here");
        }
        what if is(what, "help") => {
            Reply::List(vec![Reply::Status("CONFIG GET pattern... | SET name value... | RESETSTAT".into())])
        }
        _ => return unknown_subcommand(args),
    }
    .into())
}

/// What tools ask for, by the names that Redis has.
fn parameters(call: &Call<'_>) -> Vec<(&'static str, String)> {
    let (service, config) = (call.service, &call.service.config);
    vec![
        ("appendonly", "yes".into()),
        ("bind", call.session.client.local.ip().to_string()),
        ("databases", crate::dataset::spaces::DATABASES.to_string()),
        ("maxclients", config.max_connections.to_string()),
        ("maxmemory", "0".into()),
        ("maxmemory-policy", "noeviction".into()),
        ("port", call.session.client.local.port().to_string()),
        ("proto-max-bulk-len", config.max_line_bytes.to_string()),
        ("requirepass", String::new()),
        ("save", String::new()),
        ("slowlog-log-slower-than", service.slow_log.limit_us().to_string()),
        ("slowlog-max-len", service.slow_log.most().to_string()),
        ("timeout", config.idle_timeout.as_secs().to_string()),
    ]
}

fn set(call: &Call<'_>) -> Result<Reply, Refusal> {
    let args = call.args;
    let names = args.from(2).step_by(2);
    let pairs: Vec<(&[u8], &[u8])> = names.zip(args.from(3).step_by(2)).collect();
    let known = parameters(call);
    for (name, value) in &pairs {
        let shown: String = String::from_utf8_lossy(name).chars().take(64).collect();
        if is(name, "slowlog-log-slower-than") || is(name, "slowlog-max-len") {
            if integer(value).is_err() {
                return error(format!(
                    "ERR CONFIG SET failed (possibly related to argument '{shown}') - argument couldn't be parsed into an integer"
                ));
            }
        } else if known.iter().any(|(known, _)| is(name, known)) {
            return error(format!(
                "ERR CONFIG SET failed (possibly related to argument '{shown}') - can't set immutable config"
            ));
        } else {
            return error(format!("ERR Unknown option or number of arguments for CONFIG SET - '{shown}'"));
        }
    }
    for (name, value) in &pairs {
        let value = integer(value)?;
        if is(name, "slowlog-log-slower-than") {
            call.service.slow_log.set_limit_us(value);
        } else {
            call.service.slow_log.set_most(usize::try_from(value).unwrap_or(0));
        }
    }
    let changed: Vec<_> = pairs.iter().map(|(name, _)| String::from_utf8_lossy(name)).collect();
    call.service.audit(call.session, &format!("CONFIG SET {}", changed.join(" ")));
    Ok(Reply::Done)
}
