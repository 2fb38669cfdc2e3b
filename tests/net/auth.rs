//! Who is let in, through every door; and that nobody else is.

use crate::framed::{Framed, with_database};
use crate::harness::{PING, serve};
use crate::resp::Talker;
use siltstone::server::{Config, PasswordHash, Protocol, Server};
use siltstone::store::{MemoryEngine, StorageEngine};
use std::sync::Arc;

/// The default user, and anna.
pub fn guarded() -> Config {
    let mut config = Config::default();
    config.users.insert("default".into(), PasswordHash::new("open sesame").unwrap());
    config.users.insert("anna".into(), PasswordHash::new("hunter2").unwrap());
    config
}

fn engine() -> Arc<dyn StorageEngine> {
    Arc::new(MemoryEngine::new())
}

const FAILED: &str = r#"{"action_type": "ERROR", "payload": {"code": "AUTHENTICATION_FAILED", "message": "Authentication Failed.", "ref_data": null}}"#;

fn create(name: &str, token: &str) -> String {
    format!(
        r#"{{"action":"CREATE_DATABASE","payload":{{"NAME":"{name}","USER":"bert","PASSWORD":"secret"}},"auth":{{"token":"{token}"}}}}"#
    )
}

#[test]
fn redis_clients_log_in() {
    let server = serve(engine(), guarded());
    let mut client = Talker::to(server.addr);
    client.talk(
        "GET k -> -NOAUTH Authentication required.
         SET k v -> -NOAUTH Authentication required.
         nonsense -> -NOAUTH Authentication required.
         MULTI -> -NOAUTH Authentication required.
         CONFIG GET save -> -NOAUTH Authentication required.
         AUTH wrong -> -WRONGPASS invalid username-password pair or user is disabled.
         AUTH open\\ sesame x y -> -ERR syntax error
         AUTH 'open sesame' -> +OK
         SET k v -> +OK
         ACL WHOAMI -> $7|default
         AUTH anna hunter2 -> +OK
         ACL WHOAMI -> $4|anna
         GET k -> $1|v
         RESET -> +RESET
         GET k -> -NOAUTH Authentication required.",
    );
    let mut client = Talker::to(server.addr);
    assert!(client.ask("HELLO 3").starts_with("-NOAUTH"));
    assert!(client.ask("HELLO 3 AUTH anna wrong").starts_with("-WRONGPASS"));
    assert!(client.ask("HELLO 3 AUTH anna hunter2").starts_with('%'));
    client.check("GET k", "$1|v");
}

