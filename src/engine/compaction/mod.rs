//! Merging tables, so that reads meet few of them and deleted space comes back.
//!
//! Reading order: the [`shape`] of the tree, with the sizes its levels should have; the [`picker`], which says what to
//! merge next; [`retain`], which says of each entry whether it survives. All three are pure: no I/O, no lock, no clock.
//! Then [`output`], which writes what survives.

pub mod output;
pub mod picker;
pub mod retain;
pub mod shape;

#[cfg(test)]
mod tests;
