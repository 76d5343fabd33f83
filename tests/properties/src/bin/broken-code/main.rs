//! Breaks the code on purpose, one line at a time, and looks whether the test that should notice turns red.
//!
//! ```text
//! cargo run -p tasca-properties --bin broken-code              # all, half an hour on an idle machine
//! cargo run -p tasca-properties --bin broken-code -- lines     # those whose test's name contains it
//! cargo run -p tasca-properties --bin broken-code -- --check   # only that every break still fits
//! ```
//!
//! The [`list`] has the histories beside models, the whole programs of `tests/stress/seeds.rs`, and the hits at every await
//! point of `tests/faults`. All happens in a copy of the tree, in the system's directory for temporary files or where
//! `TASCA_MUTATIONS_DIR` says. A break that hangs its test is noticed too: the test is given up after a while.
#![expect(clippy::print_stdout, reason = "the result is a table")]

mod list;

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use list::{BREAKS, Break};

type Trouble = Box<dyn Error>;

/// None of the tests takes a fifth of it.
const PATIENCE: Duration = Duration::from_secs(300);

/// What became of a test.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Red,
    Hangs,
    Green,
}

/// A copy of the tree to break.
struct Copy {
    root: PathBuf,
}

impl Copy {
    fn new() -> Result<Self, Trouble> {
        let tree = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let place = std::env::var_os("TASCA_MUTATIONS_DIR");
        let place = place.map_or_else(std::env::temp_dir, PathBuf::from);
        let root = place.join("tasca-broken-code");
        let listed = Command::new("git")
            .args(["ls-files", "--cached", "--others", "--exclude-standard"])
            .current_dir(&tree)
            .output()?;
        for name in String::from_utf8(listed.stdout)?.lines() {
            let (from, to) = (tree.join(name), root.join(name));
            let Ok(bytes) = fs::read(&from) else {
                // It is to be removed.
                continue;
            };
            // What has not changed keeps its time, and what was built of it.
            if fs::read(&to).is_ok_and(|there| there == bytes) {
                continue;
            }
            fs::create_dir_all(to.parent().ok_or("a file without a directory")?)?;
            fs::write(&to, bytes)?;
        }
        Ok(Self { root })
    }

    fn path(&self, broken: &Break) -> PathBuf {
        if broken.file.starts_with("tasca-") {
            return self.root.join("crates").join(broken.file);
        }
        self.root.join(broken.file)
    }

    /// The file as it is, and broken.
    fn texts(&self, broken: &Break) -> Result<(String, String), Trouble> {
        let sound = fs::read_to_string(self.path(broken))?;
        let n_places = sound.matches(broken.from).count();
        if n_places != 1 {
            return Err(format!("{n_places} times in {}: {}", broken.file, broken.from).into());
        }
        let text = sound.replace(broken.from, broken.to);
        Ok((sound, text))
    }

    /// Breaks the code in several places, runs the tests, and mends the code.
    fn try_breaks(&self, round: &[&Break]) -> Result<Vec<Verdict>, Trouble> {
        let mut sound = Vec::new();
        for broken in round {
            let (before, text) = self.texts(broken)?;
            fs::write(self.path(broken), text)?;
            sound.push((self.path(broken), before));
        }
        let verdicts = round.iter().map(|broken| {
            self.build(broken)?;
            self.test(broken)
        });
        let verdicts: Result<Vec<Verdict>, Trouble> = verdicts.collect();
        for (path, before) in sound {
            fs::write(path, before)?;
        }
        verdicts
    }

    fn cargo(&self, broken: &Break) -> Command {
        let mut cargo = Command::new(env!("CARGO"));
        cargo
            .args(["test", "--offline", "--quiet"])
            .args(broken.suite.0)
            .current_dir(&self.root)
            .env("RUST_BACKTRACE", "0")
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        cargo
    }

    fn build(&self, broken: &Break) -> Result<(), Trouble> {
        let built = self.cargo(broken).arg("--no-run").status()?;
        built
            .success()
            .then_some(())
            .ok_or_else(|| "does not compile".into())
    }

    fn test(&self, broken: &Break) -> Result<Verdict, Trouble> {
        let mut test = self.cargo(broken).arg(broken.test).spawn()?;
        let begun = Instant::now();
        loop {
            if let Some(status) = test.try_wait()? {
                return Ok(match status.success() {
                    true => Verdict::Green,
                    false => Verdict::Red,
                });
            }
            if begun.elapsed() > PATIENCE {
                test.kill()?;
                test.wait()?;
                return Ok(Verdict::Hangs);
            }
            thread::sleep(Duration::from_millis(50));
        }
    }
}

/// Tries those that are chosen; `true` if all are noticed.
fn run() -> Result<bool, Trouble> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let check_only = words.iter().any(|word| word == "--check");
    let filters: Vec<&String> = words
        .iter()
        .filter(|word| !word.starts_with("--"))
        .collect();
    let is_chosen = |broken: &&Break| {
        filters.is_empty()
            || filters
                .iter()
                .any(|word| broken.test.contains(word.as_str()))
    };
    let copy = Copy::new()?;
    let (mut n_tried, mut n_missed) = (0, 0);
    let mut fitting = Vec::new();
    for broken in BREAKS.iter().filter(is_chosen) {
        n_tried += 1;
        match copy.texts(broken) {
            Ok(_) => fitting.push(broken),
            Err(error) => {
                n_missed += 1;
                say(broken, &format!("UNFIT ({error})"));
            }
        }
    }
    for round in rounds(if check_only { &[] } else { &fitting }) {
        match copy.try_breaks(&round) {
            Ok(verdicts) => {
                for (broken, verdict) in round.iter().zip(verdicts) {
                    n_missed += usize::from(verdict == Verdict::Green);
                    say(broken, &format!("{verdict:?}").to_lowercase());
                }
            }
            Err(error) => {
                n_missed += round.len();
                let verdict = format!("NOT TRIED ({error})");
                round.iter().for_each(|broken| say(broken, &verdict));
            }
        }
    }
    println!("{n_tried} breaks, {n_missed} not as they should be");
    Ok(n_tried > 0 && n_missed == 0)
}

fn say(broken: &Break, verdict: &str) {
    println!("{verdict:<8} {:<36} {}", broken.test, broken.what);
}

/// Those that do not meet in any test share a build, which is what takes the time.
fn rounds<'a>(breaks: &[&'a Break]) -> Vec<Vec<&'a Break>> {
    let mut rounds: Vec<Vec<&Break>> = Vec::new();
    for broken in breaks {
        let round = rounds
            .iter_mut()
            .find(|round| round.iter().all(|other| broken.agrees_with(other)));
        match round {
            Some(round) => round.push(broken),
            None => rounds.push(vec![broken]),
        }
    }
    rounds
}

fn main() -> ExitCode {
    match run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            println!("broken-code: {error}");
            ExitCode::from(2)
        }
    }
}
