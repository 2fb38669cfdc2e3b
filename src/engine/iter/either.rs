//! An enum of cursors as a cursor.

/// Implements [`Cursor`](super::Cursor) for an enum whose variants each hold one: a step costs a branch, not a virtual call. All
/// methods are passed on, those with a default as well.
///
/// ```text
/// cursor_of_variants!(Source: Memtable, Level);            an enum without parameters
/// cursor_of_variants!([I: Index] MemCursor<I>: Recent, Run);
/// ```
macro_rules! cursor_of_variants {
    ([$($bounds:tt)*] $name:ty: $($variant:ident),+) => {
        impl<$($bounds)*> crate::engine::iter::Cursor for $name {
            cursor_of_variants!(@methods [$($variant)+]
                (seek_first(mut) -> crate::Result<()>)
                (seek_last(mut) -> crate::Result<()>)
                (seek(mut, key: &[u8], trailer: crate::engine::key::Trailer) -> crate::Result<()>)
                (seek_before(mut, key: &[u8], trailer: crate::engine::key::Trailer) -> crate::Result<()>)
                (next(mut) -> crate::Result<()>)
                (prev(mut) -> crate::Result<()>)
                (pass(mut, key: &[u8], seq: u64) -> crate::Result<()>)
                (pass_back(mut, key: &[u8], seq: u64) -> crate::Result<()>)
            );
            cursor_of_variants!(@getters [$($variant)+]
                (steps_below(upper: &[u8]) -> usize)
                (steps_above(lower: &[u8]) -> usize)
                (valid() -> bool)
                (key() -> &[u8])
                (trailer() -> crate::engine::key::Trailer)
                (value() -> &[u8])
                (value_slice() -> crate::engine::slice::Slice)
            );
        }
    };
    ($name:ident: $($variant:ident),+) => {
        cursor_of_variants!([] $name: $($variant),+);
    };
    (@methods $variants:tt $(($method:ident(mut $(, $argument:ident: $type:ty)*) -> $output:ty))+) => {
        $(
            #[inline]
            fn $method(&mut self $(, $argument: $type)*) -> $output {
                cursor_of_variants!(@match self $variants cursor => cursor.$method($($argument),*))
            }
        )+
    };
    (@getters $variants:tt $(($method:ident($($argument:ident: $type:ty),*) -> $output:ty))+) => {
        $(
            #[inline]
            fn $method(&self $(, $argument: $type)*) -> $output {
                cursor_of_variants!(@match self $variants cursor => cursor.$method($($argument),*))
            }
        )+
    };
    (@match $self:ident [$($variant:ident)+] $cursor:ident => $call:expr) => {
        match $self {
            $(Self::$variant($cursor) => $call,)+
        }
    };
}
pub(crate) use cursor_of_variants;
