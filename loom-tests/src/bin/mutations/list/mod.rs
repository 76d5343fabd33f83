//! The mutations: at least one for each model; a file for each group of rooms.

mod combinators;
mod driver;
mod pool;
mod scheduler;
mod sync;
mod task;

/// One weakening of the shipped sources.
#[derive(Debug)]
pub(crate) struct Mutation {
    /// The model that has to notice: `room::model`.
    pub(crate) model: &'static str,
    /// The file, below `crates/tasca-core/src`, or below `crates` if it begins with a crate's name.
    pub(crate) file: &'static str,
    /// The place begins here.
    pub(crate) after: &'static str,
    /// The first of these from there on...
    pub(crate) old: &'static str,
    /// ...becomes this.
    pub(crate) new: &'static str,
    /// What that means.
    pub(crate) what: &'static str,
}

impl Mutation {
    /// The room whose sources are weakened: the first part of the path; in other crates than the core, the crate
    /// and the first part within it.
    pub(crate) fn room(&self) -> String {
        let path = self.file.trim_end_matches(".rs");
        match path.split_once("/src/") {
            Some((name, rest)) => format!("{name}/{}", first(rest)),
            None => first(path).to_owned(),
        }
    }

    /// Whether the model takes a room in. One whose rooms are not listed shares a build with nobody.
    pub(crate) fn takes_in(&self, room: &str) -> bool {
        let rooms: &[&str] = match self.model.split(':').next().unwrap_or(self.model) {
            "biased" => &["biased"],
            "idle" => &["idle", "queue"],
            "inbox" => &["queue"],
            "parker" => &["scheduler"],
            "shutdown" => &["scheduler", "idle"],
            "timer_queue" => &["timer_queue", "slots"],
            "readiness" => &["driver"],
            "hand_over" => &["biased", "idle", "queue", "timer_queue", "slots"],
            "pool" => &["tasca-blocking/crew", "task"],
            "task" => &["task"],
            "combinators" => return room == "task" || self.is_of_the_same_part(room),
            "sync_locks" | "sync_signals" => {
                return ["task", "tasca-sync/wait", "tasca-sync/line"].contains(&room)
                    || self.is_of_the_same_part(room)
                    || (self.rests_on_locks()
                        && ["tasca-sync/raw_lock", "tasca-sync/condition"].contains(&room));
            }
            _ => return true,
        };
        rooms.contains(&room)
    }

    /// Combinators and primitives have nothing to do with each other, but for what all have in common.
    fn is_of_the_same_part(&self, room: &str) -> bool {
        self.room() == room || room.ends_with("/set") || room.ends_with("/sync")
    }

    fn rests_on_locks(&self) -> bool {
        ["tasca-sync/condition", "tasca-sync/barrier"].contains(&self.room().as_str())
    }
}

fn first(path: &str) -> &str {
    path.split('/').next().unwrap_or(path)
}

const fn m(
    model: &'static str,
    file: &'static str,
    after: &'static str,
    old: &'static str,
    new: &'static str,
    what: &'static str,
) -> Mutation {
    Mutation {
        model,
        file,
        after,
        old,
        new,
        what,
    }
}

/// All of them.
pub(crate) fn all() -> impl Iterator<Item = &'static Mutation> {
    [
        scheduler::MUTATIONS,
        task::MUTATIONS,
        driver::MUTATIONS,
        pool::MUTATIONS,
        combinators::MUTATIONS,
        sync::MUTATIONS,
    ]
    .into_iter()
    .flatten()
}
