//! What is done, and what has to come of it.
//!
//! All questions of a round, and what answers them, are drawn from the documents before the clock runs, the same ones for every engine.
//! An answer is held against what it has to be: so many documents, and the sum of the hashes of their keys.

use crate::engine::{Engine, Question, RANGE};
use crate::packages::{Document, KEY, Packages, text};
use anyhow::{Context, Result, ensure};
use quanta::Clock;
use serde::{Deserialize, Serialize};
use siltstone_peers::measure::Laps;
use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, Instant};

/// A piece of work, measured on its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Work {
    /// Documents into an empty table with its indexes, a thousand in a transaction, each synced.
    LoadSync,
    /// Updates of a document of a key, each synced.
    UpdateSync,
    /// As load-sync, not synced.
    Load,
    /// The document of a key.
    Find,
    /// The next hundred documents by an index.
    Range,
    /// All documents that a filter no index serves lets through.
    Filter,
    /// As update-sync, not synced.
    Update,
}

/// Pieces of work that are done one after the other in one process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Group {
    /// What is synced, on a new database.
    Sync,
    /// The other load, into a new database.
    Load,
    /// All that is done on what [`Group::Load`] left.
    Use,
}

/// Documents of a transaction of a load.
const BATCH: usize = 1000;
/// A maintainer who is asked for has at least so many packages, of which the larger half is what is asked for.
const LEAST: usize = 40;

impl Work {
    pub const ALL: [Work; 7] =
        [Work::LoadSync, Work::UpdateSync, Work::Load, Work::Find, Work::Range, Work::Filter, Work::Update];

    /// Whether it fills the table.
    pub fn loads(self) -> bool {
        matches!(self, Work::LoadSync | Work::Load)
    }

    pub fn name(self) -> &'static str {
        match self {
            Work::LoadSync => "load, synced (documents)",
            Work::UpdateSync => "update by key, synced",
            Work::Load => "load (documents)",
            Work::Find => "find by key",
            Work::Range => "range of 100 by index",
            Work::Filter => "filter over a scan",
            Work::Update => "update by key",
        }
    }
}

impl Group {
    pub const ALL: [Group; 3] = [Group::Sync, Group::Load, Group::Use];

    /// The load into a new database; `None` in a group that works on what another left.
    pub fn load(self) -> Option<Work> {
        match self {
            Group::Sync => Some(Work::LoadSync),
            Group::Load => Some(Work::Load),
            Group::Use => None,
        }
    }

    /// What is done after that.
    pub fn rest(self) -> &'static [Work] {
        match self {
            Group::Sync => &[Work::UpdateSync],
            Group::Load => &[],
            Group::Use => &[Work::Find, Work::Range, Work::Filter, Work::Update],
        }
    }
}

/// How much is done.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    pub finds: usize,
    /// After so long a piece of work ends, done or not; a load is always done.
    pub most: Duration,
    pub seed: u64,
}

/// What a piece of work took.
pub struct Done {
    pub ops: u64,
    pub elapsed: Duration,
    pub laps: Laps,
}

/// What answers a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Answer {
    documents: u64,
    keys: u64,
}

impl Answer {
    fn add(&mut self, key: &str) {
        // FNV-1a: short, and the same for all.
        let hash = key.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        self.documents += 1;
        self.keys = self.keys.wrapping_add(hash);
    }

    fn of<'a>(keys: impl IntoIterator<Item = &'a str>) -> Answer {
        let mut answer = Answer::default();
        keys.into_iter().for_each(|key| answer.add(key));
        answer
    }
}

/// The work of a round.
pub struct Round<'p> {
    packages: &'p Packages,
    limits: Limits,
    clock: Clock,
    /// `Size` of those documents that were updated, by their place.
    sizes: HashMap<usize, u64>,
}

