use super::content::{MAX_LEN, PAGE};
use super::*;
use crate::vfs::{Dir, OpenFile};
use std::collections::BTreeSet;

const SEEDS: std::ops::Range<u64> = 0..300;

fn disk() -> (MemVfs, Dir) {
    let vfs = MemVfs::new();
    let dir = Dir::new(Arc::new(vfs.clone()), "/");
    (vfs, dir)
}

/// A file whose name and first bytes are durable.
fn durable_file(dir: &Dir, name: &str, bytes: &[u8]) -> OpenFile {
    let file = dir.open(name, Mode::CreateNew).unwrap();
    file.write_at(bytes, 0).unwrap();
    file.sync().unwrap();
    dir.sync().unwrap();
    file
}

fn read(vfs: &MemVfs, name: &str) -> Option<Vec<u8>> {
    vfs.read_file(Path::new(name)).ok()
}

fn names(vfs: &MemVfs) -> Vec<String> {
    vfs.files().iter().map(|path| path.display().to_string()).collect()
}

/// Everything a policy makes of the file `f`, over many seeds.
fn outcomes(vfs: &MemVfs, policy: CrashPolicy) -> BTreeSet<Vec<u8>> {
    SEEDS.map(|seed| read(&vfs.crash_image(policy, seed), "f").unwrap()).collect()
}

/// Everything a policy makes of the names, over many seeds.
fn name_outcomes(vfs: &MemVfs, policy: CrashPolicy) -> BTreeSet<Vec<String>> {
    SEEDS.map(|seed| names(&vfs.crash_image(policy, seed))).collect()
}

#[test]
fn keeps_the_contract() {
    let vfs = MemVfs::new();
    vfs.create_dir_all(Path::new("/root")).unwrap();
    crate::vfs::tests::check_contract(Arc::new(vfs), Path::new("/root"));
}

#[test]
fn paths_have_many_spellings() {
    let (vfs, dir) = disk();
    vfs.create_dir_all(Path::new("a/b")).unwrap();
    dir.open("a/./b/../b/f", Mode::CreateNew).unwrap();
    assert_eq!(names(&vfs), ["/a/b/f"]);
    assert_eq!(vfs.len(Path::new("/a/b/f")).unwrap(), Some(0));
    let renamed = vfs.rename(Path::new("/a/b/f"), Path::new("/a/f"));
    assert_eq!(renamed.unwrap_err().kind(), io::ErrorKind::InvalidInput);
}

#[test]
fn too_long_a_file_is_an_error() {
    let (_, dir) = disk();
    let file = dir.open("f", Mode::CreateNew).unwrap();
    assert!(file.set_len(MAX_LEN + 1).is_err());
    assert!(file.write_at(b"xy", MAX_LEN - 1).is_err());
    assert!(file.write_at(b"xy", u64::MAX).is_err());
    assert_eq!(file.len().unwrap(), 0);
}

/// (I1) for every policy, in a file that is overwritten, grown and cut, and in its directory.
#[test]
fn what_was_synced_is_in_every_image() {
    let (vfs, dir) = disk();
    let file = durable_file(&dir, "f", &[1; 3 * PAGE]);
    durable_file(&dir, "kept", b"kept");
    durable_file(&dir, "removed", b"");
    file.write_at(&[2; 100], PAGE as u64 + 300).unwrap();
    file.write_at(&[3; 2 * PAGE], 3 * PAGE as u64 - 50).unwrap();
    file.set_len(5 * PAGE as u64).unwrap();
    file.set_len(3 * PAGE as u64 - 20).unwrap();
    dir.remove("removed").unwrap();
    dir.open("new", Mode::CreateNew).unwrap();
    for policy in CrashPolicy::EVERY {
        for seed in SEEDS {
            let image = vfs.crash_image(policy, seed);
            let bytes = read(&image, "f").unwrap();
            let untouched = (0..PAGE + 300).chain(PAGE + 400..3 * PAGE - 50);
            let damaged = untouched.into_iter().find(|i| bytes[*i] != 1);
            assert_eq!(damaged, None, "{policy:?} seed {seed}");
            assert_eq!(read(&image, "kept").unwrap(), b"kept", "{policy:?} seed {seed}");
        }
    }
}

