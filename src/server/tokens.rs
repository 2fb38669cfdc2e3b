//! What a login gives: 128 random bits, as 32 upper-case hexadecimal digits, which say who asks on any connection until they
//! expire.
//!
//! (T1) Only a digest of a token is kept. Looking one up compares digests, whose bytes nobody can choose one after the other:
//!      how long it takes says something of digests, and from a digest no token can be found.
//! (T2) A token ends a fixed time after its login, however much it is used: one that was stolen ends, too.
//! (T3) There are at most [`MOST`]; of more, the oldest go. They are in memory, so all end with the server.

use crate::Result;
use crate::sync::plain::Mutex;
use crate::vfs::std::secret_bytes;
use blake2::{Blake2s256, Digest};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// How many tokens there are at a time: some two megabytes.
const MOST: usize = 10_000;

/// Whom a token stands for.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Grant {
    /// The database.
    pub(super) database: String,
    /// Its user.
    pub(super) user: String,
}

/// The tokens that were given.
#[derive(Debug)]
pub(super) struct Tokens {
    life: Duration,
    given: Mutex<Given>,
}

type Key = [u8; 32];

#[derive(Debug, Default)]
struct Given {
    by_digest: BTreeMap<Key, Arc<Grant>>,
    /// All of them, those that end first in front.
    ends: VecDeque<(Instant, Key)>,
}

impl Tokens {
    /// None yet; each will be good for so long.
    pub(super) fn new(life: Duration) -> Tokens {
        Tokens { life, given: Mutex::new(Given::default()) }
    }

    /// A new one.
    pub(super) fn give(&self, grant: Grant) -> Result<String> {
        let token = u128::from_le_bytes(secret_bytes()?);
        let token = format!("{token:032X}");
        let key = digest(&token);
        let mut given = self.given.lock();
        given.forget(Instant::now(), MOST - 1);
        given.by_digest.insert(key, Arc::new(grant));
        given.ends.push_back((Instant::now() + self.life, key));
        Ok(token)
    }

    /// Whom it stands for, if it is one.
    pub(super) fn find(&self, token: &str) -> Option<Arc<Grant>> {
        let key = digest(token);
        let mut given = self.given.lock();
        given.forget(Instant::now(), MOST);
        given.by_digest.get(&key).cloned()
    }
}

impl Given {
    /// Lets go of those that have ended, and of the oldest until there are at most so many.
    fn forget(&mut self, now: Instant, most: usize) {
        while let Some((end, key)) = self.ends.front()
            && (*end <= now || self.ends.len() > most)
        {
            self.by_digest.remove(key);
            self.ends.pop_front();
        }
    }
}

fn digest(token: &str) -> Key {
    Blake2s256::digest(token).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grant(user: &str) -> Grant {
        Grant { database: "shop".into(), user: user.into() }
    }

    #[test]
    fn a_token_stands_for_who_got_it() {
        let tokens = Tokens::new(Duration::from_secs(60));
        let token = tokens.give(grant("anna")).unwrap();
        assert_eq!(token.len(), 32);
        assert!(token.bytes().all(|b| b.is_ascii_digit() || (b'A'..=b'F').contains(&b)));
        assert_eq!(*tokens.find(&token).unwrap(), grant("anna"));
        for wrong in ["", &token.to_lowercase(), &token[1..], &format!("{token} ")] {
            assert!(wrong == token || tokens.find(wrong).is_none(), "{wrong}");
        }
        assert_ne!(tokens.give(grant("anna")).unwrap(), token);
    }

    #[test]
    fn tokens_end() {
        let tokens = Tokens::new(Duration::ZERO);
        let token = tokens.give(grant("anna")).unwrap();
        assert!(tokens.find(&token).is_none());
        assert!(tokens.given.lock().by_digest.is_empty() && tokens.given.lock().ends.is_empty());
    }

    #[test]
    fn the_oldest_go() {
        let tokens = Tokens::new(Duration::from_secs(60));
        let first = tokens.give(grant("first")).unwrap();
        let second = tokens.give(grant("second")).unwrap();
        for _ in 0..MOST - 1 {
            tokens.give(grant("more")).unwrap();
        }
        assert!(tokens.find(&first).is_none() && tokens.find(&second).is_some());
        assert_eq!(tokens.given.lock().by_digest.len(), MOST);
    }
}
