//! The test of the test: planted violations are found, and what only looks like one is not.

use super::layers::House;
use super::source::Source;
use super::{Finding, Repo, architecture, form};

const DOCUMENT: &str = "
<!-- tidy: layers -->
| 9 | `main`, `cli` |
| 8 | `server` |
| 7 | `protocol` |
| 6 | `store` |
| 5 | `engine::{db, inspect}` |
| 4 | `engine::compaction` |
| 3 | `engine::manifest` |
| 2 | `engine::{wal, sstable}` |
| 1 | `engine::{key, slice, batch}` |
| 0 | `vfs`, `planted` |
| 0 | `error`, `sync` |
<!-- tidy: end -->
<!-- tidy: unsafe -->
- `vfs::std`
<!-- tidy: end -->
";

fn repo(files: &[(&str, &str)]) -> Repo {
    let lib = (
        "src/lib.rs",
        "//! x\npub use error::{Error, Result};\npub use engine::db::{Db as Database};\nconst BUILT_IN: u8 = 1;\nfn helper() {}\n",
    );
    let mut sources: Vec<Source> = files.iter().map(|(path, text)| Source::new(path, text)).collect();
    sources.push(Source::new(lib.0, lib.1));
    Repo { sources, others: Vec::new(), house: House::read(DOCUMENT) }
}

fn findings(files: &[(&str, &str)]) -> Vec<Finding> {
    let repo = repo(files);
    let mut found = architecture::check(&repo);
    found.extend(form::check(&repo));
    found
}

/// `code`, as the file `path`, gives exactly one finding, which says `expected`.
#[track_caller]
fn finds(path: &str, code: &str, expected: &str) {
    let found = findings(&[(path, &format!("//! x\n{code}\n"))]);
    assert_eq!(found.len(), 1, "{path}: {code}: {found:?}");
    assert!(found[0].what.contains(expected), "{path}: {code}: {}", found[0]);
}

/// `code`, as the file `path`, is in order.
#[track_caller]
fn passes(path: &str, code: &str) {
    let found = findings(&[(path, &format!("//! x\n{code}\n"))]);
    assert!(found.is_empty(), "{path}: {code}: {found:?}");
}

#[test]
fn upward_and_sideways_imports_are_found() {
    finds("src/engine/wal/mod.rs", "use crate::engine::manifest::Version;", "not below");
    finds("src/engine/wal/mod.rs", "use super::sstable::Table;", "not below");
    finds("src/engine/wal/reader.rs", "use super::super::db::Db;", "not below");
    finds("src/engine/wal/mod.rs", "use crate::{Error, engine::{key::Kind, db::{self, Db}}};", "not below");
    finds("src/engine/wal/mod.rs", "fn f() -> crate::Database { x }", "not below");
    finds("src/vfs/mod.rs", "use crate::server;", "not below");
    finds("src/engine/key.rs", "pub(crate) use super::slice::Slice;", "not below");
    passes("src/engine/wal/mod.rs", "use super::key::{Kind, hash};\nuse crate::{Error, Result, vfs::Dir};");
    passes("src/engine/wal/reader.rs", "use super::Record;\npub(in crate::engine) fn f() {}");
    passes("src/engine/wal/mod.rs", "// use crate::engine::db::Db;\nconst A: &str = \"crate::engine::db\";");
    passes("src/engine/wal/mod.rs", "#[cfg(test)]\nmod tests {\n    use crate::engine::db::Db;\n}");
    passes("src/engine/wal/tests.rs", "use crate::engine::db::Db;");
}

#[test]
fn containers_and_strangers_are_found() {
    finds("src/engine/wal/mod.rs", "use crate::engine;", "no module of the layer table");
    finds("src/engine/key.rs", "use super::*;", "no module of the layer table");
    finds("src/engine/key.rs", "fn f() { crate::helper() }", "no module of the layer table");
    passes("src/engine/key.rs", "const A: u8 = crate::BUILT_IN;");
    finds("src/surprise.rs", "fn f() {}", "has no line in the layer table");
}

