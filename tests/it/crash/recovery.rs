//! Recovery that is interrupted, over and over: it changes nothing that is needed, and adds a little log each time.

use super::*;

/// What an interrupted recovery may leave: one segment of the smallest size.
const SEGMENT: u64 = 64 << 10;

#[test]
fn recovery_may_be_interrupted_any_number_of_times() {
    let (mut times, mut most) = (0, 0);
    for seed in 1..=from_env("SILTSTONE_CRASH_IMAGES", 40_000) / 1000 {
        let (interrupted, grown) = Case::random(seed).interrupt_recovery();
        (times, most) = (times + interrupted, most.max(grown));
    }
    println!("{times} recoveries were interrupted; at most {most} bytes of log were added");
    assert!(times > 200);
}

impl Case {
    /// Cuts the power in a random place of the work, then in a random place of each of twenty recoveries. Gives how many of
    /// those were interrupted, and how much log they added.
    fn interrupt_recovery(&self) -> (u64, u64) {
        let mut random = Random::new(self.seed);
        let vfs = MemVfs::new();
        let mut history = History::new(Map::new());
        let at = 30 + random.below(200) as u64;
        vfs.schedule_crash(at, *random.pick(&CrashPolicy::EVERY), random.next());
        self.on(&vfs, |setting| setting.run(&self.steps, &mut history));
        let Some(mut image) = vfs.take_crash_images().pop() else { return (0, 0) };
        let mut copied = image.clone();
        copied.vfs = image.vfs.crash_image(CrashPolicy::All, 0);
        let (held, operations) = self.compare(&copied, &history, &|| self.describe(&copied));
        let before = log_bytes(&image.vfs);
        let mut interrupted = 0;
        for round in 0..20 {
            let (policy, seed) = (*random.pick(&CrashPolicy::EVERY), random.next());
            image.vfs.schedule_crash(random.below(operations as usize) as u64, policy, seed);
            self.on(&image.vfs, |setting| drop(setting.open()));
            let Some(next) = image.vfs.take_crash_images().pop() else { continue };
            interrupted += 1;
            image = next;
            assert!(
                log_bytes(&image.vfs) <= before + interrupted * SEGMENT,
                "{} bytes of log after {before} and {interrupted} interruptions; {}, round {round}",
                log_bytes(&image.vfs),
                self.describe(&image)
            );
        }
        let grown = log_bytes(&image.vfs).saturating_sub(before);
        let what = || format!("after {interrupted} interruptions; {}", self.describe(&image));
        self.compare(&image, &History::new(held), &what);
        (interrupted, grown)
    }
}

fn log_bytes(vfs: &MemVfs) -> u64 {
    let logs = vfs.files().into_iter().filter(|file| file.extension() == Some("log".as_ref()));
    logs.map(|file| vfs.read_file(&file).unwrap().len() as u64).sum()
}
