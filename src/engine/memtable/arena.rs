//! Where the entries of a memtable live: memory that only grows, and is given back all at once.
//!
//! ```text
//! entry, at a multiple of 8
//! offset  size
//!      0     8  prev: the next older version of the same key, or null
//!      8     8  trailer
//!     16     4  the low 32 bits of the key's hash
//!     20     4  key length
//!     24     4  value length
//!     28     …  key, then value
//! ```
//!
//! An [`Arena`] owns chunks; its one [`Bump`] fills them. Chunks begin at 4 KiB, so that an idle keyspace costs little,
//! and double up to 1 MiB, or an eighth of what a write buffer may hold; an entry above a quarter of that gets a chunk of its own,
//! so that it does not leave the rest of a shared one unused.
//!
//! (A1) An entry is written whole before anybody but the writer learns its address, and never changes afterwards; only
//!      `prev` is set later, once, before the hash table leads to the entry, and is atomic for that.
//! (A2) A chunk never moves, and lives as long as its arena.
//! (A3) Whatever keeps an [`EntryPtr`] keeps the arena it came from as well: a container takes entries in with
//!      [`Entry::ptr_in`], which refuses those of another arena, and owns an `Arc` of its own.
//! (A4) Every address in a chunk is below 2^48, so that 16 bits of a word are free beside it. Linux, macOS and Windows
//!      give programs no higher addresses on x86-64 and aarch64 unless asked for them by name.
//!
//! Rejected: offsets instead of addresses, which cost one more dependent load a step; a lock-free list of chunks, since
//! the lock below is taken once a chunk and never by a reader.

#![expect(
    unsafe_code,
    reason = "entries have a length known at run time only, and outlive every borrow of the writer"
)]

use crate::engine::key::Trailer;
use crate::engine::memory::{Held, Memory, Use};
use crate::sync::Mutex;
use crate::sync::atomic::{AtomicUsize, Ordering};
use crate::sync::plain::atomic::AtomicPtr;
use crate::sync::race;
use std::mem::MaybeUninit;
use std::ptr::{self, NonNull};
use std::sync::Arc;

const FIRST_CHUNK: usize = 4 << 10;
const MAX_CHUNK: usize = 1 << 20;
/// Entries are placed at multiples of this, so the lowest bits of an address are free too.
pub const ALIGN: usize = 8;

/// The fixed part of an entry. `packed(4)` only takes away the padding at its end, where the key begins.
#[repr(C, packed(4))]
struct Header {
    /// Aligned, since the entry is, whatever `packed` says. See [`EntryPtr::prev`].
    prev: *mut Header,
    trailer: u64,
    hash: u32,
    key_len: u32,
    value_len: u32,
}

const HEADER_LEN: usize = size_of::<Header>();
/// Before the value of an entry, on targets with 64-bit addresses.
#[cfg(target_pointer_width = "64")]
const _: () = assert!(HEADER_LEN == 28);

/// Memory for entries.
pub struct Arena {
    chunks: Mutex<Vec<Chunk>>,
    bytes: AtomicUsize,
    /// What the whole memtable takes: whatever keeps a part of it keeps the arena (A3).
    held: Held,
}

impl Arena {
    /// How many bytes it has allocated.
    pub fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Notes what the memtable takes, all that is not in the arena included.
    pub fn hold(&self, bytes: usize) {
        self.held.set(bytes);
    }

    /// Makes a chunk of `len` bytes, a multiple of [`ALIGN`], and gives its start.
    fn add_chunk(&self, len: usize) -> NonNull<u8> {
        let chunk = Chunk(NonNull::from(Box::leak(Box::<[u64]>::new_uninit_slice(len / ALIGN))));
        let start = chunk.0.cast::<u8>();
        let end = start.addr().get() as u64 + len as u64;
        assert!(
            end <= 1 << 48,
            "the system gave memory at {end:#x}, above the 48 bits a slot of the hash table has"
        );
        self.chunks.lock().push(chunk);
        self.bytes.fetch_add(len, Ordering::Relaxed);
        start
    }
}

/// One allocation. The pointer came from a `Box`, and nothing but this frees it.
struct Chunk(NonNull<[MaybeUninit<u64>]>);

// SAFETY: a chunk owns its memory as a `Box` does, and `Chunk` itself only ever frees it.
unsafe impl Send for Chunk {}

impl Drop for Chunk {
    fn drop(&mut self) {
        // SAFETY: the pointer came from `Box::leak` in `add_chunk` and is freed here only; by A3 nobody who could look
        // at its entries is left when the arena goes.
        drop(unsafe { Box::from_raw(self.0.as_ptr()) });
    }
}

