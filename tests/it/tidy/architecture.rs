//! Rules about who may name whom.

use super::imports::{self, Path};
use super::layers::House;
use super::source::Source;
use super::{Finding, Repo, word_lines};
use std::collections::{BTreeMap, BTreeSet};

/// Every rule of this file.
pub fn check(repo: &Repo) -> Vec<Finding> {
    let names = Names::read(repo);
    let mut found = Vec::new();
    for source in repo.sources.iter().filter(|s| s.module().is_some()) {
        check_layers(source, &repo.house, &names, &mut found);
        check_os(source, &mut found);
        check_environment(source, &mut found);
        check_async(source, &mut found);
        check_pure(source, &names, &mut found);
        check_features(source, &mut found);
        check_sync(source, &mut found);
        check_unsafe(source, &repo.house, &mut found);
    }
    check_cycles(repo, &names, &mut found);
    found.sort();
    found.dedup();
    found
}

/// What `lib.rs` and `engine/mod.rs` hand on, and which modules there are.
struct Names {
    exports: BTreeMap<String, Vec<String>>,
    modules: BTreeSet<String>,
    /// Constants of `lib.rs`: which compression is built in is known there, and depends on nothing below.
    facts: BTreeSet<String>,
}

impl Names {
    fn read(repo: &Repo) -> Names {
        let mut exports = BTreeMap::new();
        let mut modules = BTreeSet::new();
        let mut facts = BTreeSet::new();
        for source in &repo.sources {
            let Some(module) = source.module() else { continue };
            let prefix = match module.as_str() {
                "lib" => {
                    facts = constants(source);
                    ""
                }
                "engine" => "engine::",
                _ => {
                    modules.insert(module);
                    continue;
                }
            };
            let own = imports::re_exports(source);
            exports.extend(own.into_iter().map(|(name, path)| (format!("{prefix}{name}"), path)));
        }
        Names { exports, modules, facts }
    }

    fn is_fact(&self, path: &Path) -> bool {
        matches!(path.segments.as_slice(), [name] if self.facts.contains(name))
    }

    /// The path behind a name that a front page hands on.
    fn origin(&self, path: &Path) -> Vec<String> {
        let mut segments = path.segments.clone();
        for _ in 0..4 {
            let hop = (1..=segments.len().min(2)).find_map(|n| {
                let target = self.exports.get(&segments[..n].join("::"))?;
                (target[..] != segments[..n]).then(|| [target, &segments[n..]].concat())
            });
            match hop {
                Some(next) => segments = next,
                None => break,
            }
        }
        segments
    }

    /// The file that a path leads into.
    fn module(&self, segments: &[String]) -> Option<String> {
        (1..=segments.len()).rev().map(|n| segments[..n].join("::")).find(|m| self.modules.contains(m))
    }
}

fn constants(source: &Source) -> BTreeSet<String> {
    let tokens = source.tokens();
    tokens.windows(2).filter(|pair| pair[0].text == "const").map(|pair| pair[1].text.clone()).collect()
}

fn split(module: &str) -> Vec<String> {
    module.split("::").map(str::to_string).collect()
}

/// A module imports only from lines below its own, and modules on one line never import each other.
fn check_layers(source: &Source, house: &House, names: &Names, found: &mut Vec<Finding>) {
    let module = source.module().unwrap_or_default();
    if module == "lib" || module == "engine" {
        return;
    }
    let Some(own) = house.unit_of(&split(&module)) else {
        let what = format!("`{module}` has no line in the layer table of docs/architecture.md");
        return found.push(Finding::new(source, 1, what));
    };
    let in_binary = own == "main" || own == "cli";
    for path in imports::of_crate(source) {
        let shown = path.text();
        let origin = names.origin(&path);
        let mut report = |why: String| found.push(Finding::new(source, path.line, why));
        if names.is_fact(&path) {
            continue;
        }
        let Some(other) = house.unit_of(&origin) else {
            report(format!("`{shown}` leads into no module of the layer table: name the module itself"));
            continue;
        };
        if own == other {
            continue;
        }
        if in_binary && other != "cli" {
            report(format!(
                "`{own}` names `crate::{shown}`; the binary uses public names only, `siltstone::…`"
            ));
        } else if house.height(&other) >= house.height(&own) {
            report(format!("`{own}` imports `{other}`, which is not below it"));
        } else if !own.starts_with("engine::") && path.starts_with("engine") {
            report(format!("`{own}` names the inside of the engine (`{shown}`), not a public name"));
        }
        if let Some(why) = absence(&own, &other, &origin, house) {
            report(why);
        }
    }
}

