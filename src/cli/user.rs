//! `user`: users of the server, as its configuration names them.

use super::password;
use clap::{Args, Subcommand};
use siltstone::server::PasswordHash;
use std::io::Write;

/// Make what the configuration of the server needs of a user
#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub struct User {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Read a password, and print what a file of users keeps of it
    #[command(after_help = HASH_HELP)]
    Hash {
        /// The name of the user, which is printed in front
        name: Option<String>,
    },
}

const HELP: &str = r"Examples:
  siltstone user hash anna >> users";

const HASH_HELP: &str = r"The password is asked for on a terminal, where it is not shown, and otherwise
read from standard input. What is printed goes into the file that the setting
auth.users_file names, a line for each user; nobody can read the password from it.

Examples:
  siltstone user hash anna >> users
  siltstone user hash < password";

impl User {
    /// Runs the command.
    pub fn run(&self) -> anyhow::Result<()> {
        let What::Hash { name } = &self.what;
        let hash = PasswordHash::new(password::read()?)?;
        let mut out = std::io::stdout().lock();
        match name {
            Some(name) => writeln!(out, "{name}:{hash}")?,
            None => writeln!(out, "{hash}")?,
        }
        Ok(out.flush()?)
    }
}
