//! What is broken, and which test has to notice.

/// A package with its test program.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Suite(pub(crate) &'static [&'static str]);

const PROPERTIES: Suite = Suite(&["--package", "tasca-properties", "--lib"]);
const SCHEDULES: Suite = Suite(&["--package", "tasca-schedules", "--lib"]);
const STRESS: Suite = Suite(&["--package", "tasca-tests", "--test", "stress"]);
const FAULTS: Suite = Suite(&["--package", "tasca-tests", "--test", "faults"]);

impl Break {
    /// The file, from the root on.
    pub(crate) fn path(&self) -> String {
        let folder = match self.file.starts_with("tasca-") {
            true => "crates/",
            false => "",
        };
        format!("{folder}{}", self.file)
    }

    /// Whether the test may notice what is broken in a file: else a break of it may share a build with this one.
    pub(crate) fn looks_at(&self, file: &str) -> bool {
        const LINES: [&str; 5] = [
            "permits",
            "sync/src/line",
            "raw_lock",
            "rw_lock",
            "semaphore",
        ];
        const SIGNALS: [&str; 5] = ["sync/src/line", "raw_lock", "event", "condition", "barrier"];
        const QUEUES: [&str; 2] = ["sync/src/line", "sync/src/queue"];
        let test = self.test;
        // Whole programs look at the core too.
        let is_program = test.starts_with("cancel_points::");
        if is_program && file.contains("tasca-core") {
            return true;
        }
        let subject = test.trim_start_matches("cancel_points::");
        let subject = subject.trim_start_matches("in_line::");
        let places: &[&str] = match subject.split(':').next().unwrap_or(subject) {
            "for_a_lock" => &["sync/src/line", "raw_lock"],
            "for_a_read_write_lock" => &["sync/src/line", "rw_lock"],
            "for_a_permit" => &["sync/src/line", "permits", "semaphore"],
            "for_a_limiter" => &["limiter"],
            "for_an_event" => &["sync/src/line", "event"],
            "for_a_condition" | "at_a_barrier" | "signals" => &SIGNALS,
            "for_an_item" | "for_room" | "for_a_queue_and_its_end" | "queues" => &QUEUES,
            "in_clean_up" | "in_joins_promises_and_timers" => &[],
            "timers" => &["tasca-core/src/timer_queue"],
            "run_queues" => &["tasca-core/src/queue"],
            "turns" => &["tasca-core/src/queue", "scheduler/sharing"],
            "lines" => &LINES,
            "attributes" => &["tasca-macros"],
            "names" => &["tasca-core", "tasca-net"],
            "contexts" => &["tasca-core"],
            "cancels" => &["tasca-core", "tasca-combinators"],
            "in_combinators" => &["tasca-combinators"],
            "workers" => &[
                "tasca-core/src/idle",
                "tasca-core/src/queue",
                "tests/schedules",
            ],
            _ => return true,
        };
        places.iter().any(|place| file.contains(place))
    }

    /// Whether the two may share a build.
    pub(crate) fn agrees_with(&self, other: &Self) -> bool {
        !self.looks_at(other.file) && !other.looks_at(self.file)
    }
}

/// One break of the shipped sources.
#[derive(Debug)]
pub(crate) struct Break {
    pub(crate) suite: &'static Suite,
    /// The test, or the first part of the names of several.
    pub(crate) test: &'static str,
    pub(crate) what: &'static str,
    /// Below `crates`, or from the root on.
    pub(crate) file: &'static str,
    /// Occurs once in the file.
    pub(crate) from: &'static str,
    pub(crate) to: &'static str,
}

const fn b(
    suite: &'static Suite,
    test: &'static str,
    what: &'static str,
    file: &'static str,
    from: &'static str,
    to: &'static str,
) -> Break {
    Break {
        suite,
        test,
        what,
        file,
        from,
        to,
    }
}

