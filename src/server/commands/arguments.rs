//! Arguments that are numbers or words, and what is said of those that are not.

use super::{Answered, Refusal, error};
use crate::protocol::Reply;
use crate::protocol::resp::number::{parse_f64, parse_i64};

pub(super) const SYNTAX: &str = "ERR syntax error";
pub(super) const NOT_INTEGER: &str = "ERR value is not an integer or out of range";
pub(super) const NOT_FLOAT: &str = "ERR value is not a valid float";

/// An integer.
pub(super) fn integer(text: &[u8]) -> Result<i64, Refusal> {
    parse_i64(text).map_or_else(|| error(NOT_INTEGER), Ok)
}

/// A floating point number.
pub(super) fn float(text: &[u8]) -> Result<f64, Refusal> {
    parse_f64(text).map_or_else(|| error(NOT_FLOAT), Ok)
}

/// Whether an argument is a word, in upper or lower case.
pub(super) fn is(arg: &[u8], word: &str) -> bool {
    arg.eq_ignore_ascii_case(word.as_bytes())
}

/// The error for an argument that does not belong there.
pub(super) fn syntax<T>() -> Result<T, Refusal> {
    error(SYNTAX)
}

/// The reply for a yes or a no.
pub(super) fn flag(yes: bool) -> Answered {
    Ok(Reply::Number(i64::from(yes)))
}

/// A number of things as a reply.
pub(super) fn count(number: impl TryInto<i64>) -> Reply {
    Reply::Number(number.try_into().unwrap_or(i64::MAX))
}
