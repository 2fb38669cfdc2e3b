//! The rules of the protocol, as cases: a message and the exact bytes of its reply.

use super::*;
use crate::protocol::json::MAX_DEPTH;
use crate::protocol::tables::{Of, Rows, TableError, Verb};
use crate::protocol::{Credentials, DatabaseProblem, Denial, Reply, Token};

const LIMIT: usize = 200;

fn show(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn bytes(refusal: &Refusal) -> String {
    let mut out = Vec::new();
    refusal.encode(&mut out);
    String::from_utf8(out).unwrap()
}

/// A request in a few words, or the message of a refusal.
fn describe(decoded: Decoded<'_>) -> String {
    let (request, asked) = match decoded {
        Decoded::Request { request, asked } => (request, asked),
        Decoded::Refused(refusal) => return refusal.message().into_owned(),
    };
    let by = |token: &Option<Token<'_>>| token.as_ref().map_or("nobody".into(), |token| token.0.to_string());
    let who = |credentials: &Credentials<'_>| {
        format!("{} {}", credentials.user.as_deref().unwrap_or("?"), show(&credentials.password))
    };
    match &request {
        Request::Ping => "ping".into(),
        Request::Login { credentials, database } => format!("login {} {database}", who(credentials)),
        Request::CreateDatabase { token, name, credentials } => {
            format!("create {name} {} by {}", who(credentials), by(token))
        }
        Request::Action { token, action } => format!("{action} by {} {asked:?}", by(token)),
        Request::Table(request) => {
            let Of::Token(token) = &request.of else { panic!("{request:?}") };
            let members = ["table", "query", "payload"].map(|name| request.member(name).unwrap_or("-"));
            format!("{} by {} {}", request.verb.action(), by(token), members.join(" "))
        }
        other => panic!("no message asks for {other:?}"),
    }
}

/// All that a decoder gives for `input` when its bytes have arrived up to each of these places.
fn decode(input: &[u8], arrivals: &[usize]) -> Vec<String> {
    let mut decoder = Decoder::new(LIMIT);
    let (mut start, mut seen) = (0, Vec::new());
    for arrived in arrivals {
        loop {
            let rest = &input[start..*arrived];
            match decoder.frame(rest) {
                Frame::Incomplete { skip } => {
                    start += skip;
                    break;
                }
                Frame::Whole { len } => {
                    assert_eq!(decoder.frame(rest), Frame::Whole { len }, "asked again");
                    seen.push(describe(decoder.decode(rest)));
                    decoder.done();
                    start += len;
                }
                Frame::Broken(refusal) => {
                    seen.push(format!("close: {}", refusal.message()));
                    return seen;
                }
            }
        }
    }
    seen
}

/// What `input` is taken for however it is split in two, and byte by byte.
#[track_caller]
fn conversation(input: impl AsRef<[u8]>, expected: &[&str]) {
    let input = input.as_ref();
    for at in 0..=input.len() {
        assert_eq!(decode(input, &[at, input.len()]), expected, "{} split at {at}", input.escape_ascii());
    }
    let every: Vec<usize> = (0..=input.len()).collect();
    assert_eq!(decode(input, &every), expected, "{} byte by byte", input.escape_ascii());
}

/// A body behind its length in bytes.
fn framed(body: &str) -> String {
    format!("QUERY_LENGTH: {}\r\n\r\n{body}", body.len())
}

#[track_caller]
fn body(body: &str, expected: &str) {
    conversation(framed(body), &[expected]);
    conversation(framed(body).repeat(2), &[expected, expected]);
}

const PING: &str = r#"{"action": "PING"}"#;

