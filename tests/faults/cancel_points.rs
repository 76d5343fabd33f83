//! A task is cancelled, and a future dropped, at each of its await points in turn: what it held is given back, whatever it
//! waited for serves the next one, and clean-up runs exactly once.
//!
//! Each program runs on the deterministic runtime again and again: the n-th time its task is hit when it is suspended for the
//! n-th time, until a run comes to its end unharmed. So no point is left out, and the number of points is known. The hit comes at
//! once, or some cycles later: then the task may have been woken, and have been given what it waited for, without having seen it.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;
use std::time::Duration;

use tasca::sync::{Barrier, Condition, Event, Lock, Queue, RwLock, Semaphore};
use tasca::time::{interval, sleep};
use tasca::{
    Runtime, TaskGroup, as_completed, catch_cancelled, current_task, finally, gather, promise,
    shield, spawn, timeout, wait, wait_for, yield_now,
};
use tasca_tests::{Counter, guarded};

/// How the task is hit.
#[derive(Clone, Copy, Debug)]
enum Hit {
    /// Its future is dropped.
    Drop,
    /// It is cancelled.
    Cancel,
    /// It is cancelled, and again each time it is suspended after that.
    CancelAgain,
}

/// What the programs share and must leave as it was.
#[derive(Debug)]
struct World {
    lock: Lock<u32>,
    rw_lock: RwLock<u32>,
    semaphore: Semaphore,
    condition: Condition,
    event: Event,
    queue: Queue<u32>,
    begun: Counter,
    cleaned: Counter,
    held: Counter,
    dropped: Counter,
}

impl World {
    fn new() -> Self {
        Self {
            lock: Lock::default(),
            rw_lock: RwLock::default(),
            semaphore: Semaphore::new(2),
            condition: Condition::new(),
            event: Event::new(),
            queue: Queue::unbounded(),
            begun: Counter::new(),
            cleaned: Counter::new(),
            held: Counter::new(),
            dropped: Counter::new(),
        }
    }

    /// Counts what is made, and what is dropped of it.
    fn hold(&self) -> tasca_tests::DropCount {
        self.held.add();
        self.dropped.on_drop()
    }

    /// Everything can be had again, and every beginning had its end.
    async fn is_as_it_was(&self) {
        // What was cancelled may still be on its way.
        sleep(Duration::from_secs(10)).await;
        assert!(!self.lock.is_locked());
        drop(self.rw_lock.try_write().expect("free"));
        assert_eq!(self.semaphore.available_permits(), 2);
        assert_eq!(self.begun.get(), self.cleaned.get(), "cleaned up once each");
        assert_eq!(self.held.get(), self.dropped.get(), "dropped once each");
        assert_eq!(tasca::all_tasks().len(), 1, "{:?}", tasca::all_tasks());
    }
}

/// Runs `program` until it is hit no more; gives how many points it has. `seed` decides the order of everything else.
fn hit_at_every_point<F>(
    seed: u64,
    hit: Hit,
    n_cycles: u64,
    program: impl Fn(Arc<World>) -> F + Clone + Send + 'static,
) -> usize
where
    F: Future<Output = ()> + Send + 'static,
{
    guarded(
        &format!("{hit:?} after {n_cycles}, seed {seed}"),
        move || {
            let mut n_points = 0;
            while !hit_at(seed, hit, n_cycles, n_points, program.clone()) {
                n_points += 1;
                assert!(n_points < 10_000, "a program that does not end");
            }
            n_points
        },
    )
}

/// Runs `program`, hit when it is suspended after so many times; whether it came to its end before that.
fn hit_at<F>(
    seed: u64,
    hit: Hit,
    n_cycles: u64,
    n_spared: usize,
    program: impl Fn(Arc<World>) -> F + Send + 'static,
) -> bool
where
    F: Future<Output = ()> + Send + 'static,
{
    let runtime = Runtime::builder().deterministic(seed).build().unwrap();
    runtime.block_on(async move {
        let world = Arc::new(World::new());
        let body = program(Arc::clone(&world));
        let task = spawn(suspended(body, n_spared, hit, n_cycles));
        let ended_well = task.outcome().await.is_ok_and(|hit| !hit);
        world.is_as_it_was().await;
        ended_well
    })
}

