//! How many clients the limit on open files leaves room for.
//!
//! A client takes a descriptor, and so does everything that the engine opens. Without a limit on clients below that of the
//! system whoever connects often enough would keep the engine from writing its tables.

use anyhow::bail;

/// What everything but clients needs: standard streams, the runtime and the listener take about ten, the lock, the manifest and
/// the log five, and what is open for a moment (a table that is written, or mapped, a folder that is synced) one for each
/// thread that does so.
const RESERVED: u64 = 40;

/// The number of clients that may be connected at a time: `wanted`, where the limit on open files can be raised so far, else
/// fewer.
///
/// # Errors
/// When there is no room for a single one.
pub fn room_for(wanted: usize) -> anyhow::Result<usize> {
    let limit = raise(RESERVED.saturating_add(wanted as u64));
    match limit.saturating_sub(RESERVED) {
        0 => bail!(
            "the system allows {limit} open files, and more than {RESERVED} are needed: raise the limit (`ulimit -n`)"
        ),
        room => Ok(wanted.min(usize::try_from(room).unwrap_or(usize::MAX))),
    }
}

/// Raises this process's limit on open files to `needed` if it is lower, or as far as the system lets us; gives the limit.
#[cfg(unix)]
fn raise(needed: u64) -> u64 {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let Some(current) = current.filter(|current| *current < needed) else { return needed };
    let most = maximum.map_or(needed, |maximum| maximum.min(needed));
    match setrlimit(Resource::Nofile, Rlimit { current: Some(most), maximum }) {
        Ok(()) => most,
        Err(_) => current,
    }
}

/// There is no such limit.
#[cfg(not(unix))]
fn raise(needed: u64) -> u64 {
    needed
}
