//! How the log goes on behind what was cut off.

use super::*;

#[test]
fn after_a_cut_the_log_goes_on_from_exactly_there() {
    let mut log = Log::new();
    let mut expected = vec![(1, b"kept".to_vec())];
    log.append("kept");
    for life in 2..6u64 {
        let at = log.tail();
        log.append(vec![1; 900]);
        log.append("not promised");
        let number = log.writer.number();
        log.damage(number, |bytes| bytes[at as usize + 500] = 9);
        let (batches, found) = log.read().unwrap();
        assert_eq!(batches, expected);
        assert_eq!(found.cuts.len() as u64, life - 1, "{:?}", found.cuts);
        assert_cut(&found.cuts[life as usize - 2..], number, at, 1);
        log = Log::over(log.mem.clone(), &found, number + 1, 1);
        log.append(format!("life {life}"));
        expected.extend(log.written.iter().cloned());
        // Numbers were used again for what was cut, and only these count.
        assert_eq!(expected.last().unwrap().0, life);
    }
    let (batches, found) = log.read().unwrap();
    assert_eq!(batches, expected);
    assert_eq!(found.segments, [1, 2, 3, 4, 5]);
    // A promise made after the cut does not count for what was cut, but what it does count for is held to it.
    log.sync();
    log.append("vouches");
    assert!(log.read().is_ok());
    log.damage(4, |bytes| bytes[HEADER_LEN + START_LEN as usize + 41] ^= 1);
    assert_damaged(log.read(), 4, HEADER_LEN as u64 + START_LEN);
    // What was cut stays cut when the log is read on behind that.
    let (batches, holes) = log.salvage();
    expected.push((6, b"vouches".to_vec()));
    expected.remove(3);
    assert_eq!((batches, holes), (expected, vec![(4, Some(5))]));
}

/// What was cut by a recovery is not taken behind a hole either, also when what was cut vouches for what is damaged: its
/// numbers were used again in the segment after.
#[test]
fn behind_a_hole_nothing_is_taken_that_was_cut_before() {
    let mut log = Log::new();
    log.append("damaged later");
    log.append("kept");
    log.sync();
    let at = log.tail() as usize;
    log.append([1; 300]);
    log.append("cut, and vouches for what is before");
    log.damage(1, |bytes| bytes[at + 100] ^= 1);
    let (_, found) = log.read().unwrap();
    let mut log = Log::over(log.mem.clone(), &found, 2, 1);
    log.append("again the third");
    log.damage(1, |bytes| bytes[HEADER_LEN + START_LEN as usize + 41] ^= 1);
    assert!(log.read().is_err());
    let (batches, holes) = log.salvage();
    assert_eq!(batches, [(2, b"kept".to_vec()), (3, b"again the third".to_vec())]);
    assert_eq!(holes, [(1, Some(2))]);
}

#[test]
fn behind_every_kind_of_hole_the_log_goes_on() {
    let written = || {
        let mut log = Log::new();
        let mut places = Vec::new();
        for i in 0..9u8 {
            if i % 3 == 0 && i > 0 {
                log.rotate();
            }
            places.push(log.tail() as usize);
            log.append([b'a' + i; 30]);
            log.sync();
        }
        (log, places)
    };
    let all = written().0.written;
    let without = |gone: &[usize]| -> Batches {
        all.iter().enumerate().filter(|(i, _)| !gone.contains(i)).map(|(_, batch)| batch.clone()).collect()
    };
    let check = |damage: &dyn Fn(&Log, &[usize]), gone: &[usize], expected: &[(u64, Option<u64>)]| {
        let (log, places) = written();
        damage(&log, &places);
        assert!(log.read().is_err());
        let (batches, holes) = log.salvage();
        let lost: Vec<_> = holes.into_iter().filter(|(from, to)| *to != Some(*from)).collect();
        assert_eq!((batches, &lost[..]), (without(gone), expected));
    };
    let flip = |log: &Log, number: u64, at: usize| log.damage(number, |bytes| bytes[at] ^= 1);
    // In the middle of a segment, at its end before the `Seal`, two in one segment.
    check(&|log, at| flip(log, 1, at[1] + 45), &[1], &[(2, Some(3))]);
    check(&|log, at| flip(log, 1, at[2] + 45), &[2], &[(3, Some(4))]);
    check(
        &|log, at| [3, 5].iter().for_each(|i| flip(log, 2, at[*i] + 45)),
        &[3, 5],
        &[(4, Some(5)), (6, Some(7))],
    );
    // A `Start`, a `Seal`, a header.
    check(&|log, _| flip(log, 2, HEADER_LEN + 50), &[], &[]);
    check(&|log, at| flip(log, 1, at[2] + 72 + 41), &[], &[]);
    check(&|log, _| flip(log, 2, 20), &[], &[]);
    // The first, a middle segment, or the beginning of all.
    let lose = |log: &Log, number: u64| log.mem.remove_file(&path(number)).unwrap();
    check(&|log, _| lose(log, 2), &[3, 4, 5], &[(4, None)]);
    check(&|log, _| log.damage(2, |bytes| bytes.fill(0)), &[3, 4, 5], &[(4, None), (4, Some(7))]);
}
