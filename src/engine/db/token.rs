//! Where a walk was interrupted, as bytes that may leave the process and come back.
//!
//! ```text
//! token = "SilR"            what it is
//!         version  u8       1
//!         database u64      its id
//!         keyspace varint length, name; empty for the one without
//!         lower    varint length, the lowest key that is left
//!         bounded  u8       1 when there is an upper bound, 0 when not
//!         upper    varint length, the lowest key behind; only if `bounded`
//!         crc      u32      CRC-32 of all before
//! ```
//!
//! Both ends are in it, so either direction can be gone on with. It names the keyspace by its name and not by its number: a
//! checkpoint has the same id as the database it was made of, and a token is as good for the one as for the other.
//!
//! The checksum finds accidents. Who forges a token reads what he could have asked for.

use crate::engine::coding::{Reader, put_bytes};
use crate::engine::key::MAX_KEY_LEN;
use crate::{Error, Result};

const MAGIC: &[u8; 4] = b"SilR";
const VERSION: u8 = 1;

/// What a token says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token<'a> {
    /// The id of the database.
    pub database: u64,
    /// The name of the keyspace.
    pub keyspace: &'a str,
    /// The lowest key that is left.
    pub lower: &'a [u8],
    /// The lowest key behind what is left.
    pub upper: Option<&'a [u8]>,
}

impl<'a> Token<'a> {
    /// Its bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let upper = self.upper.map_or(0, <[u8]>::len);
        let mut out = Vec::with_capacity(self.keyspace.len() + self.lower.len() + upper + 32);
        out.extend_from_slice(MAGIC);
        out.push(VERSION);
        out.extend_from_slice(&self.database.to_le_bytes());
        put_bytes(&mut out, self.keyspace.as_bytes());
        put_bytes(&mut out, self.lower);
        out.push(u8::from(self.upper.is_some()));
        if let Some(upper) = self.upper {
            put_bytes(&mut out, upper);
        }
        let crc = crc32fast::hash(&out);
        out.extend_from_slice(&crc.to_le_bytes());
        out
    }

    /// Reads one.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`], with what to do.
    pub fn decode(bytes: &'a [u8]) -> Result<Token<'a>> {
        let refuse = |why: &str| Err(Error::invalid(format!("the resume token {why}")));
        let Some(rest) = bytes.strip_prefix(MAGIC) else {
            return refuse("is none: give one as `resume_token` or a page has handed it out");
        };
        let damaged = "is cut off or changed: give it as it was handed out, or begin the range anew";
        let Some((body, crc)) = bytes.split_last_chunk::<4>() else { return refuse(damaged) };
        if crc32fast::hash(body) != u32::from_le_bytes(*crc) {
            return refuse(damaged);
        }
        if rest.first() != Some(&VERSION) {
            return refuse("was made by another version: begin the range anew");
        }
        match Token::read(body) {
            Some(token) => Ok(token),
            None => refuse(damaged),
        }
    }

    fn read(body: &'a [u8]) -> Option<Token<'a>> {
        let mut r = Reader::new(body);
        r.take(MAGIC.len() + 1)?;
        let database = r.u64()?;
        let keyspace = std::str::from_utf8(r.bytes()?).ok()?;
        // The key behind the longest one is a byte longer.
        let fits = |key: &&[u8]| key.len() <= MAX_KEY_LEN + 1;
        let lower = r.bytes().filter(fits)?;
        let upper = match r.u8()? {
            0 => None,
            1 => Some(r.bytes().filter(fits)?),
            _ => return None,
        };
        r.is_empty().then_some(Token { database, keyspace, lower, upper })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: Token<'_> =
        Token { database: 0x0102_0304_0506_0708, keyspace: "orders", lower: b"key\0", upper: Some(b"z") };

    #[test]
    fn a_token_is_these_bytes() {
        let bytes = b"SilR\x01\x08\x07\x06\x05\x04\x03\x02\x01\x06orders\x04key\0\x01\x01z";
        let crc = crc32fast::hash(bytes).to_le_bytes();
        assert_eq!(TOKEN.encode(), [&bytes[..], &crc].concat());
    }

    #[test]
    fn tokens_round_trip_and_every_change_is_noticed() {
        let open = Token { keyspace: "", lower: b"", upper: None, ..TOKEN };
        for token in [TOKEN, open] {
            let bytes = token.encode();
            assert_eq!(Token::decode(&bytes).unwrap(), token);
            for cut in 0..bytes.len() {
                let error = Token::decode(&bytes[..cut]).unwrap_err();
                assert!(matches!(error, Error::InvalidArgument { .. }), "{error}");
            }
            for bit in 0..bytes.len() * 8 {
                let mut changed = bytes.clone();
                changed[bit / 8] ^= 1 << (bit % 8);
                assert!(Token::decode(&changed).is_err(), "bit {bit}");
            }
        }
    }

    /// With a right checksum, too, nothing but a token is taken for one.
    #[test]
    fn what_is_no_token_is_refused() {
        let sealed = |body: &[u8]| [body, &crc32fast::hash(body).to_le_bytes()].concat();
        let whole = TOKEN.encode();
        let body = &whole[..whole.len() - 4];
        assert!(Token::decode(&sealed(body)).is_ok());
        for cut in 5..body.len() {
            assert!(Token::decode(&sealed(&body[..cut])).is_err(), "{cut}");
        }
        assert!(Token::decode(&sealed(&[body, b"!"].concat())).is_err());
        let newer = Token::decode(&sealed(&[&b"SilR\x02"[..], &body[5..]].concat())).unwrap_err();
        assert!(newer.to_string().contains("another version"), "{newer}");
    }
}
