//! The figures: in memory, as lines, as JSON.

use std::{fs, io::ErrorKind, time::Duration};

use serde_json::{Value, json};
use tasca_benches::workload::Entry;

use crate::{OURS, gauge::Counts, machine};

/// All figures of a run, and what they belong to.
#[derive(Debug)]
pub(crate) struct Report {
    pub(crate) machine: String,
    pub(crate) load: String,
    /// In seconds since 1970.
    time: u64,
    rounds: u64,
    millis: u64,
    pub(crate) counts: Counts,
    pub(crate) rows: Vec<Row>,
}

/// One runtime's figures for one workload.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) workload: String,
    /// What is measured, as [`Metric`](tasca_benches::workload::Metric) writes it.
    pub(crate) metric: String,
    pub(crate) workers: usize,
    pub(crate) runtime: String,
    /// In rising order; one at least.
    samples: Vec<f64>,
}

impl Row {
    pub(crate) fn new(entry: &Entry, workers: usize, runtime: &str, mut samples: Vec<f64>) -> Self {
        samples.sort_by(f64::total_cmp);
        Self {
            workload: entry.name.to_owned(),
            metric: entry.metric.to_string(),
            workers,
            runtime: runtime.to_owned(),
            samples,
        }
    }

    /// The sample below which `part` of the others are.
    pub(crate) fn quantile(&self, part: f64) -> f64 {
        let at = part * (self.samples.len() - 1) as f64;
        let (low, high) = (
            self.samples[at.floor() as usize],
            self.samples[at.ceil() as usize],
        );
        low + (high - low) * at.fract()
    }

    pub(crate) fn median(&self) -> f64 {
        self.quantile(0.5)
    }

    fn to_json(&self) -> Value {
        json!({
            "workload": self.workload,
            "metric": self.metric,
            "workers": self.workers,
            "runtime": self.runtime,
            "median": rounded(self.median()),
            "samples": self.samples.iter().copied().map(rounded).collect::<Vec<_>>(),
        })
    }

    fn from_json(value: &Value) -> Option<Self> {
        let text = |name: &str| Some(value.get(name)?.as_str()?.to_owned());
        let samples = value.get("samples")?.as_array()?;
        let mut samples: Vec<_> = samples
            .iter()
            .map(Value::as_f64)
            .collect::<Option<_>>()
            .filter(|samples: &Vec<_>| !samples.is_empty())?;
        samples.sort_by(f64::total_cmp);
        Some(Self {
            workload: text("workload")?,
            metric: text("metric")?,
            workers: usize::try_from(value.get("workers")?.as_u64()?).ok()?,
            runtime: text("runtime")?,
            samples,
        })
    }
}

/// To tenths, which is more than a measurement is worth.
fn rounded(figure: f64) -> f64 {
    (figure * 10.0).round() / 10.0
}

/// How many times tasca's median that of `row` is; `None` for tasca's own, and where there is none.
pub(crate) fn ratio(rows: &[Row], row: &Row) -> Option<f64> {
    if row.runtime == OURS {
        return None;
    }
    let ours = rows.iter().find(|other| {
        other.runtime == OURS && other.workload == row.workload && other.workers == row.workers
    })?;
    (ours.median() > 0.0).then(|| row.median() / ours.median())
}

/// Prints a line of the table.
pub(crate) fn print_row(row: &Row, ratio: Option<f64>) {
    let line = format!(
        "{:<20} {:>2} {:<5}  {:<8} {:>12.1}  ({:.1} to {:.1}, min {:.1})",
        row.workload,
        row.workers,
        row.metric,
        row.runtime,
        row.median(),
        row.quantile(0.25),
        row.quantile(0.75),
        row.quantile(0.0),
    );
    let ratio = ratio.map_or(String::new(), |ratio| format!("{ratio:>7.2}x"));
    println!("{}", format!("{line:<96}{ratio}").trim_end());
}

impl Report {
    /// For a run that begins now.
    pub(crate) fn new(rounds: usize, duration: Duration) -> Self {
        Self {
            machine: machine::machine(),
            load: machine::load(),
            time: machine::now(),
            rounds: rounds as u64,
            millis: duration.as_millis() as u64,
            counts: Counts::default(),
            rows: Vec::new(),
        }
    }

    /// The day of the run.
    pub(crate) fn date(&self) -> String {
        machine::date(self.time)
    }

    /// How far the cores were this program's alone in the last run.
    pub(crate) fn shared_cores(&self) -> String {
        format!(
            "{} of {} measurements began on a core that something else was using too",
            self.counts.on_shared_core, self.counts.measurements,
        )
    }

    /// The rows of one workload with one number of workers together, in the order in which they were
    /// measured.
    pub(crate) fn groups(&self) -> Vec<Vec<&Row>> {
        let mut groups: Vec<Vec<&Row>> = Vec::new();
        for row in &self.rows {
            let belongs = |group: &&mut Vec<&Row>| {
                group[0].workload == row.workload && group[0].workers == row.workers
            };
            match groups.iter_mut().find(belongs) {
                Some(group) => group.push(row),
                None => groups.push(vec![row]),
            }
        }
        groups
    }

