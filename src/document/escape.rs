//! Strings as JSON has them, in ASCII: what is plain is copied as it lies, sixteen bytes at a time, for most of a document is.
//!
//! ```text
//! " and \                    behind a \
//! line feed, return, tab     \n \r \t
//! all else that is not from space to ~: \u and the four digits of each of its units of UTF-16
//! ```

use std::fmt::{self, Write};

/// Whether a byte does not stand for itself.
#[inline]
fn is_special(byte: u8) -> bool {
    // No short cuts, so that many are looked at with one instruction.
    (byte.wrapping_sub(b' ') > b'~' - b' ') | (byte == b'"') | (byte == b'\\')
}

#[inline]
fn all_plain<const N: usize>(bytes: &[u8; N]) -> bool {
    !bytes.iter().fold(false, |any, byte| any | is_special(*byte))
}

/// Whether all bytes stand for themselves.
#[inline]
fn is_plain(bytes: &[u8]) -> bool {
    // The last ones are looked at together with some that were: there is no rest that takes one step a byte.
    if let Some(last) = bytes.last_chunk::<16>() {
        bytes.as_chunks::<16>().0.iter().all(all_plain) && all_plain(last)
    } else if let (Some(first), Some(last)) = (bytes.first_chunk::<8>(), bytes.last_chunk::<8>()) {
        all_plain(first) & all_plain(last)
    } else {
        !bytes.iter().fold(false, |any, byte| any | is_special(*byte))
    }
}

/// How many bytes it begins with that stand for themselves.
fn plain_len(bytes: &[u8]) -> usize {
    let whole = 16 * bytes.as_chunks::<16>().0.iter().take_while(|chunk| all_plain(chunk)).count();
    let rest = bytes.get(whole..).unwrap_or_default();
    whole + rest.iter().take_while(|byte| !is_special(**byte)).count()
}

/// Writes a string.
pub(super) fn write_string(text: &str, f: &mut impl Write) -> fmt::Result {
    f.write_char('"')?;
    if is_plain(text.as_bytes()) {
        f.write_str(text)?
    } else {
        write_escaped(text, f)?
    }
    f.write_char('"')
}

/// Appends the string that these bytes are; `None` when they are none.
#[inline]
pub(super) fn push_string(bytes: &[u8], out: &mut Vec<u8>) -> Option<()> {
    out.push(b'"');
    if is_plain(bytes) {
        out.extend_from_slice(bytes);
    } else {
        write_escaped(std::str::from_utf8(bytes).ok()?, &mut Bytes(out)).ok()?;
    }
    out.push(b'"');
    Some(())
}

#[cold]
fn write_escaped(text: &str, f: &mut impl Write) -> fmt::Result {
    let mut rest = text;
    loop {
        let (plain, behind) = rest.split_at_checked(plain_len(rest.as_bytes())).unwrap_or((rest, ""));
        f.write_str(plain)?;
        let mut chars = behind.chars();
        let Some(char) = chars.next() else { return Ok(()) };
        rest = chars.as_str();
        match char {
            '"' => f.write_str("\\\"")?,
            '\\' => f.write_str("\\\\")?,
            '\n' => f.write_str("\\n")?,
            '\r' => f.write_str("\\r")?,
            '\t' => f.write_str("\\t")?,
            _ => {
                for unit in char.encode_utf16(&mut [0; 2]) {
                    write!(f, "\\u{unit:04x}")?;
                }
            }
        }
    }
}

/// Bytes that text is written to.
struct Bytes<'a>(&'a mut Vec<u8>);

impl Write for Bytes<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.extend_from_slice(text.as_bytes());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Both ways, of a string of any length with one special character anywhere.
    #[test]
    fn what_is_special_is_found_wherever_it_stands() {
        let specials = [
            ("\"", "\\\""),
            ("\\", "\\\\"),
            ("\n", "\\n"),
            ("\r", "\\r"),
            ("\t", "\\t"),
            ("\u{0}", "\\u0000"),
            ("\u{1f}", "\\u001f"),
            ("\u{7f}", "\\u007f"),
            ("\u{80}", "\\u0080"),
            ("é", "\\u00e9"),
            ("\u{1f600}", "\\ud83d\\ude00"),
            ("", ""),
            (" ~!#[]", " ~!#[]"),
        ];
        for (special, written) in specials {
            for len in 0..50 {
                for at in 0..=len {
                    let [before, behind] = [at, len - at].map(|count| "x".repeat(count));
                    let (text, expected) =
                        (format!("{before}{special}{behind}"), format!("\"{before}{written}{behind}\""));
                    let (mut string, mut bytes) = (String::new(), Vec::new());
                    write_string(&text, &mut string).unwrap();
                    push_string(text.as_bytes(), &mut bytes).unwrap();
                    assert_eq!((&*string, &*bytes), (&*expected, expected.as_bytes()));
                }
            }
        }
    }

    #[test]
    fn bytes_that_are_no_text_are_refused() {
        for bytes in [&b"\xff"[..], b"abc\xc3", b"\xed\xa0\x80", b"0123456789abcdef\xf0"] {
            assert_eq!(push_string(bytes, &mut Vec::new()), None);
        }
    }
}
