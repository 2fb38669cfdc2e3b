//! Everything that is done to a store.

use super::blocks::blocks;
use super::store::Store;
use crate::support::from_env;
use siltstone::vfs::mem::MemVfs;
use std::path::{Path, PathBuf};

/// One thing that is done to a store.
pub struct Trial<'a> {
    /// What, in words.
    pub what: &'a dyn Fn() -> String,
    pub change: &'a dyn Fn(&MemVfs),
    /// A file now says that it is newer, and nothing there is damaged.
    pub newer: bool,
    /// It may take all records from some place to the end of the log, and with them what vouches for them.
    pub wide: bool,
}

/// Hands every trial of a store, or one in so many of them, to a judge.
pub struct Trials<'a> {
    store: &'a Store,
    judge: &'a mut dyn FnMut(&Trial<'_>),
    /// One in so many is judged, which one of them changes from store to store.
    share: u64,
    count: u64,
    wide: bool,
}

impl<'a> Trials<'a> {
    pub fn new(store: &'a Store, phase: u64, judge: &'a mut dyn FnMut(&Trial<'_>)) -> Trials<'a> {
        let share = from_env("SILTSTONE_DAMAGE_SHARE", 29).max(1);
        Trials { store, judge, share, count: phase, wide: false }
    }

    /// All there are.
    pub fn all(&mut self) {
        for path in self.store.vfs.files() {
            let good = self.store.vfs.read_file(&path).unwrap();
            self.wide = false;
            self.flips(&path, &good);
            self.cuts(&path, &good);
            self.wide = true;
            self.runs(&path, &good);
            self.additions(&path, &good);
            self.replacements(&path, &good);
        }
        for ending in [".table", ".log", ".manifest"] {
            self.exchanges(ending);
        }
        for path in self.store.files(".table") {
            let good = self.store.vfs.read_file(&path).unwrap();
            self.block_swaps(&path, &good);
        }
        self.strangers();
    }

    fn offer(&mut self, what: &dyn Fn() -> String, change: &dyn Fn(&MemVfs)) {
        self.count += 1;
        if self.count.is_multiple_of(self.share) {
            (self.judge)(&Trial { what, change, newer: false, wide: self.wide });
        }
    }

    /// Another content of one file. `change` makes it, and says so if it is none.
    fn content(&mut self, path: &Path, what: &dyn Fn() -> String, change: &dyn Fn(&mut Vec<u8>)) {
        let what = || format!("{} {}", path.display(), what());
        if self.wide && path.extension() == Some("log".as_ref()) {
            let mut bytes = self.store.vfs.read_file(path).unwrap();
            change(&mut bytes);
            if self.store.was_so(path, &bytes) {
                return;
            }
        }
        self.offer(&what, &|vfs| {
            let mut bytes = vfs.read_file(path).unwrap();
            change(&mut bytes);
            vfs.write_file(path, &bytes).unwrap();
        });
    }

    /// Bits of every byte; of long zeros at the end of a log only some.
    fn flips(&mut self, path: &Path, good: &[u8]) {
        let bits = from_env("SILTSTONE_DAMAGE_BITS", 1);
        for at in dense(good) {
            for bit in 0..bits {
                let bit = (at as u64 + bit) % 8;
                self.content(path, &|| format!("bit {bit} of byte {at}"), &|bytes| bytes[at] ^= 1 << bit);
            }
        }
    }

    fn cuts(&mut self, path: &Path, good: &[u8]) {
        for len in dense(good) {
            self.content(path, &|| format!("cut to {len} bytes"), &|bytes| bytes.truncate(len));
        }
    }

    /// Ranges become zeros, or what another part of the file holds; two ranges change places.
    fn runs(&mut self, path: &Path, good: &[u8]) {
        let used = 100 + good.iter().rposition(|byte| *byte != 0).unwrap_or(0);
        for at in (0..used.min(good.len())).step_by(64) {
            for len in [16, 512, 4096] {
                let end = (at + len).min(good.len());
                let from = (at + 128) % good.len();
                let copied = from..(from + end - at).min(good.len());
                if good[at..end].iter().any(|byte| *byte != 0) {
                    self.content(path, &|| format!("{at}..{end} zeroed"), &|bytes| bytes[at..end].fill(0));
                }
                let to = at.min(from);
                if good[to..to + copied.len()] != good[copied.clone()] {
                    let what = || format!("{copied:?} copied to {to}");
                    self.content(path, &what, &|bytes| bytes.copy_within(copied.clone(), to));
                }
                let (one, other) = (at..end, end..(end + len).min(good.len()));
                if one.len() == other.len() && good[one.clone()] != good[other.clone()] {
                    let what = || format!("{one:?} and {other:?} exchanged");
                    self.content(path, &what, &|bytes| {
                        let (a, b) = bytes[one.start..other.end].split_at_mut(len);
                        a.swap_with_slice(b);
                    });
                }
            }
        }
    }

    fn additions(&mut self, path: &Path, good: &[u8]) {
        let half = good[good.len() / 2..].to_vec();
        for junk in [vec![0], vec![1], vec![0xff; 100], half, good.to_vec(), vec![0; 4096]] {
            if !junk.is_empty() {
                let what = || format!("{} bytes appended", junk.len());
                self.content(path, &what, &|bytes| bytes.extend_from_slice(&junk));
            }
        }
    }

    /// Lost, emptied, from an earlier time, of another database, of a newer version.
    fn replacements(&mut self, path: &Path, good: &[u8]) {
        self.offer(&|| format!("{} lost", path.display()), &|vfs| vfs.remove_file(path).unwrap());
        if !good.is_empty() {
            self.content(path, &|| "emptied".into(), &Vec::clear);
        }
        let others = self.store.earlier.iter().chain([&self.store.other]);
        let others = others.enumerate().filter_map(|(i, vfs)| Some((i, vfs.read_file(path).ok()?)));
        for (i, bytes) in others.filter(|(_, bytes)| bytes != good).collect::<Vec<_>>() {
            self.content(path, &|| format!("replaced by another one, {i}"), &|to| to.clone_from(&bytes));
        }
        if good.len() >= 32 {
            self.count += 1;
            let what = || format!("{} of version 2", path.display());
            let change = |vfs: &MemVfs| vfs.write_file(path, &of_version_2(good)).unwrap();
            (self.judge)(&Trial { what: &what, change: &change, newer: true, wide: true });
        }
    }

    /// Two files of a kind change names, and one takes the place of another.
    fn exchanges(&mut self, ending: &str) {
        let files = self.store.files(ending);
        for (i, a) in files.iter().enumerate() {
            for b in &files[..i] {
                let read = |vfs: &MemVfs| (vfs.read_file(a).unwrap(), vfs.read_file(b).unwrap());
                self.offer(&|| format!("{} and {} exchanged", a.display(), b.display()), &|vfs| {
                    let (first, second) = read(vfs);
                    vfs.write_file(a, &second).unwrap();
                    vfs.write_file(b, &first).unwrap();
                });
                self.offer(&|| format!("{} copied over {}", a.display(), b.display()), &|vfs| {
                    vfs.write_file(b, &read(vfs).0).unwrap();
                });
            }
        }
    }

    /// Whole blocks with their trailers change places, or one takes the place of another.
    fn block_swaps(&mut self, path: &Path, good: &[u8]) {
        let blocks = blocks(good);
        for (i, a) in blocks.iter().enumerate() {
            for b in blocks[..i].iter().filter(|b| good[a.clone()] != good[(*b).clone()]) {
                self.content(path, &|| format!("blocks {b:?} and {a:?} exchanged"), &|bytes| {
                    let swapped =
                        [&good[..b.start], &good[a.clone()], &good[b.end..a.start], &good[b.clone()]]
                            .concat();
                    bytes.splice(..a.end, swapped);
                });
                if a.len() == b.len() {
                    let what = || format!("block {a:?} copied over {b:?}");
                    self.content(path, &what, &|bytes| bytes.copy_within(a.clone(), b.start));
                }
            }
        }
    }

    /// Files of other databases and times under names that are not taken.
    fn strangers(&mut self) {
        let there = self.store.vfs.files();
        let sources = self.store.earlier.iter().chain([&self.store.other]);
        let strangers: Vec<(PathBuf, Vec<u8>)> = sources
            .flat_map(|vfs| vfs.files().into_iter().map(|path| (path.clone(), vfs.read_file(&path).unwrap())))
            .filter(|(path, _)| !there.contains(path))
            .collect();
        for (path, bytes) in strangers {
            let what = || format!("{} of another database or time added", path.display());
            self.offer(&what, &|vfs| vfs.write_file(&path, &bytes).unwrap());
        }
    }
}

/// Every place up to a little behind the last byte that is not zero, and some behind that.
fn dense(good: &[u8]) -> impl Iterator<Item = usize> + use<> {
    let used = (100 + good.iter().rposition(|byte| *byte != 0).unwrap_or(0)).min(good.len());
    (0..used).chain((used..good.len()).step_by(5003))
}

/// The file as a newer build might have written it: its header is whole, and says version 2.
fn of_version_2(good: &[u8]) -> Vec<u8> {
    let mut bytes = good.to_vec();
    bytes[9] = 2;
    let mut crc = crc32fast::Hasher::new();
    crc.update(&bytes[..12]);
    crc.update(&bytes[16..32]);
    bytes[12..16].copy_from_slice(&crc.finalize().to_le_bytes());
    bytes
}
