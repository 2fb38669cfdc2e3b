//! Sizes and durations as people write them.
//!
//! ```text
//! size     = digits ' '* ('B' | 'K' | 'KiB' | 'M' | 'MiB' | 'G' | 'GiB')?     in any case
//! duration = digits ' '* ('ms' | 's' | 'min' | 'h')
//! ```
//!
//! A unit is a power of two. `MB` is refused: half of the world means another number by it. So is a duration without a
//! unit: nobody remembers whether it was seconds. What [`show_size`] and [`show_duration`] print, [`size`] and [`duration`]
//! read back.

use std::time::Duration;

/// The units of sizes, largest first, with what they are multiplied by. The last name is the one that is printed.
const SIZES: [(&[&str], u64); 4] =
    [(&["g", "GiB"], 1 << 30), (&["m", "MiB"], 1 << 20), (&["k", "KiB"], 1 << 10), (&["", "B"], 1)];

/// The units of durations in milliseconds, largest first.
const DURATIONS: [(&str, u64); 4] = [("h", 3_600_000), ("min", 60_000), ("s", 1000), ("ms", 1)];

/// Bytes.
pub fn size(text: &str) -> Result<u64, String> {
    let wrong = || "give a number with K, M or G, such as 256M or \"64 MiB\"".to_string();
    let (number, unit) = split(text).ok_or_else(wrong)?;
    let is_unit = |names: &[&str]| names.iter().any(|name| name.eq_ignore_ascii_case(unit));
    let (_, factor) = SIZES.iter().find(|(names, _)| is_unit(names)).ok_or_else(wrong)?;
    number.checked_mul(*factor).ok_or_else(|| "no machine has so many bytes".into())
}

/// A length of time.
pub fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || "give a number with ms, s, min or h, such as \"250ms\" or \"10s\"".to_string();
    let (number, unit) = split(text).ok_or_else(wrong)?;
    let (_, factor) = DURATIONS.iter().find(|(name, _)| *name == unit).ok_or_else(wrong)?;
    let millis = number.checked_mul(*factor).ok_or("nobody waits that long")?;
    Ok(Duration::from_millis(millis))
}

/// The number at the beginning, and what comes after it and after spaces.
fn split(text: &str) -> Option<(u64, &str)> {
    let text = text.trim();
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at_checked(end)?;
    Some((number.parse().ok()?, unit.trim_start()))
}

/// Bytes in the largest unit of which they are a whole number.
pub fn show_size(bytes: u64) -> String {
    let whole = |factor: u64| bytes != 0 && bytes.is_multiple_of(factor);
    let unit = SIZES.iter().find(|(_, factor)| *factor > 1 && whole(*factor));
    match unit.and_then(|(names, factor)| Some((names.last()?, factor))) {
        Some((name, factor)) => format!("{} {name}", bytes / factor),
        None => bytes.to_string(),
    }
}

/// A length of time in the largest unit of which it is a whole number.
pub fn show_duration(duration: Duration) -> String {
    let millis = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    if millis == 0 {
        return "0s".into();
    }
    let unit = DURATIONS.iter().find(|(_, factor)| millis.is_multiple_of(*factor));
    unit.map_or_else(String::new, |(name, factor)| format!("{}{name}", millis / factor))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_units() {
        let good = [
            ("0", 0),
            ("4096", 4096),
            ("7K", 7 << 10),
            ("256M", 256 << 20),
            ("2g", 2 << 30),
            ("64 MiB", 64 << 20),
            ("64MiB", 64 << 20),
            ("3 kib", 3 << 10),
            ("5 B", 5),
        ];
        for (text, bytes) in good {
            assert_eq!(size(text), Ok(bytes));
            assert_eq!(size(&show_size(bytes)), Ok(bytes));
        }
        for text in ["", "M", "1T", "1.5G", "-1", "256MB", "99999999999G", "é", "1 2"] {
            assert!(size(text).is_err(), "{text}");
        }
        assert_eq!(show_size(64 << 20), "64 MiB");
        assert_eq!(show_size((64 << 20) + 1), "67108865");
    }

    #[test]
    fn durations_need_units() {
        let good = [("250ms", 250), ("10s", 10_000), ("10 min", 600_000), ("2h", 7_200_000), ("0s", 0)];
        for (text, millis) in good {
            assert_eq!(duration(text), Ok(Duration::from_millis(millis)));
            assert_eq!(duration(&show_duration(Duration::from_millis(millis))), duration(text));
        }
        for text in ["", "10", "s", "1.5s", "-1s", "10 m", "1d", "99999999999999999999h", "5124095576031h"] {
            assert!(duration(text).is_err(), "{text}");
        }
        assert_eq!(show_duration(Duration::from_secs(600)), "10min");
    }
}