#[test]
fn requests() {
    body(r#"{"action": "PING", "auth": {}}"#, "ping");
    body(
        r#"{"table": null, "query": null, "action": "PING", "payload": null, "auth": {"token": "T"}}"#,
        "ping",
    );
    body(
        r#"{"table": null, "query": null, "action": "LOGIN", "payload": {"user": "root", "password": "root@123", "database": "py_db"}, "auth": null}"#,
        "login root root@123 py_db",
    );
    body(
        r#"{"action":"LOGIN","payload":{"user":"\u00e9","password":"\n","database":""},"x":[1]}"#,
        "login é \n ",
    );
    body(
        r#"{"action":"CREATE_DATABASE","payload":{"NAME":"n","USER":"u","PASSWORD":"p"},"auth":{"token":"T"}}"#,
        "create n u p by T",
    );
    body(
        r#"{"action":"CREATE_DATABASE","payload":{"NAME":"n","USER":"u","PASSWORD":"p"}}"#,
        "create n u p by nobody",
    );
    body(
        r#"{"action":"SELECT","table":"user","query":{},"auth":{"token":"T"}}"#,
        "SELECT by T \"user\" {} -",
    );
    body(r#"{"action":"CREATE_TABLE","auth":null}"#, "CREATE_TABLE by nobody - - -");
    body(r#"{"action":"NOPE","auth":{"token":"T"}}"#, "NOPE by T Other");
    body(r#"{"action":"ping"}"#, "ping by nobody Other");
    for no_token in ["{}", "null", "7", "[1]", r#""T""#, r#"{"token":7}"#, r#"{"token":null}"#] {
        body(&format!(r#"{{"action":"DELETE","auth":{no_token}}}"#), "DELETE by nobody - - -");
    }
    body(r#" {"act\u0069on":"NOPE","action":"PING"} "#, "ping");
    let long = "é".repeat(80);
    body(&format!(r#"{{"action":"{long}"}}"#), &format!("{long} by nobody Other"));
}

#[test]
fn refusals() {
    body("[1]", "Invalid request: expected a JSON object.");
    body("7", "Invalid request: expected a JSON object.");
    for action in
        ["{}", r#"{"action":null}"#, r#"{"action":7}"#, r#"{"action":["PING"]}"#, r#"{"ACTION":"PING"}"#]
    {
        body(action, "Invalid request: action must be a string.");
    }
    for payload in
        ["null", "{}", "7", r#"{"user":"u","password":"p"}"#, r#"{"user":"u","password":1,"database":"d"}"#]
    {
        let message = "LOGIN requires user, password and database, which are strings.";
        body(&format!(r#"{{"action":"LOGIN","payload":{payload}}}"#), message);
    }
    for payload in ["null", r#"{"NAME":"n"}"#, r#"{"name":"n","user":"u","password":"p"}"#] {
        let message = "CREATE_DATABASE requires NAME, USER and PASSWORD, which are strings.";
        body(&format!(r#"{{"action":"CREATE_DATABASE","payload":{payload}}}"#), message);
    }
}

#[test]
fn what_is_not_json_is_said_to_be_so() {
    let deep = format!(r#"{{"action":"PING","x":{}"#, "[".repeat(MAX_DEPTH));
    let bodies = [
        "",
        "{",
        "PING",
        r#"{"action":"PING""#,
        r#"{"action":"PING"}}"#,
        r#"{"action":"\ud800"}"#,
        r#"{"action":"é"]"#,
        r#"{"action":NaN}"#,
        &deep,
    ];
    for wrong in bodies {
        let input = framed(wrong) + &framed(PING);
        let seen = decode(input.as_bytes(), &[input.len()]);
        assert!(seen[0].starts_with("Invalid JSON: "), "{wrong}: {seen:?}");
        conversation(&input, &[&seen[0], "ping"]);
    }
    let mut not_text = b"QUERY_LENGTH: 14\r\n\r\n{\"action\":\"\xff\"}".to_vec();
    not_text.extend_from_slice(framed(PING).as_bytes());
    let seen = decode(&not_text, &[not_text.len()]);
    conversation(&not_text, &[&seen[0], "ping"]);
    assert!(seen[0].starts_with("Invalid JSON: invalid utf-8"), "{seen:?}");
}

#[test]
fn headers() {
    let lines = [
        "QUERY_LENGTH: 18\r\n",
        "QUERY_LENGTH:18\r\n",
        "query_length:   18  \r\n",
        "Query_Length : 018\n",
        "Content-Type: text\r\nQUERY_LENGTH: 18\r\nQUERY_LENGTH: x\r\n",
        "QUERY_LENGTH: 18\r\nQUERY_LENGTH: 5\r\n",
        "\r\n\n\r\nQUERY_LENGTH: 18\r\n",
        "QUERY_LEN: 3\r\nQ\r\nQUERY_LENGTH: 18\r\n",
    ];
    for line in lines {
        let message = format!("{line}\r\n{PING}");
        conversation(&message, &["ping"]);
        conversation(message.repeat(2) + "\r\n" + &message, &["ping"; 3]);
    }
    let invalid = "close: Invalid Query Length.";
    for line in [
        "QUERY_LENGTH: x",
        "QUERY_LENGTH: -1",
        "QUERY_LENGTH:",
        "QUERY_LENGTH",
        "QUERY_LENGTH: 1 2",
        "QUERY_LENGTHS: 1",
    ] {
        conversation(format!("{}{line}\r\n\r\n{PING}", framed(PING)), &["ping", invalid]);
    }
    for number in ["201", "99999999999999999999999", "+1", "1_0", "0x1", "1.0"] {
        conversation(format!("QUERY_LENGTH: {number}\r\n\r\n"), &[invalid]);
    }
    let missing = "close: Missing Query Length.";
    for header in ["x: 1\r\n\r\n", "{\"action\":\"PING\"}\r\n\r\n", " QUERY_LENGTH: 1\n\n", "\n\nx\n\r\n"] {
        conversation(header, &[missing]);
    }
    for header in ["POST / HTTP/1.1\r\nQUERY_LENGTH: 18\r\n", "QUERY_LENGTH: 18\r\nhost: x\r\n"] {
        conversation(format!("{header}\r\n{PING}"), &[missing]);
    }
}

#[test]
fn a_header_ends_somewhere() {
    let header = |junk: usize| format!("QUERY_LENGTH: 18\r\n{}\r\n\r\n{PING}", "j".repeat(junk));
    let most = MAX_HEADER - "QUERY_LENGTH: 18\r\n\r\n\r\n".len();
    for (junk, expected) in [(most, "ping"), (most + 1, "close: Invalid Query Length.")] {
        let input = header(junk);
        for arrivals in [
            vec![input.len()],
            vec![MAX_HEADER - 1, MAX_HEADER, MAX_HEADER + 1, input.len()],
            (0..=input.len()).collect(),
        ] {
            assert_eq!(decode(input.as_bytes(), &arrivals), [expected]);
        }
    }
    // Line ends before a header are forgotten as they come, and are no part of it.
    let blank = "\r\n".repeat(MAX_HEADER) + &framed(PING);
    assert_eq!(decode(blank.as_bytes(), &[blank.len()]), ["ping"]);
    assert_eq!(Decoder::new(LIMIT).frame(b"\r\n\r\nQ"), Frame::Incomplete { skip: 4 });
}

#[test]
fn a_length_in_characters_will_do() {
    for text in ["é", "ééé", "a😀b", "€\u{7ff}\u{10ffff}", "x"] {
        let json = format!(r#"{{"action":"{text}"}}"#);
        let counted = format!("QUERY_LENGTH: {}\r\n\r\n{json}", json.chars().count());
        let expected = format!("{text} by nobody Other");
        conversation(&counted, &[&expected]);
        conversation(
            counted.clone() + &framed(PING) + &counted + &framed(&json),
            &[&expected, "ping", &expected, &expected],
        );
    }
    // The limit is in bytes all the same.
    let wide = format!(r#"{{"action":"{}"}}"#, "😀".repeat(60));
    conversation(format!("QUERY_LENGTH: {}\r\n\r\n{wide}", 60 + 13), &["close: Invalid Query Length."]);
    // More characters are waited for, and are not there.
    conversation("QUERY_LENGTH: 40\r\n\r\n{\"action\":\"é\",", &[]);
    conversation("QUERY_LENGTH: 11\r\n\r\n{\"x\":\"ééé\"}", &["Invalid request: action must be a string."]);
}

#[track_caller]
fn reply(reply: &Reply, asked: Asked, expected: &str) {
    let mut out = b"before".to_vec();
    encode(reply, asked, &mut out);
    assert_eq!(String::from_utf8(out.clone()).unwrap(), format!("before{}", framed(expected)), "{reply:?}");
    assert!(out.is_ascii() && out.len() - 6 <= most_bytes(reply), "{reply:?}");
    serde_json::from_str::<serde::de::IgnoredAny>(expected).unwrap();
}

#[test]
fn replies() {
    let mut out = Vec::new();
    encode(&Reply::LoginFirst, Asked::Table(Verb::Find), &mut out);
    assert_eq!(
        String::from_utf8(out).unwrap(),
        "QUERY_LENGTH: 125\r\n\r\n{\"action_type\": \"ERROR\", \"payload\": {\"code\": \"AUTHENTICATION_FAILED\", \
         \"message\": \"Authentication Failed.\", \"ref_data\": null}}"
    );
    reply(&Reply::Pong, Asked::Ping, r#"{"action_type": "PING", "payload": {"message": "PONG"}}"#);
    let token = "0123456789ABCDEF0123456789ABCDEF";
    reply(
        &Reply::Token(token.into()),
        Asked::Login,
        r#"{"action_type": "LOGIN", "payload": {"token": "0123456789ABCDEF0123456789ABCDEF"}}"#,
    );
    reply(
        &Reply::DatabaseMade { name: "é😀".into(), user: "u\"\n".into() },
        Asked::CreateDatabase,
        r#"{"action_type": "CREATE_DATABASE", "payload": {"NAME": "\u00e9\ud83d\ude00", "USER": "u\"\n"}}"#,
    );
    reply(&Reply::Done, Asked::Table(Verb::DropTable), r#"{"action_type": "DROP_TABLE", "payload": {}}"#);
    reply(
        &Reply::Number(3),
        Asked::Table(Verb::Update),
        r#"{"action_type": "UPDATE", "payload": {"count": 3}}"#,
    );
    let rows = |value: &str, next: Option<&str>| {
        Reply::Rows(Rows { value: value.into(), next: next.map(Into::into) })
    };
    let (find, list) = (Asked::Table(Verb::Find), r#"[{"a":1}]"#);
    reply(&rows(list, None), find, r#"{"action_type": "SELECT", "payload": [{"a":1}]}"#);
    reply(&rows("[]", Some("0a")), find, r#"{"action_type": "SELECT", "payload": [], "next": "0a"}"#);
    reply(&Reply::Value(None), Asked::Other, r#"{"action_type": "UNKNOWN", "payload": null}"#);
}

#[test]
fn errors() {
    let error = |given: &Reply, payload: &str| {
        reply(given, Asked::Login, &format!(r#"{{"action_type": "ERROR", "payload": {payload}}}"#));
    };
    let failed =
        r#"{"code": "AUTHENTICATION_FAILED", "message": "Authentication Failed.", "ref_data": null}"#;
    error(&Reply::LoginFirst, failed);
    error(&Reply::Denied(Denial::WrongCredentials), failed);
    error(
        &Reply::Database(DatabaseProblem::Missing("d".into())),
        r#"{"code": "DATABASE_DOES_NOT_EXIST", "message": "(d) Database does not exist", "ref_data": {"db_name": "d"}}"#,
    );
    error(
        &Reply::Database(DatabaseProblem::Exists("é".into())),
        r#"{"code": "DATABASE_ALREADY_EXIST", "message": "(\u00e9) Database Already Exist.", "ref_data": {"db_name": "\u00e9"}}"#,
    );
    error(
        &Reply::UnknownAction("NOPE".into()),
        r#"{"code": "INVALID_ACTION", "message": "'NOPE' invalid action.", "ref_data": null}"#,
    );
    error(
        &Reply::Failed("the disk is full".into()),
        r#"{"code": "UNKNOWN_EXCEPTION", "message": "Unknown Exception.", "ref_data": {"reason": "the disk is full"}}"#,
    );
    error(
        &Reply::TooLarge("long".into()),
        r#"{"code": "INVALID_REQUEST", "message": "long", "ref_data": null}"#,
    );
    let (message, ref_data) = ("(\u{e9}) Table does not exist".into(), r#"{"table":"\u00e9"}"#.into());
    error(
        &Reply::TableError(Box::new(TableError { code: "TABLE_DOES_NOT_EXIST".into(), message, ref_data })),
        r#"{"code": "TABLE_DOES_NOT_EXIST", "message": "(\u00e9) Table does not exist", "ref_data": {"table":"\u00e9"}}"#,
    );
    let refused = |refusal: &Refusal, payload: &str| {
        assert_eq!(bytes(refusal), framed(&format!(r#"{{"action_type": "ERROR", "payload": {payload}}}"#)));
    };
    refused(&Refusal::InvalidLength, r#"{"message": "Invalid Query Length.", "code": "QUERY_LENGTH"}"#);
    refused(&Refusal::MissingLength, r#"{"message": "Missing Query Length.", "code": "QUERY_LENGTH"}"#);
    refused(
        &Refusal::NoAction,
        r#"{"code": "INVALID_REQUEST", "message": "Invalid request: action must be a string.", "ref_data": null}"#,
    );
}

#[test]
fn tokens_and_passwords_are_not_shown() {
    let text = r#"{"action":"CREATE_DATABASE","payload":{"NAME":"n","USER":"u","PASSWORD":"hidden"},"auth":{"token":"hidden"}}"#;
    let (request, _) = request::parse(text.as_bytes()).unwrap();
    assert!(!format!("{request:?}").contains("hidden"));
}
