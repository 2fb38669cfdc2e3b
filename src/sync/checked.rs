//! The locks of a checked build, in the shapes of the ordinary ones, over the types of shuttle or loom, which both have the
//! shapes of the standard library.
//!
//! Poisoning is passed over: a panic under a scheduler ends the whole run.

#[cfg(loom)]
use loom::sync as model;
#[cfg(shuttle)]
use shuttle::sync as model;

use model::atomic::{AtomicBool, Ordering};
use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::PoisonError;
use std::time::Duration;

/// As `parking_lot::Mutex`.
#[derive(Default)]
pub struct Mutex<T>(model::Mutex<T>);

/// As `parking_lot::MutexGuard`.
pub struct MutexGuard<'a, T> {
    mutex: &'a Mutex<T>,
    /// `None` only while the lock is given up for a moment.
    guard: Option<model::MutexGuard<'a, T>>,
}

/// As `parking_lot::Condvar`. No clock runs here: a wait with a limit may end at any moment at which the scheduler lets the
/// waiting thread go on.
#[derive(Default)]
pub struct Condvar {
    condvar: model::Condvar,
    /// How often it was notified; not for the scheduler to see.
    notified: std::sync::atomic::AtomicU64,
}

/// As `parking_lot::WaitTimeoutResult`.
pub struct WaitTimeoutResult(bool);

/// As `parking_lot::RwLock`.
#[derive(Default)]
pub struct RwLock<T>(model::RwLock<T>);

/// As [`std::sync::OnceLock`], except that two threads may both compute a first value, of which one is kept.
pub struct OnceLock<T> {
    is_set: AtomicBool,
    value: std::sync::OnceLock<T>,
}

impl<T> Mutex<T> {
    pub fn new(value: T) -> Mutex<T> {
        Mutex(model::Mutex::new(value))
    }

    pub fn lock(&self) -> MutexGuard<'_, T> {
        MutexGuard { mutex: self, guard: Some(self.take()) }
    }

    pub fn is_locked(&self) -> bool {
        self.0.try_lock().is_err()
    }

    fn take(&self) -> model::MutexGuard<'_, T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<'a, T> MutexGuard<'a, T> {
    pub fn unlocked<R>(this: &mut MutexGuard<'a, T>, act: impl FnOnce() -> R) -> R {
        this.guard = None;
        let done = act();
        this.guard = Some(this.mutex.take());
        done
    }

    /// The guard, to give it up for a moment.
    fn give_up(&mut self) -> model::MutexGuard<'a, T> {
        self.guard.take().unwrap_or_else(|| self.mutex.take())
    }
}

#[expect(
    clippy::expect_used,
    reason = "whoever gives the lock up for a moment has borrowed the guard meanwhile"
)]
impl<T> Deref for MutexGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.guard.as_ref().expect("the lock is held")
    }
}

#[expect(clippy::expect_used, reason = "as above")]
impl<T> DerefMut for MutexGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        self.guard.as_mut().expect("the lock is held")
    }
}

impl Condvar {
    pub fn wait<T>(&self, guard: &mut MutexGuard<'_, T>) {
        let given = guard.give_up();
        guard.guard = Some(self.condvar.wait(given).unwrap_or_else(PoisonError::into_inner));
    }

    pub fn wait_for<T>(&self, guard: &mut MutexGuard<'_, T>, _limit: Duration) -> WaitTimeoutResult {
        let before = self.notified.load(Ordering::Relaxed);
        MutexGuard::unlocked(guard, super::thread::yield_now);
        WaitTimeoutResult(self.notified.load(Ordering::Relaxed) == before)
    }

    pub fn notify_all(&self) {
        self.condvar.notify_all();
        self.notified.fetch_add(1, Ordering::Relaxed);
    }
}

impl WaitTimeoutResult {
    pub fn timed_out(&self) -> bool {
        self.0
    }
}

impl<T> RwLock<T> {
    pub fn new(value: T) -> RwLock<T> {
        RwLock(model::RwLock::new(value))
    }

    pub fn read(&self) -> model::RwLockReadGuard<'_, T> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn write(&self) -> model::RwLockWriteGuard<'_, T> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> OnceLock<T> {
    pub fn new() -> OnceLock<T> {
        OnceLock { is_set: AtomicBool::new(false), value: std::sync::OnceLock::new() }
    }

    pub fn get(&self) -> Option<&T> {
        // The flag is what the scheduler sees; it is set after the value.
        if self.is_set.load(Ordering::Acquire) { self.value.get() } else { None }
    }

    pub fn set(&self, value: T) -> Result<(), T> {
        let kept = self.value.set(value);
        self.is_set.store(true, Ordering::Release);
        kept
    }

    pub fn get_or_init(&self, value: impl FnOnce() -> T) -> &T {
        if self.get().is_none() {
            let _ = self.set(value());
        }
        self.value.get_or_init(|| unreachable!("it was set above"))
    }
}

impl<T> Default for OnceLock<T> {
    fn default() -> OnceLock<T> {
        OnceLock::new()
    }
}

impl<T> fmt::Debug for Mutex<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Mutex")
    }
}

impl<T> fmt::Debug for RwLock<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RwLock")
    }
}

impl fmt::Debug for Condvar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Condvar")
    }
}

impl<T> fmt::Debug for OnceLock<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OnceLock")
    }
}
