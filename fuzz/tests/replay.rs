//! Every committed input, once: those of the corpora, and those that once failed.

use siltstone_fuzz::targets::{ALL, target};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

fn names(folder: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(folder).into_iter().flatten();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

#[test]
fn no_committed_input_fails() {
    let (mut count, mut failed) = (0, Vec::new());
    for kind in ["corpus", "regressions"] {
        for name in names(&folder(kind)) {
            for file in names(&folder(kind).join(&name)) {
                let path = folder(kind).join(&name).join(file);
                let input = fs::read(&path).unwrap();
                let run = std::panic::catch_unwind(|| target(&name)(&input));
                if run.is_err() {
                    failed.push(path);
                }
                count += 1;
            }
        }
    }
    assert!(failed.is_empty(), "{failed:#?} fail");
    println!("{count} inputs");
    assert!(count > ALL.len());
}

/// A corpus under a wrong name would not be used by anybody.
#[test]
fn corpora_programs_and_targets_have_the_same_names() {
    let targets: BTreeSet<String> = ALL.iter().map(|(name, _)| (*name).to_string()).collect();
    assert_eq!(names(&folder("corpus")), targets);
    assert!(names(&folder("regressions")).is_subset(&targets));
    let programs = names(&folder("fuzz_targets"));
    assert_eq!(
        programs.iter().map(|name| name.trim_end_matches(".rs").to_string()).collect::<BTreeSet<_>>(),
        targets
    );
    for name in programs {
        let text = fs::read_to_string(folder("fuzz_targets").join(&name)).unwrap();
        let name = name.trim_end_matches(".rs");
        assert!(text.contains(&format!("target(\"{name}\")")), "{name}");
        let manifest = fs::read_to_string(folder("Cargo.toml")).unwrap();
        assert!(
            manifest.contains(&format!("name = \"{name}\"\npath = \"fuzz_targets/{name}.rs\"")),
            "{name}"
        );
        assert!(!names(&folder("corpus").join(name)).is_empty(), "no corpus for {name}");
    }
}
