//! The rules of asyncio, and the page that says what pins each of them here.
//!
//! `tests/conformance/SEMANTICS.md` states the rules; `docs/asyncio-map.md` has a row for each, which
//! ends with the scenarios and tests that would fail if it were broken. Both are written by hand,
//! so they are held against each other and against what exists.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::Trouble;
use crate::workspace::{Workspace, list, text};

const SEMANTICS: &str = "tests/conformance/SEMANTICS.md";
const MAP: &str = "docs/asyncio-map.md";
const SCENARIOS: &str = "tests/conformance/scenarios";

/// What the names in the map may stand for.
struct Pins {
    /// Scenarios, each with the rules that it witnesses.
    scenarios: BTreeMap<String, BTreeSet<String>>,
    /// Functions in the files of tests.
    tests: BTreeSet<String>,
}

pub(crate) fn check(workspace: &Workspace) -> Result<Vec<String>, Trouble> {
    let pins = Pins {
        scenarios: scenarios(workspace)?,
        tests: tests(workspace)?,
    };
    Ok(compare(
        &workspace.read(SEMANTICS)?,
        &workspace.read(MAP)?,
        &pins,
    ))
}

fn scenarios(workspace: &Workspace) -> Result<BTreeMap<String, BTreeSet<String>>, Trouble> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(workspace.root().join(SCENARIOS))? {
        let path = entry?.path();
        if path.extension().is_none_or(|e| e != "json") {
            continue;
        }
        let file: Value = serde_json::from_str(&std::fs::read_to_string(&path)?)
            .map_err(|e| format!("{}: {e}", path.display()))?;
        for record in file.as_array().map_or(&[][..], Vec::as_slice) {
            let scenario = &record["scenario"];
            let rules = list(scenario, "rules")
                .iter()
                .filter_map(|rule| rule.as_str().map(str::to_owned))
                .collect();
            found.insert(text(scenario, "name").to_owned(), rules);
        }
    }
    Ok(found)
}

fn tests(workspace: &Workspace) -> Result<BTreeSet<String>, Trouble> {
    let mut found = BTreeSet::new();
    for dir in ["crates", "tests", "loom-tests"] {
        for file in workspace.rust_files(dir)? {
            if file.path.contains("tests/") {
                found.extend(file.text.lines().filter_map(function).map(str::to_owned));
            }
        }
    }
    Ok(found)
}

/// The name of the function that starts on this line.
fn function(line: &str) -> Option<&str> {
    let line = line.trim_start();
    let line = line.strip_prefix("pub ").unwrap_or(line);
    let line = line.strip_prefix("async ").unwrap_or(line);
    let name = line.strip_prefix("fn ")?;
    name.split(['(', '<']).next()
}

/// The rules that `semantics` states: each name, and whether it applies.
fn stated(semantics: &str) -> BTreeMap<&str, bool> {
    semantics
        .lines()
        .filter_map(|line| {
            let (name, rest) = line.strip_prefix("**")?.split_once("**")?;
            is_rule(name).then(|| (name, !rest.starts_with(" [–]")))
        })
        .collect()
}

fn is_rule(word: &str) -> bool {
    let number = word.trim_start_matches(|c: char| c.is_ascii_uppercase());
    let letters = word.len() - number.len();
    (1..=2).contains(&letters) && !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit())
}

fn compare(semantics: &str, map: &str, pins: &Pins) -> Vec<String> {
    let stated = stated(semantics);
    let mut findings = Vec::new();
    let mut rows = BTreeSet::new();
    for (n, line) in map.lines().enumerate() {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let (Some(&rule), Some(&pinned)) = (cells.first(), cells.last()) else {
            continue;
        };
        if !line.starts_with('|') || !is_rule(rule) {
            continue;
        }
        let mut find = |what: String| findings.push(format!("{MAP}:{}: {rule}: {what}", n + 1));
        if !rows.insert(rule) {
            find("has a second row; keep one".into());
        }
        let Some(&applies) = stated.get(rule) else {
            find(format!(
                "is not a rule of {SEMANTICS}; remove the row, or state the rule"
            ));
            continue;
        };
        let names: Vec<&str> = pinned.split('`').skip(1).step_by(2).collect();
        if applies && names.is_empty() && !pinned.starts_with("none:") {
            find(
                "nothing pins it; name a scenario or a test, or write `none:` and the reason"
                    .into(),
            );
        }
        for name in names {
            match pins.scenarios.get(name) {
                Some(rules) if rules.contains(rule) => {}
                Some(_) => find(format!("the scenario {name} does not witness it")),
                None if pins.tests.contains(name) => {}
                None => find(format!("there is no scenario and no test named {name}")),
            }
        }
    }
    findings.extend(
        stated
            .keys()
            .filter(|rule| !rows.contains(**rule))
            .map(|rule| format!("{MAP}: the rule {rule} has no row; add one")),
    );
    findings
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::{Pins, compare, function};

    const SEMANTICS: &str =
        "**G1** [R] In order.\n**G2** [R] Done at once.\n**T20** [–] Twice.\n**bold** word\n";

    #[track_caller]
    fn findings(map: &str) -> Vec<String> {
        let pins = Pins {
            scenarios: BTreeMap::from([(
                "gather/one".to_owned(),
                BTreeSet::from(["G1".to_owned()]),
            )]),
            tests: BTreeSet::from(["nothing_to_gather".to_owned()]),
        };
        compare(SEMANTICS, map, &pins)
    }

    const GOOD: &str = "| rule | | pinned by |\n| G1 | order | | `gather/one` |\n\
                        | G2 | nothing | | `nothing_to_gather` |\n| T20 | twice | | |\n";

    #[test]
    fn a_row_for_each_rule_with_pins_that_exist_passes() {
        assert_eq!(findings(GOOD), [""; 0]);
    }

    #[test]
    fn a_rule_without_a_row_is_found() {
        assert!(findings("")[0].contains("the rule G1 has no row"));
    }

    #[test]
    fn an_applicable_rule_without_a_pin_is_found() {
        let found = findings(&GOOD.replace("`nothing_to_gather`", ""));
        assert!(found[0].contains("G2: nothing pins it"), "{found:?}");
        assert_eq!(
            findings(&GOOD.replace("`nothing_to_gather`", "none: seen only inside")),
            [""; 0]
        );
    }

    #[test]
    fn a_pin_that_does_not_exist_or_witnesses_another_rule_is_found() {
        let found = findings(&GOOD.replace("`nothing_to_gather`", "`gone`, `gather/one`"));
        assert!(found[0].contains("no scenario and no test named gone"));
        assert!(found[1].contains("gather/one does not witness it"));
    }

    #[test]
    fn a_row_twice_or_for_no_rule_is_found() {
        let found = findings(&format!("{GOOD}| G1 | again | | `gather/one` |\n"));
        assert!(found[0].contains("has a second row"));
        let found = findings(&format!("{GOOD}| G77 | what | | `gather/one` |\n"));
        assert!(found[0].contains("is not a rule"));
    }

    #[test]
    fn functions_are_found_whatever_stands_before_them() {
        assert_eq!(function("    async fn x(a: u8) {"), Some("x"));
        assert_eq!(function("pub fn y<T>()"), Some("y"));
        assert_eq!(function("// fn z"), None);
    }
}
