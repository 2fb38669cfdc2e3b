//! Is a history of concurrent operations linearizable? A search for an order that explains it.
//!
//! A history is a list of operations on a map, each with the moment it was called, the moment its answer came, and what
//! it did or saw. It is linearizable (Herlihy and Wing, "Linearizability: a correctness condition for concurrent
//! objects", 1990) when every operation can be given one moment between call and answer such that, carried out at these
//! moments one after the other, all of them see what they saw.
//!
//! # The search
//!
//! That of Wing and Gong ("Testing and verifying concurrent objects", 1993) with Lowe's memory of configurations
//! ("Testing for linearizability", 2017), as in the checker porcupine. All calls and answers stand in a list, by time:
//!
//! ```text
//!   a called   b called   a answered   c called   b answered   c answered
//!   └─ take the first call whose operation the state allows, with its answer, out of the list; begin anew at the front;
//!      at an answer that is still in the list, the last choice was wrong: put it back, and go on behind it.
//! ```
//!
//! When no answer is left, the order of taking is the explanation. A set of operations taken, together with a state, is
//! tried only once.
//!
//! Keys that no operation joins are independent of each other, and are checked apart (Herlihy and Wing call this
//! locality). Joined ones are checked as one object, so whole batches, snapshots and scans are covered, too.
//!
//! # What is not certain
//!
//! (L1) An operation that was never answered ([`NEVER`]) may happen at any time after its call, or not at all.
//! (L2) A crash ends everything under way: of what was called before and not answered, each happened before it or never.
//! (L3) After a crash the state is the one before, or an earlier one back to the last write that was durable when it was
//!      answered, or to the last [`Action::Sync`]. An answered write that is not `durable` may be lost so, but only with all
//!      that came after it: what is left is the state of one moment, over all keys that are checked together.
//!
//! Rejected: a linear order by time stamps of the engine (it would be believed, not checked); checking batches by their
//! stamps alone (a stale, but whole, batch would pass).

use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

/// The answer that never came.
pub const NEVER: u64 = u64::MAX;

/// So many configurations are tried before the search gives up; an ordinary history needs a few for each operation.
const MOST: usize = 3_000_000;

/// Moments in the order they were taken, over all threads: one before each call, one after each answer.
#[derive(Default)]
pub struct Tickets(AtomicU64);

impl Tickets {
    /// The next moment.
    pub fn next(&self) -> u64 {
        self.0.fetch_add(1, Ordering::SeqCst)
    }

    /// A moment before the next one.
    pub fn now(&self) -> u64 {
        self.0.load(Ordering::SeqCst)
    }
}

/// A key and its value, none when it is absent. Values should be written once each, or stale reads may go unnoticed.
pub type Pair = (u32, Option<u64>);

/// What an operation did, or saw.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// All of this was seen as of one moment.
    Read(Vec<Pair>),
    /// All of this was written at once.
    Write(Vec<Pair>),
    /// The first was seen and the second written, all as of one moment. If it was not answered, it may not have happened, but
    /// not have happened otherwise.
    Transact(Vec<Pair>, Vec<Pair>),
    /// A delete that told whether there was something.
    Take(u32, bool),
    /// Everything before is durable.
    Sync,
}

/// An operation of a history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Op {
    /// Who called it; only for people to read.
    pub who: usize,
    /// The moment before the call.
    pub call: u64,
    /// The moment after the answer, or [`NEVER`].
    pub answer: u64,
    /// What it was. Of a write that was not answered, what was asked for; of a read, it does not matter.
    pub action: Action,
    /// Whether a write, once answered, survives a crash.
    pub durable: bool,
}

/// Operations, and the moments at which everything that was under way ended.
#[derive(Debug, Clone, Default)]
pub struct History {
    pub ops: Vec<Op>,
    pub crashes: Vec<u64>,
}

impl History {
    /// Finds an order that explains everything, for all keys.
    ///
    /// # Errors
    /// What cannot be explained, with what happened around it.
    pub fn check(&self) -> Result<(), String> {
        for keys in self.joined_keys() {
            let part = Part::new(self, &keys);
            part.search().map_err(|why| format!("keys {keys:?}: {why}"))?;
        }
        Ok(())
    }

