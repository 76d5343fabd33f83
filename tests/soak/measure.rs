//! What the process has of the system.

use std::fmt;
use std::fs;
use std::time::{Duration, Instant};

/// How long threads that have been joined may still be listed, and sockets be closed behind the scenes.
const SETTLED_AFTER_MAX: Duration = Duration::from_secs(5);

/// Memory, descriptors and threads; zeros where the system does not say.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Measure {
    pub(crate) resident_kib: u64,
    n_descriptors: usize,
    n_threads: usize,
}

impl Measure {
    pub(crate) fn now() -> Self {
        let n_threads = fs::read_dir("/proc/self/task").map_or(0, Iterator::count);
        Self {
            resident_kib: resident_kib().unwrap_or(0),
            n_descriptors: n_descriptors().unwrap_or(0),
            n_threads,
        }
    }

    /// As soon as it is no more than `before`, or when there is no more hope of that.
    pub(crate) fn settled(before: &Self) -> Self {
        let began = Instant::now();
        loop {
            let now = Self::now();
            if now.left_over(before).is_empty() || began.elapsed() > SETTLED_AFTER_MAX {
                return now;
            }
            std::thread::yield_now();
        }
    }

    /// The larger of each.
    pub(crate) fn max(self, other: Self) -> Self {
        Self {
            resident_kib: self.resident_kib.max(other.resident_kib),
            n_descriptors: self.n_descriptors.max(other.n_descriptors),
            n_threads: self.n_threads.max(other.n_threads),
        }
    }

    /// What there is now, and was not before.
    pub(crate) fn left_over(&self, before: &Self) -> Vec<String> {
        let mut found = Vec::new();
        for (what, now, then) in [
            ("descriptors", self.n_descriptors, before.n_descriptors),
            ("threads", self.n_threads, before.n_threads),
        ] {
            if now > then {
                found.push(format!("{what}: {then} before, {now} after"));
            }
        }
        found
    }
}

/// But for pipes: the runtime makes none, and sanitizers talk with their helpers through some.
fn n_descriptors() -> Option<usize> {
    let open = fs::read_dir("/proc/self/fd").ok()?;
    let links = open.filter_map(|entry| fs::read_link(entry.ok()?.path()).ok());
    Some(
        links
            .filter(|link| !link.to_string_lossy().starts_with("pipe:"))
            .count(),
    )
}

fn resident_kib() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix(" kB")?.parse().ok()
}

impl fmt::Display for Measure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:>7} KiB  {:>4} descriptors  {:>3} threads",
            self.resident_kib, self.n_descriptors, self.n_threads
        )
    }
}
