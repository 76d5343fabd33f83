//! The table for a page of documentation.

use std::fmt::Write;

use crate::{
    OURS,
    report::{Report, Row, ratio},
};

/// The peers that have a column; the others share the last one.
const COLUMNS: [&str; 2] = ["tokio", "smol"];

/// Every figure of `report`: a line for each workload and number of workers.
pub(crate) fn table(report: &Report) -> String {
    let mut text = format!(
        "Machine: {}. {}. Load average when the last run began: {}; in it {}.\n\n",
        report.machine,
        report.date(),
        report.load,
        report.shared_cores(),
    );
    text.push_str("| workload | workers | by | tasca | tokio | smol | others and limits |\n");
    text.push_str("|---|---|---|---|---|---|---|\n");
    for group in report.groups() {
        let cell = |row: &Row| cell(row, ratio(&report.rows, row));
        let named = |name: &str| {
            let row = group.iter().find(|row| row.runtime == name);
            row.map_or(String::new(), |row| cell(row))
        };
        let rest: Vec<_> = group
            .iter()
            .filter(|row| row.runtime != OURS && !COLUMNS.contains(&row.runtime.as_str()))
            .map(|row| format!("{} {}", row.runtime, cell(row)))
            .collect();
        let first = group[0];
        let columns = [OURS].iter().chain(&COLUMNS).map(|name| named(name));
        let columns: Vec<_> = columns.chain([rest.join(", ")]).collect();
        // A string takes everything.
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} |",
            first.workload,
            first.workers,
            first.metric,
            columns.join(" | ")
        );
    }
    text
}

/// tasca's median with the quartiles around it; of a peer, the median and the ratio, emphasised where
/// tasca is behind.
fn cell(row: &Row, ratio: Option<f64>) -> String {
    let figure = |part| short(row.quantile(part));
    match ratio {
        None if row.runtime == OURS => {
            format!("{} ({}–{})", figure(0.5), figure(0.25), figure(0.75))
        }
        None => figure(0.5),
        Some(ratio) if ratio < 0.995 => format!("{} (**{ratio:.2}×**)", figure(0.5)),
        Some(ratio) if ratio < 9.95 => format!("{} ({ratio:.2}×)", figure(0.5)),
        Some(ratio) => format!("{} ({ratio:.0}×)", figure(0.5)),
    }
}

/// Three digits at least, and thousands apart.
fn short(figure: f64) -> String {
    if figure < 9.95 {
        return format!("{figure:.1}");
    }
    let digits = format!("{figure:.0}");
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{short, table};
    use crate::report::tests::{report, row};

    #[test]
    fn figures_are_written_for_people() {
        assert_eq!(short(1.24), "1.2");
        assert_eq!(short(123.4), "123");
        assert_eq!(short(1_234_567.0), "1,234,567");
    }

    #[test]
    fn each_peer_has_its_place() {
        let report = report(vec![
            row("spawn", 1, "tasca", &[40.0]),
            row("spawn", 1, "tokio", &[200.0]),
            row("spawn", 1, "smol", &[20.0]),
            row("spawn", 1, "go", &[500.0]),
        ]);
        let line =
            "| spawn | 1 | wall | 40 (40–40) | 200 (5.00×) | 20 (**0.50×**) | go 500 (12×) |";
        let table = table(&report);
        assert!(table.lines().any(|other| other == line), "{table}");
    }
}
