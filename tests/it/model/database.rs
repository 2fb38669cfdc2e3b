//! The database under test, with all that is open on it.

use super::data::{Key, Keys, Look};
use super::map::Map;
use super::options::Set;
use super::run::Run;
use super::{snapshots, spaces, transactions, walks};
use siltstone::vfs::mem::{CrashPolicy, MemVfs, SimClock};
use siltstone::vfs::{Clock, Vfs};
use siltstone::{Background, Commit, Db, Durability, Options, Range, Result, Snapshot};
use std::sync::{Arc, Weak};

/// Where it lies.
pub const PATH: &str = "/db";

pub struct Database {
    pub keys: Arc<Keys>,
    pub clock: Arc<SimClock>,
    pub snapshots: [Option<Snapshot>; snapshots::SLOTS],
    /// Each with the life of the database that it was made in.
    pub ranges: [Option<(usize, Range)>; walks::SLOTS],
    /// Where walks in pages go on: bytes that outlive everything.
    pub tokens: [Option<Vec<u8>>; walks::SLOTS],
    pub transactions: [Option<transactions::Live>; transactions::SLOTS],
    /// Commits whose second half was left.
    pub left: Vec<Commit>,
    /// What was there after a power cut that may have lost something.
    pub found: Option<Map>,
    /// And in the keyspace beside, if that was there.
    pub found_aside: Option<Map>,
    pub vfs: MemVfs,
    set: Set,
    opened: usize,
    db: Option<Db>,
    /// The file systems that databases were opened on: a database that is gone has let go of its own.
    held: Vec<Weak<dyn Vfs>>,
    /// In all lives but the present one.
    pub did: Run,
}

impl Database {
    /// A new one, on a file system of its own.
    pub fn new(keys: &Arc<Keys>, set: &Set) -> Result<Database> {
        let mut database = Database {
            keys: Arc::clone(keys),
            clock: Arc::new(SimClock::new(1)),
            snapshots: Default::default(),
            ranges: Default::default(),
            transactions: Default::default(),
            tokens: Default::default(),
            left: Vec::new(),
            found: None,
            found_aside: None,
            vfs: MemVfs::new(),
            set: set.clone(),
            opened: 0,
            db: None,
            held: Vec::new(),
            did: Run::default(),
        };
        database.open()?;
        Ok(database)
    }

    /// The open database.
    pub fn db(&self) -> &Db {
        self.db.as_ref().expect("it is open between two operations")
    }

    /// Which life of the database this is.
    pub fn life(&self) -> usize {
        self.opened
    }

    /// Opens what lies on the files, with the options whose turn it is.
    pub fn open(&mut self) -> Result<()> {
        let choice = self.set.choice(self.opened);
        self.opened += 1;
        self.open_with(choice.background)
    }

    /// Opens with the present options, but this background.
    pub fn open_with(&mut self, background: Background) -> Result<()> {
        let options = self.options();
        self.db = Some(options.background(background).open(PATH)?);
        Ok(())
    }

    /// The present options.
    pub fn options(&mut self) -> Options {
        let vfs: Arc<dyn Vfs> = Arc::new(self.vfs.clone());
        self.held.push(Arc::downgrade(&vfs));
        self.set.choice(self.opened - 1).options().vfs(vfs).clock(Arc::clone(&self.clock) as Arc<dyn Clock>)
    }

    /// The durability it was opened with.
    pub fn default(&self) -> Durability {
        self.set.choice(self.opened - 1).durability
    }

    pub fn drop_handle(&mut self) {
        if let Some(db) = self.db.take() {
            let stats = db.stats();
            let (flushes, compactions) = (stats.flushes, stats.compactions);
            self.did += Run { opened: 1, crashes: 0, flushes, compactions };
        }
    }

    /// Lets go of everything that is open on it.
    pub fn let_go(&mut self) {
        (self.snapshots, self.ranges, self.transactions) = Default::default();
        self.left.clear();
    }

    /// Goes on with what a crash leaves.
    pub fn crash(&mut self, policy: CrashPolicy, seed: u64) -> Result<()> {
        let image = self.vfs.crash_image(policy, seed);
        self.drop_handle();
        self.did.crashes += 1;
        self.vfs = image;
        self.open()
    }

    pub fn note_what_is_left(&mut self) -> Result<()> {
        let pairs = self.db().iter().map(|pair| pair.map(|(key, value)| (Key::new(&key), Look::of(&value))));
        self.found = Some(pairs.collect::<Result<Map>>()?);
        self.found_aside = spaces::contents(self)?;
        Ok(())
    }

    /// How many file systems some database still holds.
    pub fn held(&self) -> usize {
        self.held.iter().filter(|vfs| vfs.strong_count() > 0).count()
    }
}
