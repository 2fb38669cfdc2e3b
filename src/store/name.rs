//! What databases and tables may be called.

use crate::{Error, Result};

/// How many bytes a name may have.
const MOST_NAME: usize = 64;

/// Says what is wrong with the name of a database, or of a table: they begin with a letter.
pub fn check_name(name: &str) -> Result<()> {
    let mut bytes = name.bytes();
    let begins = bytes.next().is_some_and(|b| b.is_ascii_alphabetic() || b == b'_');
    if begins && bytes.all(|b| b.is_ascii_alphanumeric() || b == b'_') && name.len() <= MOST_NAME {
        return Ok(());
    }
    Err(Error::invalid(format!(
        "a name has letters of English, digits and _, does not begin with a digit, and has up to {MOST_NAME} characters"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_bounded() {
        for name in ["a", "_", "Shop_2", &"x".repeat(64)] {
            assert!(check_name(name).is_ok(), "{name}");
        }
        for name in ["", "2x", "a-b", "a/b", "ä", "a b", &"x".repeat(65)] {
            assert!(check_name(name).is_err(), "{name}");
        }
    }
}
