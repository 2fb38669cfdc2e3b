//! The commands of Redis as conversations: what is typed, and the exact bytes of the reply.

use crate::harness::serve;
use siltstone::server::{Config, Server};
use siltstone::store::{LsmEngine, MemoryEngine, StorageEngine};
use siltstone::{Db, Options};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

mod connection;
mod hashes;
mod keys;
mod ranges;
mod server;
mod strings;
mod transactions;

/// A client that sends lines and reads replies, as bytes.
pub struct Talker {
    stream: TcpStream,
    unread: Vec<u8>,
}

impl Talker {
    pub fn to(addr: SocketAddr) -> Talker {
        let stream = TcpStream::connect(addr).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        Talker { stream, unread: Vec::new() }
    }

    pub fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).unwrap();
    }

    /// Sends a line as a command, quotes and all.
    pub fn say(&mut self, line: &str) {
        self.send(format!("{line}\r\n").as_bytes());
    }

    /// The next reply, whole, with `|` for its line ends.
    pub fn hear(&mut self) -> String {
        loop {
            if let Some(len) = reply_len(&self.unread) {
                let reply: Vec<u8> = self.unread.drain(..len).collect();
                let reply = reply.strip_suffix(b"\r\n").unwrap_or(&reply);
                return String::from_utf8_lossy(reply).replace("\r\n", "|");
            }
            let mut more = [0; 4096];
            let read = self.stream.read(&mut more).unwrap();
            assert!(read > 0, "the server closed the connection");
            self.unread.extend_from_slice(&more[..read]);
        }
    }

    pub fn ask(&mut self, line: &str) -> String {
        self.say(line);
        self.hear()
    }

    #[track_caller]
    pub fn check(&mut self, line: &str, reply: &str) {
        // What is repeated of a command ends in a space.
        assert_eq!(self.ask(line).trim_end(), reply, "{line}");
    }

    /// Lines of the form `command -> reply`.
    #[track_caller]
    pub fn talk(&mut self, lines: &str) {
        for line in lines.lines().map(str::trim).filter(|line| !line.is_empty()) {
            let (command, reply) = line.split_once(" -> ").unwrap_or_else(|| panic!("no reply in `{line}`"));
            self.check(command.trim(), reply.trim());
        }
    }

    /// Everything up to the end of the connection.
    pub fn rest(&mut self) -> String {
        let mut rest = std::mem::take(&mut self.unread);
        self.stream.read_to_end(&mut rest).unwrap();
        String::from_utf8_lossy(&rest).replace("\r\n", "|")
    }
}

/// How long the reply at the front is, if it is whole.
fn reply_len(bytes: &[u8]) -> Option<usize> {
    let line = bytes.windows(2).position(|two| two == b"\r\n")? + 2;
    let number = || std::str::from_utf8(&bytes[1..line - 2]).ok()?.parse::<i64>().ok();
    let items = match bytes[0] {
        b'$' | b'=' => {
            let Ok(len) = usize::try_from(number()?) else { return Some(line) };
            return (bytes.len() >= line + len + 2).then_some(line + len + 2);
        }
        b'*' | b'~' | b'>' => number()?.max(0),
        b'%' => 2 * number()?,
        _ => return Some(line),
    };
    let mut at = line;
    for _ in 0..items {
        at += reply_len(bytes.get(at..)?)?;
    }
    Some(at)
}

/// Runs a conversation on the engine of this crate and on the one in memory.
pub fn on_each_engine(talk: impl Fn(&mut Talker)) {
    let folder = tempfile::tempdir().unwrap();
    let db: Db = Options::default().open(folder.path().join("db")).unwrap();
    let engines: [Arc<dyn StorageEngine>; 2] = [Arc::new(MemoryEngine::new()), Arc::new(LsmEngine::new(db))];
    for engine in engines {
        let server = serve(engine, Config::default());
        talk(&mut Talker::to(server.addr));
    }
}

/// A command in the form of libraries.
pub fn array(args: &[&[u8]]) -> Vec<u8> {
    let mut bytes = format!("*{}\r\n", args.len()).into_bytes();
    for arg in args {
        bytes.extend_from_slice(format!("${}\r\n", arg.len()).as_bytes());
        bytes.extend_from_slice(arg);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes
}

#[test]
fn a_server_can_listen_for_one_protocol() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut server =
            Server::bind("127.0.0.1:0", Arc::new(MemoryEngine::new()), Config::default()).await.unwrap();
        let address = server.listen("127.0.0.1:0", siltstone::server::Protocol::Resp).await.unwrap();
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let client = std::thread::spawn(move || {
            let mut talker = Talker::to(address);
            talker.check("PING", "+PONG");
            talker.say("{\"command\":\"ping\"}");
            assert!(talker.hear().starts_with("-ERR"));
            drop(stop);
        });
        server.run(async { drop(stopped.await) }).await;
        client.join().unwrap();
    });
}
