//! Numbers as they were written, and by value: `25` equals `25.0`, and 2^53 + 1 is more than 2^53.
//!
//! A number is a sign, digits and a power of ten, none of which is ever made a binary fraction.
//!
//! ```text
//! -0.00120e5   is   minus   0.12 × 10^3      digits "12", exponent 3
//!  25, 25.0    are  plus    0.25 × 10^2      digits "25", exponent 2
//!  0, -0, 0e9  are  zero                     no digits
//! ```
//!
//! # Bytes that sort as the numbers do
//!
//! ```text
//! zero       0x80
//! positive   0xc0   exponent   digits   0x00
//! negative   0x40   and all that follows of the positive one inverted
//!
//! exponent   from -64 to 63: 0x80 and the exponent, one byte
//!            below that 0x3f, above it 0xc0, then eight bytes, big-endian, the sign bit flipped
//! digits     two to a byte, 1 to 100 for 00 to 99; the last one stands alone as if a 0 followed
//! ```
//!
//! (N1) There is one way to write a value: the first digit and the last are not zero. So numbers are equal exactly when their bytes
//!      are, and one is never the beginning of another.
//! (N2) What is written of a value ([`Decimal`]'s `Display`) is a number of JSON, and has that value when it is read.
//!
//! Sums and products are exact, or there is none: `arithmetic` has them.

mod arithmetic;

pub use arithmetic::MAX_DIGITS;

use std::cmp::Ordering;
use std::fmt::{self, Display};

const ZERO: u8 = 0x80;
const POSITIVE: u8 = 0xc0;
const NEGATIVE: u8 = 0x40;
/// The exponent 0, among those of one byte; what stands before those that are below all of them, and above.
const NO_EXPONENT: u8 = 0x80;
const BELOW: u8 = 0x3f;
const ABOVE: u8 = 0xc0;

/// Exponents beyond this are refused: nobody has such numbers, and sums of exponents stay far from where they would overflow.
const MAX_EXPONENT: i64 = 1 << 40;
/// So many zeros are written out that are not among the digits; with more of them there is an exponent.
const MAX_ZEROS: i64 = 20;

/// A number by its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decimal {
    negative: bool,
    /// The value is `0.digits × 10^exponent`; 0 for zero.
    exponent: i64,
    /// ASCII digits (N1); none for zero.
    digits: Vec<u8>,
}

impl Decimal {
    /// Zero.
    pub(super) const ZERO: Decimal = Decimal { negative: false, exponent: 0, digits: Vec::new() };

    /// The value of a number as JSON writes it; `None` when it is none, or its exponent (see above) is beyond 2^40.
    #[must_use]
    pub fn parse(text: &str) -> Option<Decimal> {
        let (negative, rest) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (mantissa, power) = match rest.split_once(['e', 'E']) {
            Some((mantissa, power)) => (mantissa, parse_power(power)?),
            None => (rest, 0),
        };
        let (whole, fraction) = match mantissa.split_once('.') {
            Some((_, "")) => return None,
            Some(parts) => parts,
            None => (mantissa, ""),
        };
        let leading_zero = whole.len() > 1 && whole.starts_with('0');
        let all_digits = [whole, fraction].iter().all(|part| part.bytes().all(|byte| byte.is_ascii_digit()));
        if whole.is_empty() || leading_zero || !all_digits {
            return None;
        }
        let all: Vec<u8> = whole.bytes().chain(fraction.bytes()).collect();
        Decimal::normal(negative, i64::try_from(whole.len()).ok()? + power, &all)
    }

    /// The value of `0.digits × 10^exponent`, whatever zeros the digits begin and end with (N1); `None` when the exponent is too large.
    fn normal(negative: bool, exponent: i64, digits: &[u8]) -> Option<Decimal> {
        let zeros = digits.iter().take_while(|digit| **digit == b'0').count();
        let end = digits.iter().rposition(|digit| *digit != b'0').map_or(zeros, |last| last + 1);
        let digits = digits.get(zeros..end).unwrap_or_default();
        if digits.is_empty() {
            return Some(Decimal::ZERO);
        }
        let exponent = exponent - i64::try_from(zeros).ok()?;
        (exponent.abs() <= MAX_EXPONENT).then(|| Decimal { negative, exponent, digits: digits.to_vec() })
    }

    /// Appends bytes that sort as the values do (see above).
    pub fn encode(&self, out: &mut Vec<u8>) {
        if self.digits.is_empty() {
            return out.push(ZERO);
        }
        out.push(if self.negative { NEGATIVE } else { POSITIVE });
        let begin = out.len();
        encode_exponent(self.exponent, out);
        out.extend(self.digits.chunks(2).map(|pair| {
            let digit = |at: usize| pair.get(at).map_or(0, |digit| digit - b'0');
            digit(0) * 10 + digit(1) + 1
        }));
        out.push(0);
        if self.negative {
            out.iter_mut().skip(begin).for_each(|byte| *byte = !*byte);
        }
    }