/// What is deliberately not there although the layers would allow it.
fn absence(own: &str, other: &str, origin: &[String], house: &House) -> Option<String> {
    let above_ground = house.height(other) > house.height("engine::batch");
    match own {
        "engine::manifest" if other == "engine::sstable" => {
            let opener = origin.iter().any(|s| matches!(s.as_str(), "Table" | "table" | "*"));
            opener.then(|| "the manifest never opens a table".to_string())
        }
        "protocol" | "document" if other.starts_with("engine::") && above_ground => {
            Some(format!("`{own}` knows no database, yet it names `{other}`"))
        }
        _ => None,
    }
}

/// Only `vfs::std` touches the operating system's files, clock, randomness and sleep. The binary is an application
/// like any other, and may; the server's time limits run on the clock of its runtime.
fn check_os(source: &Source, found: &mut Vec<Finding>) {
    let module = source.module().unwrap_or_default();
    let may = ["vfs::std", "cli", "main"].iter().any(|m| is_within(&module, m));
    if may {
        return;
    }
    let paths = imports::of_std(source);
    let named = paths.iter().filter_map(|path| {
        // `SystemTime` may be named, users give and get points in time; what reads the clock may not.
        let banned = ["std::fs", "std::time::Instant", "std::thread::sleep"];
        banned.iter().find(|b| path.starts_with(b)).map(|b| (path.line, (*b).to_string()))
    });
    let in_server = is_within(&module, "server");
    let written = ["SystemTime::now", "elapsed()", "thread::sleep", "getrandom", "Instant::now"]
        .iter()
        .filter(|what| !in_server || !matches!(**what, "Instant::now" | "elapsed()"))
        .flat_map(|what| word_lines(&source.code, what).map(|line| (line, (*what).to_string())));
    let all: BTreeSet<(usize, String)> = named.chain(written).collect();
    for (line, what) in all {
        found.push(Finding::new(source, line, format!("`{what}` outside vfs::std: go through `vfs`")));
    }
}

/// What the library does depends on its arguments alone. Which bug is planted, and which schedules are tried, in builds for
/// tests, are the exceptions.
fn check_environment(source: &Source, found: &mut Vec<Finding>) {
    let module = source.module().unwrap_or_default();
    if ["planted", "sync::model", "cli", "main"].iter().any(|m| is_within(&module, m)) {
        return;
    }
    for path in imports::of_std(source).iter().filter(|path| path.starts_with("std::env")) {
        found.push(Finding::new(source, path.line, "`std::env` in the library: take an option".into()));
    }
}

/// Nothing but the server is async.
fn check_async(source: &Source, found: &mut Vec<Finding>) {
    let module = source.module().unwrap_or_default();
    if ["server", "cli", "main"].iter().any(|m| is_within(&module, m)) {
        return;
    }
    for what in ["tokio", "async", "await"] {
        for line in word_lines(&source.code, what) {
            found.push(Finding::new(source, line, format!("`{what}` outside the server")));
        }
    }
}

/// Pickers, planners and decoders are functions of their input: no I/O, no lock, no clock.
fn check_pure(source: &Source, names: &Names, found: &mut Vec<Finding>) {
    const PURE: [&str; 4] =
        ["engine::compaction::picker", "engine::compaction::retain", "document::plan", "protocol"];
    let module = source.module().unwrap_or_default();
    if !PURE.iter().any(|m| is_within(&module, m)) {
        return;
    }
    let mut report = |line: usize, what: &str| {
        found.push(Finding::new(
            source,
            line,
            format!("`{what}` in code that does no I/O, locks nothing, asks no clock"),
        ));
    };
    for path in imports::of_std(source) {
        let banned = ["std::io", "std::fs", "std::net"];
        if banned.iter().any(|b| path.starts_with(b)) {
            report(path.line, &path.text());
        }
    }
    for path in imports::of_crate(source) {
        if names.origin(&path).first().is_some_and(|s| s == "vfs" || s == "sync") {
            report(path.line, &path.text());
        }
    }
    for what in ["Mutex", "RwLock", "Condvar", "Instant", "Clock"] {
        for line in word_lines(&source.code, what) {
            report(line, what);
        }
    }
}

