//! What is going on, on a terminal; nothing in a pipe or a log.

use indicatif::{HumanCount, HumanDuration, ProgressBar, ProgressStyle};
use std::io::Read;
use std::time::{Duration, Instant};

/// A running count of entries, with the rate.
pub struct Progress {
    bar: ProgressBar,
    started: Instant,
    entries: u64,
}

impl Progress {
    /// For reading `bytes` of files.
    pub fn of_bytes(bytes: u64) -> Progress {
        Progress::new(
            ProgressBar::new(bytes),
            "{bar:30} {percent:>3} %  {bytes} of {total_bytes}  {msg}, {eta} left",
        )
    }

    /// For work that tells itself how far it has come.
    pub fn of_work() -> Progress {
        Progress::new(
            ProgressBar::new(0),
            "{bar:30} {percent:>3} %  {bytes} of {total_bytes}  {msg}, {eta} left",
        )
    }

    /// Shows how far it has come.
    pub fn show(&self, now: &siltstone::Progress<'_>) {
        self.bar.set_length(now.total);
        self.bar.set_position(now.done);
        let name = now.file.file_name().unwrap_or_default();
        self.bar.set_message(name.to_string_lossy().into_owned());
    }

    /// Takes the bar away.
    pub fn clear(&self) {
        self.bar.finish_and_clear();
    }

    /// For work of unknown size.
    pub fn endless() -> Progress {
        Progress::new(ProgressBar::new_spinner(), "{spinner} {msg}")
    }

    /// For work that must not write to the terminal, because its output goes there.
    pub fn hidden() -> Progress {
        Progress::new(ProgressBar::hidden(), "")
    }

    fn new(bar: ProgressBar, template: &str) -> Progress {
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        bar.enable_steady_tick(Duration::from_millis(200));
        Progress { bar, started: Instant::now(), entries: 0 }
    }

    /// A reader that moves the bar as it is read.
    pub fn watch<R: Read>(&self, reader: R) -> impl Read + use<R> {
        self.bar.wrap_read(reader)
    }

    /// Counts one more entry.
    pub fn add_entry(&mut self) {
        self.entries += 1;
        if self.entries.is_multiple_of(1000) {
            let rate = per_second(self.entries, self.started.elapsed());
            self.bar.set_message(format!(
                "{} entries, {} a second",
                HumanCount(self.entries),
                HumanCount(rate)
            ));
        }
    }

    /// Tells a line on stderr, above the bar.
    pub fn tell(&self, line: &str) {
        self.bar.suspend(|| eprintln!("{line}"));
    }

    /// Takes the bar away and sums up: "1,234 entries in 2 seconds".
    pub fn finish(&self) -> String {
        self.bar.finish_and_clear();
        let took = self.started.elapsed();
        let noun = if self.entries == 1 { "entry" } else { "entries" };
        if took < Duration::from_secs(1) {
            return format!("{} {noun} in {} ms", HumanCount(self.entries), took.as_millis());
        }
        let rate = HumanCount(per_second(self.entries, took));
        format!("{} {noun} in {} ({rate} a second)", HumanCount(self.entries), HumanDuration(took))
    }
}

fn per_second(count: u64, time: Duration) -> u64 {
    let ms = u64::try_from(time.as_millis()).unwrap_or(u64::MAX).max(1);
    count.saturating_mul(1000) / ms
}
