//! Patterns of queries: regular expressions that are found anywhere in a text, in time linear in it.
//!
//! (P1) A pattern has at most [`MOST_CHARS`] characters and takes at most [`MOST_BYTES`] of memory, and a query has at most
//!      [`MOST_PATTERNS`]. What needs more than time linear in the text, look-around and references back, does not exist.

use regex::{Regex, RegexBuilder};
use regex_syntax::ParserBuilder;
use regex_syntax::hir::{Hir, HirKind, Look};

/// How many characters a pattern may have.
pub const MOST_CHARS: usize = 1000;
/// How many bytes a pattern may take, and as many again while it is looked for.
pub const MOST_BYTES: usize = 1 << 20;
/// How many patterns a query may have.
pub const MOST_PATTERNS: usize = 16;

/// A pattern.
#[derive(Debug, Clone)]
pub struct Pattern {
    regex: Regex,
    prefix: String,
}

impl Pattern {
    /// Reads a pattern. Options are letters: `i` for any case, `m` for `^` and `$` at lines, `s` for `.` at line ends, `x` for
    /// white space that means nothing.
    ///
    /// # Errors
    /// Why it is none.
    pub fn parse(text: &str, options: &str) -> Result<Pattern, String> {
        if text.chars().nth(MOST_CHARS).is_some() {
            return Err(format!("the pattern has more than {MOST_CHARS} characters"));
        }
        if let Some(unknown) = options.chars().find(|letter| !"imsx".contains(*letter)) {
            return Err(format!("there is no option {unknown}: options are letters of i, m, s and x"));
        }
        let has = |letter| options.contains(letter);
        let regex = RegexBuilder::new(text)
            .case_insensitive(has('i'))
            .multi_line(has('m'))
            .dot_matches_new_line(has('s'))
            .ignore_whitespace(has('x'))
            .size_limit(MOST_BYTES)
            .dfa_size_limit(MOST_BYTES)
            .build()
            .map_err(|error| in_one_line(&error))?;
        let hir = ParserBuilder::new()
            .case_insensitive(has('i'))
            .multi_line(has('m'))
            .dot_matches_new_line(has('s'))
            .ignore_whitespace(has('x'))
            .build()
            .parse(text);
        let prefix = hir.ok().and_then(|hir| prefix(&hir)).unwrap_or_default();
        Ok(Pattern { regex, prefix })
    }

    /// Whether it is found in a text.
    #[must_use]
    pub fn is_in(&self, text: &str) -> bool {
        self.regex.is_match(text)
    }

    /// What every text begins with that it is found in; it may be empty.
    #[must_use]
    pub fn prefix(&self) -> &str {
        &self.prefix
    }
}

/// The errors of the crate draw the pattern over several lines.
fn in_one_line(error: &regex::Error) -> String {
    match error {
        regex::Error::CompiledTooBig(_) => format!("the pattern would take more than {MOST_BYTES} bytes"),
        _ => {
            let text = error.to_string();
            let last = text.lines().last().unwrap_or(&text);
            format!("this is no pattern: {}", last.trim_start_matches("error: "))
        }
    }
}

/// The literal behind the beginning of the text, if that is what the pattern begins with.
fn prefix(hir: &Hir) -> Option<String> {
    let HirKind::Concat(parts) = hir.kind() else { return None };
    let [start, literal, ..] = &**parts else { return None };
    match (start.kind(), literal.kind()) {
        (HirKind::Look(Look::Start), HirKind::Literal(literal)) => String::from_utf8(literal.0.to_vec()).ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_are_known() {
        for (text, options, expected) in [
            ("^abc", "", "abc"),
            ("^abc.*d$", "", "abc"),
            ("^ab?", "", "a"),
            ("abc", "", ""),
            ("^abc", "i", ""),
            ("^12", "i", "12"),
            ("^abc", "m", ""),
            ("^(abc|abd)", "", ""),
            ("^a|b", "", ""),
            ("^\\.x", "", ".x"),
            ("^", "", ""),
        ] {
            assert_eq!(Pattern::parse(text, options).unwrap().prefix(), expected, "{text} {options}");
        }
    }

    #[test]
    fn what_is_refused() {
        for (text, options, why) in [
            ("(", "", "unclosed group"),
            ("(?=a)", "", "look-around"),
            ("(a)\\1", "", "backreferences"),
            ("a", "g", "no option g"),
            ("(?:a{1000}){1000}", "", "more than 1048576 bytes"),
            (&"a".repeat(1001), "", "1000 characters"),
        ] {
            let refused = Pattern::parse(text, options).unwrap_err();
            assert!(refused.contains(why) && !refused.contains('\n'), "{text}: {refused}");
        }
    }

    /// What takes others for ever.
    #[test]
    fn no_pattern_takes_long() {
        let text = "a".repeat(100_000);
        assert!(!Pattern::parse("(a+)+$b", "").unwrap().is_in(&text));
        assert!(Pattern::parse("^(a|aa)+$", "").unwrap().is_in(&text));
    }
}
