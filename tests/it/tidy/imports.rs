//! Which module names which: every `crate::…`, `super::…` and `std::…` path in the code, groups unfolded.
//!
//! Only the paths as written count. A name that reaches a file through a `use` line is found at that line.

use super::source::{Source, Token};
use std::collections::BTreeMap;

/// A path that a file names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Path {
    /// From the root of the crate (`crate` and `super` resolved), or beginning with `std`.
    pub segments: Vec<String>,
    /// Where.
    pub line: usize,
}

impl Path {
    /// True when the path is `prefix` or goes on from it.
    pub fn starts_with(&self, prefix: &str) -> bool {
        let mut own = self.segments.iter();
        prefix.split("::").all(|part| own.next().is_some_and(|s| s == part))
    }

    /// The path as it would be written.
    pub fn text(&self) -> String {
        self.segments.join("::")
    }
}

/// All paths of the crate itself that `source` names, from the root.
pub fn of_crate(source: &Source) -> Vec<Path> {
    let Some(module) = source.module() else { return Vec::new() };
    let own: Vec<String> = match module.as_str() {
        "lib" | "main" => Vec::new(),
        other => other.split("::").map(str::to_string).collect(),
    };
    starts(source, &["crate", "super"]).into_iter().filter_map(|path| resolve(path, &own)).collect()
}

/// All paths of the standard library that `source` names.
pub fn of_std(source: &Source) -> Vec<Path> {
    starts(source, &["std", "core"])
}

/// The names that a file such as `lib.rs` hands on: name → path from the root.
pub fn re_exports(source: &Source) -> BTreeMap<String, Vec<String>> {
    let own: Vec<String> = match source.module().as_deref() {
        Some("lib" | "main") | None => Vec::new(),
        Some(module) => module.split("::").map(str::to_string).collect(),
    };
    let tokens = source.tokens();
    let mut names = BTreeMap::new();
    for (at, _) in tokens.iter().enumerate().filter(|(_, t)| t.text == "use") {
        let mut reader = Reader { tokens: &tokens, at: at + 1 };
        let mut found = Vec::new();
        reader.tree(&mut Vec::new(), &mut found);
        for (mut path, name) in found {
            match path.segments.first().map(String::as_str) {
                Some("crate") => drop(path.segments.remove(0)),
                _ => path.segments.splice(..0, own.iter().cloned()).for_each(drop),
            }
            names.insert(name, path.segments);
        }
    }
    names
}

fn starts(source: &Source, roots: &[&str]) -> Vec<Path> {
    let tokens = source.tokens();
    let text = |at: usize| tokens.get(at).map_or("", |t: &Token| t.text.as_str());
    let mut found = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        // `a::std::b` is no path of the standard library, `::std::b` is; `pub(in crate::a)` imports nothing.
        let inside =
            at > 1 && text(at - 1) == "::" && text(at - 2).starts_with(|c: char| c.is_alphanumeric());
        let visibility = at > 0 && text(at - 1) == "in";
        if roots.contains(&text(at)) && text(at + 1) == "::" && !inside && !visibility {
            let mut reader = Reader { tokens: &tokens, at };
            let mut paths = Vec::new();
            reader.tree(&mut Vec::new(), &mut paths);
            found.extend(paths.into_iter().map(|(path, _)| path));
            at = reader.at;
        } else {
            at += 1;
        }
    }
    found
}

fn resolve(path: Path, own: &[String]) -> Option<Path> {
    let supers = path.segments.iter().take_while(|s| *s == "super").count();
    let base = if supers > 0 { own.get(..own.len().checked_sub(supers)?)? } else { &[] };
    let skip = supers.max(1);
    let segments = base.iter().chain(path.segments.iter().skip(skip)).cloned().collect();
    Some(Path { segments, line: path.line })
}

/// Reads a path, or a tree of them, as in `a::{b, c::{d, self}, e::*}`.
struct Reader<'a> {
    tokens: &'a [Token],
    at: usize,
}

impl Reader<'_> {
    fn peek(&self) -> &str {
        self.tokens.get(self.at).map_or("", |t| &t.text)
    }

    /// Appends each path of the tree with the name it is known by afterwards.
    fn tree(&mut self, prefix: &mut Vec<String>, found: &mut Vec<(Path, String)>) {
        let depth = prefix.len();
        let line = self.tokens.get(self.at).map_or(0, |t| t.line);
        loop {
            if self.peek() == "::" {
                self.at += 1;
            }
            match self.peek() {
                "{" => return self.group(prefix, depth, found),
                "*" => prefix.push("*".into()),
                "self" => {}
                word if word.starts_with(|c: char| c.is_alphabetic() || c == '_') => prefix.push(word.into()),
                _ => break,
            }
            self.at += 1;
            if self.peek() != "::" {
                break;
            }
        }
        let mut name = prefix.last().cloned().unwrap_or_default();
        if self.peek() == "as" {
            name = self.tokens.get(self.at + 1).map_or(name, |t| t.text.clone());
            self.at += 2;
        }
        found.push((Path { segments: prefix.clone(), line }, name));
        prefix.truncate(depth);
    }

    fn group(&mut self, prefix: &mut Vec<String>, depth: usize, found: &mut Vec<(Path, String)>) {
        self.at += 1;
        while !matches!(self.peek(), "}" | "") {
            let before = self.at;
            self.tree(prefix, found);
            if self.peek() == "," {
                self.at += 1;
            }
            if self.at == before {
                self.at += 1;
            }
        }
        self.at += 1;
        prefix.truncate(depth);
    }
}
