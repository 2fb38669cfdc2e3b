//! Tables and trees written as text, for tests here and in the picker.
//!
//! ```text
//! tree  = line*
//! line  = "L" level ":" table*
//! table = number "[" smallest "-" largest "]"  (":" length)?  ("@" min seq "-" max seq)?  ("x" tombstones "/" entries)?
//! ```
//!
//! A table has 10 bytes, 10 entries without tombstones, and its number as its only sequence number, unless it says
//! otherwise.

use super::LEVELS;
use super::edit::Edit;
use crate::engine::sstable::summary::TableSummary;

/// The table written as `text`.
pub fn table(text: &str) -> TableSummary {
    let (number, rest) = text.split_once('[').unwrap();
    let (keys, mut rest) = rest.split_once(']').unwrap();
    let (smallest, largest) = keys.split_once('-').unwrap();
    let number = number.parse().unwrap();
    let mut t = TableSummary {
        number,
        len: 10,
        checksum: 0xabcd,
        entries: 10,
        tombstones: 0,
        expiring: 0,
        smallest: smallest.into(),
        largest: largest.into(),
        min_seq: number,
        max_seq: number,
        clean_seq: 0,
        min_expiry: 0,
        max_expiry: 0,
        raw_bytes: 10,
    };
    while !rest.is_empty() {
        let sign = rest.as_bytes()[0];
        let end = rest[1..].find([':', '@', 'x']).map_or(rest.len(), |at| at + 1);
        let pair =
            |by| rest[1..end].split_once(by).map(|(a, b)| (a.parse().unwrap(), b.parse().unwrap())).unwrap();
        match sign {
            b':' => t.len = rest[1..end].parse().unwrap(),
            b'@' => (t.min_seq, t.max_seq) = pair('-'),
            _ => (t.tombstones, t.entries) = pair('/'),
        }
        rest = &rest[end..];
    }
    t
}

/// The tables of each level of the tree written as `text`.
pub fn tree(text: &str) -> [Vec<TableSummary>; LEVELS] {
    let mut levels = [const { Vec::new() }; LEVELS];
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let (level, tables) = line.strip_prefix('L').and_then(|line| line.split_once(':')).unwrap();
        levels[level.parse::<usize>().unwrap()] = tables.split_whitespace().map(table).collect();
    }
    levels
}

/// An edit that adds these tables: level and text.
pub fn adding(tables: &[(u8, &str)]) -> Edit {
    Edit { added: tables.iter().map(|(level, text)| (*level, table(text))).collect(), ..Edit::default() }
}