#[test]
fn strict_has_only_what_was_synced() {
    let (vfs, dir) = disk();
    let file = durable_file(&dir, "f", b"old");
    file.write_at(b"new!", 0).unwrap();
    let lost = dir.open("lost", Mode::CreateNew).unwrap();
    lost.write_at(b"x", 0).unwrap();
    lost.sync().unwrap();
    let image = vfs.crash_image(CrashPolicy::Strict, 0);
    assert_eq!(names(&image), ["/f"], "a synced file without a synced name is lost");
    assert_eq!(read(&image, "f").unwrap(), b"old");
    file.sync().unwrap();
    assert_eq!(read(&image, "f").unwrap(), b"old", "an image is independent");
    dir.sync().unwrap();
    let image = vfs.crash_image(CrashPolicy::Strict, 0);
    assert_eq!(read(&image, "f").unwrap(), b"new!");
    assert_eq!(read(&image, "lost").unwrap(), b"x");
}

#[test]
fn names_are_durable_only_after_sync_dir() {
    let (vfs, dir) = disk();
    let strict = |expected: &[&str]| {
        assert_eq!(names(&vfs.crash_image(CrashPolicy::Strict, 0)), expected);
    };
    durable_file(&dir, "a", b"");
    dir.rename("a", "b").unwrap();
    strict(&["/a"]);
    dir.sync().unwrap();
    strict(&["/b"]);
    dir.remove("b").unwrap();
    strict(&["/b"]);
    dir.sync().unwrap();
    strict(&[]);
    // A new directory is a name in its parent.
    let sub = Dir::new(Arc::new(vfs.clone()), "/x/y");
    vfs.create_dir_all(sub.path()).unwrap();
    durable_file(&sub, "f", b"");
    strict(&[]);
    vfs.sync_dir(Path::new("/")).unwrap();
    strict(&[]);
    vfs.sync_dir(Path::new("/x")).unwrap();
    strict(&["/x/y/f"]);
}

#[test]
fn all_has_everything_and_data_no_new_names() {
    let (vfs, dir) = disk();
    let file = durable_file(&dir, "f", b"old");
    file.write_at(b"new!", 0).unwrap();
    dir.open("g", Mode::CreateNew).unwrap();
    let all = vfs.crash_image(CrashPolicy::All, 0);
    assert_eq!((names(&all), read(&all, "f").unwrap()), (names(&vfs), b"new!".to_vec()));
    let data = vfs.crash_image(CrashPolicy::Data, 0);
    assert_eq!((names(&data), read(&data, "f").unwrap()), (vec!["/f".to_owned()], b"new!".to_vec()));
}

#[test]
fn meta_has_lengths_but_no_content() {
    let (vfs, dir) = disk();
    let file = durable_file(&dir, "f", b"0123456789");
    file.write_at(b"ab", 3).unwrap();
    file.write_at(b"cdef", 20).unwrap();
    file.set_len(22).unwrap();
    dir.open("g", Mode::CreateNew).unwrap().write_at(b"xyz", 0).unwrap();
    let image = vfs.crash_image(CrashPolicy::Meta, 0);
    assert_eq!(read(&image, "f").unwrap(), *b"012\0\x0056789\0\0\0\0\0\0\0\0\0\0\0\0");
    assert_eq!(read(&image, "g").unwrap(), [0; 3]);
}

#[test]
fn prefix_keeps_the_order_and_tears_at_sectors() {
    let (vfs, dir) = disk();
    let file = durable_file(&dir, "f", &[9; 100]);
    file.write_at(&[1; 300], 100).unwrap();
    file.write_at(&[2; 1000], 400).unwrap();
    file.set_len(50).unwrap();
    let full = [vec![9; 100], vec![1; 300], vec![2; 1000]].concat();
    // Torn inside the second write, which ends at 1400, at both sectors it reaches into.
    let lengths = [50, 100, 400, 512, 1024, 1400];
    let expected = lengths.map(|len| full[..len].to_vec());
    assert_eq!(outcomes(&vfs, CrashPolicy::Prefix), expected.into_iter().collect());
}

