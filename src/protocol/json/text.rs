//! What is looked at in JSON text besides its syntax: how deep it is, whether its escapes are characters, and where
//! the elements of an array are.
//!
//! `serde_json` parses; this only walks. The two checks are made before the parser saw the text: they may say anything
//! about text that is not JSON, for it is refused either way. The other functions are given text the parser accepted.
//! None recurses, none panics on any text.

/// How many arrays and objects may lie in each other, the object of the request included. Clients have such limits
/// too (Rust's is 127, Python's about 1000), and a stored value comes back inside two more objects.
pub const MAX_DEPTH: usize = 100;

/// True when `text` is nested deeper than [`MAX_DEPTH`].
pub(in crate::protocol) fn too_deep(text: &[u8]) -> bool {
    // Few lines have that many brackets at all, and counting them costs next to nothing.
    if memchr::memchr2_iter(b'[', b'{', text).count() <= MAX_DEPTH {
        return false;
    }
    let (mut at, mut depth) = (0, 0_usize);
    while let Some(byte) = text.get(at) {
        match byte {
            b'"' => at = string_end(text, at),
            b'[' | b'{' => depth += 1,
            b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > MAX_DEPTH {
            return true;
        }
        at += 1;
    }
    false
}

/// True when a `\u` escape in `text` is half of a surrogate pair without the other half: no character, so no UTF-8.
pub(in crate::protocol) fn has_lone_surrogate(text: &[u8]) -> bool {
    let mut rest = text;
    while let Some(at) = memchr::memchr(b'\\', rest) {
        let escape = rest.get(at..).unwrap_or_default();
        let len = match (unit(escape), escape.get(6..).and_then(unit)) {
            (Some(0xd800..0xdc00), Some(0xdc00..0xe000)) => 12,
            (Some(0xd800..0xe000), _) => return true,
            (Some(_), _) => 6,
            // Any other escape has two bytes; so `\\u` is no escape of a unit.
            (None, _) => 2,
        };
        rest = escape.get(len..).unwrap_or_default();
    }
    false
}

/// The UTF-16 unit of the `\uXXXX` that `text` begins with.
fn unit(text: &[u8]) -> Option<u16> {
    let [b'\\', b'u', digits @ ..] = text.first_chunk::<6>()? else { return None };
    digits.iter().try_fold(0, |unit, digit| {
        let digit = char::from(*digit).to_digit(16)?;
        Some(unit << 4 | digit as u16)
    })
}

/// The offset of the quote that ends the string that begins at `start`; the end of the text when none does.
pub(in crate::protocol) fn string_end(text: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    loop {
        let Some(found) = text.get(at..).and_then(|rest| memchr::memchr2(b'"', b'\\', rest)) else {
            return text.len();
        };
        at += found;
        if text.get(at) == Some(&b'"') {
            return at;
        }
        at += 2;
    }
}

/// The texts of the elements of an array.
pub(in crate::protocol) struct Elements<'a> {
    text: &'a str,
    at: usize,
}

/// The elements of `array`, or `None` when it is not an array.
pub(in crate::protocol) fn elements(array: &str) -> Option<Elements<'_>> {
    array.starts_with('[').then_some(Elements { text: array, at: 1 })
}

impl<'a> Iterator for Elements<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        let bytes = self.text.as_bytes();
        let is_gap = |byte: &u8| matches!(byte, b',' | b' ' | b'\t' | b'\r' | b'\n');
        self.at += bytes.get(self.at..)?.iter().take_while(|byte| is_gap(byte)).count();
        if bytes.get(self.at) == Some(&b']') {
            return None;
        }
        let start = self.at;
        self.at = value_end(bytes, start);
        self.text.get(start..self.at)
    }
}

/// The offset after the value that begins at `start`.
fn value_end(text: &[u8], start: usize) -> usize {
    let (mut at, mut depth) = (start, 0_usize);
    while let Some(byte) = text.get(at) {
        match byte {
            b'"' => at = string_end(text, at),
            b'[' | b'{' => depth += 1,
            b']' | b'}' if depth > 0 => depth -= 1,
            // A number or a word ends before what follows it.
            b']' | b'}' | b',' | b' ' | b'\t' | b'\r' | b'\n' if depth == 0 => return at,
            _ => {}
        }
        at += 1;
        if depth == 0 && matches!(byte, b'"' | b']' | b'}') {
            return at;
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn depth() {
        let nested = |n: usize| format!("{}{}", "[".repeat(n), "]".repeat(n));
        assert!(!too_deep(nested(MAX_DEPTH).as_bytes()));
        assert!(too_deep(nested(MAX_DEPTH + 1).as_bytes()));
        assert!(too_deep("{\"a\":".repeat(100_000).as_bytes()));
        assert!(!too_deep("[],".repeat(1000).as_bytes()), "beside each other");
        assert!(!too_deep(format!("\"{}\"", "[{\\\"".repeat(1000)).as_bytes()), "inside a string");
        assert!(!too_deep("]".repeat(1000).as_bytes()));
    }

    #[test]
    fn surrogates() {
        let cases = [
            (r#""\ud83d\ude00""#, false),
            (r#""\uD83D\uDE00 \u00e9 \n \\ud800""#, false),
            (r#""\ud800""#, true),
            (r#""\ud800x\udc00""#, true),
            (r#""\udc00\ud800""#, true),
            (r#""\\\ud800""#, true),
            (r#""\ud83d\ud83d\ude00""#, true),
            (r#""\ud80"#, false),
            ("\\", false),
        ];
        for (text, lone) in cases {
            assert_eq!(has_lone_surrogate(text.as_bytes()), lone, "{text}");
        }
    }

    #[test]
    fn array_elements() {
        let cases: [(&str, &[&str]); 7] = [
            ("[]", &[]),
            ("[ ]", &[]),
            ("[1]", &["1"]),
            (
                r#"[ 1.0 ,"a]\"," , [2,[3]] ,{"k":[4 , "}"]}, null ]"#,
                &["1.0", r#""a]\",""#, "[2,[3]]", r#"{"k":[4 , "}"]}"#, "null"],
            ),
            ("[\"\",\"\"]", &["\"\"", "\"\""]),
            ("[[],{}]", &["[]", "{}"]),
            ("[-1e5,true]", &["-1e5", "true"]),
        ];
        for (text, expected) in cases {
            assert_eq!(elements(text).unwrap().collect::<Vec<_>>(), expected, "{text}");
        }
        assert!(elements("{}").is_none());
    }
}
