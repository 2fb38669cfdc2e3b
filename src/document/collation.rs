//! How the values of a column are compared: as they are, or as the moments that they stand for.

use super::raw::{Encoded, Raw};
use super::schema::datetime::Format;
use super::value::Kind;

/// How values are compared.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Collation {
    /// As they are.
    #[default]
    Plain,
    /// As moments, where they are written so, the elements of arrays each by itself; what is not stays as it is, and is of another
    /// kind.
    Instant(Format),
}

impl Collation {
    /// What a value is compared as, if that is not itself.
    #[must_use]
    pub fn of(&self, value: Raw<'_>) -> Option<Encoded> {
        match self {
            Collation::Plain => None,
            Collation::Instant(format) if value.kind() == Kind::Array => {
                let moments: Vec<_> = value.elements().map(|element| self.of(element)).collect();
                moments.iter().any(Option::is_some).then(|| {
                    let elements = value.elements().zip(&moments);
                    Encoded::array(
                        elements.map(|(value, moment)| moment.as_ref().map_or(value, Encoded::raw)),
                    )
                })
            }
            Collation::Instant(format) => instant(format, value),
        }
    }

    /// The same for a value that is compared with those of the column.
    #[must_use]
    pub fn constant(&self, value: Encoded) -> Encoded {
        self.of(value.raw()).unwrap_or(value)
    }
}

fn instant(format: &Format, value: Raw<'_>) -> Option<Encoded> {
    let micros = format.instant(&value.to_value()?)?;
    Some(Encoded::instant(i64::try_from(micros).ok()?))
}
