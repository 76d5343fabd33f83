//! The layers of the rooms of `tasca-core`: a room imports rooms of lower layers only.
//!
//! A room is a directory below `crates/tasca-core/src`. What it may not do, since the models in
//! `loom-tests` take rooms in one by one, each with the rooms below it:
//!
//! - name a room of its own layer or a higher one;
//! - name what `lib.rs` re-exports, which hides the room that it comes from;
//! - hold unit tests: those are in `crates/tasca-core/src/tests/<room>.rs`.
//!
//! `lib.rs` and `tests/` see every room. So does no other file: all code is in a room.

use crate::Trouble;
use crate::source::{code_only, heads, line_of, words};
use crate::workspace::{File, Workspace};

const SRC: &str = "crates/tasca-core/src/";

/// Rooms with their layers, lowest first. The same table is in `docs/architecture.md`.
const ROOMS: [(&str, usize); 16] = [
    ("primitive", 0),
    ("biased", 1),
    ("slots", 1),
    ("slab", 1),
    ("queue", 1),
    ("idle", 1),
    ("poller", 1),
    ("timer_queue", 2),
    ("task", 2),
    ("driver", 3),
    ("scope", 3),
    ("scheduler", 4),
    ("time", 5),
    ("io", 5),
    ("runtime", 6),
    // Sees every room, and no room sees it.
    ("tests", usize::MAX),
];

pub(crate) fn check(workspace: &Workspace) -> Result<Vec<String>, Trouble> {
    let files = workspace.rust_files(SRC)?;
    let mut findings: Vec<String> = files.iter().flat_map(check_file).collect();
    let map = workspace.read(&format!("{SRC}lib.rs"))?;
    findings.extend(check_map(&map, &files));
    Ok(findings)
}

fn layer(room: &str) -> Option<usize> {
    ROOMS
        .iter()
        .find(|(known, _)| *known == room)
        .map(|(_, layer)| *layer)
}

/// The room of a path below [`SRC`]; none for `lib.rs`.
fn room_of(path: &str) -> Option<&str> {
    let below = path.strip_prefix(SRC)?;
    (below != "lib.rs").then(|| below.split_once('/').map_or(below, |(room, _)| room))
}

/// How many modules deep the file at `path` is: 1 for `room/mod.rs`, 2 for `room/part.rs`.
fn depth_of(path: &str) -> usize {
    let below = path.strip_prefix(SRC).unwrap_or(path);
    let slashes = below.matches('/').count();
    if below.ends_with("/mod.rs") {
        slashes
    } else {
        slashes + 1
    }
}

fn check_file(file: &File) -> Vec<String> {
    let Some(room) = room_of(&file.path) else {
        return Vec::new();
    };
    let Some(mine) = layer(room) else {
        return vec![format!(
            "{}: `{room}` is no room: give it a row in xtask/src/rooms.rs, or move the file into one",
            file.path
        )];
    };
    if room == "tests" {
        return Vec::new();
    }
    let code = code_only(&file.text);
    let mut findings = Vec::new();
    for (at, name) in root_names(&code, depth_of(&file.path)) {
        let wrong = match layer(&name) {
            Some(theirs) if name == room || theirs < mine => continue,
            Some(theirs) if theirs == mine => "of the same layer",
            Some(_) => "of a higher layer",
            None if name.ends_with('!') => continue,
            None => "not a room: name the room that it comes from",
        };
        let line = line_of(&code, at);
        findings.push(format!(
            "{}:{line}: `{room}` names `{name}`, {wrong}",
            file.path
        ));
    }
    for at in words(&code, "cfg").filter(|at| code[*at..].starts_with("cfg(test)")) {
        let (path, line) = (&file.path, line_of(&code, at));
        findings.push(format!(
            "{path}:{line}: cfg(test) in a room: tests go to tests/{room}.rs"
        ));
    }
    findings
}

/// Every name taken from the root of the crate in a file that is `depth` modules deep, by `crate::`
/// or by enough `super::`s, with its position.
fn root_names(code: &str, depth: usize) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for at in words(code, "crate") {
        if let Some(rest) = after_colons(&code[at + "crate".len()..]) {
            found.extend(heads(rest).into_iter().map(|name| (at, name)));
        }
    }
    for at in words(code, "super") {
        let is_first = !code[..at].trim_end().ends_with("::");
        let mut rest = &code[at..];
        let mut n_supers = 0;
        while let Some(next) = rest
            .trim_start()
            .strip_prefix("super")
            .and_then(after_colons)
        {
            n_supers += 1;
            rest = next;
        }
        if is_first && n_supers >= depth {
            // A module inside of the file makes the count too high: only rooms are meant here.
            let rooms = heads(rest).into_iter().filter(|name| layer(name).is_some());
            found.extend(rooms.map(|name| (at, name)));
        }
    }
    found
}

fn after_colons(text: &str) -> Option<&str> {
    text.trim_start().strip_prefix("::")
}

