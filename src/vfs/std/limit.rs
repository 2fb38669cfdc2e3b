//! How much memory this process may use: the least of what its control groups and the machine allow.
//!
//! ```text
//! /proc/self/cgroup          0::/shop/web          its group: version 2
//!                            4:memory:/shop/web    version 1, of which only the memory controller counts
//! /sys/fs/cgroup/shop/web/memory.max, …/shop/memory.max, …/memory.max                       version 2
//! /sys/fs/cgroup/memory/shop/web/memory.limit_in_bytes, and so on up                        version 1
//! /proc/meminfo              MemTotal: 16384 kB
//! ```
//!
//! A limit of a group holds for all groups in it, so those above count, too. In a container the path may be one that only the
//! host can see; the files above it are there then. What is missing, or is no number (`max`), is no limit.

const GROUPS: &str = "/proc/self/cgroup";
const MACHINE: &str = "/proc/meminfo";
/// When the system does not tell of groups, the top of either version is looked at all the same.
const TOP: &str = "0::/\n0:memory:/";

/// The limit in bytes; `None` where the system does not tell.
#[must_use]
pub fn memory_limit() -> Option<u64> {
    limit(&|path| std::fs::read_to_string(path).ok())
}

/// The same, with files that `read` gives.
fn limit(read: &dyn Fn(&str) -> Option<String>) -> Option<u64> {
    let groups = read(GROUPS).unwrap_or_else(|| TOP.into());
    let of_groups = groups.lines().filter_map(|line| of_group(line, read)).min();
    let machine = read(MACHINE).and_then(|text| of_machine(&text));
    of_groups.into_iter().chain(machine).min()
}

/// The least limit of the group on a line of `/proc/self/cgroup`, and of those above it.
fn of_group(line: &str, read: &dyn Fn(&str) -> Option<String>) -> Option<u64> {
    let mut parts = line.splitn(3, ':').skip(1);
    let (controllers, path) = (parts.next()?, parts.next()?);
    let (root, file) = match controllers {
        "" => ("/sys/fs/cgroup", "memory.max"),
        list if list.split(',').any(|name| name == "memory") => {
            ("/sys/fs/cgroup/memory", "memory.limit_in_bytes")
        }
        _ => return None,
    };
    let mut group = Some(path.trim_end_matches('/'));
    let groups = std::iter::from_fn(|| {
        let this = group?;
        group = this.rfind('/').and_then(|at| this.get(..at));
        Some(this)
    });
    let limits = groups.filter_map(|group| read(&format!("{root}{group}/{file}"))?.trim().parse().ok());
    limits.filter(|bytes| *bytes > 0).min()
}

fn of_machine(text: &str) -> Option<u64> {
    let total = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kib: u64 = total.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kib.checked_mul(1024).filter(|bytes| *bytes > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    #[track_caller]
    fn check(files: &[(&str, &str)], expected: Option<u64>) {
        let read = |path: &str| {
            let found = files.iter().find(|(name, _)| *name == path);
            found.map(|(_, text)| (*text).to_string())
        };
        assert_eq!(limit(&read), expected, "{files:?}");
    }

    #[test]
    fn missing_and_strange_files_are_no_limit() {
        check(&[], None);
        check(&[(GROUPS, ""), (MACHINE, "")], None);
        check(&[(GROUPS, "0::/a"), ("/sys/fs/cgroup/a/memory.max", "max\n")], None);
        check(&[(GROUPS, "nonsense\n::\n0"), (MACHINE, "MemTotal: many kB")], None);
        check(&[(GROUPS, "0::/a"), ("/sys/fs/cgroup/a/memory.max", "0\n")], None);
        check(&[(MACHINE, "MemTotal: 18446744073709551615 kB")], None);
        check(&[(MACHINE, "MemFree: 1 kB\nMemTotal:       16384 kB\n")], Some(16 * MIB));
    }

    #[test]
    fn the_least_of_a_group_and_all_above_counts() {
        let machine = (MACHINE, "MemTotal: 1048576 kB");
        let two = (GROUPS, "1:name=systemd:/x\n0::/shop/web\n");
        let own = ("/sys/fs/cgroup/shop/web/memory.max", "67108864\n");
        let above = ("/sys/fs/cgroup/shop/memory.max", "33554432\n");
        let top = ("/sys/fs/cgroup/memory.max", "16777216\n");
        check(&[machine, two], Some(1024 * MIB));
        check(&[machine, two, own], Some(64 * MIB));
        check(&[machine, two, own, above], Some(32 * MIB));
        check(&[machine, two, top], Some(16 * MIB));
        check(&[machine, top], Some(16 * MIB));
    }

    #[test]
    fn version_1_has_a_hierarchy_for_each_controller() {
        let one = (GROUPS, "5:cpu,cpuacct:/c\n4:hugetlb,memory:/docker/0123\n");
        let own = ("/sys/fs/cgroup/memory/docker/0123/memory.limit_in_bytes", "104857600");
        // In a container that sees no paths of the host, its own limit stands at the top.
        let top = ("/sys/fs/cgroup/memory/memory.limit_in_bytes", "52428800");
        let none = ("/sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712");
        check(&[one, own, none], Some(100 * MIB));
        check(&[one, top], Some(50 * MIB));
        check(&[one, none, (MACHINE, "MemTotal: 2048 kB")], Some(2 * MIB));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn this_machine_tells() {
        assert!(memory_limit().is_some_and(|bytes| bytes > MIB));
    }
}
