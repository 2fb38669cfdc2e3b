//! Pages for monitoring over HTTP, where the feature `metrics` is on; without it there is no way to ask for them.

#[cfg(not(feature = "metrics"))]
mod off;
#[cfg(feature = "metrics")]
mod on;

#[cfg(not(feature = "metrics"))]
pub(super) use off::run;
#[cfg(feature = "metrics")]
pub(super) use on::run;
