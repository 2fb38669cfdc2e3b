//! One record of the log. The layout is drawn in the folder's `mod.rs`.

use crate::engine::checksum::Place;
use crate::engine::coding::Reader;

/// The length of a record's header.
pub const HEADER_LEN: usize = 40;
/// Records begin at multiples of this.
pub const ALIGN: usize = 8;

/// What a record is. On disk: never renumber.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum RecordType {
    /// A batch of writes.
    Batch = 1,
    /// The first record of a segment.
    Start = 2,
    /// The last record of a segment.
    Seal = 3,
}

/// A record, decoded and checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Record<'a> {
    /// What it is.
    pub kind: RecordType,
    /// Numbers before the first were given up (W1).
    pub after_gap: bool,
    /// How many entries its payload has.
    pub count: u32,
    /// The sequence number of the first.
    pub first_seq: u64,
    /// The log position known to be synced when it was written.
    pub synced: u64,
    /// Its content.
    pub payload: &'a [u8],
}

/// How many bytes a record with such a payload takes in the file.
#[must_use]
pub fn encoded_len(payload: usize) -> usize {
    (HEADER_LEN + payload).next_multiple_of(ALIGN)
}

/// Appends `record`, as it stands at `offset` of the segment at `place`.
pub fn encode(out: &mut Vec<u8>, place: &Place, offset: u64, record: &Record<'_>) {
    let start = out.len();
    let len = record.payload.len();
    debug_assert!(u32::try_from(len).is_ok(), "batches are limited below 4 GiB");
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(&(len as u32).to_le_bytes());
    out.extend_from_slice(&[record.kind as u8, u8::from(record.after_gap), 0, 0]);
    out.extend_from_slice(&record.count.to_le_bytes());
    out.extend_from_slice(&record.first_seq.to_le_bytes());
    out.extend_from_slice(&record.synced.to_le_bytes());
    out.extend_from_slice(&place.number.to_le_bytes());
    out.extend_from_slice(record.payload);
    out.resize(start + encoded_len(len), 0);
    let crc = place.crc(offset, &[out.get(start + 4..).unwrap_or_default()]);
    if let Some(slot) = out.get_mut(start..start + 4) {
        slot.copy_from_slice(&crc.to_le_bytes());
    }
}

/// The record at `offset` of a segment's bytes and where the next one begins; `None` when no valid one begins there.
#[must_use]
pub fn decode<'a>(file: &'a [u8], place: &Place, offset: usize) -> Option<(Record<'a>, usize)> {
    let mut r = Reader::new(file.get(offset..)?);
    let (_, len, what) = (r.u32()?, r.u32()? as usize, r.array::<4>()?);
    let (kind, after_gap) = known(what)?;
    let (count, first_seq, synced) = (r.u32()?, r.u64()?, r.u64()?);
    let end = whole(file, place, offset)?;
    let payload = file.get(offset + HEADER_LEN..)?.get(..len)?;
    Some((Record { kind, after_gap, count, first_seq, synced, payload }, end))
}

/// The type and flags of a whole record at `offset` that this build does not know: a newer one wrote it.
#[must_use]
pub fn unknown(file: &[u8], place: &Place, offset: usize) -> Option<[u8; 4]> {
    let what = *file.get(offset..)?.get(8..)?.first_chunk::<4>()?;
    (known(what).is_none() && whole(file, place, offset).is_some()).then_some(what)
}

/// How many bytes the record that seems to begin at `offset` claims to have.
#[must_use]
pub fn claimed_len(file: &[u8], offset: usize) -> Option<usize> {
    let len = *file.get(offset..)?.get(4..)?.first_chunk::<4>()?;
    Some(encoded_len(u32::from_le_bytes(len) as usize))
}

fn known(what: [u8; 4]) -> Option<(RecordType, bool)> {
    let [kind, flags @ (0 | 1), 0, 0] = what else { return None };
    let kind = match kind {
        1 => RecordType::Batch,
        2 => RecordType::Start,
        3 => RecordType::Seal,
        _ => return None,
    };
    Some((kind, flags == 1))
}

/// Where the record at `offset` ends, when number and checksum are right.
fn whole(file: &[u8], place: &Place, offset: usize) -> Option<usize> {
    let end = offset.checked_add(claimed_len(file, offset)?)?;
    let record = file.get(offset..end)?;
    let (crc, covered) = record.split_first_chunk::<4>()?;
    let number = record.get(32..)?.first_chunk::<8>()?;
    let is_ours = *number == place.number.to_le_bytes();
    (is_ours && place.crc(offset as u64, &[covered]) == u32::from_le_bytes(*crc)).then_some(end)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::header::FileKind;

    const PLACE: Place = Place { database: 9, kind: FileKind::Log, number: 5 };

    fn sample() -> (Vec<u8>, Record<'static>) {
        let record = Record {
            kind: RecordType::Batch,
            after_gap: false,
            count: 1,
            first_seq: 77,
            synced: 32,
            payload: b"\x01\x02\0k\x01v",
        };
        let mut bytes = vec![0; 32];
        encode(&mut bytes, &PLACE, 32, &record);
        (bytes, record)
    }

    #[test]
    fn golden() {
        let (bytes, record) = sample();
        let mut golden = vec![0u8; 32];
        golden.extend_from_slice(&bytes[32..36]);
        golden.extend_from_slice(
            b"\x06\0\0\0\x01\0\0\0\x01\0\0\0\x4d\0\0\0\0\0\0\0\x20\0\0\0\0\0\0\0\x05\0\0\0\0\0\0\0",
        );
        golden.extend_from_slice(b"\x01\x02\0k\x01v\0\0");
        assert_eq!(bytes, golden);
        assert_eq!(decode(&bytes, &PLACE, 32), Some((record, bytes.len())));
    }

    #[test]
    fn the_flag_and_unknown_types() {
        let (mut bytes, record) = sample();
        bytes.truncate(32);
        encode(&mut bytes, &PLACE, 32, &Record { after_gap: true, ..record });
        assert_eq!(bytes[40..44], [1, 1, 0, 0]);
        assert!(decode(&bytes, &PLACE, 32).unwrap().0.after_gap);
        assert_eq!(unknown(&bytes, &PLACE, 32), None);
        for what in [[4, 0, 0, 0], [1, 2, 0, 0], [1, 0, 1, 0]] {
            bytes[40..44].copy_from_slice(&what);
            assert_eq!(unknown(&bytes, &PLACE, 32), None, "the checksum is wrong");
            let crc = PLACE.crc(32, &[&bytes[36..]]);
            bytes[32..36].copy_from_slice(&crc.to_le_bytes());
            assert_eq!(decode(&bytes, &PLACE, 32), None);
            assert_eq!(unknown(&bytes, &PLACE, 32), Some(what));
        }
    }

    #[test]
    fn damage_and_displacement_are_noticed() {
        let (bytes, _) = sample();
        for bit in 32 * 8..bytes.len() * 8 {
            let mut bad = bytes.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(decode(&bad, &PLACE, 32), None, "bit {bit}");
        }
        for len in 0..bytes.len() {
            assert_eq!(decode(&bytes[..len], &PLACE, 32), None);
        }
        assert_eq!(decode(&bytes[8..], &PLACE, 24), None, "another offset");
        assert_eq!(decode(&bytes, &Place { number: 6, ..PLACE }, 32), None, "another segment");
        assert_eq!(decode(&bytes, &Place { database: 1, ..PLACE }, 32), None, "another database");
    }
}
