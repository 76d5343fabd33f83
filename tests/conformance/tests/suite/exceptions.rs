//! The list of scenarios that differ at the exact level, or are skipped.

use std::collections::BTreeMap;

use serde_json::Value;
use tasca_conformance::suite::{Case, parse, root};

/// What is listed, and what of it was needed.
pub(crate) struct Exceptions {
    list: Value,
    /// Names of scenarios that may differ: whether they did.
    differ: BTreeMap<String, bool>,
    /// Features that may be missing: how many scenarios need them, and did.
    skip: BTreeMap<String, (u64, u64)>,
}

impl Exceptions {
    pub(crate) fn load() -> Self {
        let text = std::fs::read_to_string(root().join("exceptions.json")).unwrap();
        let list = parse(&text).unwrap();
        let mut differ = BTreeMap::new();
        for entry in entries(&list, "exact") {
            for name in entry["scenarios"].as_array().unwrap() {
                let name = name.as_str().unwrap().to_owned();
                let before = differ.insert(name.clone(), false);
                assert!(before.is_none(), "{name} is listed twice");
            }
        }
        let skip = entries(&list, "skipped").map(|entry| {
            let feature = entry["feature"].as_str().unwrap().to_owned();
            (feature, (entry["count"].as_u64().unwrap(), 0))
        });
        Self {
            differ,
            skip: skip.collect(),
            list,
        }
    }

    /// Notes that a scenario differs; whether it may.
    pub(crate) fn differ(&mut self, name: &str) -> bool {
        self.differ.get_mut(name).map(|it| *it = true).is_some()
    }

    /// Notes that a scenario was skipped; whether it may be.
    pub(crate) fn skip(&mut self, case: &Case, feature: &str) -> bool {
        let counts = self.skip.get_mut(feature);
        self.list["skipped"].is_array()
            && case.scenario["features"].to_string().contains(feature)
            && counts.map(|(_, n_found)| *n_found += 1).is_some()
    }

    /// Whether a scenario may be skipped.
    pub(crate) fn is_skipped(&self, case: &Case) -> bool {
        let features = case.scenario["features"].as_array().into_iter().flatten();
        features
            .filter_map(Value::as_str)
            .any(|feature| self.skip.contains_key(feature))
    }

    /// What is listed and was not needed, or is counted wrongly.
    pub(crate) fn not_needed(&self) -> Vec<String> {
        let mut wrong = Vec::new();
        for (name, differs) in &self.differ {
            if !differs {
                wrong.push(format!("{name} is listed, and does not differ"));
            }
        }
        for (feature, (n_listed, n_found)) in &self.skip {
            if n_listed != n_found {
                wrong.push(format!(
                    "{n_found} scenarios were skipped for {feature}; {n_listed} are listed"
                ));
            }
        }
        for entry in entries(&self.list, "exact") {
            let n_names = entry["scenarios"].as_array().map_or(0, Vec::len);
            if entry["count"].as_u64() != u64::try_from(n_names).ok() {
                wrong.push(format!(
                    "{}: {n_names} scenarios are listed",
                    entry["rules"]
                ));
            }
        }
        wrong
    }
}

fn entries<'a>(list: &'a Value, kind: &str) -> impl Iterator<Item = &'a Value> {
    list[kind].as_array().into_iter().flatten()
}
