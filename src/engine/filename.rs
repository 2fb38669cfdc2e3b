//! The names of the files in a database's folder.
//!
//! | name | what |
//! |---|---|
//! | `LOCK` | empty; holding its lock is having the database open |
//! | `CURRENT` | which manifest is in force, and whether the last close was clean |
//! | `CURRENT.tmp` | the next `CURRENT`, before its rename |
//! | `000007.manifest` | the list of tables and logs |
//! | `000012.log` | a write-ahead log segment |
//! | `000009.spare` | a segment being prepared, or a used one to be written again |
//! | `000031.table` | a sorted table |
//!
//! Numbers have at least six digits and are never used twice for one kind. A name of no such form was not made by us, and
//! is never removed.

use std::fmt;

/// The highest number a file can have. Nobody counts that far; but names and files come from outside, and one more must fit.
pub const MAX_NUMBER: u64 = 1 << 62;

/// A file of a database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FileName {
    /// `LOCK`
    Lock,
    /// `CURRENT`
    Current,
    /// `CURRENT.tmp`
    CurrentTmp,
    /// `N.manifest`
    Manifest(u64),
    /// `N.log`
    Log(u64),
    /// `N.spare`
    Spare(u64),
    /// `N.table`
    Table(u64),
}

impl fmt::Display for FileName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FileName::Lock => f.write_str("LOCK"),
            FileName::Current => f.write_str("CURRENT"),
            FileName::CurrentTmp => f.write_str("CURRENT.tmp"),
            FileName::Manifest(n) => write!(f, "{n:06}.manifest"),
            FileName::Log(n) => write!(f, "{n:06}.log"),
            FileName::Spare(n) => write!(f, "{n:06}.spare"),
            FileName::Table(n) => write!(f, "{n:06}.table"),
        }
    }
}

impl FileName {
    /// What a name stands for; `None` when it is not one of ours.
    #[must_use]
    pub fn parse(name: &str) -> Option<FileName> {
        match name {
            "LOCK" => return Some(FileName::Lock),
            "CURRENT" => return Some(FileName::Current),
            "CURRENT.tmp" => return Some(FileName::CurrentTmp),
            _ => {}
        }
        let (digits, ending) = name.split_once('.')?;
        let number = digits.parse().ok().filter(|number| *number <= MAX_NUMBER)?;
        let parsed = match ending {
            "manifest" => FileName::Manifest(number),
            "log" => FileName::Log(number),
            "spare" => FileName::Spare(number),
            "table" => FileName::Table(number),
            _ => return None,
        };
        // Only the one spelling that we write: not "7.log", not "+000007.log".
        (parsed.to_string() == name).then_some(parsed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_round_trip_and_strangers_are_left_alone() {
        use FileName::{Current, CurrentTmp, Lock, Log, Manifest, Spare, Table};
        for name in [Lock, Current, CurrentTmp, Manifest(7), Log(1), Spare(999_999), Table(1_000_000)] {
            assert_eq!(FileName::parse(&name.to_string()), Some(name));
        }
        for stranger in
            ["", "log", "7.log", "+00007.log", "000007.LOG", "000007.log.bak", "notes.txt", "CURRENT2"]
        {
            assert_eq!(FileName::parse(stranger), None, "{stranger}");
        }
        // The next number would not fit.
        assert_eq!(FileName::parse(&Table(u64::MAX).to_string()), None);
        assert_eq!(FileName::parse(&Table(MAX_NUMBER).to_string()), Some(Table(MAX_NUMBER)));
    }
}
