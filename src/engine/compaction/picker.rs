//! What to merge next. Pure: the same shape, cursors and urgency give the same choice.
//!
//! Before anything else, tables in which all has expired, or was deleted in ranges, are *dropped*, and what has been expired for
//! long is cleared away ([`expiry`], [`ranges`]). Then, in this order:
//!
//! 1. **Level 0**, when it has `level0_trigger` tables: it is what slows reads down and what writes wait for. Only a base
//!    level of more than twice its target that is also worse off than level 0 comes first: fed without pause it would
//!    otherwise grow without bound, and every merge from level 0 with it.
//! 2. **The level with the highest score** above 1. In it, the table that drags the fewest bytes below along for each byte
//!    of its own weight; of equals, the first after the level's cursor.
//! 3. When idle: **the rest of level 0**, so that few sorted runs are there to be read; then **tables that are mostly
//!    tombstones**, one level down at a time, and at the bottom in place, and those that hold something of a deleted range,
//!    in place, so that deleted space comes back by itself.
//!
//! (P1) What may sink without meeting a key on the way is *moved*: no byte is written, several tables go in one edit. A
//!      table that is mostly tombstones is rewritten instead where nothing lies below: there they can be dropped.
//! (P2) A table leaves level 0 only with, or after, every older table of level 0 it shares keys with.
//! (P3) Tables of a level that share a boundary key travel together.
//! (P4) Every choice brings tables deeper, or drops all tombstones of a table at the bottom, or all that has expired or was
//!      deleted in ranges so far of a table. So picking ends.
//!
//! Where space is scarce (`Config::small_steps`), a level above its target comes before level 0, which gives its oldest table
//! alone: a merge needs as much space as it reads, and more of them need no more.
//!
//! Rejected: merging within level 0. It halves the speed of sequential loads, and level 0 empties fast enough when its
//! tables go straight to a base level of bounded size.

mod expiry;
mod ranges;

use super::shape::{Config, LAST, Shape, Targets, is_heavy, share_keys, total};
use crate::engine::manifest::LEVELS;
use crate::engine::manifest::level::{KeyRange, overlaps};
use crate::engine::sstable::summary::TableSummary;
use std::ops::Range;

/// A merge is not widened beyond so many times the size of a table.
const MAX_WIDENED: u64 = 25;

/// How much there is to do otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Urgency {
    /// Writes go on: only what must be done.
    Pressure,
    /// Nothing is going on: what makes reads faster and gives space back.
    Idle,
}

/// Why a job was chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// Level 0 is to be emptied.
    Level0,
    /// A level holds more than its target.
    Size,
    /// A table is mostly tombstones.
    Tombstones,
    /// A table holds what has expired.
    Expiry,
    /// A table holds what was deleted in a range.
    Deleted,
    /// Someone asked for it.
    Manual,
}

/// The next job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Choice {
    /// Tables that only change their level.
    Move {
        /// Their numbers.
        tables: Vec<u64>,
        /// The level they leave.
        from: usize,
        /// The level they enter.
        to: usize,
        /// Why.
        reason: Reason,
    },
    /// Tables that go without being read: nobody can see anything of them.
    Drop {
        /// Their numbers.
        tables: Vec<u64>,
        /// The level they leave.
        level: usize,
        /// Why.
        reason: Reason,
    },
    /// Tables that are merged into new ones.
    Merge {
        /// The upper level.
        level: usize,
        /// The numbers of its tables, in the level's order.
        inputs: Vec<u64>,
        /// The level the new tables enter; `level` itself when tables are rewritten in place.
        output_level: usize,
        /// The numbers of the tables there that take part, in order.
        output_inputs: Vec<u64>,
        /// Why.
        reason: Reason,
    },
}

/// Where in each level the last job was, so that the next one is elsewhere.
#[derive(Debug, Clone, Default)]
pub struct Cursors([Vec<u8>; LEVELS]);

impl Cursors {
    /// Notes that `choice` was made on `shape`.
    pub fn advance(&mut self, shape: &Shape<'_>, choice: &Choice) {
        let (level, numbers) = match choice {
            Choice::Move { tables, from, .. } => (*from, tables),
            Choice::Drop { tables, level, .. } => (*level, tables),
            Choice::Merge { level, inputs, .. } => (*level, inputs),
        };
        let last =
            shape.level(level).iter().filter(|t| numbers.contains(&t.number)).map(|t| &t.largest).max();
        if let (Some(slot), Some(last)) = (self.0.get_mut(level), last) {
            slot.clone_from(last);
        }
    }

