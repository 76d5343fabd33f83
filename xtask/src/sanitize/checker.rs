//! The checkers: how each is put to work, and which faults it must report.

/// What a program ends with that was reported; neither a failing test nor a panic ends with it.
pub(super) const REPORTED: i32 = 66;

/// A checker, and what it is to be shown.
#[derive(Debug)]
pub(super) struct Checker {
    pub(super) name: &'static str,
    pub(super) how: How,
    /// Faults of the canary that it must report.
    pub(super) faults: &'static [&'static str],
    /// All that it sees.
    pub(super) whole: Shown,
    /// What finds most for its minutes: CI's part.
    pub(super) short: Shown,
    /// Tests that it cannot see, by the beginning of their names, with the reasons.
    pub(super) skipped: &'static [(&'static str, &'static str)],
}

/// Tests: the libraries' own of these packages, and the targets of these names.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shown {
    pub(super) packages: &'static [&'static str],
    pub(super) targets: &'static [&'static str],
}

/// How a checker comes into a program.
#[derive(Debug)]
pub(super) enum How {
    /// The compiler puts it in.
    Compiled {
        rustflags: &'static str,
        /// What its run-time parts read.
        environment: &'static [Environment],
    },
    /// It runs the program, and has to be installed.
    Around { command: &'static [&'static str] },
}

/// A variable that tells a run-time part what to do.
#[derive(Debug)]
pub(super) struct Environment {
    pub(super) variable: &'static str,
    /// What is in it besides what all are told.
    pub(super) options: &'static str,
    /// A file in `xtask`, with what is not to be reported.
    pub(super) suppressions: Option<&'static str>,
}

pub(super) const CHECKERS: [Checker; 3] = [
    Checker {
        // Reports leaks as well.
        name: "address",
        how: How::Compiled {
            rustflags: "-Zsanitizer=address",
            environment: &[
                Environment {
                    variable: "ASAN_OPTIONS",
                    options: "detect_stack_use_after_return=1",
                    suppressions: None,
                },
                Environment {
                    variable: "LSAN_OPTIONS",
                    options: "print_suppressions=0",
                    suppressions: Some("lsan.supp"),
                },
            ],
        },
        faults: &["use-after-free", "leak"],
        // Histories beside models have one thread each, so that they are nothing for the other one.
        whole: Shown {
            packages: &PACKAGES_AND_HISTORIES,
            targets: &["it", "stress", "faults"],
        },
        // Not the storms, which are long and find races rather; nor what fails calls of the system for a whole process.
        short: Shown {
            packages: &PACKAGES,
            targets: &["it"],
        },
        skipped: &[
            (
                "start::a_watchdog_that_cannot_be_had_",
                "the leak checker needs a thread, which these tests forbid",
            ),
            (
                "start::the_last_worker_thread_that_cannot_be_had_",
                "as above",
            ),
        ],
    },
    Checker {
        name: "thread",
        how: How::Compiled {
            // The standard library is not instrumented, which is said to be an incompatibility.
            rustflags: "-Zsanitizer=thread -Cunsafe-allow-abi-mismatch=sanitizer",
            environment: &[Environment {
                variable: "TSAN_OPTIONS",
                options: "history_size=4",
                suppressions: Some("tsan.supp"),
            }],
        },
        faults: &["race"],
        // Not the faults: it opens pipes where descriptors are counted, and holds signals back until a call that it knows.
        whole: Shown {
            packages: &PACKAGES,
            targets: &["it", "stress"],
        },
        short: Shown {
            packages: &PACKAGES,
            targets: &["it", "stress"],
        },
        skipped: &[],
    },
    Checker {
        // Alone in seeing values that were never written. Some fifty times as slow as nothing.
        name: "valgrind",
        how: How::Around {
            command: &[
                "valgrind",
                "--quiet",
                // Without, one thread may starve the others for good.
                "--fair-sched=yes",
                "--leak-check=full",
                "--show-leak-kinds=definite,indirect",
                "--errors-for-leak-kinds=definite,indirect",
                "--error-exitcode=66",
            ],
        },
        faults: &["use-after-free", "leak", "unwritten"],
        whole: CORE,
        short: CORE,
        skipped: &[(
            "tests::poller::a_wait_is_not_rounded_up_to_milliseconds",
            "it knows no `epoll_pwait2`, and answers as an old kernel does",
        )],
    },
];

const PACKAGES: [&str; 6] = [
    "tasca-core",
    "tasca-sync",
    "tasca-combinators",
    "tasca-blocking",
    "tasca-net",
    "tasca-tests",
];

const PACKAGES_AND_HISTORIES: [&str; 7] = [
    "tasca-core",
    "tasca-sync",
    "tasca-combinators",
    "tasca-blocking",
    "tasca-net",
    "tasca-tests",
    "tasca-properties",
];

const CORE: Shown = Shown {
    packages: &["tasca-core"],
    targets: &[],
};

impl Checker {
    /// Whether nothing but the compiler is needed.
    pub(super) fn needs_no_tool(&self) -> bool {
        matches!(self.how, How::Compiled { .. })
    }
}

#[cfg(test)]
mod tests {
    use super::{CHECKERS, How, REPORTED};

    #[test]
    fn what_runs_programs_ends_with_the_code_of_a_report() {
        let code = format!("--error-exitcode={REPORTED}");
        for checker in CHECKERS {
            if let How::Around { command } = checker.how {
                assert!(command.contains(&code.as_str()), "{}", checker.name);
            }
        }
    }

    #[test]
    fn each_suppression_has_a_reason() {
        let lists = [
            include_str!("../../tsan.supp"),
            include_str!("../../lsan.supp"),
        ];
        let mut explained = false;
        for line in lists.iter().flat_map(|list| list.lines()) {
            explained = match line {
                "" => false,
                _ if line.starts_with('#') => true,
                _ => {
                    assert!(explained, "without a reason: {line}");
                    // The bottom of every thread's stack: this would hide everything.
                    assert!(!line.contains("std::thread::lifecycle"), "{line}");
                    true
                }
            };
        }
    }
}
