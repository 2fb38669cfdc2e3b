//! Dates and times by a pattern, as Python's `strptime` reads and `strftime` writes them.
//!
//! ```text
//! %Y %m %d     year (4 digits), month, day            %b %B     name of the month, short and long
//! %H %M %S     hour, minute, second                   %a %A     name of the day, short and long; read, and not believed
//! %I %p        hour from 1 to 12, AM or PM            %j        day of the year, which counts for more than month and day
//! %y           year: 69 to 99 of 1900, else of 2000   %f        fraction, 1 to 6 digits
//! %z           offset: Z, +HHMM, +HH:MM               %%        a `%`
//! ```
//!
//! Names are English and may be in any case. Numbers may lack leading zeros; written, they have them. White space stands for any
//! white space. What the pattern does not say is that of 1900-01-01T00:00:00.
//!
//! (P1) What was written is read as what it was written from, as far as the pattern tells. So what leads nowhere back is refused: names
//!      of time zones, weeks, what the locale decides, and `%z` before a digit or a colon. All other fields are written with as many
//!      digits as are read at most, or are names none of which begins another, so one try tells for all.

use super::cursor::Cursor;
use super::moment::{self, Moment};
use jiff::civil::DateTime;
use std::fmt::Write;

pub const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
pub const DAYS: [&str; 7] = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];
const HALVES: [&str; 2] = ["AM", "PM"];
const DIRECTIVES: &str = "YmdHMSIpyjfzbBaA";

/// A pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern {
    text: String,
    parts: Vec<Part>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    /// What stands after `%`.
    Field(char),
    Literal(char),
    Space(char),
}

/// What was read.
#[derive(Default)]
struct Fields {
    year: Option<u32>,
    month: Option<u32>,
    day: Option<u32>,
    day_of_year: Option<u32>,
    hour: u32,
    /// From 1 to 12.
    half_hour: Option<u32>,
    is_afternoon: bool,
    minute: u32,
    second: u32,
    millionths: u32,
    offset: Option<i32>,
}

impl Pattern {
    /// Reads a pattern; an error says what is wrong with it, and what would be right.
    pub fn parse(text: &str) -> Result<Pattern, String> {
        let mut parts = Vec::new();
        let mut signs = text.chars();
        while let Some(sign) = signs.next() {
            parts.push(match (sign, signs.clone().next()) {
                ('%', Some('%')) => {
                    signs.next();
                    Part::Literal('%')
                }
                ('%', Some(name)) if DIRECTIVES.contains(name) => {
                    signs.next();
                    Part::Field(name)
                }
                ('%', Some(name)) => {
                    return Err(format!(
                        "`%{name}` is not known here; known are %{} and %%",
                        spread(DIRECTIVES)
                    ));
                }
                ('%', None) => {
                    return Err("nothing follows the last `%`; write `%%` for the sign itself".into());
                }
                _ if sign.is_whitespace() => Part::Space(sign),
                _ => Part::Literal(sign),
            });
        }
        let pattern = Pattern { text: text.into(), parts };
        let written = pattern
            .write(&Moment { local: DateTime::constant(2024, 12, 30, 18, 21, 35, 0), offset: Some(19_800) });
        let again = |text: &str| pattern.read(text).map(|moment| pattern.write(&moment));
        let first = again(&written);
        match first.is_some() && first.as_deref().and_then(again) == first {
            true => Ok(pattern),
            false => {
                Err("what it writes cannot be read back; write something between %z and what follows".into())
            }
        }
    }

    /// As it was given.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether it tells anything of a date or a time.
    pub fn has_fields(&self) -> bool {
        self.parts.iter().any(|part| matches!(part, Part::Field(_)))
    }

    /// Reads a date and a time.
    pub fn read(&self, text: &str) -> Option<Moment> {
        let mut cursor = Cursor::new(text);
        let mut fields = Fields::default();
        let mut after_space = false;
        for part in &self.parts {
            let sound = match part {
                Part::Field(name) => fields.read(*name, &mut cursor).is_some(),
                Part::Literal(sign) => cursor.take_word(sign.encode_utf8(&mut [0; 4])),
                // One white space of the pattern stands for any number of the text, so those after it find none left.
                Part::Space(_) => cursor.take_space() || after_space,
            };
            if !sound {
                return None;
            }
            after_space = matches!(part, Part::Space(_));
        }
        cursor.is_at_end().then(|| fields.moment()).flatten()
    }

