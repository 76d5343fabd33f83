//! A copy of the tree, to break code in and to see which test notices.
//!
//! Three programs do so, each with a list of its own: `mutations` of `loom-tests` with the models, `broken-code` with
//! histories, schedules and whole programs, `broken-rules` with the conformance suite. The tree itself is never touched.
//!
//! The copy is a folder in the system's directory for temporary files, or where `TASCA_MUTATIONS_DIR` says, and has its build in it.
//! What has not changed since the last time is not written again, so the next build is short.

use std::error::Error;
use std::ffi::OsString;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// What keeps a break from being tried.
pub type Trouble = Box<dyn Error>;

/// What became of a break.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// A test failed, as it should.
    Red,
    /// It did not end, which is a failure too.
    Hung,
    /// All passed.
    Survived,
    /// The sources do not compile with it.
    Broken,
}

impl Verdict {
    /// Whether a test noticed.
    #[must_use]
    pub fn is_seen(self) -> bool {
        matches!(self, Self::Red | Self::Hung)
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Red => "red",
            Self::Hung => "red (hung)",
            Self::Survived => "SURVIVED",
            Self::Broken => "BROKEN",
        })
    }
}

/// The project that this was built in.
#[must_use]
pub fn tree() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// A copy of the tree.
#[derive(Debug)]
pub struct Copied {
    root: PathBuf,
}

impl Copied {
    /// Makes the copy, or brings the one of this name up to date: files that are no more in the tree are not in it either.
    ///
    /// # Errors
    ///
    /// If git does not list the files, or one cannot be read or written.
    pub fn new(name: &str) -> Result<Self, Trouble> {
        let place = std::env::var_os("TASCA_MUTATIONS_DIR");
        let place = place.map_or_else(std::env::temp_dir, PathBuf::from);
        let (tree, root) = (tree(), place.join(name));
        let listed = Command::new("git")
            .args(["ls-files", "--cached", "--others", "--exclude-standard"])
            .current_dir(&tree)
            .output()?;
        if !listed.status.success() {
            return Err(String::from_utf8_lossy(&listed.stderr).into_owned().into());
        }
        let names = String::from_utf8(listed.stdout)?;
        // One that is listed and not there is about to be removed.
        let names: Vec<&Path> = names
            .lines()
            .map(Path::new)
            .filter(|name| tree.join(name).is_file())
            .collect();
        fs::create_dir_all(&root)?;
        let before = root.join("target/copied");
        for gone in fs::read_to_string(&before).unwrap_or_default().lines() {
            if !names.contains(&Path::new(gone)) && root.join(gone).is_file() {
                fs::remove_file(root.join(gone))?;
            }
        }
        for name in &names {
            let (bytes, to) = (fs::read(tree.join(name))?, root.join(name));
            // What has not changed keeps its time, and what was built of it.
            if fs::read(&to).is_ok_and(|there| there == bytes) {
                continue;
            }
            fs::create_dir_all(to.parent().ok_or("a file without a directory")?)?;
            fs::write(&to, bytes)?;
        }
        let names: String = names
            .iter()
            .map(|name| format!("{}\n", name.display()))
            .collect();
        let copied = Self { root };
        fs::create_dir_all(copied.target())?;
        fs::write(before, names)?;
        Ok(copied)
    }

    /// Where the copy is.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Where its build is.
    #[must_use]
    pub fn target(&self) -> PathBuf {
        self.root.join("target")
    }

    /// The sound text of a file, and the one that has `to` for its only `from`.
    ///
    /// # Errors
    ///
    /// If there is no such file, or `from` stands in it more than once or not at all.
    pub fn texts(&self, file: &str, from: &str, to: &str) -> Result<(String, String), Trouble> {
        let path = self.root.join(file);
        let sound = fs::read_to_string(path).map_err(|error| format!("{file}: {error}"))?;
        match sound.matches(from).count() {
            1 => {
                let broken = sound.replace(from, to);
                Ok((sound, broken))
            }
            n => Err(format!("{n} times in {file}: {from}").into()),
        }
    }

    /// Builds the one test program that `cargo test` with these words would run; gives what the compiler says if it refuses.
    ///
    /// # Errors
    ///
    /// If cargo cannot be run, or names no program.
    pub fn build(&self, words: &[&str]) -> Result<Result<PathBuf, String>, Trouble> {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"));
        let output = Command::new(cargo)
            .args(["test", "--locked", "--no-run"])
            .args(words)
            .current_dir(&self.root)
            .env("CARGO_TARGET_DIR", self.target())
            // What breaks leave unused.
            .env("RUSTFLAGS", "-Awarnings")
            .output()
            .map_err(|error| format!("cargo: {error}"))?;
        let said = String::from_utf8_lossy(&output.stderr);
        if !output.status.success() {
            return Ok(Err(said.into_owned()));
        }
        let program = said
            .lines()
            .filter_map(|line| line.trim().strip_prefix("Executable"))
            .filter_map(|line| line.rsplit_once('(')?.1.strip_suffix(')'))
            .next_back()
            .ok_or("cargo names no test program")?;
        Ok(Ok(self.root.join(program)))
    }

    /// What runs a test program of the copy, in its root. Traces are not made: many a test panics on purpose.
    #[must_use]
    pub fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command.current_dir(&self.root).env("RUST_BACKTRACE", "0");
        command
    }
}

/// Runs a test program, which says nothing; one that takes longer than `patience` hangs, and is ended.
///
/// # Errors
///
/// If it cannot be run.
pub fn try_out(command: &mut Command, patience: Duration) -> Result<Verdict, Trouble> {
    let command = command.stdout(Stdio::null()).stderr(Stdio::null());
    let (mut child, begun) = (command.spawn()?, Instant::now());
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(if status.success() {
                Verdict::Survived
            } else {
                Verdict::Red
            });
        }
        if begun.elapsed() > patience {
            child.kill()?;
            child.wait()?;
            return Ok(Verdict::Hung);
        }
        thread::sleep(Duration::from_millis(20));
    }
}
