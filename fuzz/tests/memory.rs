//! The allocator that counts. A binary of its own, since what other tests take at the same time would count too.

use siltstone_fuzz::memory::bounded;

#[test]
fn memory_over_the_limit_is_noticed() {
    bounded(2000, || drop(std::hint::black_box(vec![0u8; 1000])));
    let over = std::panic::catch_unwind(|| bounded(2000, || drop(std::hint::black_box(vec![0u8; 1 << 26]))));
    assert!(over.is_err());
}
