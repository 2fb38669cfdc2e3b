//! What a listener is told, in which order, and what it may do.

use siltstone::vfs::Vfs;
use siltstone::vfs::fault::{Failure, Fault, FaultVfs, Op};
use siltstone::vfs::mem::{MemVfs, SimClock};
use siltstone::{Background, CompactionKind, Compression, Db, Error, Event, Listener, Options, Work};
use std::collections::BTreeSet;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(60);

/// Keeps what it hears, and does something with it.
struct Ear {
    heard: Mutex<Vec<Event>>,
    act: Box<dyn Fn(&Event) + Send + Sync>,
}

impl std::fmt::Debug for Ear {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Ear")
    }
}

impl Listener for Ear {
    fn on_event(&self, event: &Event) {
        self.heard.lock().unwrap().push(event.clone());
        (self.act)(event);
    }
}

impl Ear {
    fn new(act: impl Fn(&Event) + Send + Sync + 'static) -> Arc<Ear> {
        Arc::new(Ear { heard: Mutex::default(), act: Box::new(act) })
    }

    fn heard(&self) -> Vec<Event> {
        self.heard.lock().unwrap().clone()
    }
}

fn options(vfs: &dyn Fn() -> Arc<dyn Vfs>, background: Background, ear: &Arc<Ear>) -> Options {
    let options = Options::default().vfs(vfs()).listener(Arc::clone(ear) as Arc<dyn Listener>);
    let options = options.background(background).compression(Compression::None).block_bytes(200);
    let options = options.memtable_bytes(16 << 10).table_bytes(4 << 10).level_ratio(2);
    match background {
        Background::Stepped => options.clock(Arc::new(SimClock::new(1))),
        Background::Threads => options,
    }
}

fn on_memory(mem: &MemVfs) -> impl Fn() -> Arc<dyn Vfs> {
    let mem = mem.clone();
    move || Arc::new(mem.clone())
}

fn load(db: &Db, rounds: u32) {
    for n in 0..rounds * 100 {
        db.put(format!("key{:04}", n * 7919 % 1000), [n as u8; 50]).unwrap();
    }
}

/// For every begin its end follows, with the same facts; tables come before they go, and each once; and what is told adds up to
/// what is in force, as `db` says.
fn check_order(heard: &[Event], db: Option<&Db>) {
    assert!(matches!(heard.first(), Some(Event::Recovered(_))), "{:?}", heard.first());
    let (mut flush, mut compaction, mut stall) = (None, None, None);
    let (mut there, mut removed) = (BTreeSet::new(), BTreeSet::new());
    for event in heard {
        assert!(!event.to_string().is_empty());
        match event {
            Event::FlushBegun(e) => assert!(flush.replace(e.buffers).is_none(), "two flushes"),
            Event::FlushEnded(e) => assert_eq!(flush.take(), Some(e.buffers)),
            Event::CompactionBegun(e) => {
                let facts = (e.kind, e.level, e.output_level, e.tables, e.input_bytes);
                assert!(e.tables > 0 && e.input_bytes > 0 && compaction.replace(facts).is_none());
            }
            Event::CompactionEnded(e) => {
                let facts = (e.kind, e.level, e.output_level, e.tables, e.input_bytes);
                assert_eq!(compaction.take(), Some(facts));
                assert_eq!(e.tables_written > 0, e.written_bytes > 0);
                assert!(e.kind == CompactionKind::Merge || e.tables_written == 0);
            }
            Event::StallBegun(e) => assert!(stall.replace(e.reason).is_none(), "two stalls"),
            Event::StallEnded(e) => assert_eq!(stall.take(), Some(e.reason)),
            Event::TableCreated(e) => {
                assert!(e.bytes > 0 && there.insert(e.number) && !removed.contains(&e.number));
            }
            Event::TableRemoved(e) => assert!(there.remove(&e.number) && removed.insert(e.number)),
            _ => {}
        }
    }
    assert_eq!((flush, compaction, stall), (None, None, None), "something has no end");
    if let Some(db) = db {
        let tables: usize = db.stats().levels.iter().map(|level| level.tables).sum();
        assert_eq!(there.len(), tables);
    }
}

