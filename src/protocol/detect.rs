//! Which protocol a client speaks, by the first bytes that it sends.
//!
//! ```text
//! {              JSON lines
//! *              RESP
//! QUERY_LENGTH   JSON behind its length, in any case of the letters; what begins so and is shorter tells nothing yet
//! 0x16           the first byte of a TLS handshake
//! printable      RESP, a command typed by hand; HTTP begins so as well, and the door of RESP turns it away
//! anything else  none
//! ```
//!
//! White space before it is skipped. What was found holds for the whole connection. The protocol of text lines is not told from
//! RESP by what a client sends, and its clients wait to be greeted: it has a port of its own.

use super::framed;

/// What the first bytes tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Detected {
    /// Not enough yet. Only the [`blank`] bytes may be forgotten: what follows may be the beginning of a word.
    More,
    /// One JSON object a line.
    JsonLines,
    /// RESP.
    Resp,
    /// JSON behind its length.
    Framed,
    /// The beginning of a TLS handshake, where none is expected.
    Tls,
    /// None that is known.
    Unknown,
}

/// How many bytes of white space there are at the front.
#[must_use]
pub fn blank(input: &[u8]) -> usize {
    input.iter().take_while(|byte| byte.is_ascii_whitespace()).count()
}

/// Which protocol `input` begins.
#[must_use]
pub fn detect(input: &[u8]) -> Detected {
    let rest = input.get(blank(input)..).unwrap_or_default();
    // Of the first bytes as many as both have.
    let head = rest.get(..framed::NAME.len()).unwrap_or(rest);
    let like_a_name = framed::NAME.get(..head.len()).is_some_and(|name| name.eq_ignore_ascii_case(head));
    match rest.first() {
        None => Detected::More,
        Some(_) if like_a_name && head.len() < framed::NAME.len() => Detected::More,
        Some(_) if like_a_name => Detected::Framed,
        Some(b'{') => Detected::JsonLines,
        Some(0x16) => Detected::Tls,
        Some(b'!'..=b'~') => Detected::Resp,
        Some(_) => Detected::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_bytes() {
        let cases: [(&[u8], Detected); 17] = [
            (b"", Detected::More),
            (b"\r\n\n", Detected::More),
            (b" \t\n{", Detected::JsonLines),
            (b"*1\r\n", Detected::Resp),
            (b"PING\r\n", Detected::Resp),
            (b"QUIT", Detected::Resp),
            (b"Q", Detected::More),
            (b"\r\nQU", Detected::More),
            (b"Q\r\n", Detected::Resp),
            (b"qUERY_lengt", Detected::More),
            (b"QUERY_LENGTH", Detected::Framed),
            (b"\nquery_length:5", Detected::Framed),
            (b"QUERY LENGTH", Detected::Resp),
            (b"QUERY_LENGTX", Detected::Resp),
            (b"\x16\x03\x01", Detected::Tls),
            (b"\0", Detected::Unknown),
            (b"\xff", Detected::Unknown),
        ];
        for (input, expected) in cases {
            assert_eq!(detect(input), expected, "{}", input.escape_ascii());
        }
    }
}
