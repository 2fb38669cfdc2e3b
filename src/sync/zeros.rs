//! Many atomics at once.

#![cfg_attr(not(any(shuttle, loom)), expect(unsafe_code, reason = "zeroed memory is read as atomics"))]

use super::atomic::AtomicU64;

/// `count` zeros. Their memory is touched first by their first use, so many cost no more than what is used of them.
#[cfg(not(any(shuttle, loom)))]
pub fn zeros(count: usize) -> Box<[AtomicU64]> {
    use std::alloc::{Layout, alloc_zeroed, handle_alloc_error};
    let layout = Layout::array::<AtomicU64>(count).unwrap_or(Layout::new::<u64>());
    assert!(
        count > 0 && layout.size() == count * size_of::<AtomicU64>(),
        "{count} atomics have no address space, or none is asked for"
    );
    // SAFETY: the layout is that of `count` atomics, `count` is not zero, and zeros are valid atomics.
    unsafe {
        let start = alloc_zeroed(layout).cast::<AtomicU64>();
        if start.is_null() {
            handle_alloc_error(layout);
        }
        Box::from_raw(std::ptr::slice_from_raw_parts_mut(start, count))
    }
}

/// `count` zeros.
#[cfg(any(shuttle, loom))]
pub fn zeros(count: usize) -> Box<[AtomicU64]> {
    (0..count).map(|_| AtomicU64::new(0)).collect()
}
