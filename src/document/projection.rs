//! shim
use super::filter::Refused;
use super::value::Value;
/// shim
pub struct Projection;
impl Projection {
    /// shim
    #[allow(missing_docs)]
    pub fn parse(_v: &Value) -> Result<Projection, Refused> {
        Ok(Projection)
    }
    /// shim
    #[allow(missing_docs)]
    pub fn apply(&self, v: Value) -> Value {
        v
    }
}
