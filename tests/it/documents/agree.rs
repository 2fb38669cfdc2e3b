//! Index, scan and list give the same answers.
//!
//! `SILTSTONE_SEED=…` repeats a run, `SILTSTONE_DOCUMENT_QUERIES` sets how many queries are asked.

use super::{data, naive};
use crate::support::{Random, from_env, on_all_cores};
use siltstone::document::value::Value;
use siltstone::document::{Documents, Query, Table};
use siltstone::store::{MemoryEngine, StorageEngine};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// A table with indexes, the same without, and the list that both should be.
struct Three {
    indexed: Table,
    plain: Table,
    list: Vec<Value>,
    next: u64,
    /// No document has an array.
    flat: bool,
}

impl Three {
    fn new(documents: &Documents, flat: bool) -> Three {
        let indexed = documents.create_table("db", "indexed", None).unwrap();
        let plain = documents.create_table("db", "plain", None).unwrap();
        Three { indexed, plain, list: Vec::new(), next: 0, flat }
    }

    fn change(&mut self, random: &mut Random) {
        let flat = self.flat;
        let made = |value: Value| if flat { data::flat(value) } else { value };
        match random.below(6) {
            0..=2 => {
                let documents: Vec<Value> = (0..1 + random.below(4))
                    .map(|_| {
                        self.next += 1;
                        made(data::document(random, self.next))
                    })
                    .collect();
                for table in [&self.indexed, &self.plain] {
                    table.insert_many(documents.clone()).unwrap();
                }
                self.list.extend(documents);
            }
            3 | 4 => {
                let (filter, change) = (data::filter(random, 0), made(data::change(random)));
                let mut matched = 0;
                for document in self.list.iter_mut().filter(|document| naive::matches(document, &filter)) {
                    naive::merge(document, &change);
                    matched += 1;
                }
                for table in [&self.indexed, &self.plain] {
                    let updated = table.update(filter.clone(), change.clone()).unwrap();
                    assert_eq!(updated.matched, matched, "{filter} {change}");
                }
            }
            _ => {
                let filter = data::filter(random, 0);
                let before = self.list.len();
                self.list.retain(|document| !naive::matches(document, &filter));
                let gone = (before - self.list.len()) as u64;
                for table in [&self.indexed, &self.plain] {
                    assert_eq!(table.delete(filter.clone()).unwrap(), gone, "{filter}");
                }
            }
        }
    }

    fn ask(&self, random: &mut Random, seed: u64) {
        let query = data::query(random);
        let expected = naive::find(&self.list, &query);
        for table in [&self.indexed, &self.plain] {
            let found: Vec<Value> = table.find(query.clone()).unwrap().map(Result::unwrap).collect();
            let plan = table.explain(query.clone()).unwrap();
            assert_eq!(shown(&found), shown(&expected), "{} {plan:?}", about(seed, &query, table.name()));
        }
        for query in [query.clone().project(data::shown(random)), data::narrow(random)] {
            self.ask_for_parts(random, &query, seed);
        }
        let count = self.indexed.count(query.clone()).unwrap();
        assert_eq!(count, expected.len() as u64, "{}", about(seed, &query, "count"));
        if random.one_in(4) {
            self.walk(random, &query, &expected, seed);
        }
    }

    /// The same, of which little is shown, in three ways: an index may have it all.
    fn ask_for_parts(&self, random: &mut Random, query: &Query, seed: u64) {
        let parts = &query.projection;
        let expected: Vec<Value> =
            naive::find(&self.list, query).iter().map(|document| naive::show(document, parts)).collect();
        for table in [&self.indexed, &self.plain] {
            let what = format!("{} showing {parts}", table.name());
            let found: Vec<Value> = table.find(query.clone()).unwrap().map(Result::unwrap).collect();
            assert_eq!(shown(&found), shown(&expected), "{}", about(seed, query, &what));
            let (mut cursor, mut text) = (table.find(query.clone()).unwrap(), String::new());
            while cursor.next_json(&mut text).unwrap() {}
            let whole: String = expected.iter().map(Value::to_string).collect();
            assert_eq!(text, whole, "{}", about(seed, query, &what));
            let mut cursor = table.find(query.clone()).unwrap();
            for document in naive::find(&self.list, query) {
                // Also what is shown of an index may be asked for whole.
                let next = cursor.next_document().unwrap().unwrap();
                assert_eq!(next.to_value().unwrap(), document, "{}", about(seed, query, &what));
            }
            let plan = table.explain(query.clone()).unwrap();
            assert!(!plan.covered || table.name() == "indexed", "{plan:?}");
            COVERED.fetch_add(u64::from(plan.covered && plan.returned > 0), Ordering::Relaxed);
            let path = data::path(random);
            let found = table.distinct(path, query.clone()).unwrap();
            let expected = naive::distinct(&self.list, path, query);
            assert_eq!(shown(&found), shown(&expected), "{}", about(seed, query, path));
        }
        if random.one_in(4) {
            self.walk(random, query, &expected, seed);
        }
    }

    /// The same in pages.
    fn walk(&self, random: &mut Random, query: &Query, expected: &[Value], seed: u64) {
        if query.limit.is_some() || query.skip > 0 {
            return;
        }
        let mut found = Vec::new();
        let mut query = query.clone().limit(1 + random.below(5) as u64);
        loop {
            let page = self.indexed.page(query.clone()).unwrap();
            found.extend(page.documents);
            match page.next {
                Some(next) => query = query.after(next),
                None => break,
            }
        }
        assert_eq!(shown(&found), shown(expected), "{}", about(seed, &query, "pages"));
    }
}

/// How many queries an index answered alone.
static COVERED: AtomicU64 = AtomicU64::new(0);

fn shown(documents: &[Value]) -> String {
    documents.iter().map(|document| format!("\n{document}")).collect()
}

fn about(seed: u64, query: &Query, what: &str) -> String {
    let Query { filter, sort, skip, limit, .. } = query;
    format!("SILTSTONE_SEED={seed} {what}: {filter} sort {sort} skip {skip} limit {limit:?}")
}

/// One set of data; how many queries were asked.
fn run(seed: u64) -> u64 {
    let random = &mut Random::new(seed);
    let engine: Arc<dyn StorageEngine> = Arc::new(MemoryEngine::new());
    let documents = Documents::open(engine).unwrap();
    let mut three = Three::new(&documents, seed.is_multiple_of(3));
    let mut asked = 0;
    for _ in 0..6 {
        for _ in 0..4 {
            three.change(random);
        }
        // An index that would have too many entries of a document is refused, which is tested elsewhere.
        three.indexed.create_index(data::index(random), |_| {}).unwrap();
        for _ in 0..12 {
            three.ask(random, seed);
            asked += 1;
        }
    }
    asked
}

#[test]
fn index_scan_and_list_agree() {
    let goal = from_env("SILTSTONE_DOCUMENT_QUERIES", 20_000);
    match std::env::var("SILTSTONE_SEED") {
        Ok(seed) => _ = run(seed.parse().unwrap()),
        Err(_) => {
            assert!(on_all_cores(1, goal, run) >= goal);
            let covered = COVERED.load(Ordering::Relaxed);
            assert!(covered * 100 > goal, "an index answered {covered} alone");
        }
    }
}
