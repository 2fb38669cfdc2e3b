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
