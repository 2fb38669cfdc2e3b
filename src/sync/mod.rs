//! The one place from which the crate takes locks, atomics, threads and what else threads meet at.
//!
//! ```text
//!                    ordinary build          --cfg shuttle        --cfg loom
//!   Mutex, Condvar   parking_lot             `checked`, over shuttle's or loom's types
//!   RwLock           parking_lot             `checked`
//!   OnceLock         std                     `checked`
//!   ArcSwap          arc_swap                `swap`, which is touched where a thread looks
//!   atomic, thread   std                     shuttle              loom
//!   map_in_parallel  a rayon pool            one after the other
//!   zeros            untouched memory        one after the other
//!   plain            parking_lot             parking_lot          parking_lot
//! ```
//!
//! Ordinarily it is nothing but other names for the same types. Under `--cfg shuttle` the same code runs on a scheduler that
//! decides at every lock and every atomic who goes on, from a seed (`tests/schedules`); under `--cfg loom` a small
//! part of it runs in every order that its memory orderings allow. `docs/contributing.md` says how.
//!
//! (Y1) No other module names `parking_lot`, `std::sync` (but for `Arc` and `Weak`) or `std::thread`, and none asks for
//!      `cfg(shuttle)` or `cfg(loom)` outside its tests: what is checked is the code that is shipped.
//! (Y2) Nothing that may switch threads happens while a lock of [`plain`] is held. They are for the simulated files and
//!      clock, which to a scheduler are part of the machine.
//! (Y3) `Arc` stays the standard library's: no order of events can break it, and to follow it would cost most of the steps.
//!      So do the insides of `arc_swap` and `crossbeam`, which are checked by their authors.

#[cfg(any(shuttle, loom))]
mod checked;
#[cfg(all(test, any(shuttle, loom)))]
pub mod model;
mod pool;
pub mod race;
#[cfg(any(shuttle, loom))]
mod swap;
mod zeros;

#[cfg(not(any(shuttle, loom)))]
pub use arc_swap::ArcSwap;
#[cfg(not(any(shuttle, loom)))]
pub use parking_lot::{Condvar, Mutex, MutexGuard, RwLock};
#[cfg(not(any(shuttle, loom)))]
pub use std::{
    sync::{OnceLock, atomic},
    thread, thread_local,
};

#[cfg(any(shuttle, loom))]
pub use checked::{Condvar, Mutex, MutexGuard, OnceLock, RwLock};
#[cfg(loom)]
pub use loom::{sync::atomic, thread, thread_local};
#[cfg(shuttle)]
pub use shuttle::{sync::atomic, thread, thread_local};
#[cfg(any(shuttle, loom))]
pub use swap::ArcSwap;

pub use pool::map_in_parallel;
pub use zeros::zeros;

/// Locks that no scheduler sees (Y2).
pub mod plain {
    pub use parking_lot::{Mutex, MutexGuard, RwLock};
    pub use std::sync::atomic;
}
