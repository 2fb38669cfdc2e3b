//! The protocol of JSON behind its length.

use super::{Next, same_however_it_arrives};
use crate::memory::bounded;
use serde_json::value::RawValue;
use siltstone::protocol::framed::{Asked, Decoded, Decoder, Frame, Refusal, encode, most_bytes};
use siltstone::protocol::{Credentials, DatabaseProblem, Reply, Request, Token};
use std::collections::BTreeMap;

/// A body has at most so many bytes here, so that the fuzzer meets the limit.
const MAX_BODY: usize = 512;

/// Requests do not depend on how the bytes arrive; answers are messages with what clients allow in them; what was understood
/// is understood again when it is written anew.
pub fn wire_framed(input: &[u8]) {
    bounded((1 << 20) + 256 * input.len(), || {
        same_however_it_arrives(input, || {
            let mut decoder = Decoder::new(MAX_BODY);
            move |input: &[u8]| next(&mut decoder, input)
        });
        let text = String::from_utf8_lossy(input).into_owned();
        check_reply(&Reply::Token(text.clone()));
        check_reply(&Reply::DatabaseMade { name: text.clone(), user: text.clone() });
        check_reply(&Reply::Database(DatabaseProblem::Exists(text.clone())));
        check_reply(&Reply::UnknownAction(text.clone()));
        check_reply(&Reply::Failed(text.into()));
    });
}

fn next(decoder: &mut Decoder, input: &[u8]) -> Next {
    let len = match decoder.frame(input) {
        Frame::Incomplete { skip } => return Next::More(skip),
        Frame::Broken(refusal) => return Next::Broken(refused(&refusal)),
        Frame::Whole { len } => len,
    };
    let outcome = match decoder.decode(input) {
        Decoded::Request { request, asked } => {
            check_again(&request, asked);
            describe(&request, asked)
        }
        Decoded::Refused(refusal) => refused(&refusal),
    };
    decoder.done();
    Next::Outcome(outcome, len)
}

/// A request, with the secrets that it hides.
fn describe(request: &Request<'_>, asked: Asked) -> String {
    let token = |token: &Option<Token<'_>>| token.as_ref().map(|token| token.0.to_string());
    match request {
        Request::Login { credentials, .. } => format!("{request:?} {:?} {asked:?}", credentials.password),
        Request::CreateDatabase { token: by, credentials, .. } => {
            format!("{request:?} {:?} {:?} {asked:?}", token(by), credentials.password)
        }
        Request::Action { token: by, .. } => format!("{request:?} {:?} {asked:?}", token(by)),
        other => format!("{other:?} {asked:?}"),
    }
}

/// A request written anew, in ASCII, is the same request.
fn check_again(request: &Request<'_>, asked: Asked) {
    let text = |text: &str| serde_json::to_string(text).expect("a string");
    let secret = |bytes: &[u8]| text(std::str::from_utf8(bytes).expect("a password is UTF-8"));
    let user = |credentials: &Credentials<'_>| text(credentials.user.as_deref().expect("a user"));
    let auth = |token: &Option<Token<'_>>| {
        token.as_ref().map_or("null".into(), |token| format!(r#"{{"token":{}}}"#, text(&token.0)))
    };
    let body = match request {
        Request::Ping => r#"{"action":"PING"}"#.into(),
        Request::Login { credentials, database } => format!(
            r#"{{"action":"LOGIN","payload":{{"user":{},"password":{},"database":{}}}}}"#,
            user(credentials),
            secret(&credentials.password),
            text(database)
        ),
        Request::CreateDatabase { token, name, credentials } => format!(
            r#"{{"action":"CREATE_DATABASE","auth":{},"payload":{{"NAME":{},"USER":{},"PASSWORD":{}}}}}"#,
            auth(token),
            text(name),
            user(credentials),
            secret(&credentials.password)
        ),
        Request::Action { token, action } => {
            format!(r#"{{"action":{},"auth":{}}}"#, text(action), auth(token))
        }
        other => panic!("no message asks for {other:?}"),
    };
    let message = format!("QUERY_LENGTH: {}\r\n\r\n{body}", body.len());
    let mut decoder = Decoder::new(8 * MAX_BODY);
    assert_eq!(decoder.frame(message.as_bytes()), Frame::Whole { len: message.len() });
    match decoder.decode(message.as_bytes()) {
        Decoded::Request { request: again, asked: asked_again } => {
            assert_eq!(describe(&again, asked_again), describe(request, asked), "{message:?}");
        }
        other => panic!("{other:?} of {message:?}"),
    }
}

fn refused(refusal: &Refusal) -> String {
    let mut out = Vec::new();
    refusal.encode(&mut out);
    check_message(&out);
    format!("{refusal:?}")
}

fn check_reply(reply: &Reply) {
    for asked in [Asked::Login, Asked::Other] {
        let mut out = Vec::new();
        encode(reply, asked, &mut out);
        check_message(&out);
        assert!(out.len() <= most_bytes(reply));
    }
}

/// One message of ASCII, and in it what clients know.
fn check_message(message: &[u8]) {
    let text = std::str::from_utf8(message).expect("a reply is text");
    assert!(text.is_ascii(), "{text:?}");
    let (header, body) = text.split_once("\r\n\r\n").expect("a reply has a header");
    assert_eq!(header, format!("QUERY_LENGTH: {}", body.len()));
    let members: BTreeMap<String, &RawValue> = serde_json::from_str(body).expect("a reply is an object");
    assert!(members.keys().eq(["action_type", "payload"]), "{body}");
    if members["action_type"].get() == r#""ERROR""# {
        let payload: BTreeMap<String, &RawValue> =
            serde_json::from_str(members["payload"].get()).expect("an error is an object");
        let known = ["code", "message", "ref_data"];
        assert!(payload.keys().all(|name| known.contains(&name.as_str())), "{body}");
        assert!(payload.contains_key("code") && payload.contains_key("message"), "{body}");
    }
}
