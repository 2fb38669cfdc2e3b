//! Numbers as Python reads and writes them, which clients of py_db count on.
//!
//! ```text
//! int(text)     white space, sign, digits, white space            " 7 "  "+5"  "1_000"  "007"
//! float(text)   the same with a fraction and a power of ten       "1e3"  ".5"  "5."     "inf"  "nan"
//! repr(float)   the fewest digits that read back as this float    3245.0  0.0001  1e-05  1e+16
//! ```
//!
//! An underscore may stand between two digits. Digits are those of ASCII.
//!
//! (Y1) A whole number goes from text to text and never through a float: of any size, it keeps all its digits.

use crate::document::value::Number;
use std::borrow::Cow;

/// So many digits a whole number may have that was written with fewer. `1e1000000000` is eleven characters.
pub const MAX_DIGITS: usize = 4_300;

/// `int(text)`, for a string.
pub fn int(text: &str) -> Option<Number> {
    let text = bare(text)?;
    let (negative, digits) = sign(&text);
    is_digits(digits).then(|| whole(negative, digits)).flatten()
}

/// `int(number)`: towards zero. `None` when that has more digits than were written, and more than [`MAX_DIGITS`].
pub fn truncated(number: &str) -> Option<Cow<'_, str>> {
    if number.bytes().all(|byte| byte.is_ascii_digit()) {
        return Some(Cow::Borrowed(number));
    }
    let (negative, digits) = shifted(number, 0)?;
    whole(negative, &digits).map(|number| Cow::Owned(number.text().into()))
}

/// `float(text)`, for a string.
pub fn float(text: &str) -> Option<f64> {
    bare(text)?.parse().ok()
}

/// `repr(float)`, of one that is finite.
pub fn repr(float: f64) -> String {
    let text = format!("{float:?}");
    match text.split_once('e') {
        None => text,
        Some((mantissa, power)) => {
            let (sign, digits) = power.strip_prefix('-').map_or(('+', power), |digits| ('-', digits));
            format!("{mantissa}e{sign}{digits:0>2}")
        }
    }
}

/// `str(number)`, of one in JSON: a whole number as it is written, another as a float.
pub fn shown(number: &Number) -> String {
    let is_float = number.text().contains(['.', 'e', 'E']);
    match float(number.text()).filter(|float| is_float && float.is_finite()) {
        Some(float) => repr(float),
        None => number.text().into(),
    }
}

/// A number, which may stand in a string, times a power of ten: whether it is negative, and the digits of its whole part. `None`
/// when it is none, or has too many digits.
pub fn shifted(text: &str, power: i64) -> Option<(bool, String)> {
    let (negative, rest) = sign(text);
    let (mantissa, exponent) = match rest.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, parse_exponent(exponent)?),
        None => (rest, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let all = format!("{whole}{fraction}");
    if !is_digits(&all) {
        return None;
    }
    let digits = all.trim_start_matches('0');
    let zeros = i64::try_from(all.len() - digits.len()).ok()?;
    let point = i64::try_from(whole.len()).ok()?.saturating_add(exponent).saturating_add(power) - zeros;
    if digits.is_empty() || point <= 0 {
        return Some((negative, "0".into()));
    }
    let len = usize::try_from(point).ok().filter(|len| *len <= all.len().max(MAX_DIGITS))?;
    let kept = digits.get(..len).unwrap_or(digits);
    Some((negative, format!("{kept:0<len$}")))
}

/// Without white space around it, and without the underscores between digits; `None` when one stands elsewhere.
pub fn bare(text: &str) -> Option<Cow<'_, str>> {
    let text = text.trim();
    if !text.contains('_') {
        return Some(Cow::Borrowed(text));
    }
    let is_digit =
        |at: Option<usize>| at.and_then(|at| text.as_bytes().get(at)).is_some_and(u8::is_ascii_digit);
    let mut underscores = text.bytes().enumerate().filter(|(_, byte)| *byte == b'_').map(|(at, _)| at);
    underscores
        .all(|at| is_digit(at.checked_sub(1)) && is_digit(at.checked_add(1)))
        .then(|| Cow::Owned(text.replace('_', "")))
}

