//! Appends and rotations that fail, and what follows them.

use super::*;

#[test]
fn a_failed_append_is_followed_by_a_good_one() {
    let full = encoded_len(100) + 8;
    let effects = (0..=full).step_by(9).map(Effect::ShortWrite).chain([Effect::NotDone, Effect::Done]);
    for effect in effects {
        for next in [1, 100, 300] {
            let mut log = Log::new();
            log.append("before");
            log.vfs.inject(Fault::nth(0).on(Op::Write).failing_with(Failure::NoSpace).with(effect));
            assert!(log.try_append(&[1; 100]).unwrap_err().is_transient());
            let failed = (2, vec![1; 100]);
            let (batches, found) = log.read().unwrap();
            let arrived = batches.len() == 2;
            assert_eq!(batches.get(1), arrived.then_some(&failed));
            assert!(
                arrived
                    || effect == Effect::NotDone
                    || effect == Effect::ShortWrite(0)
                    || found.cuts.len() == 1
            );
            log.append(vec![2; next]);
            log.append("after");
            let (batches, found) = log.read().unwrap();
            assert_eq!(batches, log.written, "{effect:?}");
            assert_eq!((found.next_seq, found.cuts), (5, vec![]));
        }
    }
}

#[test]
fn what_a_failed_append_left_does_not_come_back_with_later_records() {
    // A page that a power cut did not let through may still hold its first write: the failed record, as long as the one
    // written over it. The record behind it, on another page, must not follow.
    let mut log = Log::new();
    log.append("before");
    let at = log.tail() as usize;
    log.vfs.inject(Fault::nth(0).on(Op::Write).failing_with(Failure::NoSpace).with(Effect::Done));
    assert!(log.try_append(b"failed").is_err());
    let old = log.mem.read_file(&path(1)).unwrap()[at..at + encoded_len(6)].to_vec();
    log.append("second");
    log.append("third!");
    assert_eq!(log.read().unwrap().0, log.written);
    log.damage(1, |bytes| bytes[at..at + old.len()].copy_from_slice(&old));
    let (batches, found) = log.read().unwrap();
    assert_eq!(batches, [(1, b"before".to_vec()), (2, b"failed".to_vec())]);
    assert_cut(&found.cuts, 1, (at + old.len()) as u64, 1);
}

#[test]
fn a_failed_rotation_can_be_tried_again_or_left() {
    for nth in 0..2 {
        for effect in [Effect::NotDone, Effect::ShortWrite(30), Effect::Done] {
            for between in [None, Some(SEAL_SIZED), Some(2 * SEAL_SIZED + 40), Some(500)] {
                for sync in [true, false] {
                    rotate_with_failure(nth, effect, between, sync);
                }
            }
        }
    }
}

fn rotate_with_failure(nth: u64, effect: Effect, between: Option<usize>, sync: bool) {
    let mut log = Log::new();
    log.append("before");
    let spare = log.spare(None);
    log.vfs.inject(Fault::nth(nth).on(Op::Write).failing_with(Failure::NoSpace).with(effect));
    assert!(log.writer.rotate(spare.clone(), log.next_seq, log.synced).is_err());
    assert_eq!(log.writer.number(), 1);
    let check = |log: &Log| {
        let (batches, _) = log.read().unwrap();
        assert_eq!(batches, log.written, "{nth} {effect:?} {between:?} {sync}");
    };
    check(&log);
    if let Some(len) = between {
        log.append(vec![3; len]);
        if sync {
            log.sync();
        }
        check(&log);
        // The segment begun in vain may claim to begin right here; it has nothing to go on with.
        assert_eq!(log.read().unwrap().1.segments, [1]);
        // Damage is not hidden by the segment that was begun in vain.
        log.append("vouches");
        let image = log.mem.crash_image(CrashPolicy::All, 0);
        damage(&image, 1, |bytes| bytes[HEADER_LEN + START_LEN as usize + 40] ^= 1);
        assert_eq!(read(&|| Arc::new(image.clone()), 1, 0, 0).is_err(), sync);
    }
    log.writer.rotate(spare, log.next_seq, log.synced).unwrap();
    assert_eq!(log.writer.number(), 2);
    log.append("after");
    check(&log);
    log.rotate();
    log.append("and on");
    check(&log);
    assert_eq!(log.read().unwrap().1.cuts, []);
}
