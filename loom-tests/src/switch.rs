//! Which of the mutations that the program `mutations` has woven into its copy of the sources is in force.

use std::collections::BTreeSet;
use std::env;
use std::fs;
use std::sync::{LazyLock, Mutex};

static CHOSEN: LazyLock<Option<usize>> =
    LazyLock::new(|| env::var("TASCA_MUTATION").ok()?.parse().ok());

/// Where to write which mutations could have been in force, a number a line.
static REACHED: LazyLock<Option<String>> =
    LazyLock::new(|| env::var("TASCA_MUTATIONS_REACHED").ok());

static REACHED_SO_FAR: Mutex<BTreeSet<usize>> = Mutex::new(BTreeSet::new());

/// The number of the mutation in force, if it is among those of the function that asks; else none of theirs.
pub(crate) fn chosen(here: &[usize]) -> usize {
    if let Some(file) = &*REACHED {
        let mut reached = REACHED_SO_FAR.lock().expect("nothing in here panics");
        let n_before = reached.len();
        reached.extend(here);
        if reached.len() > n_before {
            let lines: String = reached.iter().map(|number| format!("{number}\n")).collect();
            fs::write(file, lines).expect("who asks for it has a place for it");
        }
    }
    CHOSEN.unwrap_or(usize::MAX)
}
