//! The copy of the sources that mutations are tried on.

use std::ffi::OsString;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::list::Mutation;

/// A model that takes longer under a mutation counts as hung: none takes a quarter of it without.
const PATIENCE: Duration = Duration::from_secs(300);

/// What became of a mutation.
#[derive(Debug)]
pub(crate) enum Verdict {
    /// The model failed, as it should.
    Red,
    /// It did not end, which is a failure too.
    Hung,
    /// It passed.
    Survived,
    /// The mutated sources do not compile.
    Broken,
    /// The entry does not fit the sources any more.
    Stale(String),
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Red => f.pad("red"),
            Self::Hung => f.pad("red (hung)"),
            Self::Survived => f.pad("SURVIVED"),
            Self::Broken => f.pad("BROKEN"),
            Self::Stale(why) => write!(f, "STALE ({why})"),
        }
    }
}

#[derive(Debug)]
pub(crate) struct Bench {
    tree: PathBuf,
    target: PathBuf,
}

impl Bench {
    /// Copies what the models are built from.
    pub(crate) fn new() -> Result<Self, String> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"))
            .parent()
            .ok_or("no workspace")?;
        let place = std::env::var_os("TASCA_MUTATIONS_DIR").map_or_else(
            || std::env::temp_dir().join("tasca-mutations"),
            PathBuf::from,
        );
        let bench = Self {
            tree: place.join("tree"),
            target: place.join("target"),
        };
        if bench.tree.exists() {
            fs::remove_dir_all(&bench.tree).map_err(|error| error.to_string())?;
        }
        copy_folder(&root.join("loom-tests"), &bench.tree.join("loom-tests"))?;
        for entry in entries_of(&root.join("crates"))? {
            let sources = Path::new("crates").join(entry).join("src");
            copy_folder(&root.join(&sources), &bench.tree.join(&sources))?;
        }
        copy(&root.join("Cargo.lock"), &bench.tree.join("Cargo.lock"))?;
        let manifest = read(&root.join("Cargo.toml"))?;
        let (before, rest) = manifest
            .split_once("members = [")
            .ok_or("no members in Cargo.toml")?;
        let (_, after) = rest
            .split_once(']')
            .ok_or("no end of members in Cargo.toml")?;
        let manifest = format!("{before}members = [\"loom-tests\"]{after}");
        write(&bench.tree.join("Cargo.toml"), &manifest)?;
        Ok(bench)
    }

    fn file_of(&self, mutation: &Mutation) -> PathBuf {
        let crates = self.tree.join("crates");
        if mutation.file.starts_with("tasca-") {
            return crates.join(mutation.file);
        }
        crates.join("tasca-core/src").join(mutation.file)
    }

    /// Whether the mutation fits the sources.
    pub(crate) fn check(&self, mutation: &Mutation) -> Result<(), String> {
        mutate(&read(&self.file_of(mutation))?, mutation).map(drop)
    }

    /// Builds the models on the unchanged copy, and gives their names.
    pub(crate) fn build_and_list(&self) -> Result<Vec<String>, String> {
        let program = self
            .build()?
            .ok_or("the models do not compile as they are")?;
        let output = Command::new(program).arg("--list").output();
        let output = output.map_err(|error| error.to_string())?;
        Ok(String::from_utf8_lossy(&output.stdout)
            .lines()
            .filter_map(|line| line.strip_suffix(": test")?.strip_prefix("models::"))
            .map(str::to_owned)
            .collect())
    }

    /// Builds the models with mutations that do not meet, and runs those that should notice.
    pub(crate) fn try_out<'a>(
        &self,
        round: &[&'a Mutation],
    ) -> Result<Vec<(&'a Mutation, Verdict)>, String> {
        let mut originals = Vec::new();
        for mutation in round {
            let file = self.file_of(mutation);
            let text = read(&file)?;
            write(&file, &mutate(&text, mutation)?)?;
            originals.push((file, text));
        }
        let built = self.build();
        // Last first: two mutations may be of one file.
        for (file, text) in originals.iter().rev() {
            write(file, text)?;
        }
        match built? {
            Some(program) => round
                .iter()
                .map(|mutation| Ok((*mutation, run_model(&program, mutation.model)?)))
                .collect(),
            None if round.len() == 1 => Ok(vec![(round[0], Verdict::Broken)]),
            None => {
                let mut verdicts = Vec::new();
                for mutation in round {
                    verdicts.extend(self.try_out(&[*mutation])?);
                }
                Ok(verdicts)
            }
        }
    }

    /// The test program; `None` if it does not compile.
    fn build(&self) -> Result<Option<PathBuf>, String> {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let output = Command::new(cargo)
            .args([
                "test",
                "--profile",
                "loom",
                "--package",
                "tasca-loom-tests",
                "--lib",
                "--no-run",
            ])
            .current_dir(&self.tree)
            .env("CARGO_TARGET_DIR", &self.target)
            .env("CARGO_PROFILE_LOOM_INCREMENTAL", "true")
            .env("CARGO_PROFILE_LOOM_OPT_LEVEL", "1")
            .output()
            .map_err(|error| format!("cargo: {error}"))?;
        if !output.status.success() {
            return Ok(None);
        }
        let messages = String::from_utf8_lossy(&output.stderr);
        let program = messages
            .lines()
            .filter_map(|line| line.trim().strip_prefix("Executable"))
            .filter_map(|line| line.rsplit_once('(')?.1.strip_suffix(')'))
            .next_back()
            .ok_or("cargo names no test program")?;
        Ok(Some(self.tree.join(program)))
    }
}

