//! Every sequence of a few operations, and the power cut before each operation of its last one and of the close.
//!
//! What comes before the last operation is a shorter sequence, which is looked at by itself. `SILTSTONE_CRASH_SMALL` sets how
//! many operations a sequence has at most.

use super::workloads::{batch, delete, long, one, put, small_options};
use super::*;
use crate::support::buffer_of;

/// What a sequence is made of.
fn alphabet() -> [Step; 12] {
    let with = |key: &str, durability| Step::Write(vec![put(key, 7)], Some(durability));
    [
        one("a", 1),
        one("b", 2),
        long(3),
        delete("a"),
        batch(4),
        with("a", Durability::Sync),
        with("b", Durability::Os),
        Step::Wait(INTERVAL),
        Step::Sync,
        Step::Flush,
        Step::Compact,
        Step::Reopen,
    ]
}

#[test]
fn every_short_sequence_survives_a_crash_at_every_operation() {
    let longest = from_env("SILTSTONE_CRASH_SMALL", 2) as u32;
    let (alphabet, mut sequences, mut count) = (alphabet(), 0, 0);
    for len in 1..=longest {
        for number in 0..12usize.pow(len) {
            let steps: Vec<Step> =
                (0..len).map(|digit| alphabet[number / 12usize.pow(digit) % 12].clone()).collect();
            for durability in DURABILITIES {
                let options = small_options().memtable_bytes(buffer_of(2));
                let case =
                    Case { seed: number as u64, name: "small", options, durability, steps: steps.clone() };
                count += case.check_last();
            }
            sequences += 1;
        }
    }
    println!("{sequences} sequences of up to {longest} operations: {count} crash images");
    assert!(longest < 2 || count > 15_000);
}

impl Case {
    /// Cuts the power in the last step and in the close.
    fn check_last(&self) -> u64 {
        let (last, earlier) = self.steps.split_last().unwrap();
        let vfs = MemVfs::new();
        let mut history = History::new(Map::new());
        self.on(&vfs, |setting| {
            let db = setting.go_on(setting.open().unwrap(), earlier, &mut history);
            vfs.schedule_crashes(vfs.op_count()..MANY, &CrashPolicy::EVERY, self.seed);
            setting.go_on(db, std::slice::from_ref(last), &mut history).close().unwrap();
        });
        let mut count = 0;
        for image in vfs.take_crash_images() {
            // Each sequence meets two policies at each operation, other ones at the next.
            let turn = CrashPolicy::EVERY.iter().position(|policy| *policy == image.policy).unwrap() as u64;
            if (turn + image.at_op + self.seed).is_multiple_of(4) {
                count += 1;
                let what = || format!("{:?}: {}", self.steps, self.describe(&image));
                self.check_image(&image, &history, None, &what);
            }
        }
        count
    }
}
