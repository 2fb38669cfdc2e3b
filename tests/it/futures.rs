//! The calls for tasks: they never keep the thread that polls them, wake whom they should, and can be dropped at any time.

use crate::history::scan;
use crate::support::block_on;
use siltstone::vfs::mem::MemVfs;
use siltstone::vfs::{File, Mapped, Mode, Vfs};
use siltstone::{Background, Db, Durability, Error, Options, WriteBatch};
use std::future::Future;
use std::io;
use std::path::Path;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::Duration;

pub fn small(vfs: Arc<dyn Vfs>) -> Options {
    Options::default().vfs(vfs).memtable_bytes(8 << 10).table_bytes(4 << 10).block_bytes(200)
}

fn batch(n: usize) -> WriteBatch {
    let mut batch = WriteBatch::new();
    batch.put(format!("k{n:04}"), n.to_le_bytes().repeat(8));
    batch
}

/// Counts how often it was called.
#[derive(Default)]
struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

fn poll_once<F: Future + Unpin>(future: &mut F, count: &Arc<Count>) -> Poll<F::Output> {
    Pin::new(future).poll(&mut Context::from_waker(&Waker::from(Arc::clone(count))))
}

/// Runs many futures on this one thread, each polled only when it was woken; gives what they give.
pub fn all<F: Future + Unpin>(futures: Vec<F>) -> Vec<F::Output> {
    struct Ready {
        list: Arc<(Mutex<Vec<usize>>, Condvar)>,
        n: usize,
    }
    impl Wake for Ready {
        fn wake(self: Arc<Self>) {
            self.list.0.lock().unwrap().push(self.n);
            self.list.1.notify_one();
        }
    }
    let list = Arc::new((Mutex::new((0..futures.len()).collect::<Vec<_>>()), Condvar::new()));
    let mut left = futures.len();
    let mut futures: Vec<Option<F>> = futures.into_iter().map(Some).collect();
    let mut outputs: Vec<Option<F::Output>> = futures.iter().map(|_| None).collect();
    while left > 0 {
        let mut ready = list.0.lock().unwrap();
        while ready.is_empty() {
            let (guard, timeout) = list.1.wait_timeout(ready, Duration::from_secs(60)).unwrap();
            assert!(!timeout.timed_out(), "{left} futures are never woken");
            ready = guard;
        }
        let woken = std::mem::take(&mut *ready);
        drop(ready);
        for n in woken {
            let Some(future) = &mut futures[n] else { continue };
            let waker = Waker::from(Arc::new(Ready { list: Arc::clone(&list), n }));
            if let Poll::Ready(output) = Pin::new(future).poll(&mut Context::from_waker(&waker)) {
                (futures[n], outputs[n]) = (None, Some(output));
                left -= 1;
            }
        }
    }
    outputs.into_iter().map(Option::unwrap).collect()
}

#[test]
fn writes_syncs_and_flushes_of_many_tasks_on_one_thread() {
    let mem = MemVfs::new();
    let db = small(Arc::new(mem.clone())).open("/db").unwrap();
    for outcome in all((0..600).map(|n| db.write_async(batch(n), Durability::Sync)).collect()) {
        outcome.unwrap();
    }
    for n in 600..700 {
        db.write_with(batch(n), Durability::Os).unwrap();
    }
    for outcome in all((0..20).map(|_| db.sync_async()).collect()) {
        outcome.unwrap();
    }
    let image = mem.crash_image(siltstone::vfs::mem::CrashPolicy::Strict, 0);
    let found = scan(&small(Arc::new(image)).background(Background::Stepped).open("/db").unwrap()).unwrap();
    assert_eq!(found.len(), 700, "what was acknowledged is durable");
    let before = db.stats().last_sequence;
    for outcome in all((0..5).map(|_| db.flush_async()).collect()) {
        outcome.unwrap();
    }
    let stats = db.stats();
    assert_eq!(stats.levels.iter().map(|level| level.entries).sum::<u64>(), 700, "all of it is in tables");
    assert_eq!(stats.last_sequence, before);
    let reads = all((0..700).map(|n| db.get_async(format!("k{n:04}"))).collect());
    for (n, read) in reads.into_iter().enumerate() {
        assert_eq!(read.unwrap().unwrap(), n.to_le_bytes().repeat(8));
    }
    assert_eq!(block_on(db.get_async("none")).unwrap(), None);
    assert_eq!(scan(&db).unwrap().len(), 700);
}