    /// As text the whole number of at most 18 digits that stands at the beginning of these bytes, and how many they are; `None` for any other.
    pub(super) fn decode_whole(bytes: &mut dyn Iterator<Item = u8>) -> Option<(String, usize)> {
        let mask = match bytes.next()? {
            ZERO => return Some(("0".into(), 1)),
            POSITIVE => 0,
            NEGATIVE => 0xff,
            _ => return None,
        };
        let mut bytes = bytes.map(|byte| byte ^ mask);
        let digits =
            bytes.next()?.checked_sub(NO_EXPONENT).map(usize::from).filter(|digits| *digits <= 18)?;
        let mut text = String::from(if mask == 0 { "" } else { "-" });
        let end = text.len() + digits;
        let mut len = 2;
        loop {
            len += 1;
            match bytes.next()? {
                0 => break,
                pair @ 1..=100 => {
                    text.push(char::from(b'0' + (pair - 1) / 10));
                    text.push(char::from(b'0' + (pair - 1) % 10));
                }
                _ => return None,
            }
        }
        // The last pair may have a zero that is no digit.
        if text.len() > end && text.ends_with('0') {
            text.pop();
        }
        while text.len() < end {
            text.push('0');
        }
        (text.len() == end).then_some((text, len))
    }

    /// The value, when it is whole and has at most 38 digits.
    #[must_use]
    pub fn integer(&self) -> Option<i128> {
        let zeros = self.exponent.checked_sub(i64::try_from(self.digits.len()).ok()?)?;
        let zeros = if self.digits.is_empty() { 0 } else { u32::try_from(zeros).ok()? };
        let digits = self
            .digits
            .iter()
            .try_fold(0_i128, |sum, digit| sum.checked_mul(10)?.checked_add(i128::from(digit - b'0')))?;
        let magnitude = digits.checked_mul(10_i128.checked_pow(zeros)?)?;
        Some(if self.negative { -magnitude } else { magnitude })
    }

    /// Which of two that are not zero lies farther from it.
    fn magnitude(&self, other: &Decimal) -> Ordering {
        self.exponent.cmp(&other.exponent).then_with(|| self.digits.cmp(&other.digits))
    }

    /// -1, 0 or 1.
    fn sign(&self) -> i8 {
        match (self.digits.is_empty(), self.negative) {
            (true, _) => 0,
            (false, true) => -1,
            (false, false) => 1,
        }
    }
}

fn encode_exponent(exponent: i64, out: &mut Vec<u8>) {
    match exponent {
        -64..64 => out.push((i64::from(NO_EXPONENT) + exponent) as u8),
        _ => {
            out.push(if exponent < 0 { BELOW } else { ABOVE });
            out.extend((exponent as u64 ^ (1 << 63)).to_be_bytes());
        }
    }
}

/// As JSON, in one way: `-120`, `0.012`, `1.2e400`. With an exponent only when more than 20 zeros would be written instead.
impl Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = String::from_utf8_lossy(&self.digits);
        let (point, len) = (self.exponent, digits.len());
        if digits.is_empty() {
            return f.write_str("0");
        }
        f.write_str(if self.negative { "-" } else { "" })?;
        match usize::try_from(point) {
            _ if point < -MAX_ZEROS || point > len as i64 + MAX_ZEROS => {
                let (first, rest) = digits.split_at(1);
                write!(f, "{first}{}{rest}e{}", if rest.is_empty() { "" } else { "." }, point - 1)
            }
            Ok(point) if point >= len => write!(f, "{digits:0<point$}"),
            Ok(0) | Err(_) => write!(f, "0.{digits:0>width$}", width = len + point.unsigned_abs() as usize),
            Ok(point) => {
                let (whole, fraction) = digits.split_at(point);
                write!(f, "{whole}.{fraction}")
            }
        }
    }
}

impl Ord for Decimal {
    fn cmp(&self, other: &Decimal) -> Ordering {
        self.sign().cmp(&other.sign()).then_with(|| match self.negative {
            true => self.magnitude(other).reverse(),
            false => self.magnitude(other),
        })
    }
}

impl PartialOrd for Decimal {
    fn partial_cmp(&self, other: &Decimal) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

fn parse_power(text: &str) -> Option<i64> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    // Far more than a value may have: zeros around the point take some of it away again, and sums with it do not overflow.
    text.parse().ok().filter(|power: &i64| power.abs() <= 2 * MAX_EXPONENT)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;

    fn encoded(text: &str) -> Vec<u8> {
        let mut bytes = Vec::new();
        Decimal::parse(text).unwrap().encode(&mut bytes);
        bytes
    }

