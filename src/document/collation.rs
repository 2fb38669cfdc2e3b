//! How the values of a column are compared: as they are, or as the moments that they stand for.

use super::raw::{Encoded, Raw};
use super::schema::datetime::Format;

/// How values are compared.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Collation {
    /// As they are.
    #[default]
    Plain,
    /// As moments, where they are written so; what is not stays as it is, and is of another kind.
    Instant(Format),
}

impl Collation {
    /// What a value is compared as, if that is not itself.
    #[must_use]
    pub fn of(&self, value: Raw<'_>) -> Option<Encoded> {
        match self {
            Collation::Plain => None,
            Collation::Instant(format) => {
                let micros = format.instant(&value.to_value()?)?;
                Some(Encoded::instant(i64::try_from(micros).ok()?))
            }
        }
    }

    /// The same for a value that is compared with those of the column.
    #[must_use]
    pub fn constant(&self, value: Encoded) -> Encoded {
        self.of(value.raw()).unwrap_or(value)
    }
}
