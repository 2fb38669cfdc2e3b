//! The checker, checked: histories made by hand, and all small ones against a search that tries every order.
//!
//! A history is written a line for each operation: `1..4 put a=7` was called at 1 and answered at 4, `5.. put a=8` never.
//! `get a=-` found nothing; `put! a=7` is durable once answered; `take a=yes` deleted something; `9 crash`;
//! `tx a=1 > b=2` saw the first and wrote the second.

use super::checker::{Action, History, NEVER, Op, Pair, Tickets};
use crate::support::Random;
use std::sync::Mutex;
use std::thread;

fn parse(text: &str) -> History {
    let mut history = History::default();
    for (who, line) in text.lines().map(str::trim).filter(|line| !line.is_empty()).enumerate() {
        let mut words = line.split(' ').filter(|word| !word.is_empty());
        let (time, verb) = (words.next().unwrap(), words.next().unwrap());
        if verb == "crash" {
            history.crashes.push(time.parse().unwrap());
            continue;
        }
        let (call, answer) = time.split_once("..").unwrap();
        let pairs: Vec<(u32, &str)> = words
            .map(|word| (u32::from(word.as_bytes()[0]), word.split_once('=').map_or("-", |w| w.1)))
            .collect();
        let values = || pairs.iter().map(|(key, value)| (*key, value.parse().ok())).collect::<Vec<Pair>>();
        let written = pairs.iter().position(|(key, _)| *key == u32::from(b'>')).unwrap_or_default();
        history.ops.push(Op {
            who,
            call: call.parse().unwrap(),
            answer: answer.parse().unwrap_or(NEVER),
            action: match verb {
                "get" => Action::Read(values()),
                "put" | "put!" => Action::Write(values()),
                "tx" | "tx!" => {
                    Action::Transact(values()[..written].to_vec(), values()[written + 1..].to_vec())
                }
                "take" => Action::Take(pairs[0].0, pairs[0].1 == "yes"),
                "sync" => Action::Sync,
                other => panic!("no such verb: {other}"),
            },
            durable: verb.ends_with('!'),
        });
    }
    history
}

#[track_caller]
fn right(text: &str) {
    let history = parse(text);
    history.check().unwrap();
    assert!(naive(&history));
}

#[track_caller]
fn wrong(text: &str) {
    let history = parse(text);
    let why = history.check().expect_err("no order explains this");
    assert!(why.contains("cannot come"), "{why}");
    assert!(!naive(&history));
}

#[test]
fn what_may_be_seen_at_the_same_time_is_seen_either_way() {
    right("1..4 put a=1 \n 2..3 get a=-");
    right("1..4 put a=1 \n 2..3 get a=1");
    right("1..6 put a=1 \n 2..3 get a=- \n 4..5 get a=1");
    right("1..8 put a=1 \n 2..7 put a=2 \n 3..4 get a=2 \n 5..6 get a=1");
    right("1..2 put a=1 \n 3..6 put a= \n 4..5 get a=1 \n 7..8 get a=-");
}

#[test]
fn stale_reads_and_lost_writes_are_found() {
    wrong("1..2 put a=1 \n 3..4 get a=-");
    wrong("1..2 put a=1 \n 3..4 put a=2 \n 5..6 get a=1");
    wrong("1..6 put a=1 \n 2..3 get a=1 \n 4..5 get a=-");
    wrong("1..2 get a=7");
    wrong("1..2 put a=1 \n 3..4 put a= \n 5..6 get a=1");
    // Two readers that see two concurrent writes in different orders.
    wrong("1..9 put a=1 \n 1..9 put a=2 \n 2..3 get a=1 \n 4..5 get a=2 \n 6..7 get a=1");
}

#[test]
fn batches_and_snapshots_are_whole() {
    right("1..4 put a=1 b=1 \n 2..3 get a=1 b=1");
    right("1..4 put a=1 b=1 \n 2..3 get a=- b=-");
    wrong("1..4 put a=1 b=1 \n 2..3 get a=1 b=-");
    wrong("1..2 put a=1 b=1 \n 3..6 put a=2 b=2 \n 4..5 get a=1 b=2");
    // Whole, but older than what was seen before.
    wrong("1..8 put a=1 b=1 \n 2..3 get b=1 \n 4..5 get a=- b=-");
    // Two snapshots that order two writes of different keys differently.
    wrong("1..8 put a=1 \n 1..8 put b=1 \n 2..3 get a=1 b=- \n 4..5 get a=- b=1");
}

