//! The sanitizers: every unit and integration test of the crates with threads in them, the storms, the faults and the mixed load,
//! compiled so that races, bad accesses and leaks are reported; and valgrind, for values that were never written.
//!
//! They work with the stable compiler, on Linux, with the standard library as it comes. What that makes look like a race is
//! listed in `xtask/tsan.supp`, with the reasons. That each checker sees what it should is itself checked, first: the
//! program `tests/sanitizers/canary.rs` makes one fault of each kind, and must be reported.

mod checker;
mod means;
mod reports;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use crate::Trouble;
use crate::workspace::{Workspace, cargo};

use checker::{CHECKERS, Checker, How, REPORTED, Shown};
use reports::Place;

/// With line tables, so that suppressions find inlined functions; optimised a little, for speed.
const PROFILE: &str = "sanitize";

/// How long the mixed load is kept up if nothing else is asked for.
const SOAK_SECONDS: u64 = 10;

/// What the command line asks for.
#[derive(Debug)]
struct Options {
    checkers: Vec<&'static Checker>,
    /// Whether they were asked for by name: then they must be there.
    named: bool,
    short: bool,
    soak_seconds: u64,
}

impl Options {
    /// `[address] [thread] [valgrind] [--short] [--soak n]`; without names those that need nothing to be installed.
    fn parse(words: &[&str]) -> Result<Self, Trouble> {
        let mut soak_seconds = SOAK_SECONDS;
        let mut short = false;
        let mut checkers = Vec::new();
        let mut words = words.iter();
        while let Some(&word) = words.next() {
            if word == "--soak" {
                soak_seconds = words.next().ok_or("--soak needs seconds")?.parse()?;
                continue;
            }
            if word == "--short" {
                short = true;
                continue;
            }
            let known = CHECKERS.iter().find(|it| it.name == word);
            checkers.push(known.ok_or_else(|| {
                let names = CHECKERS.map(|it| it.name).join(", ");
                format!("no checker `{word}`; there are {names}")
            })?);
        }
        let named = !checkers.is_empty();
        if !named {
            checkers.extend(CHECKERS.iter().filter(|it| it.needs_no_tool()));
        }
        Ok(Self {
            checkers,
            named,
            short,
            soak_seconds,
        })
    }
}

/// `cargo xtask sanitize`, with these words behind it.
pub(crate) fn run(workspace: &Workspace, words: &[&str]) -> Result<Vec<String>, Trouble> {
    let options = Options::parse(words)?;
    let Some(triple) = triple() else {
        println!(
            "sanitize: NOTHING IS CHECKED: the sanitizers are for Linux on x86_64 and aarch64"
        );
        return Ok(Vec::new());
    };
    let mut findings = Vec::new();
    for checker in options.checkers {
        let check = Check {
            workspace,
            checker,
            shown: if options.short {
                checker.short
            } else {
                checker.whole
            },
            triple,
        };
        if let Some(what) = means::missing(checker, triple, &check.target_dir())? {
            let name = checker.name;
            if options.named {
                return Err(format!("sanitize: {name} cannot check: {what}").into());
            }
            println!("sanitize: NOTHING IS CHECKED BY {name}: {what}");
            continue;
        }
        check.timed("build", || check.build())?;
        findings.extend(check.timed("faults", || check.canaries())?);
        findings.extend(check.timed("tests", || check.tests())?);
        findings.extend(check.timed("soak", || check.soak(options.soak_seconds))?);
    }
    Ok(findings)
}

/// This machine's name for the compiler, if it has sanitizers. It is said so that build scripts stay as they are.
fn triple() -> Option<&'static str> {
    match (std::env::consts::OS, std::env::consts::ARCH) {
        ("linux", "x86_64") => Some("x86_64-unknown-linux-gnu"),
        ("linux", "aarch64") => Some("aarch64-unknown-linux-gnu"),
        _ => None,
    }
}

/// A checker at work.
struct Check<'a> {
    workspace: &'a Workspace,
    checker: &'static Checker,
    shown: Shown,
    triple: &'static str,
}

