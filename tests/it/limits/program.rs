//! The real program with few descriptors, and with little address space.

use super::descriptors::many_tables;
use super::limited;
use crate::footprint;
use crate::program::{Place, Server};
use serde_json::{Value, json};
use siltstone::Db;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

const SERVE: [&str; 3] = ["serve", "--listen", "127.0.0.1:0"];

/// A client for whom no answer is an answer.
struct Client {
    stream: TcpStream,
    input: BufReader<TcpStream>,
}

impl Client {
    fn connect(server: &Server) -> Client {
        let stream = TcpStream::connect(&server.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        Client { input: BufReader::new(stream.try_clone().unwrap()), stream }
    }

    /// The reply; nothing when the connection is closed without one.
    fn ask(&mut self, line: &str) -> Option<Value> {
        // The server may have closed already.
        let _ = self.stream.write_all(line.as_bytes()).and_then(|()| self.stream.write_all(b"\n"));
        let mut reply = String::new();
        self.input.read_line(&mut reply).ok()?;
        reply.ends_with('\n').then(|| serde_json::from_str(&reply).unwrap())
    }

    #[track_caller]
    fn result(&mut self, line: &str) -> Value {
        let mut reply = self.ask(line).expect("a reply");
        assert_eq!(reply["status"], "ok", "{reply}");
        reply["result"].take()
    }
}

#[test]
fn hundreds_of_tables_and_clients_get_along_with_64_descriptors() {
    let place = Place::new();
    let data = place.path().join("data");
    many_tables(&data, 300).close().unwrap();
    let mut server = Server::run(limited("-n 64", &place.command(&SERVE)));
    let mut first = Client::connect(&server);
    first.result(r#"{"command":"ping"}"#);
    let mut all: Vec<Client> = (0..300).map(|_| Client::connect(&server)).collect();
    let (mut served, mut refused) = (Vec::new(), 0);
    for (n, mut client) in all.drain(..).enumerate() {
        match client.ask(&format!(r#"{{"command":"read","key":"k{n:06}"}}"#)) {
            Some(reply) if reply["status"] == "ok" => served.push(client),
            Some(reply) => {
                assert!(
                    reply["message"].as_str().unwrap().contains("too many connections, at most 24"),
                    "{reply}"
                );
                refused += 1;
            }
            None => refused += 1,
        }
    }
    assert!(served.len() == 23 && refused == 277, "{} served, {refused} refused", served.len());
    // While all places are taken, write buffers fill, are flushed and compacted.
    let value = "v".repeat(500_000);
    for n in 0..300 {
        let line = json!({"command": "put", "key": format!("new{n:03}"), "value": value}).to_string();
        assert_eq!(first.result(&line), true);
    }
    let counted = first.result(r#"{"command":"read_key_range","start_key":"k","end_key":"l"}"#);
    assert_eq!(counted.as_object().unwrap().len(), 300 * 40);
    let said = server.stop();
    let few = said
        .lines()
        .all(|line| line.contains("leaves room for 24 clients") || line.contains("too many connections"));
    assert!(few && said.contains("ulimit -n"), "{said}");
    let db = Db::open(&data).unwrap();
    assert!(db.recovery().clean);
    assert!(db.prefix("new").all(|entry| entry.unwrap().1 == value.as_bytes()));
    assert_eq!(db.iter().count(), 300 * 40 + 300);
}

/// What a connection that says nothing may cost: ten thousand of them stay below 150 MiB.
const IDLE_BYTES: u64 = 15 << 10;

/// How many they are says `SILTSTONE_IDLE_CONNECTIONS`; this process and the program need a descriptor for each.
#[test]
fn idle_connections_cost_little_and_are_still_served() {
    let many = std::env::var("SILTSTONE_IDLE_CONNECTIONS").map_or(400, |n| n.parse().unwrap());
    let place = Place::new();
    let mut command = place.command(&SERVE);
    command.env("SILTSTONE_LIMITS_MAX_CONNECTIONS", (many + 10).to_string());
    let mut server = Server::run(command);
    let connect = || {
        let mut client = TcpStream::connect(&server.address).unwrap();
        client.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        says(&mut client, "PING\r\n", "+PONG\r\n");
        client
    };
    drop(connect());
    let resident = || footprint::of(&server.id().to_string(), footprint::RESIDENT);
    let before = resident();
    let mut clients: Vec<TcpStream> = (0..many).map(|_| connect()).collect();
    let grown = resident().saturating_sub(before);
    println!("{many} idle connections: {before} bytes resident before they came, {grown} more with them");
    assert!(grown <= many * IDLE_BYTES, "{grown} bytes for {many} connections");
    for client in &mut clients {
        says(client, "SET key value\r\n", "+OK\r\n");
    }
    assert_eq!(server.stop(), "");
}

#[track_caller]
fn says(client: &mut TcpStream, request: &str, reply: &str) {
    client.write_all(request.as_bytes()).unwrap();
    let mut said = vec![0; reply.len()];
    client.read_exact(&mut said).unwrap();
    assert_eq!(String::from_utf8(said).unwrap(), reply);
}

#[test]
fn too_few_descriptors_are_an_error_before_anything_is_touched() {
    let place = Place::new();
    let output = limited("-n 30", &place.command(&SERVE)).output().unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(told.contains("30 open files") && told.contains("ulimit -n"), "{told}");
    assert!(!place.path().join("data").exists());
}

/// Large requests and replies of many clients at a time, in an address space that could not hold them all: each is carried
/// out, or refused as one that there is no memory for, and the program lives.
#[test]
fn large_requests_of_many_clients_fit_into_little_address_space() {
    let place = Place::new();
    // The allocator reserves an arena for every few threads; a limit on addresses would mostly count those.
    let mut command = limited("-v 3000000", &place.command(&[&SERVE[..], &["--durability", "os"]].concat()));
    let mut server = Server::run({
        command.env("MALLOC_ARENA_MAX", "2");
        command
    });
    let mut first = Client::connect(&server);
    let value = "v".repeat(8 << 20);
    for n in 0..12 {
        let line = json!({"command": "put", "key": format!("big{n:02}"), "value": value}).to_string();
        assert_eq!(first.result(&line), true);
    }
    let members = format!("{{{}\"z\":0}}", "\"\":1,".repeat(2_000_000));
    let lines = [
        r#"{"command":"read_key_range","start_key":"big00","end_key":"big06"}"#.to_string(),
        r#"{"command":"read_key_range","start_key":"big","end_key":"bih"}"#.to_string(),
        json!({"command": "put", "key": "put", "value": value}).to_string(),
        format!(r#"{{"command":"put","key":"members","value":{members}}}"#),
        format!(r#"{{"command":"put","key":"escaped","value":"{}"}}"#, "\\u0001".repeat(2 << 20)),
        format!(r#"{{"command":"put","key":"long","value":"{}"#, "v".repeat(60 << 20)),
    ];
    let done = std::thread::scope(|scope| {
        let clients = (0..18).map(|n| {
            let (line, server) = (&lines[n % 6], &server);
            scope.spawn(move || {
                let mut client = Client::connect(server);
                let reply = match n % 6 {
                    5 => {
                        // A line without end: nobody waits for it.
                        let _ = client.stream.write_all(line.as_bytes());
                        return 0;
                    }
                    _ => client.ask(line).expect("a reply"),
                };
                let message = reply["message"].as_str().unwrap_or_default();
                let known =
                    message.contains("the server is busy") || message.contains("the range is larger than");
                assert!(reply["status"] == "ok" || known, "{message}");
                usize::from(reply["status"] == "ok")
            })
        });
        let clients: Vec<_> = clients.collect();
        clients.into_iter().map(|client| client.join().unwrap()).sum::<usize>()
    });
    assert!(done > 0, "nothing was carried out");
    assert_eq!(first.result(r#"{"command":"read","key":"big03"}"#), value);
    assert_eq!(server.stop(), "");
}