/// The text of the mutated file: the first `old` behind `after` is replaced.
fn mutate(text: &str, mutation: &Mutation) -> Result<String, String> {
    let start = text
        .find(mutation.after)
        .ok_or_else(|| format!("no {:?}", mutation.after))?;
    let (head, tail) = text.split_at(start);
    if !tail.contains(mutation.old) {
        return Err(format!("no {:?} behind {:?}", mutation.old, mutation.after));
    }
    Ok(format!(
        "{head}{}",
        tail.replacen(mutation.old, mutation.new, 1)
    ))
}

fn run_model(program: &Path, model: &str) -> Result<Verdict, String> {
    let mut child = Command::new(program)
        .args(["--exact", &format!("models::{model}")])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| error.to_string())?;
    let begun = Instant::now();
    loop {
        if let Some(status) = child.try_wait().map_err(|error| error.to_string())? {
            return Ok(if status.success() {
                Verdict::Survived
            } else {
                Verdict::Red
            });
        }
        if begun.elapsed() > PATIENCE {
            child.kill().map_err(|error| error.to_string())?;
            child.wait().map_err(|error| error.to_string())?;
            return Ok(Verdict::Hung);
        }
        thread::sleep(Duration::from_millis(20));
    }
}

fn copy_folder(from: &Path, to: &Path) -> Result<(), String> {
    for name in entries_of(from)? {
        let path = from.join(&name);
        if path.is_dir() {
            copy_folder(&path, &to.join(name))?;
        } else {
            copy(&path, &to.join(name))?;
        }
    }
    Ok(())
}

fn entries_of(folder: &Path) -> Result<Vec<OsString>, String> {
    let entries = fs::read_dir(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    entries
        .map(|entry| Ok(entry.map_err(|error| error.to_string())?.file_name()))
        .collect()
}

fn copy(from: &Path, to: &Path) -> Result<(), String> {
    write(to, &read(from)?)
}

fn read(path: &Path) -> Result<String, String> {
    fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))
}

fn write(path: &Path, text: &str) -> Result<(), String> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    }
    fs::write(path, text).map_err(|error| format!("{}: {error}", path.display()))
}