#[test]
fn transactions_see_and_write_at_one_moment() {
    right("1..4 tx a=- > a=1 \n 2..3 tx b=- > b=1 \n 5..6 get a=1 b=1");
    right("1..4 tx a=- > b=1 \n 2..3 tx b=1 > a=1");
    // A lost update, and two that each saw what the other had not written yet.
    wrong("1..4 tx a=- > a=1 \n 2..3 tx a=- > a=2");
    wrong("1..4 tx a=- b=- > a=1 \n 2..3 tx a=- b=- > b=1");
    wrong("1..2 put a=1 \n 3..4 tx a=- > b=1");
    // Not answered: it happened as it saw things, or never.
    right("1.. tx a=- > b=1 \n 2..3 get b=1 \n 4 crash \n 5..6 get b=1");
    right("1.. tx a=- > b=1 \n 2 crash \n 3..4 get b=-");
    right("1..2 put! a=1 \n 1.. tx a=- > b=1 \n 3 crash \n 4..5 get a=1 b=1");
    wrong("1..2 put! a=1 \n 3.. tx a=- > b=1 \n 4 crash \n 5..6 get b=1");
    wrong("1..2 tx! a=- > b=1 \n 3 crash \n 4..5 get b=-");
}

#[test]
fn a_delete_that_tells_succeeds_once() {
    right("1..2 put a=1 \n 3..6 take a=yes \n 4..5 take a=no \n 7..8 get a=-");
    wrong("1..2 put a=1 \n 3..6 take a=yes \n 4..5 take a=yes");
    wrong("1..2 put a=1 \n 3..4 take a=no");
    right("1..2 put a=1 \n 3.. take a=no \n 4..5 take a=yes \n 6..7 get a=-");
}

#[test]
fn what_was_never_answered_may_happen_late_or_not_at_all() {
    right("1.. put a=1 \n 2..3 get a=-");
    right("1.. put a=1 \n 2..3 get a=- \n 4..5 put a=2 \n 6..7 get a=1");
    wrong("1.. put a=1 \n 2..3 get a=1 \n 4..5 get a=-");
    wrong("2..3 get a=1 \n 4.. put a=1");
}

#[test]
fn a_crash_takes_what_was_not_durable_and_nothing_else() {
    right("1..2 put! a=1 \n 3 crash \n 4..5 get a=1");
    wrong("1..2 put! a=1 \n 3 crash \n 4..5 get a=-");
    right("1..2 put a=1 \n 3 crash \n 4..5 get a=-");
    right("1..2 put a=1 \n 3 crash \n 4..5 get a=1");
    wrong("1..2 put a=1 \n 3..4 sync \n 5 crash \n 6..7 get a=-");
    // A later durable write vouches for an earlier one.
    wrong("1..2 put a=1 b=1 \n 3..4 put! b=2 \n 5 crash \n 6..7 get a=- b=2");
    // What was lost does not come back.
    wrong("1..2 put a=1 \n 3 crash \n 4..5 get a=- \n 6..7 get a=1");
    wrong("1..2 put a=1 \n 3 crash \n 4..5 get a=1 \n 6 crash \n 7..8 get a=-");
}

#[test]
fn what_a_crash_cut_off_happened_before_it_or_never() {
    right("1.. put! a=1 \n 2 crash \n 3..4 get a=1");
    right("1.. put! a=1 \n 2 crash \n 3..4 get a=-");
    wrong("1.. put! a=1 \n 2 crash \n 3..4 get a=- \n 5..6 get a=1");
    // Seen before the crash, and gone after it: it was not acknowledged.
    right("1.. put! a=1 \n 2..3 get a=1 \n 4 crash \n 5..6 get a=-");
    // An answer from behind the crash is none.
    right("1..3 put! a=1 \n 2 crash \n 4..5 get a=-");
}

#[test]
fn after_a_crash_the_state_is_that_of_one_moment() {
    let before = "1..2 put a=1 b=1 \n 3..4 put a=2 \n 5..6 put b=2 \n 7 crash \n";
    for seen in ["a=- b=-", "a=1 b=1", "a=2 b=1", "a=2 b=2"] {
        right(&format!("{before} 8..9 get {seen}"));
    }
    for seen in ["a=1 b=2", "a=- b=1", "a=2 b=-"] {
        wrong(&format!("{before} 8..9 get {seen}"));
    }
}

