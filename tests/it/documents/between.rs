//! What others do to a table just when somebody has taken its shape and not yet its view, or has written and not yet told so (table
//! T2). An engine that calls back at these moments makes them come every time.

use serde_json::json;
use siltstone::document::value::Value;
use siltstone::document::{Documents, Error, Query, Table};
use siltstone::store::{Capabilities, Commit, Entries, Found, MemoryEngine, Room, Scan, StorageEngine, View};
use siltstone::{Durability, KeyspaceRef, Result, Slice, WriteBatch};
use std::sync::{Arc, Mutex};

type Once = Mutex<Option<Box<dyn FnOnce() + Send>>>;
type Always = Mutex<Option<Box<dyn Fn() + Send>>>;

/// An engine that calls what it was given: once before it gives a view or finds a key, and before and behind each write. Its views fail
/// to find a key that it was told.
struct Calling {
    below: MemoryEngine,
    viewing: Once,
    finding: Once,
    around: Always,
    failing: Arc<Mutex<Vec<u8>>>,
}

struct Failing(Arc<dyn View>, Arc<Mutex<Vec<u8>>>);

impl View for Failing {
    fn find(&self, keyspace: KeyspaceRef, key: &[u8]) -> Result<Option<Found>> {
        if key == *self.1.lock().unwrap() {
            return Err(siltstone::Error::Closed);
        }
        self.0.find(keyspace, key)
    }
    fn range(&self, keyspace: KeyspaceRef, scan: Scan<'_>) -> Result<Entries> {
        self.0.range(keyspace, scan)
    }
}

impl Calling {
    fn before_view(&self, call: impl FnOnce() + Send + 'static) {
        *self.viewing.lock().unwrap() = Some(Box::new(call));
    }

    fn before_find(&self, call: impl FnOnce() + Send + 'static) {
        *self.finding.lock().unwrap() = Some(Box::new(call));
    }

    fn around_writes(&self, call: impl Fn() + Send + 'static) {
        *self.around.lock().unwrap() = Some(Box::new(call));
    }

    fn call_around(&self) {
        self.around.lock().unwrap().iter().for_each(|call| call());
    }
}

impl StorageEngine for Calling {
    fn get(&self, key: &[u8]) -> Result<Option<Slice>> {
        self.below.get(key)
    }
    fn range(&self, scan: Scan<'_>) -> Result<Entries> {
        self.below.range(scan)
    }
    fn write(&self, batch: WriteBatch, durability: Option<Durability>) -> Result<Commit> {
        self.call_around();
        let commit = self.below.write(batch, durability);
        self.call_around();
        commit
    }
    fn room(&self, bytes: usize) -> Room {
        self.below.room(bytes)
    }
    fn stats_json(&self) -> String {
        self.below.stats_json()
    }
    fn sync(&self) -> Result<()> {
        self.below.sync()
    }
    fn close(&self) -> Result<()> {
        self.below.close()
    }
    fn capabilities(&self) -> Capabilities {
        self.below.capabilities()
    }
    fn keyspace(&self, name: &str) -> Result<KeyspaceRef> {
        self.below.keyspace(name)
    }
    fn find(&self, keyspace: KeyspaceRef, key: &[u8]) -> Result<Option<Found>> {
        let call = self.finding.lock().unwrap().take();
        call.into_iter().for_each(|call| call());
        self.below.find(keyspace, key)
    }
    fn view(&self) -> Result<Arc<dyn View>> {
        let call = self.viewing.lock().unwrap().take();
        call.into_iter().for_each(|call| call());
        Ok(Arc::new(Failing(self.below.view()?, Arc::clone(&self.failing))))
    }
}

/// A table of documents with `a` from 0 to 9, and an index of it.
fn table() -> (Arc<Calling>, Documents, Table) {
    let engine = Arc::new(Calling {
        below: MemoryEngine::new(),
        viewing: Once::default(),
        finding: Once::default(),
        around: Always::default(),
        failing: Arc::default(),
    });
    let documents = Documents::open(Arc::clone(&engine) as Arc<dyn StorageEngine>).unwrap();
    let table = documents.create_table("db", "t", None).unwrap();
    table.insert_many((0..10).map(|n| json!({"pk": n, "a": n}))).unwrap();
    index(&table);
    (engine, documents, table)
}

