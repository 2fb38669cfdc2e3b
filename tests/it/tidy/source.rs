//! One source file, with everything that is not code blanked out.
//!
//! This is plain text work, not a parser: comments, strings and character literals become spaces of the same length,
//! and so do items under `#[cfg(test)]`. Offsets and line numbers stay what they were.

/// A file of the repository.
pub struct Source {
    /// Its path from the root of the repository, with forward slashes.
    pub path: String,
    /// All of it.
    pub text: String,
    /// The same length, with comments, strings and tests replaced by spaces.
    pub code: String,
}

/// A word or a sign of the code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// The word, `::`, or a single sign.
    pub text: String,
    /// Its line, from 1.
    pub line: usize,
}

impl Source {
    /// A file with its text.
    pub fn new(path: &str, text: &str) -> Source {
        let code = if is_test_file(path) { blank(text) } else { without_tests(&without_comments(text)) };
        Source { path: path.into(), text: text.into(), code }
    }

    /// The module path of a file of `src`: `src/engine/wal/mod.rs` is `engine::wal`; the roots are `lib` and `main`.
    pub fn module(&self) -> Option<String> {
        let inner = self.path.strip_prefix("src/")?.strip_suffix(".rs")?;
        Some(inner.strip_suffix("/mod").unwrap_or(inner).replace('/', "::"))
    }

    /// True for the tests of a module of `src`, which that module speaks for.
    pub fn is_test(&self) -> bool {
        is_test_file(&self.path)
    }

    /// How many lines hold code.
    pub fn code_lines(&self) -> usize {
        self.code.lines().filter(|line| !line.trim().is_empty()).count()
    }

    /// The words and signs of the code.
    pub fn tokens(&self) -> Vec<Token> {
        let mut tokens = Vec::new();
        for (number, line) in self.code.lines().enumerate() {
            let mut rest = line;
            while let Some(first) = rest.chars().next() {
                let len = match first {
                    _ if is_word(first) => rest.find(|c| !is_word(c)).unwrap_or(rest.len()),
                    ':' if rest.starts_with("::") => 2,
                    _ => first.len_utf8(),
                };
                let (text, tail) = rest.split_at(len);
                if !first.is_whitespace() {
                    tokens.push(Token { text: text.into(), line: number + 1 });
                }
                rest = tail;
            }
        }
        tokens
    }
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn is_test_file(path: &str) -> bool {
    path.starts_with("src/")
        && (path.ends_with("tests.rs") || path.ends_with("/models.rs") || path.contains("/tests/"))
}

fn blank(text: &str) -> String {
    text.bytes().map(|b| if b == b'\n' { '\n' } else { ' ' }).collect()
}

/// Comments, strings and character literals as spaces. The quotes themselves stay.
fn without_comments(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while !rest.is_empty() {
        let before = out.chars().next_back();
        let (kept, skipped) = next_piece(rest, before);
        out.push_str(&rest[..kept]);
        out.push_str(&blank(&rest[kept..kept + skipped]));
        rest = &rest[kept + skipped..];
    }
    out
}

/// How many bytes at the beginning of `rest` are code, and how many after them are not.
fn next_piece(rest: &str, before: Option<char>) -> (usize, usize) {
    if rest.starts_with("//") {
        return (0, rest.find('\n').unwrap_or(rest.len()));
    }
    if rest.starts_with("/*") {
        return (0, block_comment(rest));
    }
    if let Some(tail) = rest.strip_prefix('"') {
        return (1, string(tail));
    }
    if let Some(tail) = rest.strip_prefix('\'') {
        return (1, character(tail));
    }
    let word_before = before.is_some_and(is_word);
    if !word_before && let Some(piece) = raw_string(rest) {
        return piece;
    }
    (rest.chars().next().map_or(1, char::len_utf8), 0)
}

fn block_comment(rest: &str) -> usize {
    let (mut at, mut depth) = (0, 0usize);
    while at < rest.len() {
        if rest[at..].starts_with("/*") {
            depth += 1;
            at += 2;
        } else if rest[at..].starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += rest[at..].chars().next().map_or(1, char::len_utf8);
        }
    }
    at
}

/// The length of a string's inside and its closing quote, after the opening one.
fn string(tail: &str) -> usize {
    let mut escaped = false;
    for (at, c) in tail.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    tail.len()
}

/// The length of a character's inside and its closing quote, after the opening one; 0 for a lifetime.
fn character(tail: &str) -> usize {
    let mut chars = tail.char_indices();
    match chars.next() {
        Some((_, '\\')) => tail.char_indices().skip(2).find(|(_, c)| *c == '\'').map_or(0, |(at, _)| at + 1),
        Some(_) => chars.next().filter(|(_, c)| *c == '\'').map_or(0, |(at, _)| at + 1),
        None => 0,
    }
}

fn raw_string(rest: &str) -> Option<(usize, usize)> {
    let prefix = ["r", "br", "cr"].into_iter().find(|p| rest.starts_with(p))?;
    let tail = &rest[prefix.len()..];
    let hashes = tail.len() - tail.trim_start_matches('#').len();
    let inside = tail[hashes..].strip_prefix('"')?;
    let end = format!("\"{}", "#".repeat(hashes));
    let kept = prefix.len() + hashes + 1;
    Some((kept, inside.find(&end).map_or(inside.len(), |at| at + end.len())))
}

/// Items under `#[cfg(test)]` as spaces.
fn without_tests(code: &str) -> String {
    let mut out = code.to_string();
    if out.contains("#![cfg(test)]") {
        return blank(code);
    }
    while let Some(start) = ["#[cfg(test)]", "#[cfg(all(test"].iter().filter_map(|a| out.find(a)).min() {
        let end = start + item_len(&out[start..]);
        let spaces = blank(&out[start..end]);
        out.replace_range(start..end, &spaces);
    }
    out
}

/// The length of an item with the attributes before it: up to its `;` or its closing brace.
fn item_len(item: &str) -> usize {
    let mut depth = 0usize;
    for (at, c) in item.char_indices() {
        match c {
            '{' | '(' | '[' => depth += 1,
            '}' | ')' | ']' => {
                depth = depth.saturating_sub(1);
                if depth == 0 && c == '}' {
                    return at + 1;
                }
            }
            ';' if depth == 0 => return at + 1,
            _ => {}
        }
    }
    item.len()
}
