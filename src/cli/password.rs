//! A password as it is typed: not shown where there is a terminal.

use anyhow::{Context, bail};
use std::io::{BufRead, IsTerminal, Write};

/// Reads a line from a terminal without showing it, or from what standard input is otherwise.
pub fn read() -> anyhow::Result<String> {
    let stdin = std::io::stdin();
    let hidden = if stdin.is_terminal() {
        let mut err = std::io::stderr().lock();
        write!(err, "password: ")?;
        err.flush()?;
        Some(Hidden::begin())
    } else {
        None
    };
    let mut line = String::new();
    stdin.lock().read_line(&mut line).context("could not read the password")?;
    if hidden.is_some() {
        drop(hidden);
        eprintln!();
    }
    let password = line.trim_end_matches(['\r', '\n']);
    if password.is_empty() {
        bail!("the password is empty");
    }
    Ok(password.to_string())
}

/// What is typed is not shown while this lives. Where a terminal cannot do that, it is shown.
struct Hidden {
    #[cfg(unix)]
    before: Option<rustix::termios::Termios>,
}

#[cfg(unix)]
impl Hidden {
    fn begin() -> Hidden {
        use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};
        let stdin = std::io::stdin();
        let before = tcgetattr(&stdin).ok();
        if let Some(before) = &before {
            let mut silent = before.clone();
            silent.local_modes.remove(LocalModes::ECHO);
            let _ = tcsetattr(&stdin, OptionalActions::Flush, &silent);
        }
        Hidden { before }
    }
}

#[cfg(unix)]
impl Drop for Hidden {
    fn drop(&mut self) {
        use rustix::termios::{OptionalActions, tcsetattr};
        if let Some(before) = &self.before {
            let _ = tcsetattr(std::io::stdin(), OptionalActions::Flush, before);
        }
    }
}

#[cfg(not(unix))]
impl Hidden {
    fn begin() -> Hidden {
        Hidden {}
    }
}
