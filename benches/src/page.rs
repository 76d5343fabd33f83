//! Tables in pages of documentation, made by the programs that measure.

/// The page with `text` between the comments `<!-- name: begin -->` and `<!-- name: end -->`, instead of
/// what was there before.
///
/// # Errors
///
/// If the page lacks one of the two.
pub fn put_between(page: &str, name: &str, text: &str) -> Result<String, String> {
    let begin = format!("<!-- {name}: begin -->");
    let end = format!("<!-- {name}: end -->");
    let (before, rest) = page
        .split_once(&begin)
        .ok_or_else(|| format!("no line {begin}"))?;
    let (_, after) = rest
        .split_once(&end)
        .ok_or_else(|| format!("no line {end} behind {begin}"))?;
    Ok(format!("{before}{begin}\n\n{text}\n{end}{after}"))
}

#[cfg(test)]
mod tests {
    use super::put_between;
    use crate::workloads;

    const PERFORMANCE: &str = include_str!("../../docs/performance.md");

    /// The names in the first column of the table of reasons; a star stands for any rest.
    fn explained() -> Vec<&'static str> {
        let (_, rest) = PERFORMANCE
            .split_once("\n## Why the figures are what they are\n")
            .expect("the page has the section");
        let section = rest.split("\n## ").next().unwrap_or(rest);
        let names = |row: &'static str| row.split('|').nth(1).unwrap_or_default().split('`');
        section
            .lines()
            .filter(|line| line.starts_with("| `"))
            .flat_map(|row| names(row).skip(1).step_by(2))
            .collect()
    }

    fn stands_for(pattern: &str, name: &str) -> bool {
        match pattern.split_once('*') {
            None => pattern == name,
            Some((start, end)) => name
                .strip_prefix(start)
                .is_some_and(|rest| rest.ends_with(end)),
        }
    }

    #[test]
    fn the_figures_of_each_workload_are_explained() {
        let explained = explained();
        let workloads = workloads::all();
        for workload in &workloads {
            assert!(
                explained
                    .iter()
                    .any(|pattern| stands_for(pattern, workload.name)),
                "docs/performance.md does not say why {} is what it is",
                workload.name
            );
        }
        for pattern in explained {
            assert!(
                workloads
                    .iter()
                    .any(|workload| stands_for(pattern, workload.name)),
                "docs/performance.md explains {pattern}, which is no workload"
            );
        }
    }

    #[test]
    fn what_was_between_the_marks_is_replaced() {
        let page = "above\n<!-- a: begin -->\nold\n<!-- a: end -->\nbelow\n";
        let new = put_between(page, "a", "new").unwrap();
        assert_eq!(
            new,
            "above\n<!-- a: begin -->\n\nnew\n<!-- a: end -->\nbelow\n"
        );
        assert_eq!(put_between(&new, "a", "new").unwrap(), new);
    }

    #[test]
    fn a_page_without_the_marks_is_refused() {
        assert!(put_between("text", "a", "new").is_err());
        assert!(put_between("<!-- a: begin -->", "a", "new").is_err());
        assert!(put_between("<!-- b: begin --><!-- b: end -->", "a", "new").is_err());
    }
}
