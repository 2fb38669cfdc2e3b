//! JSON text in its stored form.
//!
//! A value is kept as text, for numbers must come back as they were written: `1.0` as `1.0`, and an integer of a
//! hundred digits with all of them. The text is made plain in three ways, none of which changes what it says:
//!
//! 1. White space between tokens is dropped.
//! 2. Escapes in strings are replaced by the characters they stand for, where JSON allows those as they are.
//! 3. Of several members of one object with one name only the last is kept, in its place. After step 2 two names are
//!    equal exactly when their texts are.
//!
//! Given text that `serde_json` accepted and [`too_deep`](super::text::too_deep) did not refuse. Time is that of sorting
//! the names in each object; memory a small multiple of the text.
//!
//! Rejected: `serde_json::Value`, which is many times larger than its text, and which takes an object with a
//! certain member name for a number when numbers are kept as text.

use super::text::string_end;
use std::borrow::Cow;
use std::ops::Range;

/// The stored form of an array, object, number or word.
pub(in crate::protocol) fn compact(text: &str) -> Cow<'_, str> {
    let plain = match text.bytes().any(|byte| matches!(byte, b' ' | b'\t' | b'\r' | b'\n' | b'\\')) {
        true => Cow::Owned(respell(text)),
        false => Cow::Borrowed(text),
    };
    let superseded = superseded_members(&plain);
    if superseded.is_empty() { plain } else { Cow::Owned(without(&plain, &superseded)) }
}

/// Steps 1 and 2.
fn respell(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    while let Some(byte) = text.as_bytes().get(at) {
        let end = match byte {
            b'"' => string_end(text.as_bytes(), at) + 1,
            _ => token_end(text.as_bytes(), at),
        };
        let token = text.get(at..end).unwrap_or_default();
        match byte {
            b' ' | b'\t' | b'\r' | b'\n' => {}
            b'"' if token.contains('\\') => push_plainly(&mut out, token),
            _ => out.push_str(token),
        }
        at = end;
    }
    out
}

/// The end of a run of white space, or of a run without white space and strings.
fn token_end(text: &[u8], start: usize) -> usize {
    let is_space = |byte: u8| matches!(byte, b' ' | b'\t' | b'\r' | b'\n');
    let rest = text.get(start..).unwrap_or_default();
    let in_space = rest.first().is_some_and(|byte| is_space(*byte));
    let len = rest.iter().take_while(|byte| is_space(**byte) == in_space && **byte != b'"').count();
    start + len
}

/// Appends a string with as few escapes as JSON needs.
fn push_plainly(out: &mut String, token: &str) {
    let plain = serde_json::from_str::<String>(token).and_then(|text| serde_json::to_string(&text));
    // The parser accepted the token before; were it to change its mind, the token as it is says the same.
    out.push_str(plain.as_deref().unwrap_or(token));
}

/// Where a member of an object begins, and where its name ends. Lines are shorter than 4 GiB.
struct Member {
    start: u32,
    name_end: u32,
}

/// Walks the text once and says which members are followed by one of the same name in the same object, sorted.
fn superseded_members(text: &str) -> Vec<Range<u32>> {
    let bytes = text.as_bytes();
    // For every array or object we are in: where its members begin in `members`; arrays have none.
    let mut open: Vec<Option<usize>> = Vec::new();
    let (mut members, mut found) = (Vec::new(), Vec::new());
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'[' => open.push(None),
            b'{' => open.push(Some(members.len())),
            b']' | b'}' => {
                if let Some(Some(first)) = open.pop() {
                    find_superseded(text, members.get(first..).unwrap_or_default(), &mut found);
                    members.truncate(first);
                }
            }
            b'"' => at = string_end(bytes, at),
            _ => {}
        }
        at += 1;
        let name_follows = matches!(byte, b'{' | b',') && matches!(open.last(), Some(Some(_)));
        if name_follows && bytes.get(at) == Some(&b'"') {
            let name_end = string_end(bytes, at) + 1;
            members.push(Member { start: at as u32, name_end: name_end as u32 });
            at = name_end;
        }
    }
    found.sort_unstable_by_key(|range: &Range<u32>| range.start);
    found
}

/// Adds those of one object's members whose name comes again.
fn find_superseded(text: &str, members: &[Member], found: &mut Vec<Range<u32>>) {
    if members.len() < 2 {
        return;
    }
    let name = |at: u32| {
        let member = members.get(at as usize);
        member.and_then(|m| text.get(m.start as usize..m.name_end as usize)).unwrap_or_default()
    };
    // Sorted by number, which takes a quarter of the memory that references to them would.
    let mut order: Vec<u32> = (0..members.len() as u32).collect();
    order.sort_unstable_by(|a, b| name(*a).cmp(name(*b)).then(a.cmp(b)));
    for pair in order.windows(2) {
        if let [at, next] = pair
            && name(*at) == name(*next)
            // A member ends where the next one begins; the last one of an object is never superseded.
            && let Some([member, behind, ..]) = members.get(*at as usize..)
        {
            found.push(member.start..behind.start);
        }
    }
}

/// The text without some of its parts, which are sorted, and may lie in each other.
fn without(text: &str, parts: &[Range<u32>]) -> String {
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    for part in parts {
        out.push_str(text.get(at..part.start as usize).unwrap_or_default());
        at = at.max(part.end as usize);
    }
    out.push_str(text.get(at..).unwrap_or_default());
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stored_forms() {
        let cases = [
            ("1.0", "1.0"),
            ("-0", "-0"),
            ("1E+400", "1E+400"),
            ("123456789012345678901234567890", "123456789012345678901234567890"),
            ("null", "null"),
            ("[]", "[]"),
            ("[ 1 ,\t[ ] , \"a b\" ]", r#"[1,[],"a b"]"#),
            (r#"{"b":1, "a" : {"z": " \" "}}"#, r#"{"b":1,"a":{"z":" \" "}}"#),
            (r#"["\u00e9\ud83d\ude00\/\u0000\u000a\u0022"]"#, "[\"é😀/\\u0000\\n\\\"\"]"),
            (r#"{"a":1,"b":2,"a":3}"#, r#"{"b":2,"a":3}"#),
            (r#"{"a":1,"\u0061":2}"#, r#"{"a":2}"#),
            (r#"{"a":1,"a":2,"a":3}"#, r#"{"a":3}"#),
            (
                r#"{"a":{"x":1,"x":2},"b":[{"x":1,"x":[{"y":1,"y":2}]}],"a":0}"#,
                r#"{"b":[{"x":[{"y":2}]}],"a":0}"#,
            ),
            (r#"[{"a":1},{"a":2}]"#, r#"[{"a":1},{"a":2}]"#),
            (r#"{"a":"a","b":"a"}"#, r#"{"a":"a","b":"a"}"#),
            (r#"{"":1,"":2}"#, r#"{"":2}"#),
            (r#"{"$serde_json::private::Number":"1"}"#, r#"{"$serde_json::private::Number":"1"}"#),
        ];
        for (text, stored) in cases {
            assert!(serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok(), "{text}");
            assert_eq!(compact(text), stored, "{text}");
            assert!(matches!(compact(stored), Cow::Borrowed(_)) || stored.contains(['\\', ' ']), "{stored}");
        }
    }

    #[test]
    fn many_equal_names_take_no_square() {
        let many = format!("{{{}\"last\":0}}", "\"a\":1,\"b\":[],".repeat(100_000));
        assert_eq!(compact(&many), r#"{"a":1,"b":[],"last":0}"#);
    }
}