    /// The keys, in groups that no operation joins.
    fn joined_keys(&self) -> Vec<Vec<u32>> {
        let mut group_of: BTreeMap<u32, usize> = BTreeMap::new();
        let mut groups: Vec<Vec<u32>> = Vec::new();
        for op in &self.ops {
            let mut home = None;
            for key in op.keys() {
                let group = *group_of.entry(key).or_insert_with(|| {
                    groups.push(vec![key]);
                    groups.len() - 1
                });
                let home = *home.get_or_insert(group);
                if home != group {
                    let moved = std::mem::take(&mut groups[group]);
                    moved.iter().for_each(|key| *group_of.get_mut(key).unwrap() = home);
                    groups[home].extend(moved);
                }
            }
        }
        groups.retain(|group| !group.is_empty());
        groups
    }
}

impl Op {
    fn keys(&self) -> Vec<u32> {
        match &self.action {
            Action::Read(pairs) | Action::Write(pairs) => pairs.iter().map(|(key, _)| *key).collect(),
            Action::Transact(seen, written) => seen.iter().chain(written).map(|(key, _)| *key).collect(),
            Action::Take(key, _) => vec![*key],
            Action::Sync => Vec::new(),
        }
    }
}

impl fmt::Display for Op {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Op { who, call, answer, action, durable } = self;
        write!(f, "[{call}, ")?;
        if *answer == NEVER {
            write!(f, "never] ")?
        } else {
            write!(f, "{answer}] ")?
        }
        write!(f, "thread {who}: {action:?}{}", if *durable { " durable" } else { "" })
    }
}

/// The values of the keys of a part.
type Values = Box<[Option<u64>]>;

/// What the map is, and what else it might be after a crash (L3).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct State {
    now: Values,
    /// Oldest first, without `now`. Kept only while a crash may follow.
    earlier: Vec<Values>,
}

/// What may happen at one moment of the order.
enum Step<'a> {
    Op {
        op: &'a Op,
        /// What it saw or wrote, by place in [`Values`].
        pairs: Vec<(usize, Option<u64>)>,
        /// What a transaction saw before it wrote.
        seen: Vec<(usize, Option<u64>)>,
        answered: bool,
        /// The crash it was called before, and which cut it off if it was not answered (L2).
        end: Option<u64>,
    },
    Crash,
}

/// The operations on some keys, in the list that the search works on.
struct Part<'a> {
    steps: Vec<Step<'a>>,
    events: Vec<Event>,
    keys: usize,
}

#[derive(Clone, Copy)]
struct Event {
    step: usize,
    /// The place of the answer, for the call of a step that has one.
    answer: Option<usize>,
    is_call: bool,
}

