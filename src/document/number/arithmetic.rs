//! Sums and products of exact numbers.
//!
//! (A1) They are exact, or `None`: when the result would have more than [`MAX_DIGITS`] digits, or an exponent that no number may have.
//!      So nobody makes us write a million zeros by adding 1 to 1e1000000. A sum with zero is the other number, whatever that is.

use super::Decimal;

/// The most digits that sums and products are made of.
pub const MAX_DIGITS: usize = 10_000;

/// So many digits are multiplied at a time.
const GROUP: usize = 8;
/// One more than the largest number of so many digits.
const BASE: u64 = 100_000_000;
// At most MAX_DIGITS / 2 / GROUP products are summed up in one place, with what is carried there: this has room for twice as many.
const _: () = assert!((MAX_DIGITS / GROUP) as u64 <= u64::MAX / BASE / BASE);

impl Decimal {
    /// The sum; `None` when the digits of both lie over more than [`MAX_DIGITS`] places. Costs as many steps as that.
    ///
    /// ```
    /// use siltstone::document::number::Decimal;
    ///
    /// let sum = Decimal::parse("0.1").zip(Decimal::parse("0.2")).and_then(|(a, b)| a.add(&b));
    /// assert_eq!(sum, Decimal::parse("0.3"));
    /// ```
    #[must_use]
    pub fn add(&self, other: &Decimal) -> Option<Decimal> {
        let (one, other) = match (self.digits.is_empty(), other.digits.is_empty()) {
            (true, _) => return Some(other.clone()),
            (_, true) => return Some(self.clone()),
            _ => (self, other),
        };
        let last = |number: &Decimal| Some(number.exponent - i64::try_from(number.digits.len()).ok()?);
        let top = one.exponent.max(other.exponent);
        let places = usize::try_from(top - last(one)?.min(last(other)?)).ok()?;
        if places > MAX_DIGITS {
            return None;
        }
        let negative = if one.magnitude(other).is_ge() { one.negative } else { other.negative };
        // The first place is for what is carried.
        let mut sums = vec![0_i8; places + 1];
        for number in [one, other] {
            let sign = if number.negative == negative { 1 } else { -1 };
            let begin = usize::try_from(top - number.exponent).ok()? + 1;
            for (sum, digit) in sums.iter_mut().skip(begin).zip(&number.digits) {
                *sum += sign * (digit - b'0') as i8;
            }
        }
        let mut carry = 0;
        let mut digits = vec![b'0'; sums.len()];
        for (digit, sum) in digits.iter_mut().zip(&sums).rev() {
            let sum = sum + carry;
            *digit += sum.rem_euclid(10) as u8;
            carry = sum.div_euclid(10);
        }
        Decimal::normal(negative, top + 1, &digits)
    }

    /// The product; `None` when both have more than [`MAX_DIGITS`] digits together. Costs as many steps as there are pairs of digits,
    /// of which it does 64 at a time.
    #[must_use]
    pub fn multiply(&self, other: &Decimal) -> Option<Decimal> {
        let len = self.digits.len() + other.digits.len();
        if self.digits.is_empty() || other.digits.is_empty() {
            return Some(Decimal::ZERO);
        }
        if len > MAX_DIGITS {
            return None;
        }
        let (ours, theirs) = (groups(&self.digits), groups(&other.digits));
        let mut sums = vec![0_u64; ours.len() + theirs.len()];
        for (at, a) in ours.iter().enumerate() {
            sums.iter_mut().skip(at).zip(&theirs).for_each(|(sum, b)| *sum += a * b);
        }
        let mut carry = 0;
        for sum in &mut sums {
            let whole = *sum + carry;
            *sum = whole % BASE;
            carry = whole / BASE;
        }
        let digits: String = sums.iter().rev().map(|group| format!("{group:0GROUP$}")).collect();
        let ahead = i64::try_from(digits.len() - len).ok()?;
        let exponent = self.exponent + other.exponent + ahead;
        Decimal::normal(self.negative != other.negative, exponent, digits.as_bytes())
    }
}

