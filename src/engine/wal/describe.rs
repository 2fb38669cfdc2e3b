//! A segment as text, record by record.

use super::record::{self, Record, RecordType};
use crate::Result;
use crate::engine::batch;
use crate::engine::checksum::Place;
use crate::engine::header::{self, HEADER_LEN};
use crate::engine::key::Kind;
use std::fmt::Write;
use std::path::Path;

/// A segment as text, record by record.
///
/// # Errors
/// [`Error::Corruption`] for a header that is not one of a segment.
pub fn describe(path: &Path, bytes: &[u8], out: &mut dyn Write) -> Result<std::fmt::Result> {
    let place = header::decode(path, bytes)?;
    Ok(describe_records(&place, bytes, out))
}

fn describe_records(place: &Place, bytes: &[u8], out: &mut dyn Write) -> std::fmt::Result {
    writeln!(out, "log segment {} of database {:016x}, {} bytes", place.number, place.database, bytes.len())?;
    let mut offset = HEADER_LEN;
    while let Some((record, next)) = record::decode(bytes, place, offset) {
        let Record { kind, count, first_seq, synced, payload, .. } = record;
        writeln!(
            out,
            "{offset:>10}  {kind:?}  seq {first_seq}  entries {count}  synced {synced}  {} bytes",
            payload.len()
        )?;
        if kind == RecordType::Batch {
            for entry in batch::entries(payload) {
                match entry {
                    Ok(e) if e.kind == Kind::DeleteRange => {
                        let (start, end) = (e.key.escape_ascii(), e.value.escape_ascii());
                        writeln!(out, "            DeleteRange from \"{start}\" up to, without, \"{end}\"")?;
                    }
                    Ok(e) => writeln!(
                        out,
                        "            {:?} \"{}\" ({} bytes)",
                        e.kind,
                        e.key.escape_ascii(),
                        e.value.len()
                    )?,
                    Err((at, why)) => writeln!(out, "            damaged at {at}: {why}")?,
                }
            }
        }
        offset = next;
    }
    writeln!(out, "{offset:>10}  end of the log")
}
