//! Versions, the bytes of every piece, damage, crashes, and disks that fail.

mod crash;
mod damage;
mod format;
mod versions;

use super::edit::Edit;
use super::registry::Registry;
use super::set::{Manifest, Opened};
use crate::Result;
use crate::engine::sstable::summary::TableSummary;
use crate::vfs::mem::{MemVfs, SimClock};
use crate::vfs::{Dir, Vfs};
use std::sync::Arc;

fn dir(vfs: impl Vfs + 'static) -> Dir {
    Dir::new(Arc::new(vfs), "/")
}

/// A new database on `vfs`, always with the same id.
fn create(vfs: impl Vfs + 'static) -> Manifest<u64> {
    Manifest::create(&dir(vfs), &SimClock::new(1)).unwrap()
}

fn open(vfs: &MemVfs) -> Result<Opened<u64>> {
    Manifest::open(&dir(vfs.clone()), &mut |t| t.number)
}

fn commit(manifest: &mut Manifest<u64>, edit: &Edit) -> Result<()> {
    manifest.commit(edit, &mut |t| t.number).map(drop)
}

/// The state as something to compare: all tables with their levels, and the rest.
fn state(manifest: &Manifest<u64>) -> (Vec<(usize, TableSummary)>, Registry) {
    let tables = manifest.version().tables().map(|(level, t)| (level, t.summary.clone())).collect();
    (tables, manifest.registry().clone())
}