/// Moments taken by real threads around what is linearizable for certain: a map behind a lock.
#[test]
fn threads_on_a_locked_map_are_linearizable() {
    let (tickets, map) = (Tickets::default(), Mutex::new([None; 4]));
    let work = |who: usize| {
        let mut random = Random::new(who as u64);
        let one = |n: u64| {
            let (key, call) = (random.below(4), tickets.next());
            let value = random.one_in(2).then_some(who as u64 * 1000 + n);
            let action = if random.one_in(2) {
                map.lock().unwrap()[key] = value;
                Action::Write(vec![(key as u32, value)])
            } else {
                Action::Read(
                    map.lock().unwrap().iter().copied().enumerate().map(|(k, v)| (k as u32, v)).collect(),
                )
            };
            Op { who, call, answer: tickets.next(), action, durable: true }
        };
        (0..500).map(one).collect::<Vec<_>>()
    };
    let ops = thread::scope(|scope| {
        let threads: Vec<_> = (0..4).map(|who| scope.spawn(move || work(who))).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    History { ops, crashes: vec![tickets.now()] }.check().unwrap();
}

#[test]
fn small_histories_agree_with_trying_every_order() {
    let mut right = 0;
    for seed in 0..4000 {
        let history = random(&mut Random::new(seed));
        let expected = naive(&history);
        let found = history.check();
        assert_eq!(found.is_ok(), expected, "seed {seed}: {found:?}\n{history:#?}");
        right += usize::from(expected);
    }
    assert!((400..3600).contains(&right), "{right} of 4000 can be explained: too few of one kind");
}

/// Three threads, two keys, and few values, so that it is right about half of the time.
fn random(random: &mut Random) -> History {
    let mut history = History::default();
    let mut free = [0u64; 3];
    for _ in 0..3 + random.below(5) {
        let who = random.below(3);
        let call = free[who] + 1 + random.below(4) as u64;
        let answer = if random.one_in(6) { NEVER } else { call + 1 + random.below(6) as u64 };
        free[who] = if answer == NEVER { call } else { answer };
        let (key, value) = (random.below(2) as u32, Some(random.below(3) as u64).filter(|v| *v > 0));
        let pairs = if random.one_in(3) { vec![(0, value), (1, value)] } else { vec![(key, value)] };
        let action = match random.below(12) {
            10.. => Action::Transact(vec![(random.below(2) as u32, None)], pairs),
            0..4 => Action::Read(pairs),
            4..8 => Action::Write(pairs),
            8 => Action::Take(key, random.one_in(2)),
            _ => Action::Sync,
        };
        // Each moment belongs to one event: threads take turns.
        let time = |t: u64| if t == NEVER { NEVER } else { t * 4 + who as u64 };
        history.ops.push(Op {
            who,
            call: time(call),
            answer: time(answer),
            action,
            durable: random.one_in(2),
        });
    }
    for _ in 0..random.below(3) {
        history.crashes.push(random.below(40) as u64 * 4 + 3);
    }
    history.crashes.sort_unstable();
    history.crashes.dedup();
    history
}

/// Something that has a place in the order. Times are doubled, so that a crash can come right behind what it cuts off.
struct Thing<'a> {
    /// None for a crash.
    op: Option<&'a Op>,
    call: u64,
    /// It comes before all that is called after this.
    latest: u64,
    answered: bool,
}

/// Whether some order explains the history, by trying all of them, in the words of (L1) to (L3).
fn naive(history: &History) -> bool {
    let mut things = Vec::new();
    for op in &history.ops {
        let end = history.crashes.iter().copied().filter(|crash| *crash > op.call).min().unwrap_or(NEVER);
        let answered = op.answer < end;
        let latest = op.answer.min(end).saturating_mul(2);
        things.push(Thing { op: Some(op), call: op.call * 2, latest, answered });
    }
    let crash = |at: &u64| Thing { op: None, call: at * 2 + 1, latest: at * 2 + 1, answered: true };
    things.extend(history.crashes.iter().map(crash));
    try_all(&things, &[Vec::new()])
}

/// `states` is what the map was since it was last durable; the last one is what it is.
fn try_all(things: &[Thing<'_>], states: &[Vec<Pair>]) -> bool {
    if things.iter().all(|thing| thing.latest == NEVER) {
        return true;
    }
    let may_come = |thing: &Thing<'_>| things.iter().all(|other| other.latest >= thing.call);
    let now = &states[states.len() - 1];
    (0..things.len()).filter(|at| may_come(&things[*at])).any(|at| {
        let thing = &things[at];
        let rest: Vec<Thing<'_>> =
            things.iter().enumerate().filter(|(i, _)| *i != at).map(|(_, t)| t.copy()).collect();
        let Some(op) = thing.op else {
            return states.iter().any(|state| try_all(&rest, std::slice::from_ref(state)));
        };
        let not_at_all = || !thing.answered && try_all(&rest, states);
        let go_on = |state: Vec<Pair>, durable: bool| {
            let earlier = if thing.answered && durable { &[][..] } else { states };
            try_all(&rest, &[earlier, &[state]].concat())
        };
        match &op.action {
            Action::Read(pairs) if thing.answered && pairs.iter().any(|(k, v)| value(now, *k) != *v) => false,
            Action::Take(k, there) if thing.answered && value(now, *k).is_some() != *there => false,
            Action::Transact(seen, _) if seen.iter().any(|(k, v)| value(now, *k) != *v) => not_at_all(),
            Action::Read(_) => try_all(&rest, states),
            Action::Sync => not_at_all() || go_on(now.clone(), true),
            Action::Take(key, _) => not_at_all() || go_on(with(now, *key, None), op.durable),
            Action::Write(pairs) | Action::Transact(_, pairs) => {
                let after = pairs.iter().fold(now.clone(), |now, (key, value)| with(&now, *key, *value));
                not_at_all() || go_on(after, op.durable)
            }
        }
    })
}

impl<'a> Thing<'a> {
    fn copy(&self) -> Thing<'a> {
        Thing { ..*self }
    }
}

fn value(state: &[Pair], key: u32) -> Option<u64> {
    state.iter().find(|pair| pair.0 == key).and_then(|pair| pair.1)
}

fn with(state: &[Pair], key: u32, value: Option<u64>) -> Vec<Pair> {
    let others = state.iter().copied().filter(|pair| pair.0 != key);
    others.chain([(key, value)]).collect()
}
