//! shim
use super::filter::Refused;
use super::value::Value;
/// shim
pub struct Update;
impl Update {
    /// shim
    #[allow(missing_docs)]
    pub fn parse(_v: &Value) -> Result<Update, Refused> {
        Ok(Update)
    }
    /// shim
    #[allow(missing_docs)]
    pub fn apply(&self, _v: &mut Value) -> Result<bool, Refused> {
        Ok(false)
    }
    /// shim
    #[allow(missing_docs)]
    pub fn touches(&self, _v: &str) -> bool {
        false
    }
}
