//! Rules of the house that neither the compiler nor clippy knows.
//!
//! Each rule is a function from a file to findings; `RULES` lists them. An exception is a row in a
//! table beside its rule, with a reason; a row that excuses nothing is a finding too, so that the
//! tables shrink when they can.

use crate::Trouble;
use crate::source::{code_only, heads, line_of, words};
use crate::workspace::{File, Workspace};

const CORE: &str = "crates/tasca-core/src/";

/// The length of a file above which it holds two ideas.
const N_LINES_MAX: usize = 800;

/// A finding, before it is known whether it is excused: line, and what is wrong.
type Found = (usize, String);

/// A path, or the beginning of one, with the reason why the rule does not hold there.
type Excuse = (&'static str, &'static str);

struct Rule {
    check: fn(&Source<'_>) -> Vec<Found>,
    excuses: &'static [Excuse],
}

const RULES: [Rule; 7] = [
    Rule {
        check: essay,
        excuses: &[],
    },
    Rule {
        check: length,
        excuses: &[],
    },
    Rule {
        check: open_ends,
        excuses: &[],
    },
    Rule {
        check: primitives,
        excuses: &[
            ("crates/tasca-core/src/primitive/", "the place for them"),
            (
                "crates/tasca-core/src/tests/",
                "tests are not taken into models",
            ),
        ],
    },
    Rule {
        check: threads,
        excuses: &[
            ("crates/tasca-core/src/scheduler/", "starts the workers"),
            ("crates/tasca-blocking/", "starts the pool's threads"),
        ],
    },
    Rule {
        check: unsafe_code,
        excuses: &[
            (CORE, "the crate with unsafe code"),
            (
                "crates/tasca-sync/src/protected.rs",
                "the value behind a lock",
            ),
            (
                "crates/tasca-sync/src/lock.rs",
                "a guard gives access to the value of its lock",
            ),
            ("crates/tasca-sync/src/rw_lock.rs", "as `lock.rs`"),
            (
                "crates/tasca-sync/src/lib.rs",
                "allows the three files above",
            ),
        ],
    },
    Rule {
        check: cancel_safety,
        excuses: &[],
    },
];

/// A file as the rules see it.
struct Source<'a> {
    path: &'a str,
    text: &'a str,
    /// The text with comments and strings blanked out.
    code: &'a str,
}

impl Source<'_> {
    /// Whether the file is part of a library that users depend on, and not of its unit tests.
    fn is_library(&self) -> bool {
        let is_test = self.path.contains("/src/tests/") || self.path.ends_with("/src/tests.rs");
        self.path.starts_with("crates/") && self.path.contains("/src/") && !is_test
    }
}

pub(crate) fn check(workspace: &Workspace) -> Result<Vec<String>, Trouble> {
    Ok(check_files(&workspace.rust_files(".")?, &RULES))
}

fn check_files(files: &[File], rules: &[Rule]) -> Vec<String> {
    let codes: Vec<String> = files.iter().map(|file| code_only(&file.text)).collect();
    let mut findings = Vec::new();
    for rule in rules {
        let mut used = vec![false; rule.excuses.len()];
        for (file, code) in files.iter().zip(&codes) {
            let source = Source {
                path: &file.path,
                text: &file.text,
                code,
            };
            let found = (rule.check)(&source);
            let excuse = rule
                .excuses
                .iter()
                .position(|(path, _)| file.path.starts_with(path));
            match excuse {
                Some(row) => used[row] |= !found.is_empty(),
                None => findings.extend(
                    found
                        .into_iter()
                        .map(|(line, what)| format!("{}:{line}: {what}", file.path)),
                ),
            }
        }
        for ((path, reason), _) in rule.excuses.iter().zip(used).filter(|(_, used)| !used) {
            findings.push(format!(
                "xtask/src/tidy.rs: the excuse for {path} ({reason}) is no longer needed"
            ));
        }
    }
    findings.sort();
    findings
}

/// Each file opens with what it is for.
fn essay(source: &Source<'_>) -> Vec<Found> {
    if source.text.starts_with("//! ") {
        Vec::new()
    } else {
        vec![(
            1,
            "begin the file with a `//!` essay: what it is for, and why it is so".to_owned(),
        )]
    }
}

fn length(source: &Source<'_>) -> Vec<Found> {
    let n_lines = source.text.lines().count();
    if n_lines <= N_LINES_MAX {
        return Vec::new();
    }
    vec![(
        n_lines,
        format!("{n_lines} lines, more than {N_LINES_MAX}: does it hold two ideas?"),
    )]
}

