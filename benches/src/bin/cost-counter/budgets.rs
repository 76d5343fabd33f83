//! What an operation may cost: `benches/budgets.toml`, a table for each workload.

use std::fs;

use toml::{Table, Value};

use crate::report::Cost;

/// The file, found from where the package was built.
const PATH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/budgets.toml");

/// The budgets of all workloads.
pub(crate) struct Budgets(Table);

impl Budgets {
    pub(crate) fn load() -> Result<Self, String> {
        let text = fs::read_to_string(PATH).map_err(|error| format!("{PATH}: {error}"))?;
        let table = text.parse().map_err(|error| format!("{PATH}: {error}"))?;
        Ok(Self(table))
    }

    /// The workloads that have a budget.
    pub(crate) fn workloads(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// What of `cost` is above the budget of `workload`, in words.
    pub(crate) fn exceeded(&self, workload: &str, cost: &Cost) -> Result<Vec<String>, String> {
        let Some(budget) = self.0.get(workload) else {
            return Ok(Vec::new());
        };
        let budget = budget
            .as_table()
            .ok_or_else(|| format!("{PATH}: {workload} is not a table"))?;
        let mut exceeded = Vec::new();
        for (name, limit) in budget {
            let limit = number(limit)
                .ok_or_else(|| format!("{PATH}: {workload}.{name} is not a number"))?;
            let actual = cost
                .get(name)
                .ok_or_else(|| format!("{PATH}: {workload}.{name} is not counted"))?;
            if actual > limit {
                exceeded.push(format!(
                    "{workload}: {actual:.2} {name}, the budget is {limit}"
                ));
            }
        }
        Ok(exceeded)
    }
}

fn number(value: &Value) -> Option<f64> {
    value
        .as_float()
        .or_else(|| value.as_integer().map(|number| number as f64))
}
