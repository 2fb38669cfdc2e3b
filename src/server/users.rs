//! Who may do what: the one rule behind all doors.
//!
//! (U1) With no users everybody may do everything; then the server is to be reached by nobody else (`Server::bind`).
//! (U2) With users, a client that has not said who it is may do nothing but say so, and leave.
//! (U3) Users of the server come from the configuration, and may use all numbered databases. Users of a named database
//!      (`dataset::accounts`) are others: their credentials give tokens for it (`gate`), and nothing else.
//! (U4) Whether there is a user of a name takes no longer or shorter to find out than that there is none (password P2).

use super::password::PasswordHash;
use crate::Result;
use crate::protocol::{Credentials, Denial, Reply};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The name of the user that need not be named.
pub(super) const DEFAULT: &str = "default";

/// Somebody who may use the server.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct User {
    /// The name; that of the one without a name is `default`.
    pub(super) name: String,
}

/// The users of a server.
#[derive(Debug)]
pub(super) struct Users {
    list: BTreeMap<String, (Arc<User>, PasswordHash)>,
    decoy: PasswordHash,
}

/// What takes long to look at.
#[derive(Debug)]
pub(super) enum Question {
    /// Which user of the server this is.
    User(Credentials<'static>),
    /// Whether this is the user of a database, who then gets a token for it.
    Login {
        /// Who, and the proof.
        credentials: Credentials<'static>,
        /// The database.
        database: String,
    },
    /// A database is to be made, by somebody who may.
    Make {
        /// What it is to be called.
        name: String,
        /// Its user.
        credentials: Credentials<'static>,
    },
}

/// What came of that.
#[derive(Debug)]
pub(super) enum Verdict {
    /// It is this user.
    Known(Arc<User>),
    /// It is nobody.
    Denied(Denial),
    /// This is what is to be answered.
    Answer(Reply),
}

impl Users {
    /// Those of a configuration.
    pub(super) fn new(hashes: &BTreeMap<String, PasswordHash>) -> Result<Users> {
        let user = |name: &String| Arc::new(User { name: name.clone() });
        let list = hashes.iter().map(|(name, hash)| (name.clone(), (user(name), hash.clone()))).collect();
        Ok(Users { list, decoy: PasswordHash::decoy()? })
    }

    /// Whether clients have to say who they are.
    pub(super) fn are_required(&self) -> bool {
        !self.list.is_empty()
    }

    /// Their names.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.list.keys().map(String::as_str)
    }

    /// Who shows these credentials. It takes long, on purpose.
    pub(super) fn verify(&self, credentials: &Credentials<'_>) -> Verdict {
        if !self.are_required() {
            return Verdict::Denied(Denial::NoUsers);
        }
        let found = self.list.get(credentials.user.as_deref().unwrap_or(DEFAULT));
        let hash = found.map(|(_, hash)| hash);
        match (self.is_right(hash, &credentials.password), found) {
            (true, Some((user, _))) => Verdict::Known(Arc::clone(user)),
            _ => Verdict::Denied(Denial::WrongCredentials),
        }
    }

    /// Whether a password is right, in the time that it takes also for nobody (U4).
    pub(super) fn is_right(&self, hash: Option<&PasswordHash>, password: &[u8]) -> bool {
        let is_of = hash.unwrap_or(&self.decoy).is_of(password);
        is_of && hash.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn credentials(user: Option<&'static str>, password: &'static str) -> Credentials<'static> {
        Credentials { user: user.map(Into::into), password: password.as_bytes().into() }
    }

    #[test]
    fn a_user_is_known_by_name_and_password() {
        let hash = |password: &str| PasswordHash::new(password).unwrap();
        let list = BTreeMap::from([("default".into(), hash("one")), ("anna".into(), hash("two"))]);
        let users = Users::new(&list).unwrap();
        let who = |user, password| match users.verify(&credentials(user, password)) {
            Verdict::Known(user) => user.name.clone(),
            Verdict::Denied(denial) => format!("{denial:?}"),
            Verdict::Answer(_) => unreachable!(),
        };
        assert_eq!(who(None, "one"), "default");
        assert_eq!(who(Some("default"), "one"), "default");
        assert_eq!(who(Some("anna"), "two"), "anna");
        for (user, password) in [(None, "two"), (Some("anna"), "one"), (Some("bert"), "one"), (None, "")] {
            assert_eq!(who(user, password), "WrongCredentials", "{user:?} {password}");
        }
        let nobody = Users::new(&BTreeMap::new()).unwrap();
        assert!(!nobody.are_required());
        let verdict = nobody.verify(&credentials(None, "x"));
        assert!(matches!(verdict, Verdict::Denied(Denial::NoUsers)));
    }
}