/// Nothing is left for later in the text.
fn open_ends(source: &Source<'_>) -> Vec<Found> {
    // Put together here so that this file does not find itself.
    let marks = [
        concat!("TO", "DO"),
        concat!("FIX", "ME"),
        concat!("XX", "X"),
    ];
    let found = marks.iter().flat_map(|mark| {
        words(source.text, mark).map(move |at| {
            (
                line_of(source.text, at),
                format!("`{mark}`: finish it, or open an issue"),
            )
        })
    });
    found.collect()
}

/// In the core, only `primitive/` names what the models replace.
fn primitives(source: &Source<'_>) -> Vec<Found> {
    if !source.path.starts_with(CORE) {
        return Vec::new();
    }
    let mut found = Vec::new();
    let mut report = |at: usize, what: &str| {
        let line = line_of(source.code, at);
        found.push((
            line,
            format!("names `{what}`: take it from `crate::primitive`"),
        ));
    };
    for at in words(source.code, "parking_lot") {
        report(at, "parking_lot");
    }
    for (module, replaced) in [
        ("sync", &["atomic", "Mutex", "RwLock", "Condvar"][..]),
        ("cell", &["UnsafeCell", "SyncUnsafeCell"]),
    ] {
        for at in words(source.code, module) {
            let Some(rest) = source.code[at + module.len()..].strip_prefix("::") else {
                continue;
            };
            for name in heads(rest)
                .iter()
                .filter(|name| replaced.contains(&name.as_str()))
            {
                report(at, &format!("{module}::{name}"));
            }
        }
    }
    found
}

/// Threads are started in few places, which know how to stop them.
fn threads(source: &Source<'_>) -> Vec<Found> {
    if !source.is_library() {
        return Vec::new();
    }
    let starts = ["thread::spawn", "thread::Builder", "thread::scope"].iter();
    let found = starts.flat_map(|start| {
        words(source.code, start).map(move |at| {
            (
                line_of(source.code, at),
                format!(
                    "`{start}`: threads are started by the scheduler, the runtime and the pools"
                ),
            )
        })
    });
    found.collect()
}

fn unsafe_code(source: &Source<'_>) -> Vec<Found> {
    if !source.is_library() && !source.path.starts_with("xtask/") {
        return Vec::new();
    }
    let uses = words(source.code, "unsafe").map(|at| {
        (
            line_of(source.code, at),
            "`unsafe` outside of tasca-core".to_owned(),
        )
    });
    let mut found: Vec<Found> = uses.collect();
    let is_root = source.path.ends_with("/src/lib.rs") || source.path.ends_with("/src/main.rs");
    if is_root && !source.code.contains("#![forbid(unsafe_code)]") {
        found.push((
            1,
            "put #![forbid(unsafe_code)] on top of the crate".to_owned(),
        ));
    }
    found
}

/// A future that users may drop says what is lost then.
fn cancel_safety(source: &Source<'_>) -> Vec<Found> {
    if !source.is_library() {
        return Vec::new();
    }
    let found = words(source.code, "pub async fn").filter_map(|at| {
        let line = line_of(source.code, at);
        let documented = docs_above(source.text, line).contains("# Cancel safety");
        (!documented).then(|| {
            (
                line,
                "a `pub async fn` without `# Cancel safety`".to_owned(),
            )
        })
    });
    found.collect()
}

/// The doc comments and attributes right above `line`.
fn docs_above(text: &str, line: usize) -> String {
    let above: Vec<&str> = text.lines().take(line - 1).collect();
    let ends_item = |line: &&&str| {
        let line = line.trim();
        !line.starts_with("//") && (line.is_empty() || line.ends_with(['{', '}', ';']))
    };
    above
        .iter()
        .rev()
        .take_while(|line| !ends_item(line))
        .copied()
        .collect::<Vec<_>>()
        .join("\n")
}

#[cfg(test)]
mod tests {
    use super::{File, N_LINES_MAX, RULES, Rule, check_files, essay};

    /// The findings in one file, not those about unused excuses.
    #[track_caller]
    fn check(path: &str, text: &str, expected: &[&str]) {
        let file = File {
            path: path.to_owned(),
            text: format!("//! Essay.\n{text}"),
        };
        let mut findings = check_files(&[file], &RULES);
        findings.retain(|finding| finding.starts_with(path));
        assert_eq!(findings.len(), expected.len(), "{findings:?}");
        for (finding, part) in findings.iter().zip(expected) {
            assert!(finding.contains(part), "{finding} does not say {part}");
        }
    }

