//! The danger: the server lets in whom its operator keeps out, or keeps out whom its operator lets in.
//!
//! Every test runs the built program in a folder of its own; `tests/net` has the protocols.

use crate::program::{PATIENCE, Place, Server};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::Command;
use std::time::Duration;

/// Says a line, and gives the line that comes back.
fn ask(address: &str, lines: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(lines.as_bytes()).unwrap();
    let mut answer = String::new();
    BufReader::new(stream).read_line(&mut answer).unwrap();
    answer.trim_end().to_string()
}

/// Logs in to a database of the framed protocol, and gives the whole answer.
fn login(address: &str, password: &str) -> String {
    let body = format!(
        r#"{{"action":"LOGIN","payload":{{"user":"anna","password":"{password}","database":"shop"}}}}"#
    );
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    write!(stream, "QUERY_LENGTH: {}\r\n\r\n{body}", body.len()).unwrap();
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn users_come_from_a_file_and_the_default_one_from_a_secret() {
    let place = Place::new();
    let run = place.run_with_input(&["user", "hash", "anna"], b"hunter2\n");
    let line = String::from_utf8(run.stdout).unwrap();
    assert!(run.status == 0 && line.starts_with("anna:$argon2id$v=19$"), "{line} {}", run.stderr);
    assert!(!line.contains("hunter2") && run.stderr.is_empty());
    assert_eq!(place.run_with_input(&["user", "hash"], b"\n").status, 1, "an empty password");
    place.file("users", line);
    place.file("password", "open sesame\n");
    let mut command = place.command(&["serve", "--listen", "0.0.0.0:0"]);
    command.env("SILTSTONE_AUTH_USERS_FILE", "users").env("SILTSTONE_AUTH_PASSWORD_FILE", "password");
    command.env("SILTSTONE_LOG_LEVEL", "warn,siltstone::audit=info");
    let mut server = Server::run(command);
    let address = server.address.replace("0.0.0.0", "127.0.0.1");
    assert_eq!(ask(&address, "GET k\r\n"), "-NOAUTH Authentication required.");
    assert_eq!(ask(&address, "AUTH anna hunter2\r\n"), "+OK");
    assert_eq!(ask(&address, "AUTH \"open sesame\"\r\n"), "+OK");
    assert!(ask(&address, "AUTH wrong\r\n").starts_with("-WRONGPASS"));
    place.ok(&["ping", &address]);
    let said = server.stop();
    assert_eq!(said.matches(": login client").count(), 2, "{said}");
    assert!(said.contains("a login failed") && said.contains("anna"), "{said}");
    assert!(!said.contains("hunter2") && !said.contains("sesame") && !said.contains("wrong"), "{said}");

    place.file("users", "# nobody\n");
    let output = place.command(&["serve"]).env("SILTSTONE_AUTH_USERS_FILE", "users").output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8(output.stderr).unwrap().contains("there is no user in it"));
}

#[test]
fn a_password_that_everybody_knows_is_warned_of() {
    let place = Place::new();
    for (listen, warned) in [("0.0.0.0:0", true), ("127.0.0.1:0", false)] {
        let mut command = place.command(&["serve", "--listen", listen]);
        command.env("SILTSTONE_AUTH_PASSWORD", "root@123");
        let said = Server::run(command).stop();
        assert_eq!(said.contains("known to everybody"), warned, "{said}");
    }
}

