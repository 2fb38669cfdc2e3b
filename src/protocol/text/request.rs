//! A line becomes a request.
//!
//! ```text
//! PUT key word+                        the words are the value
//! PUT key word+ TTL seconds            it expires then; only when there is a word before TTL, so `PUT k TTL 60` sets `TTL 60`
//! GET key
//! DEL key
//! TTL key seconds
//! AUTH password | AUTH user password
//! STATS | COMPACT | SHUTDOWN | EXIT    further words are ignored
//! ```
//!
//! Commands, and the word TTL, in any case of the letters. Seconds are a whole number: 0 is for ever, and less is over already.

use super::refusal::Refusal;
use crate::protocol::http::is_from_browser;
use crate::protocol::{Credentials, Request};
use crate::store::Value;
use std::borrow::Cow;

/// How much of an unknown command is repeated to the client.
const MAX_ECHO_CHARS: usize = 256;

/// The request on a line, which has no white space around it.
pub(super) fn parse(line: &[u8]) -> Result<Request<'_>, Refusal> {
    if is_from_browser(line) {
        return Err(Refusal::Http);
    }
    let text = std::str::from_utf8(line).map_err(|_| Refusal::NotText)?;
    let (command, rest) = first_word(text);
    let is = |name: &str| command.eq_ignore_ascii_case(name);
    match command {
        "" => Err(Refusal::UnknownCommand(None)),
        _ if is("GET") => Ok(Request::Get { key: only_word(rest).ok_or(Refusal::Get)? }),
        _ if is("PUT") => put(rest),
        _ if is("DEL") => Ok(Request::Delete { key: only_word(rest).ok_or(Refusal::Delete)? }),
        _ if is("TTL") => expire(rest),
        _ if is("AUTH") => authenticate(rest),
        _ if is("STATS") => Ok(Request::Stats),
        _ if is("COMPACT") => Ok(Request::Compact),
        _ if is("SHUTDOWN") => Ok(Request::Shutdown),
        _ if is("EXIT") => Ok(Request::Quit),
        unknown => {
            let shown = unknown.chars().take(MAX_ECHO_CHARS).flat_map(char::to_uppercase).collect();
            Err(Refusal::UnknownCommand(Some(shown)))
        }
    }
}

fn put(rest: &str) -> Result<Request<'_>, Refusal> {
    let (key, words) = first_word(rest);
    if words.is_empty() {
        return Err(Refusal::Put);
    }
    let (before, number) = last_word(words);
    let (value, ttl) = match last_word(before) {
        (value, suffix) if !value.is_empty() && suffix.eq_ignore_ascii_case("TTL") => {
            (value, seconds(number)?)
        }
        _ => (words, None),
    };
    Ok(Request::Put { key: key.as_bytes().into(), value: Value::Bytes(joined(value)), ttl })
}

fn expire(rest: &str) -> Result<Request<'_>, Refusal> {
    let (key, number) = first_word(rest);
    match only_word(number) {
        Some(_) => Ok(Request::Expire { key: key.as_bytes().into(), ttl: seconds(number)? }),
        None => Err(Refusal::Ttl),
    }
}

fn authenticate(rest: &str) -> Result<Request<'_>, Refusal> {
    let (first, second) = first_word(rest);
    let (user, password) =
        if second.is_empty() { (None, only_word(first)) } else { (Some(first), only_word(second)) };
    let password = password.ok_or(Refusal::Authenticate)?;
    Ok(Request::Authenticate(Credentials { user: user.map(Cow::Borrowed), password }))
}

fn seconds(text: &str) -> Result<Option<i64>, Refusal> {
    let seconds = text.parse().map_err(|_| Refusal::BadTtl)?;
    Ok(Some(seconds).filter(|seconds| *seconds != 0))
}

/// The first word of a text that does not begin with white space, and what follows the white space behind it.
fn first_word(text: &str) -> (&str, &str) {
    let (word, rest) = text.split_once(is_space).unwrap_or((text, ""));
    (word, rest.trim_matches(is_space))
}

/// What stands before the white space before the last word of a text that does not end with white space, and that word.
fn last_word(text: &str) -> (&str, &str) {
    let (rest, word) = text.rsplit_once(is_space).unwrap_or(("", text));
    (rest.trim_matches(is_space), word)
}

/// The word that `text` is, if it is one and not several.
fn only_word(text: &str) -> Option<Cow<'_, [u8]>> {
    let one = !text.is_empty() && !text.contains(is_space);
    one.then_some(Cow::Borrowed(text.as_bytes()))
}

fn is_space(character: char) -> bool {
    character.is_ascii_whitespace()
}

/// The words of a text with one space between two of them; borrowed when they are so already.
fn joined(text: &str) -> Cow<'_, [u8]> {
    let mut before = 0;
    let plain = text.bytes().all(|byte| {
        let odd = byte.is_ascii_whitespace() && (byte != b' ' || before == b' ');
        before = byte;
        !odd
    });
    if plain {
        return Cow::Borrowed(text.as_bytes());
    }
    let mut value = Vec::with_capacity(text.len());
    for word in text.split_ascii_whitespace() {
        if !value.is_empty() {
            value.push(b' ');
        }
        value.extend_from_slice(word.as_bytes());
    }
    Cow::Owned(value)
}
