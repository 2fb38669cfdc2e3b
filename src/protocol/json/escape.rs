//! JSON in ASCII.
//!
//! Clients decode what they receive piece by piece, and count characters where bytes are meant; both go well only when
//! every character is one byte. So whatever is above U+007E is written as `\uXXXX`, and above U+FFFF as a surrogate
//! pair.

const HEX: &[u8; 16] = b"0123456789abcdef";

/// The most bytes that `text` has when it is escaped, without quotes: of a character above U+007E six for every two of its
/// bytes at most.
pub(in crate::protocol) fn most_escaped(text: &[u8]) -> usize {
    let most = |byte: &u8| match byte {
        b'"' | b'\\' => 2,
        b' '..=b'~' => 1,
        0x80.. => 3,
        _ => 6,
    };
    text.iter().map(most).sum()
}

/// Appends `text` as a JSON string.
pub(in crate::protocol) fn push_string(out: &mut Vec<u8>, text: &str) {
    out.reserve(text.len() + 2);
    out.push(b'"');
    push_runs(out, text, |byte| matches!(byte, b' '..=b'~') && byte != b'"' && byte != b'\\', push_char);
    out.push(b'"');
}

/// Appends JSON text. Line ends in it are left out: they can only stand between tokens, and would end the reply.
pub(in crate::protocol) fn push_json(out: &mut Vec<u8>, text: &str) {
    out.reserve(text.len());
    push_runs(
        out,
        text,
        |byte| matches!(byte, b' '..=b'~'),
        |out, character| {
            if character >= '\x7f' {
                push_char(out, character);
            }
        },
    );
}

/// Appends runs of plain bytes as they are, and gives every other character to `push`.
fn push_runs(
    out: &mut Vec<u8>,
    mut text: &str,
    plain: impl Fn(u8) -> bool,
    push: impl Fn(&mut Vec<u8>, char),
) {
    loop {
        let run = text.bytes().position(|byte| !plain(byte)).unwrap_or(text.len());
        // The run is ASCII, so it ends between characters.
        let (head, tail) = text.split_at_checked(run).unwrap_or((text, ""));
        out.extend_from_slice(head.as_bytes());
        let mut characters = tail.chars();
        let Some(character) = characters.next() else { return };
        push(out, character);
        text = characters.as_str();
    }
}

/// Appends the escape of one character inside a string.
fn push_char(out: &mut Vec<u8>, character: char) {
    let short = match character {
        '"' => b'"',
        '\\' => b'\\',
        '\n' => b'n',
        '\r' => b'r',
        '\t' => b't',
        _ => {
            for unit in character.encode_utf16(&mut [0; 2]) {
                let digit = |shift: u16| HEX.get(usize::from(*unit >> shift & 15)).copied().unwrap_or(b'0');
                out.extend_from_slice(&[b'\\', b'u', digit(12), digit(8), digit(4), digit(0)]);
            }
            return;
        }
    };
    out.extend_from_slice(&[b'\\', short]);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn string(text: &str) -> String {
        let mut out = Vec::new();
        push_string(&mut out, text);
        assert!(out.is_ascii());
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn strings() {
        assert_eq!(string(""), r#""""#);
        assert_eq!(string("plain"), r#""plain""#);
        assert_eq!(string("a\"b\\c\nd\re\tf\0g\x1f"), r#""a\"b\\c\nd\re\tf\u0000g\u001f""#);
        assert_eq!(string("é€😀\x7f"), r#""\u00e9\u20ac\ud83d\ude00\u007f""#);
    }

    #[test]
    fn every_character_comes_back() {
        let all: String = ('\0'..='\u{ffff}').step_by(7).chain(['\u{10000}', '\u{10ffff}', 'x']).collect();
        assert_eq!(serde_json::from_str::<String>(&string(&all)).unwrap(), all);
    }

    #[test]
    fn json_text_loses_only_line_ends() {
        let mut out = Vec::new();
        push_json(&mut out, "{\r\n\t\"é\\n\": \"😀\"\n}");
        assert_eq!(String::from_utf8(out).unwrap(), r#"{"\u00e9\n": "\ud83d\ude00"}"#);
    }
}
