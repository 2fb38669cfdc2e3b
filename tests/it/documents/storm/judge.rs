//! A value of a unique index has one holder at a time, and nobody is refused one that nobody has.
//!
//! A writer holds a value surely from when the change that took it was acknowledged until the one that gives it up began, and possibly
//! from when the first began until the other was acknowledged.
//!
//! (J1) No two hold one value surely at the same time; nobody's own documents have it twice.
//! (J2) Who was refused a value wanted it twice, or somebody else held it possibly at some moment meanwhile.

use super::super::naive;
use super::log::{State, Writer};
use siltstone::document::Table;
use siltstone::document::value::{Kind, Value};
use std::collections::{BTreeMap, BTreeSet};

/// Nobody has given it up.
const NEVER: u64 = u64::MAX;

/// How long somebody holds a value, in ticks.
#[derive(Debug, Clone, Copy)]
struct Span {
    owner: u64,
    /// When it is taken: from and to.
    taken: (u64, u64),
    /// When it is given up.
    given: (u64, u64),
}

/// The values of a member that a document claims, as texts that are the same for equal ones.
fn claims(document: &Value, field: &str) -> BTreeSet<String> {
    document.get(field).map(values).unwrap_or_default()
}

fn values(value: &Value) -> BTreeSet<String> {
    match value {
        Value::Array(list) => list.iter().flat_map(values).collect(),
        Value::Number(number) => BTreeSet::from([number.text().trim_end_matches(".0").to_owned()]),
        value if value.kind() == Kind::Null => BTreeSet::new(),
        value => BTreeSet::from([value.to_string()]),
    }
}

/// The first value that two documents of a list claim.
fn twice<'v>(list: impl IntoIterator<Item = &'v Value>, field: &str) -> Option<String> {
    let mut known = BTreeSet::new();
    list.into_iter().flat_map(|document| claims(document, field)).find(|claim| !known.insert(claim.clone()))
}

/// No two documents have a value of an index that is unique, while none comes or goes.
pub fn unique(table: &Table, found: &[Value]) {
    for (index, ready) in table.indexes().unwrap() {
        if let ([column], true, true) = (&index.columns[..], index.unique, ready) {
            let all = Value::Object(Vec::new());
            let partial = index.partial.as_ref().unwrap_or(&all);
            let held = found.iter().filter(|document| naive::matches(document, partial));
            assert_eq!(twice(held, &column.path.to_string()), None, "{}", index.name);
        }
    }
}

fn claimed(state: &State, field: &str) -> BTreeSet<String> {
    state.list.iter().flat_map(|document| claims(document, field)).collect()
}

/// Who held which value when.
fn spans(writers: &[Writer], field: &str) -> BTreeMap<String, Vec<Span>> {
    let mut spans: BTreeMap<String, Vec<Span>> = BTreeMap::new();
    for writer in writers {
        let mut before = BTreeSet::new();
        for state in &writer.log.states {
            let (begun, done) = (state.begun.tick, state.done.tick);
            let after = claimed(state, field);
            for claim in before.difference(&after) {
                // Its last one is that of this writer, for those are put there one writer after the other.
                let span: &mut Span = spans.get_mut(claim).and_then(|spans| spans.last_mut()).unwrap();
                span.given = (begun, done);
            }
            for claim in after.difference(&before) {
                let span = Span { owner: writer.owner, taken: (begun, done), given: (NEVER, NEVER) };
                spans.entry(claim.clone()).or_default().push(span);
            }
            before = after;
        }
    }
    spans
}

/// (J1) and (J2), of an epoch.
pub fn holders(writers: &[Writer]) {
    let of_u = spans(writers, "u");
    for (claim, spans) in &of_u {
        for (at, one) in spans.iter().enumerate() {
            for other in spans[at + 1..].iter().filter(|other| other.owner != one.owner) {
                let from = one.taken.1.max(other.taken.1);
                let to = one.given.0.min(other.given.0);
                assert!(from >= to, "{claim} was held twice: {one:?} {other:?}");
            }
        }
    }
    let of_v = spans(writers, "v");
    for writer in writers {
        for state in &writer.log.states {
            assert_eq!(twice(&state.list, "u"), None, "writer {}", writer.owner);
        }
        for refusal in &writer.log.refusals {
            let spans = match &*refusal.field {
                "u" => &of_u,
                "v" => &of_v,
                other => panic!("no index of {other} is unique"),
            };
            let wanted = values(&refusal.value);
            let held = |span: &Span| {
                let meanwhile = span.taken.0 < refusal.done.tick && refusal.begun.tick < span.given.1;
                span.owner != writer.owner && meanwhile
            };
            let by_other = wanted.iter().filter_map(|claim| spans.get(claim)).flatten().any(held);
            let own = twice(&refusal.list, &refusal.field).is_some();
            assert!(own || by_other, "writer {} was refused what nobody had: {refusal:?}", writer.owner);
        }
    }
}