#[test]
fn databases_come_with_the_start_and_stay() {
    let place = Place::new();
    let initial = |password: &str, more: &str| {
        format!(r#"{{"DATABASE":[{{"NAME":"shop","USER":"anna","PASSWORD":"{password}"}}]{more}}}"#)
    };
    place.file("initial.json", initial("hunter2", ""));
    let args = ["--load-initial-data", "initial.json"];
    let mut server = Server::start(&place, &args);
    assert!(login(&server.address, "hunter2").contains("\"token\""));
    assert!(login(&server.address, "wrong").contains("AUTHENTICATION_FAILED"));
    server.kill();
    // It is there after a crash, and is not made anew.
    place.file("initial.json", initial("other", ""));
    let mut server = Server::start(&place, &args);
    assert!(login(&server.address, "hunter2").contains("\"token\""));
    assert!(login(&server.address, "other").contains("AUTHENTICATION_FAILED"));
    server.stop();
    // No file of the database has the password.
    for file in std::fs::read_dir(place.path().join("data")).unwrap() {
        let bytes = std::fs::read(file.unwrap().path()).unwrap();
        assert!(!bytes.windows(7).any(|window| window == b"hunter2"));
    }
    place.file("initial.json", "{\"DATABASE\": 7}");
    place.fails(&["serve", "--load-initial-data", "initial.json"], 1, "initial.json is no initial data");
    place.file("initial.json", initial("x", "").replace("shop", "../shop"));
    place.fails(
        &["serve", "--listen", "127.0.0.1:0", "--load-initial-data", "initial.json"],
        1,
        "could not make the database",
    );
}

/// Tables come beside their databases, once, and what they have stays.
#[test]
fn tables_come_with_the_start_and_stay() {
    let place = Place::new();
    let initial = |schema: &str| {
        let database = r#""NAME":"shop","USER":"anna","PASSWORD":"hunter2""#;
        place
            .file("initial.json", format!(r#"{{"DATABASE":[{{{database},"TABLES":{{"user":{schema}}}}}]}}"#));
    };
    let schema = r#"{"name":{"type":"str","unique":true},"price":{"type":"float","min":0.10}}"#;
    initial(schema);
    let args = ["--load-initial-data", "initial.json"];
    let ask_table = |server: &Server, members: &str| {
        let token = login(&server.address, "hunter2");
        let token = token.split('"').find(|text| text.len() == 32).unwrap();
        let of = format!(r#""token":"{token}","database":"shop","table":"user""#);
        ask(&server.address, &format!("{{{of},{members}}}\n"))
    };
    let insert = r#""command":"insert","payload":{"name":"Ada","price":"1","pk":"00000000-0000-4000-8000-000000000001"}"#;
    let mut server = Server::start(&place, &args);
    assert!(ask_table(&server, insert).contains(r#""price":1.0"#));
    assert!(ask_table(&server, insert).contains("is already exist"));
    let wrong = ask_table(&server, r#""command":"insert","payload":{"price":0}"#);
    assert!(wrong.contains("Must be greater than or equal to 0.10."), "{wrong}");
    server.kill();
    // The same schema, spelled otherwise.
    initial(&schema.replace(r#""str","#, r#""str","required":false,"#));
    let mut server = Server::start(&place, &args);
    assert!(ask_table(&server, r#""command":"count""#).contains(r#"{"count":1}"#));
    assert_eq!(server.stop(), "");
    // Another one.
    initial(r#"{"name":"int"}"#);
    let mut server = Server::start(&place, &args);
    assert!(ask_table(&server, r#""command":"count""#).contains(r#"{"count":1}"#));
    let said = server.stop();
    assert!(said.contains("another schema") && said.contains("user"), "{said}");
    for (schema, why) in [("7", "an object"), (r#"{"name":{"type":"text"}}"#, "name.type")] {
        initial(schema);
        place.fails(&["serve", "--listen", "127.0.0.1:0", "--load-initial-data", "initial.json"], 1, why);
    }
}

#[test]
fn certificates_are_read_from_files_and_read_again() {
    let place = Place::new();
    let make = || {
        let made = rcgen::generate_simple_self_signed(vec!["localhost".to_string()]).unwrap();
        place.file("crt", made.cert.pem());
        place.file("key", made.signing_key.serialize_pem());
    };
    make();
    let serve = || {
        let mut command = place.command(&["serve", "--listen", "127.0.0.1:0"]);
        command.env("SILTSTONE_TLS_LISTEN", "127.0.0.1:0").env("SILTSTONE_TLS_CERTIFICATE", "crt");
        command.env("SILTSTONE_TLS_KEY", "key").env("SILTSTONE_LOG_LEVEL", "info");
        command
    };
    let mut server = Server::run(serve());
    let hang_up = |server: &Server| {
        assert!(
            Command::new("kill").args(["-s", "HUP", &server.id().to_string()]).status().unwrap().success()
        );
        // Two signals that come together are one.
        std::thread::sleep(Duration::from_millis(300));
    };
    make();
    hang_up(&server);
    place.file("key", "nonsense");
    hang_up(&server);
    place.ok(&["ping", &server.address]);
    let said = server.stop();
    assert_eq!(said.matches("the certificates stay as they were").count(), 1, "{said}");
    assert!(said.contains("the key cannot be used for TLS") && said.contains("crt and key"), "{said}");

    let fails = |told: &str| {
        let output = serve().output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.code() == Some(1) && said.contains(told), "{said}");
    };
    fails("with crt and key");
    std::fs::remove_file(place.path().join("key")).unwrap();
    fails("could not read key for TLS");
    let mut command = serve();
    command.env("SILTSTONE_TLS_KEY", "");
    let said = String::from_utf8(command.output().unwrap().stderr).unwrap();
    assert!(said.contains("tls.listen needs"), "{said}");
}

#[test]
fn monitoring_asks_over_http() {
    let place = Place::new();
    // A port that was free a moment ago.
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let mut command = place.command(&["serve", "--listen", "127.0.0.1:0"]);
    command.env("SILTSTONE_METRICS_LISTEN", &free);
    let mut server = Server::run(command);
    assert_eq!(ask(&free, "GET /readyz HTTP/1.0\r\n\r\n"), "HTTP/1.0 200 OK");
    assert_eq!(server.stop(), "");
}
