//! A client and its connection: greeting, who it is, leaving.

use super::arguments::{integer, is};
use super::{Call, Outcome, Refusal, error};
use crate::protocol::resp::Version;
use crate::protocol::{Denial, Reply};
use crate::server::session::Replies;
use crate::server::users::Verdict;

/// PING [message]
pub(super) fn ping(call: &mut Call<'_>) -> Result<Outcome, Refusal> {
    Ok(match call.args.len() {
        1 => Reply::Pong,
        2 => Reply::bytes(call.args.at(1)),
        _ => return error("ERR wrong number of arguments for 'ping' command"),
    }
    .into())
}

/// ECHO message
pub(super) fn echo(call: &mut Call<'_>) -> Result<Outcome, Refusal> {
    Ok(Reply::bytes(call.args.at(1)).into())
}

/// QUIT
pub(super) fn quit(_call: &mut Call<'_>) -> Result<Outcome, Refusal> {
    Ok(Outcome::Close(Reply::Done))
}

/// AUTH [user] password
pub(super) fn auth(call: &mut Call<'_>) -> Result<Outcome, Refusal> {
    let (user, password) = match call.args.len() {
        2 => (None, call.args.at(1)),
        3 => (Some(call.args.at(1)), call.args.at(2)),
        _ => return error("ERR syntax error"),
    };
    Ok(log_in(call, user, password)?.unwrap_or_else(|| Reply::Done.into()))
}

/// Who shows these credentials is from now on who asks; otherwise what is to be answered.
fn log_in(call: &mut Call<'_>, user: Option<&[u8]>, password: &[u8]) -> Result<Option<Outcome>, Refusal> {
    let user = user.map(|user| String::from_utf8_lossy(user).into_owned());
    let Some(verdict) = call.session.verdict.take() else {
        return Err(Refusal::Verify { user, password: password.to_vec() });
    };
    Ok(match verdict {
        Verdict::Known(user) => {
            call.service.let_in(call.session, user);
            None
        }
        Verdict::Denied(Denial::WrongCredentials) => {
            let reply = Reply::Denied(Denial::WrongCredentials);
            let ends = call.service.turn_away(call.session, user.as_deref());
            Some(if ends { Outcome::Close(reply) } else { reply.into() })
        }
        Verdict::Denied(denial) => Some(Reply::Denied(denial).into()),
        Verdict::Answer(reply) => Some(reply.into()),
    })
}

/// HELLO [version [AUTH user password] [SETNAME name]]
pub(super) fn hello(call: &mut Call<'_>) -> Result<Outcome, Refusal> {
    let args = call.args;
    let version = match args.get(1) {
        None => call.session.version,
        Some(arg) => match integer(arg) {
            Ok(2) => Version::V2,
            Ok(3) => Version::V3,
            Ok(_) => return error("NOPROTO unsupported protocol version"),
            Err(_) => return error("ERR Protocol version is not an integer or out of range"),
        },
    };
    let (mut name, mut credentials) = (None, None);
    let mut at = 2;
    while let Some(word) = args.get(at) {
        match (word, args.get(at + 1), args.get(at + 2)) {
            (word, Some(user), Some(password)) if is(word, "auth") => {
                credentials = Some((user, password));
                at += 3;
            }
            (word, Some(given), _) if is(word, "setname") => {
                name = Some(super::client::name(given)?);
                at += 2;
            }
            (word, ..) => {
                let word: String = String::from_utf8_lossy(word).chars().take(64).collect();
                return error(format!("ERR Syntax error in HELLO option '{word}'"));
            }
        }
    }
    if let Some((user, password)) = credentials
        && let Some(denied) = log_in(call, Some(user), password)?
    {
        return Ok(denied);
    }
    if call.service.users.are_required() && call.session.user.is_none() {
        return error(
            "NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO <proto> AUTH <user> <pass> option can be used to authenticate the client and select the RESP protocol version at the same time",
        );
    }
    if let Some(name) = name {
        call.session.client.about.lock().name = name;
    }
    call.session.version = version;
    call.session.client.about.lock().version = if version == Version::V3 { 3 } else { 2 };
    Ok(greeting(call).into())
}

/// What a client is told of the server. Libraries look for all of these fields.
fn greeting(call: &Call<'_>) -> Reply {
    let version = if call.session.version == Version::V3 { 3 } else { 2 };
    let text = |name: &str, text: &str| (Reply::bytes(name), Reply::bytes(text));
    let id = i64::try_from(call.session.client.id).unwrap_or(i64::MAX);
    Reply::Map(vec![
        text("server", "redis"),
        text("version", super::info::REDIS_VERSION),
        (Reply::bytes("proto"), Reply::Number(version)),
        (Reply::bytes("id"), Reply::Number(id)),
        text("mode", "standalone"),
        text("role", "master"),
        (Reply::bytes("modules"), Reply::List(Vec::new())),
    ])
}

/// RESET
pub(super) fn reset(call: &mut Call<'_>) -> Result<Outcome, Refusal> {
    super::transactions::forget_watches(call);
    let session = &mut *call.session;
    session.queue = None;
    session.database = 0;
    session.version = Version::V2;
    session.replies = Replies::On;
    session.user = None;
    let mut about = session.client.about.lock();
    *about = crate::server::clients::About { version: 2, queued: -1, last: about.last, ..Default::default() };
    drop(about);
    Ok(Reply::Status("RESET".into()).into())
}
