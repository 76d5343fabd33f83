//! The sources that mutations are tried on: the tree's own, which nobody changes, and a copy of them.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

/// A tree: crates, and models of their rooms.
#[derive(Debug)]
pub(crate) struct Sources {
    root: PathBuf,
}

impl Sources {
    /// The project that this program was built in.
    pub(crate) fn own() -> Self {
        Self::below(&tasca_broken::tree())
    }

    /// Those of a copy.
    pub(crate) fn below(root: &Path) -> Self {
        Self {
            root: root.to_owned(),
        }
    }

    /// The text of a file below `crates/tasca-core/src`, or below `crates` if it begins with a crate's name.
    pub(crate) fn read(&self, file: &str) -> Result<String, String> {
        read(&self.path_of(file))
    }

    pub(crate) fn write(&self, file: &str, text: &str) -> Result<(), String> {
        let path = self.path_of(file);
        fs::write(&path, text).map_err(|error| format!("{}: {error}", path.display()))
    }

    fn path_of(&self, file: &str) -> PathBuf {
        let crates = self.root.join("crates");
        if file.starts_with("tasca-") {
            return crates.join(file);
        }
        crates.join("tasca-core/src").join(file)
    }

    /// The names of all models, `room::model`, as their sources have them.
    pub(crate) fn models(&self) -> Result<Vec<String>, String> {
        let mut models = Vec::new();
        collect_models(&self.root.join("loom-tests/src/models"), "", &mut models)?;
        Ok(models)
    }

    /// All files of Rust below a folder of `tasca-core` or of a crate, or the file itself.
    pub(crate) fn files_in(&self, part: &str) -> Result<Vec<String>, String> {
        let path = self.path_of(part);
        if path.is_file() {
            return Ok(vec![part.to_owned()]);
        }
        let mut files = Vec::new();
        for name in entries_of(&path)? {
            let name = name.to_string_lossy();
            if name.ends_with(".rs") || path.join(&*name).is_dir() {
                files.extend(self.files_in(&format!("{part}/{name}"))?);
            }
        }
        Ok(files)
    }
}

fn collect_models(folder: &Path, prefix: &str, models: &mut Vec<String>) -> Result<(), String> {
    for name in entries_of(folder)? {
        let path = folder.join(&name);
        let name = name.to_string_lossy();
        let module = name.trim_end_matches(".rs");
        let prefix = match module {
            "mod" => prefix.to_owned(),
            _ => format!("{prefix}{module}::"),
        };
        if path.is_dir() {
            collect_models(&path, &prefix, models)?;
            continue;
        }
        let text = read(&path)?;
        models.extend(
            text.split("#[test]")
                .skip(1)
                .filter_map(|rest| Some(rest.split_once("fn ")?.1.split_once('(')?.0))
                .map(|model| format!("{prefix}{model}")),
        );
    }
    Ok(())
}

/// What is in a folder, in the order of names.
fn entries_of(folder: &Path) -> Result<Vec<OsString>, String> {
    let entries = fs::read_dir(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let mut names = entries
        .map(|entry| Ok(entry.map_err(|error| error.to_string())?.file_name()))
        .collect::<Result<Vec<_>, String>>()?;
    names.sort();
    Ok(names)
}

fn read(path: &Path) -> Result<String, String> {
    fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))
}
