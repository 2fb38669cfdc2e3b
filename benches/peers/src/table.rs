//! What tables of results are made of: medians, short numbers, Markdown.

use std::fmt::Write;

/// The middle one, or the mean of the two in the middle; no number when there are none.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    let upper = values.len() / 2;
    let lower = values.len().saturating_sub(1) / 2;
    match (values.get(lower), values.get(upper)) {
        (Some(lower), Some(upper)) => (lower + upper) / 2.0,
        _ => f64::NAN,
    }
}

/// Three digits at most, with k or M.
pub fn count(rate: f64) -> String {
    match rate {
        rate if rate >= 1e7 => format!("{:.1}M", rate / 1e6),
        rate if rate >= 1e6 => format!("{:.2}M", rate / 1e6),
        rate if rate >= 1e4 => format!("{:.0}k", rate / 1e3),
        rate if rate >= 1e3 => format!("{:.1}k", rate / 1e3),
        rate => format!("{rate:.0}"),
    }
}

/// Bytes, in MiB.
pub fn mib(bytes: f64) -> String {
    format!("{:.0}", bytes / f64::from(1 << 20))
}

/// Nanoseconds, in microseconds or milliseconds.
pub fn microseconds(nanoseconds: f64) -> String {
    match nanoseconds / 1e3 {
        us if us >= 1e4 => format!("{:.0}ms", us / 1e3),
        us if us >= 1e2 => format!("{us:.0}"),
        us if us >= 1e1 => format!("{us:.1}"),
        us => format!("{us:.2}"),
    }
}

/// A table in Markdown, with a title above it.
pub fn markdown(title: &str, columns: &[String], rows: &[Vec<String>]) -> String {
    let mut text = format!("\n### {title}\n\n| {} |\n|---|", columns.join(" | "));
    text.push_str(&"--:|".repeat(columns.len() - 1));
    for row in rows {
        let _ = write!(text, "\n| {} |", row.join(" | "));
    }
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_lies_in_the_middle() {
        assert_eq!(median(vec![3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(vec![4.0, 1.0, 2.0, 3.0]), 2.5);
        assert!(median(Vec::new()).is_nan());
    }

    #[test]
    fn numbers_are_short() {
        assert_eq!(
            [12.0, 6_543.0, 171_400.0, 3_312_000.0, 22_800_000.0].map(count),
            ["12", "6.5k", "171k", "3.31M", "22.8M"]
        );
        assert_eq!(
            [304.0, 12_500.0, 174_000.0, 5_254_000.0, 113_000_000.0].map(microseconds),
            ["0.30", "12.5", "174", "5254", "113ms"]
        );
    }
}
