//! Keys and values of one request, in two allocations whatever their number.
//!
//! A request may hold millions of short pairs. A vector of owned pairs would be ten times its size, so the bytes lie
//! one after the other, and for each pair it is noted where key and value end.

use crate::store::Value;

/// Keys with the stored form of their values, in the order they came. A key may come more than once.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pairs {
    bytes: Vec<u8>,
    /// Where the key ends and where the value ends; both begin where what is before them ends.
    ends: Vec<(usize, usize)>,
}

impl Pairs {
    /// None yet.
    #[must_use]
    pub fn new() -> Pairs {
        Pairs::default()
    }

    /// Adds a pair.
    pub fn push(&mut self, key: &[u8], value: &Value<'_>) {
        self.bytes.extend_from_slice(key);
        let key_end = self.bytes.len();
        self.bytes.extend_from_slice(&value.encode());
        self.ends.push((key_end, self.bytes.len()));
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// True when there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Each key, and its value in the stored form.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        let mut start = 0;
        self.ends.iter().filter_map(move |(key_end, value_end)| {
            let key = self.bytes.get(start..*key_end)?;
            start = *value_end;
            Some((key, self.bytes.get(*key_end..*value_end)?))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_come_back_in_order() {
        let mut pairs = Pairs::new();
        assert!(pairs.is_empty());
        pairs.push(b"k", &Value::Bytes(b"v"[..].into()));
        pairs.push(b"", &Value::Bytes(b""[..].into()));
        pairs.push(b"k", &Value::Json("1".into()));
        let expected: [(&[u8], &[u8]); 3] = [(b"k", b"v"), (b"", b""), (b"k", b"\xffJ1")];
        assert_eq!(pairs.iter().collect::<Vec<_>>(), expected);
        assert_eq!(pairs.len(), 3);
    }
}
