//! A power cut before every operation, and a failure of every operation: what opens afterwards is a state that was
//! acknowledged, or the one being committed, never anything else.

use super::{commit, create, dir, state};
use crate::engine::filename::FileName;
use crate::engine::manifest::LEVELS;
use crate::engine::manifest::current::Current;
use crate::engine::manifest::current::State::Clean;
use crate::engine::manifest::edit::Edit;
use crate::engine::manifest::files::{Presence, look};
use crate::engine::manifest::fixture::adding;
use crate::engine::manifest::registry::Registry;
use crate::engine::manifest::set::Manifest;
use crate::vfs::fault::{Effect, Failure, Fault, FaultVfs, Op};
use crate::vfs::mem::{CrashPolicy, MemVfs, SimClock};
use crate::vfs::{Dir, Vfs};
use crate::{Error, Result};

type State = (Vec<(usize, crate::engine::sstable::summary::TableSummary)>, Registry);

/// What was reached, and after how many operations of the disk.
#[derive(Default)]
struct Journal {
    states: Vec<(u64, State)>,
}

/// An edit of 400,000 bytes, so that a few of them fill a manifest to its roll-over.
fn big_edit(number: u64) -> Edit {
    let mut edit = adding(&[((number % LEVELS as u64) as u8, "1[a-a]")]);
    let table = &mut edit.added[0].1;
    (table.number, table.min_seq, table.max_seq) = (number, number, number);
    table.smallest = vec![number as u8; 200_000];
    table.largest = table.smallest.clone();
    edit
}

/// Creates, commits, closes, opens, and commits until the manifest has rolled over; notes each state reached, and
/// returns the number of the last manifest.
fn work(dir: &Dir, ops: &dyn Fn() -> u64, journal: &mut Journal) -> Result<u64> {
    let mut manifest = if look(dir)? == Presence::Nothing {
        Manifest::create(dir, &SimClock::new(1))?
    } else {
        Manifest::open(dir, &mut |t| t.number)?.manifest
    };
    journal.states.push((ops(), state(&manifest)));
    let mut done = |manifest: &Manifest<u64>| journal.states.push((ops(), state(manifest)));
    commit(&mut manifest, &adding(&[(2, "90[c-d]")]))?;
    done(&manifest);
    manifest.close(95)?;
    done(&manifest);
    let mut manifest = Manifest::open(dir, &mut |t| t.number)?.manifest;
    manifest.roll_over_at(200);
    for number in 1..=6 {
        commit(&mut manifest, &adding(&[(number, &format!("{number}[a-b]"))]))?;
        done(&manifest);
    }
    manifest.close(96)?;
    done(&manifest);
    Ok(manifest.number())
}

/// What the same work reaches when nothing fails.
fn all_states() -> (Vec<(u64, State)>, u64) {
    let disk = MemVfs::new();
    let mut journal = Journal::default();
    let number = work(&dir(disk.clone()), &|| disk.op_count(), &mut journal).unwrap();
    assert_eq!(number, 2, "the manifest has rolled over");
    (journal.states, disk.op_count())
}

/// The model found manifests that had been replaced still there, until the next open: a mebibyte or more for each.
#[test]
fn a_roll_over_leaves_one_manifest() {
    let disk = MemVfs::new();
    let number = work(&dir(disk.clone()), &|| disk.op_count(), &mut Journal::default()).unwrap();
    let names = dir(disk).list().unwrap();
    let manifests: Vec<&String> = names.iter().filter(|name| name.ends_with("manifest")).collect();
    assert_eq!(manifests, [&FileName::Manifest(number).to_string()]);
}

fn found(vfs: impl Vfs + Clone + 'static) -> Option<State> {
    match look(&dir(vfs.clone())).unwrap() {
        Presence::Nothing => None,
        Presence::Database => Some(state(&Manifest::open(&dir(vfs), &mut |t| t.number).unwrap().manifest)),
    }
}

#[test]
fn a_power_cut_anywhere_leaves_a_whole_state() {
    let (states, ops) = all_states();
    for seed in 0..16 {
        let disk = MemVfs::new();
        disk.schedule_crashes(0..=ops, &CrashPolicy::EVERY, seed);
        work(&dir(disk.clone()), &|| 0, &mut Journal::default()).unwrap();
        for image in disk.take_crash_images() {
            let acknowledged = states.iter().rposition(|(op, _)| *op <= image.at_op);
            let next = acknowledged.map_or(0, |at| at + 1);
            let may: Vec<Option<&State>> = match acknowledged {
                None => vec![None, Some(&states[0].1)],
                Some(at) => vec![Some(&states[at].1), states.get(next).map(|(_, state)| state)],
            };
            let context = format!("before operation {}, {:?}, seed {seed}", image.at_op, image.policy);
            let first = found(image.vfs.clone());
            assert!(may.contains(&first.as_ref()), "{context}");
            assert_eq!(found(image.vfs.clone()), first, "{context}: opening again gives the same");
            if first.is_none() {
                create(image.vfs.clone());
                assert_eq!(
                    found(image.vfs).as_ref(),
                    Some(&states[0].1),
                    "{context}: creation can be repeated"
                );
            }
        }
    }
}

