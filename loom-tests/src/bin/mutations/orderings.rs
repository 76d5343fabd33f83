//! Every ordering of the rooms that models take in, weakened one by one.
//!
//! Nobody chooses these: each `Acquire`, `Release` and `AcqRel` becomes `Relaxed`, and each fence goes. A first run of the models tells which
//! come to which place; these are tried, the quickest first, until one goes red. What none notices is either not needed or not watched, and
//! is [`EXCUSED`] with a reason, or found.

use tasca_broken::Verdict;

use crate::bench::{Bench, Mutant};
use crate::sources::Sources;
use crate::weave::{Edit, bare, functions, innermost};

/// What the models take in of crates and rooms.
const ROOMS: &[&str] = &[
    "biased",
    "idle",
    "queue",
    "slots",
    "timer_queue",
    "task",
    "driver/readiness.rs",
    "driver/waiters.rs",
    "scheduler/gate.rs",
    "scheduler/parker.rs",
    "scheduler/remote.rs",
    "scheduler/timers.rs",
    "scheduler/watchdog.rs",
    "scheduler/worker.rs",
    "tasca-blocking/src/crew",
    "tasca-combinators/src",
    "tasca-sync/src",
];

/// What becomes what.
const WEAKENINGS: &[(&str, &str)] = &[
    ("Ordering::AcqRel", "Ordering::Relaxed"),
    ("Ordering::Acquire", "Ordering::Relaxed"),
    ("Ordering::Release", "Ordering::Relaxed"),
    ("light_fence();", ""),
    ("heavy_fence();", ""),
    ("fence(Ordering::SeqCst);", ""),
];

/// Orderings that no model misses, and why they stay.
struct Excuse {
    file: &'static str,
    functions: &'static [&'static str],
    reason: &'static str,
}

const EXCUSED: &[Excuse] = &[
    Excuse {
        file: "biased/mod.rs",
        functions: &["wait_for_visitor"],
        reason: "the fence before it is a full one in the models, and the compiler's alone on a machine",
    },
    Excuse {
        file: "idle/mod.rs",
        functions: &[
            "claim",
            "start_searching",
            "stop_searching",
            "announce_park",
            "retract_park",
            "turn_back",
        ],
        reason: "an exchange sees the newest value in loom, so a count that is seen late is not explored; work is carried by the queues",
    },
    Excuse {
        file: "task/header.rs",
        functions: &["free"],
        reason: "who frees a cell has taken over every other use of it with the last reference",
    },
    Excuse {
        file: "scheduler/gate.rs",
        functions: &["worker_begins", "worker_cannot_begin"],
        reason: "the start of a thread orders; where there is none there is nothing to order",
    },
    Excuse {
        file: "scheduler/gate.rs",
        functions: &["worker_ended"],
        reason: "loom switches threads at atomics, and so takes the fence behind this one for a part of it",
    },
    Excuse {
        file: "tasca-combinators/src/gather/record.rs",
        functions: &["cancel", "count_down"],
        reason: "that the gather was cancelled comes to the last child with the request that ended a child",
    },
    Excuse {
        file: "tasca-combinators/src/gather/record.rs",
        functions: &["begin"],
        reason: "the same thread counts down once more",
    },
    Excuse {
        file: "tasca-combinators/src/group/children.rs",
        functions: &["look", "enter", "stay", "leave", "abort", "exit", "close"],
        reason: "the lock of the record orders the flags, and the block takes over what a task did with its reference",
    },
    Excuse {
        file: "tasca-combinators/src/wait.rs",
        functions: &["child_done"],
        reason: "who is told looks at each task, whose end orders",
    },
];

/// A place where something is weakened.
struct Place {
    mutant: Mutant,
    function: String,
    line: usize,
    old: &'static str,
}

impl Place {
    fn excuse(&self) -> Option<&'static Excuse> {
        EXCUSED.iter().find(|excuse| {
            excuse.file == self.mutant.file && excuse.functions.contains(&self.function.as_str())
        })
    }
}

/// Tries those in files whose names contain one of the filters; `true` if each is seen or excused.
pub(crate) fn run(sources: &Sources, filters: &[&str]) -> Result<bool, String> {
    let mut places = Vec::new();
    for room in ROOMS {
        for file in sources.files_in(room)? {
            if filters.is_empty() || filters.iter().any(|part| file.contains(part)) {
                find_all(&file, &sources.read(&file)?, &mut places);
            }
        }
    }
    let bench = Bench::new(places.iter().map(|place| place.mutant.clone()).collect())?;
    let mut reaches = bench.trace(&sources.models()?)?;
    reaches.sort_by_key(|reach| reach.takes);
    let models_of = |number| -> Vec<String> {
        let coming = reaches
            .iter()
            .filter(|reach| reach.mutants.contains(&number));
        coming.map(|reach| reach.model.clone()).collect()
    };
    let verdicts = bench.try_out(models_of, |number, verdict| {
        let place = &places[number];
        let why = match (verdict, place.excuse()) {
            (Verdict::Survived, Some(excuse)) => excuse.reason.to_owned(),
            (Verdict::Survived, None) => format!("{} models come here", models_of(number).len()),
            _ => String::new(),
        };
        let Place {
            function,
            line,
            old,
            mutant,
        } = place;
        println!(
            "{verdict:<10}  {}:{line}  {function}  {old}  {why}",
            mutant.file
        );
    })?;
    let n_unseen = (places.iter().zip(&verdicts))
        .filter(|(place, verdict)| !verdict.is_seen() && place.excuse().is_none())
        .count();
    println!(
        "{} orderings, {n_unseen} neither seen nor excused",
        places.len()
    );
    Ok(n_unseen == 0)
}

fn find_all(file: &str, text: &str, places: &mut Vec<Place>) {
    let (bare, functions) = (bare(text), functions(text));
    for (old, new) in WEAKENINGS {
        for (start, _) in bare.match_indices(old) {
            let span = start..start + old.len();
            places.push(Place {
                function: innermost(&functions, &span)
                    .map_or_else(String::new, |function| function.name.clone()),
                line: 1 + text[..start].matches('\n').count(),
                old,
                mutant: Mutant {
                    file: file.to_owned(),
                    edit: Edit {
                        span,
                        new: (*new).to_owned(),
                    },
                },
            });
        }
    }
}