    /// The first table of `level` after its cursor.
    fn first(&self, shape: &Shape<'_>, level: usize) -> usize {
        let cursor = self.0.get(level).map(Vec::as_slice).unwrap_or_default();
        shape.level(level).partition_point(|t| t.smallest.as_slice() <= cursor)
    }
}

/// The next job, if there is one.
#[must_use]
pub fn pick(shape: &Shape<'_>, config: &Config, cursors: &Cursors, urgency: Urgency) -> Option<Choice> {
    let picker = Picker { shape, config, targets: shape.targets(config) };
    let gone = picker.wholly_expired().or_else(|| picker.wholly_deleted());
    if let Some(choice) = gone.or_else(|| picker.due(2)) {
        return Some(choice);
    }
    let level0 = shape.level(0).len() as f64 / config.level0_trigger.max(1) as f64;
    let base = shape.score(&picker.targets, picker.targets.base);
    let worst = picker.worst();
    let first_below = base > 2.0 && base > level0 || config.small_steps && worst.is_some();
    if level0 >= 1.0 && !first_below {
        return picker.level0(Reason::Level0, |_| true);
    }
    if let Some(level) = worst {
        return picker.oversized(level, cursors);
    }
    if let Some(choice) = picker.due(1) {
        return Some(choice);
    }
    match urgency {
        Urgency::Pressure => None,
        Urgency::Idle => {
            let reads = picker.level0(Reason::Level0, |_| true);
            reads.or_else(|| picker.tombstones()).or_else(|| picker.partly_deleted(|_| true))
        }
    }
}

/// The next job on the way to everything in `range` lying in the deepest level that has tables, without what has expired or was
/// deleted in ranges, and without tombstones older than all snapshots. Called again and again on the shape that comes out, it ends.
#[must_use]
pub fn pick_range(shape: &Shape<'_>, config: &Config, range: KeyRange<'_>) -> Option<Choice> {
    let picker = Picker { shape, config, targets: shape.targets(config) };
    let inside = |t: &TableSummary| overlaps(t, range);
    let gone = picker.wholly_deleted();
    if let Some(choice) = gone.or_else(|| picker.level0(Reason::Manual, inside)) {
        return Some(choice);
    }
    let floor = shape.floor();
    for level in 1..floor {
        if let Some(at) = shape.level(level).iter().position(|t| inside(t)) {
            return Some(picker.sink(level, at, Reason::Manual, |t| t.tombstones > 0));
        }
    }
    let deleted = picker.rewrite(floor, Reason::Manual, |t| inside(t) && t.tombstones > 0);
    deleted.or_else(|| picker.expired(floor, inside)).or_else(|| picker.partly_deleted(inside))
}

struct Picker<'a> {
    shape: &'a Shape<'a>,
    config: &'a Config,
    targets: Targets,
}

impl<'a> Picker<'a> {
    fn worst(&self) -> Option<usize> {
        let scores = (self.targets.base..LAST).map(|level| (level, self.shape.score(&self.targets, level)));
        scores.filter(|(_, score)| *score > 1.0).max_by(|a, b| a.1.total_cmp(&b.1)).map(|(level, _)| level)
    }

    /// What takes the oldest of the `wanted` tables out of level 0.
    fn level0(&self, reason: Reason, wanted: impl Fn(&TableSummary) -> bool) -> Option<Choice> {
        let seed = self.shape.level(0).iter().rev().find(|t| wanted(t))?;
        self.level0_move(reason, wanted).or_else(|| Some(self.level0_merge(reason, seed)))
    }

    /// All tables of level 0 that can sink to the same level as the oldest that can sink at all (P1, P2).
    fn level0_move(&self, reason: Reason, wanted: impl Fn(&TableSummary) -> bool) -> Option<Choice> {
        let mut passed: Vec<&TableSummary> = Vec::new();
        let mut tables = Vec::new();
        let mut to = None;
        for table in self.shape.level(0).iter().rev() {
            let depth = self.depth(0, table);
            let free = wanted(table)
                && depth >= self.targets.base
                && to.is_none_or(|to| to == depth)
                && !self.is_droppable(table, depth, is_heavy)
                && !passed.iter().any(|other| share_keys(other, table));
            // Those that move count as well: in their new level they must be disjoint.
            passed.push(table);
            if free {
                to = Some(depth);
                tables.push(table.number);
            }
        }
        to.map(|to| Choice::Move { tables, from: 0, to, reason })
    }