#[test]
fn everything_is_told_once_and_in_order() {
    let (mem, ear) = (MemVfs::new(), Ear::new(|_| {}));
    let db = options(&on_memory(&mem), Background::Stepped, &ear).open("/db").unwrap();
    load(&db, 30);
    db.compact_range::<&str>(..).unwrap();
    let (heard, stats) = (ear.heard(), db.stats());
    check_order(&heard, Some(&db));
    let count = |is: fn(&Event) -> bool| heard.iter().filter(|event| is(event)).count() as u64;
    assert_eq!(count(|e| matches!(e, Event::FlushEnded(e) if e.error.is_none())), stats.flushes);
    let merged = |e: &Event| matches!(e, Event::CompactionEnded(e) if e.kind == CompactionKind::Merge);
    assert_eq!(count(merged), stats.compactions);
    assert_eq!(count(|e| matches!(e, Event::StallEnded(_))), stats.stalls["write_buffers_full"].times);
    assert!(stats.flushes > 5 && stats.compactions > 0, "{stats}");
    db.put("one", "more").unwrap();
    db.close().unwrap();
    let after = ear.heard().split_off(heard.len());
    assert!(matches!(after[0], Event::FlushBegun(_)), "close flushes, and tells: {after:?}");
    check_order(&ear.heard(), None);
}

#[test]
fn threads_tell_all_before_close_returns() {
    let (mem, ear) = (MemVfs::new(), Ear::new(|_| {}));
    let db = options(&on_memory(&mem), Background::Threads, &ear).open("/db").unwrap();
    load(&db, 60);
    db.compact_range::<&str>(..).unwrap();
    let stats = db.stats();
    db.close().unwrap();
    let heard = ear.heard();
    check_order(&heard, None);
    let flushes = heard.iter().filter(|event| matches!(event, Event::FlushEnded(_))).count();
    assert!(flushes as u64 >= stats.flushes && stats.flushes > 0);
}

/// A listener that works with the database from within: reads, statistics, writes that lead to further events, and the end.
#[test]
fn a_listener_may_use_the_database() {
    for background in [Background::Threads, Background::Stepped] {
        let place: Arc<OnceLock<Db>> = Arc::default();
        let (done, is_done): (Sender<()>, Receiver<()>) = channel();
        let of_ear = Arc::clone(&place);
        let (done, mut_state) = (Mutex::new(done), Mutex::new(0));
        let ear = Ear::new(move |event| {
            let Some(db) = of_ear.get() else { return };
            if matches!(event, Event::FlushBegun(_) | Event::FlushEnded(_) | Event::TableCreated(_)) {
                let Ok(found) = db.get("first") else { return };
                assert_eq!(found.unwrap(), b"here");
                assert!(db.iter().count() > 0 && db.stats().last_sequence > 0);
                db.put("from within", "!").unwrap();
                let mut told = mut_state.lock().unwrap();
                *told += 1;
                if *told == 20 {
                    drop(told);
                    db.flush().unwrap();
                    db.close().unwrap();
                    done.lock().unwrap().send(()).unwrap();
                }
            }
        });
        let mem = MemVfs::new();
        let db = options(&on_memory(&mem), background, &ear).open("/db").unwrap();
        db.put("first", "here").unwrap();
        place.set(db.clone()).unwrap();
        let writing = (0..u32::MAX).map(|n| db.put(format!("key{:04}", n % 1000), [1; 50]));
        let ended = writing.filter_map(Result::err).next().unwrap();
        assert!(matches!(ended, Error::Closed), "{ended}");
        is_done.recv_timeout(PATIENCE).expect("the listener came through");
        db.close().unwrap();
        // With the second life nobody closes but the last handle, which the listener's place keeps.
        let db = options(&on_memory(&mem), background, &Ear::new(|_| {})).open("/db").unwrap();
        assert_eq!(db.get("from within").unwrap().unwrap(), b"!");
    }
}

#[test]
fn a_listener_that_panics_is_called_again() {
    for background in [Background::Threads, Background::Stepped] {
        let ear = Ear::new(|event| panic!("at {event}"));
        let mem = MemVfs::new();
        let db = options(&on_memory(&mem), background, &ear).open("/db").unwrap();
        load(&db, 20);
        db.compact_range::<&str>(..).unwrap();
        assert_eq!(db.iter().count(), 1000);
        db.close().unwrap();
        check_order(&ear.heard(), None);
        assert!(ear.heard().len() > 10);
    }
}

/// The last handle goes away in the listener itself, which then closes the database there.
#[test]
fn the_last_handle_may_end_within_the_listener() {
    let place: Arc<Mutex<Option<Db>>> = Arc::default();
    let (of_ear, (ended, has_ended)) = (Arc::clone(&place), channel());
    let ended = Mutex::new(ended);
    let ear = Ear::new(move |event| {
        if matches!(event, Event::FlushEnded(_)) {
            let last = of_ear.lock().unwrap().take();
            let there = last.is_some();
            drop(last);
            if there {
                ended.lock().unwrap().send(()).unwrap();
            }
        }
    });
    let mem = MemVfs::new();
    let db = options(&on_memory(&mem), Background::Threads, &ear).open("/db").unwrap();
    db.put("a", "1").unwrap();
    *place.lock().unwrap() = Some(db.clone());
    let flushed = db.flush();
    drop(db);
    flushed.unwrap();
    has_ended.recv_timeout(PATIENCE).expect("it ended");
    let db = options(&on_memory(&mem), Background::Stepped, &Ear::new(|_| {})).open("/db").unwrap();
    assert_eq!(db.get("a").unwrap().unwrap(), b"1");
}

