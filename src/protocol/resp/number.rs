//! Integers and floating point numbers in the forms that Redis accepts and writes.

/// An integer as Redis takes it: a sign `-` or none, no leading zero, no spaces, within 64 bits.
#[must_use]
pub fn parse_i64(text: &[u8]) -> Option<i64> {
    let digits = text.strip_prefix(b"-").unwrap_or(text);
    match digits {
        [b'0'] => return (digits.len() == text.len()).then_some(0),
        [b'1'..=b'9', ..] if digits.len() <= 19 && digits.iter().all(u8::is_ascii_digit) => {}
        _ => return None,
    }
    // Digits are ASCII, and so UTF-8.
    std::str::from_utf8(text).ok()?.parse().ok()
}

/// A floating point number: decimal, with or without an exponent, or infinite; never "not a number", and without spaces.
#[must_use]
pub fn parse_f64(text: &[u8]) -> Option<f64> {
    let text = std::str::from_utf8(text).ok()?;
    let number: f64 = text.parse().ok()?;
    // What the standard library spells otherwise than C.
    let plain = text.bytes().all(|byte| byte.is_ascii_digit() || b"+-.eE".contains(&byte));
    let infinite =
        matches!(text.trim_start_matches(['+', '-']).to_ascii_lowercase().as_str(), "inf" | "infinity");
    ((plain && number.is_finite()) || infinite).then_some(number)
}

/// A number in the shortest form that reads back as it, without an exponent.
#[must_use]
pub fn format_f64(number: f64) -> String {
    if number.is_infinite() {
        return if number > 0.0 { "inf".into() } else { "-inf".into() };
    }
    if number == 0.0 { "0".into() } else { number.to_string() }
}

/// Appends the digits of an integer.
pub fn push_i64(out: &mut Vec<u8>, number: i64) {
    let mut digits = [0; 20];
    let mut at = digits.len();
    let mut rest = number.unsigned_abs();
    loop {
        at -= 1;
        if let Some(digit) = digits.get_mut(at) {
            *digit = b'0' + (rest % 10) as u8;
        }
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    if number < 0 {
        out.push(b'-');
    }
    out.extend_from_slice(digits.get(at..).unwrap_or_default());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_are_taken_in_one_form_only() {
        for number in [0, 1, -1, 10, i64::MAX, i64::MIN, 1 << 40] {
            let mut text = Vec::new();
            push_i64(&mut text, number);
            assert_eq!(text, number.to_string().into_bytes());
            assert_eq!(parse_i64(&text), Some(number));
        }
        for none in ["", "-", "+1", "01", "-0", " 1", "1 ", "1.0", "9223372036854775808", "1e3", "0x1", "--1"]
        {
            assert_eq!(parse_i64(none.as_bytes()), None, "{none}");
        }
    }

    #[test]
    fn floats() {
        for (text, number) in [("1", 1.0), ("-1.5e3", -1500.0), (".5", 0.5), ("5.", 5.0), ("3.0e-2", 0.03)] {
            assert_eq!(parse_f64(text.as_bytes()), Some(number));
        }
        assert_eq!(parse_f64(b"-inf"), Some(f64::NEG_INFINITY));
        for none in ["", "nan", " 1", "1 ", "0x1", "1e400", "abc", "infin", "e"] {
            assert_eq!(parse_f64(none.as_bytes()), None, "{none}");
        }
        for (number, text) in [(3.0, "3"), (10.6, "10.6"), (-0.0, "0"), (1e21, "1000000000000000000000")] {
            assert_eq!(format_f64(number), text);
        }
    }
}