    /// Writes a date and a time.
    pub fn write(&self, moment: &Moment) -> String {
        let mut text = String::new();
        for part in &self.parts {
            match part {
                Part::Literal(sign) | Part::Space(sign) => text.push(*sign),
                Part::Field(name) => write_field(*name, moment, &mut text),
            }
        }
        text
    }
}

impl Fields {
    fn read(&mut self, name: char, cursor: &mut Cursor<'_>) -> Option<()> {
        match name {
            'Y' => self.year = Some(cursor.number(4, 4)?),
            'y' => self.year = Some(full_year(cursor.number(1, 2)?)),
            'm' => self.month = Some(cursor.number(1, 2)?),
            'd' => self.day = Some(cursor.number(1, 2)?),
            'j' => self.day_of_year = Some(cursor.number(1, 3)?),
            'H' => self.hour = cursor.number(1, 2)?,
            'I' => self.half_hour = Some(cursor.number(1, 2).filter(|hour| (1..=12).contains(hour))?),
            'p' => self.is_afternoon = named(&HALVES, 2, cursor)? == 1,
            'M' => self.minute = cursor.number(1, 2)?,
            'S' => self.second = cursor.number(1, 2)?,
            'f' => self.millionths = cursor.millionths(6)?,
            'z' => self.offset = Some(moment::parse_offset(cursor)?),
            'b' => self.month = Some(named(&MONTHS, 3, cursor)? + 1),
            'B' => self.month = Some(named(&MONTHS, usize::MAX, cursor)? + 1),
            'a' => _ = named(&DAYS, 3, cursor)?,
            _ => _ = named(&DAYS, usize::MAX, cursor)?,
        }
        Some(())
    }

    fn moment(&self) -> Option<Moment> {
        let year = self.year.unwrap_or(1900);
        let date = match self.day_of_year {
            None => moment::day(year, self.month.unwrap_or(1), self.day.unwrap_or(1))?,
            Some(day) => {
                let first = moment::day(year, 1, 1)?;
                first.with().day_of_year(i16::try_from(day).ok()?).build().ok()?
            }
        };
        let hour = match self.half_hour {
            None => self.hour,
            Some(hour) => hour % 12 + if self.is_afternoon { 12 } else { 0 },
        };
        let time = moment::time(hour, self.minute, self.second, self.millionths)?;
        Some(Moment { local: date.to_datetime(time), offset: self.offset })
    }
}

/// The place of a name, of which only so many characters are given.
fn named(names: &[&str], len: usize, cursor: &mut Cursor<'_>) -> Option<u32> {
    let place = names.iter().position(|name| cursor.take_word(name.get(..len).unwrap_or(name)))?;
    u32::try_from(place).ok()
}

/// A year of which the century was left out.
pub fn full_year(year: u32) -> u32 {
    if year < 69 { 2000 + year } else { 1900 + year }
}

fn write_field(name: char, moment: &Moment, text: &mut String) {
    let (date, time) = (moment.local.date(), moment.local.time());
    let pick = |names: &[&'static str], place: i8| {
        usize::try_from(place).ok().and_then(|place| names.get(place).copied()).unwrap_or_default()
    };
    let short = |name: &'static str| name.get(..3).unwrap_or(name);
    let month = pick(&MONTHS, date.month() - 1);
    let weekday = pick(&DAYS, date.weekday().to_monday_zero_offset());
    // Writing to a string does not fail.
    _ = match name {
        'Y' => write!(text, "{:04}", date.year()),
        'y' => write!(text, "{:02}", date.year() % 100),
        'm' => write!(text, "{:02}", date.month()),
        'd' => write!(text, "{:02}", date.day()),
        'j' => write!(text, "{:03}", date.day_of_year()),
        'H' => write!(text, "{:02}", time.hour()),
        'I' => write!(text, "{:02}", (time.hour() + 11) % 12 + 1),
        'p' => text.write_str(pick(&HALVES, time.hour() / 12)),
        'M' => write!(text, "{:02}", time.minute()),
        'S' => write!(text, "{:02}", time.second()),
        'f' => write!(text, "{:06}", time.subsec_nanosecond() / 1000),
        'z' => text.write_str(&moment::offset_text(moment.offset.unwrap_or(0), "")),
        'b' => text.write_str(short(month)),
        'B' => text.write_str(month),
        'a' => text.write_str(short(weekday)),
        _ => text.write_str(weekday),
    };
}