/// Polls `body`; once it has been suspended as often as it is spared and once more, it is hit after so many cycles. Whether it was.
async fn suspended(
    body: impl Future<Output = ()>,
    n_spared: usize,
    hit: Hit,
    n_cycles: u64,
) -> bool {
    let (mut n_suspended, mut body) = (0, pin!(body));
    let was_hit = Arc::new(AtomicBool::new(false));
    poll_fn(move |cx| {
        // Ordering: Relaxed, here and below; there is one thread.
        if matches!(hit, Hit::Drop) && was_hit.load(Ordering::Relaxed) {
            return Poll::Ready(true);
        }
        if body.as_mut().poll(cx).is_ready() {
            return Poll::Ready(was_hit.load(Ordering::Relaxed));
        }
        n_suspended += 1;
        let again = matches!(hit, Hit::CancelAgain) && was_hit.load(Ordering::Relaxed);
        let task = current_task().expect("it is one");
        if again || (n_suspended == n_spared + 1 && n_cycles == 0) {
            was_hit.store(true, Ordering::Relaxed);
            if matches!(hit, Hit::Drop) {
                return Poll::Ready(true);
            }
            task.cancel();
        } else if n_suspended == n_spared + 1 {
            let (was_hit, waker) = (Arc::clone(&was_hit), cx.waker().clone());
            drop(spawn(async move {
                for _ in 0..n_cycles {
                    yield_now().await;
                }
                if task.is_finished() {
                    return;
                }
                was_hit.store(true, Ordering::Relaxed);
                match hit {
                    Hit::Drop => waker.wake(),
                    Hit::Cancel | Hit::CancelAgain => {
                        task.cancel();
                    }
                }
            }));
        }
        Poll::Pending
    })
    .await
}

