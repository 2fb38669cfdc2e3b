//! Bytes become an ordered map.
//!
//! Reading order: the ground floor ([`coding`], [`checksum`], [`header`], [`key`], [`slice`], [`filename`],
//! [`options`], [`batch`]), the iterator contract ([`iter`]), the block [`cache`]; then four parts that do not know
//! each other; then the assemblies that join them.

pub mod batch;
pub mod cache;
pub mod checksum;
pub mod coding;
pub mod filename;
pub mod header;
pub mod iter;
pub mod key;
pub mod memtable;
pub mod options;
pub mod slice;
pub mod sstable;
pub mod wal;
