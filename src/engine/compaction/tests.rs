//! What the picker chooses for given shapes, and whole trees driven by it.

use super::picker::{Choice, Cursors, Urgency, pick, pick_range};
use super::retain::{Retain, Verdict};
use super::shape::{Config, Expiry, LAST, Shape};
use crate::engine::key::{Kind, Trailer};
use crate::engine::manifest::LEVELS;
use crate::engine::manifest::edit::Edit;
use crate::engine::manifest::fixture::{table, tree};
use crate::engine::manifest::version::Version;
use crate::engine::sstable::summary::TableSummary;
use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

const CONFIG: Config =
    Config { level0_trigger: 4, table_bytes: 10, level_ratio: 10, base_bytes: 100, small_steps: false };
/// For trees of a few tables.
const SMALL: Config =
    Config { level0_trigger: 4, table_bytes: 8, level_ratio: 3, base_bytes: 16, small_steps: false };

fn shape(levels: &[Vec<TableSummary>; LEVELS], oldest_snapshot: u64) -> Shape<'_> {
    Shape::new(std::array::from_fn(|n| levels[n].iter().collect()), oldest_snapshot)
}

fn text(choice: Option<Choice>) -> String {
    let list = |numbers: &[u64]| numbers.iter().map(u64::to_string).collect::<Vec<_>>().join(" ");
    match choice {
        None => "nothing".into(),
        Some(Choice::Move { tables, from, to, .. }) => format!("move {} from {from} to {to}", list(&tables)),
        Some(Choice::Drop { tables, level, .. }) => format!("drop {} of {level}", list(&tables)),
        Some(Choice::Merge { level, inputs, output_level, output_inputs, .. })
            if output_inputs.is_empty() =>
        {
            format!("merge {} from {level} to {output_level}", list(&inputs))
        }
        Some(Choice::Merge { level, inputs, output_level, output_inputs, .. }) => {
            format!("merge {} from {level} with {} in {output_level}", list(&inputs), list(&output_inputs))
        }
    }
}

fn check(tree_text: &str, urgency: Urgency, expected: &str) {
    let levels = tree(tree_text);
    let found = text(pick(&shape(&levels, 1000), &CONFIG, &Cursors::default(), urgency));
    assert_eq!(found, expected, "{tree_text}");
}

use Urgency::{Idle, Pressure};

/// As [`check`], where of the named tables so many entries expire, from one time to another, with a lag of 100.
fn check_expiry(text_: &str, expiring: &[(u64, u64, u64, u64)], horizon: u64, expected: &str) {
    let mut levels = tree(text_);
    for table in levels.iter_mut().flatten() {
        if let Some((_, count, min, max)) = expiring.iter().find(|(number, ..)| *number == table.number) {
            (table.expiring, table.min_expiry, table.max_expiry) = (*count, *min, *max);
        }
    }
    let shape = shape(&levels, 1000).at(Expiry { horizon, lag: 100 });
    let found = text(pick(&shape, &CONFIG, &Cursors::default(), Pressure));
    assert_eq!(found, expected, "{text_}, {expiring:?} at {horizon}");
}

#[test]
fn what_has_expired_goes_in_time() {
    let all = tree("L6: 1[a-c]")[6][0].entries;
    let one = [(1, all, 50, 60)];
    // Everything expired and nothing below: gone at once, unread.
    check_expiry("L6: 1[a-c]", &one, 59, "nothing");
    check_expiry("L6: 1[a-c]", &one, 60, "drop 1 of 6");
    check_expiry("L5: 1[a-c] \n L6: 2[d-e]", &one, 60, "drop 1 of 5");
    check_expiry("L5: 1[a-c] \n L6: 2[b-e]", &one, 60, "nothing");
    check_expiry("L0: 1[a-c] 2[b-d]", &one, 60, "nothing");
    check_expiry("L0: 2[b-d] 1[a-c]", &one, 60, "drop 1 of 0");
    // A transaction that began before some of it was written may still ask whether it was.
    let mut levels = tree("L6: 1[a-c]");
    let table = &mut levels[6][0];
    (table.expiring, table.max_expiry, table.min_seq, table.max_seq) = (all, 60, 7, 9);
    for (oldest, expected) in [(8, "nothing"), (9, "drop 1 of 6")] {
        let shape = shape(&levels, oldest).at(Expiry { horizon: 60, lag: 100 });
        assert_eq!(text(pick(&shape, &CONFIG, &Cursors::default(), Pressure)), expected, "{oldest}");
    }
    // Due after the lag: rewritten in place, or merged with what it meets below.
    check_expiry("L6: 1[a-c] 2[d-e]", &[(1, 1, 50, 60)], 149, "nothing");
    check_expiry("L6: 1[a-c] 2[d-e]", &[(1, 1, 50, 60)], 150, "merge 1 from 6 to 6");
    check_expiry("L5: 1[a-c] \n L6: 2[b-e]", &one, 150, "merge 1 from 5 with 2 in 6");
    check_expiry("L0: 1[a-c] 2[b-d]", &one, 150, "merge 1 2 from 0 to 6");
    // Twice overdue comes before level 0.
    let busy = "L0: 9[a-m] 8[a-m] 7[a-m] 6[a-m] \n L6: 1[a-c] 2[d-e]";
    check_expiry(busy, &[(1, 1, 50, 60)], 249, "merge 9 8 7 6 from 0 with 1 2 in 6");
    check_expiry(busy, &[(1, 1, 50, 60)], 250, "merge 1 from 6 to 6");
}