fn index(table: &Table) {
    table.create_index(json!({"columns": {"a": 1}}), |_| {}).unwrap();
}

/// The names of the documents that the index finds, or a scan: always these three, whatever is done here.
fn found(table: &Table) -> Vec<String> {
    let all = table.find(json!({"a": {"$gte": 7, "$lte": 9}})).unwrap();
    all.map(|document| document.unwrap().get("pk").map(Value::to_string).unwrap()).collect()
}

const FOUND: [&str; 3] = ["7", "8", "9"];

/// One of them has an array from now on, of which one element is at least 7, and another at most 9.
fn several(table: &Table) {
    table.update(json!({"pk": 8}), json!({"a": [0, 20]})).unwrap();
}

#[test]
fn a_reader_whose_index_goes_begins_anew() {
    let changes: [fn(&Table); 3] = [
        |table| table.drop_index("a_1").unwrap(),
        |table| {
            table.drop_index("a_1").unwrap();
            index(table);
        },
        |table| {
            table.drop_index("a_1").and_then(|()| table.insert(json!({"pk": 11, "a": 0}))).map(drop).unwrap()
        },
    ];
    for change in changes {
        let (engine, _documents, table) = table();
        let other = table.clone();
        engine.before_view(move || change(&other));
        assert_eq!(found(&table), FOUND);
    }
}

#[test]
fn a_reader_whose_index_becomes_multikey_begins_anew() {
    let (engine, _documents, table) = table();
    let other = table.clone();
    engine.before_view(move || several(&other));
    assert_eq!(found(&table), FOUND);
}

#[test]
fn a_reader_whose_table_goes_is_told() {
    let (engine, documents, table) = table();
    engine.before_view(move || documents.drop_table("db", "t").unwrap());
    assert!(matches!(table.find(json!({"a": 1})).map(drop), Err(Error::NoTable { .. })));
}

/// A key is found without a view (ground G1), by who reads and by who changes.
#[test]
fn whose_unique_index_goes_while_it_is_read_begins_anew() {
    type Call = fn(&Table) -> u64;
    let calls: [Call; 4] = [
        |table| table.find(json!({"a": 8})).unwrap().count() as u64,
        |table| table.update(json!({"a": 8}), json!({"b": 1})).unwrap().matched,
        |table| u64::from(table.replace(json!({"a": 8}), json!({"a": 80})).unwrap()),
        |table| table.delete(json!({"a": 8})).unwrap(),
    ];
    for call in calls {
        let (engine, _documents, table) = table();
        table.drop_index("a_1").unwrap();
        table.create_index(json!({"columns": {"a": 1}, "unique": true}), |_| {}).unwrap();
        let other = table.clone();
        engine.before_find(move || other.drop_index("a_1").unwrap());
        assert_eq!(call(&table), 1);
        table.verify().unwrap();
    }
}

/// Also when it is met while documents are read a few at a time.
#[test]
fn an_error_comes_in_the_turn_of_its_document() {
    for failing in 1..9 {
        let (engine, _documents, table) = table();
        // Where the document lies: table 1, no index, one byte of its number.
        *engine.failing.lock().unwrap() = vec![0, 0, 0, 1, 0, 0, 1, failing];
        let mut all = table.find(Query::new(json!({"a": {"$gte": 0}})).sort(json!({"a": 1}))).unwrap();
        let mut next = || match all.next_document() {
            Ok(found) => found.map(|document| document.raw().get("a").unwrap().json().unwrap().to_owned()),
            Err(_) => Some("failed".to_owned()),
        };
        let found: Vec<String> = std::iter::from_fn(&mut next).collect();
        let expected = (0..10).map(|n| if n == failing { "failed".to_owned() } else { n.to_string() });
        assert_eq!(found, expected.collect::<Vec<_>>());
    }
}

/// Just before and just behind each write of a change.
#[test]
fn indexes_that_come_and_go_change_no_answer_beside_their_write() {
    let changes: [fn(&Table); 3] = [
        |table| table.drop_index("a_1").unwrap(),
        several,
        |table| table.drop_index("a_1").map(|()| index(table)).unwrap(),
    ];
    for change in changes {
        let (engine, _documents, table) = table();
        let other = table.clone();
        engine.around_writes(move || assert_eq!(found(&other), FOUND));
        change(&table);
        assert_eq!(found(&table), FOUND);
        table.verify().unwrap();
    }
}
