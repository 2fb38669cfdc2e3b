//! Sorted tables: files of entries in order, written once, never changed.
//!
//! Reading order: [`mod@format`] draws the file; [`block_builder`] draws a data block and makes it, [`block`] reads it,
//! [`compression`] packs it; [`index`], [`filter`] and [`properties`] are the other blocks; [`builder`] writes a table
//! and [`summary`] says what came of it; [`table`] opens one and answers point reads, [`probe`] does so in steps,
//! [`table_iter`] walks it, and [`describe`] prints it. For files that may be damaged: [`pieces`] reads one piece by piece,
//! [`verify`] checks every byte, [`salvage`] takes what is sound, and [`search`] finds blocks without an index.
//!
//! ```text
//! get   filter ─▶ index ─▶ slot of the cache ─▶ tags of the block ─▶ value
//!                             └ empty: map ─▶ checksum ─▶ unpack ─▶ decode
//! ```
//!
//! A table never hears of levels, of the manifest, or of what its entries mean: kinds are carried, not interpreted, but
//! for the statistics.

pub mod format;

pub mod block;
pub mod block_builder;
pub mod compression;
pub mod filter;
pub mod index;
pub mod properties;

pub mod builder;
pub mod summary;

pub mod describe;
pub mod probe;
pub mod table;
pub mod table_iter;

pub mod pieces;
pub mod salvage;
pub mod search;
pub mod verify;

#[cfg(test)]
mod tests;

pub use block::Block;
pub use builder::{TableBuilder, TableOptions};
pub use describe::Detail;
pub use pieces::TableFile;
pub use probe::Probe;
pub use summary::TableSummary;
pub use table::Table;
pub use table_iter::TableCursor;