#[test]
fn level_0_goes_straight_to_the_base_level() {
    check("", Idle, "nothing");
    check("L0: 3[a-m] 2[a-m] 1[a-m]", Pressure, "nothing");
    check("L0: 3[a-m] 2[a-m] 1[a-m]", Idle, "move 1 from 0 to 6");
    check("L0: 3[a-m] 2[a-m] \n L6: 1[a-m]", Idle, "merge 3 2 from 0 with 1 in 6");
    check(
        "L0: 9[a-m] 8[a-m] 7[a-m] 6[a-m] \n L6: 1[a-c] 2[k-n] 3[n0-z]",
        Pressure,
        "merge 9 8 7 6 from 0 with 1 2 in 6",
    );
    // Once the last level holds more than the base may, the level above is the base.
    let level0 = "L0: 9[a-m] 8[a-m] 7[a-m] 6[a-m]\n";
    check(&format!("{level0} L6: 1[a-z]:100"), Pressure, "merge 9 8 7 6 from 0 with 1 in 6");
    check(&format!("{level0} L6: 1[a-z]:101"), Pressure, "move 6 from 0 to 5");
    check(&format!("{level0} L5: 5[b-b] \n L6: 1[a-z]:101"), Pressure, "merge 9 8 7 6 from 0 with 5 in 5");
    for (bytes, base) in [(100, 6), (101, 5), (1009, 5), (1010, 4), (10_099, 4), (10_100, 3), (u64::MAX, 1)] {
        let levels = tree(&format!("L6: 1[a-z]:{bytes}"));
        assert_eq!(shape(&levels, 0).targets(&CONFIG).base, base, "{bytes} bytes");
    }
}

#[test]
fn a_merge_takes_all_of_level_0_that_is_tied_by_shared_keys() {
    // The oldest is 1; 2 shares keys with it, and 3 with 2. 4 shares none and can wait.
    check("L0: 4[x-z] 3[f-k] 2[c-g] 1[a-d] \n L6: 9[b-b]", Pressure, "move 4 from 0 to 6");
    check("L0: 4[x-z] 3[f-k] 2[c-g] 1[a-d] \n L6: 9[b-b] 8[y-y]", Pressure, "merge 3 2 1 from 0 with 9 in 6");
}

#[test]
fn what_meets_nothing_is_moved() {
    // A sequential load: every table follows the one before.
    check("L0: 4[d-d9] 3[c-c9] 2[b-b9] 1[a-a9]", Pressure, "move 1 2 3 4 from 0 to 6");
    check("L0: 4[d-d9] 3[c-c9] 2[b-b9] 1[a-a9] \n L6: 9[A-Z]", Pressure, "move 1 2 3 4 from 0 to 6");
    // 3 shares keys with the older 2, so it must not sink with it or past it; 4 is free.
    check("L0: 4[d-d9] 3[b5-c9] 2[b-b9] 1[a-a9]", Pressure, "move 1 2 4 from 0 to 6");
    // 2 meets a key in level 6 and goes to 5; 1 and 3 to 6, and the oldest decides.
    check("L0: 4[d-d9] 3[c-c9] 2[b-b9] 1[a-a9] \n L6: 8[b-b] 9[m-z]:101", Pressure, "move 1 3 4 from 0 to 6");
    // Above the base level there is nothing to be gained.
    check("L0: 4[a-c] 3[a-c] 2[a-c] 1[a-c] \n L6: 9[b-b]", Pressure, "merge 4 3 2 1 from 0 with 9 in 6");
    // Mostly tombstones, and nothing below: there is nothing to keep.
    check("L0: 1[a-c]x6/10", Idle, "merge 1 from 0 to 6");
    check("L0: 1[a-c]x4/10", Idle, "move 1 from 0 to 6");
}