/// Checks `program` in every way; `n_points_min` keeps it from having lost its points.
#[track_caller]
fn check<F>(n_points_min: usize, program: impl Fn(Arc<World>) -> F + Clone + Send + 'static)
where
    F: Future<Output = ()> + Send + 'static,
{
    for seed in 0..30 {
        for hit in [Hit::Drop, Hit::Cancel, Hit::CancelAgain] {
            let n_cycles = seed % 3;
            let n_points = hit_at_every_point(seed, hit, n_cycles, program.clone());
            // What is hit later may have come to its end before.
            assert!(
                n_points >= n_points_min || n_cycles > 0,
                "{n_points} points with {hit:?} and seed {seed}"
            );
        }
    }
}

#[test]
fn in_locks_and_permits() {
    check(5, |world| async move {
        let rivals: Vec<_> = (0..3)
            .map(|_| {
                let world = Arc::clone(&world);
                spawn(async move {
                    *world.lock.lock().await += 1;
                    drop(world.rw_lock.read().await);
                    *world.rw_lock.write().await += 1;
                    let _permit = world.semaphore.acquire().await;
                    yield_now().await;
                })
            })
            .collect();
        yield_now().await;
        let mut guard = world.lock.lock().await;
        yield_now().await;
        *guard += 1;
        drop(guard);
        let reading = world.rw_lock.read().await;
        yield_now().await;
        drop(reading);
        let writing = world.rw_lock.write().await;
        yield_now().await;
        drop(writing);
        let first = world.semaphore.acquire().await;
        let second = world.semaphore.acquire().await;
        yield_now().await;
        drop((first, second));
        for rival in rivals {
            rival.await;
        }
    });
}

#[test]
fn in_conditions_events_and_barriers() {
    check(3, |world| async move {
        let barrier = Arc::new(Barrier::new(2));
        let other = spawn({
            let (world, barrier) = (Arc::clone(&world), Arc::clone(&barrier));
            async move {
                sleep(Duration::from_millis(1)).await;
                *world.lock.lock().await = 1;
                world.condition.notify_all(&world.lock.lock().await);
                sleep(Duration::from_millis(1)).await;
                world.event.set();
                // The party may have been hit.
                drop(timeout(Duration::from_secs(1), barrier.wait()).await);
            }
        });
        let mut guard = world.lock.lock().await;
        while *guard == 0 {
            world.condition.wait(&mut guard).await;
        }
        drop(guard);
        world.event.wait().await;
        // Broken, if the other one was hit.
        drop(barrier.wait().await);
        other.await;
    });
}

/// An item is in the queue, or with whoever got it.
#[test]
fn in_queues() {
    check(3, |world| async move {
        let (small, got) = (Arc::new(Queue::<u32>::bounded(1)), Counter::new());
        let consumer = spawn({
            let (small, got) = (Arc::clone(&small), got.clone());
            async move {
                while small.get().await.is_ok() {
                    got.add();
                    small.task_done().expect("one for each");
                    yield_now().await;
                }
            }
        });
        let put = Counter::new();
        let ends = finally(
            {
                let (small, put) = (Arc::clone(&small), put.clone());
                async move {
                    for item in 0..4 {
                        if small.put(item).await.is_ok() {
                            put.add();
                        }
                    }
                    small.join().await;
                }
            },
            {
                let (small, world) = (Arc::clone(&small), Arc::clone(&world));
                async move {
                    small.shutdown();
                    world.queue.put(1).await.expect("it is open");
                    assert_eq!(world.queue.get().await, Ok(1));
                }
            },
        );
        // A future that is dropped runs no clean-up; the queue then ends here.
        let _end = EndsQueue(Arc::clone(&small));
        ends.await;
        consumer.await;
        assert_eq!(got.get(), put.get());
    });
}

/// Shuts its queue down, so that nobody waits for it for ever.
struct EndsQueue(Arc<Queue<u32>>);

impl Drop for EndsQueue {
    fn drop(&mut self) {
        self.0.shutdown();
    }
}

#[test]
fn in_joins_promises_and_timers() {
    check(6, |world| async move {
        let _held = world.hold();
        let (keep, promised) = promise();
        let child = spawn({
            let held = world.hold();
            async move {
                let _held = held;
                sleep(Duration::from_millis(2)).await;
                // Whoever waits may have been hit, and the promise with it.
                let _unless_cancelled = keep.set(3);
                sleep(Duration::from_millis(2)).await;
            }
        });
        assert_eq!(promised.await, 3);
        (&child).await;
        child.finished().await;
        child.await;
        let mut ticks = interval(Duration::from_millis(1));
        for _ in 0..3 {
            ticks.tick().await;
        }
        spawn(spawn(spawn(yield_now()))).await;
    });
}

#[test]
fn in_combinators() {
    check(6, |world| async move {
        let _held = world.hold();
        let job = |n: u64| {
            let held = world.hold();
            async move {
                let _held = held;
                sleep(Duration::from_millis(n)).await;
                n
            }
        };
        // Longer than anybody waits for the tasks of what was hit: they have to be cancelled with it.
        const LONG: u64 = 60_000;
        assert_eq!(gather((job(1), job(LONG))).await, (1, LONG));
        let limit = Duration::from_millis(2 * LONG);
        assert_eq!(wait_for(job(LONG), limit).await, Ok(LONG));
        assert!(timeout(Duration::from_millis(1), job(LONG)).await.is_err());
        let (done, left) = wait([spawn(job(1)), spawn(job(3))]).first_completed().await;
        assert_eq!((done.len(), left.len()), (1, 1));
        for task in left {
            task.await;
        }
        shield(spawn(job(1))).await;
        let stream = as_completed([job(2), job(1)]);
        while stream.remaining() > 0 {
            let Some(next) = stream.next().await else {
                break;
            };
            drop(next);
        }
        let scope = TaskGroup::<()>::scope(async |group| {
            drop(group.spawn(job(1)));
            drop(group.spawn(job(LONG)));
            yield_now().await;
        });
        scope.await.expect("nothing fails");
    });
}

/// Clean-up with awaits of its own runs once for each beginning, even if it is hit itself: then it is cut short at that point.
#[test]
fn in_clean_up() {
    check(5, |world| async move {
        for _ in 0..2 {
            let cleanup = CleanUp::begin(&world);
            let inner = CleanUp::begin(&world);
            let body = async {
                yield_now().await;
                finally(sleep(Duration::from_millis(1)), async move {
                    yield_now().await;
                    drop(inner);
                })
                .await;
            };
            if let Err(cancelled) = catch_cancelled(body).await {
                yield_now().await;
                drop(cleanup);
                cancelled.reraise::<()>().await;
            }
        }
    });
}

/// Counts as cleaned up when it is dropped, which is what clean-up does, or its own end.
struct CleanUp(Arc<World>);

impl CleanUp {
    fn begin(world: &Arc<World>) -> Self {
        world.begun.add();
        Self(Arc::clone(world))
    }
}

impl Drop for CleanUp {
    fn drop(&mut self) {
        self.0.cleaned.add();
    }
}
