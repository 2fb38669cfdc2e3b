//! A password as it is typed: not shown where there is a terminal.

use anyhow::{Context, bail};
use std::io::{BufRead, IsTerminal};

/// Asks whoever sits at the terminal, without showing what is typed.
pub fn ask() -> anyhow::Result<String> {
    rpassword::prompt_password("password: ").context("could not read a password from the terminal")
}

/// A password from a terminal, or the first line of what standard input is otherwise; never an empty one.
pub fn read() -> anyhow::Result<String> {
    let stdin = std::io::stdin();
    let line = if stdin.is_terminal() {
        ask()?
    } else {
        let mut line = String::new();
        stdin.lock().read_line(&mut line).context("could not read the password")?;
        line
    };
    let password = line.trim_end_matches(['\r', '\n']);
    if password.is_empty() {
        bail!("the password is empty");
    }
    Ok(password.to_string())
}