#[test]
fn the_fullest_level_gives_the_table_that_drags_least() {
    let tree = "L5: 1[a-c]:60 2[d-f]:60 3[g-i]:60
                L6: 11[a-b]:400 12[c0-d]:100 13[e-h]:200 14[i-z]:300";
    check(tree, Pressure, "merge 2 from 5 with 12 13 in 6");
    // Nothing below 3: it sinks, and the level has its target again.
    check("L5: 1[a-c]:60 2[d-f]:60 3[g-i]:60 \n L6: 11[a-b]:300 12[c-d]:900", Pressure, "move 3 from 5 to 6");
    // What lies between costs nothing more, and is taken along.
    check("L5: 1[a-b]:60 2[c-d]:60 \n L6: 11[a-d]:130", Pressure, "merge 1 2 from 5 with 11 in 6");
    check("L5: 1[a-b]:60 2[c-d]:60 \n L6: 11[a-d]:131", Pressure, "merge 1 from 5 with 11 in 6");
    // One that is mostly tombstones counts for more than it weighs.
    let tree = "L5: 1[a-c]:60 2[d-f]:60x10/10 \n L6: 11[a-c]:300 12[d-f]:390";
    check(tree, Pressure, "merge 2 from 5 with 12 in 6");
    // Level 4 is further above its target than level 5.
    let tree = "L4: 1[a-c]:250 \n L5: 2[a-c]:1100 \n L6: 3[a-c]:10000";
    check(tree, Pressure, "merge 1 from 4 with 2 in 5");
    check("L5: 2[a-c]:90 \n L6: 3[a-c]:1000", Pressure, "nothing");
}

#[test]
fn level_0_comes_first_but_for_a_base_level_that_grows_without_bound() {
    let level0 = "L0: 9[a-m] 8[a-m] 7[a-m] 6[a-m]\n";
    let base = |bytes: u64| format!("{level0} L5: 1[a-z]:{bytes} \n L6: 2[a-z]:1000");
    check(&base(199), Pressure, "merge 9 8 7 6 from 0 with 1 in 5");
    check(&base(201), Pressure, "merge 1 from 5 with 2 in 6");
}

#[test]
fn steps_are_small_where_space_is_scarce() {
    let config = Config { small_steps: true, ..CONFIG };
    let check = |tree_text: &str, expected: &str| {
        let levels = tree(tree_text);
        let found = text(pick(&shape(&levels, 1000), &config, &Cursors::default(), Pressure));
        assert_eq!(found, expected, "{tree_text}");
    };
    let level0 = "L0: 9[a-m] 8[a-m] 7[a-m] 6[a-m]\n";
    check(&format!("{level0} L6: 1[a-z]"), "merge 6 from 0 with 1 in 6");
    check(
        &format!("{level0} L5: 1[a-k]:60 2[l-z]:60 \n L6: 3[a-k]:100 4[l-z]:990"),
        "merge 1 from 5 with 3 in 6",
    );
    check("L5: 1[a-b]:60 2[c-d]:60 \n L6: 11[a-d]:130", "merge 1 from 5 with 11 in 6");
    // An older table that shares keys with the wanted one goes first or with it.
    let levels = tree("L0: 9[c-g] 8[c-g] 7[a-d] \n L6: 1[a-z]");
    let range = (Bound::Included(&b"f"[..]), Bound::Excluded(&b"g"[..]));
    assert_eq!(text(pick_range(&shape(&levels, 1000), &config, range)), "merge 8 7 from 0 with 1 in 6");
}

#[test]
fn cursors_go_round_among_equals() {
    let levels = tree("L5: 1[a-b]:60 2[c-d]:60 3[e-f]:60 \n L6: 11[a-b]:300 12[c-d]:300 13[e-f]:300");
    let shape = shape(&levels, 1000);
    let mut cursors = Cursors::default();
    let rounds: Vec<String> = (0..4)
        .map(|_| {
            let choice = pick(&shape, &CONFIG, &cursors, Pressure).unwrap();
            cursors.advance(&shape, &choice);
            text(Some(choice))
        })
        .collect();
    let expected = [1, 2, 3, 1].map(|n| format!("merge {n} from 5 with {} in 6", n + 10));
    assert_eq!(rounds, expected);
}

