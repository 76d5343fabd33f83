//! The layers of the crates: each depends on lower ones only, for tests as well.
//!
//! The packages outside `crates/` have a rule each: tests and benches see what users see, the
//! facade; models, schedules and chores see none of `crates/` (models take in sources, not crates);
//! histories see the facade, the interpreter of the conformance suite, and sources. Those that show
//! that they can fail share the copy of the tree in which code is broken.

use serde_json::Value;

use crate::Trouble;
use crate::workspace::{Workspace, list, text};

/// Crates below `crates/`, with their layers. A crate may depend on those of lower layers.
const CRATES: [(&str, usize); 8] = [
    ("tasca-macros", 0),
    ("tasca-core", 1),
    ("tasca-combinators", 2),
    ("tasca-sync", 2),
    ("tasca-blocking", 2),
    ("tasca-net", 3),
    ("tasca-hyper", 4),
    ("tasca", 5),
];

/// Packages beside `crates/`, with the workspace crates that each may depend on.
const OUTSIDE: [(&str, &[&str]); 8] = [
    ("tasca-tests", &["tasca"]),
    ("tasca-benches", &["tasca"]),
    ("tasca-broken", &[]),
    ("tasca-conformance", &["tasca", "tasca-broken"]),
    (
        "tasca-properties",
        &["tasca", "tasca-conformance", "tasca-broken"],
    ),
    ("tasca-loom-tests", &["tasca-broken"]),
    ("tasca-schedules", &[]),
    ("xtask", &[]),
];

pub(crate) fn check(workspace: &Workspace) -> Result<Vec<String>, Trouble> {
    let metadata = workspace.metadata(None)?;
    Ok(check_packages(&own_packages(&metadata)))
}

/// A package of the workspace, with the names of the workspace packages that it depends on in any
/// way: normal, build or development.
#[derive(Debug)]
struct Package {
    name: String,
    uses: Vec<String>,
}

fn own_packages(metadata: &Value) -> Vec<Package> {
    let own = list(metadata, "packages")
        .iter()
        .filter(|p| p["source"].is_null());
    own.map(|package| Package {
        name: text(package, "name").to_owned(),
        uses: list(package, "dependencies")
            .iter()
            .filter(|dependency| !dependency["path"].is_null())
            .map(|dependency| text(dependency, "name").to_owned())
            .collect(),
    })
    .collect()
}

fn layer(name: &str) -> Option<usize> {
    CRATES
        .iter()
        .find(|(known, _)| *known == name)
        .map(|(_, layer)| *layer)
}

fn check_packages(packages: &[Package]) -> Vec<String> {
    let mut findings = Vec::new();
    for Package { name, uses } in packages {
        for used in uses {
            let allowed = match (layer(name), OUTSIDE.iter().find(|(known, _)| known == name)) {
                (Some(mine), _) => layer(used).is_some_and(|theirs| theirs < mine),
                (None, Some((_, allowed))) => allowed.contains(&used.as_str()),
                (None, None) => true,
            };
            if !allowed {
                findings.push(format!(
                    "{name}: depends on `{used}`, which is not below it: have what it needs handed in, or move it"
                ));
            }
        }
        if layer(name).is_none() && !OUTSIDE.iter().any(|(known, _)| known == name) {
            findings.push(format!(
                "{name}: has no layer: give it a row in xtask/src/crates.rs"
            ));
        }
    }
    for known in CRATES
        .map(|row| row.0)
        .into_iter()
        .chain(OUTSIDE.map(|row| row.0))
    {
        if !packages.iter().any(|package| package.name == known) {
            findings.push(format!(
                "{known}: is in xtask/src/crates.rs, but not in the workspace"
            ));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{CRATES, OUTSIDE, Package, check_packages, own_packages};

    /// All packages, without dependencies but those of `name`.
    fn with(name: &str, uses: &[&str]) -> Vec<Package> {
        let known = CRATES
            .map(|row| row.0)
            .into_iter()
            .chain(OUTSIDE.map(|row| row.0));
        known
            .map(|known| Package {
                name: known.to_owned(),
                uses: if known == name {
                    uses.iter().map(|used| (*used).to_owned()).collect()
                } else {
                    Vec::new()
                },
            })
            .collect()
    }

    #[track_caller]
    fn check(name: &str, uses: &[&str], n_findings: usize) {
        let findings = check_packages(&with(name, uses));
        assert_eq!(findings.len(), n_findings, "{findings:?}");
    }

    #[test]
    fn downwards_is_allowed() {
        check(
            "tasca-net",
            &["tasca-core", "tasca-blocking", "tasca-combinators"],
            0,
        );
        check("tasca-tests", &["tasca"], 0);
    }

    #[test]
    fn upwards_sideways_and_itself_are_findings() {
        check("tasca-core", &["tasca-net"], 1);
        check("tasca-blocking", &["tasca-combinators", "tasca"], 2);
        check("tasca", &["tasca"], 1);
    }

    #[test]
    fn tests_see_the_facade_and_models_no_crate() {
        check("tasca-tests", &["tasca-core"], 1);
        check("tasca-loom-tests", &["tasca-core"], 1);
    }

    #[test]
    fn an_unknown_and_a_missing_crate_are_findings() {
        let mut packages = with("tasca", &[]);
        packages.push(Package {
            name: "tasca-new".to_owned(),
            uses: Vec::new(),
        });
        assert_eq!(check_packages(&packages).len(), 1);
        packages.retain(|package| package.name != "tasca-net" && package.name != "tasca-new");
        assert_eq!(check_packages(&packages).len(), 1);
    }

    #[test]
    fn development_dependencies_count_and_the_registry_does_not() {
        let packages = own_packages(&json!({ "packages": [
            { "name": "tasca-core", "source": null, "dependencies": [
                { "name": "tasca", "kind": "dev", "path": "/x/crates/tasca" },
                { "name": "polling", "kind": null, "source": "registry" },
            ] },
            { "name": "polling", "source": "registry", "dependencies": [] },
        ] }));
        assert_eq!(packages.len(), 1);
        assert_eq!(packages[0].uses, ["tasca"]);
    }
}