fn parse_exponent(text: &str) -> Option<i64> {
    let (negative, digits) = sign(text);
    // One of nineteen digits and more is beyond all others.
    let beyond = i64::MAX / 4;
    let magnitude =
        is_digits(digits).then(|| digits.parse().map_or(beyond, |power: i64| power.min(beyond)))?;
    Some(if negative { -magnitude } else { magnitude })
}

fn sign(text: &str) -> (bool, &str) {
    (text.starts_with('-'), text.strip_prefix(['-', '+']).unwrap_or(text))
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// The one way to write a whole number.
fn whole(negative: bool, digits: &str) -> Option<Number> {
    match digits.trim_start_matches('0') {
        "" => Number::parse("0"),
        digits if negative => Number::parse(&format!("-{digits}")),
        digits => Number::parse(digits),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(number: Option<Number>) -> String {
        number.map_or("none".into(), |number| number.text().into())
    }

    #[test]
    fn whole_numbers_in_strings() {
        for (given, expected) in [
            ("30", "30"),
            (" 7 ", "7"),
            ("\u{a0}7\n", "7"),
            ("+5", "5"),
            ("-5", "-5"),
            ("-0", "0"),
            ("007", "7"),
            ("1_000", "1000"),
            ("123456789012345678901234567890", "123456789012345678901234567890"),
            ("", "none"),
            ("-", "none"),
            ("+-5", "none"),
            ("7.5", "none"),
            ("1e3", "none"),
            ("_1", "none"),
            ("1_", "none"),
            ("1__0", "none"),
            ("1 0", "none"),
            ("inf", "none"),
        ] {
            assert_eq!(text(int(given)), expected, "{given:?}");
        }
    }

    #[test]
    fn fractions_are_cut_off() {
        for (given, expected) in [
            ("30", "30"),
            ("-30", "-30"),
            ("-0", "0"),
            ("30.0", "30"),
            ("30.7", "30"),
            ("-30.7", "-30"),
            ("-0.7", "0"),
            ("1.25e1", "12"),
            ("0.00125e4", "12"),
            ("1e3", "1000"),
            ("1e-400", "0"),
            ("0e999999", "0"),
            ("9007199254740993.9", "9007199254740993"),
            ("1e4300", "none"),
            ("1e1000000000000", "none"),
        ] {
            assert_eq!(truncated(given).as_deref().unwrap_or("none"), expected, "{given}");
        }
        assert_eq!(truncated("1e4299").unwrap().len(), 4300);
        let long = "9".repeat(10_000);
        assert_eq!(truncated(&format!("{long}.5")).unwrap(), long);
    }

    #[test]
    fn floats() {
        for (given, expected) in [
            ("3245", "3245.0"),
            (" 2.5 ", "2.5"),
            ("1e3", "1000.0"),
            (".5", "0.5"),
            ("5.", "5.0"),
            ("1_0.5", "10.5"),
            ("-0.0", "-0.0"),
            ("1e15", "1000000000000000.0"),
            ("1e16", "1e+16"),
            ("1e22", "1e+22"),
            ("123456789012345680", "1.2345678901234568e+17"),
            ("0.0001", "0.0001"),
            ("1e-5", "1e-05"),
            ("0.00001234", "1.234e-05"),
            ("5e-324", "5e-324"),
            ("1.7976931348623157e308", "1.7976931348623157e+308"),
            ("0.1", "0.1"),
        ] {
            let float = float(given).unwrap();
            assert_eq!(repr(float), expected, "{given}");
            assert_eq!(repr(float.to_string().parse().unwrap()), expected, "{given}");
        }
        for given in ["", "infinit", "0x10", "1e", "e5", ".", "1_", "_1", "1_e5", "1,5", "1 0"] {
            assert_eq!(float(given), None, "{given:?}");
        }
        for given in ["inf", "-Infinity", "nan", "-NaN", "1e400"] {
            assert!(!float(given).unwrap().is_finite(), "{given}");
        }
    }

    #[test]
    fn numbers_of_a_schema_as_str_prints_them() {
        for (given, expected) in [
            ("1", "1"),
            ("2.50", "2.5"),
            ("1e3", "1000.0"),
            ("1e400", "1e400"),
            ("12345678901234567890", "12345678901234567890"),
        ] {
            assert_eq!(shown(&Number::parse(given).unwrap()), expected);
        }
    }
}
