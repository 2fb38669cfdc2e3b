//! The arguments of a command.

use super::Span;

/// The name of a command and what stands behind it, borrowed from the bytes they came in.
#[derive(Debug, Clone, Copy)]
pub struct Args<'a> {
    bytes: &'a [u8],
    spans: &'a [Span],
}

impl<'a> Args<'a> {
    pub(super) fn new(bytes: &'a [u8], spans: &'a [Span]) -> Args<'a> {
        Args { bytes, spans }
    }

    /// How many there are, the name counted.
    #[must_use]
    pub fn len(&self) -> usize {
        self.spans.len()
    }

    /// True for a command that is nothing: an empty array, a blank line.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.spans.is_empty()
    }

    /// The name, as it was sent; empty when there is none.
    #[must_use]
    pub fn name(&self) -> &'a [u8] {
        self.get(0).unwrap_or_default()
    }

    /// The argument at a place, 0 being the name.
    #[must_use]
    pub fn get(&self, at: usize) -> Option<&'a [u8]> {
        let (start, end) = self.spans.get(at)?;
        self.bytes.get(*start..*end)
    }

    /// The argument at a place where the arity of the command says that there is one.
    #[must_use]
    pub fn at(&self, at: usize) -> &'a [u8] {
        self.get(at).unwrap_or_default()
    }

    /// The arguments from a place on.
    pub fn from(&self, at: usize) -> impl ExactSizeIterator<Item = &'a [u8]> + DoubleEndedIterator + Clone {
        let bytes = self.bytes;
        let rest = self.spans.get(at..).unwrap_or_default();
        rest.iter().map(move |(start, end)| bytes.get(*start..*end).unwrap_or_default())
    }

    /// How many bytes all of them have.
    #[must_use]
    pub fn byte_len(&self) -> usize {
        self.spans.iter().map(|(start, end)| end - start).sum()
    }

    /// A copy to keep.
    #[must_use]
    pub fn to_owned(&self) -> OwnedArgs {
        let mut owned = OwnedArgs::default();
        for arg in self.from(0) {
            owned.push(arg);
        }
        owned
    }
}

/// A command that is kept: in two allocations, whatever the number of its arguments.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OwnedArgs {
    bytes: Vec<u8>,
    spans: Vec<Span>,
}

impl OwnedArgs {
    /// Adds an argument.
    pub fn push(&mut self, arg: &[u8]) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(arg);
        self.spans.push((start, self.bytes.len()));
    }

    /// The arguments.
    #[must_use]
    pub fn args(&self) -> Args<'_> {
        Args::new(&self.bytes, &self.spans)
    }

    /// About how much memory it takes.
    #[must_use]
    pub fn weight(&self) -> usize {
        self.bytes.capacity() + self.spans.capacity() * size_of::<Span>()
    }
}

impl<A: AsRef<[u8]>> FromIterator<A> for OwnedArgs {
    fn from_iter<I: IntoIterator<Item = A>>(args: I) -> OwnedArgs {
        let mut owned = OwnedArgs::default();
        args.into_iter().for_each(|arg| owned.push(arg.as_ref()));
        owned
    }
}
