//! A task that blocks its worker, and says so first.

use crate::scheduler::current;
use crate::scheduler::shared::Flavor;

/// Runs `work`, which may block, right here, after the worker has given away everything that waits behind this task.
///
/// For what cannot be moved to another thread: `work` may borrow, need not be `Send`, and runs in the task, with its context. What
/// was queued on this worker is run by others from now on, its timers and sockets are looked after by the watchdog (within
/// a millisecond or so), and a spare worker is started when there is work and no other worker is left. Tasks that are
/// bound to this worker wait; so do the other branches of this very task. Where the work can be moved,
/// `to_thread` costs less.
///
/// On a thread that is no worker, such as one of a pool or in [`block_on`](crate::Runtime::block_on) of the multi-threaded
/// runtime, `work` is just called. It cannot be used to call `block_on` inside a task, which panics here as well.
///
/// # asyncio counterpart
///
/// None.
///
/// # Panics
///
/// On a runtime that has one thread for everything: there is nobody to give anything to. If `work` panics.
///
/// # Examples
///
/// ```
/// # let rt = tasca_core::Runtime::builder().worker_threads(2).build().unwrap();
/// # rt.block_on(rt.handle().spawn(async {
/// let text = String::from("borrowed");
/// assert_eq!(tasca_core::block_in_place(|| text.len()), 8);
/// # }));
/// ```
#[track_caller]
pub fn block_in_place<R>(work: impl FnOnce() -> R) -> R {
    current::with_worker(|worker| {
        let _handed_over = worker.map(|worker| {
            assert!(
                worker.shared().flavor == Flavor::MultiThread,
                "block_in_place was called on a runtime that has one thread for everything, which would stop: \
                 use to_thread, or a multi-threaded runtime"
            );
            worker.hand_over()
        });
        work()
    })
}
