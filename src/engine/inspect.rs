//! Any file of a database as text: for people, and for tests that compare what was written.
//!
//! The first 32 bytes say what a file is, so the name does not matter, but for where a table's number is checked.

use crate::engine::cache::Cache;
use crate::engine::header::{self, FileKind, HEADER_LEN};
use crate::engine::manifest::describe::{describe_current, describe_manifest};
use crate::engine::memory::Memory;
use crate::engine::sstable::{Detail, Table};
use crate::engine::wal::describe::describe;
use crate::vfs::{Dir, Mode, Vfs};
use crate::{Error, Result};
use std::fmt::Write;
use std::path::Path;
use std::sync::Arc;

/// The largest manifest that is read for this.
const MAX_MANIFEST: u64 = 4 << 30;

/// Writes what the file at `path` holds to `out`: header, records or blocks, checksums, and for tables every entry.
///
/// The file is only read; the database may be open meanwhile.
///
/// # Errors
/// [`Error::Corruption`] with the offset where the file stops making sense (what came before it was written),
/// [`Error::Incompatible`] for a newer one, [`Error::Io`].
pub fn inspect(vfs: Arc<dyn Vfs>, path: &Path, out: &mut dyn Write) -> Result<()> {
    let invalid = || Error::invalid(format!("{} names no file", path.display()));
    let name = path.file_name().and_then(|n| n.to_str()).ok_or_else(invalid)?;
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let file = Dir::new(vfs, folder).open(name, Mode::Read)?;
    let mut head = [0; HEADER_LEN];
    let read = file.read_at(&mut head, 0)?;
    let place = header::decode(path, head.get(..read).unwrap_or_default())?;
    let printed =
        |result: std::fmt::Result| result.map_err(|e| Error::io("print", path, std::io::Error::other(e)));
    match place.kind {
        FileKind::Log => printed(describe(path, file.map()?.bytes(), out)?),
        FileKind::Manifest => {
            printed(out.write_str(&describe_manifest(path, &file.read_all(MAX_MANIFEST)?)?))
        }
        FileKind::Current => printed(out.write_str(&describe_current(path, &file.read_all(MAX_MANIFEST)?)?)),
        FileKind::Table => {
            let table = Table::open(&file, place, file.len()?, &Cache::none(), &Memory::unlimited())?;
            table.describe(Detail::Entries, out)
        }
    }
}
