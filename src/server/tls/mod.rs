//! Encryption of connections, where the feature `tls` is on; without it there is nothing to make a [`Tls`] with.

#[cfg(not(feature = "tls"))]
mod off;
#[cfg(feature = "tls")]
mod on;

#[cfg(not(feature = "tls"))]
pub use off::Tls;
#[cfg(feature = "tls")]
pub use on::Tls;

#[cfg(not(feature = "tls"))]
pub(super) use off::Encrypted;
#[cfg(feature = "tls")]
pub(super) use on::Encrypted;
