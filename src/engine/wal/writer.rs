//! Appending to the log. The caller holds the commit lock, so there is one writer at a time.
//!
//! A failed append leaves the tail where it was: the next one overwrites whatever got into the file. Nothing of the failed
//! record was acknowledged; its sequence numbers are not used again, and the next record says so. So, should a power cut
//! bring the failed record back in place of the one written over it, nothing later joins it (W1).

use super::record::{self, Record, RecordType};
use super::segment::Segment;
use crate::Result;
use crate::engine::checksum::Place;
use crate::engine::filename::FileName;
use crate::engine::header::HEADER_LEN;
use crate::planted::{Bug, planted};
use crate::vfs::{Dir, OpenFile};

/// What every append ends with (W5).
const END: [u8; 8] = [0; 8];

/// The end of the log.
#[derive(Debug)]
pub struct Writer {
    segment: Segment,
    /// The log position of the segment's first byte.
    base: u64,
    /// Where the next record goes, in the file.
    tail: u64,
    /// Earlier segments that may have records no sync has covered yet, and the log positions they end at.
    unsynced: Vec<(OpenFile, u64)>,
    /// The last append failed, so the next record follows a gap.
    after_gap: bool,
    buffer: Vec<u8>,
}

/// What must be synced to make the log durable up to a position.
#[derive(Debug)]
pub struct SyncTarget {
    /// The files, oldest first.
    pub files: Vec<OpenFile>,
    /// The position reached when all are synced.
    pub position: u64,
    /// The segment that position lies in.
    pub segment: u64,
}

impl Writer {
    /// Begins a segment at log position `base`, after the segment `previous`.
    ///
    /// # Errors
    /// What writing the `Start` record may give.
    pub fn start(segment: Segment, previous: u64, base: u64, next_seq: u64, synced: u64) -> Result<Writer> {
        let payload = start_payload(previous, base, segment.capacity);
        let (tail, unsynced, buffer) = (HEADER_LEN as u64, Vec::new(), Vec::new());
        let mut writer = Writer { segment, base, tail, unsynced, after_gap: false, buffer };
        writer.append_record(RecordType::Start, 0, next_seq, synced, &payload)?;
        Ok(writer)
    }

    /// One that nothing is appended to, of a log in `dir` that somebody else may be writing.
    #[must_use]
    pub fn idle(dir: &Dir, place: Place, position: u64) -> Writer {
        let file = OpenFile::none(&dir.join(&FileName::Log(place.number).to_string()));
        let segment = Segment { place, file, capacity: 0 };
        Writer {
            segment,
            base: position,
            tail: 0,
            unsynced: Vec::new(),
            after_gap: false,
            buffer: Vec::new(),
        }
    }

    /// The number of the segment being written.
    #[must_use]
    pub fn number(&self) -> u64 {
        self.segment.place.number
    }

    /// The log position of the segment's first byte.
    #[must_use]
    pub fn base(&self) -> u64 {
        self.base
    }

    /// The log position of the next record.
    #[must_use]
    pub fn position(&self) -> u64 {
        self.base + self.tail
    }

    /// How large the segment was made.
    #[must_use]
    pub fn capacity(&self) -> u64 {
        self.segment.capacity
    }

    /// Whether the segment is so full that the next one should be made ready.
    #[must_use]
    pub fn wants_next(&self) -> bool {
        self.tail * 2 >= self.segment.capacity
    }

    /// Whether a batch of `payload` bytes still fits into the prepared part, with room for a `Seal` and the end.
    #[must_use]
    pub fn has_room(&self, payload: usize) -> bool {
        let need = record::encoded_len(payload) + record::encoded_len(8) + END.len();
        self.tail + need as u64 <= self.segment.capacity
    }

    /// Appends a batch; returns the log position behind it.
    ///
    /// # Errors
    /// [`crate::Error::Io`] or [`crate::Error::DiskFull`]; nothing was appended.
    pub fn append(&mut self, first_seq: u64, count: u32, payload: &[u8], synced: u64) -> Result<u64> {
        self.append_record(RecordType::Batch, count, first_seq, synced, payload)?;
        Ok(self.position())
    }

    /// Goes on in the segment `next`.
    ///
    /// # Errors
    /// As [`Writer::append`]; after a failure the writer goes on in the old segment, and `next` may be tried again.
    pub fn rotate(&mut self, next: Segment, next_seq: u64, synced: u64) -> Result<()> {
        let (old_tail, number) = (self.tail, self.number());
        self.append_record(RecordType::Seal, 0, next_seq, synced, &next.place.number.to_le_bytes())?;
        match Writer::start(next, number, self.position(), next_seq, synced) {
            Ok(mut writer) => {
                writer.unsynced = std::mem::take(&mut self.unsynced);
                writer.unsynced.push((self.segment.file.clone(), self.position()));
                writer.buffer = std::mem::take(&mut self.buffer);
                *self = writer;
                Ok(())
            }
            Err(e) => {
                // The seal is overwritten by the next record.
                self.tail = old_tail;
                self.after_gap = true;
                Err(e)
            }
        }
    }

    /// What to sync to make everything appended so far durable, when all up to `synced` already is.
    #[must_use]
    pub fn sync_target(&mut self, synced: u64) -> SyncTarget {
        self.unsynced.retain(|(_, end)| *end > synced);
        let mut files: Vec<_> = self.unsynced.iter().map(|(file, _)| file.clone()).collect();
        if planted(Bug::SyncNewestSegmentOnly) {
            files.clear();
        }
        files.push(self.segment.file.clone());
        SyncTarget { files, position: self.position(), segment: self.number() }
    }

    /// Lets go of the segments that end at or before log position `base`: what they hold is in tables, so nobody needs them
    /// synced. Where no write asks for a sync they would else stay open for ever, and keep their room on the disk.
    pub fn release(&mut self, base: u64) {
        self.unsynced.retain(|(_, end)| *end > base);
    }

    /// How much memory it keeps for its records.
    #[must_use]
    pub fn memory(&self) -> usize {
        self.buffer.capacity()
    }

    /// Keeps at most so many bytes of memory for its records.
    pub fn keep(&mut self, most: usize) {
        if self.buffer.capacity() > most {
            self.buffer = Vec::new();
        }
    }

    fn append_record(
        &mut self,
        kind: RecordType,
        count: u32,
        first_seq: u64,
        synced: u64,
        payload: &[u8],
    ) -> Result<()> {
        self.buffer.clear();
        let record = Record { kind, after_gap: self.after_gap, count, first_seq, synced, payload };
        record::encode(&mut self.buffer, &self.segment.place, self.tail, &record);
        let len = self.buffer.len();
        self.buffer.extend_from_slice(&END);
        let written = self.segment.file.write_at(&self.buffer, self.tail);
        self.after_gap = written.is_err();
        if planted(Bug::GoOnBehindFailedAppend) && written.is_err() {
            self.tail += len as u64;
        }
        if !planted(Bug::IgnoreFailedAppend) {
            written?;
        }
        self.tail += len as u64;
        Ok(())
    }
}

fn start_payload(previous: u64, base: u64, capacity: u64) -> Vec<u8> {
    [previous, base, capacity].iter().flat_map(|number| number.to_le_bytes()).collect()
}
