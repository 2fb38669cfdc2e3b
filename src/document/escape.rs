//! Strings as JSON has them: as documents are stored, and in ASCII, as answers are written.
//!
//! ```text
//! stored     " and \                    behind a \
//!            line feed, return, tab     \n \r \t
//!            all else below the space   \u and four digits
//! in ASCII   as stored, and of what is not from space to ~ each unit of UTF-16 as \u and four digits
//! ```
//!
//! What is plain is copied as it lies, and looked at sixteen bytes at a time: it is most of a document.

use std::fmt::{self, Write};

/// Whether a byte does not stand for itself.
#[inline]
fn is_special(byte: u8) -> bool {
    // No short cuts, so that many are looked at with one instruction.
    (byte < b' ') | (byte == b'"') | (byte == b'\\')
}

#[inline]
fn all_plain<const N: usize>(bytes: &[u8; N]) -> bool {
    !bytes.iter().fold(false, |any, byte| any | is_special(*byte))
}

/// Whether all bytes stand for themselves.
#[inline]
pub(super) fn is_plain(bytes: &[u8]) -> bool {
    // The last ones are looked at together with some that were: there is no rest that takes one step a byte.
    if let Some(last) = bytes.last_chunk::<16>() {
        bytes.as_chunks::<16>().0.iter().all(all_plain) && all_plain(last)
    } else if let (Some(first), Some(last)) = (bytes.first_chunk::<8>(), bytes.last_chunk::<8>()) {
        all_plain(first) & all_plain(last)
    } else {
        !bytes.iter().fold(false, |any, byte| any | is_special(*byte))
    }
}

/// How many bytes it begins with that stand for themselves. Eight at a time.
#[inline]
pub(super) fn plain_len(bytes: &[u8]) -> usize {
    let (chunks, rest) = bytes.as_chunks::<8>();
    for (at, chunk) in chunks.iter().enumerate() {
        let special = specials(u64::from_le_bytes(*chunk));
        if special != 0 {
            return 8 * at + special.trailing_zeros() as usize / 8;
        }
    }
    let first = rest.iter().position(|byte| is_special(*byte));
    bytes.len() - rest.len() + first.unwrap_or(rest.len())
}

/// The high bit of the first byte that is special, and maybe of later ones: subtracting borrows from them.
#[inline]
fn specials(word: u64) -> u64 {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x8080_8080_8080_8080;
    let zero = |word: u64| word.wrapping_sub(ONES) & !word;
    let control = word.wrapping_sub(ONES * 0x20) & !word;
    (control | zero(word ^ (ONES * 0x22)) | zero(word ^ (ONES * 0x5c))) & HIGH
}

/// Appends a string as it is stored; whether all of it is plain.
#[inline]
pub(super) fn push_string(text: &str, out: &mut Vec<u8>) -> bool {
    let plain = is_plain(text.as_bytes());
    out.push(b'"');
    if plain {
        out.extend_from_slice(text.as_bytes());
    } else {
        push_escaped(text.as_bytes(), out);
    }
    out.push(b'"');
    plain
}

#[cold]
fn push_escaped(mut rest: &[u8], out: &mut Vec<u8>) {
    loop {
        let (plain, behind) = rest.split_at_checked(plain_len(rest)).unwrap_or((rest, &[]));
        out.extend_from_slice(plain);
        let Some((special, behind)) = behind.split_first() else { return };
        rest = behind;
        match special {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            _ => {
                const DIGITS: [u8; 16] = *b"0123456789abcdef";
                let digit = |at: u8| DIGITS.get(usize::from(at & 15)).copied().unwrap_or_default();
                out.extend_from_slice(&[b'\\', b'u', b'0', b'0', digit(special >> 4), digit(*special)]);
            }
        }
    }
}

/// Writes a string in ASCII.
pub(super) fn write_string(text: &str, f: &mut impl Write) -> fmt::Result {
    if is_printable(text) && is_plain(text.as_bytes()) {
        f.write_char('"')?;
        f.write_str(text)?;
        return f.write_char('"');
    }
    let mut stored = Vec::with_capacity(text.len() + 2);
    push_string(text, &mut stored);
    // Nothing was put between the bytes of a character.
    write_ascii(std::str::from_utf8(&stored).unwrap_or_default(), f)
}

/// Whether what is stored is written so in ASCII, too.
#[inline]
pub(super) fn is_printable(json: &str) -> bool {
    !json.bytes().fold(false, |any, byte| any | (byte > b'~'))
}

/// Writes what is stored, in ASCII.
pub(super) fn write_ascii(json: &str, f: &mut impl Write) -> fmt::Result {
    let mut rest = json;
    loop {
        let len = rest.bytes().position(|byte| byte > b'~').unwrap_or(rest.len());
        let (ascii, behind) = rest.split_at_checked(len).unwrap_or((rest, ""));
        f.write_str(ascii)?;
        let mut chars = behind.chars();
        let Some(char) = chars.next() else { return Ok(()) };
        rest = chars.as_str();
        for unit in char.encode_utf16(&mut [0; 2]) {
            write!(f, "\\u{unit:04x}")?;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of a string of any length with one special character anywhere.
    #[test]
    fn what_is_special_is_found_wherever_it_stands() {
        let specials = [
            ("\"", "\\\"", "\\\""),
            ("\\", "\\\\", "\\\\"),
            ("\n", "\\n", "\\n"),
            ("\r", "\\r", "\\r"),
            ("\t", "\\t", "\\t"),
            ("\u{0}", "\\u0000", "\\u0000"),
            ("\u{1f}", "\\u001f", "\\u001f"),
            ("\u{7f}", "\u{7f}", "\\u007f"),
            ("\u{80}", "\u{80}", "\\u0080"),
            ("é", "é", "\\u00e9"),
            ("\u{1f600}", "\u{1f600}", "\\ud83d\\ude00"),
            ("", "", ""),
            (" ~!#[]", " ~!#[]", " ~!#[]"),
        ];
        for (special, stored, in_ascii) in specials {
            for len in 0..50 {
                for at in 0..=len {
                    let [before, behind] = [at, len - at].map(|count| "x".repeat(count));
                    let around = |special: &str| format!("{before}{special}{behind}");
                    let text = around(special);
                    let (mut string, mut bytes) = (String::new(), Vec::new());
                    write_string(&text, &mut string).unwrap();
                    assert_eq!(string, format!("\"{}\"", around(in_ascii)));
                    assert_eq!(push_string(&text, &mut bytes), special == stored);
                    assert_eq!(bytes, format!("\"{}\"", around(stored)).as_bytes());
                    assert_eq!(plain_len(text.as_bytes()), if special == stored { text.len() } else { at });
                }
            }
        }
    }
}
