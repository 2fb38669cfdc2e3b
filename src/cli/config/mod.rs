//! The configuration of the server: what holds, and where it came from.
//!
//! ```text
//! settings      the one table; how to add a setting stands there
//! kind          what a setting may be             units      sizes and durations
//! file          TOML                              environment, flags
//! layer         what one of these gives           suggest    what a typing error meant
//! apply         settings to what they set         sample     settings as text
//! users         who may use the server
//! ```
//!
//! (C1) Flags win over the environment, the environment over the file, the file over the defaults.
//! (C2) All that is wrong is told at once, with its place, and nothing begins.
//! (C3) A secret is never shown.

pub mod apply;
mod environment;
mod file;
mod flags;
mod kind;
mod layer;
pub mod sample;
mod settings;
mod suggest;
pub mod units;
mod users;

pub use environment::RUST_LOG;
pub use flags::Flags;
pub use settings::When;

use super::open::DataDir;
use anyhow::{Context, anyhow};
use kind::Value;
use layer::{Layer, Origin, Problem};
use settings::{Preset, SETTINGS, Setting};
use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What holds.
#[derive(Debug)]
pub struct Config {
    entries: Vec<Entry>,
    /// What is odd, to be logged.
    pub warnings: Vec<String>,
}

/// A setting as it holds.
#[derive(Debug)]
pub struct Entry {
    pub setting: &'static Setting,
    /// Nothing when nobody gave it and it has no default.
    value: Option<Value>,
    origin: Origin,
}

/// All that is wrong with a configuration; never empty.
#[derive(Debug)]
pub struct Problems(Vec<Problem>);

/// The configuration that flags, environment and file make together.
pub fn load(flags: &Flags, data_dir: &DataDir) -> Result<Config, Problems> {
    let variables = environment::variables();
    let from_variable = variables.get(&OsString::from(environment::CONFIG)).map(PathBuf::from);
    let path = flags.config.clone().or(from_variable);
    let file = path.map(|path| file::read(&path, SETTINGS)).unwrap_or_default();
    let environment = environment::read(&variables, SETTINGS);
    Config::new(SETTINGS, [file, environment, flags::read(flags, data_dir, SETTINGS)])
}

/// All that is wrong with a file, and how many settings it gives.
pub fn check(path: &Path) -> Result<usize, Problems> {
    let layer = file::read(path, SETTINGS);
    let given = layer.given.len();
    Config::new(SETTINGS, [layer]).map(|_| given)
}

impl Config {
    /// Joins what was given; later layers win.
    fn new(table: &'static [Setting], layers: impl IntoIterator<Item = Layer>) -> Result<Config, Problems> {
        let mut problems = Vec::new();
        let mut config = Config { entries: Vec::new(), warnings: Vec::new() };
        for setting in table {
            let value = match setting.preset {
                Preset::Is(text) => setting.kind.read_text(text).ok(),
                Preset::Unset { .. } => None,
            };
            config.entries.push(Entry { setting, value, origin: Origin::Default });
        }
        for layer in layers {
            problems.extend(layer.problems);
            config.warnings.extend(layer.warnings);
            for given in layer.given {
                if let Some(entry) = config.entries.iter_mut().find(|e| e.setting.name == given.setting.name)
                {
                    (entry.value, entry.origin) = (Some(given.value), given.origin);
                }
            }
        }
        match problems.is_empty() {
            true => Ok(config),
            false => Err(Problems(problems)),
        }
    }

    /// The settings in which another configuration differs.
    pub fn changed<'a>(&'a self, other: &'a Config) -> impl Iterator<Item = &'static Setting> + 'a {
        let pairs = self.entries.iter().zip(&other.entries);
        pairs.filter(|(own, other)| own.value != other.value).map(|(own, _)| own.setting)
    }

    /// The value of a setting, or nothing if it has none.
    fn value(&self, name: &str) -> anyhow::Result<Option<&Value>> {
        let entry = self.entries.iter().find(|entry| entry.setting.name == name);
        Ok(entry
            .with_context(|| format!("there is no setting {name} in the table: this is a bug"))?
            .value
            .as_ref())
    }

    /// What `get` gives, or nothing if nobody gave the setting and it has no default.
    pub fn optional<'a, T>(
        &'a self,
        name: &str,
        get: impl FnOnce(&'a Config, &str) -> anyhow::Result<T>,
    ) -> anyhow::Result<Option<T>> {
        self.value(name)?.is_some().then(|| get(self, name)).transpose()
    }

    /// A setting of the kind `Flag`.
    pub fn flag(&self, name: &str) -> anyhow::Result<bool> {
        self.get(name, |value| match value {
            Value::Flag(flag) => Some(*flag),
            _ => None,
        })
    }

    /// A setting of the kind `Count` or `Size`.
    pub fn number(&self, name: &str) -> anyhow::Result<usize> {
        self.get(name, |value| match value {
            Value::Count(number) | Value::Size(number) => usize::try_from(*number).ok(),
            _ => None,
        })
    }

    /// A setting of the kind `Duration`.
    pub fn duration(&self, name: &str) -> anyhow::Result<Duration> {
        self.get(name, |value| match value {
            Value::Duration(duration) => Some(*duration),
            _ => None,
        })
    }

    /// A setting of the kind `Text` or `Choice`.
    pub fn text(&self, name: &str) -> anyhow::Result<&str> {
        self.get(name, |value| match value {
            Value::Text(text) => Some(text.as_str()),
            _ => None,
        })
    }

    /// A setting of the kind `List`.
    pub fn list(&self, name: &str) -> anyhow::Result<&[String]> {
        self.get(name, |value| match value {
            Value::List(list) => Some(list.as_slice()),
            _ => None,
        })
    }

    /// A setting of the kind `Path`.
    pub fn path(&self, name: &str) -> anyhow::Result<&Path> {
        self.get(name, |value| match value {
            Value::Path(path) => Some(path.as_path()),
            _ => None,
        })
    }

    /// A setting of the kind `Secret`.
    pub fn secret(&self, name: &str) -> anyhow::Result<&kind::Secret> {
        self.get(name, |value| match value {
            Value::Secret(secret) => Some(secret),
            _ => None,
        })
    }

    fn get<'a, T>(&'a self, name: &str, get: impl FnOnce(&'a Value) -> Option<T>) -> anyhow::Result<T> {
        let wrong = || anyhow!("the setting {name} has no value that fits this machine and its use");
        self.value(name)?.and_then(get).ok_or_else(wrong)
    }
}

impl std::error::Error for Problems {}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.as_slice() {
            [one] => write!(f, "{one}"),
            all => {
                write!(f, "{} things are wrong with the configuration", all.len())?;
                all.iter().try_for_each(|problem| write!(f, "\n  {problem}"))
            }
        }
    }
}

#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
