//! What a disk may hold after a power cut.
//!
//! An image starts from what is durable and adds some of what is pending. Which part is the policy's choice, for each
//! file and each directory on its own, because nothing but a sync orders two of them (V3).
//!
//! Invariant (I1), for every policy: bytes and names that were synced, and not changed since, are in the image.
//! (I2) A rename happened or it did not. (I3) The same state, policy and seed give the same image.
//! (I4) Names of one file are names of one file in the image, too: whatever became of its content shows under each.
//!
//! A torn write keeps its first sectors; it never damages bytes beside it that were synced before, even in its own
//! sector. Rejected: tearing those too. No log that syncs after each record could keep its promise then, unless it
//! padded each one to a sector.

use super::content::{Content, PAGE, Piece, segments};
use super::tree::{Change, Directory, FileState, Inode, Names, Node, Tree};
use crate::random::Random;
use crate::sync::plain::RwLock;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;

/// What a disk writes in one piece.
const SECTOR: usize = 512;

/// How much of what was not synced is in a crash image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CrashPolicy {
    /// Nothing: only what was synced.
    Strict,
    /// All of it, as after a kill of the process.
    All,
    /// A random prefix of the changes of each file and of each directory; the first write left out is torn at 512 bytes.
    Prefix,
    /// Each page of 4 KiB and each change of a name with probability ½, in any order; changes of the same name stay
    /// in order. A page that is not kept may still hold the first of its writes. The length is any the file had: it
    /// may have grown over zeros, or cut off a page that was kept.
    Reorder,
    /// All names and lengths; the ranges that were written hold zeros.
    Meta,
    /// All content, no new names.
    Data,
    /// As `Prefix`, and the sector at which the write is torn holds random bytes.
    Garbage,
    /// One of the others for each file and each directory, drawn anew every time.
    Mixed,
}

impl CrashPolicy {
    /// All of them, for a loop.
    pub const EVERY: [CrashPolicy; 8] = [
        CrashPolicy::Strict,
        CrashPolicy::All,
        CrashPolicy::Prefix,
        CrashPolicy::Reorder,
        CrashPolicy::Meta,
        CrashPolicy::Data,
        CrashPolicy::Garbage,
        CrashPolicy::Mixed,
    ];

    /// What becomes of one file, or of one directory.
    fn of_one(self, random: &mut Random) -> CrashPolicy {
        match self {
            // The last of them is this one itself.
            CrashPolicy::Mixed => {
                let drawn = CrashPolicy::EVERY.get(random.below(CrashPolicy::EVERY.len() - 1));
                drawn.copied().unwrap_or(self)
            }
            one => one,
        }
    }
}

impl Tree {
    /// The tree as a machine may find it after a power cut now. Everything in it is durable, and nothing is locked.
    pub fn image(&self, policy: CrashPolicy, random: &mut Random) -> Tree {
        let mut files = Files::new();
        Tree { dirs: self.dirs.iter().map(|dir| dir.image(policy, random, &mut files)).collect() }
    }
}

/// What became of the files that an image has come to so far, by the addresses of the original ones (I4).
type Files = BTreeMap<*const Inode, Arc<Inode>>;

impl Directory {
    fn image(&self, policy: CrashPolicy, random: &mut Random, files: &mut Files) -> Directory {
        let mut names = self.names_after(policy.of_one(random), random);
        for node in names.values_mut() {
            if let Node::File(inode) = node {
                let after = files.entry(Arc::as_ptr(inode)).or_insert_with(|| {
                    let content = content_after(&inode.state.read(), policy.of_one(random), random);
                    let state = RwLock::new(FileState::durable(content));
                    Arc::new(Inode { state, ..Inode::default() })
                });
                *node = Node::File(Arc::clone(after));
            }
        }
        Directory { durable: names.clone(), names, pending: Vec::new() }
    }

    fn names_after(&self, policy: CrashPolicy, random: &mut Random) -> Names {
        match policy {
            CrashPolicy::Strict | CrashPolicy::Data => self.durable.clone(),
            CrashPolicy::All | CrashPolicy::Meta => self.names.clone(),
            CrashPolicy::Prefix | CrashPolicy::Garbage => {
                let mut names = self.durable.clone();
                let kept = random.below(self.pending.len() + 1);
                self.pending.iter().take(kept).for_each(|change| change.apply(&mut names));
                names
            }
            CrashPolicy::Reorder | CrashPolicy::Mixed => self.names_reordered(random),
        }
    }

    /// A change is lost by chance, or because an earlier change of one of its names was.
    fn names_reordered(&self, random: &mut Random) -> Names {
        let (mut names, mut lost) = (self.durable.clone(), BTreeSet::new());
        for change in &self.pending {
            if random.flip() && !change.names().any(|name| lost.contains(name)) {
                change.apply(&mut names);
            } else {
                lost.extend(change.names());
            }
        }
        names
    }
}

