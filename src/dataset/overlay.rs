//! What a transaction has written and not committed, over what the engine has.

use super::spaces::Space;
use crate::store::Found;
use std::collections::BTreeMap;
use std::ops::{Bound, RangeBounds};

/// The bounds of what was deleted.
pub type Hole = (Bound<Vec<u8>>, Bound<Vec<u8>>);

/// The writes of one transaction. An absent key is one that the engine is asked for.
#[derive(Debug, Default)]
pub struct Overlay {
    layers: BTreeMap<Space, Layer>,
}

/// The writes to one space.
#[derive(Debug, Default)]
struct Layer {
    /// All that the engine has is deleted.
    cleared: bool,
    /// What the engine has between these bounds is deleted.
    holes: Vec<Hole>,
    /// By key; `None` is deleted.
    written: BTreeMap<Vec<u8>, Option<Found>>,
}

impl Layer {
    fn hides(&self, key: &[u8]) -> bool {
        self.cleared || lies_in(&self.holes, key)
    }
}

/// Whether a key lies between one of these pairs of bounds.
pub fn lies_in(holes: &[Hole], key: &[u8]) -> bool {
    let inside = |(lower, upper): &Hole| {
        let bounds = (lower.as_ref().map(|key| &key[..]), upper.as_ref().map(|key| &key[..]));
        RangeBounds::<[u8]>::contains(&bounds, key)
    };
    holes.iter().any(inside)
}

/// What an overlay knows of a key.
#[derive(Debug, PartialEq, Eq)]
pub enum Known {
    /// Nothing: the engine has to be asked.
    Nothing,
    /// It was written, or deleted.
    Written(Option<Found>),
}

impl Overlay {
    /// What is known of a key.
    pub fn get(&self, space: Space, key: &[u8]) -> Known {
        let Some(layer) = self.layer(space) else { return Known::Nothing };
        match layer.written.get(key) {
            Some(written) => Known::Written(written.clone()),
            None if layer.hides(key) => Known::Written(None),
            None => Known::Nothing,
        }
    }

    /// A key was written, or deleted.
    pub fn set(&mut self, space: Space, key: &[u8], written: Option<Found>) {
        self.layer_mut(space).written.insert(key.to_vec(), written);
    }

    /// Everything in a space was deleted.
    pub fn clear(&mut self, space: Space) {
        *self.layer_mut(space) = Layer { cleared: true, ..Layer::default() };
    }

    /// Everything between two bounds was deleted.
    pub fn clear_range(&mut self, space: Space, (lower, upper): (Bound<&[u8]>, Bound<&[u8]>)) {
        let layer = self.layer_mut(space);
        layer.holes.push((lower.map(<[u8]>::to_vec), upper.map(<[u8]>::to_vec)));
        let scan = crate::store::Scan::between(lower, upper);
        layer.written.retain(|key, _| !scan.contains(key));
    }

    /// The holes of a space, for who walks over it.
    pub fn holes(&self, space: Space) -> Vec<Hole> {
        self.layer(space).map(|layer| layer.holes.clone()).unwrap_or_default()
    }

    /// Whether everything in a space was deleted.
    pub fn is_cleared(&self, space: Space) -> bool {
        self.layer(space).is_some_and(|layer| layer.cleared)
    }

    /// The keys between two bounds that were written, or deleted, in order.
    pub fn range(&self, space: Space, bounds: (Bound<&[u8]>, Bound<&[u8]>)) -> Vec<(Vec<u8>, Option<Found>)> {
        let Some(layer) = self.layer(space) else { return Vec::new() };
        // A map panics at bounds in the wrong order, and between equal ones that leave their key out.
        if crate::store::Scan::between(bounds.0, bounds.1).is_empty() {
            return Vec::new();
        }
        layer.written.range::<[u8], _>(bounds).map(|(key, value)| (key.clone(), value.clone())).collect()
    }

    fn layer(&self, space: Space) -> Option<&Layer> {
        self.layers.get(&space)
    }

    fn layer_mut(&mut self, space: Space) -> &mut Layer {
        self.layers.entry(space).or_default()
    }
}
