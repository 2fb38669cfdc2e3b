//! Bytes become an ordered map.
//!
//! Reading order: the ground floor ([`coding`], [`checksum`], [`header`], [`key`], [`slice`], [`filename`],
//! [`event`], [`options`], [`memory`], [`batch`], [`tombstones`]), the iterator contract ([`iter`]), the block [`cache`]; then four parts that do not know
//! each other ([`wal`], [`memtable`], [`sstable`], [`manifest`]); then the assemblies that join them ([`read`],
//! [`compaction`], [`db`]).

pub mod batch;
pub mod checksum;
pub mod coding;
pub mod event;
pub mod filename;
pub mod header;
pub mod key;
pub mod memory;
pub mod options;
pub mod slice;
pub mod tombstones;

pub mod cache;
pub mod iter;

pub mod manifest;
pub mod memtable;
pub mod sstable;
pub mod wal;

pub mod check;
pub mod read;

pub mod compaction;

pub mod db;
pub mod inspect;
pub mod repair;
