//! Where runnable tasks wait.
//!
//! | tier | filled by | emptied by |
//! |---|---|---|
//! | [`Private`]: plain memory, first in, first out | the worker, with what it spawns and wakes | the worker; a rescuer when it is stuck |
//! | [`Shared`]: a work-stealing deque | the worker, only while another is hungry | the worker; thieves |
//! | [`Injector`] | everybody else | all workers |
//! | [`Inbox`] | everybody else, with tasks that are bound to the worker | the worker |
//!
//! The private tier is plain memory and lives inside the worker's
//! [`BiasedLock`](crate::biased::BiasedLock): a hop through it takes a few nanoseconds, where one through a
//! stealable queue takes a locked instruction or two. What waits there is not stealable, so it is shared at the
//! worker's poll boundaries when somebody is hungry, and rescued when the worker does not come to one.
//!
//! Nothing overtakes: a task that is woken runs after those that its worker has queued before, as in asyncio. See
//! `docs/decisions/0012-first-in-first-out.md`.

mod inbox;
mod private;
mod shared;

pub(crate) use inbox::Inbox;
pub(crate) use private::Private;
pub(crate) use shared::{Injector, Shared, Thief};
