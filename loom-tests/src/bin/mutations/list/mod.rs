//! The mutations: at least one for each model; a file for each group of rooms.

mod combinators;
mod driver;
mod pool;
mod scheduler;
mod sync;
mod task;
mod workers;

use crate::bench::Mutant;
use crate::sources::Sources;
use crate::weave::Edit;

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
    /// Where it applies.
    pub(crate) fn find(&self, sources: &Sources) -> Result<Mutant, String> {
        let text = sources.read(self.file)?;
        let start = text
            .find(self.after)
            .ok_or_else(|| format!("no {:?}", self.after))?;
        let offset = text[start..]
            .find(self.old)
            .ok_or_else(|| format!("no {:?} behind {:?}", self.old, self.after))?;
        let start = start + offset;
        Ok(Mutant {
            file: self.file.to_owned(),
            edit: Edit {
                span: start..start + self.old.len(),
                new: self.new.to_owned(),
            },
        })
    }
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
        workers::MUTATIONS,
    ]
    .into_iter()
    .flatten()
}
