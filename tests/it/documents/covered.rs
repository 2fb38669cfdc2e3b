//! What is shown of the entries of an index is what would be shown of their documents.

use serde_json::json;
use siltstone::document::value::Value;
use siltstone::document::{Documents, Query, Table};
use siltstone::store::MemoryEngine;
use std::sync::Arc;

fn documents() -> Documents {
    Documents::open(Arc::new(MemoryEngine::new())).unwrap()
}

fn parse(text: &str) -> Value {
    Value::parse(text).unwrap()
}

/// What a query shows; whether an index showed it; how many documents were read.
fn ask(table: &Table, query: &Query) -> (String, bool, u64) {
    let mut text = String::new();
    let mut found = table.find(query.clone()).unwrap();
    while found.next_json(&mut text).unwrap() {}
    let values: String = table.find(query.clone()).unwrap().map(|value| value.unwrap().to_string()).collect();
    assert_eq!(text, values);
    let plan = table.explain(query.clone()).unwrap();
    (text, plan.covered, plan.documents_read)
}

#[test]
fn members_come_in_the_order_of_the_schema() {
    let schema = json!({"c": "int", "a": "str", "b": {"type": "datetime", "format": "iso"}});
    let table = documents().create_table("db", "t", Some(&schema.into())).unwrap();
    table.create_index(json!({"columns": {"a": 1, "c": -1, "pk": 1}}), |_| {}).unwrap();
    table.create_index(json!({"columns": {"b": 1}}), |_| {}).unwrap();
    table.insert(json!({"pk": "00000000-0000-4000-8000-000000000001", "a": "x", "b": "2025-01-01"})).unwrap();
    table.insert(json!({"a": "x", "pk": "00000000-0000-4000-8000-000000000002", "c": 2})).unwrap();
    table.insert(json!({"c": 7, "pk": "00000000-0000-4000-8000-000000000003"})).unwrap();
    table.update(json!({"pk": "00000000-0000-4000-8000-000000000001"}), json!({"c": 1})).unwrap();
    table.update(json!({"pk": "00000000-0000-4000-8000-000000000003"}), json!({"$set": {"a": "x"}})).unwrap();
    table
        .update(json!({"pk": "00000000-0000-4000-8000-000000000002"}), json!({"$unset": {"a": ""}}))
        .unwrap();
    table.update(json!({"pk": "00000000-0000-4000-8000-000000000002"}), json!({"$set": {"a": "x"}})).unwrap();
    let query = |shown: serde_json::Value| Query::new(json!({"a": "x"})).project(shown);
    let all = r#"{"c":1,"a":"x","pk":"00000000-0000-4000-8000-000000000001"}{"c":2,"a":"x","pk":"00000000-0000-4000-8000-000000000002"}{"c":7,"a":"x","pk":"00000000-0000-4000-8000-000000000003"}"#;
    assert_eq!(ask(&table, &query(json!(["pk", "a", "c"]))), (all.into(), true, 0));
    let sorted = query(json!(["pk", "a"])).sort(json!({"a": 1, "c": -1, "pk": 1}));
    let down = r#"{"a":"x","pk":"00000000-0000-4000-8000-000000000003"}{"a":"x","pk":"00000000-0000-4000-8000-000000000002"}{"a":"x","pk":"00000000-0000-4000-8000-000000000001"}"#;
    assert_eq!(ask(&table, &sorted), (down.into(), true, 0));
    // What is not in the index, what is hidden, and what has to be sorted.
    assert!(!ask(&table, &query(json!(["pk", "b"]))).1);
    assert!(!ask(&table, &query(json!({"b": 0}))).1);
    assert!(!ask(&table, &query(json!(["pk"])).sort(json!({"c": 1}))).1);
    // A date is not told as it was written.
    let dates = Query::new(json!({"b": {"$gt": "2000-01-01"}})).project(json!(["b"]));
    assert_eq!(ask(&table, &dates), (r#"{"b":"2025-01-01T00:00:00"}"#.into(), true, 1));
}

#[test]
fn without_a_schema_there_is_one_member() {
    let table = documents().create_table("db", "t", None).unwrap();
    for document in [
        r#"{"pk":"1","a":-0,"b":1}"#,
        r#"{"b":2,"a":-120,"pk":"2"}"#,
        r#"{"pk":"3","a":25.0}"#,
        r#"{"pk":"4","b":3}"#,
        r#"{"pk":"5","a":{"x":1}}"#,
        r#"{"pk":"6","a":"y\u0000z"}"#,
        r#"{"pk":"7","a":999999999999999999}"#,
        r#"{"pk":"8","a":1e3}"#,
        r#"{"pk":"9","a":null}"#,
        r#"{"pk":"10","a":1234567890123456789}"#,
    ] {
        table.insert(parse(document)).unwrap();
    }
    table.create_index(json!({"columns": {"a": -1}}), |_| {}).unwrap();
    let all = Query::all().sort(json!({"a": -1})).project(json!(["a"]));
    let expected = "{\"a\":{\"x\":1}}{\"a\":\"y\\u0000z\"}{\"a\":1234567890123456789}{\"a\":999999999999999999}\
                    {\"a\":1e3}{\"a\":25.0}{\"a\":-0}{\"a\":-120}{\"a\":null}{}";
    // Read: -0, 25.0, 1e3, the object, and the number of 19 digits.
    assert_eq!(ask(&table, &all), (expected.into(), true, 5));
    let key = Query::new(json!({"pk": "6"})).project(json!(["pk"]));
    assert_eq!(ask(&table, &key), (r#"{"pk":"6"}"#.into(), true, 0));
    let none = Query::new(json!({"pk": "none"})).project(json!(["pk"]));
    assert_eq!(ask(&table, &none), (String::new(), true, 0));
    assert!(!ask(&table, &Query::new(json!({"pk": "6"})).project(json!(["pk", "a"]))).1);
    let few = table.distinct("a", json!({"a": {"$lt": 26}})).unwrap();
    assert_eq!(few, [parse("-120"), parse("-0"), parse("25.0")]);
    // The first array makes it an index that meets documents more than once.
    table.insert(json!({"a": [1, 2]})).unwrap();
    assert!(!ask(&table, &all).1);
}

/// A page ends behind what the index showed, and whoever takes a document whole gets it.
#[test]
fn pages_and_whole_documents_of_a_covered_query() {
    let table = documents().create_table("db", "t", None).unwrap();
    table.insert_many((0..50).map(|n| json!({"n": n % 7, "pk": format!("d{n}"), "m": n}))).unwrap();
    table.create_index(json!({"columns": {"n": 1}}), |_| {}).unwrap();
    for query in [Query::all().sort(json!({"n": 1})), Query::new(json!({"n": {"$gte": 3}}))] {
        let query = query.project(json!(["n"]));
        assert!(table.explain(query.clone()).unwrap().covered);
        let whole: Vec<Value> = table.find(query.clone()).unwrap().map(Result::unwrap).collect();
        let (mut paged, mut next) = (Vec::new(), query.clone().limit(4));
        loop {
            let page = table.page(next.clone()).unwrap();
            paged.extend(page.documents);
            match page.next {
                Some(after) => next = next.after(after),
                None => break,
            }
        }
        assert_eq!(paged, whole);
        let mut found = table.find(query).unwrap();
        let mut shown = String::new();
        assert!(found.next_json(&mut shown).unwrap());
        assert_eq!(shown, whole[0].to_string());
        assert!(found.next_document().unwrap().unwrap().raw().get("m").is_some());
    }
}
