//! A table with a secret, for tests of what the table of the program has none of.

use super::environment::Variables;
use super::kind::Kind;
use super::settings::{Preset, Setting, When};

/// A door with a name and a password.
pub static WITH_SECRET: &[Setting] = &[
    Setting {
        name: "door.name",
        kind: Kind::Text(|_| Ok(())),
        preset: Preset::Is("front"),
        when: When::Start,
        doc: "The name of the door.",
    },
    Setting {
        name: "door.password",
        kind: Kind::Secret,
        preset: Preset::Unset { instead: "nobody comes in", example: "open sesame" },
        when: When::Start,
        doc: "What opens the door.",
    },
];

/// An environment.
pub fn vars(pairs: &[(&str, &str)]) -> Variables {
    pairs.iter().map(|(name, value)| (name.into(), value.into())).collect()
}
