//! Commands as typed by hand: words, with quotes where a word has spaces.
//!
//! ```text
//! word   = (plain | quoted)+       a closing quote is followed by white space or the end
//! quoted = '"' ... '"'             with \n \r \t \b \a, \xHH, and a backslash before any other character
//!        | "'" ... "'"             with \' only
//! ```

use super::Span;

/// Splits a line into words, whose bytes go to `words`; false when a quote is not closed, or something stands right behind it.
pub(super) fn split(line: &[u8], words: &mut Vec<u8>, spans: &mut Vec<Span>) -> bool {
    let mut rest = line;
    loop {
        rest = rest.trim_ascii_start();
        if rest.is_empty() {
            return true;
        }
        let start = words.len();
        match word(rest, words) {
            Some(after) => rest = after,
            None => return false,
        }
        spans.push((start, words.len()));
    }
}

/// Takes one word from the front; what is behind it.
fn word<'a>(mut rest: &'a [u8], words: &mut Vec<u8>) -> Option<&'a [u8]> {
    while let [first, after @ ..] = rest {
        rest = match first {
            b'"' => return ends(double_quoted(after, words)?),
            b'\'' => return ends(single_quoted(after, words)?),
            // A zero byte ends a word in Redis as well.
            byte if byte.is_ascii_whitespace() || *byte == 0 => return Some(after),
            byte => {
                words.push(*byte);
                after
            }
        };
    }
    Some(rest)
}

/// What is behind a closing quote, if that is the end of the word.
fn ends(after: &[u8]) -> Option<&[u8]> {
    after.first().is_none_or(u8::is_ascii_whitespace).then_some(after)
}

fn single_quoted<'a>(mut rest: &'a [u8], words: &mut Vec<u8>) -> Option<&'a [u8]> {
    loop {
        rest = match rest {
            [b'\\', b'\'', after @ ..] => {
                words.push(b'\'');
                after
            }
            [b'\'', after @ ..] => return Some(after),
            [byte, after @ ..] => {
                words.push(*byte);
                after
            }
            [] => return None,
        };
    }
}

fn double_quoted<'a>(mut rest: &'a [u8], words: &mut Vec<u8>) -> Option<&'a [u8]> {
    loop {
        rest = match rest {
            [b'\\', b'x', high, low, after @ ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
                words.push(hex(*high) << 4 | hex(*low));
                after
            }
            [b'\\', escaped, after @ ..] => {
                words.push(match escaped {
                    b'n' => b'\n',
                    b'r' => b'\r',
                    b't' => b'\t',
                    b'b' => 8,
                    b'a' => 7,
                    other => *other,
                });
                after
            }
            [b'"', after @ ..] => return Some(after),
            [byte, after @ ..] => {
                words.push(*byte);
                after
            }
            [] => return None,
        };
    }
}

fn hex(digit: u8) -> u8 {
    char::from(digit).to_digit(16).map_or(0, |digit| digit as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(line: &str, expected: Option<&[&[u8]]>) {
        let (mut words, mut spans) = (Vec::new(), Vec::new());
        let done = split(line.as_bytes(), &mut words, &mut spans);
        let found: Vec<&[u8]> = spans.iter().map(|(start, end)| &words[*start..*end]).collect();
        assert_eq!(done.then_some(&found[..]), expected, "{line}");
    }

    #[test]
    fn words_and_quotes() {
        check("", Some(&[]));
        check("  SET  k\tv ", Some(&[b"SET", b"k", b"v"]));
        check(r#"SET "a b" 'c d'"#, Some(&[b"SET", b"a b", b"c d"]));
        check(r#""\x00\xfF\n\"\q" '\'\n'"#, Some(&[b"\x00\xff\n\"q", b"'\\n"]));
        check(r#""" ''"#, Some(&[b"", b""]));
        check(r#"k"a b""#, Some(&[b"ka b"]));
        check(r#""\xZ1""#, Some(&[b"xZ1"]));
        for unbalanced in ["\"", "'", "\"a\"b", "'a'b", "\"a\\", "a'"] {
            check(unbalanced, None);
        }
    }
}
