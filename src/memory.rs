//! How much memory this process may still take.

/// Bytes that can be had without swapping and within the limits that were set for this process: the
/// least of what the machine has left, what its control group (a container's, a batch system's)
/// allows, and what the address space may grow by. `None` where the system says nothing.
#[cfg(target_os = "linux")]
pub(crate) fn available() -> Option<u64> {
    use std::fs::read_to_string;
    let machine = read_to_string("/proc/meminfo").ok().and_then(|text| of_meminfo(&text));
    let space = || left_of_limit(&read_to_string("/proc/self/limits").ok()?, &read_to_string("/proc/self/statm").ok()?);
    let group = read_to_string("/proc/self/cgroup").ok().and_then(|text| {
        groups(&text)
            .into_iter()
            .filter_map(|(most, now)| left_of_group(&read_to_string(most).ok()?, &read_to_string(now).ok()?))
            .min()
    });
    [machine, space(), group].into_iter().flatten().min()
}

/// Less than this is not asked for: reading what the system says takes longer than such a
/// computation.
const SMALL: u64 = 16 << 20;

/// [`available`] for work that needs so many bytes; `None` as well where that is little.
fn available_for(need: u64) -> Option<u64> {
    if need < SMALL { None } else { available() }
}

/// How many bytes are free, if they are fewer than are needed.
pub(crate) fn short_of(need: u64) -> Option<u64> {
    available_for(need).filter(|&free| need > free)
}

/// For messages.
pub(crate) fn gib(bytes: u64) -> f64 {
    bytes as f64 / (1u64 << 30) as f64
}

/// Bytes that can be had without swapping, where the system says.
#[cfg(not(target_os = "linux"))]
pub(crate) fn available() -> Option<u64> {
    None
}

/// What `/proc/meminfo` says.
#[cfg(any(target_os = "linux", test))]
fn of_meminfo(text: &str) -> Option<u64> {
    let line = text.lines().find(|l| l.starts_with("MemAvailable:"))?;
    Some(line.split_whitespace().nth(1)?.parse::<u64>().ok()? * 1024)
}

/// What is left of the address space (`ulimit -v`), from `/proc/self/limits` and
/// `/proc/self/statm`, which counts pages of 4 KiB.
#[cfg(any(target_os = "linux", test))]
fn left_of_limit(limits: &str, statm: &str) -> Option<u64> {
    let line = limits.lines().find(|l| l.starts_with("Max address space"))?;
    let most = line.split_whitespace().nth(3)?.parse::<u64>().ok()?;
    let pages = statm.split_whitespace().next()?.parse::<u64>().ok()?;
    Some(most.saturating_sub(4096 * pages))
}

/// The files that hold the limit and the use of this process's control groups and of those above
/// them, of both versions.
#[cfg(any(target_os = "linux", test))]
fn groups(cgroup: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for line in cgroup.lines() {
        let mut parts = line.splitn(3, ':');
        let (Some(_), Some(controllers), Some(path)) = (parts.next(), parts.next(), parts.next()) else { continue };
        let (root, most, now) = match controllers {
            "" => ("/sys/fs/cgroup", "memory.max", "memory.current"),
            c if c.split(',').any(|c| c == "memory") => {
                ("/sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.usage_in_bytes")
            }
            _ => continue,
        };
        // In a container the path is often that of the host, and the group itself lies at the root.
        let mut path = path.trim_end_matches('/');
        loop {
            found.push((format!("{root}{path}/{most}"), format!("{root}{path}/{now}")));
            match path.rfind('/') {
                Some(at) => path = &path[..at],
                None => break,
            }
        }
    }
    found
}

/// What a control group has left; `None` where it has no limit.
#[cfg(any(target_os = "linux", test))]
fn left_of_group(most: &str, now: &str) -> Option<u64> {
    let most = most.trim().parse::<u64>().ok()?;
    Some(most.saturating_sub(now.trim().parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_systems_words_are_understood() {
        assert_eq!(of_meminfo("MemTotal: 9 kB\nMemAvailable:    123 kB\n"), Some(123 * 1024));
        let limits =
            |soft: &str| format!("Limit  Soft Limit  Hard Limit  Units\nMax address space         {soft}  unlimited  bytes\n");
        assert_eq!(left_of_limit(&limits("1000000"), "100 5 5"), Some(1_000_000 - 409_600));
        assert_eq!(left_of_limit(&limits("unlimited"), "100 5 5"), None);
        assert_eq!(left_of_group("5000\n", "1200\n"), Some(3800));
        assert_eq!(left_of_group("max\n", "1200\n"), None);
        let files = groups("0::/a/b\n12:cpu,memory:/docker/x\n3:cpu:/\n");
        let most: Vec<&str> = files.iter().map(|f| f.0.as_str()).collect();
        assert_eq!(
            most,
            [
                "/sys/fs/cgroup/a/b/memory.max",
                "/sys/fs/cgroup/a/memory.max",
                "/sys/fs/cgroup/memory.max",
                "/sys/fs/cgroup/memory/docker/x/memory.limit_in_bytes",
                "/sys/fs/cgroup/memory/docker/memory.limit_in_bytes",
                "/sys/fs/cgroup/memory/memory.limit_in_bytes",
            ]
        );
        assert_eq!(groups("0::/").len(), 1);
    }
}