/// `lib.rs` forbids unsafe code in each room that has none, so that none creeps in; and every row
/// of the table has a room.
fn check_map(map: &str, files: &[File]) -> Vec<String> {
    let map: String = code_only(map)
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ");
    let mut findings = Vec::new();
    for (room, _) in ROOMS.iter().filter(|(room, _)| *room != "tests") {
        let mut sources = files
            .iter()
            .filter(|file| room_of(&file.path) == Some(room))
            .peekable();
        if sources.peek().is_none() {
            findings.push(format!(
                "{SRC}{room}/: is in xtask/src/rooms.rs, but there is no such room"
            ));
            continue;
        }
        let has_unsafe =
            sources.any(|file| words(&code_only(&file.text), "unsafe").next().is_some());
        let forbids = ["mod", "pub mod", "pub(crate) mod"]
            .iter()
            .any(|form| map.contains(&format!("#[forbid(unsafe_code)] {form} {room};")));
        if !has_unsafe && !forbids {
            findings.push(format!(
                "{SRC}lib.rs: `{room}` has no unsafe code: put #[forbid(unsafe_code)] on its `mod` line"
            ));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::{File, ROOMS, SRC, check_file, check_map, depth_of, room_of};

    fn file(path: &str, text: &str) -> File {
        File {
            path: format!("{SRC}{path}"),
            text: text.to_owned(),
        }
    }

    #[track_caller]
    fn check(path: &str, text: &str, expected: &[&str]) {
        let findings = check_file(&file(path, text));
        assert_eq!(findings.len(), expected.len(), "{findings:?}");
        for (finding, part) in findings.iter().zip(expected) {
            assert!(finding.contains(part), "{finding} does not say {part}");
        }
    }

    #[test]
    fn lower_rooms_and_the_own_room_are_allowed() {
        check(
            "task/cell.rs",
            "use crate::primitive::Mutex; use crate::task::state::State;",
            &[],
        );
        check(
            "driver/mod.rs",
            "use crate::{poller::Poller, task::{Task, TaskRef}};",
            &[],
        );
    }

    #[test]
    fn upwards_and_sideways_are_findings() {
        check(
            "task/cell.rs",
            "\nuse crate::scheduler::Shared;",
            &["cell.rs:2: `task` names `scheduler`"],
        );
        check(
            "queue/mod.rs",
            "use crate::{idle::Idle, primitive::fence};",
            &["of the same layer"],
        );
        check(
            "idle/mod.rs",
            "fn f() { crate::runtime::stop() }",
            &["of a higher layer"],
        );
    }

    #[test]
    fn supers_that_reach_the_root_are_looked_at() {
        check(
            "task/mod.rs",
            "use super::scheduler::Shared;",
            &["`scheduler`"],
        );
        check(
            "task/cell.rs",
            "use super::super::scheduler::Shared;",
            &["`scheduler`"],
        );
        check("task/cell.rs", "use super::scheduler::Shared;", &[]);
    }

    #[test]
    fn comments_and_strings_do_not_count() {
        check(
            "task/cell.rs",
            "//! [`crate::scheduler`]\nconst S: &str = \"crate::scheduler::X\";",
            &[],
        );
    }

    #[test]
    fn names_of_the_root_that_are_no_rooms_are_findings() {
        check("task/cell.rs", "use crate::TaskRef;", &["not a room"]);
        check("task/cell.rs", "use crate::*;", &["not a room"]);
        check("task/cell.rs", "crate::debug_log!(x);", &[]);
    }

    #[test]
    fn unknown_rooms_and_loose_files_are_findings() {
        check("attic/mod.rs", "", &["`attic` is no room"]);
        check("util.rs", "", &["`util.rs` is no room"]);
        check("lib.rs", "use crate::anything;", &[]);
        check("tests/task.rs", "use crate::{runtime, TaskRef};", &[]);
    }

    #[test]
    fn unit_tests_in_a_room_are_findings() {
        check(
            "queue/mod.rs",
            "#[cfg(test)]\nmod tests {}",
            &["tests/queue.rs"],
        );
    }

    #[test]
    fn depth_counts_modules() {
        assert_eq!(depth_of(&format!("{SRC}task/mod.rs")), 1);
        assert_eq!(depth_of(&format!("{SRC}task/cell.rs")), 2);
        assert_eq!(depth_of(&format!("{SRC}poller/sys/mod.rs")), 2);
        assert_eq!(room_of(&format!("{SRC}task/cell.rs")), Some("task"));
    }

    #[test]
    fn rooms_without_unsafe_code_must_forbid_it() {
        let rooms = ROOMS.iter().filter(|row| row.0 != "tests");
        let files: Vec<_> = rooms
            .clone()
            .map(|row| file(&format!("{}/mod.rs", row.0), ""))
            .collect();
        let map: Vec<_> = rooms
            .map(|row| format!("#[forbid(unsafe_code)]\nmod {};", row.0))
            .collect();
        assert_eq!(check_map(&map.join("\n"), &files), [""; 0]);
        let open = map.join("\n").replacen("#[forbid(unsafe_code)]", "", 1);
        assert_eq!(check_map(&open, &files).len(), 1);
        let mut files = files;
        files[0].text = "unsafe { x() }".to_owned();
        assert_eq!(check_map(&open, &files), [""; 0]);
        files.remove(1);
        assert!(check_map(&open, &files)[0].contains("there is no such room"));
    }
}