#[rustfmt::skip]
pub(crate) const BREAKS: &[Break] = &[
    b(&PROPERTIES, "timers::", "equal deadlines fire in the wrong order",
        "tasca-core/src/timer_queue/queue.rs",
        "Reverse((entry.deadline_ns, Reverse(n_behind)))", "Reverse((entry.deadline_ns, n_behind))"),
    b(&PROPERTIES, "timers::", "a deadline that is far is told too early",
        "tasca-core/src/timer_queue/queue.rs",
        "            self.far.tighten();\n", ""),
    b(&PROPERTIES, "timers::", "a limit leaves behind what is due",
        "tasca-core/src/timer_queue/queue.rs",
        "            self.heap.push(entry, &mut self.places);\n        }\n        self.heap\n", "            let _ = entry;\n        }\n        self.heap\n"),
    b(&PROPERTIES, "timers::", "what waits for a reading of the clock counts from the last look",
        "tasca-core/src/timer_queue/queue.rs",
        "        if self.uncounted.len() > 0 {\n            self.count_from(now_ns());", "        if self.uncounted.len() > 0 {\n            let _ = now_ns();\n            self.count_from(self.now_ns);"),
    b(&PROPERTIES, "run_queues::", "the oldest are shared instead of the newest",
        "tasca-core/src/queue/private.rs",
        "for task in self.0.drain(first..) {", "for task in self.0.drain(..self.0.len() - first) {"),
    b(&PROPERTIES, "run_queues::", "bound tasks are lost when others are shared",
        "tasca-core/src/queue/private.rs",
        "        self.0.extend(stay);\n", "        drop(stay);\n"),
    b(&PROPERTIES, "run_queues::", "a bound task is given away when the worker is stuck",
        "tasca-core/src/queue/private.rs",
        "Some(task) if is_bound(&task) => self.0.push_back(task),", "Some(task) if is_bound(&task) && out.is_empty() => self.0.push_back(task),"),
    b(&PROPERTIES, "run_queues::", "a thief's queue seems to be empty",
        "tasca-core/src/queue/shared.rs",
        "                    {}\n                    self.publish_len();\n", "                    {}\n"),
    b(&PROPERTIES, "lines::tests::semaphores", "who goes away with a permit keeps it",
        "tasca-sync/src/permits.rs",
        "            self.0.word.fetch_add(PERMIT, Ordering::Relaxed);", ""),
    b(&PROPERTIES, "lines::tests::semaphores", "a newcomer overtakes who was woken",
        "tasca-sync/src/line.rs",
        "                Standing::Woken => false,", "                Standing::Woken => true,"),
    b(&PROPERTIES, "lines::tests::locks", "who goes away with the lock leaves it to nobody",
        "tasca-sync/src/raw_lock.rs",
        "        if !self.0.is_locked() {\n            line.wake_first(later);\n        }\n", "        let _ = later;\n"),
    b(&PROPERTIES, "lines::tests::readers", "a writer is let in beside readers",
        "tasca-sync/src/rw_lock.rs",
        "            Self::Write => word & !LINE == 0,", "            Self::Write => word & WRITER == 0,"),
    b(&PROPERTIES, "lines::tests::readers", "a reader overtakes a writer that waits",
        "tasca-sync/src/rw_lock.rs",
        "while access.fits(word) && line.is_vacant() {", "while access.fits(word) && (access.share() != WRITER || line.is_vacant()) {"),
    b(&PROPERTIES, "queues::tests::queues", "who goes away after a wake-up for an item passes none on",
        "tasca-sync/src/queue/gates.rs",
        "            state.getters.pull_next(later);", "            let _ = later;"),
    b(&PROPERTIES, "queues::tests::queues", "a shutdown leaves those asleep who wait for room",
        "tasca-sync/src/queue/mod.rs",
        "        self.putters.pull_all(later);\n", ""),
    b(&PROPERTIES, "queues::tests::queues", "what is thrown away at a shutdown does not count as done",
        "tasca-sync/src/queue/mod.rs",
        "                state.finish(n_items, &mut later);\n", "                let _ = n_items;\n"),
    b(&PROPERTIES, "turns::", "what was put out is run before what is older",
        "tasca-core/src/scheduler/sharing.rs",
        "self.until.set(n_older + 1);", "self.until.set(n_older.max(1));"),
    b(&PROPERTIES, "turns::", "one of those that were put out has a turn, and the rest comes last",
        "tasca-core/src/scheduler/sharing.rs",
        "self.until.set(usize::from(n_left > 0));", "let _ = n_left;"),
    b(&PROPERTIES, "signals::tests::who_waits", "who waits for an event looks at the flag again",
        "tasca-sync/src/event.rs",
        "(left.is_some() || self.0.is_set()).then_some(())", "self.0.is_set().then_some(())"),
    b(&PROPERTIES, "signals::tests::as_many", "a notification goes with who goes away",
        "tasca-sync/src/condition.rs",
        "self.pass_on.armed = left == Standing::Woken;", "let _ = left;"),
    b(&PROPERTIES, "signals::tests::parties", "a party that goes away is counted all the same",
        "tasca-sync/src/barrier.rs",
        "        state.n_inside -= 1;\n", "        if state.phase != Phase::Filling { state.n_inside -= 1; }\n"),
    b(&PROPERTIES, "contexts::", "a task shares the context of who spawned it",
        "tasca-core/src/task/context.rs",
        "        let map = unsafe { &(*context).map }.lock().clone()?;\n", "        let map = unsafe { &(*context).map }.lock().take()?;\n"),
    b(&PROPERTIES, "contexts::", "a reset leaves the variable unset",
        "tasca-core/src/task/context.rs",
        "replace(token.key, token.before)", "replace(token.key, None)"),
    b(&PROPERTIES, "cancels::", "a time-out takes any cancellation for its own",
        "tasca-combinators/src/timeout.rs",
        "Err(_) if left == (Left::Late { is_own: true }) => {", "Err(_) if matches!(left, Left::Late { .. }) => {"),
    b(&PROPERTIES, "cancels::", "a time-out does not see that an earlier request stood",
        "tasca-core/src/task/expiry.rs",
        "is_own: shared.cancelling() <= n_before,", "is_own: shared.cancelling() == 0 && n_before == 0,"),
    b(&PROPERTIES, "cancels::", "a time-out leaves its request behind",
        "tasca-core/src/task/expiry.rs",
        "    cancel::retract_request(task, &mut shared);\n", ""),
    b(&PROPERTIES, "cancels::", "clean-up ends the cancellation",
        "tasca-core/src/scope/mod.rs",
        "    cleanup.await;\n    match ended {", "    cleanup.await;\n    if ended.is_err() { std::future::pending::<()>().await; }\n    match ended {"),
    b(&PROPERTIES, "cancels::", "a group does not cancel its tasks with its body",
        "tasca-combinators/src/group/mod.rs",
        "        if !is_success {\n            self.abort_quietly();\n        }\n", "        let _ = is_success;\n"),
    b(&PROPERTIES, "cancels::", "a group that waits swallows the cancellation",
        "tasca-combinators/src/group/mod.rs",
        "                cancelled = Some(again);\n", "                drop(again);\n"),
    b(&PROPERTIES, "scenarios::tests::what", "a statement that the interpreter has is refused",
        "tests/conformance/src/check.rs",
        "    (\"try\", &[\"body\"]),", "    (\"tri\", &[\"body\"]),"),
    b(&PROPERTIES, "scenarios::tests::what", "any word is taken for an operation",
        "tests/conformance/src/check.rs",
        "(None, None) => return Err(format!(\"{place}: unknown operation {op:?}\")),", "(None, None) => (\"\", &[][..]),"),
    b(&PROPERTIES, "attributes::tests::options", "an option may be given twice",
        "tasca-macros/src/options.rs",
        "    if slot.is_some() {", "    if false {"),
    b(&PROPERTIES, "attributes::tests::options", "there may be no workers",
        "tasca-macros/src/options.rs",
        ".filter(|n| *n > 0)", ""),
    b(&PROPERTIES, "attributes::tests::what", "an error comes without the function that it is about",
        "tasca-macros/src/expand.rs",
        "quote!(#(#errors)* #[allow(dead_code)] fn #name() {})", "quote!(#(#errors)* #[allow(dead_code)] #name)"),
    b(&PROPERTIES, "names::", "a port is not looked for before the system is asked",
        "tasca-net/src/address.rs",
        "return Err(invalid(\"there is no port\"));", "return Ok(Question::Known(Vec::new()));"),
    b(&SCHEDULES, "workers::as_many", "who takes a batch, and does not search, wakes nobody",
        "tests/schedules/src/workers.rs",
        "            self.place.wake_one();\n        }\n        job\n", "        }\n        job\n"),
    b(&SCHEDULES, "workers::as_many", "the last searcher does not look for more",
        "tasca-core/src/idle/mod.rs",
        "            fence(Ordering::SeqCst);\n        }\n        last\n", "            fence(Ordering::SeqCst);\n        }\n        false\n"),
    b(&SCHEDULES, "workers::every_job", "a worker that was woken is not counted as searching",
        "tasca-core/src/idle/mod.rs",
        "            Unparked::BySelf\n        } else {\n            Unparked::ByOther\n        }", "            Unparked::BySelf\n        } else {\n            Unparked::BySelf\n        }"),
    b(&STRESS, "seeds::programs_of", "who goes away with a permit keeps it",
        "tasca-sync/src/permits.rs",
        "            self.0.word.fetch_add(PERMIT, Ordering::Relaxed);", ""),
    b(&STRESS, "seeds::programs_that", "a permit that is dropped is not given back",
        "tasca-sync/src/semaphore.rs",
        "let _given_back = semaphore.permits.release(semaphore.bound);", "let _ = semaphore;"),
    b(&STRESS, "lose_nothing_on_threads", "a wake-up in mid-poll is lost",
        "tasca-core/src/task/state.rs",
        "            } else if s.0 & NOTIFIED != 0 {\n                (EndPoll::Requeue,", "            } else if s.0 & NOTIFIED != 0 && false {\n                (EndPoll::Requeue,"),
    b(&FAULTS, "cancel_points::in_combinators", "the tasks of a gather go on when it is cancelled",
        "tasca-combinators/src/gather/record.rs",
        "        for task in tasks {", "        for task in tasks.into_iter().take(1) {"),
    b(&FAULTS, "cancel_points::in_clean_up", "clean-up is left out when the body is cancelled",
        "tasca-core/src/scope/mod.rs",
        "    cleanup.await;\n    match ended {", "    if ended.is_ok() {\n        cleanup.await;\n    }\n    match ended {"),
    b(&FAULTS, "cancel_points::in_joins", "who no longer waits takes another one out of the list",
        "tasca-core/src/task/ext.rs",
        "        match index.checked_sub(1) {\n            None => {\n                let next", "        match index.saturating_sub(1).checked_sub(1) {\n            None => {\n                let next"),
    b(&FAULTS, "cancel_points::in_line::for_a_lock", "who goes away with the lock leaves it to nobody",
        "tasca-sync/src/raw_lock.rs",
        "        if !self.0.is_locked() {\n            line.wake_first(later);\n        }\n", "        let _ = later;\n"),
    b(&FAULTS, "cancel_points::in_line::for_a_read_write_lock", "who goes away when it was let in keeps its share",
        "tasca-sync/src/rw_lock.rs",
        "        if left == Standing::Woken {\n            // Ordering: Relaxed, as in", "        if left == Standing::Woken && false {\n            // Ordering: Relaxed, as in"),
    b(&FAULTS, "cancel_points::in_line::for_a_permit", "who goes away with a permit keeps it",
        "tasca-sync/src/permits.rs",
        "            self.0.word.fetch_add(PERMIT, Ordering::Relaxed);", ""),
    b(&FAULTS, "cancel_points::in_line::for_a_limiter", "a permit that has come goes with who goes away",
        "tasca-blocking/src/limiter.rs",
        "        // If the permit has come, it goes on to the next.\n        drop(task);\n", "        std::mem::forget(task);\n"),
    b(&FAULTS, "cancel_points::in_line::for_an_item", "who goes away after a wake-up for an item passes none on",
        "tasca-sync/src/queue/gates.rs",
        "            state.getters.pull_next(later);", "            let _ = later;"),
    b(&FAULTS, "cancel_points::in_line::for_room", "who goes away after a wake-up for room passes none on",
        "tasca-sync/src/queue/gates.rs",
        "            state.putters.pull_next(later);", "            let _ = later;"),
    b(&FAULTS, "cancel_points::in_line::for_a_queue_and_its_end", "one of those who wait for the end of all work is told",
        "tasca-sync/src/queue/mod.rs",
        "            self.joiners.wake_all(later);", "            self.joiners.wake_first(later);"),
    b(&FAULTS, "cancel_points::in_line::for_an_event", "one of those who wait for an event is told",
        "tasca-sync/src/event.rs",
        "        line.wake_all(&mut later);", "        line.wake_first(&mut later);"),
    b(&FAULTS, "cancel_points::in_line::for_a_condition", "a notification goes with who goes away",
        "tasca-sync/src/condition.rs",
        "self.pass_on.armed = left == Standing::Woken;", "let _ = left;"),
    b(&FAULTS, "cancel_points::in_line::at_a_barrier", "a party that goes away is counted all the same",
        "tasca-sync/src/barrier.rs",
        "        state.n_inside -= 1;\n", "        if state.phase != Phase::Filling { state.n_inside -= 1; }\n"),
];
