//! The architecture and the form of the code, held by a test.
//!
//! What is checked is written in `docs/architecture.md` (the layer table and the modules with `unsafe` are read from
//! there) and in `docs/contributing.md`. The checks are plain text work on purpose: they are short enough to be read
//! and believed, and `planted.rs` shows that each finds what it looks for.

mod architecture;
mod form;
mod imports;
mod layers;
mod planted;
mod promises;
mod source;

use layers::House;
use source::Source;
use std::fmt;
use std::fs;
use std::path::Path;

/// The files to look at.
struct Repo {
    /// Rust files.
    sources: Vec<Source>,
    /// Documents, manifests and scripts.
    others: Vec<Source>,
    house: House,
}

/// Something that is out of order.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Finding {
    path: String,
    line: usize,
    what: String,
}

impl Finding {
    fn new(source: &Source, line: usize, what: String) -> Finding {
        Finding { path: source.path.clone(), line, what }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.path, self.line, self.what)
    }
}

/// The lines, from 1, on which `what` stands as a word of its own.
fn word_lines<'a>(text: &'a str, what: &'a str) -> impl Iterator<Item = usize> + 'a {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let whole = move |line: &str, at: usize| {
        !line[..at].ends_with(is_word) && !line[at + what.len()..].starts_with(is_word)
    };
    let has = move |line: &str| line.match_indices(what).any(|(at, _)| whole(line, at));
    text.lines().enumerate().filter(move |(_, line)| has(line)).map(|(number, _)| number + 1)
}

#[test]
fn the_house_is_in_order() {
    let repo = read_repo(Path::new(env!("CARGO_MANIFEST_DIR")));
    assert!(repo.house.units().count() > 10, "docs/architecture.md has no layer table");
    let mut found = architecture::check(&repo);
    found.extend(form::check(&repo));
    found.extend(promises::check(&repo));
    found.extend(missing_modules(&repo));
    let report: Vec<String> = found.iter().map(Finding::to_string).collect();
    assert!(report.is_empty(), "{} findings:\n{}", report.len(), report.join("\n"));
}

/// Modules that the document lists for their `unsafe` and that are not there.
fn missing_modules(repo: &Repo) -> Vec<Finding> {
    let there = |module: &String| repo.sources.iter().any(|s| s.module().as_ref() == Some(module));
    let missing = repo.house.with_unsafe.iter().filter(|module| !there(module));
    missing
        .map(|module| Finding {
            path: "docs/architecture.md".into(),
            line: 0,
            what: format!("the list of `unsafe` names `{module}`, which does not exist"),
        })
        .collect()
}

/// What the README tells a newcomer to run is what the build machine runs.
#[test]
fn the_test_command_of_the_readme_is_what_ci_runs() {
    let command = "cargo test --features cli";
    for file in ["README.md", ".ci/run"] {
        let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap();
        assert!(text.lines().any(|line| line.trim() == command), "{file} lacks the line `{command}`");
    }
}

/// Each target that the manifest of `fuzz/` names has a program, and inputs to begin with.
#[test]
fn every_fuzz_target_has_a_program_and_a_corpus() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz");
    let manifest = fs::read_to_string(folder.join("Cargo.toml")).unwrap();
    let programs = manifest.split("[[bin]]").skip(1).map(|table| table.split('"').nth(1).unwrap());
    let mut count = 0;
    for target in programs {
        assert!(folder.join(format!("fuzz_targets/{target}.rs")).is_file(), "{target} has no program");
        let corpus = fs::read_dir(folder.join("corpus").join(target));
        assert!(corpus.is_ok_and(|mut inputs| inputs.next().is_some()), "{target} has no corpus");
        count += 1;
    }
    assert!(count >= 15);
}

/// A build has planted bugs only when it is asked for them by name.
#[test]
fn no_feature_brings_planted_bugs_with_it() {
    let manifest = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml")).unwrap();
    let lines = manifest.lines().filter(|line| line.contains("planted-bugs"));
    assert_eq!(lines.collect::<Vec<_>>(), ["planted-bugs = []"]);
}

fn read_repo(root: &Path) -> Repo {
    let mut files = Vec::new();
    for folder in ["src", "tests", "benches", "examples", "fuzz", "docs", "packaging", ".ci", ".cargo"] {
        collect(root, folder, &mut files);
    }
    for file in ["Cargo.toml", "README.md", "CHANGELOG.md"] {
        files.extend(fs::read_to_string(root.join(file)).ok().map(|text| (file.to_string(), text)));
    }
    let house = House::read(files.iter().find(|(p, _)| p == "docs/architecture.md").map_or("", |(_, t)| t));
    let (rust, others): (Vec<_>, Vec<_>) = files.into_iter().partition(|(path, _)| path.ends_with(".rs"));
    let read =
        |files: Vec<(String, String)>| files.iter().map(|(path, text)| Source::new(path, text)).collect();
    Repo { sources: read(rust), others: read(others), house }
}

/// All text files below a folder; what a build leaves behind is skipped.
fn collect(root: &Path, folder: &str, files: &mut Vec<(String, String)>) {
    let Ok(entries) = fs::read_dir(root.join(folder)) else { return };
    let mut names: Vec<String> = entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    for name in names
        .into_iter()
        .filter(|n| !matches!(n.as_str(), "target" | "corpus" | "regressions" | "artifacts" | "found"))
    {
        let path = format!("{folder}/{name}");
        if root.join(&path).is_dir() {
            collect(root, &path, files);
        } else if let Ok(text) = fs::read_to_string(root.join(&path)) {
            files.push((path, text));
        }
    }
}