#[test]
fn lines_of_json_and_of_text_log_in() {
    let server = serve(engine(), guarded());
    let mut client = server.connect();
    let required = r#"{"status":"error","message":"Authentication required"#;
    for request in [
        r#"{"command":"read","key":"k"}"#,
        r#"{"command":"put","key":"k","value":1}"#,
        r#"{"command":"delete","key":"k"}"#,
        r#"{"command":"read_key_range","start_key":"a","end_key":"z"}"#,
        r#"{"command":"batch_put","keys":["k"],"values":[1]}"#,
    ] {
        let reply = client.ask(request);
        assert!(reply.starts_with(required), "{request}: {reply}");
    }
    client.ping();
    assert!(client.ask(r#"{"command":"auth","password":"wrong"}"#).contains("error"));
    assert!(client.ask(r#"{"command":"auth","password":"open sesame"}"#).contains("\"ok\""));
    client.check(r#"{"command":"read","key":"k"}"#, r#"{"status":"ok","result":null}"#);
    client.check(PING, r#"{"status":"ok","result":"pong"}"#);

    let mut config = guarded();
    config.protocol = Protocol::Text;
    let server = serve(engine(), config);
    let mut client = server.connect();
    let mut said = vec![client.reply()];
    for line in ["GET k", "PUT k v", "DEL k", "AUTH wrong", "AUTH anna hunter2"] {
        said.push(client.ask(line));
    }
    assert!(said[1..4].iter().all(|reply| reply == "ERROR: Authentication required"), "{said:?}");
    assert!(said[4].starts_with("ERROR") && said[5].starts_with("OK"), "{said:?}");
    assert!(!client.ask("PUT k v").starts_with("ERROR"));
}

/// What was found of one request says nothing of another.
#[test]
fn a_login_within_a_transaction_is_done_at_once() {
    let server = serve(engine(), guarded());
    let mut client = Talker::to(server.addr);
    client.check("AUTH anna hunter2", "+OK");
    client.check("MULTI", "+OK");
    client.check("AUTH default 'open sesame'", "+OK");
    client.check("SET k v", "+QUEUED");
    client.check("EXEC", "*1|+OK");
    client.check("AUTH default wrong", "-WRONGPASS invalid username-password pair or user is disabled.");
    client.check("ACL WHOAMI", "$7|default");
}

/// Nobody tries many passwords on a connection.
#[test]
fn the_third_failure_ends_the_connection() {
    let server = serve(engine(), guarded());
    let mut client = Talker::to(server.addr);
    client.say("AUTH a\r\nAUTH b\r\nAUTH c\r\nPING");
    assert_eq!(client.rest().matches("-WRONGPASS").count(), 3);
    // One that succeeds begins anew.
    let mut client = Talker::to(server.addr);
    for _ in 0..2 {
        client.check("AUTH a", "-WRONGPASS invalid username-password pair or user is disabled.");
        client.check("AUTH b", "-WRONGPASS invalid username-password pair or user is disabled.");
        client.check("AUTH anna hunter2", "+OK");
    }
    with_database(Config::default(), |addr| {
        let mut client = Framed::to(addr);
        for _ in 0..3 {
            assert_eq!(client.login("anna", "x", "shop"), FAILED);
        }
        client.closed();
    });
}

#[test]
fn a_login_to_a_database_gives_a_token() {
    with_database(Config::default(), |addr| {
        let mut client = Framed::to(addr);
        let missing = r#"{"action_type": "ERROR", "payload": {"code": "DATABASE_DOES_NOT_EXIST", "message": "(no) Database does not exist", "ref_data": {"db_name": "no"}}}"#;
        assert_eq!(client.login("anna", "hunter2", "no"), missing);
        assert_eq!(client.login("bert", "hunter2", "shop"), FAILED);
        let token = client.token("anna", "hunter2", "shop");
        assert_eq!(token.len(), 32);
        // It is good on any connection, and only as it is.
        let mut other = Framed::to(addr);
        let select =
            |token: &str| format!(r#"{{"action":"SELECT","table":"t","auth":{{"token":"{token}"}}}}"#);
        let unknown = r#"{"action_type": "ERROR", "payload": {"code": "TABLE_DOES_NOT_EXIST", "message": "(t) Table does not exist", "ref_data": {"table":"t"}}}"#;
        other.check(&select(&token), unknown);
        other.check(&select(&token.to_lowercase()), FAILED);
        other.check(&select(""), FAILED);
        other.check(r#"{"action":"SELECT","table":"t","auth":null}"#, FAILED);
        other.check(r#"{"action":"SELECT"}"#, FAILED);
    });
}

#[test]
fn who_has_a_token_makes_databases() {
    with_database(Config::default(), |addr| {
        let mut client = Framed::to(addr);
        client.check(&create("more", ""), FAILED);
        client.check(&create("more", &"0".repeat(32)), FAILED);
        let token = client.token("anna", "hunter2", "shop");
        let made = r#"{"action_type": "CREATE_DATABASE", "payload": {"NAME": "more", "USER": "bert"}}"#;
        client.check(&create("more", &token), made);
        let exists = r#"{"action_type": "ERROR", "payload": {"code": "DATABASE_ALREADY_EXIST", "message": "(more) Database Already Exist.", "ref_data": {"db_name": "more"}}}"#;
        client.check(&create("more", &token), exists);
        assert!(client.ask(&create("../more", &token)).contains("INVALID_REQUEST"));
        client.token("bert", "secret", "more");
        assert_eq!(client.login("bert", "secret", "shop"), FAILED);
    });
}

/// A user of a database is none of the server, and the other way round.
#[test]
fn users_of_databases_are_others() {
    let mut config = guarded();
    config.users.remove("anna");
    config.strict_logins = true;
    with_database(config, |addr| {
        let mut talker = Talker::to(addr);
        talker.check("AUTH anna hunter2", "-WRONGPASS invalid username-password pair or user is disabled.");
        let mut client = Framed::to(addr);
        assert_eq!(client.login("default", "open sesame", "shop"), FAILED);
        assert_eq!(client.login("anna", "hunter2", "no"), FAILED, "strict");
        client.token("anna", "hunter2", "shop");
    });
}

#[test]
fn strangers_get_little() {
    let server = serve(engine(), guarded());
    let long = "x".repeat(65 << 10);
    let mut client = Talker::to(server.addr);
    client.send(format!("*2\r\n$4\r\nPING\r\n${}\r\n", long.len()).as_bytes());
    assert!(client.rest().starts_with("-"), "too long for a stranger");
    let mut client = server.connect();
    client.send(format!("{{\"command\":\"ping\",\"x\":\"{long}\"}}\n"));
    assert!(client.rest().contains("error"), "too long for a stranger");
    let mut client = Talker::to(server.addr);
    client.check("AUTH anna hunter2", "+OK");
    client.send(format!("*2\r\n$4\r\nPING\r\n${}\r\n{long}\r\n", long.len()).as_bytes());
    assert!(client.hear().ends_with(&long));
}

#[test]
fn with_users_other_machines_may_come() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let refused = Server::bind("0.0.0.0:0", engine(), Config::default()).await.unwrap_err().to_string();
        assert!(refused.contains("authentication"), "{refused}");
        Server::bind("0.0.0.0:0", engine(), guarded()).await.unwrap();
    });
}
