//! The formats of columns with dates and times: what is read, what is stored, and when that is.
//!
//! ```text
//! iso            as `moment` draws it; stored as 2025-07-07T18:21:00, with a fraction of six digits if there is one, and with the
//!                offset if one was given
//! rfc            [Mon,] 7 Jul 2025 18:21[:00] [zone]      stored as Mon, 07 Jul 2025 18:21:00 +0000
//!                zone: a sign and HHMM, UT, UTC, GMT, Z, EST, EDT, CST, CDT, MST, MDT, PST, PDT; -0000 or none: not known
//! timestamp      seconds since the Unix epoch, a number or a string with one; stored as 1751912460.0, to the microsecond
//! timestamp_ms   the same in milliseconds
//! %d.%m.%Y       a pattern, as `strftime` has them
//! ```
//!
//! (D1) What is stored is read as itself: storing it once more changes nothing.

use super::cursor::Cursor;
use super::moment::{self, Moment};
use super::python;
use super::strftime::{self, Pattern};
use crate::document::value::{Number, Value};

/// How a column has its dates and times.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Format(Kind);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Kind {
    Iso,
    Rfc,
    Timestamp(Unit),
    Pattern(Pattern),
}

/// What a timestamp counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unit {
    Seconds,
    Millis,
}

impl Unit {
    /// So many digits after the point are microseconds.
    fn digits(self) -> u32 {
        match self {
            Unit::Seconds => 6,
            Unit::Millis => 3,
        }
    }
}

impl Default for Format {
    fn default() -> Format {
        Format(Kind::Iso)
    }
}

impl Format {
    /// Reads `iso`, `rfc`, `timestamp`, `timestamp_ms`, or a pattern.
    ///
    /// # Errors
    /// What is wrong with it, and what would be right.
    pub fn parse(text: &str) -> Result<Format, String> {
        Ok(Format(match text {
            "iso" => Kind::Iso,
            "rfc" => Kind::Rfc,
            "timestamp" => Kind::Timestamp(Unit::Seconds),
            "timestamp_ms" => Kind::Timestamp(Unit::Millis),
            _ => {
                match Pattern::parse(text)? {
                    pattern if pattern.has_fields() => Kind::Pattern(pattern),
                    _ => return Err(
                        "a format is iso, rfc, timestamp, timestamp_ms, or a pattern like `%Y-%m-%d %H:%M`"
                            .into(),
                    ),
                }
            }
        }))
    }

    /// What [`parse`](Self::parse) reads as this.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match &self.0 {
            Kind::Iso => "iso",
            Kind::Rfc => "rfc",
            Kind::Timestamp(Unit::Seconds) => "timestamp",
            Kind::Timestamp(Unit::Millis) => "timestamp_ms",
            Kind::Pattern(pattern) => pattern.as_str(),
        }
    }

    /// What is stored for a value; `None` when it is not of this format.
    ///
    /// ```
    /// use siltstone::document::{schema::datetime::Format, value::Value};
    ///
    /// let stored = Format::default().stored(&Value::String("20250707 18:21Z".into()));
    /// assert_eq!(stored, Some(Value::String("2025-07-07T18:21:00+00:00".into())));
    /// ```
    #[must_use]
    pub fn stored(&self, value: &Value) -> Option<Value> {
        let moment = self.read(value)?;
        Some(match &self.0 {
            Kind::Iso => Value::String(moment.text()),
            Kind::Rfc => Value::String(rfc_text(&moment)),
            Kind::Timestamp(unit) => Value::Number(count(&moment, *unit)?),
            Kind::Pattern(pattern) => Value::String(pattern.write(&moment)),
        })
    }

    /// When that is, in microseconds since the Unix epoch, of a value that was stored; what has no offset counts as UTC. Columns
    /// are compared by this. `None` for what is not of this format.
    #[must_use]
    pub fn instant(&self, value: &Value) -> Option<i128> {
        self.read(value).map(|moment| moment.instant())
    }

    fn read(&self, value: &Value) -> Option<Moment> {
        match (&self.0, value) {
            (Kind::Iso, Value::String(text)) => Moment::parse(text),
            (Kind::Rfc, Value::String(text)) => rfc(text),
            (Kind::Timestamp(unit), Value::Number(number)) => timestamp(number.text(), *unit),
            (Kind::Timestamp(unit), Value::String(text)) => timestamp(&python::bare(text)?, *unit),
            (Kind::Pattern(pattern), Value::String(text)) => pattern.read(text),
            _ => None,
        }
    }
}

