//! Values out of what Rust programs have, and back.

use super::raw::Encoded;
use super::value::{Malformed, Number, Value};
use serde::Serialize;
use serde::de::DeserializeOwned;

impl Value {
    /// An object of these members, whose names differ.
    #[must_use]
    pub fn object<const N: usize>(members: [(&str, Value); N]) -> Value {
        Value::Object(members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
    }

    /// The value that serde makes of something. It goes through the text of JSON, so numbers are as they are written there.
    ///
    /// ```
    /// # use siltstone::document::value::Value;
    /// #[derive(serde::Serialize)]
    /// struct Point { x: i64, y: f64 }
    /// assert_eq!(Value::of(&Point { x: 1, y: 2.0 })?.to_string(), r#"{"x":1,"y":2.0}"#);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// It has no form in JSON, or is deeper or longer than a document may be.
    pub fn of<T: Serialize + ?Sized>(value: &T) -> Result<Value, Malformed> {
        Value::parse(&text(value)?)
    }

    /// What serde makes of the value.
    ///
    /// # Errors
    /// It is not of that type, and why.
    pub fn to<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        serde_json::from_str(&self.to_string())
    }
}

impl Encoded {
    /// As [`Value::of`], as bytes.
    ///
    /// # Errors
    /// As there.
    pub fn of_serde<T: Serialize + ?Sized>(value: &T) -> Result<Encoded, Malformed> {
        Encoded::parse(&text(value)?)
    }
}

fn text<T: Serialize + ?Sized>(value: &T) -> Result<String, Malformed> {
    serde_json::to_string(value).map_err(|_| Malformed { at: 0, why: "this has no form in JSON" })
}

impl From<Value> for Encoded {
    fn from(value: Value) -> Encoded {
        Encoded::of(&value)
    }
}

impl From<serde_json::Value> for Encoded {
    fn from(value: serde_json::Value) -> Encoded {
        Encoded::of(&Value::from(value))
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Value {
        Value::String(text.into())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Value {
        Value::String(text)
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Value {
        Value::Bool(value)
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Value {
        integer(&number.to_string())
    }
}

impl From<u64> for Value {
    fn from(number: u64) -> Value {
        integer(&number.to_string())
    }
}

/// Digits, which are a number.
fn integer(text: &str) -> Value {
    Number::parse(text).map_or(Value::Null, Value::Number)
}

impl From<serde_json::Value> for Value {
    fn from(value: serde_json::Value) -> Value {
        match value {
            serde_json::Value::Null => Value::Null,
            serde_json::Value::Bool(value) => Value::Bool(value),
            // Serde's numbers are such of JSON, but for exponents that nobody has.
            serde_json::Value::Number(number) => integer(&number.to_string()),
            serde_json::Value::String(text) => Value::String(text),
            serde_json::Value::Array(list) => Value::Array(list.into_iter().map(Value::from).collect()),
            serde_json::Value::Object(members) => {
                Value::Object(members.into_iter().map(|(name, value)| (name, Value::from(value))).collect())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn there_and_back() {
        let value = Value::from(json!({"b": [1, 2.50, null], "a": "x", "big": 18446744073709551615u64}));
        assert_eq!(value.to_string(), r#"{"b":[1,2.5,null],"a":"x","big":18446744073709551615}"#);
        assert_eq!(Value::of(&value.to::<serde_json::Value>().unwrap()).unwrap(), value);
        assert_eq!(Value::from(-5_i64).to_string(), "-5");
    }
}