#[test]
fn tables_that_share_a_boundary_key_travel_together() {
    check(
        "L5: 1[a-c]:60 2[c-f]:60 3[g-i]:1 \n L6: 11[a-b]:300 12[h-i]:600",
        Pressure,
        "merge 1 2 from 5 with 11 in 6",
    );
    // Not moved apart either, although only 1 meets something.
    check("L5: 1[a-c]:90 2[c-f]:60 \n L6: 11[a-b]:900", Pressure, "merge 1 2 from 5 with 11 in 6");
    // In the level below, too.
    check(
        "L5: 1[a-c]:101 \n L6: 10[0-1] 11[1-a]:90 12[a-b]:90 13[b-e]:90 14[e-f] 15[g-h]:600",
        Pressure,
        "merge 1 from 5 with 10 11 12 13 14 in 6",
    );
}

#[test]
fn tombstones_go_down_when_idle_and_end_at_the_bottom() {
    let heavy = "L5: 1[a-c]x5/10 2[d-e] \n L6: 11[b-b]:500";
    check(heavy, Pressure, "nothing");
    check(heavy, Idle, "merge 1 from 5 with 11 in 6");
    check("L6: 1[a-c] 2[d-e]x5/10", Idle, "merge 2 from 6 to 6");
    check("L6: 1[a-c] 2[d-e]x4/10", Idle, "nothing");
    // Some snapshot still needs them.
    check("L6: 1[a-c] 2[d-e]@1-1001x5/10", Idle, "nothing");
}

#[test]
fn a_range_is_compacted_to_the_deepest_level() {
    let check = |tree_text: &str, expected: &str| {
        let levels = tree(tree_text);
        let range = (Bound::Included(&b"d"[..]), Bound::Excluded(&b"g"[..]));
        assert_eq!(text(pick_range(&shape(&levels, 1000), &CONFIG, range)), expected, "{tree_text}");
    };
    check("L0: 3[a-c] 2[g-h] 1[x-z] \n L6: 9[a-z]", "nothing");
    check("L0: 3[a-e] 2[g-h] 1[b-c] \n L6: 9[a-z]", "merge 3 1 from 0 with 9 in 6");
    check("L0: 3[e-f] 2[a-b] \n L6: 9[x-z]", "move 3 from 0 to 6");
    check("L3: 1[a-c] 2[e-f] \n L5: 3[e-e] \n L6: 9[a-z]:9000", "move 2 from 3 to 4");
    check("L4: 2[e-f] \n L5: 3[e-e] \n L6: 9[a-z]:9000", "merge 2 from 4 with 3 in 5");
    check("L4: 2[e-f]x1/10 \n L6: 9[x-z]:9000", "merge 2 from 4 to 6");
    check("L6: 8[a-c]x1/10 9[d-f]x1/10", "merge 9 from 6 to 6");
    check("L5: 8[d-f]", "nothing");
}

#[test]
fn debt_does_not_jump() {
    let debt = |text: &str| shape(&tree(text), 0).debt(&CONFIG);
    assert_eq!(debt(""), 0);
    assert_eq!(debt("L6: 1[a-z]:5000"), 0);
    assert_eq!(debt("L0: 2[a-z]:8"), 8);
    // A quarter of the trigger, so a quarter of the base level.
    assert_eq!(debt("L0: 2[a-z]:8 \n L6: 1[a-z]:80"), 8 + 20);
    assert_eq!(debt("L0: 2[a-z]:8 3[a-z]:8 4[a-z]:8 5[a-z]:8 6[a-z]:8 \n L6: 1[a-z]:80"), 40 + 80);
    // 50 too much in level 5, each byte with four of level 6.
    assert_eq!(debt("L5: 1[a-z]:150 \n L6: 2[a-z]:600"), 50 * 5);
    let levels = tree("L0: 2[a-z]:8 3[a-z]:8");
    assert_eq!(shape(&levels, 0).debt(&CONFIG), 16);
}

/// An entry of the trees below.
type Entry = (Vec<u8>, u64, Kind);

/// A tree that really holds entries; each is its own value.
struct Model {
    version: Version<Arc<Vec<Entry>>>,
    /// Everything ever written, newest first for each key.
    written: BTreeMap<Vec<u8>, Vec<(u64, Kind)>>,
    snapshots: Vec<u64>,
    seq: u64,
    next_table: u64,
    cursors: Cursors,
    random: u64,
}

