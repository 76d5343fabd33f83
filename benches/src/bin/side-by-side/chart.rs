//! A drawing of the ratios: how many times tasca's figure each peer's is.
//!
//! One line a workload, one panel for each number of workers, one bar a peer. The scale is logarithmic,
//! and bars begin at 1: those to the right are peers that are behind tasca, those to the left peers that are
//! ahead.

use std::fmt::Write;

use crate::report::{Report, Row, ratio};

/// The peers that have a bar, with the names of their colours.
const PEERS: [&str; 2] = ["tokio", "smol"];

/// The ends of the scale; a bar that is longer is cut, and says so by its figure.
const RATIO_MIN: f64 = 0.25;
const RATIO_MAX: f64 = 32.0;

const LABELS: f64 = 190.0;
const PANEL: f64 = 330.0;
const GAP: f64 = 30.0;
const HEAD: f64 = 64.0;
const BAR: f64 = 8.0;
const LINE: f64 = 24.0;

const STYLE: &str = "text{font:11px system-ui,sans-serif;fill:#333}\
    .head{font-size:13px;font-weight:600}.figure{font-size:9px}\
    .grid{stroke:#ddd}.one{stroke:#333}\
    .inside{fill:#fff}\
    .tokio{fill:#4477aa}.smol{fill:#997700}\
    @media(prefers-color-scheme:dark){text{fill:#ddd}.inside{fill:#fff}.grid{stroke:#444}.one{stroke:#ddd}}";

/// The drawing, as the text of an SVG file.
pub(crate) fn draw(report: &Report) -> String {
    let mut panels: Vec<_> = report.rows.iter().map(|row| row.workers).collect();
    panels.sort_unstable();
    panels.dedup();
    let mut workloads: Vec<&str> = Vec::new();
    for row in &report.rows {
        if !workloads.contains(&row.workload.as_str()) {
            workloads.push(&row.workload);
        }
    }
    let width = LABELS + panels.len() as f64 * (PANEL + GAP);
    let height = HEAD + workloads.len() as f64 * LINE + 10.0;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" \
         width=\"{width}\" height=\"{height}\">\n<style>{STYLE}</style>\n"
    );
    legend(&mut svg);
    for (index, workload) in workloads.iter().enumerate() {
        let y = HEAD + index as f64 * LINE;
        text(&mut svg, LABELS - 8.0, y + LINE / 2.0, "end", "", workload);
    }
    for (index, &workers) in panels.iter().enumerate() {
        let x = LABELS + index as f64 * (PANEL + GAP);
        scale(&mut svg, x, height, workers);
        for (index, workload) in workloads.iter().enumerate() {
            let y = HEAD + index as f64 * LINE;
            let rows = report
                .rows
                .iter()
                .filter(|row| row.workload == *workload && row.workers == workers);
            for row in rows {
                bar(&mut svg, x, y, row, ratio(&report.rows, row));
            }
        }
    }
    svg.push_str("</svg>\n");
    svg
}

fn legend(svg: &mut String) {
    let title =
        "times as long, as late or as large as tasca (logarithmic; right of 1: tasca is ahead)";
    text(svg, 8.0, 18.0, "start", "head", title);
    for (index, peer) in PEERS.iter().enumerate() {
        let x = 8.0 + index as f64 * 70.0;
        rectangle(svg, peer, x, 30.0, 10.0);
        text(svg, x + 16.0, 38.0, "start", "", peer);
    }
}

/// The heading of a panel, and its lines from top to bottom.
fn scale(svg: &mut String, x: f64, height: f64, workers: usize) {
    let heading = match workers {
        1 => "1 worker".to_owned(),
        more => format!("{more} workers"),
    };
    text(svg, x + PANEL / 2.0, 36.0, "middle", "head", &heading);
    let mut ratio = RATIO_MIN;
    while ratio <= RATIO_MAX {
        let at = x + position(ratio);
        let class = if ratio == 1.0 { "one" } else { "grid" };
        line(svg, class, at, height);
        text(svg, at, HEAD - 8.0, "middle", "figure", &format!("{ratio}"));
        ratio *= 2.0;
    }
}

/// How far from the left end of a panel a ratio is.
fn position(ratio: f64) -> f64 {
    let part = (ratio.clamp(RATIO_MIN, RATIO_MAX) / RATIO_MIN).log2();
    part / (RATIO_MAX / RATIO_MIN).log2() * PANEL
}

fn bar(svg: &mut String, x: f64, y: f64, row: &Row, ratio: Option<f64>) {
    let place = PEERS.iter().position(|peer| *peer == row.runtime);
    let (Some(place), Some(ratio)) = (place, ratio) else {
        return;
    };
    let y = y + 3.0 + place as f64 * (BAR + 1.0);
    let (one, end) = (position(1.0), position(ratio));
    let (left, right) = (one.min(end), one.max(end));
    rectangle(svg, &row.runtime, x + left, y, (right - left).max(1.0));
    let figure = if ratio < 0.95 {
        format!("{ratio:.2}")
    } else {
        format!("{ratio:.1}")
    };
    // Behind the end of the bar, or in it where there is no room.
    let (at, anchor, class) = match (ratio < 1.0, left < 24.0, right > PANEL - 24.0) {
        (true, false, _) => (left - 3.0, "end", "figure"),
        (true, true, _) => (left + 3.0, "start", "figure inside"),
        (false, _, false) => (right + 3.0, "start", "figure"),
        (false, _, true) => (right - 3.0, "end", "figure inside"),
    };
    text(svg, x + at, y + BAR / 2.0, anchor, class, &figure);
}

// A string takes everything, so the results below say nothing.

fn rectangle(svg: &mut String, class: &str, x: f64, y: f64, width: f64) {
    let _ = writeln!(
        svg,
        "<rect class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{BAR}\"/>"
    );
}

fn line(svg: &mut String, class: &str, x: f64, height: f64) {
    let _ = writeln!(
        svg,
        "<line class=\"{class}\" x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{HEAD}\" y2=\"{height}\"/>"
    );
}

/// Names of workloads and figures need no escapes.
fn text(svg: &mut String, x: f64, y: f64, anchor: &str, class: &str, text: &str) {
    let _ = writeln!(
        svg,
        "<text class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\" \
         dominant-baseline=\"middle\">{text}</text>"
    );
}

#[cfg(test)]
mod tests {
    use super::{PANEL, draw, position};
    use crate::report::tests::{report, row};

    #[test]
    fn the_scale_ends_where_the_panel_does() {
        assert_eq!(position(0.25), 0.0);
        assert_eq!(position(1e9), PANEL);
        assert!((position(1.0) / PANEL - 2.0 / 7.0).abs() < 1e-9);
    }

    #[test]
    fn each_peer_has_a_bar_and_tasca_none() {
        let svg = draw(&report(vec![
            row("spawn", 1, "tasca", &[40.0]),
            row("spawn", 1, "tokio", &[200.0]),
            row("spawn", 1, "smol", &[20.0]),
            row("spawn", 1, "boxes", &[10.0]),
        ]));
        // One in the legend, one in the panel.
        assert_eq!(svg.matches("class=\"tokio\"").count(), 2);
        assert_eq!(svg.matches("class=\"smol\"").count(), 2);
        assert!(svg.contains(">5.0</text>") && svg.contains(">0.50</text>"));
        assert_eq!(svg.matches("<svg").count(), svg.matches("</svg>").count());
    }
}