#[test]
fn garbage_is_in_the_torn_sector_only() {
    let (vfs, dir) = disk();
    let file = durable_file(&dir, "f", &[9; 100]);
    file.write_at(&[1; 1300], 100).unwrap();
    let mut noisy = 0;
    for bytes in outcomes(&vfs, CrashPolicy::Garbage) {
        let intact = bytes.iter().skip(100).take_while(|byte| **byte == 1).count() + 100;
        assert!(bytes[..100] == [9; 100], "synced bytes stay, also in the torn sector");
        assert!([512, 1024, 1400].contains(&bytes.len()), "{}", bytes.len());
        // A random byte may happen to be right, so the damage begins in the last sector, not always at its start.
        let last = if bytes.len() == 1400 { 1024 } else { bytes.len() - 512 };
        assert!(intact >= last, "{intact} of {}", bytes.len());
        noisy += usize::from(intact < bytes.len());
    }
    assert!(noisy > 50, "{noisy}");
}

#[test]
fn prefix_of_names_keeps_their_order() {
    let (vfs, dir) = disk();
    durable_file(&dir, "a", b"");
    dir.open("b", Mode::CreateNew).unwrap();
    dir.rename("b", "a").unwrap();
    dir.open("c", Mode::CreateNew).unwrap();
    let expected: [&[&str]; 3] = [&["/a"], &["/a", "/b"], &["/a", "/c"]];
    let expected = expected.iter().map(|names| names.iter().map(|&name| name.to_owned()).collect());
    assert_eq!(name_outcomes(&vfs, CrashPolicy::Prefix), expected.collect());
}

#[test]
fn reorder_keeps_any_pages() {
    let (vfs, dir) = disk();
    let file = durable_file(&dir, "f", &[]);
    file.write_at(&[1; 2 * PAGE], 0).unwrap();
    file.write_at(&[2; PAGE], 2 * PAGE as u64).unwrap();
    let shapes: BTreeSet<Vec<u8>> = outcomes(&vfs, CrashPolicy::Reorder)
        .into_iter()
        .map(|bytes| {
            bytes
                .chunks(PAGE)
                .map(|page| if page.iter().all(|b| *b == page[0]) { page[0] } else { 9 })
                .collect()
        })
        .collect();
    let of_length = |pages| shapes.iter().filter(|shape| shape.len() == pages).count();
    // No page, two pages of one write each kept or not, and the same with the third page.
    assert_eq!((of_length(0), of_length(2), of_length(3)), (1, 4, 8), "{shapes:?}");
    assert!(shapes.iter().flatten().all(|page| *page < 3), "a page is one write back: {shapes:?}");
}

#[test]
fn reorder_may_undo_a_cut_or_half_of_a_page() {
    let (vfs, dir) = disk();
    let file = durable_file(&dir, "f", b"old");
    file.write_at(b"AB", 3).unwrap();
    file.write_at(b"CD", 5).unwrap();
    let outcomes = outcomes(&vfs, CrashPolicy::Reorder);
    let seen: BTreeSet<&[u8]> = outcomes.iter().map(Vec::as_slice).collect();
    for expected in [&b"old"[..], b"oldAB", b"old\0\0", b"oldABCD", b"oldAB\0\0", b"old\0\0\0\0"] {
        assert!(seen.contains(expected), "{expected:?} of {seen:?}");
    }
    assert_eq!(seen.len(), 6, "the second write of a page never comes without the first");
    dir.open("f", Mode::Truncate).unwrap();
    file.set_len(3).unwrap();
    let after_cut = super::tests::outcomes(&vfs, CrashPolicy::Reorder);
    for expected in [&b""[..], b"old", b"\0\0\0"] {
        assert!(after_cut.contains(expected), "{expected:?} of {after_cut:?}");
    }
}