#[test]
fn a_read_that_needs_no_disk_completes_at_its_first_poll() {
    let count = Arc::new(Count::default());
    let db = small(Arc::new(MemVfs::new())).open("/db").unwrap();
    db.write(batch(1)).unwrap();
    let snapshot = db.snapshot();
    db.put("k0001", "new").unwrap();
    let found = |poll: Poll<Result<Option<siltstone::Slice>, Error>>| match poll {
        Poll::Ready(value) => value.unwrap(),
        Poll::Pending => panic!("it waits for a disk"),
    };
    assert_eq!(found(poll_once(&mut db.get_async("k0001"), &count)).unwrap(), b"new");
    assert_eq!(
        found(poll_once(&mut snapshot.get_async("k0001"), &count)).unwrap(),
        1usize.to_le_bytes().repeat(8)
    );
    assert_eq!(found(poll_once(&mut db.get_async("absent"), &count)), None);
    db.flush().unwrap();
    // The block is not cached, but the filter knows that the other key is not there.
    assert_eq!(found(poll_once(&mut db.get_async("absent"), &count)), None);
    assert_eq!(block_on(db.get_async("k0001")).unwrap().unwrap(), b"new");
    assert_eq!(found(poll_once(&mut db.get_async("k0001"), &count)).unwrap(), b"new", "now it is cached");
    assert_eq!(count.0.load(Ordering::SeqCst), 0);
    let page = block_on(db.iter().page_async(10)).unwrap();
    assert!(page.pairs.len() == 1 && page.next.is_none());
}

/// Files of which tables cannot be opened while the gate is shut.
#[derive(Debug)]
struct Gated {
    inner: MemVfs,
    shut: Mutex<bool>,
    opened: Condvar,
    /// If they are to be counted.
    pieces: Option<Arc<Pieces>>,
}

impl Gated {
    fn set(&self, shut: bool) {
        *self.shut.lock().unwrap() = shut;
        self.opened.notify_all();
    }
}

#[derive(Debug, Clone)]
struct GatedVfs(Arc<Gated>);

/// How many pieces of zeros may still be written to the next segment of the log, and how many have come.
#[derive(Debug)]
struct Pieces {
    counts: Mutex<(usize, usize)>,
    changed: Condvar,
}

impl Pieces {
    fn allow(&self, more: usize) {
        self.counts.lock().unwrap().0 += more;
        self.changed.notify_all();
    }

    fn wait_until_one_comes(&self) {
        let counts = self.counts.lock().unwrap();
        let come = |counts: &mut (usize, usize)| counts.1 == 0;
        let waited = self.changed.wait_timeout_while(counts, Duration::from_secs(60), come).unwrap();
        assert!(!waited.1.timed_out(), "no segment is prepared");
    }

    fn pass(&self) {
        let mut counts = self.counts.lock().unwrap();
        counts.1 += 1;
        self.changed.notify_all();
        while counts.0 == 0 {
            counts = self.changed.wait(counts).unwrap();
        }
        counts.0 -= 1;
    }
}

/// A segment of the log that is filled with zeros, each piece when it is allowed.
struct Spare {
    inner: Box<dyn File>,
    pieces: Arc<Pieces>,
}

impl File for Spare {
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        self.inner.read_at(buf, offset)
    }
    fn write_at(&self, buf: &[u8], offset: u64) -> io::Result<()> {
        if offset > 0 {
            self.pieces.pass();
        }
        self.inner.write_at(buf, offset)
    }
    fn set_len(&self, len: u64) -> io::Result<()> {
        self.inner.set_len(len)
    }
    fn len(&self) -> io::Result<u64> {
        self.inner.len()
    }
    fn sync_data(&self) -> io::Result<()> {
        self.inner.sync_data()
    }
    fn map(&self) -> io::Result<Arc<dyn Mapped>> {
        self.inner.map()
    }
}

/// Lets all pieces come, also when the test fails: otherwise the database would never close.
struct AllowAll(Arc<Pieces>);

impl Drop for AllowAll {
    fn drop(&mut self) {
        self.0.allow(usize::MAX / 2);
    }
}

