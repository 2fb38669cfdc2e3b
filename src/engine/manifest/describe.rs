//! The manifest and `CURRENT` as text, for people and for golden tests. Damage is described like everything else.

use super::current::{Current, State};
use super::edit::Edit;
use super::record::{self, ChainEnd, Step};
use crate::Result;
use crate::engine::checksum::Place;
use crate::engine::header::{self, HEADER_LEN};
use crate::engine::sstable::summary::TableSummary;
use std::fmt;
use std::path::Path;

/// Describes the bytes of a `CURRENT` file.
///
/// # Errors
/// As [`Current::decode`].
pub fn describe_current(path: &Path, bytes: &[u8]) -> Result<String> {
    let Current { database, manifest, state } = Current::decode(path, bytes)?;
    let state = match state {
        State::Dirty => "dirty".to_owned(),
        State::Clean(end) => format!(
            "clean: the manifest has {} bytes and ends with {:08x}; last sequence number {}; {} deletions in the manifest alone",
            end.manifest_len, end.chain, end.last_seq, end.deletions
        ),
    };
    Ok(format!("current of database {database:016x}\n  manifest {manifest}\n  {state}\n"))
}

/// Describes the bytes of a manifest, record by record, up to its end or to what is damaged in it.
///
/// # Errors
/// When its header is damaged or newer.
pub fn describe_manifest(path: &Path, bytes: &[u8]) -> Result<String> {
    let place = header::decode(path, bytes)?;
    let mut out = format!("manifest {} of database {:016x}\n", place.number, place.database);
    let mut end = ChainEnd { offset: HEADER_LEN as u64, crc: 0 };
    while let Some(next) = describe_step(path, &place, bytes, end, &mut out) {
        end = next;
    }
    Ok(out)
}

/// Describes what is at `end`, and returns where to go on.
fn describe_step(
    path: &Path,
    place: &Place,
    bytes: &[u8],
    end: ChainEnd,
    out: &mut String,
) -> Option<ChainEnd> {
    let record = match record::step(path, place, bytes, end) {
        Ok(Step::Record(record)) => record,
        Ok(Step::End) => {
            out.push_str(&format!("end {}\n", end.offset));
            return None;
        }
        Ok(Step::Torn(why)) => {
            out.push_str(&format!("torn {}: {why}\n", end.offset));
            return None;
        }
        Err(e) => {
            out.push_str(&format!("damaged {}: {e}\n", end.offset));
            return None;
        }
    };
    let (at, crc, len) = (end.offset, record.end.crc, record.payload.len());
    out.push_str(&format!("record {at}: {len} bytes, checksum {crc:08x} after {:08x}\n", record.prev));
    match Edit::decode(path, at + record::RECORD_HEADER_LEN as u64, record.payload) {
        Ok(edit) => out.push_str(&edit.to_string()),
        Err(e) => out.push_str(&format!("  {e}\n")),
    }
    Some(record.end)
}

impl fmt::Display for Edit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (level, number) in &self.removed {
            writeln!(f, "  remove table {number} from level {level}")?;
        }
        for (level, table) in &self.added {
            write!(f, "  add to level {level} ")?;
            write_table(f, table)?;
        }
        for seq in &self.retired {
            writeln!(f, "  range deletion {seq} is done")?;
        }
        for t in &self.tombstones {
            let (start, end) = (t.start.escape_ascii(), t.end.escape_ascii());
            writeln!(f, "  range deletion {}: from \"{start}\" up to, without, \"{end}\"", t.seq)?;
        }
        let numbers = [
            ("min log", self.min_log),
            ("first position in it", self.log_base),
            ("newest log", self.newest_log),
            ("last sequence number", self.last_seq),
            ("next table", self.next_table),
            ("next keyspace", self.next_keyspace.map(u64::from)),
            ("time", self.time),
        ];
        for (name, number) in numbers {
            if let Some(number) = number {
                writeln!(f, "  {name} {number}")?;
            }
        }
        for (id, name) in &self.created_keyspaces {
            writeln!(f, "  create keyspace {} \"{}\"", id.0, name.escape_debug())?;
        }
        for (id, ttl) in &self.keyspace_ttls {
            writeln!(f, "  values of keyspace {} live for {ttl} ms", id.0)?;
        }
        for id in &self.dropped_keyspaces {
            writeln!(f, "  drop keyspace {}", id.0)?;
        }
        for log in &self.sealed_logs {
            writeln!(f, "  seal log {}: {} bytes, checksum {:08x}", log.number, log.len, log.checksum)?;
        }
        Ok(())
    }
}

fn write_table(f: &mut fmt::Formatter<'_>, t: &TableSummary) -> fmt::Result {
    write!(f, "table {}: {} bytes, checksum {:08x}, {} entries", t.number, t.len, t.checksum, t.entries)?;
    write!(f, " ({} tombstones, {} expiring)", t.tombstones, t.expiring)?;
    write!(f, ", \"{}\" to \"{}\"", t.smallest.escape_ascii(), t.largest.escape_ascii())?;
    write!(
        f,
        ", sequence numbers {} to {}, expiry {} to {}, range deletions applied up to {}",
        t.min_seq, t.max_seq, t.min_expiry, t.max_expiry, t.clean_seq
    )?;
    writeln!(f, ", {} bytes raw", t.raw_bytes)
}
