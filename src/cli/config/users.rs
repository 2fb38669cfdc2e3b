//! The users of the server: those of a file, and the one that the password in the settings is for.
//!
//! ```text
//! file = line*        line = "#" anything | blank | name ":" hash, as `siltstone user hash NAME` prints
//! ```

use super::Config;
use anyhow::{Context, bail};
use siltstone::server::PasswordHash;
use std::collections::BTreeMap;
use std::path::Path;

/// The name of who logs in without one.
const DEFAULT: &str = "default";

/// Everyone who may use the server.
pub fn users(config: &Config) -> anyhow::Result<BTreeMap<String, PasswordHash>> {
    let mut users = match config.optional("auth.users_file", Config::path)? {
        Some(path) => read(path)?,
        None => BTreeMap::new(),
    };
    if let Some(password) = config.optional("auth.password", Config::secret)? {
        if users.contains_key(DEFAULT) {
            bail!(
                "the user {DEFAULT} has a password in auth.password and another one in auth.users_file: take one away"
            );
        }
        users.insert(DEFAULT.into(), PasswordHash::new(password.reveal())?);
    }
    Ok(users)
}

fn read(path: &Path) -> anyhow::Result<BTreeMap<String, PasswordHash>> {
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("could not read the users in {}", path.display()))?;
    parse(&text, &path.display().to_string())
}

fn parse(text: &str, place: &str) -> anyhow::Result<BTreeMap<String, PasswordHash>> {
    let mut users = BTreeMap::new();
    for (at, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let place = || format!("{place}:{}", at + 1);
        let Some((name, hash)) = line.split_once(':').filter(|(name, _)| !name.is_empty()) else {
            bail!("{}: a line is name:hash, as `siltstone user hash NAME` prints", place());
        };
        let hash = PasswordHash::parse(hash).with_context(place)?;
        if users.insert(name.to_string(), hash).is_some() {
            bail!("{}: the user {name} is there twice", place());
        }
    }
    // A file that was emptied by mistake must not open the server to everyone.
    if users.is_empty() {
        bail!("{place}: there is no user in it; leave auth.users_file out to have none");
    }
    Ok(users)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HASH: &str =
        "$argon2id$v=19$m=19456,t=2,p=1$bm9ib2R5cyBzYWx0ISE$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

    #[test]
    fn a_file_has_a_user_a_line() {
        let users = parse(&format!("# who\n\nanna:{HASH}\r\n default:{HASH}\n"), "users").unwrap();
        assert_eq!(users.keys().collect::<Vec<_>>(), ["anna", "default"]);
        assert_eq!(users["anna"].to_string(), HASH);
    }

    #[test]
    fn what_is_wrong_has_its_line_and_shows_no_hash() {
        let twice = format!("anna:{HASH}\nanna:{HASH}\n");
        for (text, told) in [
            ("anna", "users:1: a line is name:hash"),
            (":x", "users:1: a line is name:hash"),
            ("#\nanna:hunter2", "users:2"),
            (twice.as_str(), "users:2: the user anna is there twice"),
            ("# nobody\n", "users: there is no user in it"),
        ] {
            let error = format!("{:#}", parse(text, "users").unwrap_err());
            assert!(error.starts_with(told), "{error}");
            assert!(!error.contains("hunter2") && !error.contains(HASH), "{error}");
        }
    }
}
