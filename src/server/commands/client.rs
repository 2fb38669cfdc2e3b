//! CLIENT: what a client says of itself, and what it may know of others.

use super::arguments::{flag, integer, is, syntax};
use super::keys::unknown_subcommand;
use super::{Call, Outcome, Refusal, error};
use crate::protocol::Reply;
use crate::server::clients::Client;
use crate::server::session::Replies;
use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;

/// CLIENT
pub(super) fn client(call: &mut Call<'_>) -> Result<Outcome, Refusal> {
    let (args, what) = (call.args, call.args.at(1));
    let about = Arc::clone(&call.session.client);
    Ok(match args.len() {
        2 if is(what, "id") => Reply::Number(about.id.try_into().unwrap_or(i64::MAX)),
        2 if is(what, "getname") => Reply::bytes(&about.about.lock().name),
        2 if is(what, "info") => Reply::Verbatim(line(&about)),
        2 if is(what, "unpause") => {
            call.service.pause.set(None);
            Reply::Done
        }
        2 if is(what, "help") => help(),
        _ if is(what, "list") => Reply::Verbatim(list(call)?),
        3 if is(what, "setname") => {
            about.about.lock().name = name(args.at(2))?;
            Reply::Done
        }
        4 if is(what, "setinfo") => set_info(call)?,
        3 if is(what, "reply") => return reply(call),
        3 if is(what, "no-evict") || is(what, "no-touch") => on_or_off(args.at(2))?,
        3 | 4 if is(what, "unblock") => {
            integer(args.at(2))?;
            // Nobody is ever blocked here.
            flag(false)?
        }
        3 | 4 if is(what, "pause") => pause(call)?,
        3.. if is(what, "kill") => kill(call)?,
        _ => return unknown_subcommand(args),
    }
    .into())
}

/// A name without anything that would break a list of clients.
pub(super) fn name(arg: &[u8]) -> Result<String, Refusal> {
    if arg.iter().all(u8::is_ascii_graphic) {
        return Ok(String::from_utf8_lossy(arg).into_owned());
    }
    error("ERR Client names cannot contain spaces, newlines or special characters.")
}

fn set_info(call: &Call<'_>) -> Result<Reply, Refusal> {
    let (what, value) = (call.args.at(2), call.args.at(3));
    let Ok(value) = name(value) else {
        let what = String::from_utf8_lossy(what).to_ascii_lowercase();
        return error(format!("ERR {what} cannot contain spaces, newlines or special characters."));
    };
    let mut about = call.session.client.about.lock();
    match what {
        what if is(what, "lib-name") => about.library = value,
        what if is(what, "lib-ver") => about.library_version = value,
        _ => return error("ERR Unrecognized option"),
    }
    Ok(Reply::Done)
}

fn on_or_off(arg: &[u8]) -> Result<Reply, Refusal> {
    if is(arg, "on") || is(arg, "off") { Ok(Reply::Done) } else { syntax() }
}

fn reply(call: &mut Call<'_>) -> Result<Outcome, Refusal> {
    let wanted = match call.args.at(2) {
        arg if is(arg, "on") => Replies::On,
        arg if is(arg, "off") => Replies::Off,
        arg if is(arg, "skip") => Replies::Skip,
        _ => return syntax(),
    };
    call.session.replies = wanted;
    Ok(if wanted == Replies::On { Reply::Done.into() } else { Outcome::Silence })
}

/// CLIENT PAUSE milliseconds [WRITE | ALL]
fn pause(call: &Call<'_>) -> Result<Reply, Refusal> {
    let ms = integer(call.args.at(2)).ok().and_then(|ms| u64::try_from(ms).ok());
    let Some(ms) = ms else { return error("ERR timeout is not an integer or out of range") };
    let all = match call.args.get(3) {
        None => true,
        Some(arg) if is(arg, "all") => true,
        Some(arg) if is(arg, "write") => false,
        Some(_) => return error("ERR CLIENT PAUSE mode must be WRITE or ALL"),
    };
    call.service.pause.set(Some((Duration::from_millis(ms.min(24 * 3_600_000)), all)));
    Ok(Reply::Done)
}

