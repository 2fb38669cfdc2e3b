//! What documents cost: loading with three indexes, finding one by a unique index, a range of a hundred, a filter over all, an update by
//! index; and what of it are the parts: the text, the bytes, the filter.
//!
//! `cargo bench --bench documents`. Beside other databases: `benches/peers`.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    reason = "a benchmark fails by panicking, and criterion's macros make items"
)]

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use serde_json::json;
use siltstone::document::filter::Filter;
use siltstone::document::raw::Encoded;
use siltstone::document::value::Value;
use siltstone::document::{Documents, Query, Table};
use siltstone::store::LsmEngine;
use siltstone::{Durability, Options};
use std::path::Path;
use std::sync::Arc;

const DOCUMENTS: u64 = 60_000;

/// About as large as what is said of a Debian package.
fn text(n: u64) -> String {
    let mixed = n.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 20;
    format!(
        r#"{{"package":"lib{mixed:x}-dev","version":"1.{n}-2","architecture":"amd64","section":"s{}","installed_size":{},"size":{},"maintainer":"Team {} <team{}@example.org>","priority":"optional","depends":"libc6 (>= 2.34), libgcc-s1 (>= 3.0), libstdc++6 (>= 5.2), zlib1g (>= 1:1.1.4)","description":"a library that does one thing and does it well, {n}","homepage":"https://example.org/{mixed}","filename":"pool/main/l/lib{mixed:x}/lib{mixed:x}_1.{n}-2_amd64.deb","sha256":"{mixed:064x}"}}"#,
        mixed % 50,
        mixed % 100_000,
        mixed % 5_000_000,
        mixed % 997,
        mixed % 997,
    )
}

fn parse(text: &str) -> Value {
    Value::parse(text).unwrap()
}

fn open(path: &Path) -> Table {
    let db = Options::default().durability(Durability::Os).open(path).unwrap();
    let documents = Documents::open(Arc::new(LsmEngine::new(db))).unwrap();
    let table = documents.create_table("bench", "packages", None).unwrap();
    for index in [
        json!({"columns": {"package": 1, "version": 1}, "unique": true, "name": "name"}),
        json!({"columns": {"section": 1}, "name": "section"}),
        json!({"columns": {"installed_size": 1}, "name": "size"}),
    ] {
        table.create_index(index, |_| {}).unwrap();
    }
    table
}

fn parts(c: &mut Criterion) {
    let mut group = c.benchmark_group("document");
    let text = text(7);
    group.throughput(Throughput::Bytes(text.len() as u64));
    let value = parse(&text);
    let encoded = Encoded::of(&value);
    let filter = Filter::parse(&json!({"size": {"$gt": 4_990_000}, "priority": "optional"}).into()).unwrap();
    group.bench_function("parse", |b| b.iter(|| parse(&text)));
    group.bench_function("encode", |b| b.iter(|| Encoded::of(&value)));
    group.bench_function("decode", |b| b.iter(|| encoded.raw().to_value()));
    group.bench_function("write", |b| b.iter(|| value.to_string()));
    group.bench_function("filter", |b| b.iter(|| filter.matches(encoded.raw())));
    group.finish();
}

fn tables(c: &mut Criterion) {
    let folder = tempfile::tempdir().unwrap();
    let table = open(&folder.path().join("db"));
    let mut group = c.benchmark_group("table");
    group.sample_size(10);
    let mut next = 0;
    group.throughput(Throughput::Elements(1000));
    group.bench_function("insert 1000", |b| {
        b.iter(|| {
            table.insert_many((next..next + 1000).map(|n| parse(&text(n)))).unwrap();
            next += 1000;
        });
    });
    while next < DOCUMENTS {
        table.insert_many((next..next + 1000).map(|n| parse(&text(n)))).unwrap();
        next += 1000;
    }
    group.throughput(Throughput::Elements(1));
    let mut at = 0;
    let mut any = move || {
        at = (at + 7919) % DOCUMENTS;
        parse(&text(at))
    };
    let named = |document: &Value| {
        Value::object(["package", "version"].map(|name| (name, document.get(name).unwrap().clone())))
    };
    group.bench_function("find one by name", |b| {
        b.iter(|| table.find_one(named(&any())).unwrap().unwrap());
    });
    group.bench_function("range of 100", |b| {
        b.iter(|| {
            let size = any().get("installed_size").unwrap().clone();
            let filter = Value::object([("installed_size", Value::object([("$gte", size)]))]);
            let query = Query::new(filter).sort(json!({"installed_size": 1})).limit(100);
            table.find(query).unwrap().map(Result::unwrap).count()
        });
    });
    group.bench_function("update by name", |b| {
        b.iter(|| table.update(named(&any()), json!({"$inc": {"size": 1}})).unwrap());
    });
    group.throughput(Throughput::Elements(next));
    group.bench_function("filter all", |b| {
        b.iter(|| table.find(json!({"size": {"$gt": 4_990_000}, "priority": "optional"})).unwrap().count());
    });
    group.finish();
}

criterion_group!(benches, parts, tables);
criterion_main!(benches);
