//! What an operation may cost: `benches/budgets.toml`, a table for each workload.

use std::fs;

use toml::{Table, Value};

use crate::cost::Cost;

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

    /// Whether this workload has one.
    pub(crate) fn has(&self, workload: &str) -> bool {
        self.0.contains_key(workload)
    }

    /// What of `cost` is above the budget of `workload`, in words. A budget has a limit for every figure:
    /// one that is left out would be watched by nobody.
    pub(crate) fn exceeded(&self, workload: &str, cost: &Cost) -> Result<Vec<String>, String> {
        let Some(budget) = self.0.get(workload) else {
            return Err(format!("{PATH}: {workload} has no budget"));
        };
        let budget = budget
            .as_table()
            .ok_or_else(|| format!("{PATH}: {workload} is not a table"))?;
        if let Some(name) = budget
            .keys()
            .find(|name| !Cost::FIGURES.contains(&name.as_str()))
        {
            return Err(format!("{PATH}: {workload}.{name} is not counted"));
        }
        let mut exceeded = Vec::new();
        for name in Cost::FIGURES {
            let limit = budget
                .get(name)
                .and_then(number)
                .ok_or_else(|| format!("{PATH}: {workload}.{name} must be a number"))?;
            let actual = cost.get(name);
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
