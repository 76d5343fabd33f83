//! Random histories of operations beside plain models of what they should do: context variables, queues, and who is served
//! next by locks and semaphores.
//!
//! A history is drawn from a seed; set `TASCA_STRESS_SEED` to run one again. (Timers beside a sorted map, and the rooms that are
//! not public, are tested so in `tasca-core`.)

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, VecDeque};
use std::pin::Pin;
use std::task::{Context as Turn, Waker};

use futures::FutureExt;
use futures::future::BoxFuture;
use tasca::sync::{
    GetNowaitError, LifoQueue, Lock, PriorityQueue, PutNowaitError, Queue, Semaphore,
};
use tasca::{Context, ContextVar, Runtime, spawn, yield_now};
use tasca_tests::{Random, guarded};

use crate::{Said, from_env};

const N_HISTORIES: u64 = if cfg!(debug_assertions) {
    2_000
} else {
    20_000
};

/// How many are run under one guard against hanging.
const N_TOGETHER: u64 = 100;

/// Calls `check` with the numbers of many seeds.
fn histories(name: &'static str, check: impl Fn(Random) + Copy + Send + 'static) {
    let (first, n_seeds) = match from_env("TASCA_STRESS_SEED") {
        Some(seed) => (seed, 1),
        None => (Random::fresh_seed() >> 1, N_HISTORIES),
    };
    for block in (first..first + n_seeds).step_by(N_TOGETHER as usize) {
        let end = (block + N_TOGETHER).min(first + n_seeds);
        guarded(name, move || {
            for seed in block..end {
                let said = Said(format!("{name}: TASCA_STRESS_SEED={seed}"));
                check(Random::new(seed));
                drop(said);
            }
        });
    }
}

static VARIABLES: [ContextVar<u64>; 3] = [
    ContextVar::new("first"),
    ContextVar::new("second"),
    ContextVar::new("third"),
];

/// A context as it should be: the values of the variables that are set.
type Values = HashMap<usize, u64>;

#[track_caller]
fn expect(values: &Values) {
    for (index, variable) in VARIABLES.iter().enumerate() {
        assert_eq!(
            variable.get(),
            values.get(&index).copied(),
            "{}",
            variable.name()
        );
    }
}

/// Sets, resets, enters copies and new contexts, spawns; `values` is what the present context should hold.
fn vary(mut random: Random, mut values: Values, depth: u32) -> BoxFuture<'static, Values> {
    async move {
        let mut tokens = Vec::new();
        for _ in 0..random.below(8) {
            let index = random.below(3) as usize;
            match random.below(7) {
                0..=2 => {
                    let (new, before) = (random.below(100), values.get(&index).copied());
                    tokens.push((index, VARIABLES[index].set(new), before));
                    values.insert(index, new);
                }
                // The last set of all is undone, or any other one: what it replaced is put back.
                3 if !tokens.is_empty() => {
                    let last = random.below(tokens.len() as u64) as usize;
                    let (index, token, before) = tokens.swap_remove(last);
                    VARIABLES[index].reset(token);
                    match before {
                        Some(before) => values.insert(index, before),
                        None => values.remove(&index),
                    };
                }
                // What is set in a copy stays there.
                4 => Context::copy_current().run(|| {
                    expect(&values);
                    let token = VARIABLES[index].set(1000);
                    assert_eq!(VARIABLES[index].get(), Some(1000));
                    drop(token);
                }),
                5 => Context::new().run(|| expect(&Values::new())),
                _ if depth > 0 => {
                    let child = vary(random.split(), values.clone(), depth - 1);
                    // Inline, it shares this context; as a task, it has a copy.
                    if random.one_in(3) {
                        values = child.await;
                    } else {
                        let task = spawn(child);
                        if random.one_in(2) {
                            yield_now().await;
                        }
                        task.await;
                    }
                }
                _ => yield_now().await,
            }
            expect(&values);
        }
        values
    }
    .boxed()
}

#[test]
fn context_variables_agree_with_maps() {
    histories("contexts", |mut random| {
        let runtime = Runtime::builder().deterministic(random.below(1 << 40));
        let runtime = runtime.build().expect("a runtime can be made");
        let main = runtime
            .handle()
            .spawn(vary(random.split(), Values::new(), 3));
        runtime.block_on(main);
        // Nothing of it is seen outside.
        expect(&Values::new());
    });
}