    #[test]
    fn one_value_has_one_form() {
        for same in [
            &["0", "-0", "0.0", "0e9", "-0.00E-7"][..],
            &["25", "25.0", "2.5e1", "250E-1", "0.25e+2"],
            &["-0.00120e5", "-120", "-1.2e2"],
            &["1e400", "10e399", "0.1E401"],
        ] {
            for other in same {
                assert_eq!(Decimal::parse(same[0]), Decimal::parse(other), "{other}");
                assert_eq!(encoded(same[0]), encoded(other), "{other}");
            }
        }
    }

    #[test]
    fn what_json_does_not_call_a_number_is_none() {
        let wrong = [
            "",
            "-",
            "+1",
            "01",
            "-01",
            "1.",
            ".5",
            "1e",
            "1e+",
            "1e1.5",
            "0x1",
            "NaN",
            "inf",
            "1 ",
            "1_0",
            "--1",
            "1e--1",
            "1e99999999999999999999",
            "1e1099511627776",
            "1e-1099511627778",
            "0e99999999999999",
        ];
        for text in wrong {
            assert_eq!(Decimal::parse(text), None, "{text}");
        }
    }

    #[test]
    fn they_sort_by_value() {
        let ascending = [
            "-1e400",
            "-100",
            "-99.5",
            "-99",
            "-10",
            "-9.01",
            "-9",
            "-1",
            "-0.5",
            "-1e-400",
            "0",
            "1e-400",
            "0.05",
            "0.5",
            "0.51",
            "1",
            "1.0000000000000000000001",
            "9",
            "9.01",
            "10",
            "99",
            "100",
            "9007199254740992",
            "9007199254740993",
            "123456789012345678901234567890",
            "1e400",
        ];
        for (i, one) in ascending.iter().enumerate() {
            for (j, other) in ascending.iter().enumerate() {
                assert_eq!(Decimal::parse(one).cmp(&Decimal::parse(other)), i.cmp(&j), "{one} {other}");
                assert_eq!(encoded(one).cmp(&encoded(other)), i.cmp(&j), "{one} {other}");
            }
        }
    }

    #[test]
    fn whole_numbers() {
        for (text, expected) in [
            ("0.0", Some(0)),
            ("-25.0", Some(-25)),
            ("1e3", Some(1000)),
            ("1.5", None),
            ("0.001e2", None),
            ("170141183460469231731687303715884105727", Some(i128::MAX)),
            ("170141183460469231731687303715884105728", None),
            ("1e1000000", None),
        ] {
            assert_eq!(Decimal::parse(text).unwrap().integer(), expected, "{text}");
        }
    }

    #[test]
    fn a_value_is_written_in_one_way() {
        for (text, expected) in [
            ("-0.0e7", "0"),
            ("25.0", "25"),
            ("-0.00120e5", "-120"),
            ("1.50", "1.5"),
            ("12E-3", "0.012"),
            ("-9007199254740993.10", "-9007199254740993.1"),
            ("123456789012345678901234567890", "123456789012345678901234567890"),
            ("1e20", "100000000000000000000"),
            ("1e21", "1e21"),
            ("12e21", "1.2e22"),
            ("1e-21", "0.000000000000000000001"),
            ("-1e-22", "-1e-22"),
            ("1.25e400", "1.25e400"),
            ("0.1e1099511627776", "1e1099511627775"),
            ("100e-1099511627778", "1e-1099511627776"),
        ] {
            let value = Decimal::parse(text).unwrap();
            assert_eq!(value.to_string(), expected);
            assert_eq!(Decimal::parse(expected), Some(value), "{text}: N2");
        }
    }

    /// Numbers with few digits meet often; their values are compared once more as fractions of 128 bits.
    #[test]
    fn bytes_sort_as_values_do() {
        let mut random = Random::new(1);
        let mut next = || {
            let units = i128::from(random.next() % 4001) - 2000;
            let scale = random.next() % 4;
            let power = 10_u32.pow(scale as u32);
            let text = format!(
                "{}{}.{:0width$}e{}",
                if units < 0 { "-" } else { "" },
                units.unsigned_abs() / u128::from(power),
                units.unsigned_abs() % u128::from(power),
                random.next() % 3,
                width = scale.max(1) as usize
            );
            text
        };
        let value = |text: &str| {
            let (mantissa, power) = text.split_once('e').unwrap();
            let (whole, fraction) = mantissa.split_once('.').unwrap();
            let units: i128 = format!("{whole}{fraction}").parse().unwrap();
            units * 10_i128.pow(6 - fraction.len() as u32) * 10_i128.pow(power.parse().unwrap())
        };
        for _ in 0..100_000 {
            let (one, other) = (next(), next());
            let expected = value(&one).cmp(&value(&other));
            assert_eq!(Decimal::parse(&one).cmp(&Decimal::parse(&other)), expected, "{one} {other}");
            assert_eq!(encoded(&one).cmp(&encoded(&other)), expected, "{one} {other}");
        }
    }
}
