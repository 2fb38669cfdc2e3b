//! Where the blocks of a table lie, read from its footer and index as `docs/format.md` and the sources it names draw them.

use std::ops::Range;

/// The data blocks of a table, each with its trailer.
pub fn blocks(table: &[u8]) -> Vec<Range<usize>> {
    let number = |at: usize| u64::from_le_bytes(table[at..at + 8].try_into().unwrap()) as usize;
    let footer = table.len() - 88;
    let (at, len) = (number(footer + 16), number(footer + 24));
    let mut index = &table[at..at + len];
    assert_eq!(byte(&mut index), 1, "kind of index");
    let count = varint(&mut index);
    let prefix = varint(&mut index);
    index = &index[prefix..];
    let mut start = 32;
    (0..count)
        .map(|_| {
            let packed = varint(&mut index);
            index = &index[(packed >> 1) + 8 * (packed & 1)..];
            let end = start + varint(&mut index) + 5;
            start = end;
            end
        })
        .scan(32, |start, end| Some(std::mem::replace(start, end)..end))
        .collect()
}

fn byte(bytes: &mut &[u8]) -> u8 {
    let (first, rest) = bytes.split_first().unwrap();
    *bytes = rest;
    *first
}

fn varint(bytes: &mut &[u8]) -> usize {
    let (mut value, mut shift) = (0, 0);
    loop {
        let next = byte(bytes);
        value |= usize::from(next & 0x7f) << shift;
        shift += 7;
        if next < 0x80 {
            return value;
        }
    }
}
