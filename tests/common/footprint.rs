//! The memory of a process, where the system tells it in `/proc`.

/// The field of `/proc/PROCESS/status` for memory that is not of a file.
pub const ANONYMOUS: &str = "RssAnon:";
/// The one for all that is in memory.
pub const RESIDENT: &str = "VmRSS:";

/// Bytes in `field` of `process`, an id or `self`; 0 where the system does not tell.
pub fn of(process: &str, field: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(field));
    line.map_or(0, |rest| rest.trim().trim_end_matches(" kB").parse::<u64>().unwrap() << 10)
}
