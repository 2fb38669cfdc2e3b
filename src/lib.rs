//! Siltstone: a durable, ordered key-value store in one folder of files.

#[allow(dead_code)]
mod engine;
pub mod error;
pub mod vfs;

pub use error::{Error, Result};