/// Found by a minute of hostile clients: a disk that takes a second to fill a segment kept all tasks waiting for as long, since
/// the thread that syncs for them is the one that fills it.
#[test]
fn a_task_does_not_wait_until_the_next_segment_is_filled() {
    let pieces = Arc::new(Pieces { counts: Mutex::default(), changed: Condvar::new() });
    let gated = Gated {
        inner: MemVfs::new(),
        shut: Mutex::default(),
        opened: Condvar::new(),
        pieces: Some(Arc::clone(&pieces)),
    };
    // The folder's first segment is made before anybody can wait for it.
    pieces.allow(1);
    let db = Options::default().vfs(Arc::new(GatedVfs(Arc::new(gated)))).open("/db").unwrap();
    let _allow_all = AllowAll(Arc::clone(&pieces));
    *pieces.counts.lock().unwrap() = (0, 0);
    db.put("large", vec![0; 40 << 10]).unwrap();
    pieces.wait_until_one_comes();
    let mut batch = WriteBatch::new();
    batch.put("small", "");
    let count = Arc::default();
    let mut write = db.write_async(batch, Durability::Sync);
    assert!(poll_once(&mut write, &count).is_pending());
    pieces.allow(1);
    // One more piece is written; the second waits.
    assert!(all(vec![write]).into_iter().all(|done| done.is_ok()));
    assert_eq!(pieces.counts.lock().unwrap().0, 0, "the segment is not filled yet");
}

impl Vfs for GatedVfs {
    fn open(&self, path: &Path, mode: Mode) -> io::Result<Box<dyn File>> {
        if let Some(pieces) =
            self.0.pieces.as_ref().filter(|_| path.extension().is_some_and(|end| end == "spare"))
        {
            let inner = self.0.inner.open(path, mode)?;
            return Ok(Box::new(Spare { inner, pieces: Arc::clone(pieces) }));
        }
        if mode == Mode::Read && path.extension().is_some_and(|end| end == "table") {
            let mut shut = self.0.shut.lock().unwrap();
            while *shut {
                shut = self.0.opened.wait(shut).unwrap();
            }
        }
        self.0.inner.open(path, mode)
    }
    fn create_dir_all(&self, path: &Path) -> io::Result<()> {
        self.0.inner.create_dir_all(path)
    }
    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        self.0.inner.sync_dir(path)
    }
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.0.inner.rename(from, to)
    }
    fn remove(&self, path: &Path) -> io::Result<()> {
        self.0.inner.remove(path)
    }
    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        self.0.inner.list(dir)
    }
    fn len(&self, path: &Path) -> io::Result<Option<u64>> {
        self.0.inner.len(path)
    }
    fn lock(&self, path: &Path) -> io::Result<Option<Box<dyn Send + Sync>>> {
        self.0.inner.lock(path)
    }
}

/// A database whose tables lie behind a gate that is shut.
fn behind_a_gate() -> (Arc<Gated>, Db) {
    let mem = MemVfs::new();
    let db = small(Arc::new(mem.clone())).open("/db").unwrap();
    (0..50).for_each(|n| db.write(batch(n)).unwrap());
    db.close().unwrap();
    let gate = Arc::new(Gated { inner: mem, shut: Mutex::new(true), opened: Condvar::new(), pieces: None });
    let db = small(Arc::new(GatedVfs(Arc::clone(&gate)))).open("/db").unwrap();
    (gate, db)
}

#[test]
fn a_read_that_waits_for_the_disk_keeps_no_thread() {
    let (gate, db) = behind_a_gate();
    let count = Arc::new(Count::default());
    let mut reads: Vec<_> = (0..20).map(|n| db.get_async(format!("k{n:04}"))).collect();
    for read in &mut reads {
        assert!(poll_once(read, &count).is_pending());
    }
    let mut page = db.iter().page_async(7);
    assert!(poll_once(&mut page, &count).is_pending());
    // Some are given up; what was written since is told at once.
    reads.truncate(10);
    db.write(batch(60)).unwrap();
    assert!(poll_once(&mut db.get_async("k0060"), &count).is_ready());
    assert_eq!(count.0.load(Ordering::SeqCst), 0);
    gate.set(false);
    for (n, read) in all(reads).into_iter().enumerate() {
        assert_eq!(read.unwrap().unwrap(), n.to_le_bytes().repeat(8));
    }
    assert_eq!(block_on(page).unwrap().pairs.len(), 7);
    db.close().unwrap();
}

