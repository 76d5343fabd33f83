//! Whether a thread does nothing but wait.

use std::fs;
use std::path::PathBuf;

/// So many looks in a row must find a thread asleep in the same call before it counts as blocked.
const LOOKS: usize = 10;

/// How a thread is found again by another.
pub(super) struct Watched {
    /// Where the system tells what it does, if it does tell.
    status: Option<PathBuf>,
}

impl Watched {
    /// This thread.
    pub(super) fn this() -> Self {
        // Linux has this link; elsewhere every thread that lets others wait counts as asleep.
        let link = fs::read_link("/proc/thread-self").ok();
        Self {
            status: link.map(|link| PathBuf::from("/proc").join(link).join("status")),
        }
    }

    /// A number that changes whenever the thread does something; `None` while it is at work.
    fn asleep_since(&self) -> Option<u64> {
        let Some(text) = self
            .status
            .as_ref()
            .and_then(|path| fs::read_to_string(path).ok())
        else {
            return Some(0);
        };
        let field = |name: &str| {
            let line = text.lines().find(|line| line.starts_with(name))?;
            line[name.len()..].split_whitespace().next()
        };
        // Not D: a disk answers.
        if field("State:")? != "S" {
            return None;
        }
        field("voluntary_ctxt_switches:")?.parse().ok()
    }
}

/// Looks at a thread time and again.
pub(super) struct Looks<'a> {
    thread: &'a Watched,
    asleep_since: Option<u64>,
    n_same: usize,
}

impl<'a> Looks<'a> {
    pub(super) fn at(thread: &'a Watched) -> Self {
        Self {
            thread,
            asleep_since: None,
            n_same: 0,
        }
    }

    /// Looks once more; `true` if the thread has been asleep in one call for long.
    pub(super) fn find_blocked(&mut self) -> bool {
        let asleep_since = self.thread.asleep_since();
        if asleep_since.is_some() && asleep_since == self.asleep_since {
            self.n_same += 1;
        } else {
            self.asleep_since = asleep_since;
            self.n_same = 0;
        }
        self.n_same >= LOOKS
    }
}