/// The nearest microsecond to a number that is not negative.
fn timestamp(number: &str, unit: Unit) -> Option<Moment> {
    let (negative, tenths) = python::shifted(number, i64::from(unit.digits()) + 1)?;
    let tenths: u64 = tenths.parse().ok()?;
    if negative && tenths > 0 {
        return None;
    }
    Moment::after_epoch(tenths.checked_add(5)? / 10)
}

fn count(moment: &Moment, unit: Unit) -> Option<Number> {
    let micros = u64::try_from(moment.instant()).ok()?;
    let per_unit = 10_u64.pow(unit.digits());
    let fraction = format!("{:0width$}", micros % per_unit, width = unit.digits() as usize);
    let fraction = match fraction.trim_end_matches('0') {
        "" => "0",
        digits => digits,
    };
    Number::parse(&format!("{}.{fraction}", micros / per_unit))
}

/// What a mail calls a date. The name of the day is not believed, and what stands in brackets at the end is a remark.
fn rfc(text: &str) -> Option<Moment> {
    let text = text.split_once('(').map_or(text, |(before, _)| before);
    let mut words = text.split([' ', '\t', '\r', '\n', ',']).filter(|word| !word.is_empty()).peekable();
    words.next_if(|word| place(&strftime::DAYS, word).is_some());
    let day = number(words.next()?, 1, 2)?;
    let month = place(&strftime::MONTHS, words.next()?)? + 1;
    let year = match number(words.next()?, 2, 4)? {
        year @ ..100 => strftime::full_year(year),
        year => year,
    };
    let mut cursor = Cursor::new(words.next()?);
    let hour = cursor.number(1, 2)?;
    let minute = cursor.take(':').then(|| cursor.number(1, 2))??;
    let second = if cursor.take(':') { cursor.number(1, 2)? } else { 0 };
    if !cursor.is_at_end() {
        return None;
    }
    let offset = match words.next() {
        None | Some("-0000") => None,
        Some(zone) => Some(rfc_offset(zone)?),
    };
    let local = moment::day(year, month, day)?.to_datetime(moment::time(hour, minute, second, 0)?);
    words.next().is_none().then_some(Moment { local, offset })
}

fn number(word: &str, least: usize, most: usize) -> Option<u32> {
    let mut cursor = Cursor::new(word);
    cursor.number(least, most).filter(|_| cursor.is_at_end())
}

/// The place of a name, all of it or its first three letters.
fn place(names: &[&str], word: &str) -> Option<u32> {
    let is = |name: &&str| {
        word.eq_ignore_ascii_case(name) || name.get(..3).is_some_and(|short| word.eq_ignore_ascii_case(short))
    };
    names.iter().position(is).and_then(|place| u32::try_from(place).ok())
}

fn rfc_offset(zone: &str) -> Option<i32> {
    let hours = match &*zone.to_ascii_uppercase() {
        "UT" | "UTC" | "GMT" | "Z" => 0,
        "EDT" => -4,
        "EST" | "CDT" => -5,
        "CST" | "MDT" => -6,
        "MST" | "PDT" => -7,
        "PST" => -8,
        _ => {
            // A sign and four digits, no other form of an offset.
            let mut cursor = Cursor::new(zone);
            return moment::parse_offset(&mut cursor).filter(|_| cursor.is_at_end() && zone.len() == 5);
        }
    };
    Some(hours * 3600)
}