    #[test]
    fn a_file_without_essay_is_a_finding() {
        let file = File {
            path: "tests/it/main.rs".to_owned(),
            text: "fn main() {}".to_owned(),
        };
        let rules = [Rule {
            check: essay,
            excuses: &[],
        }];
        assert!(check_files(&[file], &rules)[0].contains("essay"));
        check("tests/it/main.rs", "fn main() {}", &[]);
    }

    #[test]
    fn a_long_file_is_a_finding() {
        check("tests/it/a.rs", &"\n".repeat(N_LINES_MAX - 1), &[]);
        check("tests/it/a.rs", &"\n".repeat(N_LINES_MAX), &["801 lines"]);
    }

    #[test]
    fn open_ends_are_findings_in_comments_too() {
        check(
            "xtask/src/a.rs",
            concat!("// TO", "DO: more"),
            &["a.rs:2: "],
        );
        check(
            "xtask/src/a.rs",
            concat!("fn f() {} // FIX", "ME"),
            &["open an issue"],
        );
        check("xtask/src/a.rs", "// TODOS are fine", &[]);
    }

    #[test]
    fn atomics_and_locks_outside_of_primitive_are_findings() {
        let room = "crates/tasca-core/src/queue/mod.rs";
        check(
            room,
            "use std::sync::atomic::AtomicU8;",
            &["`sync::atomic`"],
        );
        check(
            room,
            "use std::{fmt, sync::{Arc, Mutex}};",
            &["`sync::Mutex`"],
        );
        check(
            room,
            "use core::cell::{Cell, UnsafeCell};",
            &["`cell::UnsafeCell`"],
        );
        check(room, "type L = parking_lot::Mutex<()>;", &["`parking_lot`"]);
        check(room, "use std::sync::{Arc, Weak}; // not parking_lot", &[]);
        check(
            "crates/tasca-core/src/primitive/mod.rs",
            "pub(crate) use parking_lot::Mutex;",
            &[],
        );
        check(
            "crates/tasca-blocking/src/pool.rs",
            "use parking_lot::Mutex;",
            &[],
        );
    }

    #[test]
    fn threads_started_elsewhere_are_findings() {
        check(
            "crates/tasca-core/src/task/mod.rs",
            "fn f() { std::thread::spawn(g); }",
            &["task/mod.rs:2"],
        );
        check(
            "crates/tasca-net/src/dns.rs",
            "let b = thread::Builder::new();",
            &["thread::Builder"],
        );
        check(
            "crates/tasca-core/src/scheduler/worker.rs",
            "thread::Builder::new();",
            &[],
        );
        check(
            "crates/tasca-core/src/tests/task.rs",
            "thread::spawn(f);",
            &[],
        );
        check("tests/it/a.rs", "thread::spawn(f);", &[]);
    }

    #[test]
    fn unsafe_code_outside_of_the_core_is_a_finding() {
        check(
            "crates/tasca-net/src/tcp.rs",
            "fn f() { unsafe { g() } }",
            &["outside of tasca-core"],
        );
        check(
            "crates/tasca-net/src/tcp.rs",
            "/// Not unsafe.\nconst S: &str = \"unsafe\";",
            &[],
        );
        check(
            "crates/tasca-net/src/lib.rs",
            "mod tcp;",
            &["forbid(unsafe_code)"],
        );
        check(
            "crates/tasca-net/src/lib.rs",
            "#![forbid(unsafe_code)]\nmod tcp;",
            &[],
        );
        check(
            "crates/tasca-core/src/task/mod.rs",
            "fn f() { unsafe { g() } }",
            &[],
        );
    }

    #[test]
    fn an_undocumented_public_async_fn_is_a_finding() {
        let path = "crates/tasca-net/src/tcp.rs";
        check(
            path,
            "/// Reads.\npub async fn read() {}",
            &["tcp.rs:3: a `pub async fn`"],
        );
        check(
            path,
            "/// Reads.\n///\n/// # Cancel safety\n///\n/// x;\n#[inline]\npub async fn read() {}",
            &[],
        );
        check(
            path,
            "/// # Cancel safety\npub async fn a() {}\npub async fn b() {}",
            &["tcp.rs:4"],
        );
        check(path, "pub(crate) async fn read() {}", &[]);
    }

    #[test]
    fn an_excuse_that_excuses_nothing_is_a_finding() {
        let rules = [Rule {
            check: essay,
            excuses: &[("tests/old.rs", "it is old")],
        }];
        let file = |text: &str| File {
            path: "tests/old.rs".to_owned(),
            text: text.to_owned(),
        };
        assert!(check_files(&[file("fn f() {}")], &rules).is_empty());
        assert_eq!(check_files(&[file("//! Essay.")], &rules).len(), 1);
    }
}