impl Model {
    fn new(seed: u64) -> Model {
        Model {
            version: Version::empty(),
            written: BTreeMap::new(),
            snapshots: Vec::new(),
            seq: 0,
            next_table: 1,
            cursors: Cursors::default(),
            random: seed.wrapping_mul(2).wrapping_add(1),
        }
    }

    fn below(&mut self, n: u64) -> u64 {
        self.random =
            self.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.random >> 33) % n
    }

    /// The boundaries of a job that starts now.
    fn boundaries(&self) -> Vec<u64> {
        let mut all = self.snapshots.clone();
        all.push(self.seq);
        all.sort_unstable();
        all.dedup();
        all
    }

    fn flush(&mut self) {
        let (start, width) = (self.below(60), 1 + self.below(30));
        let mut entries = Vec::new();
        for _ in 0..1 + self.below(20) {
            self.seq += 1;
            let key = vec![b'k', (start + self.below(width)) as u8];
            let kind = if self.below(3) == 0 { Kind::Delete } else { Kind::Put };
            self.written.entry(key.clone()).or_default().insert(0, (self.seq, kind));
            entries.push((key, self.seq, kind));
        }
        entries.sort_by(|a, b| a.0.cmp(&b.0).then(b.1.cmp(&a.1)));
        self.install(Vec::new(), 0, vec![entries]);
    }

    fn install(&mut self, removed: Vec<(u8, u64)>, level: usize, outputs: Vec<Vec<Entry>>) {
        let mut edit = Edit { removed, ..Edit::default() };
        let mut handles = BTreeMap::new();
        for entries in outputs.into_iter().filter(|entries| !entries.is_empty()) {
            edit.added.push((level as u8, summary(self.next_table, &entries)));
            handles.insert(self.next_table, Arc::new(entries));
            self.next_table += 1;
        }
        self.apply(&edit, &handles);
    }

    fn apply(&mut self, edit: &Edit, handles: &BTreeMap<u64, Arc<Vec<Entry>>>) {
        self.version = self.version.apply(edit, &mut |t| Arc::clone(&handles[&t.number])).unwrap();
    }

    /// Does the next job; false when there is none.
    fn step(&mut self, next: impl FnOnce(&Shape<'_>, &Cursors) -> Option<Choice>) -> bool {
        let boundaries = self.boundaries();
        let shape = Shape::of(&self.version, boundaries[0]);
        let Some(choice) = next(&shape, &self.cursors) else { return false };
        self.cursors.advance(&shape, &choice);
        match choice {
            Choice::Move { tables, from, to, .. } => {
                assert!(to > from);
                let moved = self.version.levels()[from]
                    .tables()
                    .iter()
                    .filter(|t| tables.contains(&t.summary.number));
                let added = moved.map(|t| (to as u8, t.summary.clone())).collect();
                let removed = tables.iter().map(|t| (from as u8, *t)).collect();
                self.apply(&Edit { added, removed, ..Edit::default() }, &BTreeMap::new());
            }
            Choice::Drop { .. } => unreachable!("nothing expires here"),
            Choice::Merge { level, inputs, output_level, output_inputs, .. } => {
                let removed = inputs
                    .iter()
                    .map(|t| (level as u8, *t))
                    .chain(output_inputs.iter().map(|t| (output_level as u8, *t)));
                let removed: Vec<(u8, u64)> = removed.collect();
                let outputs = self.merge(&removed, &boundaries);
                self.install(removed, output_level, outputs);
            }
        }
        true
    }

    fn merge(&self, removed: &[(u8, u64)], boundaries: &[u64]) -> Vec<Vec<Entry>> {
        let takes_part = |level: usize, number: u64| removed.contains(&(level as u8, number));
        let (inputs, others): (Vec<_>, Vec<_>) =
            self.version.tables().partition(|(level, t)| takes_part(*level, t.summary.number));
        let mut entries: Vec<Entry> = inputs.iter().flat_map(|(_, t)| t.handle.iter().cloned()).collect();
        assert!(!entries.is_empty());
        entries.sort_by(|a, b| a.0.cmp(&b.0).then(b.1.cmp(&a.1)));
        let mut retain = Retain::new(boundaries, 0);
        let mut outputs = vec![Vec::new()];
        let mut last: Option<Vec<u8>> = None;
        for (key, seq, kind) in entries {
            let same = last.as_ref() == Some(&key);
            // No table that stays, in whatever level, holds an older version.
            let older = |(_, t): &&(usize, &Arc<_>)| {
                let t: &Arc<crate::engine::manifest::TableRef<Arc<Vec<Entry>>>> = t;
                t.handle.iter().any(|e| e.0 == key && e.1 <= seq)
            };
            let bottom = !others.iter().any(|other| older(&other));
            let verdict = retain.next(same, Trailer::new(seq, kind), None, bottom, None);
            let kept = match verdict {
                Verdict::Keep => Some(seq),
                Verdict::KeepAtZero => Some(0),
                Verdict::Drop | Verdict::KeepAsDelete => None,
            };
            if !same && outputs.last().is_some_and(|table| table.len() >= 8) {
                outputs.push(Vec::new());
            }
            last = Some(key.clone());
            outputs.last_mut().unwrap().extend(kept.map(|seq| (key, seq, kind)));
        }
        outputs
    }

    /// Every reader sees what was written, by the way a get goes: the first hit is the newest.
    fn check(&self, context: &str) {
        for at in self.boundaries() {
            for (key, versions) in &self.written {
                let expected = versions.iter().find(|(seq, _)| *seq <= at).map(|(_, kind)| *kind);
                let hit = self.version.candidates(key).find_map(|t| {
                    t.handle.iter().find(|(k, seq, _)| k == key && *seq <= at).map(|(_, _, kind)| *kind)
                });
                let value = |kind: Option<Kind>| kind.filter(|kind| *kind == Kind::Put);
                assert_eq!(value(hit), value(expected), "{context}: {key:?} at {at}");
            }
        }
    }
}

