//! What came of a test.

use hdrhistogram::Histogram;
use serde::Serialize;
use std::fmt;
use std::time::Duration;

/// What is counted while a test runs, by each thread for itself.
pub struct Tally {
    /// Nanoseconds.
    latencies: Histogram<u64>,
    pub asked: u64,
    pub found: u64,
    pub errors: u64,
    pub first_error: Option<String>,
}

impl Tally {
    pub fn new() -> anyhow::Result<Tally> {
        /// Nothing takes longer than an hour; three digits of each latency are kept.
        const LONGEST: u64 = 3_600_000_000_000;
        let latencies = Histogram::new_with_max(LONGEST, 3)?;
        Ok(Tally { latencies, asked: 0, found: 0, errors: 0, first_error: None })
    }

    pub fn record(&mut self, took: Duration) {
        self.latencies.saturating_record(u64::try_from(took.as_nanos()).unwrap_or(u64::MAX));
    }

    pub fn add(&mut self, other: &Tally) -> anyhow::Result<()> {
        self.latencies.add(&other.latencies)?;
        self.asked += other.asked;
        self.found += other.found;
        self.errors += other.errors;
        if self.first_error.is_none() {
            self.first_error.clone_from(&other.first_error);
        }
        Ok(())
    }

    pub fn report(&self, test: String, took: Duration) -> Report {
        let seconds = took.as_secs_f64().max(1e-9);
        let at = |quantile: f64| self.latencies.value_at_quantile(quantile) as f64 / 1000.0;
        Report {
            test,
            requests: self.latencies.len(),
            seconds,
            per_second: self.latencies.len() as f64 / seconds,
            latency_us: Latency {
                p50: at(0.5),
                p99: at(0.99),
                p999: at(0.999),
                max: self.latencies.max() as f64 / 1000.0,
            },
            found: (self.asked > 0).then(|| self.found as f64 / self.asked as f64),
            errors: self.errors,
            first_error: self.first_error.clone(),
        }
    }
}

/// The result of one test.
#[derive(Debug, Serialize)]
pub struct Report {
    test: String,
    requests: u64,
    seconds: f64,
    per_second: f64,
    latency_us: Latency,
    /// Which share of the keys that were asked for was there.
    #[serde(skip_serializing_if = "Option::is_none")]
    found: Option<f64>,
    pub errors: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    first_error: Option<String>,
}

/// Microseconds.
#[derive(Debug, Serialize)]
struct Latency {
    p50: f64,
    p99: f64,
    p999: f64,
    max: f64,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Latency { p50, p99, p999, max } = &self.latency_us;
        let times = [*p50, *p99, *p999, *max].map(time);
        let [p50, p99, p999, max] = &times;
        write!(
            f,
            "{:<10} {:>11.0}/s   p50 {p50:>8}  p99 {p99:>8}  p99.9 {p999:>8}  max {max:>8}   ({} in {:.2} s)",
            self.test, self.per_second, self.requests, self.seconds
        )?;
        if let Some(found) = self.found {
            write!(f, "  found {:.1} %", found * 100.0)?;
        }
        if let Some(first) = &self.first_error {
            write!(f, "  {} ERRORS, the first: {first}", self.errors)?;
        }
        Ok(())
    }
}

fn time(microseconds: f64) -> String {
    match microseconds {
        us if us < 1000.0 => format!("{us:.1} us"),
        us if us < 1e6 => format!("{:.2} ms", us / 1e3),
        us => format!("{:.2} s", us / 1e6),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_tells_speed_latency_and_what_it_is_worth() {
        let mut tally = Tally::new().unwrap();
        (1..=1000).for_each(|us| tally.record(Duration::from_micros(us)));
        let mut other = Tally::new().unwrap();
        other.record(Duration::from_secs(2));
        (other.asked, other.found) = (4, 1);
        tally.add(&other).unwrap();
        let text = tally.report("get".into(), Duration::from_secs(2)).to_string();
        assert!(text.starts_with("get                500/s   p50 "), "{text}");
        assert!(
            text.contains("p99 991.2 us") && text.contains("max   2.00 s") && text.ends_with("found 25.0 %"),
            "{text}"
        );
        let json = serde_json::to_value(tally.report("get".into(), Duration::from_secs(2))).unwrap();
        assert_eq!(json["requests"], serde_json::json!(1001));
        assert!(json.get("first_error").is_none());
    }
}
