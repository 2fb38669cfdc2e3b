//! Lists out of the fuzzer's bytes.
//!
//! Rejected: `Vec`, for which `arbitrary` tosses a coin before each element. Of four hundred random bytes it makes, more often
//! than not, none at all; the targets that chose operations so did next to nothing, and planted bugs went unnoticed.

use arbitrary::{Arbitrary, Result, Unstructured};
use std::ops::Deref;

/// Up to so many elements; the first byte says how many.
#[derive(Debug, Clone)]
pub struct List<T, const MOST: usize>(Vec<T>);

/// As many elements as the rest of the bytes gives, up to so many. The last field of what is chosen.
#[derive(Debug, Clone)]
pub struct Rest<T, const MOST: usize>(Vec<T>);

impl<T, const MOST: usize> Deref for List<T, MOST> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.0
    }
}

impl<T, const MOST: usize> Deref for Rest<T, MOST> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.0
    }
}

impl<'a, T: Arbitrary<'a>, const MOST: usize> Arbitrary<'a> for List<T, MOST> {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<List<T, MOST>> {
        let count = usize::from(u8::arbitrary(u)?) % (MOST + 1);
        (0..count).map(|_| T::arbitrary(u)).collect::<Result<_>>().map(List)
    }
}

impl<'a, T: Arbitrary<'a>, const MOST: usize> Arbitrary<'a> for Rest<T, MOST> {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Rest<T, MOST>> {
        let mut all = Vec::new();
        while !u.is_empty() && all.len() < MOST {
            all.push(T::arbitrary(u)?);
        }
        Ok(Rest(all))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_become_elements_and_not_coins() {
        let bytes = [3, 1, 2, 3, 4, 5, 6, 7, 8, 9];
        let mut u = Unstructured::new(&bytes);
        assert_eq!(*List::<u8, 7>::arbitrary(&mut u).unwrap(), [1, 2, 3]);
        assert_eq!(*Rest::<u8, 4>::arbitrary(&mut u).unwrap(), [4, 5, 6, 7]);
        assert_eq!(Rest::<u8, 100>::arbitrary_take_rest(u).unwrap().len(), 2);
        assert!(Rest::<u8, 9>::arbitrary_take_rest(Unstructured::new(&[])).unwrap().is_empty());
    }
}