/// The one handle that writes into an arena.
pub struct Bump {
    arena: Arc<Arena>,
    /// The first free byte of the newest shared chunk; the `left` bytes from here belong to this handle alone.
    at: NonNull<u8>,
    left: usize,
    next_chunk: usize,
    max_chunk: usize,
}

// SAFETY: the free bytes that `at` points to are reachable through this handle only, like those of a `Vec`.
unsafe impl Send for Bump {}

impl Bump {
    /// An empty arena, and the handle that fills it.
    pub fn new(memory: &Arc<Memory>) -> Bump {
        let held = memory.hold(Use::Buffers, 0);
        let arena = Arena { chunks: Mutex::new(Vec::new()), bytes: AtomicUsize::new(0), held };
        let max_chunk = (memory.buffer_bytes() / 8).clamp(FIRST_CHUNK, MAX_CHUNK);
        let next_chunk = FIRST_CHUNK;
        Bump { arena: Arc::new(arena), at: NonNull::dangling(), left: 0, next_chunk, max_chunk }
    }

    /// The arena it fills.
    pub fn arena(&self) -> &Arc<Arena> {
        &self.arena
    }

    /// Writes an entry, not linked to an older version yet.
    pub fn append(&mut self, trailer: Trailer, hash: u32, key: &[u8], value: &[u8]) -> Entry<'_> {
        let header = Header {
            prev: ptr::null_mut(),
            trailer: trailer.0,
            hash,
            key_len: length(key),
            value_len: length(value),
        };
        let at = self.take((HEADER_LEN + key.len() + value.len()).next_multiple_of(ALIGN));
        // SAFETY: `take` gave this many bytes, aligned, that nobody else can reach; the three pieces lie one behind the
        // other in them, and `key` and `value` are borrowed from elsewhere.
        unsafe {
            at.cast::<Header>().write(header);
            let key_at = at.add(HEADER_LEN);
            key_at.copy_from_nonoverlapping(NonNull::from(key).cast(), key.len());
            key_at.add(key.len()).copy_from_nonoverlapping(NonNull::from(value).cast(), value.len());
        }
        race::written(at.as_ptr());
        Entry { ptr: EntryPtr(at.cast()), arena: &self.arena }
    }

    /// `size` bytes, a multiple of [`ALIGN`], at such a multiple.
    fn take(&mut self, size: usize) -> NonNull<u8> {
        if size > self.left {
            if size > self.max_chunk / 4 {
                return self.arena.add_chunk(size);
            }
            self.left = self.next_chunk.max(size.next_power_of_two());
            self.at = self.arena.add_chunk(self.left);
            self.next_chunk = (self.next_chunk * 2).min(self.max_chunk);
        }
        let at = self.at;
        // SAFETY: `size <= left`, so the sum is in the chunk or one past its end.
        self.at = unsafe { at.add(size) };
        self.left -= size;
        at
    }
}

fn length(bytes: &[u8]) -> u32 {
    assert!(bytes.len() <= u32::MAX as usize, "keys and values are limited before they come here");
    bytes.len() as u32
}

/// The address of an entry, without a promise that the entry is still there: see A3.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct EntryPtr(NonNull<Header>);

// SAFETY: it is an address. Looking at the entry is `unsafe` (see `entry`), and entries do not change (A1).
unsafe impl Send for EntryPtr {}
// SAFETY: as above.
unsafe impl Sync for EntryPtr {}

impl EntryPtr {
    /// The address.
    pub fn as_ptr(self) -> *const u8 {
        self.0.as_ptr().cast()
    }

    /// The pointer at this address.
    ///
    /// # Safety
    /// `ptr` came from [`EntryPtr::as_ptr`].
    pub unsafe fn from_ptr(ptr: *const u8) -> EntryPtr {
        // SAFETY: the caller's promise; `as_ptr` never gives null.
        EntryPtr(unsafe { NonNull::new_unchecked(ptr.cast_mut().cast()) })
    }

