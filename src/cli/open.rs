//! The folder of the database, and opening it with as much memory as it may have.

use super::config::units;
use anyhow::{Context, bail};
use clap::Args;
use siltstone::{Db, Options};
use std::path::{Path, PathBuf};

/// Where the database is.
#[derive(Debug, Clone, Default, Args)]
pub struct DataDir {
    /// The folder that holds the database; ./data when not given
    #[arg(long = "data-dir", value_name = "DIR", global = true)]
    path: Option<PathBuf>,

    /// How much memory the database may take, as 256M or 2G; a quarter of what there is, up to 448M, when not given
    #[arg(long, value_name = "SIZE", value_parser = size, global = true)]
    memory: Option<usize>,
}

/// The folder when none is given.
const DEFAULT: &str = "./data";

fn size(text: &str) -> Result<usize, String> {
    usize::try_from(units::size(text)?).map_err(|_| "there is not so much memory".into())
}

impl DataDir {
    /// The folder.
    pub fn path(&self) -> &Path {
        self.given().unwrap_or(Path::new(DEFAULT))
    }

    /// The folder, if one was given.
    pub fn given(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    /// How much memory the database may take, if that was given.
    pub fn memory(&self) -> Option<usize> {
        self.memory
    }

    /// The folder, or another one if given, which must be there.
    pub fn existing<'a>(&'a self, other: Option<&'a Path>) -> anyhow::Result<&'a Path> {
        let path = other.unwrap_or(self.path());
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
        self.open_at(self.path(), options, work)
    }

    fn open_at(
        &self,
        path: &Path,
        options: Options,
        work: impl FnOnce(&Db) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        at(path, self.memory.into_iter().fold(options, Options::memory_budget), work)
    }
}

/// Does `work` with the database in `path`, and closes it.
pub fn at(path: &Path, options: Options, work: impl FnOnce(&Db) -> anyhow::Result<()>) -> anyhow::Result<()> {
    let what = || format!("could not open the database in {}", path.display());
    let db = options.open(path).with_context(what)?;
    let done = work(&db);
    let closed = db.close();
    done?;
    Ok(closed?)
}
