//! Shim.
use super::filter::Refused;
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
/// s
#[derive(Debug, Clone, PartialEq)]
pub struct Schema;
/// s
pub struct Violations;
impl Violations {
    /// s
    pub fn to_value(&self) -> Value {
        Value::Null
    }
}
impl Schema {
    /// s
    pub fn parse(_v: &Value) -> Result<Schema, Refused> {
        Ok(Schema)
    }
    /// s
    pub fn to_value(&self) -> Value {
        Value::Null
    }
    /// s
    pub fn unique_columns(&self) -> impl Iterator<Item = &str> {
        std::iter::empty()
    }
    /// s
    pub fn instants<'a>(&self, _p: impl Iterator<Item = &'a str>) -> Option<&Format> {
        None
    }
    /// s
    pub fn insertion(&self, v: Value) -> Result<Value, Violations> {
        Ok(v)
    }
    /// s
    pub fn partial(&self, v: Value) -> Result<Value, Violations> {
        Ok(v)
    }
}
