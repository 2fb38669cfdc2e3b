//! What monitoring asks for, over HTTP.

use siltstone::server::{Config, Server};
use siltstone::store::LsmEngine;
use siltstone::{Db, Options};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

/// A server, and its port for monitoring.
fn serve(talk: impl FnOnce(SocketAddr, SocketAddr) + Send + 'static) {
    let folder = tempfile::tempdir().unwrap();
    let db: Db = Options::default().open(folder.path().join("db")).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let engine = Arc::new(LsmEngine::new(db));
        let mut server = Server::bind("127.0.0.1:0", engine, Config::default()).await.unwrap();
        let (addr, web) = (server.local_addr(), server.listen_metrics("127.0.0.1:0").await.unwrap());
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let client = std::thread::spawn(move || {
            let _stop = stop;
            talk(addr, web);
        });
        server.run(async { drop(stopped.await) }).await;
        client.join().unwrap();
    });
}

fn connect(addr: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(addr).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    stream
}

/// The status, and all of the answer.
fn ask(addr: SocketAddr, request: &str) -> (String, String) {
    let mut stream = connect(addr);
    write!(stream, "{request} HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let status = answer.split(' ').nth(1).unwrap_or_default().to_string();
    (status, answer)
}

#[test]
fn monitoring_gets_counters_and_health() {
    serve(|addr, web| {
        let mut client = crate::resp::Talker::to(addr);
        client.check("SET k v", "+OK");
        client.check("GET k", "$1|v");
        let (status, metrics) = ask(web, "GET /metrics");
        assert_eq!(status, "200");
        for line in [
            "# TYPE siltstone_server_commands_total counter",
            "siltstone_server_commands_total 2",
            "siltstone_server_connected_clients 1",
            "siltstone_server_puts_total 1",
        ] {
            assert!(metrics.lines().any(|found| found == line), "{line} is not in {metrics}");
        }
        let names: Vec<_> = metrics.lines().filter(|line| line.starts_with("# TYPE ")).collect();
        let mut once = names.clone();
        once.sort_unstable();
        once.dedup();
        assert_eq!(once.len(), names.len(), "each name comes once: {names:?}");
        assert!(names.len() > 20, "those of the engine are there: {names:?}");
        for (request, status) in [
            ("GET /livez", "200"),
            ("HEAD /metrics", "200"),
            ("GET /readyz", "200"),
            ("GET /", "404"),
            ("GET /metrics/../x", "404"),
            ("POST /metrics", "405"),
            ("DELETE /livez", "405"),
        ] {
            assert_eq!(ask(web, request).0, status, "{request}");
        }
        let head = ask(web, "HEAD /metrics").1;
        assert!(head.ends_with("\r\n\r\n"), "{head}");
    });
}

/// Those who ask for nothing, or for very much, keep neither monitoring nor clients waiting.
#[test]
fn bad_monitors_starve_nobody() {
    serve(|addr, web| {
        let silent: Vec<_> = (0..40).map(|_| connect(web)).collect();
        let mut client = crate::resp::Talker::to(addr);
        for _ in 0..100 {
            client.check("PING", "+PONG");
        }
        let mut long = connect(web);
        let _ = write!(long, "GET /{} HTTP/1.1\r\n\r\n", "x".repeat(100_000));
        client.check("PING", "+PONG");
        drop(silent);
        assert_eq!(ask(web, "GET /livez").0, "200");
        let mut answer = Vec::new();
        let _ = long.read_to_end(&mut answer);
        assert!(answer.is_empty() || !answer.starts_with(b"HTTP/1.1 200"), "a long header is refused");
    });
}
