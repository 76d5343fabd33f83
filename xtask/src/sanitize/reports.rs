//! Where checkers write their reports, a file for each process, and what is in them.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::Trouble;

/// A directory of reports.
pub(super) struct Place {
    dir: PathBuf,
}

impl Place {
    /// The one below `dir`, without the reports of earlier runs.
    pub(super) fn cleared(dir: &Path) -> Result<Self, Trouble> {
        let dir = dir.join("reports");
        if dir.exists() {
            fs::remove_dir_all(&dir)?;
        }
        fs::create_dir_all(&dir)?;
        Ok(Self { dir })
    }

    /// What the names of all files begin with. The checkers add a dot and the number of the process.
    pub(super) fn prefix(&self) -> PathBuf {
        self.dir.join("report")
    }

    /// A finding for each kind of report, with where the first of it is.
    pub(super) fn findings(&self, checker: &str) -> Result<Vec<String>, Trouble> {
        let mut kinds: BTreeMap<String, (usize, PathBuf)> = BTreeMap::new();
        for entry in fs::read_dir(&self.dir)? {
            let path = entry?.path();
            // What a checker quotes need not be text.
            let text = String::from_utf8_lossy(&fs::read(&path)?).into_owned();
            for kind in summaries(&text) {
                let (count, _) = kinds
                    .entry(kind.to_owned())
                    .or_insert_with(|| (0, path.clone()));
                *count += 1;
            }
        }
        let findings = kinds.into_iter().map(|(kind, (count, path))| {
            let path = path.display();
            format!("sanitize: {checker}: {kind} ({count} times; {path})")
        });
        Ok(findings.collect())
    }
}

/// The last line of each report, which says what it is and where.
///
/// Sanitizers write `SUMMARY: ...`; valgrind writes errors as paragraphs, of which the first line is one.
fn summaries(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut in_paragraph = false;
    for line in text.lines() {
        if let Some((_, what)) = line.split_once("SUMMARY: ") {
            found.push(what);
        }
        let Some(said) = line
            .strip_prefix("==")
            .and_then(|line| line.split_once("== "))
            .map(|(_, said)| said)
        else {
            continue;
        };
        // Says whose error follows.
        let is_heading = said.starts_with("Thread ") && said.ends_with(':');
        if is_heading {
            continue;
        }
        let begins = !in_paragraph && !said.trim().is_empty();
        in_paragraph = !said.trim().is_empty();
        if begins {
            found.push(said);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::summaries;

    #[test]
    fn each_report_of_a_sanitizer_is_found_once() {
        let text = "==================\nWARNING: ThreadSanitizer: data race (pid=1)\n  Write of size 8 at 0x1 by thread T1:\n    \
                    #0 hit a.rs:22\n\nSUMMARY: ThreadSanitizer: data race a.rs:22 in hit\n==================\n";
        assert_eq!(
            summaries(text),
            ["ThreadSanitizer: data race a.rs:22 in hit"]
        );
    }

    #[test]
    fn each_error_of_valgrind_is_found_once() {
        let text = "==7== Thread 2 worker:\n==7== Invalid read of size 8\n==7==    at 0x1: main (a.rs:1)\n==7==  Address 0x2 is 0 bytes inside\n==7== \n\
                    ==7== 64 bytes in 1 blocks are definitely lost\n==7==    at 0x3: malloc\n==7== \n";
        let kinds = summaries(text);
        assert_eq!(
            kinds,
            [
                "Invalid read of size 8",
                "64 bytes in 1 blocks are definitely lost"
            ]
        );
    }

    #[test]
    fn nothing_is_found_in_silence() {
        assert!(summaries("").is_empty());
    }
}
