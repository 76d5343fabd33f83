//! What a combinator costs beside the tasks of its children: one shared record, whatever their number. The allocator counts, and the
//! parent's polls are counted; a child's own cell comes from the runtime's memory, which an earlier round has asked for.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::future::poll_fn;
use std::pin::{Pin, pin};

use futures::StreamExt;
use tasca_combinators::{as_completed, gather, try_gather, wait};
use tasca_core::{Runtime, yield_now};

#[expect(unreachable_pub, reason = "public where it belongs to")]
#[path = "../../../tests/src/guard.rs"]
mod guard;

use guard::guarded;

/// The system's allocator, with a count for each thread.
struct Counting;

thread_local! {
    static N_BLOCKS: Cell<usize> = const { Cell::new(0) };
}

fn count() {
    N_BLOCKS.with(|n| n.set(n.get() + 1));
}

// SAFETY: the system's allocator does it; counting allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: passed on.
        unsafe { System.dealloc(block, layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        // SAFETY: passed on.
        unsafe { System.realloc(block, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[derive(Clone, Copy, Debug)]
struct Cost {
    blocks: usize,
    /// `None` where they depend on how the ends fall together.
    polls: Option<usize>,
}

impl Cost {
    fn is_as(self, expected: Self) -> bool {
        self.blocks == expected.blocks && (expected.polls.is_none() || self.polls == expected.polls)
    }
}

/// Awaits `waiting`; says how often it was polled.
async fn polls_of<F: Future>(waiting: F) -> (F::Output, usize) {
    let mut waiting = pin!(waiting);
    let mut polls = 0;
    let output = poll_fn(|cx| {
        polls += 1;
        waiting.as_mut().poll(cx)
    });
    (output.await, polls)
}

/// A child that suspends twice.
async fn child(n: usize) -> usize {
    yield_now().await;
    yield_now().await;
    n
}

type Costs = Pin<Box<dyn Future<Output = Cost> + Send>>;

/// What `body` costs with some number of children: in the first round that costs what is expected, or else in the last. The first
/// one of all asks for cells and queues, and in any a worker that the system holds up may be relieved of its tasks.
fn cost(body: fn(usize) -> Costs, n_children: usize, expected: Cost) -> Vec<Cost> {
    let runtimes = [
        Runtime::builder().current_thread(),
        Runtime::builder().multi_thread().worker_threads(1),
    ];
    let cost = |runtime: tasca_core::Builder| {
        let main = async move {
            let mut cost = body(n_children).await;
            for _ in 0..100 {
                if cost.is_as(expected) {
                    break;
                }
                cost = body(n_children).await;
            }
            cost
        };
        let runtime = runtime.build().unwrap();
        guarded("costs", move || runtime.run(main).unwrap())
    };
    runtimes.map(cost).to_vec()
}

/// Runs an expression with `n`, which waits for so many children.
macro_rules! waiting {
    (|$n:ident| $waiting:expr) => {
        |$n| {
            Box::pin(async move {
                let before = N_BLOCKS.get();
                let (_output, polls) = polls_of(async { $waiting }).await;
                let blocks = N_BLOCKS.get() - before;
                Cost {
                    blocks,
                    polls: Some(polls),
                }
            })
        }
    };
}

#[track_caller]
fn check(name: &str, body: fn(usize) -> Costs, expected: Cost) {
    for n_children in [2, 10, 1000] {
        for cost in cost(body, n_children, expected) {
            assert!(
                cost.is_as(expected),
                "{name} of {n_children}: {cost:?}, not {expected:?}"
            );
        }
    }
}

#[test]
fn the_children_of_a_combinator_share_one_record() {
    // The record and the vector of the outputs. The side block of the promise that stands for it is one that was used before.
    let gathered = Cost {
        blocks: 2,
        polls: Some(2),
    };
    check(
        "gather",
        waiting!(|n| gather((0..n).map(child)).await),
        gathered,
    );
    check(
        "gather of exceptions",
        waiting!(|n| gather((0..n).map(child)).return_exceptions().await),
        gathered,
    );
    check(
        "try_gather",
        waiting!(|n| {
            let children = (0..n).map(|n| async move { Ok::<_, ()>(child(n).await) });
            try_gather(children).await
        }),
        gathered,
    );
    check(
        "gather of a tuple",
        waiting!(|n| gather((child(n), child(n))).await),
        Cost {
            blocks: 1,
            polls: Some(2),
        },
    );
    // The record, and the vector of those that are done.
    check(
        "wait",
        waiting!(|n| wait((0..n).map(child)).await),
        Cost {
            blocks: 2,
            polls: Some(2),
        },
    );
    // The record, the operands, the lines of those that have ended and of those who wait for them.
    check(
        "as_completed",
        waiting!(|n| as_completed((0..n).map(child)).count().await),
        Cost {
            blocks: 4,
            polls: None,
        },
    );
}
