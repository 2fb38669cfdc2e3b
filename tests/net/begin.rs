//! What a server sees to by itself when it begins.

use crate::harness::Client;
use serde_json::json;
use siltstone::document::Documents;
use siltstone::server::{Config, Server};
use siltstone::store::{MemoryEngine, StorageEngine};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;

/// The program ended while an index was being built, which a server that begins finishes, and a client then has of use.
#[test]
fn indexes_go_on_being_built_where_they_were() {
    let engine: Arc<dyn StorageEngine> = Arc::new(MemoryEngine::new());
    let documents = Documents::open(Arc::clone(&engine)).unwrap();
    let table = documents.create_table("open", "t", None).unwrap();
    table.insert_many((0..3000).map(|n| json!({"n": n % 100}))).unwrap();
    // It is interrupted after its first documents.
    let building = catch_unwind(AssertUnwindSafe(|| {
        table.create_index(json!({"columns": {"n": 1}}), |_| resume_unwind(Box::new(())))
    }));
    assert!(building.is_err());
    assert!(table.indexes().unwrap().iter().any(|(definition, ready)| definition.name == "n_1" && !ready));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let server = Server::bind("127.0.0.1:0", engine, Config::default()).await.unwrap();
        let addr = server.local_addr();
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let client = std::thread::spawn(move || {
            let _stop = stop;
            let mut client = Client::to(addr);
            let ask = |client: &mut Client, command: &str| {
                client.ask(&format!(
                    r#"{{"command":{command},"database":"open","table":"t","query":{{"n":7}}}}"#
                ))
            };
            // The server is busy with nothing else; how long it takes is not what is tested.
            while ask(&mut client, r#""indexes""#).contains(r#""ready":false"#) {
                std::thread::yield_now();
            }
            let plan = ask(&mut client, r#""explain""#);
            assert!(plan.contains(r#""index":"n_1""#) && plan.contains(r#""returned":30"#), "{plan}");
        });
        server.run(async { drop(stopped.await) }).await;
        client.join().unwrap();
    });
}
