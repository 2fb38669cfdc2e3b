//! `shell`: commands by hand, to a server or to a database.
//!
//! (S1) What is typed at a terminal gives replies for people; what comes from a pipe or `-c` gives bare ones when
//!      standard output is no terminal, and the exit status tells whether a command was refused.
//! (S2) A password is neither shown nor kept: it is no argument, and lines with one do not go into the history.
//! (S3) Commands without a terminal go on after one that was refused, and end when the server is gone for good.

mod documents;
mod help;
mod lines;
mod local;
mod prompt;
mod remote;
mod show;
mod words;

use super::open::DataDir;
use super::output;
use super::report;
use super::server_access::{self, Login};
use anyhow::bail;
use clap::Args;
use documents::Request;
use lines::Lines;
use prompt::Prompt;
use remote::Remote;
use show::Form;
use siltstone::Db;
use siltstone::client::Value;
use siltstone::document::Documents;
use std::io::{BufRead, IsTerminal, Write};
use words::Line;

/// Talk to a server, or to a database that none has open
#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub struct Shell {
    /// Where the server listens; what SILTSTONE_LISTEN or the file in SILTSTONE_CONFIG says when not given, or 127.0.0.1:9999
    #[arg(value_name = "HOST:PORT")]
    address: Option<String>,
    /// Carry out this command and end; may be given several times
    #[arg(short = 'c', long = "command", value_name = "COMMAND")]
    commands: Vec<String>,
    /// One JSON value a line for each reply
    #[arg(long, conflicts_with_all = ["raw", "formatted"])]
    json: bool,
    /// Bare replies, also on a terminal
    #[arg(long, conflicts_with = "formatted")]
    raw: bool,
    /// Replies for people, also into a pipe
    #[arg(long)]
    formatted: bool,
    #[command(flatten)]
    login: Login,
}

const HELP: &str = r#"At a terminal commands are typed, with completion and a history (in
$XDG_STATE_HOME/siltstone, or ~/.local/state/siltstone); `help` lists them. From
a pipe each line is a command. The exit status is 1 when one was refused.

The server may be siltstone or Redis. A database is opened instead when
--data-dir is given and no address: then GET, PUT, DELETE, SCAN, COUNT, STATS and
VERIFY are understood. That works while no server has it open.

Tables of documents are looked at and changed in both: filters, documents and
the like are JSON, and may go on over several lines. With a server that goes
through JSON lines on a second connection.

Examples:
  siltstone shell
  siltstone shell db.example:9999 --user ada
  siltstone shell -c 'SET greeting "hello, world"' -c 'GET greeting'
  siltstone shell --json < commands.txt
  siltstone shell --data-dir /var/lib/shop
  siltstone shell -c 'find shop/user {"age": {"$gte": 24}} sort {"age": -1} limit 3'"#;

/// Who carries commands out.
enum Target<'a> {
    /// The second is asked for documents.
    Server(Box<Remote>, Lines),
    /// The documents are opened when they are first asked for.
    Database(&'a Db, Option<Documents>),
}

impl Shell {
    /// Runs the command.
    pub fn run(&self, data_dir: &DataDir) -> anyhow::Result<()> {
        match (&self.address, data_dir.given()) {
            (Some(_), Some(_)) => {
                bail!("an address and --data-dir: give one of them, a server has its own folder")
            }
            (None, Some(_)) => data_dir.with(|db| self.talk(Target::Database(db, None))),
            (address, None) => {
                let address = server_access::address(address.as_deref(), data_dir)?;
                let remote = Remote::connect(&address, &self.login)?;
                self.talk(Target::Server(Box::new(remote), Lines::new(&address, &self.login)))
            }
        }
    }

    fn talk(&self, mut target: Target<'_>) -> anyhow::Result<()> {
        if !self.commands.is_empty() {
            return self.carry_out(&mut target, self.commands.iter().map(|line| Ok(line.clone())));
        }
        let stdin = std::io::stdin();
        if stdin.is_terminal() {
            return self.converse(&mut target);
        }
        self.carry_out(&mut target, stdin.lock().lines().map(|line| Ok(line?)))
    }

