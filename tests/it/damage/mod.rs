//! Every byte of every file is damaged, one at a time, and every file is cut, lost, exchanged and prolonged.
//!
//! Two kinds of store are damaged: some that were closed, of every set of features, with tables on several levels, and one
//! whose power was cut, with a log. Whatever is done to them ([`trials`]), opening, reading and compacting give the right data,
//! or an error that names a file; never wrong, missing or additional data, never a panic, never more than 64 MiB of memory. Of
//! a closed store, open or `Db::verify` notices every single change. Of one that was not closed, only the last write, which
//! nothing in the files vouches for, may be left out, and only with a word about it. `verify` of the folder reports every
//! change of either. And a repair makes a database that is sound, holds nothing that was never written, and is exact
//! outside what it says was lost.
//!
//! `SILTSTONE_DAMAGE_SHARE=1` does every trial instead of one in so many; `SILTSTONE_DAMAGE_BITS=8` flips every bit instead of
//! one in each byte.

mod blocks;
mod judge;
mod store;
mod trials;

use judge::{Judge, Tally};
use siltstone::Compression;
use store::{Features, Store, closed, cut};
use trials::Trials;

fn judge(store: &Store, phase: u64) -> Tally {
    let mut judge = Judge::new(store);
    Trials::new(store, phase, &mut |trial| judge.try_out(trial)).all();
    judge.tally
}

/// What may go unnoticed by an open database: its lock file means nothing, what it does not need it removes, and a `CURRENT`
/// from before the close makes it look as if it had not been closed.
fn is_idle(unnoticed: &str) -> bool {
    let harmless = ["/db/LOCK", "/db/CURRENT replaced"];
    harmless.iter().any(|what| unnoticed.starts_with(what)) || unnoticed.ends_with("added")
}

#[test]
fn damage_to_a_closed_store_is_always_reported() {
    let of = |name, compression, filter_bits, writes| Features { name, compression, filter_bits, writes };
    let stores = [
        of("uncompressed", Compression::None, 10, 40),
        of("lz4", Compression::Lz4, 1, 40),
        of("zstd, no filter", Compression::Zstd(-1), 0, 40),
        of("three levels", Compression::Lz4, 10, 150),
    ];
    let mut tally = Tally::default();
    for (phase, features) in stores.into_iter().enumerate() {
        let store = closed(features);
        assert!(store.files(".table").len() > 3 && store.files(".log").is_empty(), "{:?}", store.vfs.files());
        tally.add(judge(&store, phase as u64 * 7));
    }
    tally.unnoticed.retain(|what| !is_idle(what));
    println!(
        "{} damages to closed stores, all noticed and verified; {} repairs lost nothing",
        tally.trials, tally.complete
    );
    assert!(tally.unnoticed.is_empty() && tally.cuts == 0, "unnoticed: {:#?}", tally.unnoticed);
    assert!(tally.unverified.is_empty(), "not verified: {:#?}", tally.unverified);
    assert!(tally.trials > 1000 && tally.complete > tally.trials / 4);
    assert_eq!(tally.guessed, 0, "a database that was closed tells which tables are in force");
}

#[test]
fn damage_to_a_store_without_power_costs_the_last_write_at_most() {
    let features =
        Features { name: "power cut", compression: Compression::None, filter_bits: 10, writes: 40 };
    let store = cut(features);
    assert!(store.files(".table").len() > 2);
    let tally = judge(&store, 0);
    println!(
        "{} damages to a store whose power was cut: {} cost the last write, {} nothing and were not noticed when open, {} were not verified; {} repairs lost nothing, {} could not tell",
        tally.trials,
        tally.cuts,
        tally.unnoticed.len(),
        tally.unverified.len(),
        tally.complete,
        tally.guessed
    );
    assert!(tally.unverified.is_empty(), "not verified: {:#?}", tally.unverified);
    assert!(tally.trials > 300 && tally.cuts > 0);
}
