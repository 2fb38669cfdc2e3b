//! The write-ahead log: what was written since the last flush, in order.
//!
//! # Segments
//!
//! The log is a chain of numbered files, `000012.log`, each made ready before it is needed: filled with zeros (or a used
//! one taken again), given its header, synced and named. Appending to such a file changes neither its length nor its
//! blocks, so a sync has no metadata to write. A segment that runs full before the next one is ready just grows.
//!
//! ```text
//! segment = header (32 bytes, `engine::header`)  Start  Batch*  [Seal]  8 zeros  (zeros, or what an earlier life left)
//!
//! record  = offset size
//!                0    4  CRC-32 of all that follows, bound to the segment and the record's offset in it
//!                4    4  length of the payload
//!                8    1  type: 1 Batch, 2 Start, 3 Seal
//!                9    1  flags: bit 0, numbers before the first were given up after an append that failed
//!               10    2  zero
//!               12    4  how many entries the payload has
//!               16    8  sequence number of the first entry
//!               24    8  log position that was known to be synced when the record was written
//!               32    8  number of the segment
//!               40       payload, then zeros up to the next multiple of 8
//!
//! Batch payload = `engine::batch`
//! Start payload = number of the segment before (8 bytes), log position of this segment's first byte (8 bytes),
//!                 length the file was prepared to (8 bytes)
//! Seal payload  = number of the segment after (8 bytes)
//! ```
//!
//! # Positions
//!
//! A *log position* counts bytes over all segments: a segment begins where the one before ended. So "synced up to" is one
//! number, and a later record can vouch for earlier segments.
//!
//! # Invariants
//!
//! (W1) Records lie in the order of their sequence numbers, and each begins where the one before ended; a gap is only where
//!      a record says so, after an append that failed, or a `Start` does, after a recovery. So what a failed append left
//!      never joins what was written over it.
//! (W2) A record is written whole before anything of it is acknowledged, and after every record before it.
//! (W3) The synced position in a record was reached by a successful sync before the record was written.
//! (W4) A checksum holds for one segment number and offset only; what an earlier life left in a recycled file never
//!      passes for a record of the present one, nor does a copy of a record inside a value.
//! (W5) Every append ends with 8 zeros, which the next one overwrites. So a log that ended between two appends is told
//!      from one with a record that is not whole, also where a recycled file goes on with older bytes.
//! (W6) A segment is never shorter than it was prepared to be: its length was durable before its first record.
//!
//! # Recovery
//!
//! The log ends at the first place where no valid record begins. If any record found behind that place (in this segment
//! or a later one) vouches for bytes at or after it (W3), durable data is damaged: an error. If not, what follows was never
//! promised: it is left out, and the report says so. A segment that begins at exactly that place, written after an
//! earlier recovery, goes on from there; what lies behind the place is judged all the same, before going on. A segment
//! that is missing though a `Seal` or the manifest names it, or shorter than it was (W6), is an error too.
//!
//! What recovery has read must be synced before a new record vouches for it: a process that was killed leaves more in the
//! operating system's memory than on the disk.
//!
//! What this cannot tell: whether the last record that nobody vouches for was acknowledged. If it is damaged, it is left
//! out and reported like a torn one.

pub mod describe;
pub mod reader;
pub mod record;
pub mod segment;
pub mod view;
pub mod writer;

#[cfg(test)]
mod tests;
