//! What tells that a web browser talks to us.
//!
//! A web page can make a browser send a request to any port. Its first lines mean nothing here, but a later one, which the
//! page has chosen, could be a command: so a connection is cut at the first line that gives it away.

/// True for the first line of an HTTP request that a page can make without asking, and for the header that all have.
pub(super) fn is_from_browser(line: &[u8]) -> bool {
    let begins = |word: &[u8]| line.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word));
    begins(b"POST ") || begins(b"Host:")
}

/// True for the first line of any HTTP request as well.
pub(super) fn is_http(line: &[u8]) -> bool {
    let version = line.rsplit(|byte| *byte == b' ').next().unwrap_or_default();
    is_from_browser(line) || version.starts_with(b"HTTP/")
}
