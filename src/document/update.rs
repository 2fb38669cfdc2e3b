//! shim
use super::filter::Refused;
use super::value::Value;
/// shim
pub struct Update(Value);
impl Update {
    /// shim
    #[allow(missing_docs)]
    pub fn parse(v: &Value) -> Result<Update, Refused> {
        Ok(Update(v.clone()))
    }
    /// shim
    #[allow(missing_docs)]
    pub fn apply(&self, v: &mut Value) -> Result<bool, Refused> {
        if let (Value::Object(m), Value::Object(c)) = (v, &self.0) {
            for (n, x) in c {
                match m.iter_mut().find(|(o, _)| o == n) {
                    Some(e) => e.1 = x.clone(),
                    None => m.push((n.clone(), x.clone())),
                }
            }
        }
        Ok(false)
    }
    /// shim
    #[allow(missing_docs)]
    pub fn touches(&self, _v: &str) -> bool {
        false
    }
}
