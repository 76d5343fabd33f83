//! The data of the suite: scenarios, with what `CPython` did.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde_json::{Deserializer, Value};

/// A scenario, and what `CPython` did.
#[derive(Clone, Debug)]
pub struct Case {
    /// The file that it is in, without its ending.
    pub file: String,
    /// What to do.
    pub scenario: Value,
    /// What asyncio did.
    pub trace: Value,
    /// How else it ends when asyncio itself is disturbed, as projections; see `outcomes.json`.
    pub other_outcomes: Vec<Value>,
}

impl Case {
    /// The scenario's name.
    #[must_use]
    pub fn name(&self) -> &str {
        self.scenario["name"].as_str().unwrap_or_default()
    }

    /// Whether what it does depends on no schedule, so that it can be compared at the outcome level.
    #[must_use]
    pub fn is_schedule_independent(&self) -> bool {
        self.scenario["jitter"]
            .as_f64()
            .is_some_and(|jitter| jitter > 0.0)
    }
}

/// The directory of this crate, with the data.
#[must_use]
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The parser's own limit, 128, is low for programs inside programs; without any, a text could exhaust the stack.
const DEPTH_MAX: usize = 512;

/// Reads JSON.
///
/// # Errors
///
/// If it is none, or has more than 512 arrays and objects inside each other.
pub fn parse(text: &str) -> serde_json::Result<Value> {
    if depth(text) > DEPTH_MAX {
        // The parser's own error for what is too deep.
        return serde_json::from_str(text);
    }
    let mut parser = Deserializer::from_str(text);
    parser.disable_recursion_limit();
    let mut values = parser.into_iter();
    let value = values.next().unwrap_or(Ok(Value::Null))?;
    match values.next() {
        None => Ok(value),
        Some(Err(error)) => Err(error),
        // The parser's own error for a second value.
        Some(Ok(_)) => serde_json::from_str("null null"),
    }
}

/// The most brackets that are open at once.
fn depth(text: &str) -> usize {
    let (mut depth, mut depth_max) = (0_usize, 0);
    let (mut in_string, mut is_escaped) = (false, false);
    for byte in text.bytes() {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' if in_string => is_escaped = true,
            b'"' => in_string = !in_string,
            b'[' | b'{' if !in_string => depth += 1,
            b']' | b'}' if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
        depth_max = depth_max.max(depth);
    }
    depth_max
}

/// All cases: those written by hand, then the random ones; each with its other outcomes.
///
/// # Errors
///
/// If a file cannot be read, or is no such file.
pub fn cases() -> io::Result<Vec<Case>> {
    let mut cases = Vec::new();
    for directory in ["scenarios", "random"] {
        for path in files(&root().join(directory))? {
            cases.extend(load(&path)?);
        }
    }
    let path = root().join("outcomes.json");
    let mut others = parse(&fs::read_to_string(&path)?).map_err(|error| bad(&path, &error))?;
    for case in &mut cases {
        if let Some(Value::Array(outcomes)) = others.get_mut(case.name()).map(Value::take) {
            case.other_outcomes = outcomes;
        }
    }
    let unused = others
        .as_object()
        .and_then(|it| it.iter().find(|(_, outcomes)| !outcomes.is_null()));
    match unused {
        Some((name, _)) => Err(bad(&path, &format!("there is no scenario {name}"))),
        None => Ok(cases),
    }
}

fn bad(path: &Path, error: &dyn std::fmt::Display) -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        format!("{}: {error}", path.display()),
    )
}

fn files(directory: &Path) -> io::Result<Vec<PathBuf>> {
    let mut paths = fs::read_dir(directory)?
        .map(|entry| Ok(entry?.path()))
        .collect::<io::Result<Vec<_>>>()?;
    paths.retain(|path| {
        let ending = path.extension().and_then(|ending| ending.to_str());
        matches!(ending, Some("json" | "jsonl"))
    });
    paths.sort();
    Ok(paths)
}

/// The cases of a file: a list (`.json`), or one on each line (`.jsonl`).
///
/// # Errors
///
/// If it cannot be read, or is no such file.
pub fn load(path: &Path) -> io::Result<Vec<Case>> {
    let text = fs::read_to_string(path)?;
    let bad = |error: &dyn std::fmt::Display| bad(path, error);
    let records: Vec<Value> = if path.extension().is_some_and(|ending| ending == "jsonl") {
        let lines = text.lines().filter(|line| !line.trim().is_empty());
        let parsed = lines.map(parse).collect::<Result<_, _>>();
        parsed.map_err(|error| bad(&error))?
    } else {
        let records = parse(&text).map_err(|error| bad(&error))?;
        records
            .as_array()
            .cloned()
            .ok_or_else(|| bad(&"not a list"))?
    };
    let file = path.file_stem().unwrap_or_default().to_string_lossy();
    let case = |record: Value| {
        let [scenario, trace] = ["scenario", "trace"].map(|key| record[key].clone());
        if !scenario.is_object() || !trace.is_object() {
            return Err(bad(&"not pairs of a scenario and a trace"));
        }
        Ok(Case {
            file: file.clone().into_owned(),
            scenario,
            trace,
            other_outcomes: Vec::new(),
        })
    };
    records.into_iter().map(case).collect()
}
