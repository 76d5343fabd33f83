//! What `deny.toml` asks of the dependencies, checked on the output of `cargo metadata`.
//!
//! The file is cargo-deny's, and cargo-deny reads it too; building that program takes longer than
//! all other checks together, so this does its licence, source and ban checks. Advisories need a
//! database from the network and are not checked here.

use std::collections::BTreeMap;

use serde_json::Value;
use toml::Table;

use crate::Trouble;
use crate::spdx::is_satisfied;
use crate::workspace::{Workspace, list, text};

pub(crate) fn check(workspace: &Workspace) -> Result<Vec<String>, Trouble> {
    let config: Table = workspace.read("deny.toml")?.parse()?;
    let rules = Rules::from_config(&config)?;
    let mut findings = Vec::new();
    for target in strings(&config, "graph", "targets")? {
        findings.extend(rules.check(&workspace.metadata(Some(&target))?));
    }
    // What is wrong on one platform mostly is on all.
    findings.sort();
    findings.dedup();
    Ok(findings)
}

/// The list of strings at `table.key`. An inline table counts as its `crate`.
fn strings(config: &Table, table: &str, key: &str) -> Result<Vec<String>, Trouble> {
    let missing = || format!("{table}.{key} in deny.toml should be a list of strings");
    let items = config
        .get(table)
        .and_then(|t| t.get(key)?.as_array())
        .ok_or_else(missing)?;
    let strings = items
        .iter()
        .map(|item| item.get("crate").unwrap_or(item).as_str());
    strings
        .map(|s| s.map(str::to_owned).ok_or_else(|| missing().into()))
        .collect()
}

/// `deny.toml`, as far as it is obeyed here.
#[derive(Debug)]
struct Rules {
    licences: Vec<String>,
    registries: Vec<String>,
    /// `name@version` of the versions that may stand beside another of their crate.
    doubles: Vec<String>,
}

impl Rules {
    fn from_config(config: &Table) -> Result<Self, Trouble> {
        for (table, key) in [
            ("bans", "multiple-versions"),
            ("bans", "wildcards"),
            ("sources", "unknown-registry"),
            ("sources", "unknown-git"),
        ] {
            if config.get(table).and_then(|t| t.get(key)?.as_str()) != Some("deny") {
                return Err(format!("{table}.{key} in deny.toml: only \"deny\" is known").into());
            }
        }
        Ok(Self {
            licences: strings(config, "licenses", "allow")?,
            registries: strings(config, "sources", "allow-registry")?,
            doubles: strings(config, "bans", "skip")?,
        })
    }

    fn check(&self, metadata: &Value) -> Vec<String> {
        // With a platform chosen, packages that it does not need are listed but not resolved.
        let nodes = list(&metadata["resolve"], "nodes");
        let is_used = |package: &&Value| nodes.iter().any(|node| node["id"] == package["id"]);
        let packages: Vec<&Value> = list(metadata, "packages").iter().filter(is_used).collect();
        let mut findings = Vec::new();
        let mut versions: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for package in packages {
            let (name, version) = (text(package, "name"), text(package, "version"));
            if !is_satisfied(text(package, "license"), &self.licences) {
                let licence = text(package, "license");
                findings.push(format!(
                    "{name} {version}: licence `{licence}` is not accepted"
                ));
            }
            findings.extend(self.check_source(package));
            findings.extend(check_wildcards(package));
            versions.entry(name).or_default().push(version);
        }
        findings.extend(
            versions
                .into_iter()
                .filter_map(|(name, versions)| self.check_versions(name, &versions)),
        );
        findings
    }

    /// A package is part of the workspace, or from a registry that is named.
    fn check_source(&self, package: &Value) -> Option<String> {
        let source = package["source"].as_str()?;
        let registry = source.strip_prefix("registry+");
        let known = registry.is_some_and(|url| self.registries.iter().any(|known| known == url));
        (!known).then(|| format!("{}: comes from {source}", text(package, "name")))
    }

    fn check_versions(&self, name: &str, versions: &[&str]) -> Option<String> {
        let is_excused = |version: &&&str| {
            self.doubles
                .iter()
                .any(|double| match double.split_once('@') {
                    Some((known, prefix)) => known == name && version.starts_with(prefix),
                    None => double == name,
                })
        };
        let n_counted = versions
            .iter()
            .filter(|version| !is_excused(version))
            .count();
        let said = versions.join(", ");
        (n_counted > 1).then(|| format!("{name}: {} versions: {said}", versions.len()))
    }
}

