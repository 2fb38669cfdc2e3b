//! The layer table and the list of modules with `unsafe`, read from `docs/architecture.md`.
//!
//! The document is the one home of both: what it says is what is checked. A marked section begins with
//! `<!-- tidy: NAME -->` and ends with `<!-- tidy: end -->`; every name in backticks in it counts.

use std::collections::BTreeMap;

/// What the document says.
pub struct House {
    /// Module → its height: 0 is the lowest line of the table.
    heights: BTreeMap<String, usize>,
    /// Module paths that may hold `unsafe`.
    pub with_unsafe: Vec<String>,
}

impl House {
    /// Reads the two sections of the document.
    pub fn read(document: &str) -> House {
        let rows: Vec<Vec<String>> = section(document, "layers").lines().map(names).collect();
        let rows = rows.iter().filter(|row| !row.is_empty()).rev();
        let heights =
            rows.enumerate().flat_map(|(height, row)| row.iter().map(move |m| (m.clone(), height))).collect();
        let with_unsafe = section(document, "unsafe").lines().flat_map(names).collect();
        House { heights, with_unsafe }
    }

    /// The height of a module of the table.
    pub fn height(&self, unit: &str) -> Option<usize> {
        self.heights.get(unit).copied()
    }

    /// All modules of the table.
    pub fn units(&self) -> impl Iterator<Item = &str> {
        self.heights.keys().map(String::as_str)
    }

    /// The module of the table that a path leads into: one segment, or two inside `engine`.
    pub fn unit_of(&self, segments: &[String]) -> Option<String> {
        let unit = match segments {
            [engine, part, ..] if engine == "engine" => format!("engine::{part}"),
            [first, ..] => first.clone(),
            [] => return None,
        };
        self.heights.contains_key(&unit).then_some(unit)
    }
}

fn section<'a>(document: &'a str, name: &str) -> &'a str {
    let begin = format!("<!-- tidy: {name} -->");
    let rest = document.split_once(&begin).map_or("", |(_, rest)| rest);
    rest.split_once("<!-- tidy: end -->").map_or("", |(inside, _)| inside)
}

/// The names in backticks on a line: `a`, or `a::{b, c}` which stands for two.
fn names(line: &str) -> Vec<String> {
    line.split('`').skip(1).step_by(2).flat_map(unfold).collect()
}

fn unfold(name: &str) -> Vec<String> {
    match name.strip_suffix('}').and_then(|n| n.split_once('{')) {
        Some((prefix, inside)) => inside.split(',').map(|part| format!("{prefix}{}", part.trim())).collect(),
        None => vec![name.to_string()],
    }
}
