//! The folder of the database, and opening it.

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
        self.existing(None)?;
        self.with_options(Options::default().create_if_missing(false), work)
    }

    /// Does `work` with the database, which is made if there is none and the options do not forbid it, and closes it.
    pub fn with_options(
        &self,
        options: Options,
        work: impl FnOnce(&Db) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let what = || format!("could not open the database in {}", self.path.display());
        let db = options.open(&self.path).with_context(what)?;
        let done = work(&db);
        let closed = db.close();
        done?;
        Ok(closed?)
    }
}