    /// The seed and all tables of level 0 tied to it by shared keys, in small steps only older ones, into the base level (P2).
    fn level0_merge(&self, reason: Reason, seed: &TableSummary) -> Choice {
        let (mut low, mut high) = (seed.smallest.as_slice(), seed.largest.as_slice());
        let newer = self.shape.level(0).iter().take_while(|t| t.number != seed.number).count();
        let skipped = if self.config.small_steps { newer } else { 0 };
        let inputs = loop {
            let touched: Vec<&TableSummary> = self
                .shape
                .level(0)
                .iter()
                .copied()
                .skip(skipped)
                .filter(|t| t.smallest.as_slice() <= high && t.largest.as_slice() >= low)
                .collect();
            let (new_low, new_high) = bounds(&touched).unwrap_or((low, high));
            if (new_low, new_high) == (low, high) {
                break touched;
            }
            (low, high) = (new_low, new_high);
        };
        let base = self.targets.base;
        let below = self.tables(base, self.shape.span(base, low, high));
        Choice::Merge {
            level: 0,
            inputs: numbers(&inputs),
            output_level: base,
            output_inputs: numbers(below),
            reason,
        }
    }

    /// What takes bytes out of a level above its target.
    fn oversized(&self, level: usize, cursors: &Cursors) -> Option<Choice> {
        let count = self.shape.level(level).len();
        let start = cursors.first(self.shape, level);
        let order = (0..count).map(|i| (start + i) % count);
        let mut best: Option<(usize, u128, u128)> = None;
        for at in order {
            let Some(table) = self.shape.level(level).get(at) else { continue };
            let below = self.shape.span(level + 1, &table.smallest, &table.largest);
            let dragged = u128::from(total(self.tables(level + 1, below)));
            let weight = u128::from(self.shape.weight(table).max(1));
            if best.is_none_or(|(_, d, w)| dragged * w < d * weight) {
                best = Some((at, dragged, weight));
            }
        }
        best.map(|(at, ..)| self.sink(level, at, Reason::Size, is_heavy))
    }

    /// What takes a table one level down, or further where it meets nothing. `unwanted` says which tables are not to be
    /// moved as they are to a place where their tombstones could be dropped.
    fn sink(&self, level: usize, at: usize, reason: Reason, unwanted: fn(&TableSummary) -> bool) -> Choice {
        let inputs = self.with_tied(level, at);
        let depth = self.sink_depth(level, at);
        if depth == level {
            return self.merge_down(level, inputs, reason);
        }
        let table = self.tables(level, at..at + 1);
        if table.iter().any(|t| self.is_droppable(t, depth, unwanted)) {
            let inputs = numbers(table);
            return Choice::Merge { level, inputs, output_level: depth, output_inputs: Vec::new(), reason };
        }
        self.move_down(level, at, depth, reason, unwanted)
    }

    /// The table at `at`, and those after it that can go to the same level, until the level has its target.
    fn move_down(
        &self,
        level: usize,
        at: usize,
        depth: usize,
        reason: Reason,
        unwanted: fn(&TableSummary) -> bool,
    ) -> Choice {
        let target = self.targets.bytes.get(level).copied().unwrap_or_default();
        let mut excess = self.shape.bytes(level).saturating_sub(target);
        let mut tables = Vec::new();
        for (i, table) in self.shape.level(level).iter().enumerate().skip(at) {
            let first = i == at;
            let fits = self.sink_depth(level, i) == depth && !self.is_droppable(table, depth, unwanted);
            if first || (fits && excess > 0) {
                tables.push(table.number);
                excess = excess.saturating_sub(table.len);
            }
        }
        Choice::Move { tables, from: level, to: depth, reason }
    }

    /// Merges `inputs` with what they meet in the next level, and takes along what costs nothing more there.
    fn merge_down(&self, level: usize, inputs: Range<usize>, reason: Reason) -> Choice {
        let below = self.below(level, &inputs);
        let all = [self.tables(level, inputs.clone()), self.tables(level + 1, below.clone())].concat();
        let wider =
            bounds(&all).map(|(low, high)| self.shape.span(level, low, high)).unwrap_or(inputs.clone());
        let bytes = total(self.tables(level, wider.clone())) + total(self.tables(level + 1, below.clone()));
        let limit = self.config.table_bytes.saturating_mul(MAX_WIDENED);
        let free = self.below(level, &wider) == below && bytes <= limit && !self.config.small_steps;
        let inputs = if free { wider } else { inputs };
        Choice::Merge {
            level,
            inputs: numbers(self.tables(level, inputs)),
            output_level: level + 1,
            output_inputs: numbers(self.tables(level + 1, below)),
            reason,
        }
    }