impl<'a> Part<'a> {
    fn new(history: &'a History, keys: &[u32]) -> Part<'a> {
        let place: BTreeMap<u32, usize> = keys.iter().enumerate().map(|(place, key)| (*key, place)).collect();
        let mut crashes = history.crashes.clone();
        crashes.sort_unstable();
        let wanted = history.ops.iter().filter(|op| op.concerns(&place, !crashes.is_empty()));
        let ends = wanted.map(|op| (op, crashes.iter().copied().find(|crash| *crash > op.call)));
        let mut steps: Vec<(u64, Step<'_>)> = crashes.iter().map(|at| (*at, Step::Crash)).collect();
        for (op, end) in ends {
            let answered = op.answer < end.unwrap_or(NEVER);
            if answered || matches!(op.action, Action::Write(_) | Action::Transact(..) | Action::Take(..)) {
                let (pairs, seen) = (op.pairs(&place), op.seen(&place));
                steps.push((op.call, Step::Op { op, pairs, seen, answered, end }));
            }
        }
        // By time, so that what has been taken is nearly a prefix: see `brief`.
        steps.sort_by_key(|(at, _)| *at);
        let steps: Vec<Step<'_>> = steps.into_iter().map(|(_, step)| step).collect();
        let mut times = Vec::new();
        let mut crashed = crashes.iter();
        for (number, step) in steps.iter().enumerate() {
            let (call, answer) = match step {
                Step::Crash => crashed.next().map(|at| ((*at, 1), Some((*at, 2)))).expect("one for each"),
                Step::Op { op, answered: true, .. } => ((op.call, 0), Some((op.answer, 0))),
                // What a crash cuts off ends at the crash's own moment, and before it.
                Step::Op { op, end, .. } => ((op.call, 0), end.map(|crash| (crash, 0))),
            };
            times.push((call, number, true));
            times.extend(answer.map(|answer| (answer, number, false)));
        }
        times.sort_unstable();
        Part { events: events(&times, steps.len()), steps, keys: keys.len() }
    }

    fn search(&self) -> Result<(), String> {
        let mut list = List::new(&self.events);
        let mut tried = HashSet::new();
        let mut taken = vec![0u64; self.steps.len().div_ceil(64)];
        let mut path: Vec<Choice> = Vec::new();
        let mut state = State { now: vec![None; self.keys].into(), earlier: Vec::new() };
        let (mut at, mut from) = (list.first(), 0);
        let mut best = Best::default();
        while list.answers > 0 {
            let event = self.events[at.expect("answers stand at the end of the list at the latest")];
            if event.is_call {
                let next =
                    self.outcomes(event.step, &state).into_iter().enumerate().skip(from).find(|(_, s)| {
                        flip(&mut taken, event.step);
                        let new = tried.insert((brief(&taken), s.clone()));
                        flip(&mut taken, event.step);
                        new
                    });
                if let Some((choice, after)) = next {
                    flip(&mut taken, event.step);
                    let before = std::mem::replace(&mut state, after);
                    path.push(Choice { event: at.expect("it was looked at"), outcome: choice, before });
                    list.take_out(&self.events, path[path.len() - 1].event);
                    (at, from) = (list.first(), 0);
                } else {
                    (at, from) = (list.after(at.expect("it was looked at")), 0);
                }
                if tried.len() > MOST {
                    return Err(format!("undecided after {MOST} configurations"));
                }
                continue;
            }
            best.note(&path, event.step, &state);
            let Some(last) = path.pop() else { return Err(self.explain(&best)) };
            list.put_back(&self.events, last.event);
            flip(&mut taken, self.events[last.event].step);
            state = last.before;
            (at, from) = (Some(last.event), last.outcome + 1);
        }
        Ok(())
    }

    /// What the state may be after a step; nothing when the step cannot come now.
    fn outcomes(&self, step: usize, state: &State) -> Vec<State> {
        let Step::Op { op, pairs, seen, answered, end } = &self.steps[step] else {
            let now = std::iter::once(&state.now).chain(state.earlier.iter().rev());
            return now.map(|now| State { now: now.clone(), earlier: Vec::new() }).collect();
        };
        let found = |(place, value): &(usize, Option<u64>)| state.now[*place] == *value;
        let mut after = state.clone();
        match &op.action {
            Action::Read(_) => return if pairs.iter().all(found) { vec![after] } else { Vec::new() },
            Action::Take(_, there) if *answered && *there != state.now[pairs[0].0].is_some() => {
                return Vec::new();
            }
            Action::Sync => {
                after.earlier.clear();
                return vec![after];
            }
            Action::Transact(..) if !seen.iter().all(found) => {
                return if !*answered && end.is_some() { vec![after] } else { Vec::new() };
            }
            Action::Take(..) | Action::Write(_) | Action::Transact(..) => {}
        }
        pairs.iter().for_each(|(place, value)| after.now[*place] = *value);
        if *answered && op.durable {
            after.earlier.clear();
        } else if end.is_some() && after.now != state.now {
            after.earlier.push(state.now.clone());
        }
        if !*answered && end.is_some() { vec![after, state.clone()] } else { vec![after] }
    }

    fn explain(&self, best: &Best) -> String {
        let describe = |step: usize| match &self.steps[step] {
            Step::Op { op, .. } => op.to_string(),
            Step::Crash => "crash".into(),
        };
        let last = best.order.iter().map(|event| self.events[*event].step);
        let last: Vec<usize> = last.skip(best.order.len().saturating_sub(8)).collect();
        let mut text = format!("no order explains the {} operations. At best, after", self.steps.len());
        last.iter().for_each(|step| text.push_str(&format!("\n  {}", describe(*step))));
        text.push_str(&format!(
            "\nthe state is {:?}, and this cannot come:\n  {}",
            best.now,
            describe(best.stuck)
        ));
        text
    }
}

/// A moment, with what comes first of the things that have the same.
type Time = (u64, u8);

/// The list's events in their order, from the time of each, its step and whether it is the call.
fn events(times: &[(Time, usize, bool)], steps: usize) -> Vec<Event> {
    let mut answers = vec![None; steps];
    for (at, (_, step, _)) in times.iter().enumerate().filter(|(_, (.., is_call))| !is_call) {
        answers[*step] = Some(at);
    }
    let event = |(_, step, is_call): &(Time, usize, bool)| Event {
        step: *step,
        is_call: *is_call,
        answer: answers[*step],
    };
    times.iter().map(event).collect()
}

impl Op {
    fn concerns(&self, place: &BTreeMap<u32, usize>, crashes: bool) -> bool {
        match self.action {
            Action::Sync => crashes,
            _ => self.keys().first().is_some_and(|key| place.contains_key(key)),
        }
    }

    fn pairs(&self, place: &BTreeMap<u32, usize>) -> Vec<(usize, Option<u64>)> {
        match &self.action {
            Action::Read(pairs) | Action::Write(pairs) | Action::Transact(_, pairs) => {
                pairs.iter().map(|(key, value)| (place[key], *value)).collect()
            }
            Action::Take(key, _) => vec![(place[key], None)],
            Action::Sync => Vec::new(),
        }
    }

    fn seen(&self, place: &BTreeMap<u32, usize>) -> Vec<(usize, Option<u64>)> {
        match &self.action {
            Action::Transact(seen, _) => seen.iter().map(|(key, value)| (place[key], *value)).collect(),
            _ => Vec::new(),
        }
    }
}

/// A set of steps without the full words at its beginning and the empty ones at its end.
fn brief(taken: &[u64]) -> (usize, Box<[u64]>) {
    let full = taken.iter().take_while(|word| **word == u64::MAX).count();
    let empty = taken[full..].iter().rev().take_while(|word| **word == 0).count();
    (full, taken[full..taken.len() - empty].into())
}

fn flip(bits: &mut [u64], at: usize) {
    bits[at / 64] ^= 1 << (at % 64);
}

/// One step of the order that is being tried.
struct Choice {
    event: usize,
    /// Which of the step's outcomes.
    outcome: usize,
    before: State,
}

/// The longest order that was found, for the message.
#[derive(Default)]
struct Best {
    order: Vec<usize>,
    stuck: usize,
    now: Values,
}

impl Best {
    fn note(&mut self, path: &[Choice], stuck: usize, state: &State) {
        if path.len() >= self.order.len() {
            self.order = path.iter().map(|choice| choice.event).collect();
            self.stuck = stuck;
            self.now = state.now.clone();
        }
    }
}

/// The events that are not yet in the order: a list in two directions, with an end that stands before the first and
/// behind the last. What was taken out last is put back first, so it finds its neighbours where they were.
struct List {
    next: Vec<usize>,
    back: Vec<usize>,
    /// How many answers are in it.
    answers: usize,
}

impl List {
    fn new(events: &[Event]) -> List {
        let n = events.len() + 1;
        List {
            next: (0..n).map(|at| (at + 1) % n).collect(),
            back: (0..n).map(|at| (at + n - 1) % n).collect(),
            answers: events.iter().filter(|event| !event.is_call).count(),
        }
    }

    fn end(&self) -> usize {
        self.next.len() - 1
    }

    fn first(&self) -> Option<usize> {
        self.after(self.end())
    }

    fn after(&self, at: usize) -> Option<usize> {
        Some(self.next[at]).filter(|next| *next != self.end())
    }

    /// Takes out a call, and its answer.
    fn take_out(&mut self, events: &[Event], call: usize) {
        for at in [Some(call), events[call].answer].into_iter().flatten() {
            let (back, next) = (self.back[at], self.next[at]);
            (self.next[back], self.back[next]) = (next, back);
        }
        self.answers -= usize::from(events[call].answer.is_some());
    }

    fn put_back(&mut self, events: &[Event], call: usize) {
        for at in [events[call].answer, Some(call)].into_iter().flatten() {
            let (back, next) = (self.back[at], self.next[at]);
            (self.next[back], self.back[next]) = (at, at);
        }
        self.answers += usize::from(events[call].answer.is_some());
    }
}