impl<'p> Round<'p> {
    pub fn new(packages: &'p Packages, limits: Limits) -> Round<'p> {
        Round { packages, limits, clock: Clock::new(), sizes: HashMap::new() }
    }

    /// Does a piece of work.
    pub fn run<E: Engine>(&mut self, engine: &E, work: Work) -> Result<Done> {
        let finds = self.limits.finds;
        match work {
            Work::LoadSync | Work::Load => self.load(engine),
            Work::Find => self.ask(engine, &self.keys(finds)),
            Work::Range => self.ask(engine, &self.ranges(finds / 20)?),
            Work::Filter => self.ask(engine, &self.filters(finds / 1000)?),
            Work::Update => self.update(engine, finds / 4),
            Work::UpdateSync => self.update(engine, finds / 20),
        }
    }

    fn random(&self) -> fastrand::Rng {
        fastrand::Rng::with_seed(self.limits.seed)
    }

    fn load<E: Engine>(&self, engine: &E) -> Result<Done> {
        let texts = &self.packages.texts;
        let (mut laps, start) = (Laps::start(&self.clock)?, Instant::now());
        for batch in texts.chunks(BATCH) {
            engine.insert(batch)?;
            laps.lap();
        }
        Ok(Done { ops: texts.len() as u64, elapsed: start.elapsed(), laps })
    }

    /// Asks until all is asked, or time is up.
    fn ask<E: Engine>(&self, engine: &E, questions: &[(Question, Answer)]) -> Result<Done> {
        let (mut laps, start) = (Laps::start(&self.clock)?, Instant::now());
        let mut ops = 0;
        for (question, expected) in questions {
            let mut answer = Answer::default();
            engine.find(*question, |key| answer.add(key))?;
            ensure!(answer == *expected, "{question:?} was answered by {answer:?}, not {expected:?}");
            laps.lap();
            ops += 1;
            if start.elapsed() > self.limits.most {
                break;
            }
        }
        Ok(Done { ops, elapsed: start.elapsed(), laps })
    }

    fn update<E: Engine>(&mut self, engine: &E, count: usize) -> Result<Done> {
        let mut random = self.random();
        let draws: Vec<(usize, u64)> =
            (0..count).map(|_| (random.usize(..self.packages.texts.len()), random.u64(..1 << 32))).collect();
        let (mut laps, start) = (Laps::start(&self.clock)?, Instant::now());
        let mut ops = 0;
        for (at, size) in &draws {
            let found = engine.set_size(&self.packages.facts[*at].key, *size)?;
            ensure!(
                found == 1,
                "an update found {found} documents of the key {}",
                &self.packages.facts[*at].key
            );
            laps.lap();
            ops += 1;
            if start.elapsed() > self.limits.most {
                break;
            }
        }
        let elapsed = start.elapsed();
        self.sizes.extend(draws.into_iter().take(ops));
        Ok(Done { ops: ops as u64, elapsed, laps })
    }

    fn keys(&self, count: usize) -> Vec<(Question<'p>, Answer)> {
        let (packages, mut random) = (self.packages, self.random());
        let draw = || {
            let key = &*packages.facts[random.usize(..packages.texts.len())].key;
            (Question::Key(key), Answer::of([key]))
        };
        std::iter::repeat_with(draw).take(count).collect()
    }

    /// Ranges whose answer does not depend on the order of documents of one size: they begin with the first of one, and end with the
    /// last of one.
    fn ranges(&self, count: usize) -> Result<Vec<(Question<'p>, Answer)>> {
        let facts = &self.packages.facts;
        let mut sorted: Vec<(u64, &str)> =
            facts.iter().filter_map(|facts| Some((facts.installed_size?, &*facts.key))).collect();
        sorted.sort_unstable();
        let changes = |at: usize| at == 0 || sorted[at - 1].0 != sorted[at].0;
        let starts: Vec<usize> = (0..sorted.len().saturating_sub(RANGE))
            .filter(|at| changes(*at) && changes(at + RANGE))
            .collect();
        ensure!(!starts.is_empty(), "there are too few packages");
        let mut random = self.random();
        let mut draw = || {
            let start = starts[random.usize(..starts.len())];
            let keys = sorted[start..start + RANGE].iter().map(|(_, key)| *key);
            (Question::Range(sorted[start].0), Answer::of(keys))
        };
        Ok((0..count).map(|_| draw()).collect())
    }

    fn filters(&self, count: usize) -> Result<Vec<(Question<'p>, Answer)>> {
        let mut by_maintainer: BTreeMap<&'p str, Vec<(u64, &'p str)>> = BTreeMap::new();
        for facts in &self.packages.facts {
            let Some(size) = facts.size else { continue };
            by_maintainer.entry(&facts.maintainer).or_default().push((size, &facts.key));
        }
        by_maintainer.retain(|_, packages| (LEAST..LEAST * 5).contains(&packages.len()));
        let all: Vec<_> = by_maintainer.into_iter().collect();
        ensure!(!all.is_empty(), "there is no maintainer with {LEAST} packages");
        let mut random = self.random();
        let mut draw = || {
            let (maintainer, packages) = &all[random.usize(..all.len())];
            let mut sizes: Vec<u64> = packages.iter().map(|(size, _)| *size).collect();
            sizes.sort_unstable();
            let size = sizes[sizes.len() / 2];
            let larger = packages.iter().filter(|(other, _)| *other > size).map(|(_, key)| *key);
            (Question::Filter { maintainer, size }, Answer::of(larger))
        };
        Ok((0..count).map(|_| draw()).collect())
    }

    /// Reads every document, unmeasured: what is cached then is cached.
    pub fn warm_up<E: Engine>(&self, engine: &E) -> Result<()> {
        engine.all(|_| Ok(()))?;
        self.ask(engine, &self.keys(self.limits.finds / 10)).map(drop)
    }

    /// Holds every document against what it has to be.
    pub fn verify<E: Engine>(&self, engine: &E) -> Result<()> {
        let mut left: HashMap<&str, usize> =
            (0..self.packages.texts.len()).map(|at| (&*self.packages.facts[at].key, at)).collect();
        engine.all(|found| {
            let found: Document = serde_json::from_str(found)?;
            let at = left.remove(text(&found, KEY));
            let at = at.with_context(|| format!("{found:?} is not of these documents, or there twice"))?;
            let mut expected = serde_json::from_str::<Document>(&self.packages.texts[at])?;
            if let Some(size) = self.sizes.get(&at) {
                expected.insert("Size".into(), (*size).into());
            }
            ensure!(found == expected, "{found:?} is there in the place of {expected:?}");
            Ok(())
        })?;
        ensure!(left.is_empty(), "{} documents are missing", left.len());
        Ok(())
    }
}
