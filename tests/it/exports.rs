//! The list of what the facade shows, and that nothing public of the crates below is forgotten.
//!
//! `tests/exports.txt` is the list. A change of it is a change of the public API: the test prints the new list.

use std::collections::BTreeSet;

pub(crate) const FACADE: &str = include_str!("../../crates/tasca/src/lib.rs");
const LISTED: &str = include_str!("../exports.txt");

/// Public below, and not shown: tools of the crates between the core and the facade.
const INTERNAL: &[&str] = &[
    // What combinators are built of.
    "CancelForward",
    "Expired",
    "Expiry",
    "Group",
    "IntoMembers",
    "Left",
    "Members",
    "Observation",
    "Observer",
    "SharedTask",
    "leaf",
    // What the blocking crate fills, and registers with a runtime; shown under `blocking`.
    "Extension",
    "JobQueue",
    "Process",
    "current_job",
    "current_job_cancelled",
];

/// The names in `pub use path::{a, b}` and `pub use path::name`, each behind the module that it stands in.
pub(crate) fn exports(source: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let mut module = String::new();
    let mut statement: Option<String> = None;
    for line in source
        .lines()
        .map(str::trim)
        .filter(|line| !line.starts_with("//"))
    {
        if let Some(rest) = line.strip_prefix("pub mod ") {
            match rest.strip_suffix('{') {
                Some(name) => module = format!("{}::", name.trim()),
                None => drop(names.insert(rest.trim_end_matches(';').to_owned())),
            }
        } else if line == "}" && statement.is_none() {
            module.clear();
        }
        if let Some(rest) = line.strip_prefix("pub use ") {
            statement = Some(String::new());
            take(rest, &module, &mut statement, &mut names);
        } else if statement.is_some() {
            take(line, &module, &mut statement, &mut names);
        }
    }
    names
}

fn take(text: &str, module: &str, statement: &mut Option<String>, names: &mut BTreeSet<String>) {
    let so_far = statement.get_or_insert_default();
    so_far.push_str(text);
    so_far.push(' ');
    let Some(whole) = so_far.trim().strip_suffix(';') else {
        return;
    };
    let list = match whole.split_once("::{") {
        Some((_, list)) => list.trim_end_matches('}').to_owned(),
        None => whole.to_owned(),
    };
    for item in list
        .split(',')
        .map(str::trim)
        .filter(|item| !item.is_empty())
    {
        let name = item
            .rsplit(" as ")
            .next()
            .and_then(|item| item.rsplit("::").next());
        names.insert(format!("{module}{}", name.unwrap_or(item)));
    }
    *statement = None;
}

#[test]
fn the_facade_shows_what_is_listed() {
    let shown = exports(FACADE);
    let listed: BTreeSet<String> = LISTED.lines().map(str::to_owned).collect();
    let text = shown
        .iter()
        .map(|name| format!("{name}\n"))
        .collect::<String>();
    assert!(shown == listed, "tests/exports.txt should be:\n{text}");
}

#[test]
fn nothing_public_below_is_forgotten() {
    let shown: BTreeSet<String> = exports(FACADE)
        .iter()
        .filter_map(|name| name.rsplit("::").next().map(str::to_owned))
        .collect();
    for (name, source) in [
        (
            "tasca-core",
            include_str!("../../crates/tasca-core/src/lib.rs"),
        ),
        (
            "tasca-blocking",
            include_str!("../../crates/tasca-blocking/src/lib.rs"),
        ),
        (
            "tasca-combinators",
            include_str!("../../crates/tasca-combinators/src/lib.rs"),
        ),
        (
            "tasca-net",
            include_str!("../../crates/tasca-net/src/lib.rs"),
        ),
    ] {
        for export in exports(source) {
            let known = shown.contains(&export) || INTERNAL.contains(&export.as_str());
            assert!(
                known || ["io", "time"].contains(&export.as_str()),
                "{name} exports {export}, the facade does not"
            );
        }
    }
}

#[test]
fn the_list_is_sorted_and_says_each_name_once() {
    let lines: Vec<&str> = LISTED.lines().collect();
    assert!(lines.is_sorted_by(|one, two| one < two));
}