    /// The tables mostly of tombstones: down, as long as something lies below them; then in place.
    fn tombstones(&self) -> Option<Choice> {
        for level in 1..LAST {
            if let Some(at) =
                self.shape.level(level).iter().position(|t| is_heavy(t) && self.meets_below(level, t))
            {
                return Some(self.sink(level, at, Reason::Tombstones, is_heavy));
            }
        }
        (1..LEVELS).rev().find_map(|level| self.rewrite(level, Reason::Tombstones, is_heavy))
    }

    /// A table of `level` whose tombstones can all be dropped, to be rewritten in place.
    fn rewrite(
        &self,
        level: usize,
        reason: Reason,
        wanted: impl Fn(&TableSummary) -> bool,
    ) -> Option<Choice> {
        let old = |t: &TableSummary| t.max_seq <= self.shape.oldest_snapshot();
        let at = self
            .shape
            .level(level)
            .iter()
            .position(|t| wanted(t) && old(t) && !self.meets_below(level, t))?;
        Some(self.in_place(level, self.with_tied(level, at), reason))
    }

    /// True when a key of the table may lie in a level below its own.
    fn meets_below(&self, level: usize, table: &TableSummary) -> bool {
        (level + 1..LEVELS).any(|n| !self.shape.span(n, &table.smallest, &table.largest).is_empty())
    }

    /// The deepest level that a table of level `from` can sink to without meeting a key, `from` when there is none; not
    /// deeper than what is there already, but for one step.
    fn depth(&self, from: usize, table: &TableSummary) -> usize {
        let end = self.shape.floor().max(from + 1).min(LAST);
        let free = |n: &usize| self.shape.span(*n, &table.smallest, &table.largest).is_empty();
        (from + 1..=end).take_while(free).last().unwrap_or(from)
    }

    /// As [`Picker::depth`] for a table of a level below 0; one that is tied to another (P3) does not sink alone.
    fn sink_depth(&self, level: usize, at: usize) -> usize {
        let tied = self.with_tied(level, at).len() > 1;
        match self.shape.level(level).get(at) {
            Some(table) if !tied => self.depth(level, table),
            _ => level,
        }
    }

    /// True when a table should be rewritten on its way to `depth`, because its tombstones can be dropped there.
    fn is_droppable(&self, table: &TableSummary, depth: usize, unwanted: fn(&TableSummary) -> bool) -> bool {
        depth >= self.shape.floor() && unwanted(table) && table.max_seq <= self.shape.oldest_snapshot()
    }

    fn in_place(&self, level: usize, inputs: Range<usize>, reason: Reason) -> Choice {
        let inputs = numbers(self.tables(level, inputs));
        Choice::Merge { level, inputs, output_level: level, output_inputs: Vec::new(), reason }
    }

    fn with_tied(&self, level: usize, at: usize) -> Range<usize> {
        match self.shape.level(level).get(at) {
            Some(table) => self.shape.span(level, &table.smallest, &table.largest),
            None => at..at,
        }
    }

    /// What these tables meet in the next level.
    fn below(&self, level: usize, inputs: &Range<usize>) -> Range<usize> {
        match bounds(self.tables(level, inputs.clone())) {
            Some((low, high)) => self.shape.span(level + 1, low, high),
            None => 0..0,
        }
    }

    fn tables(&self, level: usize, range: Range<usize>) -> &'a [&'a TableSummary] {
        self.shape.level(level).get(range).unwrap_or_default()
    }
}

/// The lowest and the highest key of some tables.
fn bounds<'t>(tables: &[&'t TableSummary]) -> Option<(&'t [u8], &'t [u8])> {
    let low = tables.iter().map(|t| t.smallest.as_slice()).min()?;
    let high = tables.iter().map(|t| t.largest.as_slice()).max()?;
    Some((low, high))
}

fn numbers(tables: &[&TableSummary]) -> Vec<u64> {
    tables.iter().map(|t| t.number).collect()
}
