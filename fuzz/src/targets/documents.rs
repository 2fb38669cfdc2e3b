//! Documents: their text, their bytes, and all that a client may ask of them.

use siltstone::document::catalogue::Definition;
use siltstone::document::filter::Filter;
use siltstone::document::order::{self, Direction};
use siltstone::document::projection::Projection;
use siltstone::document::raw::{Encoded, Raw};
use siltstone::document::schema::Schema;
use siltstone::document::update::Update;
use siltstone::document::value::{MAX_DEPTH, Value};

/// Any bytes are read as a stored document without harm, and what is one is stored in one way from then on.
pub fn document_raw(input: &[u8]) {
    let Some(raw) = Raw::of(input) else { return };
    let _ = (raw.kind(), raw.decimal(), raw.text(), raw.get("a"), raw.elements().count());
    let mut key = Vec::new();
    order::encode(raw, Direction::Descending, &mut key);
    assert!(order::compare(raw, raw).is_eq());
    if let Some(value) = raw.to_value() {
        let again = Encoded::of(&value);
        assert_eq!(again.raw().to_value().as_ref(), Some(&value));
        assert!(order::compare(raw, again.raw()).is_eq());
    }
    if raw.is_sound() {
        let json = raw.json().expect("what is sound is text");
        assert_eq!(Encoded::parse(json).expect("what is sound is JSON").bytes(), input);
        assert_eq!(Value::parse(json).ok(), raw.to_value());
    }
}

/// Lines of JSON, each taken for everything that it could be, and used on the first.
pub fn document_text(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let values: Vec<Value> = text.lines().take(6).filter_map(parse).collect();
    let Some((document, rest)) = values.split_first() else { return };
    let stored = Encoded::of(document);
    for value in rest {
        if let Ok(filter) = Filter::parse(value) {
            let _ = filter.matches(stored.raw());
        }
        if let Ok(update) = Update::parse(value) {
            change(&update, document);
        }
        if let Ok(projection) = Projection::parse(value) {
            assert!(projection.apply(document.clone()).depth() <= document.depth());
        }
        if let Ok(definition) = Definition::parse(value) {
            assert_eq!(Definition::parse(&definition.to_value()), Ok(definition));
        }
        if let Ok(schema) = Schema::parse(value) {
            assert_eq!(Schema::parse(&schema.to_value()).as_ref(), Ok(&schema));
            if let Ok(row) = schema.insertion(stored.raw()) {
                assert_eq!(schema.insertion(row.raw()).as_ref(), Ok(&row), "what was stored is valid");
                assert_eq!(schema.partial(row.raw()).as_ref(), Ok(&row), "and stays");
            }
        }
    }
}

/// A value, which is JSON to others as well, and the same when it was written and read.
fn parse(line: &str) -> Option<Value> {
    let value = Value::parse(line).ok()?;
    let text = value.to_string();
    assert!(text.is_ascii() && value.depth() <= MAX_DEPTH);
    assert_eq!(Value::parse(&text).as_ref(), Ok(&value));
    serde_json::from_str::<serde::de::IgnoredAny>(&text).expect("what is written is JSON");
    assert_eq!(Encoded::of(&value).raw().to_value().as_ref(), Some(&value));
    Some(value)
}

fn change(update: &Update, document: &Value) {
    let mut changed = document.clone();
    match update.apply(&mut changed) {
        Ok(did) => {
            assert_eq!(did, changed != *document);
            assert!(changed.depth() <= MAX_DEPTH.max(document.depth()));
        }
        Err(_) => assert_eq!(changed, *document, "what is refused changes nothing"),
    }
}
