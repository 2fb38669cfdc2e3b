//! JSON as all protocols that speak it take it: what is refused, how members are found, and how it is stored and written.
//!
//! (T1) Text is looked at only when it is UTF-8, nested no deeper than [`MAX_DEPTH`], and without half surrogate pairs.
//! (T2) Nothing recurses, and memory stays within a small multiple of the text.
//! (T3) Values are borrowed as text. They never become a `serde_json::Value`, which takes an object with a certain member
//!      name for a number.
//!
//! Reading order: the checks here, `members` (an object's members as text), `text` and `compact` (what is looked at in JSON
//! beyond its syntax, which is `serde_json`'s), `escape` (JSON in ASCII).

mod compact;
mod escape;
mod members;
mod text;

pub(super) use compact::compact;
pub(super) use escape::{most_escaped, push_json, push_string};
pub(super) use members::members;
pub use text::MAX_DEPTH;
pub(super) use text::elements;

use serde::de::IgnoredAny;
use std::borrow::Cow;
use text::{has_lone_surrogate, too_deep};

/// `bytes` as text that may be parsed (T1), or why they are not.
pub(super) fn checked(bytes: &[u8]) -> Result<&str, String> {
    let text = std::str::from_utf8(bytes).map_err(|error| error.to_string())?;
    if too_deep(bytes) {
        return Err(format!("nested deeper than {MAX_DEPTH} levels"));
    }
    if has_lone_surrogate(bytes) {
        return Err("half of a surrogate pair in a \\u escape".into());
    }
    Ok(text)
}

/// Whether `text` is JSON, or why not.
pub(super) fn syntax(text: &str) -> Result<(), String> {
    serde_json::from_str::<IgnoredAny>(text).map(drop).map_err(|error| error.to_string())
}

/// True when `bytes` are the beginning of some JSON, and not all of it.
pub(super) fn is_cut(bytes: &[u8]) -> bool {
    serde_json::from_slice::<IgnoredAny>(bytes).is_err_and(|error| error.is_eof())
}

/// The characters of a JSON string, or `None` when `text` is another value. Borrowed when there is no escape.
pub(super) fn string(text: &str) -> Result<Option<Cow<'_, str>>, String> {
    let Some(inner) = text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) else {
        return Ok(None);
    };
    if memchr::memchr(b'\\', inner.as_bytes()).is_none() {
        return Ok(Some(Cow::Borrowed(inner)));
    }
    serde_json::from_str(text).map(|string| Some(Cow::Owned(string))).map_err(|error| error.to_string())
}

/// The bytes of a string.
pub(super) fn into_bytes(string: Cow<'_, str>) -> Cow<'_, [u8]> {
    match string {
        Cow::Borrowed(string) => Cow::Borrowed(string.as_bytes()),
        Cow::Owned(string) => Cow::Owned(string.into_bytes()),
    }
}
