//! Damage at every place of a small log, and records made to deceive.

use super::*;

/// A small log of two segments, synced now and then.
fn small() -> (Log, Vec<(u64, u64, u64)>) {
    let mut log = Log::new();
    // Segment, offset in it, position behind it, of every record.
    let mut ends = Vec::new();
    for i in 0..8u8 {
        let at = (log.writer.number(), log.tail());
        let end = log.append(vec![i; 3 + usize::from(i) * 5]);
        ends.push((at.0, at.1, end));
        if i == 1 || i == 4 {
            log.sync();
        }
        if i == 3 {
            log.rotate();
        }
    }
    (log, ends)
}

#[test]
fn no_flipped_bit_loses_what_was_vouched_for() {
    let (log, ends) = small();
    // The last record vouches for all up to the last sync before it.
    let vouched = ends.iter().map(|(_, _, end)| *end).rfind(|end| *end <= log.synced).unwrap();
    assert_eq!(vouched, ends[4].2);
    let base = log.writer.base();
    for (number, promised) in [(1, base), (2, vouched - base)] {
        let good = log.mem.read_file(&path(number)).unwrap();
        let used = good.iter().rposition(|byte| *byte != 0).unwrap() + 64;
        for bit in 0..used * 8 {
            let mut bad = good.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            log.mem.write_file(&path(number), &bad).unwrap();
            match log.read() {
                Err(Error::Corruption(found)) => assert_eq!(found.path, path(number), "bit {bit}"),
                Err(other) => panic!("segment {number} bit {bit}: {other}"),
                Ok((batches, found)) => {
                    assert!(bit as u64 / 8 >= promised, "segment {number} bit {bit} went unnoticed");
                    assert_eq!(batches, log.written[..batches.len()], "segment {number} bit {bit}");
                    assert!(
                        batches.len() == 8 || !found.cuts.is_empty(),
                        "segment {number} bit {bit}: silent"
                    );
                }
            }
        }
        log.mem.write_file(&path(number), &good).unwrap();
    }
}

#[test]
fn no_bytes_set_to_zero_make_a_wrong_record() {
    let (log, _) = small();
    for number in [1, 2] {
        let good = log.mem.read_file(&path(number)).unwrap();
        let used = good.iter().rposition(|byte| *byte != 0).unwrap() + 8;
        for at in (0..used).step_by(3) {
            for len in [1, 8, 16, 40, 100, 512] {
                let mut bad = good.clone();
                let end = (at + len).min(bad.len());
                bad[at..end].fill(0);
                log.mem.write_file(&path(number), &bad).unwrap();
                if let Ok((batches, _)) = log.read() {
                    assert_eq!(
                        batches,
                        log.written[..batches.len()],
                        "segment {number}, {len} zeros at {at}"
                    );
                }
            }
        }
        log.mem.write_file(&path(number), &good).unwrap();
    }
}

#[test]
fn a_copy_of_a_record_in_a_value_vouches_for_nothing() {
    let mut log = Log::new();
    log.append("a");
    let at = log.tail();
    let promise = |place: Place, offset| {
        let mut copy = Vec::new();
        let kind = RecordType::Batch;
        let record =
            Record { kind, after_gap: false, count: 1, first_seq: 2, synced: 1 << 40, payload: b"x" };
        record::encode(&mut copy, &place, offset, &record);
        copy
    };
    let mut value = Vec::new();
    let here = || at + record::HEADER_LEN as u64;
    value.extend(promise(place(1), at));
    value.extend(promise(place(2), here() + value.len() as u64));
    value.extend(promise(Place { database: 1, ..place(1) }, here() + value.len() as u64));
    log.append(&value);
    // With its header gone, the value is all there is to see.
    log.damage(1, |bytes| bytes[at as usize] ^= 1);
    let (batches, found) = log.read().unwrap();
    assert_eq!(batches, log.written[..1]);
    assert_cut(&found.cuts, 1, at, 0);
    // The same, were it bound to nothing but the truth.
    log.damage(1, |bytes| {
        let at = at as usize + record::HEADER_LEN;
        let copy = promise(place(1), at as u64);
        bytes[at..at + copy.len()].copy_from_slice(&copy);
    });
    assert_damaged(log.read(), 1, at);
}

#[test]
fn values_that_look_like_long_records_do_not_keep_recovery_busy() {
    let mut log = Log::new();
    let at = log.tail();
    let mut fake = [0; 40];
    fake[4..8].copy_from_slice(&(1u32 << 20).to_le_bytes());
    fake[8] = RecordType::Batch as u8;
    fake[32] = 1;
    log.append(fake.repeat((8 << 20) / 40));
    log.damage(1, |bytes| bytes[at as usize] ^= 1);
    let (batches, found) = log.read().unwrap();
    assert_eq!(batches, []);
    assert_cut(&found.cuts, 1, at, 0);
}

#[test]
fn a_record_of_a_newer_kind_is_refused() {
    let mut log = Log::new();
    log.append("a");
    let at = log.tail() as usize;
    log.append("from the future");
    log.damage(1, |bytes| {
        bytes[at + 8] = 9;
        let end = at + encoded_len(15);
        let crc = place(1).crc(at as u64, &[&bytes[at + 4..end]]);
        bytes[at..at + 4].copy_from_slice(&crc.to_le_bytes());
    });
    assert!(matches!(log.read(), Err(Error::Incompatible { .. })));
}

/// Found by fuzzing: the number after such a one did not fit, and opening panicked.
#[test]
fn numbers_that_there_cannot_be_are_refused() {
    for first_seq in [MAX_SEQ, MAX_SEQ + 1, u64::MAX] {
        let mut log = Log::new();
        log.append("a");
        let offset = log.tail() as usize;
        log.append("far too high");
        log.damage(1, |bytes| {
            // It may leave out any numbers, so it goes on.
            bytes[offset + 9] = 1;
            bytes[offset + 16..offset + 24].copy_from_slice(&first_seq.to_le_bytes());
            let crc = place(1).crc(offset as u64, &[&bytes[offset + 4..offset + encoded_len(12)]]);
            bytes[offset..offset + 4].copy_from_slice(&crc.to_le_bytes());
        });
        match log.read() {
            Ok((batches, _)) => assert_eq!((first_seq, batches.len()), (MAX_SEQ, 2)),
            refused => assert_damaged(refused, 1, offset as u64),
        }
    }
}