#[test]
fn public_names_only_above_the_engine() {
    finds("src/store/mod.rs", "use crate::engine::db::Db;", "inside of the engine");
    finds("src/cli/get.rs", "use crate::engine::db::Db;", "public names only");
    passes("src/store/mod.rs", "use crate::Database;");
    passes("src/cli/get.rs", "use super::args::Args;\nuse siltstone::Db;\nuse crate::cli::open;");
}

#[test]
fn absences_are_held() {
    finds("src/engine/manifest/set.rs", "use crate::engine::sstable::{Meta, Table};", "never opens a table");
    passes("src/engine/manifest/set.rs", "use crate::engine::sstable::Meta;");
    finds("src/protocol/text.rs", "use crate::Database;", "knows no database");
    finds("src/protocol/text.rs", "use std::io::Read;", "no I/O");
    finds("src/engine/compaction/picker.rs", "static A: crate::sync::OnceLock<u8> = x;", "no I/O");
    finds("src/engine/compaction/retain.rs", "use crate::vfs::Dir;", "no I/O");
    passes("src/engine/compaction/job.rs", "use crate::vfs::Clock;");
}

#[test]
fn the_operating_system_is_reached_in_one_place() {
    finds("src/engine/wal/mod.rs", "use std::{fs::File, sync::Arc};", "std::fs");
    finds("src/engine/wal/mod.rs", "fn f() { ::std::fs::remove_file(p); }", "std::fs");
    finds("src/engine/wal/mod.rs", "fn f() { let t = Instant::now(); }", "Instant::now");
    finds("src/server/mod.rs", "fn f() { thread::sleep(d); }", "thread::sleep");
    finds("src/server/mod.rs", "use std::time::{Duration, Instant};", "std::time::Instant");
    passes("src/server/mod.rs", "use tokio::time::Instant;\nfn f() { Instant::now() }");
    finds("src/engine/wal/mod.rs", "fn f() { getrandom::fill(b); }", "getrandom");
    passes("src/cli/load.rs", "use std::fs::File;");
    finds("src/engine/wal/mod.rs", "fn f() { let t = SystemTime::now(); }", "SystemTime::now");
    finds("src/engine/wal/mod.rs", "fn f(t: SystemTime) { t.elapsed() }", "elapsed()");
    passes("src/engine/wal/mod.rs", "use std::time::{Duration, SystemTime}; // not SystemTime::now");
}

#[test]
fn the_environment_is_left_alone() {
    finds("src/engine/wal/mod.rs", "fn f() { std::env::var(\"A\"); }", "take an option");
    passes("src/planted.rs", "fn f() { std::env::var(\"A\"); }");
    passes("src/cli/mod.rs", "use std::env;");
}

#[test]
fn async_stays_in_the_server() {
    finds("src/store/mod.rs", "async fn f() {}", "outside the server");
    finds("src/protocol/resp.rs", "use tokio::net::TcpStream;", "outside the server");
    passes("src/server/mod.rs", "async fn f() { tokio::spawn(g()).await }");
    passes("src/store/mod.rs", "fn async_like() {}");
}

#[test]
fn threads_meet_in_one_place() {
    finds("src/engine/wal/mod.rs", "use std::sync::{Arc, Mutex};", "std::sync::Mutex");
    finds("src/engine/wal/mod.rs", "fn f() { std::thread::spawn(g); }", "std::thread::spawn");
    finds("src/engine/wal/mod.rs", "use std::sync::atomic::AtomicU64;", "take it from");
    finds("src/engine/wal/mod.rs", "fn f(a: parking_lot::Mutex<u8>) {}", "parking_lot");
    finds("src/vfs/mem.rs", "#[cfg(shuttle)]\nfn f() {}", "what is shipped");
    finds("src/store/mod.rs", "fn f() { if cfg!(loom) {} }", "what is shipped");
    passes("src/vfs/std.rs", "fn f() { unsafe { std::thread::sleep(d) } }");
    passes("src/engine/wal/mod.rs", "use std::sync::{Arc, Weak};\nuse crate::sync::{Mutex, thread};");
    passes("src/engine/wal/mod.rs", "#[cfg(all(test, loom))]\nmod models {\n    use std::thread;\n}");
    passes("src/sync/mod.rs", "#[cfg(loom)]\npub use loom::thread;\n#[cfg(not(loom))]\npub use std::thread;");
}

