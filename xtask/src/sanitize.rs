//! The sanitizers: every unit and integration test of the crates with threads in them, and the storms, compiled so that races,
//! bad accesses and leaks are reported.
//!
//! They work with the stable compiler, on Linux, with the standard library as it comes. What that makes look like a race is
//! listed in `xtask/tsan.supp`, with the reasons. That each checker sees what it should is itself checked, first: the
//! program `tests/sanitizers/canary.rs` makes one fault of each kind, and must be reported.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::Trouble;
use crate::workspace::{Workspace, cargo};

/// What a reported fault ends with; neither a failing test nor a panic does.
const REPORTED: i32 = 66;

/// A checker, and what it is to be shown.
#[derive(Debug)]
struct Sanitizer {
    name: &'static str,
    rustflags: &'static str,
    /// The variable that its run-time part reads, and what is in it besides the code of a report.
    options: (&'static str, &'static str),
    /// Faults of the canary that it must report.
    faults: &'static [&'static str],
}

const SANITIZERS: [Sanitizer; 2] = [
    Sanitizer {
        // Reports leaks as well.
        name: "address",
        rustflags: "-Zsanitizer=address",
        options: ("ASAN_OPTIONS", "detect_stack_use_after_return=1"),
        faults: &["use-after-free", "leak"],
    },
    Sanitizer {
        name: "thread",
        // The standard library is not instrumented, which is said to be an incompatibility.
        rustflags: "-Zsanitizer=thread -Cunsafe-allow-abi-mismatch=sanitizer",
        options: ("TSAN_OPTIONS", "history_size=4"),
        faults: &["race"],
    },
];

/// The tests that are run: the libraries' own, and the targets of these names, of these packages.
const PACKAGES: [&str; 6] = [
    "tasca-core",
    "tasca-sync",
    "tasca-combinators",
    "tasca-blocking",
    "tasca-net",
    "tasca-tests",
];
const TARGETS: [&str; 2] = ["it", "stress"];

/// Runs the sanitizers of these names, or all.
pub(crate) fn run(workspace: &Workspace, names: &[&str]) -> Result<Vec<String>, Trouble> {
    let Some(triple) = triple() else {
        println!(
            "sanitize: nothing is checked, the sanitizers are for Linux on x86_64 and aarch64"
        );
        return Ok(Vec::new());
    };
    let mut findings = Vec::new();
    for sanitizer in choose(names)? {
        let checked = Checked {
            workspace,
            sanitizer,
            triple,
        };
        findings.extend(checked.canaries()?);
        findings.extend(checked.tests()?);
    }
    Ok(findings)
}

fn choose(names: &[&str]) -> Result<Vec<&'static Sanitizer>, Trouble> {
    if let Some(unknown) = names
        .iter()
        .find(|name| SANITIZERS.iter().all(|it| it.name != **name))
    {
        return Err(format!("no sanitizer `{unknown}`; there are address, thread").into());
    }
    Ok(SANITIZERS
        .iter()
        .filter(|it| names.is_empty() || names.contains(&it.name))
        .collect())
}

/// This machine's name for the compiler, if it has sanitizers. It is said so that build scripts stay as they are.
fn triple() -> Option<&'static str> {
    match (std::env::consts::OS, std::env::consts::ARCH) {
        ("linux", "x86_64") => Some("x86_64-unknown-linux-gnu"),
        ("linux", "aarch64") => Some("aarch64-unknown-linux-gnu"),
        _ => None,
    }
}

/// A sanitizer at work.
struct Checked<'a> {
    workspace: &'a Workspace,
    sanitizer: &'a Sanitizer,
    triple: &'static str,
}

