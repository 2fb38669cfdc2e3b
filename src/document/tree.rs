//! Paths that share their first names, as a tree: what is done with each place of a document is found while the document is walked once.
//!
//! ```text
//! a.b: x, a.c.d: y, e: z        a ─┬─ b: x
//!                                  └─ c ── d: y
//!                               e: z
//! ```
//!
//! (T1) No path is there twice, and none lies within another.
//! (T2) Names are kept in the order they came in, and found without looking through all of them. So a walk costs as much as what it
//!      touches, however many paths and members there are.

use std::collections::BTreeMap;

/// Names, and what is below each.
#[derive(Debug, Clone)]
pub(super) struct Tree<L> {
    children: Vec<(Box<str>, Node<L>)>,
    places: BTreeMap<Box<str>, usize>,
}

/// What is below a name.
#[derive(Debug, Clone)]
pub(super) enum Node<L> {
    /// More names.
    Inner(Tree<L>),
    /// The path ends here.
    Leaf(L),
}

/// A path that is there already, or lies within one that is, or has one within itself.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Clash;

impl<L> Tree<L> {
    pub(super) fn new() -> Tree<L> {
        Tree { children: Vec::new(), places: BTreeMap::new() }
    }

    /// Adds a path of at least one name.
    pub(super) fn insert(&mut self, names: &[&str], leaf: L) -> Result<(), Clash> {
        let Some((name, rest)) = names.split_first() else { return Err(Clash) };
        match self.places.get(*name).and_then(|at| self.children.get_mut(*at)) {
            Some((_, Node::Inner(tree))) if !rest.is_empty() => tree.insert(rest, leaf),
            Some(_) => Err(Clash),
            None => {
                let node = match rest {
                    [] => Node::Leaf(leaf),
                    _ => {
                        let mut tree = Tree::new();
                        tree.insert(rest, leaf)?;
                        Node::Inner(tree)
                    }
                };
                self.places.insert((*name).into(), self.children.len());
                self.children.push(((*name).into(), node));
                Ok(())
            }
        }
    }

    /// The place among [`Tree::children`] of the one of this name, and the child itself.
    pub(super) fn get(&self, name: &str) -> Option<(usize, (&str, &Node<L>))> {
        let at = *self.places.get(name)?;
        self.children.get(at).map(|(name, node)| (at, (&**name, node)))
    }

    /// The names and what is below them, as they came.
    pub(super) fn children(&self) -> impl ExactSizeIterator<Item = (&str, &Node<L>)> {
        self.children.iter().map(|(name, node)| (&**name, node))
    }

    /// The first end of a path that is such.
    pub(super) fn find(&self, is: &dyn Fn(&L) -> bool) -> Option<&L> {
        self.children.iter().find_map(|(_, node)| node.find(is))
    }
}

impl<L> Node<L> {
    /// The first end of a path, from here on, that is such.
    pub(super) fn find(&self, is: &dyn Fn(&L) -> bool) -> Option<&L> {
        match self {
            Node::Leaf(leaf) => Some(leaf).filter(|leaf| is(leaf)),
            Node::Inner(tree) => tree.find(is),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn insert(tree: &mut Tree<usize>, path: &str, leaf: usize) -> Result<(), Clash> {
        tree.insert(&path.split('.').collect::<Vec<_>>(), leaf)
    }

    #[test]
    fn paths_that_meet_are_refused() {
        for (paths, sound) in [
            (&["a", "b", "c.d", "c.e.f", "c.e.g"][..], true),
            (&["a", "a"], false),
            (&["a", "a.b"], false),
            (&["a.b", "a"], false),
            (&["a.b.c", "a.b"], false),
            (&["a.b", "ab", "a.bc", "a.c"], true),
        ] {
            let mut tree = Tree::new();
            let found = paths.iter().enumerate().try_for_each(|(at, path)| insert(&mut tree, path, at));
            assert_eq!(found.is_ok(), sound, "{paths:?}");
        }
    }

    #[test]
    fn names_are_found_and_keep_their_order() {
        let mut tree = Tree::new();
        for (at, path) in ["z", "b.y", "a", "b.x"].into_iter().enumerate() {
            insert(&mut tree, path, at).unwrap();
        }
        assert_eq!(tree.children().map(|(name, _)| name).collect::<Vec<_>>(), ["z", "b", "a"]);
        let (at, (name, node)) = tree.get("b").unwrap();
        assert_eq!((at, name), (1, "b"));
        assert_eq!((node.find(&|_| true), node.find(&|leaf| *leaf > 1)), (Some(&1), Some(&3)));
        assert_eq!((tree.find(&|leaf| *leaf < 3), tree.find(&|leaf| *leaf > 3)), (Some(&0), None));
        assert!(tree.get("x").is_none());
    }
}
