//! Lines in the bytes of one connection.
//!
//! A byte is searched for the line's end once, so a long line that arrives in small pieces costs its length.

/// Finds the ends of lines.
#[derive(Debug)]
pub(super) struct Lines {
    max_bytes: usize,
    /// So many bytes of the input hold no line end.
    searched: usize,
}

/// A line has more bytes than it may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TooLong {
    /// The most bytes.
    pub(super) limit: usize,
}

impl Lines {
    /// Lines may have up to `max_bytes` bytes, their end not counted; more than 1 GiB is not possible.
    pub(super) fn new(max_bytes: usize) -> Lines {
        let mut lines = Lines { max_bytes: 0, searched: 0 };
        lines.set_limit(max_bytes);
        lines
    }

    /// From now on lines may have so many bytes.
    pub(super) fn set_limit(&mut self, max_bytes: usize) {
        self.max_bytes = max_bytes.min(1 << 30);
    }

    /// How long the first line of `input` is, without its end, if it is whole. The input must begin where the last line
    /// that was [`Lines::done`] ended, and may have grown. Asked again, it need not search again.
    pub(super) fn find(&mut self, input: &[u8]) -> Result<Option<usize>, TooLong> {
        let fresh = input.get(self.searched..).unwrap_or_default();
        let end = memchr::memchr(b'\n', fresh).map(|at| self.searched + at);
        let len = end.unwrap_or(input.len());
        if len > self.max_bytes {
            return Err(TooLong { limit: self.max_bytes });
        }
        self.searched = len;
        Ok(end)
    }

    /// The line that was found is done with: the next one begins behind its end.
    pub(super) fn done(&mut self) {
        self.searched = 0;
    }
}

/// How many bytes of `input` are line ends before anything else.
#[must_use]
pub fn blank(input: &[u8]) -> usize {
    input.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count()
}
