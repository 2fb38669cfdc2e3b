//! Documents are read in groups, but never more of them than may be wanted; large and small ones come all, and in order.

use serde_json::json;
use siltstone::document::{Documents, Query, Table};
use siltstone::store::LsmEngine;
use siltstone::vfs::mem::MemVfs;
use siltstone::{Background, Options};
use std::sync::Arc;

const COUNT: u64 = 100;

/// Documents in another order than that of their index, every tenth larger than a group may be.
fn table() -> Table {
    let options = Options::default().vfs(Arc::new(MemVfs::new())).background(Background::Stepped);
    let documents = Documents::open(Arc::new(LsmEngine::new(options.open("/db").unwrap()))).unwrap();
    let table = documents.create_table("db", "t", None).unwrap();
    let text = |n: u64| "x".repeat(if n.is_multiple_of(10) { 300 << 10 } else { 100 });
    let all = (0..COUNT).map(|n| n * 37 % COUNT).map(|n| json!({"n": n, "odd": n % 2, "text": text(n)}));
    table.insert_many(all).unwrap();
    table.create_index(json!({"columns": {"n": 1}}), |_| {}).unwrap();
    table
}

fn numbers(table: &Table, query: &Query) -> Vec<u64> {
    let number = |document: siltstone::document::value::Value| document.get("n").unwrap().to_string();
    table.find(query.clone()).unwrap().map(|found| number(found.unwrap()).parse().unwrap()).collect()
}

fn read(table: &Table, query: &Query) -> u64 {
    table.explain(query.clone()).unwrap().documents_read
}

#[test]
fn no_more_is_read_than_may_be_wanted() {
    let table = table();
    for sort in [json!({"n": 1}), json!({})] {
        let query = Query::new(json!({"n": {"$gte": 20}})).sort(sort);
        for limit in [1, 2, 5, 8, 9, 30] {
            assert_eq!(read(&table, &query.clone().limit(limit)), limit);
            assert_eq!(read(&table, &query.clone().skip(3).limit(limit)), limit + 3);
        }
        assert_eq!(read(&table, &query.clone().limit(1000)), 80);
        assert_eq!(read(&table, &query), 80);
    }
}

#[test]
fn all_come_in_order_where_groups_read_too_many() {
    let table = table();
    let query = Query::new(json!({"n": {"$gte": 20}, "odd": 1})).sort(json!({"n": -1}));
    let expected: Vec<u64> = (20..COUNT).rev().filter(|n| n % 2 == 1).collect();
    assert_eq!(numbers(&table, &query), expected);
    for limit in [1, 2, 7, 20] {
        assert_eq!(numbers(&table, &query.clone().limit(limit)), expected[..limit as usize]);
        // What is read and was not asked for, for one at a time that is.
        assert!(read(&table, &query.clone().limit(limit)) <= 3 * limit);
    }
    let mut page = table.page(query.clone().limit(7)).unwrap();
    let mut count = page.documents.len();
    while let Some(next) = page.next {
        page = table.page(query.clone().limit(7).after(next)).unwrap();
        count += page.documents.len();
    }
    assert_eq!(count, expected.len());
}