/// Calls what a queue offers at once, beside `push` and `pop` of a plain model.
macro_rules! agree {
    ($queue:ident, $random:ident, $model:ident, $push:expr, $pop:expr) => {{
        let maxsize = $random.below(5) as usize;
        let queue = $queue::<u64>::bounded(maxsize);
        let (mut n_unfinished, mut is_shut_down) = (0_usize, false);
        for _ in 0..$random.below(40) {
            match $random.below(12) {
                0..=4 => {
                    let item = $random.below(50);
                    let expected = if is_shut_down {
                        Err(PutNowaitError::ShutDown(item))
                    } else if maxsize > 0 && $model.len() == maxsize {
                        Err(PutNowaitError::Full(item))
                    } else {
                        $push(&mut $model, item);
                        n_unfinished += 1;
                        Ok(())
                    };
                    assert_eq!(queue.put_nowait(item), expected);
                }
                5..=8 => {
                    let expected = $pop(&mut $model).ok_or(match is_shut_down {
                        true => GetNowaitError::ShutDown,
                        false => GetNowaitError::Empty,
                    });
                    assert_eq!(queue.get_nowait(), expected);
                }
                9 | 10 => {
                    let is_right = n_unfinished > 0;
                    n_unfinished = n_unfinished.saturating_sub(1);
                    assert_eq!(queue.task_done().is_ok(), is_right);
                }
                _ if $random.one_in(4) => {
                    queue.shutdown();
                    is_shut_down = true;
                }
                _ => {}
            }
            assert_eq!(queue.len(), $model.len());
            assert_eq!(queue.is_full(), maxsize > 0 && $model.len() >= maxsize);
            assert_eq!(queue.join().now_or_never().is_some(), n_unfinished == 0);
        }
    }};
}

#[test]
fn queues_agree_with_the_collections_that_they_are() {
    histories("queues", |mut random| {
        match random.below(3) {
            0 => {
                let mut model = VecDeque::new();
                agree!(
                    Queue,
                    random,
                    model,
                    VecDeque::push_back,
                    VecDeque::pop_front
                );
            }
            1 => {
                let mut model = Vec::new();
                agree!(LifoQueue, random, model, Vec::push, Vec::pop);
            }
            _ => {
                let mut model = BinaryHeap::new();
                let push = |model: &mut BinaryHeap<_>, item| model.push(Reverse(item));
                let pop = |model: &mut BinaryHeap<_>| model.pop().map(|Reverse(item)| item);
                agree!(PriorityQueue, random, model, push, pop);
            }
        };
    });
}

/// Somebody who waits, or holds what was waited for.
struct Party<'a> {
    wait: Pin<Box<dyn Future<Output = Box<dyn Held + 'a>> + 'a>>,
    held: Option<Box<dyn Held + 'a>>,
}

/// Whatever gives access for as long as it lives.
trait Held {}

impl<T> Held for T {}

/// Parties come, are served, give back, and go away while they wait; `n_places` of them can be served at once.
///
/// Nobody overtakes, no place stays free while somebody waits, and there are never more than there are places.
fn serves_in_order<'a>(
    mut random: Random,
    n_places: usize,
    come: impl Fn() -> Pin<Box<dyn Future<Output = Box<dyn Held + 'a>> + 'a>>,
) {
    let mut turn = Turn::from_waker(Waker::noop());
    let mut parties: Vec<Party<'a>> = Vec::new();
    for _ in 0..random.below(40) {
        match random.below(3) {
            0 | 1 => parties.push(Party {
                wait: come(),
                held: None,
            }),
            // Gives back, or gives up.
            _ if !parties.is_empty() => {
                drop(parties.remove(random.below(parties.len() as u64) as usize));
            }
            _ => {}
        }
        let mut somebody_waits = false;
        for party in parties.iter_mut().filter(|party| party.held.is_none()) {
            if let std::task::Poll::Ready(held) = party.wait.as_mut().poll(&mut turn) {
                assert!(!somebody_waits, "overtaken");
                party.held = Some(held);
            } else {
                somebody_waits = true;
            }
        }
        let n_served = parties.iter().filter(|party| party.held.is_some()).count();
        assert_eq!(
            n_served,
            n_places.min(parties.len()),
            "places that are used"
        );
    }
}

#[test]
fn a_semaphore_serves_in_order_and_wastes_nothing() {
    histories("semaphore", |mut random| {
        let n_permits = 1 + random.below(4) as usize;
        let semaphore = Semaphore::new(n_permits);
        serves_in_order(random, n_permits, || {
            Box::pin(async { Box::new(semaphore.acquire().await) as Box<dyn Held + '_> })
        });
        assert_eq!(semaphore.available_permits(), n_permits);
    });
}

#[test]
fn a_lock_serves_in_order_and_wastes_nothing() {
    histories("lock", |random| {
        let lock = Lock::new(());
        serves_in_order(random, 1, || {
            Box::pin(async { Box::new(lock.lock().await) as Box<dyn Held + '_> })
        });
        assert!(!lock.is_locked());
    });
}
