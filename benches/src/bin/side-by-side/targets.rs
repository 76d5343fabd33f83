//! What is aimed at: `benches/targets.toml`, a table for each workload.

use std::fs;

use tasca_benches::workloads;
use toml::{Table, Value};

use crate::{
    OURS,
    report::{Report, Row, ratio},
};

/// The file, found from where the package was built.
const PATH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/targets.toml");

/// The table for workloads that have none.
const DEFAULT: &str = "default";

/// The name for the faster of the two that every workload has.
const FASTEST: &str = "fastest";
const FASTEST_OF: [&str; 2] = ["tokio", "smol"];

/// The targets of all workloads.
pub(crate) struct Targets(Table);

impl Targets {
    pub(crate) fn load() -> Result<Self, String> {
        let text = fs::read_to_string(PATH).map_err(|error| format!("{PATH}: {error}"))?;
        Self::parse(&text)
    }

    fn parse(text: &str) -> Result<Self, String> {
        let targets = Self(text.parse().map_err(|error| format!("{PATH}: {error}"))?);
        let known = workloads::all();
        for (workload, target) in &targets.0 {
            if workload != DEFAULT && known.iter().all(|entry| entry.name != workload) {
                return Err(format!("{PATH}: {workload} is no workload"));
            }
            let numbers = target
                .as_table()
                .is_some_and(|table| table.values().all(|value| number(value).is_some()));
            if !numbers {
                return Err(format!("{PATH}: {workload} must be a table of numbers"));
            }
        }
        Ok(targets)
    }

    /// Every target that `report` misses, in words.
    pub(crate) fn missed(&self, report: &Report) -> Vec<String> {
        let mut missed = Vec::new();
        for group in report.groups() {
            let Some(ours) = group.iter().find(|row| row.runtime == OURS) else {
                continue;
            };
            for (name, target) in self.of(&ours.workload) {
                let what = format!("{} at {} workers: ", ours.workload, ours.workers);
                missed.extend(miss(report, &group, ours, name, target).map(|miss| what + &miss));
            }
        }
        missed
    }

    /// The targets of a workload: its own, and those of the default that it does not change.
    fn of(&self, workload: &str) -> Vec<(&str, f64)> {
        let table = |name: &str| self.0.get(name).and_then(Value::as_table);
        let own = table(workload);
        let default = table(DEFAULT)
            .into_iter()
            .flatten()
            .filter(|(name, _)| own.is_none_or(|own| !own.contains_key(*name)));
        own.into_iter()
            .flatten()
            .chain(default)
            .filter_map(|(name, value)| Some((name.as_str(), number(value)?)))
            .collect()
    }
}

/// How far `ours` is from a target, if it is not there.
fn miss(report: &Report, group: &[&Row], ours: &Row, name: &str, target: f64) -> Option<String> {
    match name {
        "at_most" => {
            (ours.median() > target).then(|| format!("{:.0}, at most {target}", ours.median()))
        }
        "two_workers" => {
            let alone = report.rows.iter().find(|row| {
                row.runtime == OURS && row.workload == ours.workload && row.workers == 1
            })?;
            let faster = alone.median() / ours.median();
            (ours.workers == 2 && faster < target)
                .then(|| format!("{faster:.2} times as fast as one worker, at least {target}"))
        }
        peer => {
            let names: &[&str] = if peer == FASTEST {
                &FASTEST_OF
            } else {
                &[peer]
            };
            let (ratio, row) = group
                .iter()
                .filter(|row| names.contains(&row.runtime.as_str()))
                .filter_map(|row| Some((ratio(&report.rows, row)?, row)))
                .min_by(|(one, _), (other, _)| one.total_cmp(other))?;
            (ratio < target)
                .then(|| format!("{:.2} times {}, at least {target}", ratio, row.runtime))
        }
    }
}

fn number(value: &Value) -> Option<f64> {
    value
        .as_float()
        .or_else(|| value.as_integer().map(|number| number as f64))
}

#[cfg(test)]
mod tests {
    use super::Targets;
    use crate::report::tests::{report, row};

    #[test]
    fn the_file_is_in_order() {
        Targets::load().unwrap();
    }

    #[test]
    fn a_target_for_no_workload_is_an_error() {
        assert!(Targets::parse("[spawn_jon]\ntokio = 3").is_err());
        assert!(Targets::parse("[spawn_join]\ntokio = \"3\"").is_err());
    }

    #[test]
    fn each_kind_of_target_is_missed_and_met() {
        let targets =
            "[default]\nfastest = 1.0\n[spawn]\ntokio = 3\nat_most = 50\ntwo_workers = 0.9";
        let targets = Targets::parse(targets).unwrap();
        let with = |ours, two, tokio, smol| {
            targets.missed(&report(vec![
                row("spawn", 1, "tasca", &[ours]),
                row("spawn", 1, "tokio", &[tokio]),
                row("spawn", 1, "smol", &[smol]),
                row("spawn", 2, "tasca", &[two]),
            ]))
        };
        assert_eq!(with(10.0, 10.0, 30.0, 10.0), [""; 0]);
        assert_eq!(
            with(10.0, 10.0, 29.0, 9.0),
            [
                "spawn at 1 workers: 2.90 times tokio, at least 3",
                "spawn at 1 workers: 0.90 times smol, at least 1",
            ]
        );
        assert_eq!(
            with(40.0, 60.0, 120.0, 40.0),
            [
                "spawn at 2 workers: 60, at most 50",
                "spawn at 2 workers: 0.67 times as fast as one worker, at least 0.9",
            ]
        );
    }
}
