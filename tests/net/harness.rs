//! A server on a thread of its own, and a blocking client.

use siltstone::server::{Config, Protocol, Server};
use siltstone::store::StorageEngine;
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::sync::oneshot;

/// Long enough for a slow machine; a test that needs it has failed.
const PATIENCE: Duration = Duration::from_secs(60);

pub struct Running {
    pub addr: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// A port where nothing but JSON lines is spoken, whatever the first bytes are.
pub fn json_lines() -> Config {
    let mut config = Config::default();
    config.protocol = Protocol::JsonLines;
    config
}

/// A server with one thread for everything, so that whatever blocks it stops the test.
pub fn serve(engine: Arc<dyn StorageEngine>, config: Config) -> Running {
    serve_on(tokio::runtime::Builder::new_current_thread(), engine, config)
}

pub fn serve_on(
    mut runtime: tokio::runtime::Builder,
    engine: Arc<dyn StorageEngine>,
    config: Config,
) -> Running {
    let (bound, address) = mpsc::channel();
    let (stop, stopped) = oneshot::channel();
    let thread = std::thread::spawn(move || {
        runtime.enable_all().build().unwrap().block_on(async {
            let server = Server::bind("127.0.0.1:0", engine, config).await.unwrap();
            bound.send(server.local_addr()).unwrap();
            server.run(async { drop(stopped.await) }).await;
        });
    });
    Running { addr: address.recv().unwrap(), stop: Some(stop), thread: Some(thread) }
}

impl Running {
    pub fn connect(&self) -> Client {
        Client::to(self.addr)
    }

    /// Asks the server to stop.
    pub fn signal_stop(&mut self) {
        drop(self.stop.take());
    }

    /// Waits until it has.
    pub fn join(&mut self) {
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.signal_stop();
        if !std::thread::panicking() {
            self.join();
        }
    }
}

pub struct Client {
    pub stream: TcpStream,
    input: BufReader<TcpStream>,
}

impl Client {
    pub fn to(addr: SocketAddr) -> Client {
        let stream = TcpStream::connect(addr).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        Client { input: BufReader::new(stream.try_clone().unwrap()), stream }
    }

    pub fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).unwrap();
    }

    /// The next reply, without its line end.
    pub fn reply(&mut self) -> String {
        let mut line = String::new();
        self.input.read_line(&mut line).unwrap();
        assert_eq!(line.pop(), Some('\n'), "a whole line, but it is {line:?}");
        assert!(line.is_ascii());
        line
    }

    pub fn ask(&mut self, line: &str) -> String {
        self.send(format!("{line}\n"));
        self.reply()
    }

    #[track_caller]
    pub fn check(&mut self, request: &str, reply: &str) {
        assert_eq!(self.ask(request), reply, "{request}");
    }

    /// That the server answers. It also gives the server's one thread a turn.
    pub fn ping(&mut self) {
        self.check(PING, r#"{"status":"ok","result":"pong"}"#);
    }

    pub fn put(&mut self, key: &str, value: &str) {
        self.check(&put(key, value), OK);
    }

    pub fn end_of_requests(&mut self) {
        self.stream.shutdown(Shutdown::Write).unwrap();
    }

    /// That the server closes the connection without a word more.
    #[track_caller]
    pub fn check_closed(&mut self) {
        match self.input.read(&mut [0]) {
            Ok(n) => assert_eq!(n, 0),
            // It was closed before the last thing that was sent reached it.
            Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset, "{error}"),
        }
    }

    /// Everything up to the end of the connection.
    pub fn rest(&mut self) -> String {
        let mut rest = String::new();
        self.input.read_to_string(&mut rest).unwrap();
        rest
    }
}

pub const OK: &str = r#"{"status":"ok","result":true}"#;
pub const PING: &str = r#"{"command":"ping"}"#;

pub fn put(key: &str, value: &str) -> String {
    format!(r#"{{"command":"put","key":"{key}","value":"{value}"}}"#)
}

pub fn read(key: &str) -> String {
    format!(r#"{{"command":"read","key":"{key}"}}"#)
}

pub fn delete(key: &str) -> String {
    format!(r#"{{"command":"delete","key":"{key}"}}"#)
}

pub fn range(start: &str, end: &str, more: &str) -> String {
    format!(r#"{{"command":"read_key_range","start_key":"{start}","end_key":"{end}"{more}}}"#)
}

pub fn ok(result: &str) -> String {
    format!(r#"{{"status":"ok","result":{result}}}"#)
}

pub fn error(message: &str) -> String {
    format!(r#"{{"status":"error","message":"{message}"}}"#)
}

pub fn error_false(message: &str) -> String {
    format!(r#"{{"status":"error","message":"{message}","result":false}}"#)
}
