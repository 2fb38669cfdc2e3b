//! Columns of dates are compared as moments, whatever is asked.

use serde_json::json;
use siltstone::document::Documents;
use siltstone::document::value::Value;
use siltstone::store::MemoryEngine;
use std::sync::Arc;

#[test]
fn the_least_and_the_most_of_dates_are_moments() {
    let documents = Documents::open(Arc::new(MemoryEngine::new())).unwrap();
    let schema = json!({"at": "datetime", "text": "str"}).into();
    let table = documents.create_table("db", "t", Some(&schema)).unwrap();
    // Nine o'clock, and ten; as texts they are the other way round.
    let (nine, ten) = ("2024-01-01T11:00:00+02:00", "2024-01-01T10:00:00+00:00");
    let check = |change: Value, at: &str, text: &str| {
        table.update(json!({}), change).unwrap();
        let found = table.find_one(json!({})).unwrap().unwrap();
        assert_eq!((found.get("at"), found.get("text")), (Some(&at.into()), Some(&text.into())));
    };
    table.insert(json!({"at": ten, "text": ten})).unwrap();
    check(json!({"$min": {"at": nine, "text": nine}}).into(), nine, ten);
    check(json!({"$max": {"at": ten, "text": nine}}).into(), ten, nine);
}

#[test]
fn arrays_of_dates_are_moments_each() {
    let documents = Documents::open(Arc::new(MemoryEngine::new())).unwrap();
    let objects = json!({"type": "array", "items": {"type": "object", "fields": {"when": "datetime"}}});
    let schema = json!({"at": {"type": "array", "items": "datetime"}, "l": objects, "when": "str"}).into();
    let table = documents.create_table("db", "t", Some(&schema)).unwrap();
    let (nine, ten) = ("2024-01-01T11:00:00+02:00", "2024-01-01T10:00:00+00:00");
    let (also_nine, also_ten) = ("2024-01-01T09:00:00+00:00", "2024-01-01T12:00:00+02:00");
    table.insert(json!({"at": [nine], "l": [{"when": nine}]})).unwrap();
    table.insert(json!({"at": [ten, ten], "l": [{}, {"when": ten}]})).unwrap();
    let places = |filter: &serde_json::Value| -> Vec<u64> {
        (0..2)
            .filter(|at| table.count(json!({"$and": [{"at": {"$size": at + 1}}, filter]})).unwrap() > 0)
            .collect()
    };
    for indexed in [false, true] {
        if indexed {
            for path in ["at", "l.when"] {
                table.create_index(json!({"columns": {path: 1}}), |_| {}).unwrap();
            }
        }
        for (filter, expected) in [
            (json!({"at": also_nine}), vec![0]),
            (json!({"at": [also_ten, ten]}), vec![1]),
            (json!({"at": {"$gt": also_nine}}), vec![1]),
            (json!({"at.0": {"$lte": also_nine}}), vec![0]),
            (json!({"at": {"$elemMatch": {"$lt": also_ten}}}), vec![0]),
            (json!({"l.when": also_ten}), vec![1]),
            (json!({"l.1.when": {"$gte": also_nine}}), vec![1]),
            (json!({"l": {"$elemMatch": {"when": also_nine}}}), vec![0]),
            (json!({"when": {"$exists": false}}), vec![0, 1]),
        ] {
            assert_eq!(places(&filter), expected, "{filter}, indexed: {indexed}");
        }
    }
    table.update(json!({"at": nine}), json!({"$addToSet": {"at": also_nine}})).unwrap();
    assert_eq!(table.count(json!({"at": {"$size": 1}})).unwrap(), 1, "it was in the set already");
    table.update(json!({}), json!({"$pull": {"at": also_ten}})).unwrap();
    assert_eq!(table.count(json!({"at": {"$size": 0}})).unwrap(), 1);
    table
        .update(json!({}), json!({"$pull": {"at": {"$lt": ten}, "l": {"when": {"$lte": also_nine}}}}))
        .unwrap();
    assert_eq!(table.count(json!({"at": {"$size": 0}})).unwrap(), 2);
    assert_eq!(table.count(json!({"l": {"$size": 0}})).unwrap(), 1);
}

#[test]
fn arrays_in_arrays_of_dates_are_moments_too() {
    let documents = Documents::open(Arc::new(MemoryEngine::new())).unwrap();
    let dates = json!({"type": "array", "items": {"type": "array", "items": "datetime"}});
    let table = documents.create_table("db", "t", Some(&json!({"a": dates}).into())).unwrap();
    let (nine, also_nine) = ("2024-01-01T11:00:00+02:00", "2024-01-01T09:00:00+00:00");
    table.insert(json!({"a": [[nine]]})).unwrap();
    for filter in [
        json!({"a": [[also_nine]]}),
        json!({"a": [also_nine]}),
        json!({"a.0": also_nine}),
        json!({"a.0.0": {"$lte": also_nine}}),
    ] {
        assert_eq!(table.count(filter.clone()).unwrap(), 1, "{filter}");
    }
}
