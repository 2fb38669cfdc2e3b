//! A client of the framed protocol, and a server with a database for it.

use siltstone::server::{Config, Server};
use siltstone::store::MemoryEngine;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

/// A client of the framed protocol.
pub struct Framed(TcpStream);

impl Framed {
    pub fn to(addr: SocketAddr) -> Framed {
        let stream = TcpStream::connect(addr).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        Framed(stream)
    }

    pub fn ask(&mut self, body: &str) -> String {
        write!(self.0, "QUERY_LENGTH: {}\r\n\r\n{body}", body.len()).unwrap();
        let mut header = Vec::new();
        while !header.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            self.0.read_exact(&mut byte).unwrap();
            header.push(byte[0]);
        }
        let len = String::from_utf8(header).unwrap();
        let len = len.trim().strip_prefix("QUERY_LENGTH: ").unwrap().parse::<usize>().unwrap();
        let mut body = vec![0; len];
        self.0.read_exact(&mut body).unwrap();
        String::from_utf8(body).unwrap()
    }

    #[track_caller]
    pub fn check(&mut self, body: &str, reply: &str) {
        assert_eq!(self.ask(body), reply, "{body}");
    }

    pub fn login(&mut self, user: &str, password: &str, database: &str) -> String {
        self.ask(&format!(
            r#"{{"action":"LOGIN","payload":{{"user":"{user}","password":"{password}","database":"{database}"}}}}"#
        ))
    }

    pub fn token(&mut self, user: &str, password: &str, database: &str) -> String {
        let reply = self.login(user, password, database);
        let token = reply
            .strip_prefix(r#"{"action_type": "LOGIN", "payload": {"token": ""#)
            .unwrap_or_else(|| panic!("{reply}"));
        token.strip_suffix(r#""}}"#).unwrap().to_string()
    }

    pub fn closed(&mut self) {
        assert_eq!(self.0.read(&mut [0]).unwrap(), 0);
    }
}

/// A server with the database `shop` of anna.
pub fn with_database(config: Config, talk: impl FnOnce(SocketAddr) + Send + 'static) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let server = Server::bind("127.0.0.1:0", Arc::new(MemoryEngine::new()), config).await.unwrap();
        assert!(server.ensure_database("shop", "anna", "hunter2").await.unwrap());
        assert!(!server.ensure_database("shop", "anna", "other").await.unwrap());
        assert!(server.ensure_database("no/name", "anna", "x").await.is_err());
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let addr = server.local_addr();
        let client = std::thread::spawn(move || {
            let _stop = stop;
            talk(addr);
        });
        server.run(async { drop(stopped.await) }).await;
        client.join().unwrap();
    });
}