impl Checked<'_> {
    /// The tests; a finding if one of them fails or is reported.
    fn tests(&self) -> Result<Vec<String>, Trouble> {
        let mut command = self.cargo("test");
        for package in PACKAGES {
            command.args(["--package", package]);
        }
        command.arg("--lib");
        for target in TARGETS {
            command.args(["--test", target]);
        }
        // One test that fails is no reason not to look at the others.
        command.arg("--no-fail-fast");
        let name = self.sanitizer.name;
        Ok(match command.status()?.success() {
            true => Vec::new(),
            false => vec![format!("sanitize: tests fail with the {name} sanitizer")],
        })
    }

    /// The faults that must be reported; a finding for each that is not.
    fn canaries(&self) -> Result<Vec<String>, Trouble> {
        let built = self
            .cargo("build")
            .args(["--package", "tasca-tests", "--bin", "canary"])
            .status()?;
        if !built.success() {
            return Err("the canary cannot be built".into());
        }
        let program = self
            .target_dir()
            .join(self.triple)
            .join(PROFILE)
            .join("canary");
        let mut findings = Vec::new();
        for fault in self.sanitizer.faults {
            let mut command = Command::new(&program);
            self.configure(&mut command);
            // What it says is right, and would only look like an alarm.
            let status = command.arg(fault).stderr(Stdio::null()).status()?;
            let name = self.sanitizer.name;
            if status.code() == Some(REPORTED) {
                println!("sanitize: the {name} sanitizer reports a {fault}, as it should");
            } else {
                findings.push(format!(
                    "sanitize: the {name} sanitizer does not report a {fault} ({status})"
                ));
            }
        }
        Ok(findings)
    }

    fn cargo(&self, what: &str) -> Command {
        let mut command = Command::new(cargo());
        command
            .args([what, "--profile", PROFILE, "--target", self.triple])
            .current_dir(self.workspace.root())
            // The stable compiler has the sanitizers, behind this door.
            .env("RUSTC_BOOTSTRAP", "1")
            .env("RUSTFLAGS", self.sanitizer.rustflags)
            .env("CARGO_TARGET_DIR", self.target_dir());
        self.configure(&mut command);
        command
    }

    /// What the run-time part of the sanitizer is told.
    fn configure(&self, command: &mut Command) {
        let (variable, options) = self.sanitizer.options;
        let suppressions = self.workspace.root().join("xtask/tsan.supp");
        let suppressions = match self.sanitizer.name {
            "thread" => format!(" suppressions={}", suppressions.display()),
            _ => String::new(),
        };
        command.env(
            variable,
            format!("{options} exitcode={REPORTED}{suppressions}"),
        );
        // Leaks have a code of their own.
        command.env("LSAN_OPTIONS", format!("exitcode={REPORTED}"));
    }

    /// Other flags make other files of everything: each sanitizer has a folder.
    fn target_dir(&self) -> PathBuf {
        let target = std::env::var_os("CARGO_TARGET_DIR")
            .map_or_else(|| PathBuf::from("target"), PathBuf::from);
        self.workspace
            .root()
            .join(target)
            .join(format!("sanitize-{}", self.sanitizer.name))
    }
}

/// With line tables, so that suppressions find inlined functions; optimised a little, for speed.
const PROFILE: &str = "sanitize";

#[cfg(test)]
mod tests {
    use super::{SANITIZERS, choose};

    #[test]
    fn sanitizers_are_chosen_by_name() {
        assert_eq!(choose(&[]).unwrap().len(), SANITIZERS.len());
        assert_eq!(choose(&["thread"]).unwrap()[0].name, "thread");
        assert!(choose(&["memory"]).is_err());
    }

    #[test]
    fn each_suppression_has_a_reason() {
        let text = include_str!("../tsan.supp");
        let mut explained = false;
        for line in text.lines() {
            explained = match line {
                "" => false,
                _ if line.starts_with('#') => true,
                _ => {
                    assert!(explained, "without a reason: {line}");
                    // The bottom of every thread's stack: this would hide everything.
                    assert!(!line.contains("std::thread::lifecycle"), "{line}");
                    true
                }
            };
        }
    }
}
