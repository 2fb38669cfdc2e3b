//! What is left to read of a text, for dates and times.

/// The rest of a text.
#[derive(Clone, Copy)]
pub struct Cursor<'t>(&'t str);

impl<'t> Cursor<'t> {
    pub fn new(text: &'t str) -> Cursor<'t> {
        Cursor(text)
    }

    pub fn is_at_end(&self) -> bool {
        self.0.is_empty()
    }

    pub fn is_at_digit(&self) -> bool {
        self.0.starts_with(|next: char| next.is_ascii_digit())
    }

    /// Passes over this sign, if it comes next.
    pub fn take(&mut self, sign: char) -> bool {
        let rest = self.0.strip_prefix(sign);
        self.0 = rest.unwrap_or(self.0);
        rest.is_some()
    }

    /// Passes over this word in upper or lower case, if it comes next.
    pub fn take_word(&mut self, word: &str) -> bool {
        let found = self.0.get(..word.len()).is_some_and(|next| next.eq_ignore_ascii_case(word));
        if found {
            self.0 = self.0.get(word.len()..).unwrap_or_default();
        }
        found
    }

    /// Passes over white space; whether there was some.
    pub fn take_space(&mut self) -> bool {
        let rest = self.0.trim_start();
        let found = rest.len() < self.0.len();
        self.0 = rest;
        found
    }

    /// The digits that come next, as many as there are up to `most`; `None` when there are fewer than `least`.
    pub fn digits(&mut self, least: usize, most: usize) -> Option<&'t str> {
        let count = self.0.bytes().take(most).take_while(u8::is_ascii_digit).count();
        let (digits, rest) = self.0.split_at_checked(count).filter(|_| count >= least)?;
        self.0 = rest;
        Some(digits)
    }

    /// A number of so many digits, at most nine.
    pub fn number(&mut self, least: usize, most: usize) -> Option<u32> {
        self.digits(least, most)?.parse().ok()
    }

    /// Millionths out of the digits of a fraction, of which those after the sixth are cut off.
    pub fn millionths(&mut self, most: usize) -> Option<u32> {
        let digits = self.digits(1, most)?;
        let first = digits.get(..6).unwrap_or(digits);
        format!("{first:0<6}").parse().ok()
    }
}
