//! Where a request is carried out, and so what it may do.

use crate::dataset::Reach;

/// Where a pass runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// On a thread that serves many connections.
    Runtime,
    /// Where blocking is allowed.
    Blocking,
}

impl Place {
    /// How far reads may go there.
    pub(super) fn reach(self) -> Reach {
        match self {
            Place::Runtime => Reach::Memory,
            Place::Blocking => Reach::Anywhere,
        }
    }
}
