//! A line as it is typed, as the words of a command.
//!
//! ```text
//! line  = { space } { word space { space } }
//! word  = { plain | '"' { char | escape } '"' | "'" { char | "\'" } "'" }       nothing but a space behind a closing quote
//! escape = "\" ( "n" | "r" | "t" | "a" | "b" | "x" hex hex | any )
//! ```
//!
//! The rules are those of redis-cli, so that what is written for it works here. Of commands about documents a word from the third on that
//! begins with a brace or a bracket is a value of JSON, and goes on to its end.

use super::documents;

/// What a line is.
#[derive(Debug, PartialEq, Eq)]
pub enum Line {
    /// These words; none for a blank line.
    Words(Vec<Vec<u8>>),
    /// A quote is open: more belongs to it.
    Open,
    /// Something stands right behind a closing quote, or behind JSON.
    Wrong,
}

/// Splits a line into its words.
pub fn split(line: &str) -> Line {
    let mut words = Vec::new();
    let mut rest = line.as_bytes();
    loop {
        rest = rest.trim_ascii_start();
        if rest.is_empty() {
            return Line::Words(words);
        }
        if let [name, _, ..] = &words[..]
            && let [b'{' | b'[', ..] = rest
            && documents::takes_json(name)
        {
            let Some(end) = end_of_json(rest) else { return Line::Open };
            let (json, behind) = rest.split_at(end);
            if behind.first().is_some_and(|byte| !byte.is_ascii_whitespace()) {
                return Line::Wrong;
            }
            words.push(json.to_vec());
            rest = behind;
            continue;
        }
        let mut word = Vec::new();
        while let Some((first, tail)) = rest.split_first() {
            rest = match first {
                b if b.is_ascii_whitespace() => break,
                b'"' | b'\'' => match quoted(*first, tail, &mut word) {
                    Ok(tail) => tail,
                    Err(why) => return why,
                },
                plain => {
                    word.push(*plain);
                    tail
                }
            };
        }
        words.push(word);
    }
}

/// Behind the bracket that closes the first one. Whether all of it is JSON is another question.
fn end_of_json(text: &[u8]) -> Option<usize> {
    let (mut open, mut in_string, mut escaped) = (0_usize, false, false);
    for (at, byte) in text.iter().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b'{' | b'[' if !in_string => open += 1,
            b'}' | b']' if !in_string => open = open.saturating_sub(1),
            _ => {}
        }
        if open == 0 {
            return Some(at + 1);
        }
    }
    None
}

/// Takes what is in quotes; gives what stands behind them.
fn quoted<'a>(quote: u8, mut rest: &'a [u8], word: &mut Vec<u8>) -> Result<&'a [u8], Line> {
    loop {
        rest = match rest {
            [] | [b'\\'] => return Err(Line::Open),
            [b, tail @ ..] if *b == quote => {
                let ends = tail.first().is_none_or(u8::is_ascii_whitespace);
                return if ends { Ok(tail) } else { Err(Line::Wrong) };
            }
            [b'\\', b'\'', tail @ ..] if quote == b'\'' => {
                word.push(b'\'');
                tail
            }
            [b'\\', escaped @ ..] if quote == b'"' => escape(escaped, word),
            [byte, tail @ ..] => {
                word.push(*byte);
                tail
            }
        };
    }
}

/// Takes what an escape stands for; gives what is behind it.
fn escape<'a>(escaped: &'a [u8], word: &mut Vec<u8>) -> &'a [u8] {
    let digit = |b: u8| char::from(b).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    if let [b'x', high, low, tail @ ..] = escaped
        && let (Some(high), Some(low)) = (digit(*high), digit(*low))
    {
        word.push(high << 4 | low);
        return tail;
    }
    let Some((byte, tail)) = escaped.split_first() else { return escaped };
    word.push(match byte {
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'a' => 7,
        b'b' => 8,
        other => *other,
    });
    tail
}

/// Whether a command carries a password, which must not be kept.
pub fn is_secret(words: &[Vec<u8>]) -> bool {
    let is = |at: usize, what: &str| {
        words.get(at).is_some_and(|word: &Vec<u8>| word.eq_ignore_ascii_case(what.as_bytes()))
    };
    ["auth", "acl", "migrate"].iter().any(|name| is(0, name))
        || (is(0, "hello") && words.len() > 2)
        || (is(0, "config") && is(1, "set"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<String> {
        match split(line) {
            Line::Words(words) => words.iter().map(|word| word.escape_ascii().to_string()).collect(),
            other => panic!("{line}: {other:?}"),
        }
    }

    #[test]
    fn words_are_those_of_redis_cli() {
        let cases: [(&str, &[&str]); 8] = [
            ("", &[]),
            ("  ", &[]),
            (" GET  k\t", &["GET", "k"]),
            (r#"SET k "a b\n\x00\xff\"\q""#, &["SET", "k", r#"a b\n\x00\xff\"q"#]),
            (r#"SET k 'it\'s \n' """#, &["SET", "k", r"it\'s \\n", ""]),
            ("a\"b c\"", &["ab c"]),
            ("k \"two\nlines\"", &["k", r"two\nlines"]),
            (r#""\x4""#, &["x4"]),
        ];
        for (line, wanted) in cases {
            assert_eq!(words(line), wanted, "{line}");
        }
    }

    #[test]
    fn open_quotes_want_more_and_what_follows_a_closed_one_is_wrong() {
        for line in ["\"", "a 'b", "\"a\\\"", "\"a\\"] {
            assert_eq!(split(line), Line::Open, "{line}");
        }
        for line in ["\"a\"b", "'a''b'"] {
            assert_eq!(split(line), Line::Wrong, "{line}");
        }
    }

    #[test]
    fn what_carries_a_password_is_known() {
        let secret = |line: &str| matches!(split(line), Line::Words(words) if is_secret(&words));
        for line in
            ["auth x", "AUTH user pass", "HELLO 3 AUTH u p", "config set requirepass x", "acl setuser u >p"]
        {
            assert!(secret(line), "{line}");
        }
        for line in ["", "GET auth", "HELLO 3", "CONFIG GET x"] {
            assert!(!secret(line), "{line}");
        }
    }
}