    fn form(&self) -> Form {
        match (self.json, self.raw) {
            (true, _) => Form::Json,
            (_, true) => Form::Raw,
            _ if self.formatted || std::io::stdout().is_terminal() => Form::People,
            _ => Form::Raw,
        }
    }

    /// Carries out what somebody types, to the end of it.
    fn converse(&self, target: &mut Target<'_>) -> anyhow::Result<()> {
        let mut prompt = Prompt::new(target.names())?;
        let form = self.form();
        while let Some(words) = prompt.read(&target.prompt())? {
            let name = words.first().map(|name| String::from_utf8_lossy(name).to_ascii_lowercase());
            match name.as_deref() {
                None => {}
                Some("quit" | "exit") => return Ok(()),
                Some("help" | "?") => {
                    let about = words.get(1).map(|word| String::from_utf8_lossy(word));
                    println!("{}", help::text(about.as_deref(), target.is_local()));
                }
                Some(_) => match target.run(&words) {
                    Ok(value) => {
                        let mut out = output::stdout();
                        show::write(&mut out, &value, form)?;
                        out.flush()?;
                    }
                    Err(error) => report::error(&error),
                },
            }
        }
        println!();
        Ok(())
    }

    /// Carries out lines, one after the other.
    fn carry_out(
        &self,
        target: &mut Target<'_>,
        lines: impl Iterator<Item = anyhow::Result<String>>,
    ) -> anyhow::Result<()> {
        let form = self.form();
        let (mut done, mut refused, mut line) = (0_u64, 0_u64, String::new());
        for (number, next) in lines.enumerate() {
            line.push_str(&next?);
            let words = match words::split(&line) {
                Line::Words(words) => words,
                Line::Open => {
                    line.push('\n');
                    continue;
                }
                Line::Wrong => bail!("line {}: a space is missing behind a quote", number + 1),
            };
            line.clear();
            if words.is_empty() {
                continue;
            }
            let value = target.run(&words)?;
            done += 1;
            match &value {
                // What is no data goes to those who watch, unless it has a form of its own.
                Value::Error { code, message } if form != Form::Json => {
                    refused += 1;
                    eprintln!("(error) {}", show::error(code, message));
                }
                value => {
                    refused += u64::from(matches!(value, Value::Error { .. }));
                    let mut out = output::stdout();
                    show::write(&mut out, value, form)?;
                    out.flush()?;
                }
            }
        }
        if !line.is_empty() {
            bail!("the input ends within a quote: close it");
        }
        if refused > 0 {
            bail!("{refused} of {done} commands refused");
        }
        Ok(())
    }
}

impl Target<'_> {
    fn is_local(&self) -> bool {
        matches!(self, Target::Database(..))
    }

    fn run(&mut self, words: &[Vec<u8>]) -> anyhow::Result<Value> {
        if documents::are(words) {
            return match documents::parse(words) {
                Ok(request) => self.run_on_documents(&request),
                Err(why) => Ok(documents::error("ERR", why)),
            };
        }
        match self {
            Target::Server(remote, _) => remote.run(words),
            Target::Database(db, _) => Ok(local::run(db, words)?),
        }
    }

    fn run_on_documents(&mut self, request: &Request) -> anyhow::Result<Value> {
        match self {
            Target::Server(_, lines) => lines.ask(request),
            Target::Database(db, opened) => {
                if opened.is_none() {
                    *opened = Some(super::documents::open(db)?);
                }
                let Some(opened) = opened else { return Ok(Value::Null) };
                match request.run(opened) {
                    Ok(result) => Ok(documents::shown(&result)),
                    Err(error) => Ok(documents::error(error.code(), super::documents::reason(&error))),
                }
            }
        }
    }

    fn prompt(&self) -> String {
        match self {
            Target::Server(remote, _) => remote.prompt(),
            Target::Database(..) => "siltstone> ".into(),
        }
    }

    fn names(&mut self) -> Vec<String> {
        let told = match self {
            Target::Server(remote, _) => remote.names(),
            Target::Database(..) => None,
        };
        match told {
            Some(told) => told.into_iter().chain(documents::names()).collect(),
            None => help::names(self.is_local()),
        }
    }
}