impl Check<'_> {
    /// Does a part of the check, and says how long it took.
    fn timed<T>(
        &self,
        part: &str,
        body: impl FnOnce() -> Result<T, Trouble>,
    ) -> Result<T, Trouble> {
        let start = Instant::now();
        let outcome = body();
        let (name, seconds) = (self.checker.name, start.elapsed().as_secs());
        println!("sanitize: {name}: {part}: {seconds} s");
        outcome
    }

    /// The faults that must be reported; a finding for each that is not.
    fn canaries(&self) -> Result<Vec<String>, Trouble> {
        let canary = self.program("canary");
        let place = Place::cleared(&self.target_dir())?;
        let mut findings = Vec::new();
        for fault in self.checker.faults {
            let mut command = self.run(&canary, &place);
            // What it says is right, and would only look like an alarm.
            let status = command.arg(fault).stderr(Stdio::null()).status()?;
            let name = self.checker.name;
            if status.code() == Some(REPORTED) {
                println!("sanitize: {name} reports `{fault}`, as it should");
            } else {
                findings.push(format!(
                    "sanitize: {name} does not report `{fault}` ({status})"
                ));
            }
        }
        Ok(findings)
    }

    /// The tests; a finding for each kind of report, and one if a test fails.
    fn tests(&self) -> Result<Vec<String>, Trouble> {
        let place = Place::cleared(&self.target_dir())?;
        let mut command = self.cargo("test");
        command.args(self.chosen());
        // One test that fails is no reason not to look at the others.
        command.args(["--no-fail-fast", "--"]);
        for (test, reason) in self.checker.skipped {
            println!(
                "sanitize: {} does not see {test}*: {reason}",
                self.checker.name
            );
            command.args(["--skip", test]);
        }
        match self.checker.how {
            How::Compiled { .. } => self.configure(&mut command, &place),
            How::Around { command: around } => {
                let key = self.triple.replace('-', "_").to_uppercase();
                let runner = [around, &[&log_file(&place)]].concat().join(" ");
                command.env(format!("CARGO_TARGET_{key}_RUNNER"), runner);
            }
        }
        // The harness keeps what tests print in a buffer whose lock the thread sanitizer does not see.
        command.env("RUST_TEST_NOCAPTURE", "1");
        self.watch("the tests", &mut command, &place)
    }

    /// The mixed load.
    fn soak(&self, seconds: u64) -> Result<Vec<String>, Trouble> {
        if seconds == 0 {
            return Ok(Vec::new());
        }
        let soak = self.program("soak");
        let place = Place::cleared(&self.target_dir())?;
        let mut command = self.run(&soak, &place);
        command.args(["--seconds", &seconds.to_string()]);
        // What is freed is kept by the checkers for a while.
        command.args(["--growth-mib", "4096"]);
        self.watch("the mixed load", &mut command, &place)
    }

    /// Runs a command whose processes report; a finding for each kind of report, and one if it fails.
    fn watch(
        &self,
        what: &str,
        command: &mut Command,
        place: &Place,
    ) -> Result<Vec<String>, Trouble> {
        let status = command.status()?;
        let name = self.checker.name;
        let mut findings = place.findings(name)?;
        if !status.success() {
            findings.push(format!("sanitize: {name}: {what}: {status}"));
        }
        Ok(findings)
    }

    /// Builds the tests, and the programs that are beside them.
    fn build(&self) -> Result<(), Trouble> {
        let mut tests = self.cargo("test");
        tests.args(self.chosen()).arg("--no-run");
        let mut commands = vec![tests];
        // Tests of their package bring them along.
        if self.shown.targets.is_empty() {
            let mut programs = self.cargo("build");
            programs.args(["--package", "tasca-tests", "--bins"]);
            commands.push(programs);
        }
        for mut command in commands {
            if !command.status()?.success() {
                return Err(format!("what {} checks cannot be built", self.checker.name).into());
            }
        }
        Ok(())
    }

    /// What of the workspace is tested, as cargo is told.
    fn chosen(&self) -> Vec<&'static str> {
        let packages = self.shown.packages.iter();
        let targets = self.shown.targets.iter();
        let mut words = vec!["--lib"];
        words.extend(packages.flat_map(|package| ["--package", package]));
        words.extend(targets.flat_map(|target| ["--test", target]));
        words
    }

    fn program(&self, name: &str) -> PathBuf {
        let dir = self.target_dir().join(self.triple).join(PROFILE);
        dir.join(name)
    }

    /// The command that runs a program under the checker.
    fn run(&self, program: &Path, place: &Place) -> Command {
        match self.checker.how {
            How::Compiled { .. } => {
                let mut command = Command::new(program);
                self.configure(&mut command, place);
                command
            }
            How::Around { command: around } => {
                let mut command = Command::new(around[0]);
                command.args(&around[1..]).arg(log_file(place)).arg(program);
                command
            }
        }
    }

    fn cargo(&self, what: &str) -> Command {
        let mut command = Command::new(cargo());
        command
            .args([what, "--profile", PROFILE, "--target", self.triple])
            .current_dir(self.workspace.root())
            .env("CARGO_TARGET_DIR", self.target_dir())
            // Tests give up later.
            .env("TASCA_SLOWED_DOWN", "1")
            // Traces are made under locks of the standard library.
            .env("RUST_BACKTRACE", "0");
        if let How::Compiled { rustflags, .. } = self.checker.how {
            command
                // The stable compiler has the sanitizers, behind this door.
                .env("RUSTC_BOOTSTRAP", "1")
                .env("RUSTFLAGS", rustflags);
        }
        command
    }

    /// What the run-time part of a sanitizer is told.
    fn configure(&self, command: &mut Command, place: &Place) {
        command.env("RUST_BACKTRACE", "0");
        let How::Compiled { environment, .. } = self.checker.how else {
            return;
        };
        for told in environment {
            let mut text = format!(
                "{} exitcode={REPORTED} log_path={}",
                told.options,
                place.prefix().display()
            );
            if let Some(list) = told.suppressions {
                let list = self.workspace.root().join("xtask").join(list);
                text += &format!(" suppressions={}", list.display());
            }
            if let Some(program) = means::symbolizer() {
                text += &format!(" external_symbolizer_path={}", program.display());
            }
            command.env(told.variable, text);
        }
    }

    /// Other flags make other files of everything: each checker has a folder.
    fn target_dir(&self) -> PathBuf {
        let target = std::env::var_os("CARGO_TARGET_DIR")
            .map_or_else(|| PathBuf::from("target"), PathBuf::from);
        self.workspace
            .root()
            .join(target)
            .join(format!("sanitize-{}", self.checker.name))
    }
}

