//! Threads at the same time: who is first has the value, indexes are built beside writers, and nobody sees half a change.

use crate::support::Random;
use serde_json::json;
use siltstone::document::value::Value;
use siltstone::document::{Documents, Error, Query, Table};
use siltstone::store::{LsmEngine, MemoryEngine, StorageEngine};
use siltstone::{Durability, Options};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

const WRITERS: u64 = 16;
const VALUES: u64 = 200;

/// Both engines, with nothing to wait for.
fn on_both(test: impl Fn(&Documents)) {
    test(&Documents::open(Arc::new(MemoryEngine::new())).unwrap());
    let folder = tempfile::tempdir().unwrap();
    let db = Options::default().durability(Durability::Os).open(folder.path().join("db")).unwrap();
    let engine: Arc<dyn StorageEngine> = Arc::new(LsmEngine::new(db));
    test(&Documents::open(engine).unwrap());
}

fn users(documents: &Documents) -> Table {
    let schema = json!({"mail": {"type": "str", "unique": true}, "by": "int", "n": "int"});
    documents.create_table("shop", "user", Some(&schema.into())).unwrap()
}

/// Every writer wants every value, in an order of its own.
#[test]
fn of_sixteen_writers_one_gets_each_value() {
    on_both(|documents| {
        let table = users(documents);
        let won = AtomicU64::new(0);
        std::thread::scope(|scope| {
            for writer in 0..WRITERS {
                let (table, won) = (&table, &won);
                scope.spawn(move || {
                    for value in 0..VALUES {
                        let value = (value * 7 + writer * 13) % VALUES;
                        match table.insert(json!({"mail": format!("m{value}"), "by": writer})) {
                            Ok(_) => _ = won.fetch_add(1, Ordering::Relaxed),
                            Err(Error::NotUnique { field, .. }) => assert_eq!(field, "mail"),
                            Err(other) => panic!("{other}"),
                        }
                    }
                });
            }
        });
        assert_eq!(won.into_inner(), VALUES);
        assert_eq!(table.count(Value::Null).unwrap(), VALUES);
        assert_eq!(table.distinct("mail", Value::Null).unwrap().len() as u64, VALUES);
        table.verify().unwrap();
    });
}

/// Two documents exchange their unique values in one write, again and again: each value is somewhere at every moment, and who asks for
/// one gets the document that has it (document::ground G1).
#[test]
fn a_key_that_moves_is_always_found() {
    on_both(|documents| {
        let schema = json!({"k": {"type": "int", "unique": true}});
        let pairs = documents.create_table("shop", "pair", Some(&schema.into())).unwrap();
        pairs.insert_many([json!({"k": 1}), json!({"k": -1})]).unwrap();
        let done = AtomicBool::new(false);
        std::thread::scope(|scope| {
            for key in [1, -1] {
                let (pairs, done) = (&pairs, &done);
                scope.spawn(move || {
                    while !done.load(Ordering::Relaxed) {
                        let found = pairs.find_one(json!({"k": key})).unwrap().unwrap();
                        assert_eq!(found.get("k").unwrap().to_string(), key.to_string());
                        let shown = pairs.find_one(Query::new(json!({"k": key})).project(json!(["k"])));
                        assert_eq!(shown.unwrap().unwrap().to_string(), format!("{{\"k\":{key}}}"));
                    }
                });
            }
            for _ in 0..2000 {
                pairs.update(json!({}), json!({"$mul": {"k": -1}})).unwrap();
            }
            done.store(true, Ordering::Relaxed);
        });
    });
}

/// Values move from row to row, go, and come again.
#[test]
fn values_that_move_are_never_there_twice() {
    on_both(|documents| {
        let table = users(documents);
        std::thread::scope(|scope| {
            for writer in 0..WRITERS {
                let table = &table;
                scope.spawn(move || {
                    let mut random = Random::new(writer);
                    for _ in 0..100 {
                        let mail = format!("m{}", random.below(20));
                        let by = json!({"by": random.below(WRITERS as usize)});
                        let done = match random.below(4) {
                            0 => table.insert(json!({"mail": mail, "by": writer})).map(drop),
                            1 => table.update(Query::new(by).limit(1), json!({"mail": mail})).map(drop),
                            2 => table.upsert(json!({"mail": mail}), json!({"$inc": {"n": 1}})).map(drop),
                            _ => table.delete(json!({"mail": mail})).map(drop),
                        };
                        assert!(matches!(done, Ok(()) | Err(Error::NotUnique { .. })), "{done:?}");
                    }
                });
            }
        });
        table.verify().unwrap();
        let there: Vec<Value> =
            table.find(Value::Null).unwrap().map(|row| row.unwrap().get("mail").unwrap().clone()).collect();
        assert_eq!(table.distinct("mail", Value::Null).unwrap().len(), there.len());
    });
}

/// Counters that many add to lose nothing, also where the first has to insert.
#[test]
fn no_addition_is_lost() {
    on_both(|documents| {
        let table = users(documents);
        std::thread::scope(|scope| {
            for _ in 0..WRITERS {
                let table = &table;
                scope.spawn(move || {
                    for n in 0..50 {
                        table
                            .upsert(json!({"mail": format!("m{}", n % 3)}), json!({"$inc": {"n": 1}}))
                            .unwrap();
                    }
                });
            }
        });
        let rows: Vec<Value> = table.find(Value::Null).unwrap().map(Result::unwrap).collect();
        let sum: u64 = rows.iter().map(|row| row.get("n").unwrap().to_string().parse::<u64>().unwrap()).sum();
        assert_eq!((rows.len(), sum), (3, WRITERS * 50));
    });
}