fn spread(signs: &str) -> String {
    signs.chars().map(String::from).collect::<Vec<_>>().join(" %")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn read_and_written() {
        for (pattern, given, iso, written) in [
            ("%d/%m/%Y %H:%M", "07/07/2025 18:21", "2025-07-07T18:21:00", ""),
            ("%d/%m/%Y %H:%M", "7/7/2025  1:1", "2025-07-07T01:01:00", "07/07/2025 01:01"),
            ("%Y%m%d%H%M%S", "20250707182100", "2025-07-07T18:21:00", ""),
            (
                "%Y-%m-%dT%H:%M:%S.%f%z",
                "2025-07-07t18:21:00.5+05:30",
                "2025-07-07T18:21:00.500000+05:30",
                "2025-07-07T18:21:00.500000+0530",
            ),
            ("%Y-%m-%d %H:%M%z", "2025-07-07 18:21Z", "2025-07-07T18:21:00+00:00", "2025-07-07 18:21+0000"),
            (
                "%a %d %b %y, %I:%M %p",
                "tue 07 jul 25, 6:21 pm",
                "2025-07-07T18:21:00",
                "Mon 07 Jul 25, 06:21 PM",
            ),
            ("%A, %B %d %Y", "Monday, May 05 2025", "2025-05-05T00:00:00", ""),
            ("%I%p", "12AM", "1900-01-01T00:00:00", ""),
            ("%I%p", "12PM", "1900-01-01T12:00:00", ""),
            ("%I", "12", "1900-01-01T00:00:00", ""),
            ("%y", "68", "2068-01-01T00:00:00", ""),
            ("%y", "69", "1969-01-01T00:00:00", ""),
            ("%Y %j", "2024 366", "2024-12-31T00:00:00", ""),
            ("%j %m", "32 01", "1900-02-01T00:00:00", "032 02"),
            ("100%% %Y", "100% 2025", "2025-01-01T00:00:00", ""),
            ("%H  é %M", "18 é 21", "1900-01-01T18:21:00", "18  é 21"),
            ("%Y", "0001", "0001-01-01T00:00:00", ""),
        ] {
            let pattern = Pattern::parse(pattern).unwrap();
            let moment = pattern.read(given).unwrap_or_else(|| panic!("{given}"));
            assert_eq!(moment.text(), iso, "{given}");
            let written = if written.is_empty() { given } else { written };
            assert_eq!(pattern.write(&moment), written, "{given}");
            assert_eq!(pattern.read(written).unwrap().text(), iso, "{written} (P1)");
        }
    }

    #[test]
    fn what_does_not_fit() {
        for (pattern, given) in [
            ("%d/%m/%Y", "07/07/25"),
            ("%d/%m/%Y", "07/07/2025 "),
            ("%d/%m/%Y", "31/02/2025"),
            ("%d/%m", "29/02"),
            ("%Y", "0000"),
            ("%H:%M", "24:00"),
            ("%H %M", "1821"),
            ("%I", "13"),
            ("%I", "0"),
            ("%p", "XM"),
            ("%j", "366"),
            ("%j", "0"),
            ("%b", "July"),
            ("%f", "1234567"),
            ("%z", "0530"),
            ("%%", "x"),
        ] {
            assert_eq!(Pattern::parse(pattern).unwrap().read(given), None, "{pattern} {given}");
        }
    }

    #[test]
    fn what_is_no_pattern() {
        for (pattern, why) in [
            ("%Y %Z", "`%Z` is not known"),
            ("%c", "%Y %m"),
            ("%Y%", "nothing follows"),
            ("%é", "`%é`"),
            ("%z%H", "read back"),
            ("%z:%H", "read back"),
        ] {
            assert!(Pattern::parse(pattern).unwrap_err().contains(why), "{pattern}");
        }
    }
}