fn content_after(file: &FileState, policy: CrashPolicy, random: &mut Random) -> Content {
    match policy {
        CrashPolicy::Strict => file.durable.clone(),
        CrashPolicy::All | CrashPolicy::Data => file.current.clone(),
        CrashPolicy::Prefix => prefix(file, random, TornSector::Lost),
        CrashPolicy::Garbage => prefix(file, random, TornSector::Random),
        CrashPolicy::Reorder | CrashPolicy::Mixed => reordered(file, random),
        CrashPolicy::Meta => zeroed(file),
    }
}

fn zeroed(file: &FileState) -> Content {
    let mut content = file.current.clone();
    for change in &file.pending {
        if let Change::Write(offset, piece) = change {
            content.write_zeros(piece.len(), *offset);
        }
    }
    content.set_len(file.current.len());
    content
}

/// What the sector holds at which a write is torn.
#[derive(Clone, Copy)]
enum TornSector {
    Lost,
    Random,
}

fn prefix(file: &FileState, random: &mut Random, torn: TornSector) -> Content {
    let mut content = file.durable.clone();
    let kept = random.below(file.pending.len() + 1);
    file.pending.iter().take(kept).for_each(|change| change.apply(&mut content));
    if let Some(Change::Write(offset, piece)) = file.pending.get(kept) {
        tear(&mut content, *offset, piece, random, torn);
    }
    content
}

/// Writes `piece` up to a random sector.
fn tear(content: &mut Content, offset: u64, piece: &Piece, random: &mut Random, torn: TornSector) {
    let to_sector = SECTOR - (offset % SECTOR as u64) as usize;
    // The write begins in the middle of a sector and touches this many.
    let sectors = 1 + piece.len().saturating_sub(to_sector).div_ceil(SECTOR);
    let end_of = |sectors: usize| match sectors.checked_sub(1) {
        Some(more) => (to_sector + more * SECTOR).min(piece.len()),
        None => 0,
    };
    let kept = random.below(sectors);
    piece.write_part(content, offset, 0..end_of(kept));
    if matches!(torn, TornSector::Random) {
        let noise: Vec<u8> = (end_of(kept)..end_of(kept + 1)).map(|_| random.next() as u8).collect();
        content.write(&noise, offset + end_of(kept) as u64);
    }
}

/// One change as a single page sees it: bytes of a piece that belongs at an offset, or zeros.
struct PageChange<'a> {
    piece: &'a Piece,
    offset: u64,
    part: Range<usize>,
}

fn reordered(file: &FileState, random: &mut Random) -> Content {
    let (pages, lengths) = history(file);
    let mut content = file.durable.clone();
    for changes in pages.values() {
        for change in changes.iter().take(all_or_fewer(changes.len(), random)) {
            change.piece.write_part(&mut content, change.offset, change.part.clone());
        }
    }
    // The list begins with the durable length, so it is one longer than the changes.
    let length = lengths.get(all_or_fewer(lengths.len() - 1, random));
    content.set_len(length.copied().unwrap_or_default());
    content
}

/// `n` half of the time, otherwise any smaller number.
fn all_or_fewer(n: usize, random: &mut Random) -> usize {
    if random.flip() { n } else { random.below(n) }
}

/// What happened to each page, in order, and the lengths the file had.
fn history(file: &FileState) -> (BTreeMap<usize, Vec<PageChange<'_>>>, Vec<u64>) {
    static CUT: Piece = Piece::Zeros(0);
    let mut pages: BTreeMap<usize, Vec<PageChange<'_>>> = BTreeMap::new();
    let mut len = file.durable.len();
    let mut lengths = vec![len];
    // Zeros on a page that never held anything else need no entry.
    let mut stored = file.durable.stored_pages();
    for change in &file.pending {
        let (piece, offset, end) = match change {
            Change::Write(offset, piece) => (piece, *offset, offset + piece.len() as u64),
            Change::SetLen(cut) => (&CUT, *cut, len),
        };
        len = match change {
            Change::Write(..) => len.max(end),
            Change::SetLen(new) => *new,
        };
        lengths.push(len);
        let end = match piece {
            Piece::Zeros(_) => end.min((stored * PAGE) as u64),
            Piece::Data(_) => end,
        };
        for (page, within) in segments(offset, end) {
            let start = ((page * PAGE + within.start) as u64 - offset) as usize;
            let part = start..start + within.len();
            pages.entry(page).or_default().push(PageChange { piece, offset, part });
            stored = stored.max(page + 1);
        }
    }
    (pages, lengths)
}
