//! Where the workspace is, which files it has, and what cargo knows about it.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::Trouble;

/// The workspace that this program belongs to.
#[derive(Debug)]
pub(crate) struct Workspace {
    root: PathBuf,
}

/// A source file: its path from the root, with `/` on every platform, and its text.
#[derive(Debug)]
pub(crate) struct File {
    pub(crate) path: String,
    pub(crate) text: String,
}

impl Workspace {
    pub(crate) fn locate() -> Result<Self, Trouble> {
        let xtask = Path::new(env!("CARGO_MANIFEST_DIR"));
        let root = xtask.parent().ok_or("xtask has no parent directory")?;
        Ok(Self {
            root: root.to_path_buf(),
        })
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    pub(crate) fn read(&self, path: &str) -> Result<String, Trouble> {
        std::fs::read_to_string(self.root.join(path)).map_err(|e| format!("{path}: {e}").into())
    }

    /// Every `.rs` file below `dir`, in the order of their paths. Build output and hidden
    /// directories are left out.
    pub(crate) fn rust_files(&self, dir: &str) -> Result<Vec<File>, Trouble> {
        let mut files = Vec::new();
        self.collect(&self.root.join(dir), &mut files)?;
        files.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(files)
    }

    fn collect(&self, dir: &Path, files: &mut Vec<File>) -> Result<(), Trouble> {
        let entries = std::fs::read_dir(dir).map_err(|e| format!("{}: {e}", dir.display()))?;
        for entry in entries {
            let path = entry?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            if path.is_dir() {
                if name != "target" && !name.starts_with('.') {
                    self.collect(&path, files)?;
                }
            } else if path.extension().is_some_and(|e| e == "rs") {
                let relative = path.strip_prefix(&self.root)?;
                let parts: Vec<_> = relative.iter().map(|p| p.to_string_lossy()).collect();
                files.push(File {
                    path: parts.join("/"),
                    text: std::fs::read_to_string(&path)?,
                });
            }
        }
        Ok(())
    }

    /// The output of `cargo metadata`: all targets, or only what `target` takes in.
    pub(crate) fn metadata(&self, target: Option<&str>) -> Result<Value, Trouble> {
        let mut cargo = Command::new(cargo());
        cargo
            .current_dir(&self.root)
            .args(["metadata", "--format-version", "1"]);
        if let Some(target) = target {
            cargo.args(["--filter-platform", target]);
        }
        let output = cargo.output()?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            return Err(format!("cargo metadata failed:\n{said}").into());
        }
        Ok(serde_json::from_slice(&output.stdout)?)
    }
}

/// The cargo that runs this program.
pub(crate) fn cargo() -> String {
    std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned())
}

/// The text of `value[key]`, empty if there is none.
pub(crate) fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_default()
}

/// The items of `value[key]`, none if it is not a list.
pub(crate) fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value[key].as_array().map_or(&[], Vec::as_slice)
}
