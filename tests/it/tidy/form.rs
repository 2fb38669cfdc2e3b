//! Rules about the form of a file: lengths, first line, leftovers.

use super::source::{Source, Token};
use super::{Finding, Repo, word_lines};

/// The most lines of code in a file, without tests, comments and blank lines.
pub const FILE_LINES: usize = 400;
/// The most lines of code in a function.
pub const FUNCTION_LINES: usize = 60;
/// What excuses a longer one, with a reason after it: at the top of the file, or right above the function.
const EXCUSE: &str = "// tidy: long because ";

/// Every rule of this file.
pub fn check(repo: &Repo) -> Vec<Finding> {
    let mut found = Vec::new();
    for source in &repo.sources {
        check_first_line(source, &mut found);
        check_file_length(source, &mut found);
        check_function_lengths(source, &mut found);
    }
    for source in repo.sources.iter().chain(&repo.others) {
        check_leftovers(source, &mut found);
        check_machine_paths(source, &mut found);
    }
    found
}

fn check_first_line(source: &Source, found: &mut Vec<Finding>) {
    if !source.text.starts_with("//!") && !source.is_test() {
        found.push(Finding::new(source, 1, "the file does not begin with `//!`: say what it is".into()));
    }
}

fn check_file_length(source: &Source, found: &mut Vec<Finding>) {
    let lines = source.code_lines();
    let head = source.text.lines().take_while(|l| l.is_empty() || l.starts_with("//"));
    if lines > FILE_LINES && !head.into_iter().any(|l| l.starts_with(EXCUSE)) {
        let what = format!("{lines} lines of code, at most {FILE_LINES} are allowed: one file is one idea");
        found.push(Finding::new(source, 1, what));
    }
}

fn check_function_lengths(source: &Source, found: &mut Vec<Finding>) {
    let tokens = source.tokens();
    let code: Vec<&str> = source.code.lines().collect();
    for (at, token) in tokens.iter().enumerate().filter(|(_, t)| t.text == "fn") {
        let Some((first, last)) = body(&tokens[at..]) else { continue };
        let lines = code[first - 1..last].iter().filter(|l| !l.trim().is_empty()).count();
        if lines > FUNCTION_LINES && !is_excused(source, token.line) {
            let name = tokens.get(at + 1).map_or("", |t| &t.text);
            let what = format!("`{name}` has {lines} lines, at most {FUNCTION_LINES} are allowed");
            found.push(Finding::new(source, token.line, what));
        }
    }
}

/// The first and the last line of the function that begins at the first token; `None` when it has no body.
fn body(tokens: &[Token]) -> Option<(usize, usize)> {
    let (mut braces, mut others) = (0usize, 0usize);
    for token in tokens {
        match token.text.as_str() {
            "(" | "[" => others += 1,
            ")" | "]" => others = others.checked_sub(1)?,
            ";" if braces == 0 && others == 0 => return None,
            "{" => braces += 1,
            "}" => {
                braces = braces.checked_sub(1)?;
                if braces == 0 && others == 0 {
                    return Some((tokens.first()?.line, token.line));
                }
            }
            _ => {}
        }
    }
    None
}

/// True when the comments and attributes right above `line` hold the excuse.
fn is_excused(source: &Source, line: usize) -> bool {
    let above: Vec<&str> = source.text.lines().take(line - 1).map(str::trim_start).collect();
    above
        .iter()
        .rev()
        .take_while(|l| l.starts_with("//") || l.starts_with('#'))
        .any(|l| l.starts_with(EXCUSE))
}

fn check_leftovers(source: &Source, found: &mut Vec<Finding>) {
    for what in [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("X", "XX")] {
        for line in word_lines(&source.text, what) {
            found.push(Finding::new(source, line, format!("`{what}`: do it, or open an issue")));
        }
    }
}

/// A path of somebody's own machine has no meaning anywhere else.
fn check_machine_paths(source: &Source, found: &mut Vec<Finding>) {
    for place in [concat!("/wo", "rk/"), concat!("/ho", "me/"), concat!("/tm", "p/"), concat!("/Us", "ers/")]
    {
        for (number, line) in source.text.lines().enumerate() {
            let absolute = line.match_indices(place).any(|(at, _)| {
                !line[..at].ends_with(|c: char| c.is_alphanumeric() || matches!(c, '.' | '_' | '-' | '}'))
            });
            if absolute {
                found.push(Finding::new(source, number + 1, format!("an absolute path: `{place}`")));
            }
        }
    }
}
