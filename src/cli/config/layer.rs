//! What one source of settings gives: values with their places, and all that is wrong with it.

use super::kind::{Kind, Value};
use super::settings::Setting;
use std::fmt;
use std::path::{Path, PathBuf};

/// What a file, the environment or the flags give.
#[derive(Debug, Default)]
pub struct Layer {
    pub given: Vec<Given>,
    pub problems: Vec<Problem>,
    /// What is odd, but may be meant.
    pub warnings: Vec<String>,
}

/// A setting that was given.
#[derive(Debug)]
pub struct Given {
    pub setting: &'static Setting,
    pub value: Value,
    pub origin: Origin,
}

/// Where a value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    Default,
    File { path: PathBuf, line: usize },
    Environment(String),
    Flag(&'static str),
}

/// Something that is wrong, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    place: String,
    what: String,
}

impl Layer {
    /// Notes what is wrong.
    pub fn problem(&mut self, place: impl fmt::Display, what: impl Into<String>) {
        self.problems.push(Problem { place: place.to_string(), what: what.into() });
    }

    /// True when the setting was given already.
    pub fn has(&self, setting: &Setting) -> bool {
        self.given.iter().any(|given| given.setting.name == setting.name)
    }
}

/// Reads a secret out of a file that holds nothing else.
pub fn read_secret_file(path: &Path) -> Result<Value, String> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| format!("could not read {}: {error}", path.display()))?;
    Kind::read_secret(&text).map_err(|why| format!("{}: {why}", path.display()))
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Default => f.write_str("default"),
            Origin::File { path, line } => write!(f, "{}:{line}", path.display()),
            Origin::Environment(variable) => write!(f, "environment {variable}"),
            Origin::Flag(flag) => write!(f, "flag {flag}"),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.what)
    }
}
