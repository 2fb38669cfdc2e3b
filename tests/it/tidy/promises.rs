//! Each test that `docs/promises.md` names exists.
//!
//! A name is text in backquotes with `::` in it, within a paragraph that begins with `Tests`. Its last word must be a
//! function or a module of the tests, where the word before it is the module that it stands in, if it is written out.

use super::source::Source;
use super::{Finding, Repo};

/// The document.
const PROMISES: &str = "docs/promises.md";

pub fn check(repo: &Repo) -> Vec<Finding> {
    let Some(document) = repo.others.iter().find(|source| source.path == PROMISES) else { return Vec::new() };
    let named = names(&document.text);
    let unknown = named.iter().filter(|(_, name)| !repo.sources.iter().any(|source| holds(source, name)));
    unknown
        .map(|(line, name)| {
            Finding::new(document, *line, format!("names the test `{name}`, which does not exist"))
        })
        .collect()
}

/// Every test that the document names, with its line.
fn names(text: &str) -> Vec<(usize, String)> {
    let (mut found, mut within) = (Vec::new(), false);
    for (number, line) in text.lines().enumerate() {
        within = !line.trim().is_empty() && (within || line.starts_with("Tests"));
        let quoted = line.split('`').skip(1).step_by(2).filter(|_| within);
        let of_tests = quoted.filter(|name| name.contains("::") && !name.contains(char::is_uppercase));
        found.extend(of_tests.map(|name| (number + 1, name.to_string())));
    }
    found
}

/// Whether a source has the function `module::name`, or is the module `name`, or within its file or folder `module`.
fn holds(source: &Source, name: &str) -> bool {
    let mut words = name.rsplit("::");
    let last = words.next().unwrap_or_default();
    let module = words.next().filter(|word| *word != "…" && *word != "tests");
    let path = source.path.trim_end_matches(".rs");
    let stands_in = |word: &str| path.split('/').any(|part| part == word) || declares(source, "mod", word);
    (declares(source, "fn", last) && module.is_none_or(stands_in))
        || (stands_in(last) && module.is_none_or(stands_in))
}

fn declares(source: &Source, kind: &str, name: &str) -> bool {
    source.text.match_indices(&format!("{kind} {name}")).any(|(at, found)| {
        let rest = &source.text[at + found.len()..];
        rest.starts_with(['(', ';', ' ', '<', '!'])
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_in_the_paragraphs_about_tests_only() {
        let text = "`a::b` stands here\n\nTests: `c::d`, `Db::open`\nand `e`, `…::f`.\n\nNo `g::h`.\n";
        let found: Vec<String> = names(text).into_iter().map(|(_, name)| name).collect();
        assert_eq!(found, ["c::d", "…::f"]);
    }

    #[test]
    fn a_test_is_looked_for_in_its_module() {
        let source = Source::new("tests/it/crash.rs", "fn all_is_well() {}\nmod inner {}\n");
        assert!(holds(&source, "crash::all_is_well") && holds(&source, "…::all_is_well"));
        assert!(holds(&source, "crash::inner"));
        assert!(!holds(&source, "kill::all_is_well") && !holds(&source, "crash::all_is"));
    }
}
