//! Tables of documents through the framed protocol, and the same through JSON lines: replies byte for byte, and every error.

use crate::framed::{Framed, with_database};
use siltstone::server::{Config, Protocol, Server};
use siltstone::store::MemoryEngine;
use std::net::SocketAddr;
use std::sync::Arc;

/// A client that has logged in.
struct Session {
    client: Framed,
    token: String,
}

impl Session {
    fn begin(addr: SocketAddr) -> Session {
        let mut client = Framed::to(addr);
        let token = client.token("anna", "hunter2", "shop");
        Session { client, token }
    }

    /// Sends a request as clients do, with all members, and gives the reply.
    fn ask(&mut self, action: &str, table: &str, query: &str, payload: &str) -> String {
        self.client.ask(&format!(
            r#"{{"table": {table}, "query": {query}, "action": "{action}", "payload": {payload}, "auth": {{"token": "{}"}}}}"#,
            self.token
        ))
    }

    #[track_caller]
    fn check(&mut self, action: &str, table: &str, query: &str, payload: &str, expected: &str) {
        let reply = self.ask(action, table, query, payload);
        let expected = format!(r#"{{"action_type": "{action}", "payload": {expected}}}"#);
        assert_eq!(reply, expected, "{action} {table} {query} {payload}");
    }

    /// The request as `ask` takes it; the code, the message and what it is about.
    #[track_caller]
    fn fails(&mut self, request: [&str; 4], error: [&str; 3]) {
        let [action, table, query, payload] = request;
        let reply = self.ask(action, table, query, payload);
        let [code, message, about] = error;
        let error = format!(r#"{{"code": "{code}", "message": "{message}", "ref_data": {about}}}"#);
        assert_eq!(reply, format!(r#"{{"action_type": "ERROR", "payload": {error}}}"#), "{request:?}");
    }
}

fn with_session(talk: impl FnOnce(&mut Session) + Send + 'static) {
    with_database(Config::default(), move |addr| talk(&mut Session::begin(addr)));
}

const USERS: &str = r#"{
    "first_name": {"type": "str", "required": true, "min_length": 2, "max_length": 20, "pattern": "^[a-zA-Z]+$", "unique": true},
    "age": {"type": "int", "required": true, "min": 18, "max": 99},
    "salary": {"type": "float", "required": false, "min": 0.0},
    "is_active": {"type": "bool", "required": false, "default": true},
    "join_date": {"type": "datetime", "required": true, "format": "iso"}
}"#;

fn user(name: &str, age: u32, salary: u32, pk: u32) -> (String, String) {
    let pk = format!("00000000-0000-4000-8000-{pk:012}");
    let rest = |salary: &str| {
        format!(r#""salary":{salary},"is_active":true,"join_date":"2025-07-07T18:21:00","pk":"{pk}"}}"#)
    };
    let sent = format!(r#"{{"age":{age},"first_name":"{name}",{}"#, rest(&salary.to_string()));
    let stored = format!(r#"{{"first_name":"{name}","age":{age},{}"#, rest(&format!("{salary}.0")));
    (sent, stored)
}

/// The example of the client that there is: a table is dropped and made, three rows come, one is looked for, changed and removed.
#[test]
fn the_example_of_the_client() {
    with_session(|session| {
        let missing = r#"{"table":"user"}"#;
        session.fails(
            ["DROP_TABLE", r#""user""#, "null", "null"],
            ["TABLE_DOES_NOT_EXIST", "(user) Table does not exist", missing],
        );
        session.check("CREATE_TABLE", r#""user""#, "null", USERS, r#""shop/user""#);
        let rows = [user("Bhushan", 25, 3245, 1), user("Vaibhav", 28, 324, 2), user("Shubham", 35, 324, 3)];
        for (sent, stored) in &rows {
            let created = format!(r#"{{"data":{stored},"table":"user"}}"#);
            session.check("CREATE", r#""user""#, "null", sent, &created);
        }
        let query = r#"{"age": {"$gte": 24, "$lte": 35}, "first_name": "Bhushan"}"#;
        session.check("SELECT", r#""user""#, query, "null", &format!("[{}]", rows[0].1));
        let vaibhav = r#"{"first_name": "Vaibhav"}"#;
        session.check("UPDATE", r#""user""#, vaibhav, r#"{"age": 40}"#, r#"{"count":1}"#);
        let changed = rows[1].1.replace("28", "40");
        session.check("SELECT", r#""user""#, vaibhav, "null", &format!("[{changed}]"));
        session.check("DELETE", r#""user""#, vaibhav, "null", r#"{"count":1}"#);
        session.check("SELECT", r#""user""#, "{}", "null", &format!("[{},{}]", rows[0].1, rows[2].1));
        // Where the oldest clients have the query.
        session.check("SELECT", r#""user""#, "null", vaibhav, "[]");
        session.check("DELETE", r#""user""#, "null", "{}", r#"{"count":2}"#);
        session.check("DROP_TABLE", r#""user""#, "null", "null", "{}");
        // Another schema takes effect at once.
        session.check(
            "CREATE_TABLE",
            r#""user""#,
            "null",
            r#"{"fields": {"pk": "str", "age": "str"}}"#,
            r#""shop/user""#,
        );
        let row = r#"{"age":"old","pk":"00000000-0000-4000-8000-000000000009"}"#;
        session.check("CREATE", r#""user""#, "null", row, &format!(r#"{{"data":{row},"table":"user"}}"#));
    });
}

#[test]
fn every_error_has_its_code_and_text() {
    with_session(|session| {
        errors_of_tables(session);
        errors_of_rows(session);
        errors_of_queries(session);
        errors_of_schemas_and_tokens(session);
    });
}

/// There has to be a table, and not two.
fn errors_of_tables(session: &mut Session) {
    let (t, null) = (r#""user""#, "null");
    let table = r#"{"table":"user"}"#;
    session.check("CREATE_TABLE", t, null, USERS, r#""shop/user""#);
    session.fails(
        ["CREATE_TABLE", t, null, USERS],
        ["TABLE_ALREADY_EXIST", "(user) Table Already Exist.", table],
    );
    session.fails(
        ["CREATE_TABLE", r#""other""#, null, null],
        ["TABLE_SCHEMA_NOT_EXIST", "(other) Schema does not exist.", r#"{"table":"other"}"#],
    );
    for action in ["CREATE_TABLE", "DROP_TABLE", "CREATE", "SELECT", "UPDATE", "DELETE", "COUNT", "REPLACE"] {
        for none in [null, "\"\"", "7"] {
            let text = format!("Table is not provided for {action}");
            session.fails([action, none, null, "{}"], ["TABLE_NOT_PROVIDED", &text, null]);
        }
        if action != "CREATE_TABLE" {
            session.fails(
                [action, r#""nope""#, null, "{}"],
                ["TABLE_DOES_NOT_EXIST", "(nope) Table does not exist", r#"{"table":"nope"}"#],
            );
        }
    }
}

/// All that is wrong with a row is told, and values of others.
fn errors_of_rows(session: &mut Session) {
    let (t, null) = (r#""user""#, "null");
    let all = r#"{"first_name":["Length must be between 2 and 20.","String does not match expected pattern."],"age":["Must be greater than or equal to 18 and less than or equal to 99."],"salary":["Not a valid number."],"join_date":["Missing data for required field."],"x":["Unknown field."]}"#;
    session.fails(
        ["CREATE", t, null, r#"{"first_name":"1","age":"7","salary":true,"x":1}"#],
        ["INVALID_DATA", "Invalid data.", all],
    );
    for row in ["[]", "null", "7", "\"row\""] {
        session.fails(
            ["CREATE", t, null, row],
            ["INVALID_DATA", "Invalid data.", r#"{"_schema":["Invalid input type."]}"#],
        );
    }
    let (sent, _) = user("Ada", 36, 1, 1);
    assert!(session.ask("CREATE", t, null, &sent).contains("\"data\""));
    let (again, _) = user("Ada", 36, 1, 2);
    session.fails(
        ["CREATE", t, null, &again],
        ["INVALID_DATA", "first_name:Ada is already exist.", r#"{"field":"first_name","value":"Ada"}"#],
    );
    let (same, _) = user("Bob", 36, 1, 1);
    let pk = "00000000-0000-4000-8000-000000000001";
    session.fails(
        ["CREATE", t, null, &same],
        [
            "INVALID_DATA",
            &format!("pk:{pk} is already exist."),
            &format!(r#"{{"field":"pk","value":"{pk}"}}"#),
        ],
    );
}

/// Changes and queries; nothing of what is refused is done.
fn errors_of_queries(session: &mut Session) {
    let (t, null) = (r#""user""#, "null");
    session.fails(
        ["UPDATE", t, "{}", r#"{"pk":"x"}"#],
        ["UPDATE_NOT_ALLOWED_ON_PK", "Cannot update pk column.", r#"{"table":"user","database":"shop"}"#],
    );
    session.fails(
        ["UPDATE", t, "{}", r#"{"age":"x"}"#],
        ["INVALID_DATA", "Invalid data.", r#"{"age":["Not a valid integer."]}"#],
    );
    let unknown = r#"{"at":"age.$like","reason":"there is no such operator"}"#;
    for action in ["SELECT", "UPDATE", "DELETE", "COUNT"] {
        session.fails(
            [action, t, r#"{"age":{"$like":1}}"#, "{}"],
            ["INVALID_QUERY", "Invalid query: age.$like: there is no such operator", unknown],
        );
    }
    session.fails(
        ["SELECT", t, "[1]", null],
        [
            "INVALID_QUERY",
            "Invalid query: an object of conditions is expected",
            r#"{"at":"","reason":"an object of conditions is expected"}"#,
        ],
    );
    // Of unlike types nothing is greater, and nothing fails.
    session.check("SELECT", t, r#"{"age":{"$gt":"a"}}"#, null, "[]");
    // Nothing of all that changed anything.
    session.check("COUNT", t, null, null, r#"{"count":1}"#);
}

/// Schemas, actions and tokens.
fn errors_of_schemas_and_tokens(session: &mut Session) {
    let (t, null) = (r#""user""#, "null");
    for (name, schema, start) in [
        ("bad", r#"{"a":{"type":"int","callable_default":"x"}}"#, "Invalid schema: a.callable_default"),
        ("bad", r#"{"a":{"type":"complex"}}"#, "Invalid schema: a.type"),
        ("bad", r#"{"a":{"type":"str","pattern":"(?=x)"}}"#, "Invalid schema: a.pattern"),
        ("bad", "[1]", "Invalid schema: "),
        ("../bad", r#"{"a":"str"}"#, "Invalid schema: ../bad: a name has letters"),
    ] {
        let reply = session.ask("CREATE_TABLE", &format!("\"{name}\""), null, schema);
        let expected = format!(
            r#"{{"action_type": "ERROR", "payload": {{"code": "INVALID_SCHEMA", "message": "{start}"#
        );
        assert!(reply.starts_with(&expected), "{reply}");
    }
    session.check("TABLES", null, null, null, r#"["user"]"#);
    let unknown = session.ask("NOPE", t, null, null);
    assert_eq!(
        unknown,
        r#"{"action_type": "ERROR", "payload": {"code": "INVALID_ACTION", "message": "'NOPE' invalid action.", "ref_data": null}}"#
    );
    session.token = "0".repeat(32);
    for action in ["SELECT", "CREATE_TABLE", "NOPE", "TABLES"] {
        session.fails([action, t, null, null], ["AUTHENTICATION_FAILED", "Authentication Failed.", null]);
    }
}

#[test]
fn more_than_the_clients_of_old_ask_for() {
    with_session(|session| {
        let (t, null) = (r#""item""#, "null");
        session.check(
            "CREATE_TABLE",
            t,
            null,
            r#"{"n":"int","tags":{"type":"array","items":"str"}}"#,
            r#""shop/item""#,
        );
        for n in 0..5 {
            let row =
                format!(r#"{{"n":{n},"tags":["t{}"],"pk":"00000000-0000-4000-8000-00000000000{n}"}}"#, n % 2);
            assert!(session.ask("CREATE", t, null, &row).contains("data"));
        }
        let token = session.token.clone();
        let mut ask = |more: &str| {
            session.client.ask(&format!(r#"{{"table":"item","auth":{{"token":"{token}"}},{more}}}"#))
        };
        let page =
            r#""action":"SELECT","query":{"n":{"$gt":0}},"sort":{"n":-1},"limit":2,"projection":["n"]"#;
        let first = ask(page);
        let start = r#"{"action_type": "SELECT", "payload": [{"n":4},{"n":3}], "next": ""#;
        let next =
            first.strip_prefix(start).unwrap_or_else(|| panic!("{first}")).strip_suffix("\"}").unwrap();
        let rest = ask(&format!(r#"{page},"after":"{next}""#));
        assert_eq!(rest, r#"{"action_type": "SELECT", "payload": [{"n":2},{"n":1}]}"#);
        assert!(ask(&format!(r#""action":"SELECT","after":"{next}""#)).contains("another query"));
        let index = ask(r#""action":"CREATE_INDEX","payload":{"columns":{"tags":1}}"#);
        assert_eq!(index, r#"{"action_type": "CREATE_INDEX", "payload": "tags_1"}"#);
        let plan = ask(r#""action":"EXPLAIN","query":{"tags":"t1"}"#);
        assert!(
            plan.contains(r#""plan":"index","index":"tags_1""#)
                && plan.contains(r#""keys_read":2,"documents_read":2,"returned":2"#),
            "{plan}"
        );
        assert_eq!(
            ask(r#""action":"DISTINCT","path":"tags""#),
            r#"{"action_type": "DISTINCT", "payload": ["t0","t1"]}"#
        );
    });
}

#[test]
fn changes_that_the_clients_of_old_do_not_know() {
    with_session(|session| {
        let schema = r#"{"n":"int","tags":{"type":"array","items":"str"}}"#;
        session.check("CREATE_TABLE", r#""item""#, "null", schema, r#""shop/item""#);
        let row = r#"{"n":4,"tags":["t0"],"pk":"00000000-0000-4000-8000-000000000004"}"#;
        assert!(session.ask("CREATE", r#""item""#, "null", row).contains("data"));
        let token = session.token.clone();
        let mut ask = |more: &str| {
            session.client.ask(&format!(r#"{{"table":"item","auth":{{"token":"{token}"}},{more}}}"#))
        };
        assert!(ask(r#""action":"CREATE_INDEX","payload":{"columns":{"tags":1}}"#).contains("tags_1"));
        assert_eq!(
            ask(r#""action":"UPDATE","query":{"n":4},"payload":{"$inc":{"n":10},"$push":{"tags":"x"}}"#),
            r#"{"action_type": "UPDATE", "payload": {"count":1}}"#
        );
        assert!(ask(r#""action":"SELECT","query":{"tags":"x"}"#).contains(r#""n":14,"tags":["t0","x"]"#));
        assert_eq!(
            ask(r#""action":"UPDATE","query":{"n":99},"payload":{"$set":{"tags":[]}},"upsert":true"#),
            r#"{"action_type": "UPDATE", "payload": {"count":0,"inserted":true}}"#
        );
        assert!(ask(r#""action":"SELECT","query":{"n":99}"#).contains(r#"{"n":99,"tags":[],"pk":"#));
        assert_eq!(
            ask(r#""action":"REPLACE","query":{"n":99},"payload":{"n":100}"#),
            r#"{"action_type": "REPLACE", "payload": {"count":1}}"#
        );
        assert!(ask(r#""action":"INDEXES""#).contains(
            r#""name":"tags_1","columns":[["tags",1]],"unique":false,"partial":null,"ready":true"#
        ));
        assert_eq!(
            ask(r#""action":"DROP_INDEX","payload":"tags_1""#),
            r#"{"action_type": "DROP_INDEX", "payload": {}}"#
        );
        assert!(ask(r#""action":"DROP_INDEX","payload":"pk""#).contains("the schema wants it"));
        assert!(ask(r#""action":"SELECT","limit":-1"#).contains("a whole number from 0 on"));
    });
}

/// A server without users, with the database `shop`, which has one.
#[test]
fn json_lines_ask_for_the_same() {
    with_database(Config::default(), |addr| {
        let mut client = crate::harness::Client::to(addr);
        let ok = |result: &str| format!(r#"{{"status":"ok","result":{result}}}"#);
        client.check(
            r#"{"command":"create_table","database":"open","table":"t","payload":{"n":"int"}}"#,
            &ok(r#""open/t""#),
        );
        let pk = "00000000-0000-4000-8000-000000000001";
        let row = format!(r#"{{"n":1,"pk":"{pk}"}}"#);
        let inserted = ok(&format!(r#"{{"data":[{row}],"table":"t"}}"#));
        client.check(
            &format!(r#"{{"command":"insert","database":"open","table":"t","payload":[{row}]}}"#),
            &inserted,
        );
        client.check(
            r#"{"command":"find","database":"open","table":"t","query":{"n":1}}"#,
            &ok(&format!("[{row}]")),
        );
        client.check(
            r#"{"command":"update","database":"open","table":"t","query":{},"payload":{"n":"2"}}"#,
            &ok(r#"{"count":1}"#),
        );
        client.check(
            r#"{"command":"count","database":"open","table":"t","query":{"n":2}}"#,
            &ok(r#"{"count":1}"#),
        );
        client.check(
            r#"{"command":"remove","database":"open","table":"t","query":{"n":2}}"#,
            &ok(r#"{"count":1}"#),
        );
        client.check(
            r#"{"command":"find","database":"open","table":"x"}"#,
            r#"{"status":"error","message":"(x) Table does not exist","code":"TABLE_DOES_NOT_EXIST","ref_data":{"table":"x"}}"#,
        );
        client.check(
            r#"{"command":"find","table":"x"}"#,
            r#"{"status":"error","message":"Server error: Missing database"}"#,
        );
        // A database that has a user is for who has a token.
        let required = r#"{"status":"error","message":"Authentication required"}"#;
        client.check(r#"{"command":"tables","database":"shop"}"#, required);
        client.check(r#"{"command":"tables","database":"shop","token":"0123"}"#, required);
        let reply = client.ask(r#"{"command":"login","user":"anna","password":"hunter2","database":"shop"}"#);
        let token = reply.split('"').nth(7).unwrap();
        client.check(&format!(r#"{{"command":"tables","database":"shop","token":"{token}"}}"#), &ok("[]"));
    });
}

#[test]
fn strangers_see_no_tables() {
    let mut config = crate::auth::guarded();
    config.protocol = Protocol::Auto;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let server = Server::bind("127.0.0.1:0", Arc::new(MemoryEngine::new()), config).await.unwrap();
        let addr = server.local_addr();
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let client = std::thread::spawn(move || {
            let _stop = stop;
            let mut client = crate::harness::Client::to(addr);
            let required = r#"{"status":"error","message":"Authentication required"}"#;
            client.check(r#"{"command":"tables","database":"open"}"#, required);
            client.check(r#"{"command":"tables","database":"open","token":"0123"}"#, required);
            assert!(client.ask(r#"{"command":"auth","password":"open sesame"}"#).contains("ok"));
            client.check(r#"{"command":"tables","database":"open"}"#, r#"{"status":"ok","result":[]}"#);
        });
        server.run(async { drop(stopped.await) }).await;
        client.join().unwrap();
    });
}