#[test]
fn a_failure_anywhere_leaves_a_whole_state_and_stops_later_edits() {
    let (states, _) = all_states();
    for effect in [Effect::NotDone, Effect::Done, Effect::ShortWrite(7)] {
        for failure in [Failure::Device, Failure::NoSpace] {
            for op in 0.. {
                let disk = MemVfs::new();
                let vfs = FaultVfs::over_mem(disk.clone());
                vfs.inject(Fault::nth(op).failing_with(failure).with(effect));
                let mut journal = Journal::default();
                let result = work(&dir(vfs.clone()), &|| 0, &mut journal);
                if vfs.injected() == 0 {
                    break;
                }
                vfs.heal();
                let context = format!("operation {op}, {effect:?}, {failure:?}, {result:?}");
                let at = if result.is_ok() { states.len() - 1 } else { journal.states.len() };
                let now = found(disk.clone());
                let reached = at.checked_sub(1).map(|at| &states[at].1);
                assert!(now.as_ref() == reached || now.as_ref() == states.get(at).map(|s| &s.1), "{context}");
            }
        }
    }
}

/// What S2 promises: after a failed write or sync nothing more is written, whatever is asked for.
#[test]
fn after_a_failed_append_nothing_more_is_written() {
    for op in [Op::Write, Op::Sync] {
        let disk = MemVfs::new();
        let vfs = FaultVfs::over_mem(disk.clone());
        let mut manifest = create(vfs.clone());
        commit(&mut manifest, &adding(&[(1, "1[a-b]")])).unwrap();
        vfs.inject(Fault::nth(0).on(op));
        let before = state(&manifest);
        let first = commit(&mut manifest, &adding(&[(1, "2[c-d]")])).unwrap_err();
        assert!(matches!(first, Error::Io { .. }), "{first}");
        let ops = disk.op_count();
        for _ in 0..2 {
            let e = commit(&mut manifest, &adding(&[(1, "3[e-f]")])).unwrap_err();
            assert!(matches!(e, Error::ReadOnly { .. }), "{e}");
            assert!(matches!(manifest.close(9), Err(Error::ReadOnly { .. })));
            assert!(matches!(manifest.mark_dirty(), Err(Error::ReadOnly { .. })));
        }
        assert_eq!(disk.op_count(), ops);
        assert_eq!(state(&manifest), before, "the version in force is the last that was durable");
    }
}

#[test]
fn an_edit_that_does_not_fit_is_refused_and_nothing_written() {
    let disk = MemVfs::new();
    let mut manifest = create(disk.clone());
    let ops = disk.op_count();
    let e = commit(&mut manifest, &Edit { removed: vec![(1, 7)], ..Edit::default() }).unwrap_err();
    assert!(matches!(e, Error::InvalidArgument { .. }), "{e}");
    assert_eq!(disk.op_count(), ops);
    commit(&mut manifest, &adding(&[(1, "1[a-b]")])).unwrap();
    assert_eq!(disk.op_count(), ops + 2, "an edit is one write and one sync");
}

/// A full disk must not keep an edit from being written that frees space, so a roll-over that does not fit waits.
#[test]
fn a_full_disk_puts_the_roll_over_off() {
    let disk = MemVfs::new();
    let vfs = FaultVfs::over_mem(disk.clone());
    let mut manifest = create(vfs.clone());
    let len = || disk.read_file(std::path::Path::new("/000001.manifest")).unwrap().len() as u64;
    let mut number = 0;
    while len() + 400_100 < 1 << 20 {
        number += 1;
        commit(&mut manifest, &big_edit(number)).unwrap();
    }
    vfs.inject(Fault::nth(0).named("000002.manifest").failing_with(Failure::NoSpace).forever());
    for _ in 0..2 {
        number += 1;
        commit(&mut manifest, &big_edit(number)).unwrap();
    }
    assert!(manifest.number() == 1 && len() > 1 << 20 && vfs.injected() == 1, "one try, then growth");
    assert_eq!(found(disk.clone()).unwrap(), state(&manifest));
    vfs.heal();
    while manifest.number() == 1 {
        number += 1;
        commit(&mut manifest, &big_edit(number)).unwrap();
    }
    assert_eq!(found(disk).unwrap(), state(&manifest));
}

/// `CURRENT` could not be written: nothing has happened, and the same call may succeed later.
#[test]
fn a_full_disk_at_the_first_edit_is_no_end() {
    let disk = MemVfs::new();
    let vfs = FaultVfs::over_mem(disk.clone());
    create(vfs.clone()).close(5).unwrap();
    let mut manifest = Manifest::open(&dir(vfs.clone()), &mut |t| t.number).unwrap().manifest;
    vfs.set_free_space(Some(10));
    let e = commit(&mut manifest, &adding(&[(1, "1[a-b]")])).unwrap_err();
    assert!(matches!(e, Error::DiskFull { .. }), "{e}");
    let current = Current::load(&dir(disk.clone())).unwrap();
    assert!(matches!(current.state, Clean(end) if end.last_seq == 5), "{current:?}");
    vfs.heal();
    commit(&mut manifest, &adding(&[(1, "1[a-b]")])).unwrap();
    assert_eq!(found(disk).unwrap(), state(&manifest));
}
