//! What monitoring asks for, over HTTP/1.1, on a port of its own:
//!
//! ```text
//! GET /metrics    counters in the text form of Prometheus
//! GET /livez      200 as long as the process answers
//! GET /readyz     200 while clients are served, 503 once the server stops
//! ```
//!
//! HEAD is as GET without the text; another method is 405, another path 404.
//!
//! (W1) There is nothing here that a client stored, and nothing can be changed.
//! (W2) It takes little from those who are served: at most [`CLIENTS`] at a time, each for at most [`LIMIT`] and one request,
//!      and the metrics are put together where blocking is allowed, once at a time.

use crate::server::Shared;
use crate::server::metrics::Metrics;
use crate::sync::plain::atomic::Ordering::Relaxed;
use crate::{Error, Result};
use hyper::body::Incoming;
use hyper::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use std::convert::Infallible;
use std::fmt::Write;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};

/// How many ask at a time; more wait to be accepted.
const CLIENTS: usize = 16;
/// How long a header may take to come, and all of a request and its answer.
const HEADER_LIMIT: Duration = Duration::from_secs(5);
const LIMIT: Duration = Duration::from_secs(15);
/// The longest header.
const MAX_HEADER: usize = 16 << 10;
/// How long no more are accepted after the system refused one.
const PAUSE: Duration = Duration::from_millis(50);

impl crate::server::Server {
    /// Tells monitoring how it is, over HTTP at `addr`: `/metrics`, `/livez` and `/readyz`. Whoever can connect there can read
    /// that. The address with the port that the system chose.
    ///
    /// # Errors
    /// [`Error::Io`] when the system does not give the address.
    pub async fn listen_metrics(&mut self, addr: &str) -> Result<SocketAddr> {
        let refused = |error| Error::io("listen on", Path::new(addr), error);
        let listener = TcpListener::bind(addr).await.map_err(refused)?;
        let local = listener.local_addr().map_err(refused)?;
        self.web = Some(listener);
        Ok(local)
    }
}

/// Answers until it is dropped.
pub(in crate::server) async fn run(port: TcpListener, shared: Arc<Shared>, stopping: watch::Receiver<bool>) {
    let (slots, gathering) = (Arc::new(Semaphore::new(CLIENTS)), Arc::new(Semaphore::new(1)));
    let mut tasks = tokio::task::JoinSet::new();
    loop {
        // Only closing it would fail, and nobody does.
        let Ok(slot) = Arc::clone(&slots).acquire_owned().await else { return };
        while tasks.try_join_next().is_some() {}
        let Ok((stream, _)) = port.accept().await else {
            tokio::time::sleep(PAUSE).await;
            continue;
        };
        let asked = Asked {
            shared: Arc::clone(&shared),
            stopping: stopping.clone(),
            gathering: Arc::clone(&gathering),
        };
        tasks.spawn(async move {
            drop(tokio::time::timeout(LIMIT, asked.answer(stream)).await);
            drop(slot);
        });
    }
}

/// What an answer is made of.
#[derive(Clone)]
struct Asked {
    shared: Arc<Shared>,
    stopping: watch::Receiver<bool>,
    gathering: Arc<Semaphore>,
}

impl Asked {
    async fn answer(self, stream: TcpStream) {
        let service = service_fn(move |request: Request<Incoming>| {
            let asked = self.clone();
            async move { Ok::<_, Infallible>(asked.page(request.method(), request.uri().path()).await) }
        });
        let mut http = http1::Builder::new();
        http.timer(TokioTimer::new())
            .header_read_timeout(HEADER_LIMIT)
            .keep_alive(false)
            .max_buf_size(MAX_HEADER);
        if let Err(error) = http.serve_connection(TokioIo::new(stream), service).await {
            tracing::debug!(%error, "a request for metrics failed");
        }
    }

    async fn page(self, method: &Method, path: &str) -> Response<String> {
        let known = matches!(path, "/metrics" | "/livez" | "/readyz");
        if known && !matches!(*method, Method::GET | Method::HEAD) {
            let mut refused = text(StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD\n");
            refused.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
            return refused;
        }
        match path {
            "/livez" => text(StatusCode::OK, "ok\n"),
            "/readyz" if *self.stopping.borrow() => text(StatusCode::SERVICE_UNAVAILABLE, "stopping\n"),
            "/readyz" => text(StatusCode::OK, "ok\n"),
            "/metrics" => self.metrics().await,
            _ => text(StatusCode::NOT_FOUND, "there are /metrics, /livez and /readyz\n"),
        }
    }

    async fn metrics(self) -> Response<String> {
        let turn = self.gathering.acquire().await;
        let shared = Arc::clone(&self.shared);
        let gathered = tokio::task::spawn_blocking(move || metrics(&shared)).await;
        drop(turn);
        match gathered {
            Ok(metrics) => {
                let mut page = text(StatusCode::OK, metrics);
                let kind = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
                page.headers_mut().insert(CONTENT_TYPE, kind);
                page
            }
            Err(_) => text(StatusCode::INTERNAL_SERVER_ERROR, "the metrics could not be gathered\n"),
        }
    }
}

fn text(status: StatusCode, body: impl Into<String>) -> Response<String> {
    let mut page = Response::new(body.into());
    *page.status_mut() = status;
    page.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    page.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    page
}

/// Counters of the server, then those of the engine.
fn metrics(shared: &Shared) -> String {
    let service = &shared.service;
    let counted: &Metrics = &service.metrics;
    let mut out = String::new();
    let counters = [
        ("connections", "Connections that were accepted.", &counted.connections),
        (
            "connections_rejected",
            "Connections that were turned away since there were too many.",
            &counted.rejected,
        ),
        ("commands", "Requests that were carried out or refused.", &counted.commands),
        ("command_errors", "Error replies.", &counted.errors),
        ("logins_failed", "Logins that failed.", &counted.logins_failed),
        ("puts", "Writes among the requests.", &counted.puts),
        ("deletes", "Deletions among the requests.", &counted.deletes),
        ("key_hits", "Keys that were looked for and there.", &counted.hits),
        ("key_misses", "Keys that were looked for and not there.", &counted.misses),
        ("received_bytes", "Bytes that came in.", &counted.bytes_in),
        ("sent_bytes", "Bytes that went out.", &counted.bytes_out),
    ];
    for (name, help, counter) in counters {
        push(&mut out, &format!("siltstone_server_{name}_total"), help, "counter", counter.load(Relaxed));
    }
    let gauges = [
        ("connected_clients", "Clients that are connected.", service.clients.len() as u64),
        ("max_clients", "How many may be.", service.config.max_connections as u64),
        ("uptime_seconds", "How long the server runs.", service.started.elapsed().as_secs()),
    ];
    for (name, help, value) in gauges {
        push(&mut out, &format!("siltstone_server_{name}"), help, "gauge", value);
    }
    out.push_str(&service.data.engine().stats_prometheus());
    out
}

fn push(out: &mut String, name: &str, help: &str, kind: &str, value: u64) {
    // Writing to a string does not fail.
    let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} {kind}\n{name} {value}");
}
