//! A pool's threads on the deterministic runtime: of all of them and the loop, one runs at any time.
//!
//! A job runs on a thread of its own kind there too, since a closure cannot be suspended otherwise; but the threads take turns
//! ([`turn`]): who submits a job, or delivers the event that it waits for, hands its turn to the job's thread and waits until it
//! comes back. So what jobs do has one order, and the seed decides it:
//!
//! - a job begins in the call that submits it, if a thread is free, else when another ends: in the order of submission, at most as many
//!   at once as the pool has threads.
//! - [`sleep`] takes virtual time: it ends with an outside event. A closure that does not sleep takes none.
//! - The end of a job queues one step with the loop, which completes the task (rule B8).
//!
//! # Jobs that really block
//!
//! A closure that waits for another job, for a task or a channel, or for a slow device, does not give its turn back, and what it
//! waits for may need that turn. Whoever waits for the turn therefore looks at the thread: if it has been asleep in one and the same
//! call of the system for some ten milliseconds, it is *let go*. From then on it runs beside the loop as any thread outside the model
//! does: what it does comes when it comes, and the clock stands still. It joins in again when it sleeps virtually or
//! ends. So nothing hangs that would not hang on real threads; what is lost is the promise that a seed replays that part. A
//! closure that computes is never let go, however long it takes: its thread is not asleep.
//!
//! # The end
//!
//! At the end of the runtime there is no loop: the one who ends it delivers the events, and so moves the clock, until all jobs
//! are done. For those that were let go it waits in real time, until the deadline. After that the threads are on
//! their own: virtual sleeps end at once.

mod asleep;
mod crew;
mod turn;

pub(crate) use crew::Crew;
pub use turn::sleep;

use std::sync::Weak;

use tasca_core::{Extension, Handle, Problem, Trouble};

use crate::ends::Queued;
use crate::primitive::{Instant, Mutex};

/// What a deterministic runtime knows of the pools that do not belong to it: their simulated threads end with it.
#[derive(Default)]
pub(crate) struct Guests {
    crews: Mutex<Vec<Weak<Crew>>>,
}

impl Guests {
    pub(crate) fn register(crew: Weak<Crew>) {
        Handle::with_current_extension(Self::default, |guests: &Self| {
            guests.crews.lock().push(crew);
        });
    }
}

impl Extension for Guests {
    fn shut_down(&self, deadline: Option<Instant>) -> Vec<Problem> {
        let crews = std::mem::take(&mut *self.crews.lock());
        crews
            .into_iter()
            .filter_map(|crew| crew.upgrade()?.shut_down(Queued::Drain, deadline).err())
            .map(|left| Problem::new(Trouble::Shutdown, left.to_string()))
            .collect()
    }
}
