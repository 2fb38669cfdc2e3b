//! From a long list of operations that goes wrong to a short one, and to text that can be put into a test.
//!
//! Delta debugging (Zeller and Hildebrandt, "Simplifying and isolating failure-inducing input", 2002), the plain half of it:
//! pieces are taken away, half of the list at first, then smaller and smaller ones, and stay away when what is left still goes
//! wrong. At last each operation is replaced by a simpler one where that does.
//!
//! It is bounded by a number of operations, not by time, so that it does the same every time.

use super::data::Space;
use super::op::Op;
use super::options::Set;

/// So many operations are done, in all tries.
const MOST: usize = 200_000;

/// A shorter list that goes wrong, too. What came after operation `at` did not matter.
pub fn shrink(ops: &[Op], at: usize, goes_wrong: impl Fn(&[Op]) -> bool) -> Vec<Op> {
    let mut shrinker = Shrinker { ops: ops.to_vec(), done: 0, goes_wrong };
    shrinker.try_instead(ops[..ops.len().min(at + 1)].to_vec());
    let mut piece = shrinker.ops.len().div_ceil(2);
    while piece > 0 && shrinker.done < MOST {
        let taken = shrinker.take_pieces(piece);
        // What was needed beside something else may not be needed without it.
        piece = if taken && piece == 1 { 1 } else { piece / 2 };
    }
    while shrinker.simplify() && shrinker.done < MOST {}
    shrinker.ops
}

struct Shrinker<F> {
    ops: Vec<Op>,
    done: usize,
    goes_wrong: F,
}

impl<F: Fn(&[Op]) -> bool> Shrinker<F> {
    fn try_instead(&mut self, ops: Vec<Op>) -> bool {
        let shorter = self.done < MOST && (self.goes_wrong)(&ops);
        // What is done after the last operation takes time, too.
        self.done += ops.len() + 50;
        if shorter {
            self.ops = ops;
        }
        shorter
    }

    /// Takes away pieces of this length, from the end on; true when one of them was not needed.
    fn take_pieces(&mut self, piece: usize) -> bool {
        let mut taken = false;
        let mut end = self.ops.len();
        while end > 0 {
            let begin = end.saturating_sub(piece);
            let rest = [&self.ops[..begin], &self.ops[end..]].concat();
            taken |= self.try_instead(rest);
            end = begin;
        }
        taken
    }

    /// Replaces operations by simpler ones; true when that went well for one.
    fn simplify(&mut self) -> bool {
        let mut simplified = false;
        for at in 0..self.ops.len() {
            for simpler in self.ops[at].simpler() {
                let mut ops = self.ops.clone();
                ops[at] = simpler;
                if self.try_instead(ops) {
                    simplified = true;
                    break;
                }
            }
        }
        simplified
    }
}

/// A call of [`found::check`](super::found) with these operations.
pub fn as_test(space: Space, set: &Set, ops: &[Op]) -> String {
    let list: String = ops.iter().map(|op| format!("    {op:?},\n")).collect();
    let text = format!("check(\n    {space:?},\n    {set:?},\n    &[\n{list}    ],\n);\n");
    // The lists within operations are vectors.
    text.replace(": [", ": vec![")
}