fn rfc_text(moment: &Moment) -> String {
    let name = |names: &[&'static str], place: i8| {
        let name = usize::try_from(place).ok().and_then(|place| names.get(place));
        name.and_then(|name| name.get(..3)).unwrap_or_default()
    };
    let (date, time) = (moment.local.date(), moment.local.time());
    format!(
        "{}, {:02} {} {:04} {:02}:{:02}:{:02} {}",
        name(&strftime::DAYS, date.weekday().to_monday_zero_offset()),
        date.day(),
        name(&strftime::MONTHS, date.month() - 1),
        date.year(),
        time.hour(),
        time.minute(),
        time.second(),
        moment.offset.map_or("-0000".into(), |offset| moment::offset_text(offset, "")),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(json: &str) -> Value {
        Value::parse(json).unwrap()
    }

    #[test]
    fn what_is_stored_and_when_it_is() {
        for (format, given, stored, micros) in [
            ("iso", r#""2025-07-07 18:21Z""#, r#""2025-07-07T18:21:00+00:00""#, 1_751_912_460_000_000),
            ("iso", r#""2025-07-07 18:21""#, r#""2025-07-07T18:21:00""#, 1_751_912_460_000_000),
            ("rfc", r#""Mon, 07 Jul 2025 18:21:00 +0000""#, "", 1_751_912_460_000_000),
            (
                "rfc",
                r#""Mon, 07 Jul 2025 18:21:00 GMT""#,
                r#""Mon, 07 Jul 2025 18:21:00 +0000""#,
                1_751_912_460_000_000,
            ),
            (
                "rfc",
                r#""07 july 2025 18:21:00""#,
                r#""Mon, 07 Jul 2025 18:21:00 -0000""#,
                1_751_912_460_000_000,
            ),
            ("rfc", r#""7 Jul 25 18:21 EST""#, r#""Mon, 07 Jul 2025 18:21:00 -0500""#, 1_751_930_460_000_000),
            (
                "rfc",
                r#""Tue,7 Jul 1969 1:2 +0530 (IST)""#,
                r#""Mon, 07 Jul 1969 01:02:00 +0530""#,
                -15_395_280_000_000,
            ),
            ("timestamp", "5", "5.0", 5_000_000),
            ("timestamp", "5.5", "5.5", 5_500_000),
            ("timestamp", r#"" 1_0.5 ""#, "10.5", 10_500_000),
            ("timestamp", "1.751912460e9", "1751912460.0", 1_751_912_460_000_000),
            ("timestamp", "0.1234567", "0.123457", 123_457),
            ("timestamp", "-0.0", "0.0", 0),
            ("timestamp", "253402300799.999999", "253402300799.999999", 253_402_300_799_999_999),
            ("timestamp_ms", "1751912460123", "1751912460123.0", 1_751_912_460_123_000),
            ("timestamp_ms", "5.5", "5.5", 5_500),
            ("%d.%m.%Y", r#""7.7.2025""#, r#""07.07.2025""#, 1_751_846_400_000_000),
        ] {
            let format = Format::parse(format).unwrap();
            let stored = value(if stored.is_empty() { given } else { stored });
            assert_eq!(format.stored(&value(given)), Some(stored.clone()), "{given}");
            assert_eq!(format.stored(&stored), Some(stored.clone()), "{given} (D1)");
            assert_eq!(format.instant(&stored), Some(micros), "{given}");
            assert_eq!(Format::parse(format.as_str()).unwrap(), format);
        }
    }

    #[test]
    fn what_is_not_of_the_format() {
        for (format, given) in [
            ("iso", "5"),
            ("iso", "true"),
            ("iso", r#"["2025-07-07"]"#),
            ("rfc", r#""2025-07-07""#),
            ("rfc", r#""""#),
            ("rfc", r#""Mon, 07 Jul 2025""#),
            ("rfc", r#""Mon, 31 Feb 2025 18:21 GMT""#),
            ("rfc", r#""07 Jul 2025 18:21:00 XYZ""#),
            ("rfc", r#""07 Jul 2025 18:21:00 +05:30""#),
            ("rfc", r#""07 Jul 2025 18:21:00 GMT more""#),
            ("rfc", "5"),
            ("timestamp", "-1"),
            ("timestamp", "true"),
            ("timestamp", r#""x""#),
            ("timestamp", r#""""#),
            ("timestamp", r#""nan""#),
            ("timestamp", r#""inf""#),
            ("timestamp", "1e20"),
            ("timestamp", "1e1000000"),
            ("timestamp", r#""1e99999999999999999999""#),
            ("timestamp", "253402300800"),
            ("timestamp_ms", "253402300800000"),
            ("%d.%m.%Y", "5"),
        ] {
            assert_eq!(Format::parse(format).unwrap().stored(&value(given)), None, "{format} {given}");
        }
    }

    #[test]
    fn what_is_no_format() {
        for (text, why) in
            [("ISO", "timestamp_ms"), ("", "timestamp_ms"), ("100%%", "timestamp_ms"), ("%Q", "not known")]
        {
            assert!(Format::parse(text).unwrap_err().contains(why), "{text}");
        }
    }
}