/// Whoever awaits a read when the database is closed gets the value, or is told.
#[test]
fn closing_answers_every_read() {
    for round in 0..10 {
        let (gate, db) = behind_a_gate();
        let mut reads: Vec<_> = (0..20).map(|n| db.get_async(format!("k{n:04}"))).collect();
        let count = Arc::new(Count::default());
        reads.iter_mut().for_each(|read| assert!(poll_once(read, &count).is_pending()));
        thread::scope(|scope| {
            let closing = scope.spawn(|| db.close());
            thread::sleep(Duration::from_millis(round));
            gate.set(false);
            closing.join().unwrap().unwrap();
        });
        for read in all(reads) {
            assert!(matches!(read, Ok(Some(_)) | Err(Error::Closed)), "{read:?}");
        }
        assert!(matches!(block_on(db.get_async("k0001")), Err(Error::Closed)));
        assert!(matches!(block_on(db.write_async(batch(1), Durability::Os)), Err(Error::Closed)));
        assert!(matches!(block_on(db.sync_async()), Err(Error::Closed)));
        assert!(matches!(block_on(db.flush_async()), Err(Error::Closed)));
        assert!(matches!(block_on(db.iter().page_async(1)), Err(Error::Closed)));
    }
}

/// The last handle may go where a read was given up in the middle: in a thread of the database. It closes all the same.
#[test]
fn a_read_can_be_the_last_to_hold_the_database() {
    let (gate, db) = behind_a_gate();
    let count = Arc::new(Count::default());
    let mut page = db.iter().page_async(7);
    assert!(poll_once(&mut page, &count).is_pending());
    drop((page, db));
    gate.set(false);
    let mut tries = 0;
    let again = loop {
        match small(Arc::new(GatedVfs(Arc::clone(&gate)))).open("/db") {
            Ok(db) => break db,
            Err(Error::Locked { .. }) if tries < 6000 => tries += 1,
            Err(e) => panic!("{e}"),
        }
        thread::sleep(Duration::from_millis(10));
    };
    assert_eq!(scan(&again).unwrap().len(), 50);
}

/// Before there is room, a write that is dropped is not done.
#[test]
fn a_write_is_not_done_before_it_is_polled() {
    let db = small(Arc::new(MemVfs::new())).open("/db").unwrap();
    let write = db.write_async(batch(1), Durability::Sync);
    drop(write);
    assert_eq!(db.iter().count(), 0);
    let count = Arc::new(Count::default());
    let mut write = db.write_async(batch(2), Durability::Sync);
    let _ = poll_once(&mut write, &count);
    assert_eq!(db.iter().count(), 1, "it has its place, and is visible");
    drop(write);
    assert_eq!(db.iter().count(), 1);
    let error = block_on(db.write_async(
        {
            let mut batch = WriteBatch::new();
            batch.put(vec![0; 70_000], "v");
            batch
        },
        Durability::Sync,
    ));
    assert!(matches!(error, Err(Error::InvalidArgument { .. })), "{error:?}");
}

/// Without threads each future does its own work.
#[test]
fn stepped_they_are_ready_at_once() {
    let db = small(Arc::new(MemVfs::new())).background(Background::Stepped).open("/db").unwrap();
    let count = Arc::new(Count::default());
    for n in 0..300 {
        assert!(matches!(
            poll_once(&mut db.write_async(batch(n), Durability::Sync), &count),
            Poll::Ready(Ok(()))
        ));
    }
    assert!(matches!(poll_once(&mut db.sync_async(), &count), Poll::Ready(Ok(()))));
    assert!(matches!(poll_once(&mut db.flush_async(), &count), Poll::Ready(Ok(()))));
    assert!(matches!(poll_once(&mut db.get_async("k0007"), &count), Poll::Ready(Ok(Some(_)))));
    assert!(
        matches!(poll_once(&mut db.iter().page_async(9), &count), Poll::Ready(Ok(page)) if page.pairs.len() == 9)
    );
    assert_eq!(count.0.load(Ordering::SeqCst), 0);
}