/// A listener that comes to nothing for a long time: nobody waits for it, and it is told how much it has missed.
#[test]
fn a_slow_listener_holds_up_nobody_and_learns_what_it_missed() {
    let (go, may_go) = channel::<()>();
    let may_go = Mutex::new(may_go);
    let ear = Ear::new(move |event| {
        if matches!(event, Event::Recovered(_)) {
            let _ = may_go.lock().unwrap().recv_timeout(PATIENCE);
        }
    });
    let mem = MemVfs::new();
    let db =
        options(&on_memory(&mem), Background::Threads, &ear).memtable_bytes(1 << 10).open("/db").unwrap();
    for n in 0..3000_u32 {
        db.put(n.to_be_bytes(), "x").unwrap();
        if n % 2 == 0 {
            db.flush().unwrap();
        }
    }
    assert_eq!(ear.heard().len(), 1);
    go.send(()).unwrap();
    db.close().unwrap();
    let missed = ear.heard().iter().find_map(|event| match event {
        Event::Missed(events) => Some(*events),
        _ => None,
    });
    assert!(missed.is_some_and(|events| events > 0) && ear.heard().len() >= 4096, "{missed:?}");
}

#[test]
fn troubles_and_their_ends_are_told() {
    let vfs = FaultVfs::over_mem(MemVfs::new());
    let (of_files, ear) = (vfs.clone(), Ear::new(|_| {}));
    let files = move || Arc::new(of_files.clone()) as Arc<dyn Vfs>;
    let db = options(&files, Background::Stepped, &ear).open("/db").unwrap();
    load(&db, 5);
    let told = |is: &dyn Fn(&Event) -> bool| ear.heard().iter().filter(|event| is(event)).count();

    vfs.inject(Fault::nth(0).on(Op::Write).named(".table").failing_with(Failure::NoSpace).times(1));
    let full = (0..400).find_map(|n| db.put(format!("more{n}"), [3; 100]).err());
    assert!(full.is_none() || matches!(full, Some(Error::DiskFull { .. })), "{full:?}");
    assert_eq!(told(&|e| matches!(e, Event::DiskFull(_))), 1);
    assert_eq!(told(&|e| matches!(e, Event::FlushEnded(e) if e.error.is_some())), 1);
    db.put("again", "!").unwrap();
    assert_eq!(told(&|e| matches!(e, Event::DiskFullOver)), 1);
    check_order(&ear.heard(), Some(&db));

    vfs.inject(Fault::nth(0).on(Op::Sync).named(".log"));
    assert!(matches!(db.put("b", "2"), Err(Error::ReadOnly { .. })));
    assert!(matches!(db.put("c", "3"), Err(Error::ReadOnly { .. })));
    let _ = db.close();
    assert_eq!(told(&|e| matches!(e, Event::ReadOnly(_))), 1);
    check_order(&ear.heard(), None);
}

#[test]
fn background_errors_are_told_once_for_each_reason() {
    let vfs = FaultVfs::over_mem(MemVfs::new());
    let (told, tells) = channel();
    let tell = Mutex::new(told);
    let ear = Ear::new(move |event| match event {
        Event::BackgroundError(e) => tell.lock().unwrap().send((e.work, false)).unwrap(),
        Event::BackgroundResumed(e) => tell.lock().unwrap().send((e.work, true)).unwrap(),
        _ => {}
    });
    let of_files = vfs.clone();
    let files = move || Arc::new(of_files.clone()) as Arc<dyn Vfs>;
    let db = options(&files, Background::Threads, &ear).open("/db").unwrap();
    db.put("a", "1").unwrap();
    vfs.inject(Fault::nth(0).on(Op::Create).named(".table").failing_with(Failure::TooManyFiles).times(3));
    let _ = db.flush();
    assert_eq!(tells.recv_timeout(PATIENCE).unwrap(), (Work::Flush, false));
    assert_eq!(
        tells.recv_timeout(PATIENCE).unwrap(),
        (Work::Flush, true),
        "once, though it failed three times"
    );
    db.close().unwrap();
    assert!(tells.try_recv().is_err());
}
