//! Keys and values as they are handed out.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

const INLINE: usize = 30;

/// Bytes that are shared by the slices cut from them, such as a block of a table.
pub trait Backing: Send + Sync {
    /// All of them.
    fn bytes(&self) -> &[u8];
}

impl Backing for Box<[u8]> {
    fn bytes(&self) -> &[u8] {
        self
    }
}

impl Backing for Vec<u8> {
    fn bytes(&self) -> &[u8] {
        self
    }
}

/// A key or a value: bytes that need no lifetime.
///
/// It derefs to `[u8]`. Short ones are held in place; longer ones may share the memory of the block they came from, so
/// a slice kept for long keeps about that block (some kilobytes) in memory. [`to_vec`](slice::to_vec) makes an own copy.
/// Cloning costs a few nanoseconds and never allocates.
#[derive(Clone)]
pub struct Slice(Repr);

#[derive(Clone)]
enum Repr {
    Inline { len: u8, bytes: [u8; INLINE] },
    Own(Arc<[u8]>),
    Shared { owner: Arc<dyn Backing>, start: usize, len: usize },
}

impl Slice {
    /// A copy of `bytes`.
    #[must_use]
    pub fn copy_of(bytes: &[u8]) -> Slice {
        let mut inline = [0; INLINE];
        match inline.get_mut(..bytes.len()) {
            Some(slot) => {
                slot.copy_from_slice(bytes);
                Slice(Repr::Inline { len: bytes.len() as u8, bytes: inline })
            }
            None => Slice(Repr::Own(bytes.into())),
        }
    }

    /// Bytes that nobody else has.
    pub(crate) fn own(bytes: Vec<u8>) -> Slice {
        let len = bytes.len();
        Slice::share(&Arc::new(bytes), 0, len)
    }

    /// The part of `owner`'s bytes from `start`, of `len` bytes: copied when short, shared otherwise.
    ///
    /// A range that does not lie in the owner's bytes gives an empty slice; callers have checked it.
    pub(crate) fn share<T: Backing + 'static>(owner: &Arc<T>, start: usize, len: usize) -> Slice {
        let whole = owner.bytes();
        debug_assert!(start.checked_add(len).is_some_and(|end| end <= whole.len()));
        if len <= INLINE {
            return Slice::copy_of(whole.get(start..start + len).unwrap_or_default());
        }
        Slice(Repr::Shared { owner: Arc::clone(owner) as Arc<dyn Backing>, start, len })
    }

    /// The slice without its first `n` bytes (all of them, when it is shorter).
    #[must_use]
    pub(crate) fn skip(self, n: usize) -> Slice {
        if n == 0 {
            return self;
        }
        match self.0 {
            Repr::Inline { .. } | Repr::Own(_) => Slice::copy_of(self.get(n..).unwrap_or_default()),
            Repr::Shared { owner, start, len } => {
                let n = n.min(len);
                Slice(Repr::Shared { owner, start: start + n, len: len - n })
            }
        }
    }
}

impl Deref for Slice {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        match &self.0 {
            Repr::Own(bytes) => bytes,
            Repr::Inline { len, bytes } => bytes.get(..usize::from(*len)).unwrap_or_default(),
            Repr::Shared { owner, start, len } => {
                owner.bytes().get(*start..*start + *len).unwrap_or_default()
            }
        }
    }
}

impl AsRef<[u8]> for Slice {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl From<Vec<u8>> for Slice {
    fn from(bytes: Vec<u8>) -> Slice {
        let len = bytes.len();
        Slice(Repr::Shared { owner: Arc::new(bytes.into_boxed_slice()), start: 0, len })
    }
}

impl fmt::Debug for Slice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "b\"{}\"", self.escape_ascii())
    }
}

impl<T: AsRef<[u8]> + ?Sized> PartialEq<T> for Slice {
    fn eq(&self, other: &T) -> bool {
        **self == *other.as_ref()
    }
}

impl Eq for Slice {}

impl PartialOrd for Slice {
    fn partial_cmp(&self, other: &Slice) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Slice {
    fn cmp(&self, other: &Slice) -> std::cmp::Ordering {
        (**self).cmp(&**other)
    }
}

impl std::hash::Hash for Slice {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        (**self).hash(state);
    }
}

impl std::borrow::Borrow<[u8]> for Slice {
    fn borrow(&self) -> &[u8] {
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_and_long_slices_agree_with_their_bytes() {
        for len in (0..40).chain([1000]) {
            let bytes: Vec<u8> = (0..len).map(|i| i as u8).collect();
            let owner = Arc::new(bytes.clone().into_boxed_slice());
            for slice in [Slice::copy_of(&bytes), Slice::from(bytes.clone()), Slice::share(&owner, 0, len)] {
                assert_eq!(slice, bytes);
                assert_eq!(slice.clone().skip(7), bytes.get(7..).unwrap_or_default());
            }
        }
    }
}