fn summary(number: u64, entries: &[Entry]) -> TableSummary {
    let tombstones = entries.iter().filter(|e| e.2 == Kind::Delete).count();
    let mut t = table(&format!("{number}[a-a]:{}x{tombstones}/{}", entries.len(), entries.len()));
    (t.smallest, t.largest) = (entries[0].0.clone(), entries[entries.len() - 1].0.clone());
    t.min_seq = entries.iter().map(|e| e.1).min().unwrap();
    t.max_seq = entries.iter().map(|e| e.1).max().unwrap();
    t
}

/// Trees fed with random writes and snapshots, and compacted as the picker says: no read changes, no level breaks its
/// order, and picking comes to an end with level 0 empty and every level within its target.
#[test]
fn whole_trees_stay_right_and_come_to_rest() {
    for seed in 0..40 {
        let config = Config { small_steps: seed % 3 == 0, ..SMALL };
        let mut model = Model::new(seed);
        for round in 0..60 {
            model.flush();
            if model.below(4) == 0 {
                model.snapshots.push(model.seq);
            }
            if model.below(3) == 0 && !model.snapshots.is_empty() {
                let i = model.below(model.snapshots.len() as u64) as usize;
                model.snapshots.remove(i);
            }
            for _ in 0..model.below(4) {
                model.step(|shape, cursors| pick(shape, &config, cursors, Pressure));
            }
            model.check(&format!("seed {seed}, round {round}"));
        }
        let steps = (0..2000)
            .take_while(|_| model.step(|shape, cursors| pick(shape, &config, cursors, Idle)))
            .count();
        model.check(&format!("seed {seed}, at rest"));
        let shape = Shape::of(&model.version, 0);
        assert!(steps < 2000 && shape.level(0).is_empty(), "seed {seed}: {steps} steps");
        let targets = shape.targets(&config);
        assert!((1..LAST).all(|n| shape.score(&targets, n) <= 1.0), "seed {seed}");
    }
}

/// Compacting everything ends with one level, in which nothing is left that no one can see.
#[test]
fn compacting_everything_leaves_what_is_alive() {
    for seed in 100..140 {
        let config = Config { small_steps: seed % 3 == 0, ..SMALL };
        let mut model = Model::new(seed);
        for _ in 0..30 {
            model.flush();
            model.step(|shape, cursors| pick(shape, &config, cursors, Pressure));
        }
        let all = (Bound::Unbounded, Bound::Unbounded);
        let steps = (0..2000).take_while(|_| model.step(|shape, _| pick_range(shape, &config, all))).count();
        model.check(&format!("seed {seed}"));
        assert!(steps < 2000, "seed {seed}");
        let levels = model.version.levels().iter().filter(|level| !level.is_empty()).count();
        assert!(levels <= 1, "seed {seed}: {levels} levels");
        let tombstones: u64 = model.version.tables().map(|(_, t)| t.summary.tombstones).sum();
        assert_eq!(tombstones, 0, "seed {seed}");
    }
}
