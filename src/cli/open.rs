//! The folder of the database, and opening it with as much memory as it may have.

use anyhow::{Context, bail};
use clap::Args;
use siltstone::{Db, Options};
use std::path::{Path, PathBuf};

/// Where the database is.
#[derive(Debug, Args)]
pub struct DataDir {
    /// The folder that holds the database
    #[arg(long = "data-dir", value_name = "DIR", default_value = "./data", global = true)]
    path: PathBuf,

    /// How much memory the database may take, as 256M or 2G; a quarter of what there is, up to 448M, when not given
    #[arg(long, value_name = "SIZE", value_parser = size, global = true)]
    memory: Option<usize>,
}

/// A number of bytes with `K`, `M` or `G` behind it, or none.
fn size(text: &str) -> Result<usize, String> {
    let (number, unit) = match text.as_bytes().last() {
        Some(b'K' | b'k') => (text.split_at(text.len() - 1).0, 1 << 10),
        Some(b'M' | b'm') => (text.split_at(text.len() - 1).0, 1 << 20),
        Some(b'G' | b'g') => (text.split_at(text.len() - 1).0, 1 << 30),
        _ => (text, 1),
    };
    let number: usize = number.parse().map_err(|_| "give a number with K, M or G, such as 256M")?;
    number.checked_mul(unit).ok_or_else(|| "there is not so much memory".into())
}

impl DataDir {
    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The folder, or another one if given, which must be there.
    pub fn existing<'a>(&'a self, other: Option<&'a Path>) -> anyhow::Result<&'a Path> {
        let path = other.unwrap_or(&self.path);
        if !path.is_dir() {
            bail!(
                "there is no database in {}: give its folder with --data-dir, or make one with `siltstone put`, `load` or `serve`",
                path.display()
            );
        }
        Ok(path)
    }

    /// Does `work` with the database that is there (L3), and closes it.
    pub fn with(&self, work: impl FnOnce(&Db) -> anyhow::Result<()>) -> anyhow::Result<()> {
        self.with_at(None, work)
    }

    /// As [`DataDir::with`], in another folder if one is given.
    pub fn with_at(
        &self,
        other: Option<&Path>,
        work: impl FnOnce(&Db) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let path = self.existing(other)?;
        self.open_at(path, Options::default().create_if_missing(false), work)
    }

    /// Does `work` with the database, which is made if there is none and the options do not forbid it, and closes it.
    pub fn with_options(
        &self,
        options: Options,
        work: impl FnOnce(&Db) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        self.open_at(&self.path, options, work)
    }

    fn open_at(
        &self,
        path: &Path,
        options: Options,
        work: impl FnOnce(&Db) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let options = self.memory.into_iter().fold(options, Options::memory_budget);
        let what = || format!("could not open the database in {}", path.display());
        let db = options.open(path).with_context(what)?;
        let done = work(&db);
        let closed = db.close();
        done?;
        Ok(closed?)
    }
}

#[cfg(test)]
mod tests {
    use super::size;

    #[test]
    fn sizes_have_units() {
        let good = [("0", 0), ("4096", 4096), ("7K", 7 << 10), ("256M", 256 << 20), ("2g", 2 << 30)];
        for (text, bytes) in good {
            assert_eq!(size(text), Ok(bytes));
        }
        for text in ["", "M", "1T", "1.5G", "-1", "256MB", "99999999999G", "é"] {
            assert!(size(text).is_err(), "{text}");
        }
    }
}
