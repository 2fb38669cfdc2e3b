//! Changes carried out on one document, which is walked once; if something is renamed, once more before, to take that out.
//!
//! (W1) Where nothing lies, objects are made for what is put there, and for nothing else: `$unset` leaves no empty objects behind.
//! (W2) What is beside the paths is neither looked at nor moved.

use super::super::filter::Refused;
use super::super::tree::{Node, Tree};
use super::super::value::{MAX_DEPTH, Value};
use super::operator::{Operator, kind};
use super::{Change, DEEPER, refuse};

/// Where the walk is, and what it carries.
pub(super) struct Walk<'u> {
    /// The names that led here.
    trail: Vec<&'u str>,
    /// What was renamed, until it has its new place.
    taken: Vec<Option<Value>>,
}

impl<'u> Walk<'u> {
    pub(super) fn new(renames: usize) -> Walk<'u> {
        Walk { trail: Vec::new(), taken: vec![None; renames] }
    }

    /// Takes out what is renamed.
    pub(super) fn take(&mut self, tree: &'u Tree<Change>, value: &mut Value) -> Result<(), Refused> {
        let is_taken = |change: &Change| matches!(change.operator, Operator::Take(_));
        match value {
            Value::Array(_) => match tree.find(&is_taken) {
                Some(change) => self.refuse_array(change),
                None => Ok(()),
            },
            Value::Object(members) => self
                .each_member(tree, members, |walk, node, value| match node {
                    Node::Leaf(Change { operator: Operator::Take(slot), .. }) => {
                        walk.keep(*slot, value);
                        Ok(After::Remove)
                    }
                    Node::Leaf(_) => Ok(After::Stay),
                    Node::Inner(tree) => walk.take(tree, value).map(|()| After::Stay),
                })
                .map(drop),
            _ => Ok(()),
        }
    }

    /// Makes all other changes.
    pub(super) fn change(&mut self, tree: &'u Tree<Change>, value: &mut Value) -> Result<(), Refused> {
        match value {
            Value::Object(members) => self.change_members(tree, members),
            Value::Array(list) => self.change_elements(tree, list),
            _ => match tree.find(&|change| self.creates(change)) {
                Some(change) => self.refuse_way(change, kind(value)),
                None => Ok(()),
            },
        }
    }

    fn change_members(&mut self, tree: &'u Tree<Change>, members: &mut Members) -> Result<(), Refused> {
        let seen = self.each_member(tree, members, |walk, node, value| match node {
            Node::Leaf(Change { operator: Operator::Unset, .. }) => Ok(After::Remove),
            node => walk.change_node(node, value).map(|()| After::Stay),
        })?;
        for ((name, node), _) in tree.children().zip(seen).filter(|(_, seen)| !seen) {
            let new = self.step(name, |walk| walk.initial(node))?;
            members.extend(new.map(|new| (name.to_owned(), new)));
        }
        Ok(())
    }

    fn change_elements(&mut self, tree: &'u Tree<Change>, list: &mut Vec<Value>) -> Result<(), Refused> {
        let is_put = |change: &Change| matches!(change.operator, Operator::Put(_)) && self.creates(change);
        if let Some(change) = tree.find(&is_put) {
            return self.refuse_array(change);
        }
        let mut places = Vec::new();
        for (name, node) in tree.children() {
            match (place(name), node.find(&|_| true)) {
                (Some(place), _) => places.push((place, name, node)),
                (None, Some(change)) => return self.refuse_way(change, "an array"),
                (None, None) => {}
            }
        }
        // Elements that are appended need those before them.
        places.sort_unstable_by_key(|(place, ..)| *place);
        places.into_iter().try_for_each(|(place, name, node)| {
            self.step(name, |walk| walk.change_element(node, list, place))
        })
    }

    fn change_element(
        &mut self,
        node: &'u Node<Change>,
        list: &mut Vec<Value>,
        place: usize,
    ) -> Result<(), Refused> {
        let len = list.len();
        match (list.get_mut(place), node) {
            (Some(value), Node::Leaf(Change { operator: Operator::Unset, .. })) => *value = Value::Null,
            (Some(value), node) => self.change_node(node, value)?,
            (None, node) if place == len => list.extend(self.initial(node)?),
            (None, node) => {
                if let Some(change) = node.find(&|change| self.creates(change)) {
                    let why =
                        format!("the document has {len} elements there, and only the next one can be added");
                    return refuse(&*change.at, why);
                }
            }
        }
        Ok(())
    }

    fn change_node(&mut self, node: &'u Node<Change>, value: &mut Value) -> Result<(), Refused> {
        match node {
            Node::Inner(tree) => self.change(tree, value),
            Node::Leaf(change) => match (&change.operator, self.put(change)?) {
                (Operator::Put(_), new) => {
                    new.into_iter().for_each(|new| *value = new);
                    Ok(())
                }
                (operator, _) => operator.edit(value).or_else(|why| refuse(&*change.at, why)),
            },
        }
    }

    /// What comes where nothing is; nothing, if nobody puts anything there (W1).
    fn initial(&mut self, node: &'u Node<Change>) -> Result<Option<Value>, Refused> {
        match node {
            Node::Leaf(change) => Ok(self.put(change)?.or_else(|| change.operator.initial())),
            Node::Inner(tree) => {
                let mut members = Vec::new();
                for (name, node) in tree.children() {
                    let new = self.step(name, |walk| walk.initial(node))?;
                    members.extend(new.map(|new| (name.to_owned(), new)));
                }
                Ok(Some(members).filter(|members| !members.is_empty()).map(Value::Object))
            }
        }
    }

    /// What was renamed to be here, if it was there.
    fn put(&mut self, change: &Change) -> Result<Option<Value>, Refused> {
        let Operator::Put(slot) = change.operator else { return Ok(None) };
        let value = self.taken.get_mut(slot).and_then(Option::take);
        match value {
            Some(value) if self.trail.len() + value.depth() > MAX_DEPTH => refuse(&*change.at, DEEPER),
            value => Ok(value),
        }
    }

    fn keep(&mut self, slot: usize, value: &mut Value) {
        if let Some(slot) = self.taken.get_mut(slot) {
            *slot = Some(std::mem::replace(value, Value::Null));
        }
    }

    fn creates(&self, change: &Change) -> bool {
        match change.operator {
            Operator::Put(slot) => self.taken.get(slot).is_some_and(Option::is_some),
            _ => change.operator.creates(),
        }
    }

    /// Goes to each member that is named, and removes those that are to be removed. Which of the tree's children were there.
    fn each_member(
        &mut self,
        tree: &'u Tree<Change>,
        members: &mut Members,
        visit: impl Fn(&mut Self, &'u Node<Change>, &mut Value) -> Result<After, Refused>,
    ) -> Result<Vec<bool>, Refused> {
        let mut result = Ok(vec![false; tree.children().len()]);
        members.retain_mut(|(name, value)| {
            let (Ok(seen), Some((at, (name, node)))) = (&mut result, tree.get(name)) else { return true };
            seen.get_mut(at).into_iter().for_each(|seen| *seen = true);
            match self.step(name, |walk| visit(walk, node, value)) {
                Ok(After::Stay) => true,
                Ok(After::Remove) => false,
                Err(refused) => {
                    result = Err(refused);
                    true
                }
            }
        });
        result
    }

    fn step<T>(&mut self, name: &'u str, go: impl FnOnce(&mut Self) -> T) -> T {
        self.trail.push(name);
        let result = go(self);
        self.trail.pop();
        result
    }

    fn refuse_way<T>(&self, change: &Change, what: &str) -> Result<T, Refused> {
        let hint = if what == "an array" { ": name a place, from 0 on" } else { "" };
        let place = self.trail.join(".");
        refuse(&*change.at, format!("the document has {what} at `{place}`, which has no such member{hint}"))
    }

    fn refuse_array<T>(&self, change: &Change) -> Result<T, Refused> {
        let place = self.trail.join(".");
        refuse(
            &*change.at,
            format!("the document has an array at `{place}`, and nothing in it can be renamed"),
        )
    }
}

type Members = Vec<(String, Value)>;

/// What becomes of a member.
enum After {
    Stay,
    Remove,
}

/// The place of an element; it has one spelling, so that no two paths lead to one place.
fn place(name: &str) -> Option<usize> {
    let place = name.parse().ok();
    place.filter(|place: &usize| place.to_string() == name)
}
