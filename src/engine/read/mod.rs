//! One consistent view of a database, and how it is read.
//!
//! A [`SuperVersion`] joins the write buffers and the tables of one moment. A reader takes it first and the visible
//! sequence number second, then reads without a lock.
//!
//! (R1) A super version holds every entry that was visible when it was published and has not been superseded for all
//!      snapshots. Taking it *before* the sequence number is what makes an implicit snapshot complete: were it taken after, a
//!      flush and a compaction between the two could have dropped the version that the number should see.
//! (R2) What a super version refers to stays readable as long as it is held: memory by reference count, table files by
//!      [`LazyTable`], which gives its file up for removal only when the last reader has let go of it.
//! (R3) The deletions of ranges that a reader sees are in the super version too: those in a buffer are looked at after the
//!      number is known, and all up to it are there by then (memtable A1); those of tables are in the version (manifest N4).

mod changed;
mod covered;
mod lazy_table;
mod level_cursor;
mod many;
mod source;
mod super_version;
mod visible;

pub use changed::Keys;
pub use covered::Covered;
pub use lazy_table::{LazyTable, TableFiles, TableRef, Version};
pub use level_cursor::LevelCursor;
pub use many::GROUP;
pub use source::Source;
pub use super_version::{Found, NEVER, SuperVersion, standing};
pub use visible::Visible;