#[test]
fn reorder_keeps_changes_of_one_name_in_order() {
    let (vfs, dir) = disk();
    durable_file(&dir, "a", b"");
    durable_file(&dir, "z", b"");
    dir.open("b", Mode::CreateNew).unwrap();
    dir.rename("b", "a").unwrap();
    dir.remove("a").unwrap();
    dir.remove("z").unwrap();
    let outcomes = name_outcomes(&vfs, CrashPolicy::Reorder);
    let with_z = outcomes.iter().filter(|names| names.contains(&"/z".to_owned())).count();
    let heads: BTreeSet<String> = outcomes.iter().map(|names| names.concat().replace("/z", "")).collect();
    assert_eq!(heads, ["", "/a", "/a/b"].map(str::to_owned).into());
    assert_eq!((outcomes.len(), with_z), (6, 3), "z comes and goes on its own: {outcomes:?}");
}

#[test]
fn mixed_treats_each_file_on_its_own() {
    let (vfs, dir) = disk();
    for name in ["f", "g"] {
        durable_file(&dir, name, b"old").write_at(b"new!", 0).unwrap();
    }
    let of = |image: &MemVfs, name| read(image, name).unwrap();
    let seen: BTreeSet<_> = SEEDS
        .map(|seed| vfs.crash_image(CrashPolicy::Mixed, seed))
        .map(|image| (of(&image, "f"), of(&image, "g")))
        .collect();
    let contents = [&b"old"[..], b"new!", b"\0\0\0\0"];
    for (f, g) in contents.iter().flat_map(|f| contents.map(|g| (f.to_vec(), g.to_vec()))) {
        assert!(seen.contains(&(f.clone(), g.clone())), "{f:?} and {g:?} are not in {seen:?}");
    }
}

#[test]
fn images_are_the_same_from_the_same_seed() {
    let (vfs, dir) = disk();
    let file = durable_file(&dir, "f", &[1; 1000]);
    file.write_at(&[2; 5000], 500).unwrap();
    for policy in CrashPolicy::EVERY {
        for seed in SEEDS {
            let image = || read(&vfs.crash_image(policy, seed), "f");
            assert_eq!(image(), image(), "{policy:?} seed {seed}");
        }
    }
}

#[test]
fn scheduled_images_are_taken_before_the_operation() {
    let (vfs, dir) = disk();
    vfs.schedule_crashes(0..=9, &[CrashPolicy::All, CrashPolicy::Strict], 7);
    let file = dir.open("f", Mode::CreateNew).unwrap(); // 0
    dir.sync().unwrap(); // 1
    file.write_at(b"a", 0).unwrap(); // 2
    file.sync().unwrap(); // 3
    file.write_at(b"b", 1).unwrap(); // 4
    file.len().unwrap();
    dir.list().unwrap();
    assert!(dir.remove("missing").is_err()); // 5
    dir.remove("f").unwrap(); // 6
    assert_eq!(vfs.op_count(), 7);
    let images = vfs.take_crash_images();
    let seen = |policy| {
        let images = images.iter().filter(|image| image.policy == policy);
        images.map(|image| (image.at_op, read(&image.vfs, "f").map(|b| b.len()))).collect::<Vec<_>>()
    };
    let all = [None, Some(0), Some(0), Some(1), Some(1), Some(2), Some(2), None];
    let strict = [None, None, Some(0), Some(0), Some(1), Some(1), Some(1), Some(1)];
    assert_eq!(seen(CrashPolicy::All), (0..).zip(all).collect::<Vec<_>>());
    assert_eq!(seen(CrashPolicy::Strict), (0..).zip(strict).collect::<Vec<_>>());
    assert_eq!(images[0].vfs.op_count(), 0);
    assert!(vfs.take_crash_image().is_none());
    vfs.schedule_crash(7, CrashPolicy::All, 0);
    assert!(vfs.take_crash_image().is_some());
}

#[test]
fn nothing_is_locked_in_an_image() {
    let (vfs, dir) = disk();
    let _lock = dir.lock("LOCK").unwrap();
    let image = vfs.crash_image(CrashPolicy::All, 0);
    let theirs = Dir::new(Arc::new(image), "/");
    let _theirs = theirs.lock("LOCK").unwrap();
    assert!(dir.lock("LOCK").is_err() && theirs.lock("LOCK").is_err());
}

