//! Whole lives of a log: written, cut by a loss of power, read, written on.

use super::*;

/// Random writing, crashed at every operation under every policy; then recovered, written to and crashed again.
#[test]
fn a_power_cut_leaves_a_prefix_with_all_that_was_synced() {
    let mut images = 0;
    for seed in 0..4 {
        images += lives(seed);
    }
    assert!(images > 5000, "{images}");
}

fn lives(seed: u64) -> u64 {
    let mut random = Random(seed);
    let (mut mem, mut found, mut number, mut images) = (MemVfs::new(), Recovered::default(), 1, 0);
    let (mut before, mut first): (Batches, u64) = (Vec::new(), 1);
    for life in 0..4 {
        let start = mem.clone();
        start.schedule_crashes(0..400, &CrashPolicy::EVERY, seed * 100 + life);
        let (log, marks) = one_life(&mut random, start, &found, number);
        let mut taken = log.mem.take_crash_images();
        images += taken.len() as u64;
        let all: Batches = before.iter().chain(&log.written).cloned().collect();
        // What the manifest knows: the first segment of this life once it was begun, later ones when they were synced.
        for image in &taken {
            let what = format!("seed {seed} life {life} op {} {:?}", image.at_op, image.policy);
            let zero = Mark { op: 0, issued: 0, durable: 0, newest: found.segment };
            let mark = marks.iter().rfind(|mark| mark.op <= image.at_op).unwrap_or(&zero);
            let outcome = read(&|| Arc::new(image.vfs.clone()), first, 0, mark.newest);
            let (mut batches, _) = outcome.unwrap_or_else(|e| panic!("{what}: {e}"));
            batches.pop_if(|last| log.failed.contains(last));
            assert!(batches.len() <= all.len() && batches == all[..batches.len()], "{what}: {batches:?}");
            let least = if image.policy == CrashPolicy::All { mark.issued } else { mark.durable };
            assert!(batches.len() >= before.len() + least, "{what}: {} of {least}", batches.len());
        }
        let image = taken.swap_remove(random.below(taken.len()));
        (before, found) = read(&|| Arc::new(image.vfs.clone()), first, 0, 0).unwrap();
        (mem, number) = (image.vfs, log.next_number);
        if found.segments.is_empty() {
            first = number;
        }
    }
    images
}

/// How much was written and how much was durable when so many operations were done.
struct Mark {
    op: u64,
    issued: usize,
    durable: usize,
    /// The newest segment whose beginning is durable.
    newest: u64,
}

fn one_life(random: &mut Random, mem: MemVfs, found: &Recovered, number: u64) -> (Log, Vec<Mark>) {
    let mut log = Log::over(mem, found, number, 1);
    let (mut durable, mut newest) = (0, number);
    let mut marks = vec![Mark { op: log.mem.op_count(), issued: 0, durable, newest }];
    for step in 0..60u64 {
        match random.below(10) {
            0 => {
                log.sync();
                (durable, newest) = (log.written.len(), log.writer.number());
            }
            1 => {
                let spare = log.spare(None);
                log.writer.rotate(spare, log.next_seq, log.synced).unwrap();
            }
            2 => {
                let effect =
                    [Effect::NotDone, Effect::ShortWrite(random.below(200)), Effect::ShortWrite(4000)];
                let fault = Fault::nth(0).on(Op::Write).failing_with(Failure::NoSpace);
                log.vfs.inject(fault.with(effect[random.below(3)]));
                assert!(log.try_append(&vec![0xff; random.below(9000)]).is_err());
            }
            _ => {
                let value = (number * 1000 + step).to_le_bytes().repeat(random.below(60) * random.below(20));
                log.append(value);
            }
        }
        marks.push(Mark { op: log.mem.op_count(), issued: log.written.len(), durable, newest });
    }
    (log, marks)
}

/// SplitMix64.
struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % n.max(1) as u64) as usize
    }
}
