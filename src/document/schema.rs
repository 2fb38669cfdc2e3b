//! Shim.
use super::value::Value;
/// Shim.
#[derive(Debug, Clone, PartialEq)]
pub struct Format;
impl Format {
    /// Shim.
    pub fn instant(&self, _value: &Value) -> Option<i128> {
        None
    }
}
