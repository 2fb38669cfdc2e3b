//! Readers beside the writer.

use super::*;
use crate::engine::key::Trailer;
use crate::engine::memory::Memory;
use crate::engine::memtable::arena::Bump;
use crate::sync::{atomic::AtomicU64 as Visible, model, thread};

/// So small that the sixth key makes it grow.
fn writer(arena: &Arc<Arena>) -> TableWriter {
    let current = AtomicPtr::new(Slots::new(8, ptr::null_mut()).leak());
    let table = HashTable { current, arena: Arc::clone(arena), bytes: AtomicUsize::new(0) };
    TableWriter { table: Arc::new(table), used: 0 }
}

fn put(writer: &mut TableWriter, bump: &mut Bump, key: u8, seq: u64) {
    let hash = hash(key);
    writer.publish(hash, bump.append(Trailer(seq << 8), hash as u32, &[key], &seq.to_le_bytes()));
}

/// All keys of a parity share their tag and their first slot.
fn hash(key: u8) -> u64 {
    u64::from(key % 2) << 48 | u64::from(key % 2)
}

/// The sequence numbers of all versions of `key`, newest first. Reads each entry whole.
fn versions(table: &HashTable, key: u8) -> Vec<u64> {
    let newest = table.find(&[key], hash(key));
    let all = std::iter::successors(newest, |entry| entry.prev());
    all.map(|entry| {
        assert_eq!(entry.value(), entry.trailer().seq().to_le_bytes());
        entry.trailer().seq()
    })
    .collect()
}

/// A reader that knows a sequence number to be visible finds that version, and all older ones behind it.
#[test]
fn what_is_visible_is_found_whole() {
    model::check(|| {
        let mut bump = Bump::new(&Memory::unlimited());
        let mut writer = writer(bump.arena());
        put(&mut writer, &mut bump, 0, 1);
        let (table, visible) = (Arc::clone(writer.table()), Arc::new(Visible::new(1)));
        let reader = thread::spawn({
            let visible = Arc::clone(&visible);
            move || {
                let seq = visible.load(Ordering::Acquire);
                let (old, new) = (versions(&table, 0), versions(&table, 2));
                assert!(old.ends_with(&[1]) && (seq < 2 || old == [2, 1]), "{old:?} at {seq}");
                assert!(new.is_empty() && seq < 3 || new == [3], "{new:?} at {seq}");
            }
        });
        for (key, seq) in [(0, 2), (2, 3)] {
            put(&mut writer, &mut bump, key, seq);
            visible.store(seq, Ordering::Release);
        }
        reader.join().unwrap();
    });
}

/// A table is replaced by a larger one between, before and after the steps of a reader.
#[test]
fn nothing_is_missed_while_the_table_grows() {
    model::check(|| {
        let mut bump = Bump::new(&Memory::unlimited());
        let mut writer = writer(bump.arena());
        (0..5).for_each(|key| put(&mut writer, &mut bump, key, u64::from(key)));
        let (table, visible) = (Arc::clone(writer.table()), Arc::new(Visible::new(4)));
        let reader = thread::spawn({
            let visible = Arc::clone(&visible);
            move || {
                let seq = visible.load(Ordering::Acquire);
                assert_eq!(versions(&table, 1), [1]);
                let new = versions(&table, 5);
                assert!(new.is_empty() && seq < 5 || new == [5], "{new:?} at {seq}");
            }
        });
        put(&mut writer, &mut bump, 5, 5);
        visible.store(5, Ordering::Release);
        reader.join().unwrap();
        assert_eq!(
            (0..6).map(|key| versions(writer.table(), key)[0]).collect::<Vec<_>>(),
            [0, 1, 2, 3, 4, 5]
        );
    });
}
