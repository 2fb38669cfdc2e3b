//! The named databases of the framed protocol, each with its one user.
//!
//! ```text
//! keyspace siltstone/system
//! key      "database/" name
//! value    1 byte    the version of this layout, 1
//!          1 byte    how many bytes the name of the user has
//!          n bytes   the name of the user, UTF-8
//!          the rest  what is kept of the password, ASCII: `$argon2id$...`
//! ```
//!
//! (A1) Of two who make a database of one name at a time, one finds that it is there.

use super::Dataset;
use super::spaces::Space;
use crate::store::check_name;
use crate::{Error, Result, WriteBatch};

const PREFIX: &[u8] = b"database/";
const VERSION: u8 = 1;

/// How many bytes the name of a user may have.
const MOST_USER: usize = 128;

/// The user of a database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// Its name.
    pub user: String,
    /// What is kept of its password; never the password.
    pub hash: String,
}

/// Says what is wrong with the name of a user.
pub fn check_user(user: &str) -> Result<()> {
    if user.is_empty() || user.len() > MOST_USER || user.chars().any(char::is_control) {
        return Err(Error::invalid(format!(
            "the name of a user has 1 to {MOST_USER} bytes, and no control characters"
        )));
    }
    Ok(())
}

impl Account {
    fn encode(&self) -> Result<Vec<u8>> {
        check_user(&self.user)?;
        let len =
            u8::try_from(self.user.len()).map_err(|_| Error::invalid("the name of the user is too long"))?;
        Ok([&[VERSION, len], self.user.as_bytes(), self.hash.as_bytes()].concat())
    }

    fn decode(stored: &[u8]) -> Option<Account> {
        let ([VERSION, len], rest) = stored.split_first_chunk()? else { return None };
        let (user, hash) = rest.split_at_checked(usize::from(*len))?;
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).ok();
        Some(Account { user: text(user)?, hash: text(hash)? })
    }
}

impl Dataset {
    /// The user of a database, if there is one of this name. It may wait for a disk.
    ///
    /// # Errors
    /// What kept the engine from answering.
    pub fn account(&self, name: &str) -> Result<Option<Account>> {
        if check_name(name).is_err() {
            return Ok(None);
        }
        let found = self.engine.find(self.spaces.get(Space::SYSTEM)?, &key(name))?;
        let Some(found) = found else { return Ok(None) };
        let damaged = || {
            Error::invalid(format!("what is stored of the database {name} makes no sense to this version"))
        };
        Account::decode(&found.value).ok_or_else(damaged).map(Some)
    }

    /// Makes a database, unless there is one of this name; whether it did. It waits until that is durable.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] for names that cannot be; what kept the engine from writing.
    pub fn make_account(&self, name: &str, account: &Account) -> Result<bool> {
        check_name(name)?;
        let value = account.encode()?;
        let _alone = self.making.lock();
        if self.account(name)?.is_some() {
            return Ok(false);
        }
        let mut batch = WriteBatch::new();
        batch.within(self.spaces.get(Space::SYSTEM)?).put(key(name), value);
        self.engine.write(batch, None)?.wait()?;
        Ok(true)
    }
}

fn key(name: &str) -> Vec<u8> {
    [PREFIX, name.as_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::MemoryEngine;
    use std::sync::Arc;

    fn anna() -> Account {
        Account { user: "anna".into(), hash: "$argon2id$x".into() }
    }

    #[test]
    fn the_bytes_are_these() {
        let bytes = b"\x01\x04anna$argon2id$x";
        assert_eq!(anna().encode().unwrap(), bytes);
        assert_eq!(Account::decode(bytes), Some(anna()));
        for len in 0..6 {
            assert_eq!(Account::decode(&bytes[..len]), None);
        }
        assert_eq!(Account::decode(b"\x02\x04anna$argon2id$x"), None);
        for at in 0..bytes.len() * 8 {
            let mut flipped = bytes.to_vec();
            flipped[at / 8] ^= 1 << (at % 8);
            assert_ne!(Account::decode(&flipped), Some(anna()));
        }
    }

    #[test]
    fn a_database_is_made_once() {
        let data = Dataset::open(Arc::new(MemoryEngine::new()), 1 << 20).unwrap();
        assert_eq!(data.account("shop").unwrap(), None);
        assert!(data.make_account("shop", &anna()).unwrap());
        let other = Account { user: "bert".into(), hash: "$".into() };
        assert!(!data.make_account("shop", &other).unwrap());
        assert_eq!(data.account("shop").unwrap(), Some(anna()));
        assert!(data.make_account("Shop", &other).unwrap(), "another name");
    }

    #[test]
    fn names_of_users_are_bounded() {
        assert!(check_user("änna b").is_ok());
        for user in ["", "a\nb", &"x".repeat(129)] {
            assert!(check_user(user).is_err(), "{user}");
        }
    }
}
