//! A table as text, for people.

use super::compression;
use super::format::{self, Handle};
use super::table::Table;
use crate::engine::iter::Cursor;
use crate::{Error, Result};
use std::fmt::{self, Write};
use std::sync::Arc;

/// How much of a table is described.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Detail {
    /// Header, footer, filter, properties, and a line for each block.
    Blocks,
    /// All that, and a line for each entry.
    Entries,
}

/// The most bytes of a key or value that are printed.
const SHOWN: usize = 64;

impl Table {
    /// Writes what the table is to `out`.
    ///
    /// # Errors
    /// What reading the blocks says; [`Error::Io`] when `out` refuses.
    pub fn describe(self: &Arc<Self>, detail: Detail, out: &mut dyn Write) -> Result<()> {
        let printed = |result: fmt::Result| {
            result.map_err(|e| Error::io("print", self.path(), std::io::Error::other(e)))
        };
        printed(self.describe_meta(out))?;
        for ordinal in 0..self.meta().index.len() {
            let line = self.describe_block(ordinal)?;
            printed(writeln!(out, "{line}"))?;
        }
        if detail == Detail::Blocks {
            return Ok(());
        }
        let mut cursor = self.cursor();
        cursor.seek_first()?;
        while cursor.valid() {
            let trailer = cursor.trailer();
            let kind = trailer.kind().map_or_else(|n| format!("kind {n}"), |kind| format!("{kind:?}"));
            let (key, value) = (shown(cursor.key()), shown(cursor.value()));
            printed(writeln!(out, "  {key} @ {} {kind} {value}", trailer.seq()))?;
            cursor.next()?;
        }
        Ok(())
    }

    fn describe_meta(&self, out: &mut dyn Write) -> fmt::Result {
        let (place, meta) = (self.place(), self.meta());
        let p = &meta.properties;
        writeln!(out, "table {} of database {:016x}", place.number, place.database)?;
        writeln!(out, "  {} bytes, checksum {:08x}", self.bytes().len(), self.checksum())?;
        writeln!(out, "footer")?;
        for (name, handle) in [
            ("filter", meta.footer.filter),
            ("index", Some(meta.footer.index)),
            ("properties", Some(meta.footer.properties)),
        ] {
            match handle {
                Some(Handle { offset, len }) => writeln!(out, "  {name} at {offset}, {len} bytes")?,
                None => writeln!(out, "  {name}: none")?,
            }
        }
        if let Some(filter) = &meta.filter {
            writeln!(out, "  filter is {}", filter.describe())?;
        }
        writeln!(out, "properties")?;
        writeln!(out, "  entries {}, tombstones {}", p.entries, p.tombstones)?;
        writeln!(out, "  sequence numbers {} to {}", p.min_seq, p.max_seq)?;
        writeln!(out, "  range deletions applied up to {}", p.clean_seq)?;
        writeln!(out, "  expiring {}, from {} to {}", p.expiring, p.min_expiry, p.max_expiry)?;
        writeln!(out, "  raw key bytes {}, raw value bytes {}", p.raw_key_bytes, p.raw_value_bytes)?;
        writeln!(out, "  block bytes {}, filter bits {}", p.block_bytes, p.filter_bits)?;
        writeln!(out, "  compression {:?}", p.compression)?;
        writeln!(out, "  keys {} to {}", shown(&p.smallest), shown(&p.largest))?;
        writeln!(out, "blocks {}", meta.index.len())
    }

    fn describe_block(&self, ordinal: usize) -> Result<String> {
        let handle = self.meta().index.handle(ordinal);
        let located = |e: format::Damage| e.at(self.path(), handle.offset, "table block");
        let (kind, _) = format::payload(self.bytes(), handle).map_err(located)?;
        let kind = match kind {
            compression::NONE => "none".to_owned(),
            compression::LZ4 => "lz4".to_owned(),
            compression::ZSTD => "zstd".to_owned(),
            other => format!("compression {other}"),
        };
        let block = self.block(ordinal, super::table::Keep::Once)?;
        let view = block.view();
        let key = |i: usize| shown(&[view.prefix(), view.suffix(i)].concat());
        let (bound, trailer) = self.meta().index.bound(ordinal);
        let bound = match trailer.0 {
            0 => shown(&bound),
            _ => format!("{} @ {}", shown(&bound), trailer.seq()),
        };
        Ok(format!(
            "  {ordinal} at {}, {} bytes, {kind}, {} entries, {} to {}, bound {bound}",
            handle.offset,
            handle.len,
            block.len(),
            key(0),
            key(block.len() - 1),
        ))
    }
}

/// Bytes in quotes, cut when they are many.
fn shown(bytes: &[u8]) -> String {
    match bytes.get(..SHOWN) {
        Some(head) if bytes.len() > SHOWN => {
            format!("\"{}\"… ({} bytes)", head.escape_ascii(), bytes.len())
        }
        _ => format!("\"{}\"", bytes.escape_ascii()),
    }
}