    /// The entry.
    ///
    /// # Safety
    /// It was made by [`Entry::ptr_in`] of this `arena`, and learnt in a way that orders the writing of the entry
    /// before this call (a release store seen by an acquire load, or the same thread).
    pub unsafe fn entry(self, arena: &Arena) -> Entry<'_> {
        race::read(self.0.as_ptr());
        Entry { ptr: self, arena }
    }

    /// The pointer to the next older version.
    ///
    /// # Safety
    /// As for [`EntryPtr::entry`], and the arena outlives `'a`.
    unsafe fn prev<'a>(self) -> &'a AtomicPtr<Header> {
        // SAFETY: `prev` is the first field of a header at a multiple of 8, so it is aligned, and it is reached through
        // here only once the entry has been written.
        unsafe { AtomicPtr::from_ptr(self.0.as_ptr().cast()) }
    }

    /// The key of the entry.
    ///
    /// # Safety
    /// As for [`EntryPtr::entry`], and the arena outlives `'a`.
    #[inline]
    pub unsafe fn key<'a>(self) -> &'a [u8] {
        // SAFETY: the header is whole and unchanging (A1), and `append` wrote `key_len` bytes behind it. The pointer was
        // made from that of the chunk, so it may reach beyond the header.
        unsafe {
            let len = (*self.0.as_ptr()).key_len as usize;
            std::slice::from_raw_parts(self.as_ptr().add(HEADER_LEN), len)
        }
    }

    /// Asks for the first 192 bytes of the entry to be brought into the cache: of a usual entry, all of it. A walk that
    /// copies entries out takes 80 ns an entry so, and 105 when it asks for 128 bytes.
    #[inline]
    pub fn prefetch(self) {
        prefetch(self.as_ptr());
        prefetch(self.as_ptr().wrapping_add(64));
        prefetch(self.as_ptr().wrapping_add(128));
    }
}

/// Asks for a cache line.
#[inline]
pub fn prefetch(at: *const u8) {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: a prefetch is a hint; it never faults, whatever the address.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(at.cast()) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = at;
}

/// An entry, for as long as its arena is borrowed.
#[derive(Clone, Copy)]
pub struct Entry<'a> {
    ptr: EntryPtr,
    arena: &'a Arena,
}

impl<'a> Entry<'a> {
    /// Its address, for a container that keeps `arena` alive. The entry must be one of that arena's.
    #[inline]
    pub fn ptr_in(self, arena: &Arena) -> EntryPtr {
        assert!(ptr::eq(self.arena, arena), "an entry belongs to one arena");
        self.ptr
    }

    /// The next older version of the same key.
    #[inline]
    pub fn prev(self) -> Option<Entry<'a>> {
        // SAFETY: the entry has been written, and its memory lives as long as `'a` (A2). Acquire, so that whoever gets
        // here by another way than the hash table finds the older version written as well.
        let prev = unsafe { self.ptr.prev() }.load(Ordering::Acquire);
        race::read(prev);
        Some(Entry { ptr: EntryPtr(NonNull::new(prev)?), arena: self.arena })
    }

    /// Says which version comes before it. To be called once, by the writer, before the hash table leads here.
    pub fn set_prev(self, prev: Entry<'_>) {
        let prev = prev.ptr_in(self.arena);
        // SAFETY: as in `prev`.
        unsafe { self.ptr.prev() }.store(prev.0.as_ptr(), Ordering::Release);
    }

    /// Sequence number and kind.
    #[inline]
    pub fn trailer(self) -> Trailer {
        // SAFETY: the header is whole and unchanging (A1), its memory lives as long as `'a` (A2).
        Trailer(unsafe { (*self.ptr.0.as_ptr()).trailer })
    }

    /// The low 32 bits of the hash of its key.
    #[inline]
    pub fn hash(self) -> u32 {
        // SAFETY: as in `trailer`.
        unsafe { (*self.ptr.0.as_ptr()).hash }
    }

    /// The engine key.
    #[inline]
    pub fn key(self) -> &'a [u8] {
        // SAFETY: as in `trailer`.
        unsafe { self.ptr.key() }
    }

    /// The value.
    #[inline]
    pub fn value(self) -> &'a [u8] {
        // SAFETY: as in `trailer`; `append` wrote the value behind the key.
        unsafe {
            let (key, value) = ((*self.ptr.0.as_ptr()).key_len, (*self.ptr.0.as_ptr()).value_len);
            std::slice::from_raw_parts(self.ptr.as_ptr().add(HEADER_LEN + key as usize), value as usize)
        }
    }
}

/// Many entries of one arena, which it keeps alive.
pub struct Entries {
    ptrs: Vec<EntryPtr>,
    arena: Arc<Arena>,
}

impl Entries {
    /// Room for `capacity` entries.
    pub fn with_capacity(arena: &Arc<Arena>, capacity: usize) -> Entries {
        Entries { ptrs: Vec::with_capacity(capacity), arena: Arc::clone(arena) }
    }

    /// Adds one at the end.
    #[inline]
    pub fn push(&mut self, entry: Entry<'_>) {
        self.ptrs.push(entry.ptr_in(&self.arena));
    }

