//! The list of tables and logs that make the database: which are in force, and how that list is changed and survives.
//!
//! Reading order: a [`level`] of tables and how a key finds its table in it; the immutable [`version`], seven of them;
//! the [`edit`] from one version to the next; the [`registry`] of everything else the manifest knows; the [`record`]s
//! edits are written as, and how they are [`replay`]ed; the file [`current`] that names the manifest; [`set`], which
//! joins them and is the one place that writes; [`clean`], which says when the deletion of a range is done; [`files`],
//! which compares the list with the folder; [`verify`], which compares the files with what is in force; [`fresh`], a folder in
//! which a database is made; [`describe`], all of it as text.
//!
//! Nothing here opens a table: a version carries an opaque handle for each, which the read path fills in lazily.

pub mod clean;
pub mod current;
pub mod describe;
pub mod edit;
pub mod files;
pub mod fresh;
pub mod level;
pub mod record;
pub mod registry;
pub mod replay;
pub mod set;
pub mod verify;
pub mod version;
pub use edit::Edit;
pub use files::{Presence, check_files, look};
pub use level::TableRef;
pub use set::Manifest;
pub use version::Version;

/// How many levels there are, level 0 included.
pub const LEVELS: usize = 7;

#[cfg(test)]
pub mod fixture;
#[cfg(test)]
mod tests;
