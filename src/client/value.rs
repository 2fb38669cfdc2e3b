//! What a server says, as a value.

use super::error::{Error, Result};

/// A reply, or a part of one. Both versions of the protocol give the same values; version 3 has more kinds of them.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Value {
    /// Nothing: no such key, or a transaction that was not carried out.
    Null,
    /// Version 3 only.
    Bool(bool),
    /// An integer.
    Int(i64),
    /// Version 3 only; version 2 has text in its place.
    Double(f64),
    /// A word of the server's, such as `OK`. What is not UTF-8 in it is replaced.
    Text(String),
    /// Bytes, such as a stored value.
    Bytes(Vec<u8>),
    /// Text with a word of three letters that says what it is: `txt`, `mkd`. Version 3 only.
    Verbatim {
        /// The word.
        format: String,
        /// The text.
        text: Vec<u8>,
    },
    /// An integer of any size, as its digits. Version 3 only.
    BigNumber(String),
    /// Values in an order.
    List(Vec<Value>),
    /// Names with values, in the order in which they came. Version 3 only; version 2 has a list of both in turn.
    Map(Vec<(Value, Value)>),
    /// Values without an order. Version 3 only.
    Set(Vec<Value>),
    /// What nobody asked for at this moment. Version 3 only.
    Push(Vec<Value>),
    /// A refusal, or a failure. A whole reply of this kind is an [`Error::Server`]; within a list, such as that of a
    /// transaction, it stays a value.
    Error {
        /// The first word, in capitals: `ERR`, `WRONGTYPE`, `NOAUTH`.
        code: String,
        /// The rest.
        message: String,
    },
}

impl Value {
    /// The bytes of a value that is text of any kind.
    #[must_use]
    pub fn as_bytes(&self) -> Option<&[u8]> {
        match self {
            Value::Bytes(bytes) | Value::Verbatim { text: bytes, .. } => Some(bytes),
            Value::Text(text) | Value::BigNumber(text) => Some(text.as_bytes()),
            _ => None,
        }
    }

    /// As [`Value::as_bytes`], if they are UTF-8.
    #[must_use]
    pub fn as_text(&self) -> Option<&str> {
        std::str::from_utf8(self.as_bytes()?).ok()
    }

    /// The integer.
    #[must_use]
    pub fn as_int(&self) -> Option<i64> {
        match self {
            Value::Int(number) => Some(*number),
            _ => None,
        }
    }

    /// The items of a list, a set or a push.
    #[must_use]
    pub fn items(&self) -> Option<&[Value]> {
        match self {
            Value::List(items) | Value::Set(items) | Value::Push(items) => Some(items),
            _ => None,
        }
    }

    /// Which kind of value it is, for a message.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Value::Null => "nothing",
            Value::Bool(_) => "a truth value",
            Value::Int(_) => "an integer",
            Value::Double(_) => "a number",
            Value::Text(_) => "a word",
            Value::Bytes(_) => "bytes",
            Value::Verbatim { .. } => "text",
            Value::BigNumber(_) => "a large integer",
            Value::List(_) => "a list",
            Value::Map(_) => "a map",
            Value::Set(_) => "a set",
            Value::Push(_) => "a message that nobody asked for",
            Value::Error { .. } => "an error",
        }
    }

    /// The error when this is not what the command is answered by.
    pub(super) fn unexpected<T>(&self, wanted: &'static str) -> Result<T> {
        let found = match self {
            Value::Text(text) => format!("the word `{text}`"),
            other => other.kind().to_string(),
        };
        Err(Error::Unexpected { wanted, found })
    }

    /// Bytes.
    pub(super) fn into_bytes(self) -> Result<Vec<u8>> {
        match self {
            Value::Bytes(bytes) | Value::Verbatim { text: bytes, .. } => Ok(bytes),
            other => other.unexpected("bytes"),
        }
    }

    /// Bytes, if there is anything.
    pub(super) fn into_optional(self) -> Result<Option<Vec<u8>>> {
        match self {
            Value::Null => Ok(None),
            other => other.into_bytes().map(Some),
        }
    }

    /// An integer.
    pub(super) fn into_int(self) -> Result<i64> {
        self.as_int().map_or_else(|| self.unexpected("an integer"), Ok)
    }

    /// How many of one thing: none, or one.
    pub(super) fn into_flag(self) -> Result<bool> {
        self.into_int().map(|count| count != 0)
    }

    /// The word that says that all went well.
    pub(super) fn into_word(self, word: &'static str) -> Result<()> {
        match &self {
            Value::Text(text) if text == word => Ok(()),
            other => other.unexpected(word),
        }
    }

    /// The items of a list.
    pub(super) fn into_list(self) -> Result<Vec<Value>> {
        match self {
            Value::List(items) | Value::Set(items) => Ok(items),
            other => other.unexpected("a list"),
        }
    }

    /// The pairs of a map, also as version 2 gives them.
    pub(super) fn into_pairs(self) -> Result<Vec<(Value, Value)>> {
        match self {
            Value::Map(pairs) => Ok(pairs),
            Value::List(items) if items.len() % 2 == 0 => Ok(pairs(items)),
            other => other.unexpected("a map"),
        }
    }
}

/// Items by two and two.
pub(super) fn pairs(items: Vec<Value>) -> Vec<(Value, Value)> {
    let mut items = items.into_iter();
    let mut pairs = Vec::with_capacity(items.len() / 2);
    while let (Some(name), Some(value)) = (items.next(), items.next()) {
        pairs.push((name, value));
    }
    pairs
}