#[test]
fn raw_changes_are_durable_and_not_counted() {
    let (vfs, dir) = disk();
    vfs.write_file(Path::new("/a/b"), b"bytes").unwrap();
    let file = dir.open("a/b", Mode::Write).unwrap();
    vfs.write_file(Path::new("/a/b"), b"damaged").unwrap();
    assert_eq!(file.read_all(10).unwrap(), b"damaged");
    assert_eq!(read(&vfs.crash_image(CrashPolicy::Strict, 0), "/a/b").unwrap(), b"damaged");
    vfs.remove_file(Path::new("/a/b")).unwrap();
    assert!(vfs.crash_image(CrashPolicy::Strict, 0).files().is_empty());
    assert_eq!(vfs.op_count(), 0);
    assert!(vfs.write_file(Path::new("/a"), b"").is_err());
    assert!(vfs.remove_file(Path::new("/a")).is_err());
    assert!(vfs.read_file(Path::new("/missing")).is_err());
}

#[test]
fn dropped_writes_are_gone_for_good() {
    let (vfs, dir) = disk();
    let file = durable_file(&dir, "f", b"old");
    file.write_at(b"newer", 0).unwrap();
    vfs.drop_unsynced(Path::new("f")).unwrap();
    assert_eq!(read(&vfs, "f").unwrap(), b"old\0\0");
    assert_eq!(read(&vfs.crash_image(CrashPolicy::Strict, 0), "f").unwrap(), b"old");
    file.sync().unwrap();
    assert_eq!(read(&vfs.crash_image(CrashPolicy::Strict, 0), "f").unwrap(), b"old\0\0");
}

/// Random work: a sync makes durable what reads show (T1), and no image loses it or differs where nothing changed.
#[test]
fn a_sync_makes_exactly_the_current_content_durable() {
    for seed in 0..200 {
        let mut random = Random::new(seed);
        let (vfs, dir) = disk();
        let file = durable_file(&dir, "f", &[]);
        for step in 0..40u8 {
            let offset = random.below(3 * PAGE) as u64;
            match random.below(4) {
                0 => file.set_len(offset).unwrap(),
                1 => file.write_at(&vec![0; random.below(2 * PAGE)], offset).unwrap(),
                2 => file.write_at(&vec![step + 1; random.below(2 * PAGE)], offset).unwrap(),
                _ => {
                    file.sync().unwrap();
                    let current = read(&vfs, "f");
                    for policy in CrashPolicy::EVERY {
                        let image = read(&vfs.crash_image(policy, seed), "f");
                        assert!(image == current, "{policy:?} seed {seed} step {step}");
                    }
                }
            }
            let all = read(&vfs.crash_image(CrashPolicy::Data, seed), "f");
            assert!(all == read(&vfs, "f"), "seed {seed} step {step}");
        }
    }
}

/// Two names of a file are one file after a power cut, too, whatever is left of it.
#[test]
fn names_of_one_file_stay_names_of_one_file() {
    let (vfs, dir) = disk();
    let other = Dir::new(Arc::new(vfs.clone()), "/other");
    other.create_all().unwrap();
    let file = durable_file(&dir, "f", b"durable");
    dir.link("f", &other).unwrap();
    file.write_at(&[b'x'; 3 * PAGE], 0).unwrap();
    let strict = vfs.crash_image(CrashPolicy::Strict, 0);
    assert_eq!((read(&strict, "f").unwrap(), read(&strict, "other/f")), (b"durable".to_vec(), None));
    other.sync().unwrap();
    for policy in CrashPolicy::EVERY {
        for seed in SEEDS {
            let image = vfs.crash_image(policy, seed);
            assert_eq!(read(&image, "f"), read(&image, "other/f"), "{policy:?}, seed {seed}");
            let file = image.open_file(Path::new("f"), Mode::Write).unwrap();
            file.write_at(b"once more", 0).unwrap();
            assert_eq!(read(&image, "f"), read(&image, "other/f"), "{policy:?}, seed {seed}");
        }
    }
    // A name goes, and is given anew: the other one is not concerned.
    dir.remove("f").unwrap();
    durable_file(&dir, "f", b"another");
    assert_eq!(read(&vfs.crash_image(CrashPolicy::All, 0), "other/f").unwrap(), [b'x'; 3 * PAGE]);
}
