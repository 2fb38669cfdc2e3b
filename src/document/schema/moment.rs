//! A date and a time, and how ISO 8601 writes them.
//!
//! ```text
//! moment   date [("T" or " ") time [offset]]
//! date     YYYY-MM-DD, where month and day may have one digit; or YYYYMMDD
//! time     HH[:MM[:SS[.fraction]]], where each may have one digit; or HHMM[SS[.fraction]]
//! offset   "Z", or a sign and HH[[:]MM[[:]SS]]
//!
//! stored   2025-07-07T18:21:00   2025-07-07T18:21:00.500000   2025-07-07T18:21:00+05:30
//! ```
//!
//! (T1) Years go from 1 to 9999, an hour has sixty minutes and a minute sixty seconds.
//! (T2) What has no offset is no point in time by itself; to be compared it counts as UTC.

use super::cursor::Cursor;
use jiff::civil::{Date, DateTime, Time};
use std::fmt::Write;

/// A date and a time, perhaps at a known distance from UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    pub local: DateTime,
    /// Seconds to the east.
    pub offset: Option<i32>,
}

impl Moment {
    /// Reads ISO 8601.
    pub fn parse(text: &str) -> Option<Moment> {
        let mut cursor = Cursor::new(text);
        let date = parse_date(&mut cursor)?;
        if cursor.is_at_end() {
            return Some(Moment { local: date.to_datetime(Time::midnight()), offset: None });
        }
        if !cursor.take('T') && !cursor.take(' ') {
            return None;
        }
        let time = parse_time(&mut cursor)?;
        let offset = if cursor.is_at_end() { None } else { Some(parse_offset(&mut cursor)?) };
        cursor.is_at_end().then(|| Moment { local: date.to_datetime(time), offset })
    }

    /// Microseconds since the Unix epoch (T2).
    pub fn instant(&self) -> i128 {
        let east = i128::from(self.offset.unwrap_or(0)) * 1_000_000;
        self.local.duration_since(epoch()).as_micros() - east
    }

    /// So many microseconds after the Unix epoch, without an offset.
    pub fn after_epoch(micros: u64) -> Option<Moment> {
        let micros = jiff::SignedDuration::from_micros(i64::try_from(micros).ok()?);
        Some(Moment { local: epoch().checked_add(micros).ok()?, offset: None })
    }

    /// Writes ISO 8601.
    pub fn text(&self) -> String {
        let (date, time) = (self.local.date(), self.local.time());
        let mut text =
            format!("{}T{:02}:{:02}:{:02}", date_text(date), time.hour(), time.minute(), time.second());
        // Writing to a string does not fail.
        if time.subsec_nanosecond() != 0 {
            _ = write!(text, ".{:06}", time.subsec_nanosecond() / 1000);
        }
        if let Some(offset) = self.offset {
            text += &offset_text(offset, ":");
        }
        text
    }
}

/// A date alone.
pub fn date(text: &str) -> Option<Date> {
    let mut cursor = Cursor::new(text);
    parse_date(&mut cursor).filter(|_| cursor.is_at_end())
}

/// As it is stored.
pub fn date_text(date: Date) -> String {
    format!("{:04}-{:02}-{:02}", date.year(), date.month(), date.day())
}

/// A day that there is (T1).
pub fn day(year: u32, month: u32, day: u32) -> Option<Date> {
    let year = i16::try_from(year).ok().filter(|year| *year >= 1)?;
    Date::new(year, i8::try_from(month).ok()?, i8::try_from(day).ok()?).ok()
}

/// A time that there is (T1).
pub fn time(hour: u32, minute: u32, second: u32, millionths: u32) -> Option<Time> {
    let [hour, minute, second] = [hour, minute, second].map(|part| i8::try_from(part).ok());
    Time::new(hour?, minute?, second?, i32::try_from(millionths).ok()?.checked_mul(1000)?).ok()
}

/// `Z`, or a sign and hours, minutes, seconds.
pub fn parse_offset(cursor: &mut Cursor<'_>) -> Option<i32> {
    if cursor.take('Z') {
        return Some(0);
    }
    let west = cursor.take('-');
    if !west && !cursor.take('+') {
        return None;
    }
    let hours = cursor.number(2, 2).filter(|hours| *hours < 24)?;
    let mut seconds = hours * 3600;
    for unit in [60, 1] {
        if !cursor.take(':') && !cursor.is_at_digit() {
            break;
        }
        seconds += unit * cursor.number(2, 2).filter(|part| *part < 60)?;
    }
    let seconds = i32::try_from(seconds).ok()?;
    Some(if west { -seconds } else { seconds })
}

/// A sign, hours and minutes, and seconds if there are any.
pub fn offset_text(offset: i32, between: &str) -> String {
    let (sign, away) = (if offset < 0 { '-' } else { '+' }, offset.unsigned_abs());
    let mut text = format!("{sign}{:02}{between}{:02}", away / 3600, away / 60 % 60);
    if away % 60 != 0 {
        _ = write!(text, "{between}{:02}", away % 60);
    }
    text
}

fn epoch() -> DateTime {
    DateTime::constant(1970, 1, 1, 0, 0, 0, 0)
}

fn parse_date(cursor: &mut Cursor<'_>) -> Option<Date> {
    let year = cursor.number(4, 4)?;
    let (month, of_month) = if cursor.take('-') {
        let month = cursor.number(1, 2)?;
        (month, cursor.take('-').then(|| cursor.number(1, 2))??)
    } else {
        (cursor.number(2, 2)?, cursor.number(2, 2)?)
    };
    day(year, month, of_month)
}