fn list(call: &Call<'_>) -> Result<String, Refusal> {
    let args = call.args;
    let mut wanted: Option<Vec<i64>> = None;
    match args.get(2) {
        None => {}
        Some(word) if is(word, "id") && args.len() > 3 => {
            wanted = Some(args.from(3).map(integer).collect::<Result<_, _>>()?);
        }
        Some(word) if is(word, "type") && args.len() == 4 => match args.at(3) {
            kind if is(kind, "normal") => {}
            kind if ["master", "replica", "slave", "pubsub"].iter().any(|word| is(kind, word)) => {
                return Ok(String::new());
            }
            kind => return error(format!("ERR Unknown client type '{}'", String::from_utf8_lossy(kind))),
        },
        Some(_) => return syntax(),
    }
    let all = call.service.clients.all();
    let shown = all.iter().filter(|client| {
        wanted.as_ref().is_none_or(|ids| ids.iter().any(|id| u64::try_from(*id) == Ok(client.id)))
    });
    Ok(shown.map(|client| line(client)).collect())
}

/// A client in the words of Redis.
fn line(client: &Client) -> String {
    let about = client.about.lock().clone();
    let idle = about.last.map_or(client.since.elapsed(), |last| last.elapsed()).as_secs();
    let user = if about.user.is_empty() { "default" } else { &about.user };
    let command = if about.command.is_empty() { "NULL" } else { about.command };
    let mut line = String::new();
    // Writing to a string does not fail.
    let _ = writeln!(
        line,
        "id={} addr={} laddr={} fd=-1 name={} age={} idle={idle} flags={} db={} sub=0 psub=0 ssub=0 multi={} watch={} qbuf=0 qbuf-free=0 argv-mem=0 multi-mem=0 rbs=0 rbp=0 obl=0 oll=0 omem=0 tot-mem=0 events=r cmd={command} user={user} redir=-1 resp={} lib-name={} lib-ver={}",
        client.id,
        client.peer,
        client.local,
        about.name,
        client.since.elapsed().as_secs(),
        if about.queued >= 0 { "x" } else { "N" },
        about.database,
        about.queued,
        about.watched,
        about.version,
        about.library,
        about.library_version,
    );
    line
}

/// Whether a client is meant.
type Filter = Box<dyn Fn(&Client) -> bool>;

/// CLIENT KILL address, or CLIENT KILL [ID id] [ADDR address] [LADDR address] [USER name] [SKIPME yes|no] [TYPE type] [MAXAGE s]
fn kill(call: &Call<'_>) -> Result<Reply, Refusal> {
    let (args, me) = (call.args, call.session.client.id);
    let all = call.service.clients.all();
    if args.len() == 3 {
        let address = String::from_utf8_lossy(args.at(2));
        let Some(client) = all.iter().find(|client| client.peer.to_string() == *address) else {
            return error("ERR No such client");
        };
        client.kill();
        call.service.audit(call.session, &format!("CLIENT KILL {}", client.peer));
        return Ok(Reply::Done);
    }
    let mut skip_me = true;
    let mut filters: Vec<Filter> = Vec::new();
    let mut rest = args.from(2);
    while let Some(word) = rest.next() {
        let Some(value) = rest.next() else { return syntax() };
        let text = String::from_utf8_lossy(value).into_owned();
        match word {
            word if is(word, "id") => {
                let id = integer(value)?;
                filters.push(Box::new(move |client| u64::try_from(id) == Ok(client.id)));
            }
            word if is(word, "addr") => filters.push(Box::new(move |client| client.peer.to_string() == text)),
            word if is(word, "laddr") => {
                filters.push(Box::new(move |client| client.local.to_string() == text))
            }
            word if is(word, "user") => {
                filters.push(Box::new(move |client| client.about.lock().user == text))
            }
            word if is(word, "type") => filters.push(Box::new(move |_| text.eq_ignore_ascii_case("normal"))),
            word if is(word, "maxage") => {
                let age = Duration::from_secs(u64::try_from(integer(value)?).unwrap_or(0));
                filters.push(Box::new(move |client| client.since.elapsed() >= age));
            }
            word if is(word, "skipme") && is(value, "yes") => skip_me = true,
            word if is(word, "skipme") && is(value, "no") => skip_me = false,
            _ => return syntax(),
        }
    }
    let meant =
        |client: &&Arc<Client>| !(skip_me && client.id == me) && filters.iter().all(|filter| filter(client));
    let killed = all.iter().filter(meant).map(|client| client.kill()).count();
    call.service.audit(call.session, &format!("CLIENT KILL of {killed}"));
    Ok(Reply::Number(i64::try_from(killed).unwrap_or(i64::MAX)))
}

fn help() -> Reply {
    let lines = [
        "CLIENT <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
        "GETNAME, ID, INFO, KILL, LIST, NO-EVICT, NO-TOUCH, PAUSE, REPLY, SETINFO, SETNAME, UNBLOCK, UNPAUSE, HELP",
    ];
    Reply::List(lines.map(|line| Reply::Status(line.into())).into())
}
