//! What a checker needs of the machine and of the compiler, and what of it is missing.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use crate::Trouble;

use super::checker::{Checker, How};

/// Why the checker cannot work here, if it cannot.
pub(super) fn missing(
    checker: &Checker,
    triple: &str,
    dir: &Path,
) -> Result<Option<String>, Trouble> {
    match checker.how {
        How::Compiled { rustflags, .. } => {
            if symbolizer().is_none() {
                let names = SYMBOLIZERS.join(" nor ");
                return Ok(Some(format!(
                    "there is neither {names}, so reports and suppressions would have no names"
                )));
            }
            tried(rustflags, triple, dir)
        }
        How::Around { command } => {
            let mut tool = Command::new(command[0]);
            let starts = tool.arg("--version").stdout(Stdio::null()).status();
            let starts = starts.is_ok_and(|status| status.success());
            Ok((!starts).then(|| format!("{} is not installed", command[0])))
        }
    }
}

/// Compiles a program that does nothing, and runs it: compilers come without the sanitizers' run-time parts, older ones do not
/// know the flags, and some systems do not let such programs start.
fn tried(rustflags: &str, triple: &str, dir: &Path) -> Result<Option<String>, Trouble> {
    fs::create_dir_all(dir)?;
    let (source, program) = (dir.join("nothing.rs"), dir.join("nothing"));
    fs::write(&source, "fn main() {}\n")?;
    let compiled = Command::new("rustc")
        .args(rustflags.split(' '))
        .args(["--target", triple, "-o"])
        .args([&program, &source])
        .env("RUSTC_BOOTSTRAP", "1")
        .output()?;
    if !compiled.status.success() {
        return Ok(Some(format!(
            "the compiler does not build for it: {}",
            first_line(&compiled)
        )));
    }
    let ran = Command::new(&program).output()?;
    Ok((!ran.status.success()).then(|| {
        format!(
            "programs that it is in do not start: {} ({})",
            first_line(&ran),
            ran.status
        )
    }))
}

/// What it complains of first.
fn first_line(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stderr);
    let line = text.lines().find(|line| !line.trim().is_empty());
    line.unwrap_or("it does not say why").to_owned()
}

/// Programs that tell the sanitizers the name of a place in the code, the faster one first.
const SYMBOLIZERS: [&str; 2] = ["llvm-symbolizer", "addr2line"];

/// The one that is here. Where there is a linker, there is `addr2line`.
pub(super) fn symbolizer() -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let dirs: Vec<PathBuf> = std::env::split_paths(&path).collect();
    let mut found = SYMBOLIZERS
        .iter()
        .flat_map(|name| dirs.iter().map(move |dir| dir.join(name)));
    found.find(|program| program.is_file())
}

#[cfg(test)]
mod tests {
    use super::{How, missing};
    use crate::sanitize::checker::{Checker, Shown};

    /// What is missing of a checker that comes into programs like this.
    #[track_caller]
    fn missing_of(how: How) -> Option<String> {
        let nothing = Shown {
            packages: &[],
            targets: &[],
        };
        let checker = Checker {
            name: "a checker",
            how,
            faults: &[],
            whole: nothing,
            short: nothing,
            skipped: &[],
        };
        let dir = tempfile::tempdir().expect("a folder for it");
        let triple = crate::sanitize::triple().unwrap_or("x86_64-unknown-linux-gnu");
        missing(&checker, triple, dir.path()).expect("it can be tried")
    }

    #[test]
    fn a_tool_that_is_not_installed_is_missed() {
        let how = How::Around {
            command: &["no-such-checker"],
        };
        assert_eq!(
            missing_of(how).as_deref(),
            Some("no-such-checker is not installed")
        );
    }

    #[test]
    fn a_compiler_without_the_sanitizer_says_why() {
        let why = missing_of(How::Compiled {
            rustflags: "-Zsanitizer=none-of-them",
            environment: &[],
        });
        let why = why.expect("nobody has such a sanitizer");
        assert!(why.contains("none-of-them"), "{why}");
    }
}