fn parse_time(cursor: &mut Cursor<'_>) -> Option<Time> {
    let hour = cursor.number(1, 2)?;
    let with_signs = cursor.take(':');
    let part = |cursor: &mut Cursor<'_>| if with_signs { cursor.number(1, 2) } else { cursor.number(2, 2) };
    let minute = if with_signs || cursor.is_at_digit() { part(cursor)? } else { return time(hour, 0, 0, 0) };
    let has_seconds = if with_signs { cursor.take(':') } else { cursor.is_at_digit() };
    if !has_seconds {
        return time(hour, minute, 0, 0);
    }
    let second = part(cursor)?;
    let has_fraction = cursor.take('.') || cursor.take(',');
    let millionths = if has_fraction { cursor.millionths(usize::MAX)? } else { 0 };
    time(hour, minute, second, millionths)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What marshmallow 3 or 4 reads, of what is drawn above.
    #[test]
    fn spellings_of_iso() {
        for (given, expected) in [
            ("2025-07-07", "2025-07-07T00:00:00"),
            ("20250707", "2025-07-07T00:00:00"),
            ("2025-07-07T18:21:00", "2025-07-07T18:21:00"),
            ("2025-07-07 18:21", "2025-07-07T18:21:00"),
            ("2025-07-07T18", "2025-07-07T18:00:00"),
            ("2025-7-7T1:2:3", "2025-07-07T01:02:03"),
            ("20250707T182100", "2025-07-07T18:21:00"),
            ("20250707T1821", "2025-07-07T18:21:00"),
            ("20250707T182100.25Z", "2025-07-07T18:21:00.250000+00:00"),
            ("2025-07-07T18:21:00.5", "2025-07-07T18:21:00.500000"),
            ("2025-07-07T18:21:00,5", "2025-07-07T18:21:00.500000"),
            ("2025-07-07T18:21:00.1234567", "2025-07-07T18:21:00.123456"),
            ("2025-07-07T18:21:00.0000001", "2025-07-07T18:21:00"),
            ("2025-07-07T18:21:00.000000+00:00", "2025-07-07T18:21:00+00:00"),
            ("2025-07-07T18:21:00Z", "2025-07-07T18:21:00+00:00"),
            ("2025-07-07T18:21Z", "2025-07-07T18:21:00+00:00"),
            ("2025-07-07T18:21:00-00:00", "2025-07-07T18:21:00+00:00"),
            ("2025-07-07T18:21:00+05:30", "2025-07-07T18:21:00+05:30"),
            ("2025-07-07T18:21:00+0530", "2025-07-07T18:21:00+05:30"),
            ("2025-07-07T18:21:00+05", "2025-07-07T18:21:00+05:00"),
            ("2025-07-07T18:21:00-23:59", "2025-07-07T18:21:00-23:59"),
            ("2025-07-07T18:21:00+05:30:15", "2025-07-07T18:21:00+05:30:15"),
            ("2024-02-29", "2024-02-29T00:00:00"),
            ("0001-01-01T00:00:00+10:00", "0001-01-01T00:00:00+10:00"),
            ("9999-12-31T23:59:59.999999-10:00", "9999-12-31T23:59:59.999999-10:00"),
        ] {
            let moment = Moment::parse(given).unwrap_or_else(|| panic!("{given}"));
            assert_eq!(moment.text(), expected, "{given}");
            assert_eq!(Moment::parse(expected), Some(moment), "{given}");
        }
    }

    #[test]
    fn what_is_no_moment() {
        for text in [
            "",
            " 2025-07-07",
            "2025-07-07 ",
            "2025-07-07T",
            "2025-07-07x18:21",
            "2025-07",
            "25-07-07",
            "2025-07-0707",
            "202577",
            "2025-13-01",
            "2025-02-29",
            "2025-00-01",
            "2025-01-00",
            "0000-01-01",
            "2025-07-07T24:00:00",
            "2025-07-07T18:60",
            "2025-07-07T18:21:60",
            "2025-07-07T18:21:00.",
            "2025-07-07T18:21.5",
            "2025-07-07T18:21:",
            "2025-07-07T182",
            "2025-07-07T18:21:00z",
            "2025-07-07T18:21:00+24:00",
            "2025-07-07T18:21:00+05:60",
            "2025-07-07T18:21:00+5",
            "2025-07-07T18:21:00+05:30x",
            "2025\u{2212}07-07",
            "２０２５-07-07",
        ] {
            assert_eq!(Moment::parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn points_in_time() {
        for (text, micros) in [
            ("1970-01-01", 0),
            ("1970-01-01T00:00:00.000001", 1),
            ("1969-12-31T23:59:59.999999Z", -1),
            ("1970-01-01T05:30:00+05:30", 0),
            ("1969-12-31T20:00:00-04:00", 0),
            ("2025-07-07T18:21:00Z", 1_751_912_460_000_000),
            ("0001-01-01", -62_135_596_800_000_000),
            ("9999-12-31T23:59:59.999999", 253_402_300_799_999_999),
        ] {
            let moment = Moment::parse(text).unwrap();
            assert_eq!(moment.instant(), micros, "{text}");
            if let (Ok(micros), None) = (u64::try_from(micros), moment.offset) {
                assert_eq!(Moment::after_epoch(micros), Some(moment), "{text}");
            }
        }
        assert_eq!(Moment::after_epoch(253_402_300_800_000_000), None);
        assert_eq!(Moment::after_epoch(u64::MAX), None);
    }
}
