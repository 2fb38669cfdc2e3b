//! Many clients at the same time.

use crate::gated::GatedEngine;
use crate::harness::{OK, Running, delete, ok, put, range, read, serve_on};
use siltstone::server::Config;
use siltstone::store::{MemoryEngine, StorageEngine};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Barrier};
use std::thread;

fn serve(engine: Arc<dyn StorageEngine>) -> Running {
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    runtime.worker_threads(4);
    serve_on(runtime, engine, Config::default())
}

#[test]
fn two_hundred_clients_get_their_own_replies() {
    let server = serve(Arc::new(MemoryEngine::new()));
    let mut clients: Vec<_> = (0..200).map(|_| server.connect()).collect();
    for round in 0..5 {
        for (n, client) in clients.iter_mut().enumerate() {
            let (key, value) = (format!("k{n}"), format!("{n}-{round}"));
            client.send(format!("{}\n{}\n", put(&key, &value), read(&key)));
        }
        for (n, client) in clients.iter_mut().enumerate() {
            assert_eq!(client.reply(), OK);
            assert_eq!(client.reply(), ok(&format!("\"{n}-{round}\"")));
        }
    }
}

#[test]
fn a_range_sees_a_batch_whole_or_not_at_all() {
    const KEYS: usize = 300;
    let server = serve(Arc::new(MemoryEngine::new()));
    let done = AtomicBool::new(false);
    let keys = (0..KEYS).map(|n| format!("\"k{n:03}\"")).collect::<Vec<_>>().join(",");
    let batch = |value: usize| {
        let values = vec![value.to_string(); KEYS].join(",");
        format!(r#"{{"command":"batch_put","keys":[{keys}],"values":[{values}]}}"#)
    };
    server.connect().check(&batch(0), OK);
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut writer = server.connect();
            (1..200).for_each(|value| writer.check(&batch(value), OK));
            done.store(true, Ordering::SeqCst);
        });
        let mut reader = server.connect();
        while !done.load(Ordering::SeqCst) {
            let reply: serde_json::Value = serde_json::from_str(&reader.ask(&range("k", "l", ""))).unwrap();
            let entries = reply["result"].as_object().unwrap();
            assert_eq!(entries.len(), KEYS);
            let first = &entries["k000"];
            assert!(entries.values().all(|value| value == first), "{reply}");
        }
    });
}

#[test]
fn of_many_deletes_of_a_key_one_succeeds() {
    const CLIENTS: usize = 4;
    let server = serve(GatedEngine::slow());
    let mut writer = server.connect();
    let start = Barrier::new(CLIENTS + 1);
    for _ in 0..100 {
        writer.put("k", "x");
        let deleted: usize = thread::scope(|scope| {
            let clients: Vec<_> = (0..CLIENTS)
                .map(|_| {
                    scope.spawn(|| {
                        let mut client = server.connect();
                        client.ping();
                        start.wait();
                        usize::from(client.ask(&delete("k")) == OK)
                    })
                })
                .collect();
            start.wait();
            clients.into_iter().map(|client| client.join().unwrap()).sum()
        });
        assert_eq!(deleted, 1);
    }
}