/// Features choose modules, not behaviour: `cfg(feature)` in these files only.
fn check_features(source: &Source, found: &mut Vec<Finding>) {
    const MAY: [&str; 4] =
        ["src/lib.rs", "src/engine/sstable/compression.rs", "src/server/tls/mod.rs", "src/server/web/mod.rs"];
    if MAY.contains(&source.path.as_str()) {
        return;
    }
    for pair in source.tokens().windows(2).filter(|p| p[0].text == "feature" && p[1].text == "=") {
        let what = "`cfg(feature)` belongs in lib.rs, engine/sstable/compression.rs, and where server/tls and server/web take one of two files";
        found.push(Finding::new(source, pair[0].line, what.into()));
    }
}

/// Threads meet only at what `sync` hands out, so that a checker of schedules sees all of it; and only `sync` knows that there
/// are checkers. The binary is an application like any other.
fn check_sync(source: &Source, found: &mut Vec<Finding>) {
    let module = source.module().unwrap_or_default();
    if ["sync", "cli", "main"].iter().any(|m| is_within(&module, m)) {
        return;
    }
    for path in imports::of_std(source) {
        let threads = path.starts_with("std::thread") && path.segments.get(2).is_none_or(|s| s != "sleep");
        let locks = path.starts_with("std::sync")
            && path.segments.get(2).is_none_or(|s| !matches!(s.as_str(), "Arc" | "Weak"));
        if threads || locks {
            let what = format!("`{}` outside `sync`: take it from `crate::sync`", path.text());
            found.push(Finding::new(source, path.line, what));
        }
    }
    for what in ["parking_lot", "rayon"] {
        for line in word_lines(&source.code, what) {
            let what = format!("`{what}` outside `sync`: take it from `crate::sync`");
            found.push(Finding::new(source, line, what));
        }
    }
    for what in ["shuttle", "loom"] {
        for line in word_lines(&source.code, what) {
            let what = format!("`{what}` outside `sync` and tests: what is checked is what is shipped");
            found.push(Finding::new(source, line, what));
        }
    }
}

fn check_unsafe(source: &Source, house: &House, found: &mut Vec<Finding>) {
    let module = source.module().unwrap_or_default();
    let listed = house.with_unsafe.contains(&module);
    let mut lines = word_lines(&source.code, "unsafe").peekable();
    if listed && lines.peek().is_none() {
        let what = format!("docs/architecture.md lists `{module}` as having `unsafe`, but it has none");
        found.push(Finding::new(source, 1, what));
    }
    for line in lines.filter(|_| !listed) {
        let what = format!("`unsafe` in `{module}`, which docs/architecture.md does not list");
        found.push(Finding::new(source, line, what));
    }
}

/// No cycle between files. A file and the `mod.rs` above it are one: the map may name the rooms and the rooms the map.
fn check_cycles(repo: &Repo, names: &Names, found: &mut Vec<Finding>) {
    let mut edges: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for source in &repo.sources {
        let Some(module) = source.module().filter(|m| m != "lib" && m != "engine") else { continue };
        let targets = imports::of_crate(source).into_iter().filter_map(|p| names.module(&names.origin(&p)));
        let targets = targets.filter(|other| !is_within(other, &module) && !is_within(&module, other));
        edges.entry(module.clone()).or_default().extend(targets);
    }
    let mut done = BTreeSet::new();
    for start in edges.keys() {
        if let Some(cycle) = find_cycle(start, &edges, &mut Vec::new(), &mut done) {
            found.push(Finding {
                path: "src".into(),
                line: 0,
                what: format!("import cycle: {}", cycle.join(" → ")),
            });
        }
    }
}

fn find_cycle(
    at: &str,
    edges: &BTreeMap<String, BTreeSet<String>>,
    path: &mut Vec<String>,
    done: &mut BTreeSet<String>,
) -> Option<Vec<String>> {
    if let Some(begin) = path.iter().position(|m| m == at) {
        let mut cycle = path[begin..].to_vec();
        cycle.push(at.to_string());
        return Some(cycle);
    }
    if !done.insert(at.to_string()) {
        return None;
    }
    path.push(at.to_string());
    let cycle = edges.get(at).into_iter().flatten().find_map(|next| find_cycle(next, edges, path, done));
    path.pop();
    cycle
}

/// True when `module` is `outer` or lies in it.
fn is_within(module: &str, outer: &str) -> bool {
    module.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}
