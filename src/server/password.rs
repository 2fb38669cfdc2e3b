//! How passwords are kept: as what argon2id makes of them, in the text form that other programs read as well
//! (`$argon2id$v=19$m=19456,t=2,p=1$salt$hash`).
//!
//! (P1) The text of a password is nowhere but in the request that brings it, or in the setting that gives it.
//! (P2) Looking at a password takes as long whoever it is said to be of: where there is nobody, it is compared with
//!      [`PasswordHash::decoy`], and the outcome is thrown away.
//! (P3) What a hash may cost is bounded when it is read, for it is paid at every login, by strangers' wish.
//!
//! The comparison of the two hashes takes the same time wherever they differ; that is the crate's.

use crate::vfs::std::secret_bytes;
use crate::{Error, Result};
use argon2::password_hash::phc;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use argon2::{Argon2, Params};
use std::fmt;

/// The most memory that looking at a password may take, in KiB, and the most times it may be gone over.
const MOST_MEMORY: u32 = 256 << 10;
const MOST_TIMES: u32 = 16;

/// Made with the same parameters as ours, of nothing.
const DECOY: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$bm9ib2R5cyBzYWx0ISE$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// A password, kept so that nobody can read it.
///
/// ```
/// use siltstone::server::PasswordHash;
///
/// let hash = PasswordHash::new("correct horse")?;
/// assert!(hash.to_string().starts_with("$argon2id$"));
/// assert_eq!(PasswordHash::parse(&hash.to_string())?, hash);
/// # Ok::<(), siltstone::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordHash(phc::PasswordHash);

impl PasswordHash {
    /// What is kept of a password. It takes long, on purpose.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] for an empty one; [`Error::Io`] when the system has no random bytes.
    pub fn new(password: impl AsRef<[u8]>) -> Result<PasswordHash> {
        let password = password.as_ref();
        if password.is_empty() {
            return Err(Error::invalid("a password must not be empty"));
        }
        let salt = secret_bytes::<16>()?;
        let hash = Argon2::default().hash_password_with_salt(password, &salt);
        hash.map(PasswordHash)
            .map_err(|error| Error::invalid(format!("the password cannot be kept: {error}")))
    }

    /// Reads what [`PasswordHash`] displays.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] for what is no hash of argon2id, or one that would take too long to look at.
    pub fn parse(text: &str) -> Result<PasswordHash> {
        let no_hash = || {
            Error::invalid(
                "this is no hash of a password: `siltstone user hash` prints one that begins with $argon2id$",
            )
        };
        let hash = phc::PasswordHash::new(text).map_err(|_| no_hash())?;
        let cost = Params::try_from(&hash).map_err(|_| no_hash())?;
        if hash.algorithm.as_str() != "argon2id" || hash.salt.is_none() || hash.hash.is_none() {
            return Err(no_hash());
        }
        if cost.m_cost() > MOST_MEMORY || cost.t_cost() > MOST_TIMES {
            return Err(Error::invalid(format!(
                "this hash of a password takes too long to look at: m may be up to {MOST_MEMORY} and t up to {MOST_TIMES}"
            )));
        }
        Ok(PasswordHash(hash))
    }

    /// Whether it is of this password. It takes long, on purpose.
    pub(super) fn is_of(&self, password: &[u8]) -> bool {
        Argon2::default().verify_password(password, &self.0).is_ok()
    }

    /// One to look at where there is none (P2). What comes of it must not count.
    pub(super) fn decoy() -> Result<PasswordHash> {
        PasswordHash::parse(DECOY)
    }
}

impl fmt::Display for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PasswordHash")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_told_from_others() {
        let hash = PasswordHash::new("hunter2").unwrap();
        let read = PasswordHash::parse(&hash.to_string()).unwrap();
        assert!(read.is_of(b"hunter2"));
        for wrong in ["", "hunter", "hunter22", "Hunter2"] {
            assert!(!read.is_of(wrong.as_bytes()), "{wrong}");
        }
        assert_ne!(hash.to_string(), PasswordHash::new("hunter2").unwrap().to_string(), "the salt differs");
        assert_eq!(format!("{hash:?}"), "PasswordHash");
    }

    /// A hash that was made elsewhere, and the decoy has the cost of ours.
    #[test]
    fn hashes_are_of_the_known_form() {
        let own = PasswordHash::new("x").unwrap();
        let decoy = PasswordHash::decoy().unwrap();
        let cost = |hash: &PasswordHash| hash.to_string().split('$').nth(3).map(str::to_string);
        assert_eq!(cost(&own), cost(&decoy));
        for text in [
            "",
            "hunter2",
            "$argon2id$v=19$m=19456,t=2,p=1",
            "$argon2i$v=19$m=19456,t=2,p=1$bm9ib2R5cyBzYWx0ISE$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
            "$argon2id$v=19$m=4194304,t=2,p=1$bm9ib2R5cyBzYWx0ISE$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
            "$argon2id$v=19$m=19456,t=900,p=1$bm9ib2R5cyBzYWx0ISE$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        ] {
            assert!(PasswordHash::parse(text).is_err(), "{text}");
        }
    }
}