    /// The one at `index`.
    #[inline]
    pub fn get(&self, index: usize) -> Option<Entry<'_>> {
        // SAFETY: `push` made it with `ptr_in` of this arena. Whoever reads these entries got them from the writer
        // through an `ArcSwap`, whose store releases what its load acquires.
        self.ptrs.get(index).map(|ptr| unsafe { ptr.entry(&self.arena) })
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = Entry<'_>> {
        (0..self.len()).filter_map(|index| self.get(index))
    }

    /// Says that the one at `index`, if there is one, will be read soon.
    #[inline]
    pub fn prefetch(&self, index: usize) {
        if let Some(ptr) = self.ptrs.get(index) {
            ptr.prefetch();
        }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.ptrs.len()
    }

    /// How many bytes they have allocated here.
    pub fn bytes(&self) -> usize {
        self.ptrs.capacity() * size_of::<EntryPtr>()
    }
}

/// Entries of one arena by number, for one who adds and many who look.
pub struct Slots {
    ptrs: Box<[AtomicPtr<Header>]>,
    arena: Arc<Arena>,
}

impl Slots {
    /// Room for `capacity` entries.
    pub fn new(arena: &Arc<Arena>, capacity: usize) -> Slots {
        let ptrs = (0..capacity).map(|_| AtomicPtr::new(ptr::null_mut())).collect();
        Slots { ptrs, arena: Arc::clone(arena) }
    }

    /// Puts an entry in the place `index`, which is below the capacity.
    pub fn set(&self, index: usize, entry: Entry<'_>) {
        let slot = self.ptrs.get(index);
        debug_assert!(slot.is_some(), "no place {index}");
        if let Some(slot) = slot {
            slot.store(entry.ptr_in(&self.arena).0.as_ptr(), Ordering::Release);
        }
    }

    /// The entry in the place `index`, if there is one.
    pub fn get(&self, index: u64) -> Option<Entry<'_>> {
        let slot = self.ptrs.get(usize::try_from(index).ok()?)?;
        let ptr = EntryPtr(NonNull::new(slot.load(Ordering::Acquire))?);
        // SAFETY: `set` stored it with `ptr_in` of this arena, by a release store after the entry was written.
        Some(unsafe { ptr.entry(&self.arena) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_hold_entries_by_number_and_nothing_else() {
        let mut bump = Bump::new(&Memory::unlimited());
        let slots = Slots::new(bump.arena(), 2);
        slots.set(1, bump.append(Trailer(7), 0, b"key", b"value"));
        assert_eq!(slots.get(1).map(|entry| (entry.trailer(), entry.key())), Some((Trailer(7), &b"key"[..])));
        assert!([0, 2, u64::MAX].into_iter().all(|place| slots.get(place).is_none()));
    }

    #[test]
    fn entries_hold_what_was_written_at_any_size() {
        let mut bump = Bump::new(&Memory::unlimited());
        let arena = Arc::clone(bump.arena());
        let mut entries = Entries::with_capacity(&arena, 0);
        let sizes = [0, 1, 7, 8, 100, 4000, 4096, 70_000, MAX_CHUNK / 4, MAX_CHUNK, 3 << 20];
        let bytes: Vec<u8> = (0..3usize << 20).map(|i| (i % 251) as u8).collect();
        for (seq, &n) in sizes.iter().enumerate() {
            for k in [0, 1, 9, 65_539] {
                entries.push(bump.append(Trailer(seq as u64), k as u32, &bytes[..k], &bytes[k..n.max(k)]));
            }
        }
        for (i, &n) in sizes.iter().enumerate() {
            for (j, k) in [0, 1, 9, 65_539].into_iter().enumerate() {
                let e = entries.get(i * 4 + j).unwrap();
                assert_eq!(e.ptr_in(&arena).as_ptr().addr() % ALIGN, 0);
                assert_eq!((e.trailer(), e.hash(), e.prev().is_none()), (Trailer(i as u64), k as u32, true));
                assert_eq!((e.key(), e.value()), (&bytes[..k], &bytes[k..n.max(k)]));
            }
        }
        let used: usize = sizes.iter().map(|n| n + 4 * 65_539).sum();
        assert!(arena.bytes() < used * 3, "{} allocated for about {used}", arena.bytes());
    }

    #[test]
    fn a_small_arena_is_small() {
        let mut bump = Bump::new(&Memory::unlimited());
        assert_eq!(bump.arena().bytes(), 0);
        bump.append(Trailer(1), 0, b"key", b"value");
        assert_eq!(bump.arena().bytes(), FIRST_CHUNK);
    }

    #[test]
    #[should_panic(expected = "belongs to one arena")]
    fn an_entry_of_another_arena_is_refused() {
        let (mut one, other) = (Bump::new(&Memory::unlimited()), Bump::new(&Memory::unlimited()));
        let mut entries = Entries::with_capacity(other.arena(), 1);
        entries.push(one.append(Trailer(1), 0, b"key", b"value"));
    }
}