/// Own packages name a version of what they depend on; unpublished ones may name a path alone.
fn check_wildcards(package: &Value) -> Vec<String> {
    if !package["source"].is_null() {
        return Vec::new();
    }
    // `publish = false` is an empty list of registries.
    let is_private = package["publish"].as_array().is_some_and(Vec::is_empty);
    let wild = list(package, "dependencies").iter().filter(|dependency| {
        text(dependency, "req") == "*" && (dependency["path"].is_null() || !is_private)
    });
    wild.map(|dependency| {
        let (name, used) = (text(package, "name"), text(dependency, "name"));
        format!("{name}: depends on any version of {used}")
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::Rules;

    const REGISTRY: &str = "registry+https://example.org/index";

    fn package(name: &str, version: &str) -> Value {
        json!({
            "id": format!("{name} {version}"), "name": name, "version": version,
            "license": "MIT", "source": REGISTRY, "dependencies": [],
        })
    }

    #[track_caller]
    fn check(packages: &[Value], expected: &[&str]) {
        let rules = Rules {
            licences: vec!["MIT".to_owned()],
            registries: vec!["https://example.org/index".to_owned()],
            doubles: vec!["old@0.1".to_owned()],
        };
        let nodes: Vec<Value> = packages.iter().map(|p| json!({ "id": p["id"] })).collect();
        let metadata = json!({ "packages": packages, "resolve": { "nodes": nodes } });
        let findings = rules.check(&metadata);
        assert_eq!(findings.len(), expected.len(), "{findings:?}");
        for (finding, part) in findings.iter().zip(expected) {
            assert!(finding.contains(part), "{finding} does not say {part}");
        }
    }

    #[test]
    fn a_licence_that_is_not_listed_is_a_finding() {
        let mut bad = package("a", "1.0.0");
        check(&[bad.clone()], &[]);
        bad["license"] = json!("GPL-3.0");
        check(&[bad.clone()], &["licence `GPL-3.0`"]);
        bad["license"] = Value::Null;
        check(&[bad], &["licence ``"]);
    }

    #[test]
    fn a_source_that_is_not_listed_is_a_finding() {
        let mut bad = package("a", "1.0.0");
        bad["source"] = json!("git+https://example.org/a");
        check(&[bad.clone()], &["comes from git+"]);
        bad["source"] = json!("registry+https://elsewhere.org/index");
        check(&[bad.clone()], &["comes from registry+"]);
        bad["source"] = Value::Null;
        check(&[bad], &[]);
    }

    #[test]
    fn a_second_version_is_a_finding_unless_it_is_skipped() {
        check(
            &[package("a", "1.0.0"), package("a", "2.0.0")],
            &["a: 2 versions: 1.0.0, 2.0.0"],
        );
        check(&[package("old", "0.1.7"), package("old", "0.2.0")], &[]);
        check(
            &[package("old", "0.3.0"), package("old", "0.2.0")],
            &["old: 2 versions"],
        );
    }

    #[test]
    fn a_wildcard_is_a_finding_unless_it_is_a_path_in_a_private_package() {
        let own = |publish: Value, path: Value| {
            json!({
                "id": "own", "name": "own", "version": "1.0.0", "license": "MIT", "source": null,
                "publish": publish, "dependencies": [{ "name": "a", "req": "*", "path": path }],
            })
        };
        check(&[own(json!([]), json!("/a"))], &[]);
        check(
            &[own(Value::Null, json!("/a"))],
            &["own: depends on any version of a"],
        );
        check(
            &[own(json!([]), Value::Null)],
            &["own: depends on any version of a"],
        );
    }

    #[test]
    fn packages_of_other_platforms_do_not_count() {
        let rules = Rules {
            licences: Vec::new(),
            registries: Vec::new(),
            doubles: Vec::new(),
        };
        let metadata = json!({ "packages": [package("a", "1.0.0")], "resolve": { "nodes": [] } });
        assert_eq!(rules.check(&metadata), [""; 0]);
    }

    const CONFIG: &str = r#"
        licenses.allow = ["MIT"]
        [bans]
        multiple-versions = "deny"
        wildcards = "deny"
        skip = [{ crate = "old@0.1", reason = "why" }]
        [sources]
        unknown-registry = "deny"
        unknown-git = "deny"
        allow-registry = ["https://example.org/index"]
    "#;

    #[test]
    fn rules_are_read() -> Result<(), crate::Trouble> {
        let rules = Rules::from_config(&CONFIG.parse()?)?;
        assert_eq!(rules.licences, ["MIT"]);
        assert_eq!(rules.doubles, ["old@0.1"]);
        Ok(())
    }

    #[test]
    fn a_softened_or_missing_rule_is_refused() -> Result<(), crate::Trouble> {
        for (rule, other) in [
            ("wildcards = \"deny\"", "wildcards = \"warn\""),
            ("unknown-git = \"deny\"", ""),
            ("[\"MIT\"]", "\"MIT\""),
            ("[\"MIT\"]", "[1]"),
        ] {
            let config = CONFIG.replace(rule, other);
            assert!(Rules::from_config(&config.parse()?).is_err(), "{config}");
        }
        Ok(())
    }
}