/// Where valgrind writes its reports.
fn log_file(place: &Place) -> String {
    format!("--log-file={}.%p", place.prefix().display())
}

#[cfg(test)]
mod tests {
    use super::{Options, SOAK_SECONDS};

    #[track_caller]
    fn names(words: &[&str]) -> Vec<&'static str> {
        let options = Options::parse(words).expect("these can be understood");
        options.checkers.iter().map(|it| it.name).collect()
    }

    #[test]
    fn checkers_are_chosen_by_name_and_are_else_those_of_the_compiler() {
        assert_eq!(names(&[]), ["address", "thread"]);
        assert_eq!(names(&["valgrind"]), ["valgrind"]);
        assert_eq!(names(&["--soak", "5", "thread"]), ["thread"]);
    }

    #[test]
    fn the_short_form_is_of_every_checker_that_is_chosen() {
        let asked = |words: &[&str]| Options::parse(words).map(|it| (it.short, it.named)).ok();
        assert_eq!(asked(&[]), Some((false, false)));
        assert_eq!(asked(&["--short"]), Some((true, false)));
        assert_eq!(asked(&["thread", "--short"]), Some((true, true)));
    }

    #[test]
    fn the_load_lasts_as_long_as_asked() {
        let seconds = |words: &[&str]| Options::parse(words).map(|it| it.soak_seconds).ok();
        assert_eq!(seconds(&[]), Some(SOAK_SECONDS));
        assert_eq!(seconds(&["--soak", "60"]), Some(60));
        assert_eq!(seconds(&["--soak"]), None);
        assert_eq!(seconds(&["--soak", "long"]), None);
    }

    #[test]
    fn a_misspelt_checker_is_an_error() {
        assert!(Options::parse(&["memory"]).is_err());
    }
}
