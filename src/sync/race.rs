//! Memory that is written once and then read without a lock: who may look at it, and when.
//!
//! An atomic shows loom its orderings, plain memory behind a pointer does not. So whoever writes such memory says so, and whoever
//! reads it does; under loom a reader to whom the writing was not published then fails the model. Everywhere else both
//! calls are nothing.

#[cfg(loom)]
use loom::cell::UnsafeCell;
#[cfg(loom)]
use std::{cell::RefCell, collections::HashMap, rc::Rc};

#[cfg(loom)]
std::thread_local! {
    /// By address. All threads of a model are one thread of the system.
    static WRITTEN: RefCell<HashMap<usize, Rc<UnsafeCell<()>>>> = RefCell::default();
}

/// The memory that begins at `at` has been written, for the first time since it was allocated.
#[inline(always)]
pub fn written<T>(at: *const T) {
    #[cfg(loom)]
    WRITTEN.with_borrow_mut(|all| all.insert(at.addr(), Rc::new(UnsafeCell::new(()))));
    #[cfg(not(loom))]
    let _ = at;
}

/// The memory that begins at `at` is about to be read.
#[inline(always)]
pub fn read<T>(at: *const T) {
    #[cfg(loom)]
    if let Some(cell) = WRITTEN.with_borrow(|all| all.get(&at.addr()).cloned()) {
        cell.with(|_| ());
    }
    #[cfg(not(loom))]
    let _ = at;
}

/// Forgets the memory of the last execution.
#[cfg(all(loom, test))]
pub fn forget() {
    WRITTEN.with_borrow_mut(HashMap::clear);
}