/// Indexes come and go while writers write and readers ask. Every document always has `a` equal to `b`, and pairs of documents
/// change together.
#[test]
fn indexes_are_built_beside_writers() {
    on_both(|documents| {
        let table = documents.create_table("shop", "pair", None).unwrap();
        table.insert_many((0..3000).map(|n| json!({"g": n / 2, "a": 0, "b": 0, "x": n % 7}))).unwrap();
        let (stop, rounds) = (AtomicBool::new(false), AtomicU64::new(0));
        std::thread::scope(|scope| {
            for writer in 0..3 {
                let (table, stop) = (&table, &stop);
                scope.spawn(move || {
                    let mut random = Random::new(writer);
                    while !stop.load(Ordering::Relaxed) {
                        let (group, value) = (random.below(1500), random.below(50));
                        table.update(json!({"g": group}), json!({"a": value, "b": value})).unwrap();
                        if random.one_in(10) {
                            table.insert(json!({"x": [1, random.below(9)], "a": 1, "b": 1})).unwrap();
                        }
                    }
                });
            }
            for reader in 0..2 {
                let (table, stop, rounds) = (&table, &stop, &rounds);
                scope.spawn(move || {
                    let mut random = Random::new(100 + reader);
                    while !stop.load(Ordering::Relaxed) {
                        let value = random.below(50);
                        let found: Vec<Value> = table
                            .find(json!({"a": value, "g": {"$exists": true}}))
                            .unwrap()
                            .map(Result::unwrap)
                            .collect();
                        assert!(found.iter().all(|row| row.get("a") == row.get("b")));
                        assert_eq!(found.len() % 2, 0, "a pair changes together");
                        rounds.fetch_add(1, Ordering::Relaxed);
                    }
                });
            }
            for round in 0..6 {
                table.create_index(json!({"columns": {"a": 1}}), |_| {}).unwrap();
                table.create_index(json!({"columns": {"g": 1, "x": -1}}), |_| {}).unwrap();
                table.verify().unwrap();
                if round < 5 {
                    table.drop_index("a_1").unwrap();
                    table.drop_index("g_1_x_-1").unwrap();
                }
            }
            stop.store(true, Ordering::Relaxed);
        });
        assert!(rounds.into_inner() > 10);
        table.verify().unwrap();
    });
}

/// A second opening takes over, and the first cannot write behind its back.
#[test]
fn only_the_last_opening_writes() {
    let engine: Arc<dyn StorageEngine> = Arc::new(MemoryEngine::new());
    let first = Documents::open(Arc::clone(&engine)).unwrap();
    let old = users(&first);
    old.insert(json!({"mail": "a"})).unwrap();
    let second = Documents::open(engine).unwrap();
    let new = second.table("shop", "user").unwrap();
    new.insert(json!({"mail": "b"})).unwrap();
    assert!(matches!(old.insert(json!({"mail": "c"})), Err(Error::Superseded)));
    assert!(matches!(first.create_table("shop", "x", None), Err(Error::Superseded)));
    assert!(matches!(first.drop_table("shop", "user"), Err(Error::Superseded)));
    assert_eq!(old.count(Value::Null).unwrap(), 2, "what was not dropped is there");
    assert_eq!(new.count(Value::Null).unwrap(), 2);
}

/// What is gone is gone for those who still have it.
#[test]
fn a_dropped_table_is_no_more() {
    on_both(|documents| {
        let table = users(documents);
        table.insert(json!({"mail": "a"})).unwrap();
        documents.drop_table("shop", "user").unwrap();
        assert!(matches!(table.insert(json!({"mail": "b"})), Err(Error::NoTable { .. })));
        assert!(matches!(table.count(Value::Null), Err(Error::NoTable { .. })));
        let again = documents.create_table("shop", "user", None).unwrap();
        assert_eq!(again.count(Value::Null).unwrap(), 0);
        assert_eq!(documents.tables("shop"), ["user"]);
        assert_eq!(documents.databases(), ["shop"]);
    });
}

/// While a unique index is being built, a value that is written otherwise (`1.0` for `1`) does not take the entry of another document.
#[test]
fn a_building_index_is_not_talked_out_of_what_it_found() {
    let documents = Documents::open(Arc::new(MemoryEngine::new())).unwrap();
    let table = documents.create_table("db", "t", None).unwrap();
    table.insert_many((0..3000).map(|n| json!({"n": n % 2999, "place": n}))).unwrap();
    let last = json!({"place": 2999});
    let mut tries = 0;
    let made = table.create_index(json!({"columns": {"n": 1}, "unique": true}), |_| {
        tries += 1;
        let written = ["0.0", "0"][tries % 2];
        let change = Value::parse(&format!("{{\"n\":{written}}}")).unwrap();
        table.update(last.clone(), change).unwrap();
    });
    assert!(matches!(made, Err(Error::NotUnique { .. })), "{made:?} after {tries} changes");
}