    /// Begins with the rows of a file, if there is one.
    pub(crate) fn take_over(&mut self, path: &str) -> Result<(), String> {
        let old = match fs::read_to_string(path) {
            Ok(text) => Self::parse(path, &text)?,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(format!("{path}: {error}")),
        };
        if old.machine != self.machine {
            return Err(format!(
                "{path} has figures of another machine; delete it or choose another name"
            ));
        }
        self.rows = old.rows;
        Ok(())
    }

    /// Puts `rows` in the places of older ones for the same, so that a table stays in order.
    pub(crate) fn update(&mut self, rows: Vec<Row>) {
        let same = |one: &Row, other: &Row| {
            one.workload == other.workload
                && one.workers == other.workers
                && one.runtime == other.runtime
        };
        for row in rows {
            match self.rows.iter_mut().find(|other| same(other, &row)) {
                Some(place) => *place = row,
                None => self.rows.push(row),
            }
        }
    }

    pub(crate) fn load(path: &str) -> Result<Self, String> {
        let text = fs::read_to_string(path).map_err(|error| format!("{path}: {error}"))?;
        Self::parse(path, &text)
    }

    fn parse(path: &str, text: &str) -> Result<Self, String> {
        let value: Value =
            serde_json::from_str(text).map_err(|error| format!("{path}: {error}"))?;
        Self::from_json(&value).ok_or_else(|| format!("{path} is not what --json writes"))
    }

    fn from_json(value: &Value) -> Option<Self> {
        let text = |name: &str| Some(value.get(name)?.as_str()?.to_owned());
        let rows = value.get("rows")?.as_array()?;
        // A file from before they were counted has none.
        let count = |name: &str| value.get(name).map_or(Some(0), Value::as_u64);
        Some(Self {
            machine: text("machine")?,
            load: text("load_average")?,
            time: value.get("time")?.as_u64()?,
            rounds: value.get("rounds")?.as_u64()?,
            millis: value.get("millis")?.as_u64()?,
            counts: Counts {
                measurements: count("measurements")?,
                on_shared_core: count("on_shared_core")?,
            },
            rows: rows.iter().map(Row::from_json).collect::<Option<_>>()?,
        })
    }

    /// One row a line, so that two versions can be compared.
    pub(crate) fn to_json(&self) -> String {
        let rows: Vec<_> = self
            .rows
            .iter()
            .map(|row| format!("    {}", row.to_json()))
            .collect();
        format!(
            "{{\n  \"machine\": {},\n  \"load_average\": {},\n  \"time\": {},\n  \"rounds\": {},\n  \
             \"millis\": {},\n  \"measurements\": {},\n  \"on_shared_core\": {},\n  \"rows\": [\n{}\n  ]\n}}\n",
            json!(self.machine),
            json!(self.load),
            self.time,
            self.rounds,
            self.millis,
            self.counts.measurements,
            self.counts.on_shared_core,
            rows.join(",\n"),
        )
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::{Counts, Report, Row, ratio};

    pub(crate) fn row(workload: &str, workers: usize, runtime: &str, samples: &[f64]) -> Row {
        Row {
            workload: workload.into(),
            metric: "wall".into(),
            workers,
            runtime: runtime.into(),
            samples: samples.to_vec(),
        }
    }

    pub(crate) fn report(rows: Vec<Row>) -> Report {
        Report {
            machine: "a machine".into(),
            load: "0.0".into(),
            time: 0,
            rounds: 9,
            millis: 20,
            counts: Counts {
                measurements: 18,
                on_shared_core: 2,
            },
            rows,
        }
    }

    #[test]
    fn quantiles_lie_between_samples() {
        let row = row("a", 1, "tasca", &[1.0, 2.0, 4.0, 8.0]);
        assert_eq!(row.quantile(0.0), 1.0);
        assert_eq!(row.median(), 3.0);
        assert_eq!(row.quantile(1.0), 8.0);
    }

    #[test]
    fn a_ratio_is_taken_to_the_same_workload_with_as_many_workers() {
        let rows = [
            row("a", 1, "tasca", &[2.0]),
            row("a", 2, "tasca", &[4.0]),
            row("a", 2, "tokio", &[12.0]),
            row("b", 1, "tokio", &[12.0]),
        ];
        assert_eq!(ratio(&rows, &rows[2]), Some(3.0));
        assert_eq!(ratio(&rows, &rows[3]), None);
        assert_eq!(ratio(&rows, &rows[0]), None);
    }

    #[test]
    fn what_is_measured_again_replaces_what_was() {
        let mut report = report(vec![
            row("a", 1, "tasca", &[1.0]),
            row("a", 1, "tokio", &[2.0]),
        ]);
        report.update(vec![
            row("a", 2, "tasca", &[3.0]),
            row("a", 1, "tasca", &[4.0]),
        ]);
        let medians: Vec<_> = report.rows.iter().map(Row::median).collect();
        assert_eq!(medians, [4.0, 2.0, 3.0]);
    }

    #[test]
    fn what_is_written_is_read_again() {
        let before = report(vec![
            row("a", 1, "tasca", &[1.5, 2.5]),
            row("a", 1, "tokio", &[3.0]),
        ]);
        let text = before.to_json();
        let after = Report::parse("file", &text).unwrap();
        assert_eq!(after.to_json(), text);
        assert!(Report::parse("file", "{}").is_err());
    }
}
