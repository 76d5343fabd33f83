//! The workloads, by subject.
//!
//! Each module has a function `all`, the table of its workloads; [`all`] puts them together.

use crate::workload::Entry;

pub mod blocking;
pub mod cancel;
pub mod channel;
mod connections;
pub mod echo_server;
pub mod fork_join;
pub mod groups;
pub mod http;
pub mod memory;
pub mod spawn;
pub mod sync;
pub mod tcp;
pub mod timers;
pub mod wake;
pub mod yielding;

/// Every workload.
#[must_use]
pub fn all() -> Vec<Entry> {
    [
        spawn::all(),
        fork_join::all(),
        yielding::all(),
        groups::all(),
        cancel::all(),
        blocking::all(),
        channel::all(),
        sync::all(),
        timers::all(),
        wake::all(),
        tcp::all(),
        echo_server::all(),
        http::all(),
        memory::all(),
    ]
    .concat()
}

/// The workloads that are called like one of `names`, or, for a name that no workload has, contain it.
#[must_use]
pub fn named(names: &[String]) -> Vec<Entry> {
    let all = all();
    let is_exact = |name: &String| all.iter().any(|entry| entry.name == name);
    let (exact, parts): (Vec<&String>, Vec<&String>) =
        names.iter().partition(|name| is_exact(name));
    let wanted = |entry: &&Entry| {
        exact.iter().any(|name| entry.name == **name)
            || parts.iter().any(|part| entry.name.contains(part.as_str()))
    };
    all.iter().filter(wanted).cloned().collect()
}
