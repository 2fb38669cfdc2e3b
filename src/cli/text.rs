//! Bytes as text that a person can type and read.
//!
//! ```text
//! text = (char | '\\' '\\' | '\\' 'x' hex hex)*
//! ```
//!
//! A character that can be shown stands for its UTF-8 bytes; every other byte is written `\xNN`, and a backslash is
//! doubled. What [`show`] prints, [`Key`] reads back.

use std::fmt::Write;
use std::str::FromStr;

/// A key as it was typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key(pub Vec<u8>);

impl AsRef<[u8]> for Key {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl FromStr for Key {
    type Err = String;

    fn from_str(text: &str) -> Result<Key, String> {
        let mut bytes = Vec::with_capacity(text.len());
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('\\') {
            bytes.extend_from_slice(before.as_bytes());
            let (byte, tail) = escape(after)?;
            bytes.push(byte);
            rest = tail;
        }
        bytes.extend_from_slice(rest.as_bytes());
        Ok(Key(bytes))
    }
}

/// The byte that an escape stands for, and what comes after it.
fn escape(after: &str) -> Result<(u8, &str), String> {
    if let Some(tail) = after.strip_prefix('\\') {
        return Ok((b'\\', tail));
    }
    let digits = after.strip_prefix('x').and_then(|hex| hex.split_at_checked(2));
    let is_hex = |digits: &str| digits.bytes().all(|b| b.is_ascii_hexdigit());
    let byte = digits.filter(|(hex, _)| is_hex(hex)).and_then(|(hex, tail)| {
        let byte = u8::from_str_radix(hex, 16).ok()?;
        Some((byte, tail))
    });
    byte.ok_or_else(|| {
        let shown: String = after.chars().take(3).collect();
        format!(r"`\{shown}` stands for no byte: write `\\` for a backslash, `\xNN` for any byte")
    })
}

/// `bytes` as one line of text.
pub fn show(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '\\' => out.push_str(r"\\"),
                c if c.is_control() => hex(&mut out, c.encode_utf8(&mut [0; 4]).as_bytes()),
                c => out.push(c),
            }
        }
        hex(&mut out, chunk.invalid());
    }
    out
}

fn hex(out: &mut String, bytes: &[u8]) {
    for byte in bytes {
        // Writing into a string cannot fail.
        let _ = write!(out, r"\x{byte:02x}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_reads_back() {
        let cases: [(&[u8], &str); 7] = [
            (b"", ""),
            (b"user:1 ", "user:1 "),
            ("blå".as_bytes(), "blå"),
            (b"\0\xff\x80z", r"\x00\xff\x80z"),
            (b"a\\x41", r"a\\x41"),
            (b"tab\there\n", r"tab\x09here\x0a"),
            (b"\xc3", r"\xc3"),
        ];
        for (bytes, text) in cases {
            assert_eq!(show(bytes), text);
            assert_eq!(text.parse(), Ok(Key(bytes.to_vec())));
        }
        let all: Vec<u8> = (0..=255).collect();
        assert_eq!(show(&all).parse(), Ok(Key(all)));
    }

    #[test]
    fn an_escape_that_means_nothing_is_an_error_with_the_way_out() {
        for text in [r"\", r"\n", r"\x", r"\x4", r"\xzz", r"\x+1", r"\xé1", r"a\x4é"] {
            let error = text.parse::<Key>().unwrap_err();
            assert!(error.contains(r"\xNN"), "{text}: {error}");
        }
        assert_eq!(r"\x4F".parse(), Ok(Key(b"O".to_vec())));
    }
}