/// Numbers of eight digits each, the last first.
fn groups(digits: &[u8]) -> Vec<u64> {
    let number = |group: &[u8]| group.iter().fold(0, |sum, digit| sum * 10 + u64::from(digit - b'0'));
    digits.rchunks(GROUP).map(number).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;

    fn parse(text: &str) -> Decimal {
        Decimal::parse(text).unwrap()
    }

    #[test]
    fn sums_and_products() {
        for (one, other, sum, product) in [
            ("0", "0", "0", "0"),
            ("0", "-7.50", "-7.5", "0"),
            ("25", "25.0", "50", "625"),
            ("9007199254740992", "1", "9007199254740993", "9007199254740992"),
            ("0.1", "0.2", "0.3", "0.02"),
            ("1", "-1", "0", "-1"),
            ("-1.5", "-2.5", "-4", "3.75"),
            ("999", "1", "1000", "999"),
            ("1000", "-1", "999", "-1000"),
            ("-1000.001", "1", "-999.001", "-1000.001"),
            ("99999999", "99999999", "199999998", "9999999800000001"),
            ("1e400", "-1e400", "0", "-1e800"),
            ("125e30", "8e-33", "125000000000000000000000000000000.000000000000000000000000000000008", "1"),
        ] {
            for (one, other) in [(one, other), (other, one)] {
                assert_eq!(parse(one).add(&parse(other)), Some(parse(sum)), "{one} + {other}");
                assert_eq!(parse(one).multiply(&parse(other)), Some(parse(product)), "{one} × {other}");
            }
        }
    }

    #[test]
    fn what_would_be_too_long_is_refused() {
        let nines = |count| parse(&"9".repeat(count));
        assert_eq!(parse("1e1000000").add(&parse("1")), None);
        assert_eq!(parse("1").add(&parse("1e-1000000")), None);
        assert_eq!(parse("1e1000000").add(&parse("2e1000000")), Some(parse("3e1000000")));
        assert_eq!(nines(MAX_DIGITS).add(&parse("1")), Some(parse("1e10000")));
        assert_eq!(nines(MAX_DIGITS + 1).add(&parse("1")), None);
        // (10^5000 - 1)^2, the largest there is of so many digits.
        let square = parse(&format!("{}8{}1", "9".repeat(4999), "0".repeat(4999)));
        assert_eq!(nines(5000).multiply(&nines(5000)), Some(square));
        assert_eq!(nines(5000).multiply(&nines(5001)), None);
        let far = parse("1e1099511627775");
        assert_eq!(far.multiply(&parse("10")), None);
        assert_eq!(far.add(&far.multiply(&parse("9")).unwrap()), None);
        assert_eq!(parse("1e-1099511627776").multiply(&parse("0.01")), None);
    }

    /// Of units with up to 18 digits and up to 9 places behind the point, against integers.
    #[test]
    fn they_are_those_of_integers() {
        let mut random = Random::new(1);
        let mut next = || {
            let units =
                (random.next() >> (4 + random.below(60))) as i128 * if random.flip() { 1 } else { -1 };
            let places = random.below(10) as u32;
            (units, places, parse(&format!("{units}e-{places}")))
        };
        for _ in 0..100_000 {
            let ((a, a_places, one), (b, b_places, other)) = (next(), next());
            let product = parse(&format!("{}e-{}", a * b, a_places + b_places));
            assert_eq!(one.multiply(&other), Some(product), "{one} × {other}");
            let sum = a * 10_i128.pow(9 - a_places) + b * 10_i128.pow(9 - b_places);
            let sum = parse(&format!("{sum}e-9"));
            assert_eq!(Decimal::parse(&sum.to_string()).as_ref(), Some(&sum), "N2");
            assert_eq!(one.add(&other), Some(sum), "{one} + {other}");
        }
    }

    /// Long ones, by what must hold between sums and products: (a + b) × c = a × c + b × c.
    #[test]
    fn products_of_sums_are_sums_of_products() {
        let mut random = Random::new(2);
        let mut next = || {
            let digits: String =
                (0..1 + random.below(200)).map(|_| ["0", "9", "5", "1"][random.below(4)]).collect();
            let sign = if random.flip() { "-" } else { "" };
            parse(&format!("{sign}1{digits}e{}", random.below(400) as i64 - 200))
        };
        for _ in 0..2000 {
            let (a, b, c) = (next(), next(), next());
            let one = a.add(&b).and_then(|sum| sum.multiply(&c));
            let other = a.multiply(&c).zip(b.multiply(&c)).and_then(|(ac, bc)| ac.add(&bc));
            assert!(one.is_some() && one == other, "{a} {b} {c}");
        }
    }
}
