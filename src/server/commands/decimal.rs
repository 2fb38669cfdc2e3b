//! Sums of decimal fractions without rounding: 0.1 and 0.2 make 0.3.
//!
//! Redis adds with more bits than a `f64` has and prints 17 digits. An exact sum of the digits gives what it gives, for numbers
//! of up to 17 digits on either side of the point.

const PLACES: usize = 17;

/// The sum of two plain decimals, in the shortest form. `None` for anything else, such as one with an exponent.
pub(super) fn add(one: &[u8], other: &[u8]) -> Option<String> {
    Some(format(scaled(one)?.checked_add(scaled(other)?)?))
}

/// A decimal times 10 to the power of [`PLACES`].
fn scaled(text: &[u8]) -> Option<i128> {
    let (negative, digits) = match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        _ => (false, text),
    };
    let point = digits.iter().position(|byte| *byte == b'.').unwrap_or(digits.len());
    let (whole, fraction) = (digits.get(..point)?, digits.get(point + 1..).unwrap_or_default());
    if whole.len() > PLACES || fraction.len() > PLACES || whole.len() + fraction.len() == 0 {
        return None;
    }
    let mut number: i128 = 0;
    for at in 0..whole.len() + PLACES {
        let digit = match at.checked_sub(whole.len()) {
            None => *whole.get(at)?,
            Some(at) => fraction.get(at).copied().unwrap_or(b'0'),
        };
        number = number * 10 + i128::from(digit.is_ascii_digit().then(|| digit - b'0')?);
    }
    Some(if negative { -number } else { number })
}

fn format(number: i128) -> String {
    let digits = format!("{:0>width$}", number.unsigned_abs(), width = PLACES + 1);
    let (whole, fraction) = digits.split_at(digits.len() - PLACES);
    let fraction = fraction.trim_end_matches('0');
    let sign = if number < 0 { "-" } else { "" };
    let point = if fraction.is_empty() { "" } else { "." };
    format!("{sign}{whole}{point}{fraction}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums() {
        let cases = [
            ("0.1", "0.2", Some("0.3")),
            ("10.50", "0.1", Some("10.6")),
            ("5.0", "-5", Some("0")),
            ("-1.5", "0.25", Some("-1.25")),
            ("3", "1.0", Some("4")),
            ("99999999999999999", "1", Some("100000000000000000")),
            (".5", "5.", Some("5.5")),
            ("1e3", "1", None),
            (".", "1", None),
            ("", "1", None),
            ("123456789012345678", "1", None),
        ];
        for (one, other, sum) in cases {
            assert_eq!(add(one.as_bytes(), other.as_bytes()).as_deref(), sum, "{one} {other}");
        }
    }
}
