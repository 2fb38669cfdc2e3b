//! A reader beside the writer of a whole memtable (M1).

use super::*;
use crate::engine::iter::Cursor;
use crate::engine::key::{Kind, hash};
use crate::sync::{model, thread};

/// A batch of two entries is written and made visible. Whoever learns that it is finds both, with the older versions behind
/// them, and whoever reads as of before finds neither.
#[test]
fn a_batch_is_there_once_it_is_visible() {
    model::check(|| {
        let (mut writer, memtable) =
            Memtable::new(Config { expected_keys: 4, index: None }, &Memory::unlimited());
        let mut put =
            |key: &[u8], seq| writer.insert(key, hash(key), Trailer::new(seq, Kind::Put), &[seq as u8]);
        put(b"a", 1);
        let visible = Arc::new(AtomicU64::new(1));
        let reader = thread::spawn({
            let visible = Arc::clone(&visible);
            move || {
                let seq = visible.load(Ordering::Acquire);
                let get = |key: &[u8]| memtable.get(key, hash(key), seq).map(|(_, value)| value[0]);
                let expected = if seq == 1 { (Some(1), None) } else { (Some(2), Some(3)) };
                assert_eq!((get(b"a"), get(b"b")), expected, "at {seq}");
                assert!(memtable.entries() >= seq && memtable.min_seq() == Some(1));
            }
        });
        put(b"a", 2);
        put(b"b", 3);
        visible.store(3, Ordering::Release);
        reader.join().unwrap();
    });
}

/// As before, with a batch that becomes a run at once, together with the list; and by cursors as well.
#[test]
fn a_large_batch_is_there_once_it_is_visible() {
    model::check(|| {
        let mut writer = Writer::<AnyIndex>::with_list_limit(None, 4, 2, &Memory::unlimited());
        let memtable = Arc::clone(writer.memtable());
        let put = |writer: &mut Writer, key: &[u8], seq| {
            writer.insert(key, hash(key), Trailer::new(seq, Kind::Put), &[seq as u8]);
        };
        put(&mut writer, b"a", 1);
        let visible = Arc::new(AtomicU64::new(1));
        let reader = thread::spawn({
            let visible = Arc::clone(&visible);
            move || {
                let seq = visible.load(Ordering::Acquire);
                let get = |key: &[u8]| memtable.get(key, hash(key), seq).map(|(_, value)| value[0]);
                let expected = if seq == 1 { (Some(1), None) } else { (Some(2), Some(3)) };
                assert_eq!((get(b"a"), get(b"b")), expected, "at {seq}");
                if cfg!(loom) && seq == 1 {
                    // Cursors may find a run that is not visible yet, and arc-swap publishes it in a way that loom does not see.
                    return;
                }
                let mut met = Vec::new();
                for mut cursor in memtable.cursors() {
                    cursor.seek_first().unwrap();
                    while cursor.valid() {
                        met.extend(Some(cursor.trailer().seq()).filter(|at| *at <= seq));
                        cursor.next().unwrap();
                    }
                }
                met.sort_unstable();
                assert!(met.into_iter().eq(1..=seq), "at {seq}");
            }
        });
        writer.batch(2, |writer| {
            put(writer, b"a", 2);
            put(writer, b"b", 3);
        });
        visible.store(3, Ordering::Release);
        reader.join().unwrap();
    });
}
