//! The content of a data block, `src/engine/sstable/block_builder.rs`, and tables of a single one.

use super::{Place, Reader, hash, put_bytes, put_varint, table};
use std::cmp::Reverse;

/// The length of the fixed end.
const TAIL: usize = 24;

/// An entry of a block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The engine key.
    pub key: Vec<u8>,
    pub seq: u64,
    pub kind: u8,
    pub value: Vec<u8>,
    pub tag: u8,
}

/// The entries of a block, or `None` when these bytes are none.
pub fn entries(content: &[u8]) -> Option<Vec<Entry>> {
    let mut tail = Reader::new(content.get(content.len().checked_sub(TAIL)?..)?);
    let base = tail.u64()?;
    let (value_len, suffix_len, prefix_len) = (tail.u32()?, tail.u32()?, tail.u32()?);
    let (count, widths, reserved) = (usize::from(tail.u16()?), tail.u8()?, tail.u8()?);
    let [value_width, suffix_width, seq_width] = [widths & 7, widths >> 3 & 3, widths >> 5].map(usize::from);
    if count == 0 || reserved != 0 || value_width > 4 {
        return None;
    }
    let whole = |len: u32, width: usize| (len as usize).checked_mul(if width == 0 { count } else { 1 });
    let mut r = Reader::new(&content[..content.len() - TAIL]);
    let mut values = Reader::new(r.take(whole(value_len, value_width)?)?);
    let mut suffixes = Reader::new(r.take(whole(suffix_len, suffix_width)?)?);
    let mut numbers = |width: usize, alike: u64| -> Option<Vec<u64>> {
        let mut stored = Reader::new(r.take(count * width)?);
        (0..count).map(|_| if width == 0 { Some(alike) } else { stored.number(width) }).collect()
    };
    let value_lens = numbers(value_width, value_len.into())?;
    let suffix_lens = numbers(suffix_width, suffix_len.into())?;
    let seqs = numbers(seq_width, 0)?;
    let kind = base & 0xff;
    let kinds = if kind == 0xff { numbers(1, 0)? } else { vec![kind; count] };
    let tags = numbers(1, 0)?;
    let prefix = r.take(prefix_len as usize)?;
    let mut entries = Vec::with_capacity(count);
    for i in 0..count {
        entries.push(Entry {
            key: [prefix, suffixes.take(suffix_lens[i] as usize)?].concat(),
            seq: (base >> 8).checked_add(seqs[i]).filter(|seq| *seq < 1 << 56)?,
            kind: kinds[i] as u8,
            value: values.take(value_lens[i] as usize)?.to_vec(),
            tag: tags[i] as u8,
        });
    }
    (r.is_empty() && values.is_empty() && suffixes.is_empty()).then_some(entries)
}

/// Whether entries are as a builder leaves them: in order, with the right tags, of kinds that there are.
pub fn are_sound(entries: &[Entry]) -> bool {
    let place = |entry: &Entry| (entry.key.clone(), Reverse((entry.seq, entry.kind)));
    let ordered = entries.windows(2).all(|pair| place(&pair[0]) < place(&pair[1]));
    let known = |entry: &Entry| entry.kind <= 5 && (entry.kind != 5 || entry.value.len() >= 8);
    let tagged = |entry: &Entry| entry.tag == hash(&entry.key).to_be_bytes()[0];
    ordered && entries.iter().all(|entry| known(entry) && tagged(entry))
}

/// A table of one block that holds `entries`, without a filter; its index and properties say what the entries do.
pub fn table(place: &Place, compression: u8, payload: &[u8], entries: &[Entry]) -> Vec<u8> {
    let last = entries.last().map(|entry| entry.key.clone()).unwrap_or_default();
    let mut index = vec![1, 1, 0];
    put_varint(&mut index, (last.len() as u64) << 1);
    index.extend_from_slice(&last);
    put_varint(&mut index, payload.len() as u64);
    let blocks = [(compression, payload.to_vec())];
    table::file(place, &blocks, None, &index, &properties(entries))
}

/// The properties of a table of these entries.
fn properties(entries: &[Entry]) -> Vec<u8> {
    let count = |kind| entries.iter().filter(|entry| entry.kind == kind).count() as u64;
    let expiring = entries.iter().filter(|entry| entry.kind == 5);
    let times: Vec<u64> = expiring.filter_map(|entry| Reader::new(&entry.value).u64()).collect();
    let seqs = || entries.iter().map(|entry| entry.seq);
    let raw = |part: fn(&Entry) -> usize| entries.iter().map(part).sum::<usize>() as u64;
    let ends = |at: Option<u64>| at.unwrap_or_default();
    let mut out = vec![1];
    for number in [
        entries.len() as u64,
        count(0),
        times.len() as u64,
        ends(seqs().min()),
        ends(seqs().max()),
        0,
        ends(times.iter().min().copied()),
        ends(times.iter().max().copied()),
        raw(|entry| entry.key.len()),
        raw(|entry| entry.value.len()),
        0,
        0,
    ] {
        put_varint(&mut out, number);
    }
    out.extend([0, 0]);
    for end in [entries.first(), entries.last()] {
        put_bytes(&mut out, end.map_or(&[], |entry| &entry.key));
    }
    out
}
