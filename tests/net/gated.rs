//! A memory engine whose commits become durable, and whose buffer has room, when the test says so.

use siltstone::store::{
    Capabilities, Commit, Entries, Found, MemoryEngine, Room, Scan, StorageEngine, View, Wait,
};
use siltstone::{Durability, Error, KeyspaceRef, Result, Slice, WriteBatch};
use std::sync::{Arc, Condvar, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::SystemTime;

/// Longer writes keep their thread until they may be done.
const LONG: usize = 300_000;

/// Marks up to some number are reached.
#[derive(Default)]
pub struct Gate {
    state: Mutex<GateState>,
    changed: Condvar,
}

#[derive(Default)]
struct GateState {
    reached: u64,
    broken: Option<Error>,
    waiting: Vec<(u64, Waker)>,
}

impl Gate {
    pub fn open(&self, mark: u64) {
        let mut state = self.state.lock().unwrap();
        state.reached = mark;
        state.waiting.drain(..).for_each(|(_, waker)| waker.wake());
    }

    /// What is not reached now never is.
    pub fn fail(&self, error: Error) {
        let mut state = self.state.lock().unwrap();
        state.broken = Some(error);
        state.waiting.drain(..).for_each(|(_, waker)| waker.wake());
    }

    /// Blocks until somebody waits, and says for which marks.
    pub fn waiting(&self) -> Vec<u64> {
        let state = self.state.lock().unwrap();
        let state = self.changed.wait_while(state, |state| state.waiting.is_empty()).unwrap();
        state.waiting.iter().map(|(mark, _)| *mark).collect()
    }
}

impl Wait for Gate {
    fn poll(&self, mark: u64, cx: &mut Context<'_>) -> Poll<Result<()>> {
        let mut state = self.state.lock().unwrap();
        match &state.broken {
            _ if mark <= state.reached => Poll::Ready(Ok(())),
            Some(error) => Poll::Ready(Err(error.clone())),
            None => {
                state.waiting.push((mark, cx.waker().clone()));
                self.changed.notify_all();
                Poll::Pending
            }
        }
    }
}

pub struct GatedEngine {
    inner: MemoryEngine,
    written: Mutex<u64>,
    /// The n-th write is durable when this is open up to n.
    pub log: Arc<Gate>,
    /// Writes of up to so many bytes have room.
    pub buffer: Arc<Gate>,
    /// Ranges are walked, and long writes done, when this is open; until then they keep their thread.
    pub work: Arc<Gate>,
    blocking_reads: bool,
    /// How often a read gives way to others before it returns, so that what it saw is old.
    yields: usize,
}

impl GatedEngine {
    /// Everything shut.
    pub fn shut() -> Arc<GatedEngine> {
        Arc::new(GatedEngine {
            inner: MemoryEngine::new(),
            written: Mutex::default(),
            log: Arc::default(),
            buffer: Arc::default(),
            work: Arc::default(),
            blocking_reads: false,
            yields: 0,
        })
    }

    /// Everything open, and reads that want a thread where they may block.
    pub fn blocking() -> Arc<GatedEngine> {
        Arc::new(GatedEngine { blocking_reads: true, ..GatedEngine::open() })
    }

    /// Everything open but what keeps a thread.
    pub fn holding() -> Arc<GatedEngine> {
        Arc::new(GatedEngine { work: Arc::default(), ..GatedEngine::open() })
    }

    /// Everything open, and reads that take their time.
    pub fn slow() -> Arc<GatedEngine> {
        Arc::new(GatedEngine { yields: 1000, ..GatedEngine::open() })
    }

    fn open() -> GatedEngine {
        let engine = GatedEngine::shut();
        engine.log.open(u64::MAX);
        engine.buffer.open(u64::MAX);
        engine.work.open(u64::MAX);
        Arc::into_inner(engine).unwrap()
    }

    /// How many writes there were.
    pub fn written(&self) -> u64 {
        *self.written.lock().unwrap()
    }

    /// What was read is old when it is returned.
    fn late<T>(&self, read: T) -> T {
        (0..self.yields).for_each(|_| std::thread::yield_now());
        read
    }
}

/// A view whose ranges are walked when the gate is open.
struct GatedView {
    inner: Arc<dyn View>,
    work: Arc<Gate>,
}

impl View for GatedView {
    fn find(&self, keyspace: KeyspaceRef, key: &[u8]) -> Result<Option<Found>> {
        self.inner.find(keyspace, key)
    }

    fn range(&self, keyspace: KeyspaceRef, scan: Scan<'_>) -> Result<Entries> {
        Ok(held(&self.work, self.inner.range(keyspace, scan)?))
    }
}

fn held(work: &Arc<Gate>, entries: Entries) -> Entries {
    let work = Arc::clone(work);
    Box::new(entries.inspect(move |_| work.wait(1).unwrap()))
}

impl StorageEngine for GatedEngine {
    fn get(&self, key: &[u8]) -> Result<Option<Slice>> {
        self.late(self.inner.get(key))
    }

    fn range(&self, scan: Scan<'_>) -> Result<Entries> {
        Ok(held(&self.work, self.inner.range(scan)?))
    }

    fn write(&self, batch: WriteBatch, durability: Option<Durability>) -> Result<Commit> {
        if batch.byte_len() > LONG {
            self.work.wait(1)?;
        }
        let mut written = self.written.lock().unwrap();
        self.inner.write(batch, durability)?.wait()?;
        *written += 1;
        Ok(Commit::at(self.log.clone(), *written))
    }

    fn room(&self, bytes: usize) -> Room {
        Room::until(self.buffer.clone(), bytes as u64)
    }

    fn stats_json(&self) -> String {
        self.inner.stats_json()
    }

    fn sync(&self) -> Result<()> {
        self.inner.sync()
    }

    fn close(&self) -> Result<()> {
        self.inner.close()
    }

    fn capabilities(&self) -> Capabilities {
        let mut capabilities = self.inner.capabilities();
        capabilities.blocking_reads = self.blocking_reads;
        capabilities
    }

    fn keyspace(&self, name: &str) -> Result<KeyspaceRef> {
        self.inner.keyspace(name)
    }

    fn find(&self, keyspace: KeyspaceRef, key: &[u8]) -> Result<Option<Found>> {
        self.late(self.inner.find(keyspace, key))
    }

    // `find_cached` stays as it is: it goes by the capabilities.

    fn view(&self) -> Result<Arc<dyn View>> {
        let inner = self.inner.view()?;
        Ok(Arc::new(GatedView { inner, work: Arc::clone(&self.work) }))
    }

    fn now(&self) -> SystemTime {
        self.inner.now()
    }
}
