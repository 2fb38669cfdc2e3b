//! Bytes become an ordered map.
//!
//! Reading order: the ground floor ([`coding`], [`checksum`], [`header`], [`key`], [`slice`], [`filename`],
//! [`options`], [`batch`]), the iterator contract ([`iter`]), the block [`cache`]; then four parts that do not know
//! each other ([`wal`], [`memtable`], [`sstable`], [`manifest`]); then the assemblies that join them.

pub mod coding;
pub mod checksum;
pub mod header;
pub mod key;
pub mod slice;
pub mod filename;
pub mod options;
pub mod batch;
pub mod iter;
pub mod cache;
pub mod wal;
pub mod memtable;
pub mod sstable;
