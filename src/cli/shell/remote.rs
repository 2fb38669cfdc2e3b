//! A server that the shell talks to, and what to do when it goes away.
//!
//! (H1) A command is sent once. When the connection breaks before it is answered, nobody knows whether it was carried out: that is
//!      told, and the connection made anew for the next one.
//! (H2) Before a command is sent it is looked whether the server has closed the connection meanwhile, as it does with those who
//!      say nothing for long; then it is made anew first, and nothing is lost but a transaction that had begun; then
//!      the command is not sent at all.

use crate::cli::password;
use crate::cli::server_access::Login;
use anyhow::{Context, anyhow, bail};
use siltstone::client::{Client, ClientOptions, Error, Value};

/// The connection, and how to make it again.
pub struct Remote {
    address: String,
    login: Login,
    options: ClientOptions,
    client: Client,
    database: String,
    in_transaction: bool,
}

impl Remote {
    /// Connects.
    pub fn connect(address: &str, login: &Login) -> anyhow::Result<Remote> {
        let mut options = login.options("shell")?;
        let client = login.connect(address, &mut options)?;
        let database = login.database().map(|number| number.to_string()).unwrap_or_default();
        let address = address.to_string();
        Ok(Remote { address, login: login.clone(), options, client, database, in_transaction: false })
    }

    /// What stands before the line that is typed.
    pub fn prompt(&self) -> String {
        let database = if self.database.is_empty() { String::new() } else { format!("[{}]", self.database) };
        let transaction = if self.in_transaction { "(TX)" } else { "" };
        format!("{}{database}{transaction}> ", self.address)
    }

    /// The names of the server's commands, if it tells them.
    pub fn names(&mut self) -> Option<Vec<String>> {
        let reply = self.client.command(["COMMAND"]).ok()?;
        let name = |command: &Value| Some(command.items()?.first()?.as_text()?.to_uppercase());
        let names: Vec<String> = reply.items()?.iter().filter_map(name).collect();
        (!names.is_empty()).then_some(names)
    }

    /// Carries out a command. An error of the server's is a reply like any other.
    pub fn run(&mut self, words: &[Vec<u8>]) -> anyhow::Result<Value> {
        if !self.client.is_open() {
            self.again().with_context(|| {
                format!("{} has closed the connection, and there is no new one", self.address)
            })?;
            // What belongs into a transaction must not be carried out without it.
            if std::mem::take(&mut self.in_transaction) {
                bail!(
                    "the server had closed the connection, and the transaction is lost: begin it again, there is a new one"
                );
            }
            eprintln!("the server had closed the connection: connected again");
        }
        let asked = asks_password(words).then(password::ask).transpose()?;
        let extra = asked.iter().map(String::as_bytes);
        match self.client.command(words.iter().map(Vec::as_slice).chain(extra)) {
            Ok(value) => {
                self.note(words, asked.as_deref(), &value);
                Ok(value)
            }
            Err(Error::Server { code, message }) => {
                if is(words, 0, "exec") {
                    self.in_transaction = false;
                }
                Ok(Value::Error { code, message })
            }
            Err(error @ (Error::Refused { .. } | Error::Protocol { .. })) => Err(error.into()),
            Err(error) => {
                let lost = match self.again() {
                    Ok(()) => "connected again, and the command was not sent a second time",
                    Err(_) => "connecting again failed",
                };
                let transaction = match std::mem::take(&mut self.in_transaction) {
                    true => "; the transaction is lost",
                    false => "",
                };
                Err(anyhow!("{error}; {lost}{transaction}"))
            }
        }
    }

    /// Connects anew, to the same database.
    fn again(&mut self) -> anyhow::Result<()> {
        self.client = self.login.connect(&self.address, &mut self.options)?;
        if !self.database.is_empty() {
            self.client.command(["SELECT", &self.database])?;
        }
        Ok(())
    }

    /// Keeps in mind what a command changed about the connection.
    fn note(&mut self, words: &[Vec<u8>], asked: Option<&str>, reply: &Value) {
        let word = |at: usize| words.get(at).map(|word| String::from_utf8_lossy(word).into_owned());
        let is_ok = reply.as_text() == Some("OK");
        if is(words, 0, "multi") {
            self.in_transaction = is_ok;
        } else if is(words, 0, "exec") || is(words, 0, "discard") || is(words, 0, "reset") {
            self.in_transaction = false;
        }
        if is(words, 0, "reset") {
            self.database.clear();
        } else if is(words, 0, "select") && is_ok {
            self.database = word(1).filter(|number| number != "0").unwrap_or_default();
            // A choice by flag is outdone by that which was typed.
            self.options = self.options.clone().database(0);
        } else if is(words, 0, "auth") && is_ok {
            let (user, password) = match (word(1), word(2), asked) {
                (_, _, Some(asked)) => (None, Some(asked.to_string())),
                (user, Some(password), _) => (user, Some(password)),
                (password, None, _) => (None, password),
            };
            let options = self.options.clone();
            let options = user.into_iter().fold(options, ClientOptions::user);
            self.options = password.into_iter().fold(options, ClientOptions::password);
        }
    }
}

fn is(words: &[Vec<u8>], at: usize, what: &str) -> bool {
    words.get(at).is_some_and(|word| word.eq_ignore_ascii_case(what.as_bytes()))
}

/// `AUTH` alone: the password is typed where nobody sees it.
fn asks_password(words: &[Vec<u8>]) -> bool {
    words.len() == 1 && is(words, 0, "auth")
}