#[test]
fn features_and_unsafe_stay_where_they_belong() {
    finds("src/engine/db/mod.rs", "#[cfg(feature = \"zstd\")]\nfn f() {}", "cfg(feature)");
    finds("src/engine/db/mod.rs", "fn f() { if cfg!(not(feature = \"zstd\")) {} }", "cfg(feature)");
    passes("src/engine/sstable/compression.rs", "#[cfg(feature = \"zstd\")]\nfn f() {}");
    finds("src/engine/db/mod.rs", "fn f() { unsafe { g() } }", "does not list");
    finds("src/vfs/std.rs", "fn f() {}", "it has none");
    passes("src/vfs/std.rs", "fn f() { unsafe { g() } }");
    passes("src/engine/db/mod.rs", "#![deny(unsafe_code)]\nconst A: &str = r#\"unsafe \"quoted\" \"#;");
}

#[test]
fn cycles_are_found_but_the_map_may_name_its_rooms() {
    let a = ("src/engine/wal/a.rs", "//! x\nuse super::b::B;\n");
    let b = ("src/engine/wal/b.rs", "//! x\nuse super::c::C;\n");
    let c = ("src/engine/wal/c.rs", "//! x\nuse crate::engine::wal::a::A;\n");
    let map = ("src/engine/wal/mod.rs", "//! x\nmod a;\npub use a::A;\n");
    let found = findings(&[map, a, b, c]);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].what.contains("engine::wal::a → engine::wal::b → engine::wal::c → engine::wal::a"));
    let c = ("src/engine/wal/c.rs", "//! x\nuse super::Record;\n");
    assert_eq!(findings(&[map, a, b, c]), []);
}

#[test]
fn long_files_and_functions_are_found_unless_excused() {
    let lines = "const A: u8 = 1;\n".repeat(form::FILE_LINES + 1);
    finds("src/engine/key.rs", &lines, "lines of code");
    passes("src/engine/key.rs", &format!("// tidy: long because it is a table.\n{lines}"));
    passes("src/engine/key.rs", &format!("#[cfg(test)]\nmod tests {{\n{lines}}}"));
    passes("src/engine/key.rs", &"// a comment\n\n".repeat(form::FILE_LINES));
    let body = "    g(\"{\");\n".repeat(form::FUNCTION_LINES);
    finds("src/engine/key.rs", &format!("fn f() {{\n{body}}}"), "`f` has 62 lines");
    passes(
        "src/engine/key.rs",
        &format!("// tidy: long because it is flat.\n#[inline]\nfn f() {{\n{body}}}"),
    );
    passes("src/engine/key.rs", &format!("trait T {{ fn f(a: [u8; 2]); }}\nconst A: u8 = {{\n{body}}};"));
}

#[test]
fn leftovers_and_machine_paths_are_found() {
    let left = concat!("// TO", "DO: later\nfn f() {}");
    finds("src/engine/key.rs", left, "open an issue");
    finds("tests/it/x.rs", concat!("const A: &str = \"/ho", "me/me\";"), "absolute path");
    passes("src/engine/key.rs", concat!("// see docs/wo", "rk/flow and ./tm", "p/file\nfn f() {}"));
    let found = findings(&[("src/engine/key.rs", "fn f() {}\n")]);
    assert!(found[0].what.contains("does not begin"), "{found:?}");
}

#[test]
fn only_code_is_left_of_a_source() {
    let text = "fn f<'a>(c: &'a str) { g('\"', '\\'', b\"un\\\"safe\", \"é /* \") } /* a /* b */ c */ let r#x = 1; // é";
    let source = Source::new("src/x.rs", text);
    assert_eq!(source.code.len(), text.len());
    let words: Vec<String> = source.tokens().into_iter().map(|t| t.text).collect();
    let expected = "fn f < ' a > ( c : & ' a str ) { g ( ' , ' , b \" , \" ) } let r # x = 1 ;";
    assert_eq!(words.join(" "), expected);
}
