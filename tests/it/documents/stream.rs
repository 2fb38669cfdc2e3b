//! A million documents are looked through in the memory of a few.

use crate::footprint::{ANONYMOUS, of};
use serde_json::json;
use siltstone::document::value::Value;
use siltstone::document::{Documents, Query};
use siltstone::store::LsmEngine;
use siltstone::{Durability, Options};
use std::process::Command;
use std::sync::Arc;

const DOCUMENTS: u64 = 1_000_000;
/// What a scan may take beside what the engine was given, which is full before it begins.
const SPARE: u64 = 4 << 20;

/// Set for the process that is measured: in that of all tests the others take memory, too.
const CHILD: &str = "SILTSTONE_STREAM_CHILD";

#[test]
fn a_scan_of_a_million_documents_takes_no_more_than_one_of_a_few() {
    if std::env::var(CHILD).is_ok() {
        return measure();
    }
    let mut this = Command::new(std::env::current_exe().unwrap());
    let name = "documents::stream::a_scan_of_a_million_documents_takes_no_more_than_one_of_a_few";
    this.args([name, "--exact", "--nocapture", "--test-threads=1"]).env(CHILD, "1");
    let output = this.output().unwrap();
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(output.status.success(), "{said}");
}

fn measure() {
    let folder = tempfile::tempdir().unwrap();
    let options = Options::default().durability(Durability::Os).memory_budget(32 << 20);
    let db = options.open(folder.path().join("db")).unwrap();
    let documents = Documents::open(Arc::new(LsmEngine::new(db))).unwrap();
    let table = documents.create_table("db", "t", None).unwrap();
    for begin in (0..DOCUMENTS).step_by(5000) {
        table.insert_many((begin..begin + 5000).map(|n| json!({"pk": n, "x": n % 1000}))).unwrap();
    }
    let scan = |query: Query| {
        let (mut count, mut most) = (0_u64, 0);
        for document in table.find(query).unwrap() {
            let _: Value = document.unwrap();
            count += 1;
            if count % 1000 == 0 {
                most = most.max(of("self", ANONYMOUS));
            }
        }
        (count, most)
    };
    // Fills the engine's cache, where a scan leaves what it reads as long as there is room.
    assert_eq!(scan(Query::all()).0, DOCUMENTS);
    let (few, before) = scan(Query::all().limit(100_000));
    assert_eq!(few, 100_000);
    let (all, after) = scan(Query::all());
    assert_eq!(all, DOCUMENTS);
    // Where the system tells nothing both are 0.
    assert!(after <= before + SPARE, "{} KiB more", (after - before) >> 10);
    assert_eq!(scan(Query::new(json!({"x": {"$gte": 999}}))).0, DOCUMENTS / 1000);
}
