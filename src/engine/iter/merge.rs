//! The k-way merge (to be written).
use super::Cursor;
/// Several cursors as one.
pub struct Merge<C: Cursor>(Vec<C>);
