//! A task is cancelled, and a future dropped, at each of its await points in turn: what it held is given back, whatever it
//! waited for serves the next one, and clean-up runs exactly once.
//!
//! Each program runs on the deterministic runtime again and again: the n-th time its task is hit when it is suspended for the
//! n-th time, until a run comes to its end unharmed. So no point is left out, and the number of points is known. The hit comes
//! [at once, some cycles later, or when the task is woken](When): then it has been given what it waited for, and has not seen it.
//!
//! Others stand before and [behind](in_line) the task that is hit. One of them that is forgotten is a task that is left over.

mod in_line;

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use parking_lot::Mutex;
use tasca::blocking::Limiter;
use tasca::sync::{Condition, Event, Lock, Queue, RwLock, Semaphore};
use tasca::time::{interval, sleep};
use tasca::{
    TaskGroup, TaskRef, as_completed, catch_cancelled, current_task, finally, gather, promise,
    shield, spawn, timeout, wait, wait_for, yield_now,
};
use tasca_tests::{Counter, Kind, guarded, runtime};

/// How the task is hit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Hit {
    /// Its future is dropped.
    Drop,
    /// It is cancelled.
    Cancel,
    /// It is cancelled, and again each time it is suspended after that.
    CancelAgain,
}

/// When the task is hit, once it has been suspended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum When {
    AtOnce,
    /// So many cycles later: it may have been woken, and may have gone on.
    After(u64),
    /// By whoever wakes it, before it can run.
    Woken,
}

/// What the programs share and must leave as it was.
#[derive(Debug)]
struct World {
    lock: Lock<u32>,
    rw_lock: RwLock<u32>,
    semaphore: Semaphore,
    limiter: Limiter,
    condition: Condition,
    event: Event,
    /// One item, for whoever brings it back.
    items: Queue<u32>,
    /// Room for one item, which whoever put it takes out.
    room: Queue<u32>,
    /// An item is in the queue, or with whoever got it.
    queue: Queue<u32>,
    put: Counter,
    got: Counter,
    /// Pieces of clean-up that have to be done, were begun, came to their end, and were hit themselves.
    due: Counter,
    begun: Counter,
    cleaned: Counter,
    cut: Counter,
    held: Counter,
    dropped: Counter,
}

impl World {
    fn new() -> Self {
        let items = Queue::unbounded();
        items.put_nowait(0).expect("it has no bound");
        Self {
            lock: Lock::default(),
            rw_lock: RwLock::default(),
            semaphore: Semaphore::new(2),
            limiter: Limiter::new(1),
            condition: Condition::new(),
            event: Event::new(),
            items,
            room: Queue::bounded(1),
            queue: Queue::bounded(1),
            put: Counter::new(),
            got: Counter::new(),
            due: Counter::new(),
            begun: Counter::new(),
            cleaned: Counter::new(),
            cut: Counter::new(),
            held: Counter::new(),
            dropped: Counter::new(),
        }
    }

    /// Counts what is made, and what is dropped of it.
    fn hold(&self) -> tasca_tests::DropCount {
        self.held.add();
        self.dropped.on_drop()
    }

    /// Everything can be had again, and everything that was begun had its end.
    async fn is_as_it_was(&self, hit: Hit) {
        // What was cancelled may still be on its way.
        sleep(Duration::from_secs(10)).await;
        assert_eq!(tasca::all_tasks().len(), 1, "{:?}", tasca::all_tasks());
        assert_eq!(self.lock.try_lock().as_deref(), Some(&0));
        drop(self.rw_lock.try_write().expect("free"));
        assert_eq!(self.semaphore.available_permits(), 2);
        assert_eq!((self.limiter.available(), self.limiter.waiting()), (1, 0));
        assert_eq!((self.items.len(), self.room.len()), (1, 0), "items");
        assert_eq!(self.put.get(), self.got.get() + self.queue.len(), "items");
        assert_eq!(self.held.get(), self.dropped.get(), "dropped once each");
        let (due, begun, cleaned) = (self.due.get(), self.begun.get(), self.cleaned.get());
        match hit {
            // A future that is dropped runs no more.
            Hit::Drop => assert!(cleaned <= begun && begun <= due, "{cleaned} {begun} {due}"),
            Hit::Cancel => assert_eq!((begun, cleaned + self.cut.get()), (due, due)),
            // What is begun is hit again, and cut short.
            Hit::CancelAgain => assert_eq!(begun, due, "clean-ups"),
        }
    }
}

/// Runs `program` until it is hit no more; gives how many points it has. `seed` decides the order of everything else.
fn hit_at_every_point<F>(
    what: &str,
    seed: u64,
    hit: Hit,
    when: When,
    program: impl Fn(Arc<World>) -> F + Clone + Send + 'static,
) -> usize
where
    F: Future<Output = ()> + Send + 'static,
{
    guarded(&format!("{what}: {hit:?} {when:?}, {seed}"), move || {
        let mut n_points = 0;
        while !hit_at(seed, hit, when, n_points, program.clone()) {
            n_points += 1;
            assert!(n_points < 10_000, "a program that does not end");
        }
        n_points
    })
}

/// Runs `program`, hit when it is suspended after so many times; whether it came to its end before that.
fn hit_at<F>(
    seed: u64,
    hit: Hit,
    when: When,
    n_spared: usize,
    program: impl Fn(Arc<World>) -> F + Send + 'static,
) -> bool
where
    F: Future<Output = ()> + Send + 'static,
{
    let (runtime, problems) = runtime(Kind::Deterministic(seed));
    let ended_well = runtime.block_on(async move {
        let world = Arc::new(World::new());
        let body = program(Arc::clone(&world));
        let task = spawn(suspended(body, Arc::clone(&world), n_spared, hit, when));
        let outcome = task.outcome().await;
        if let Err(error) = &outcome {
            assert!(error.is_cancelled(), "{error}");
        }
        world.is_as_it_was(hit).await;
        outcome.is_ok_and(|hit| !hit)
    });
    drop(runtime);
    problems.expect_none();
    ended_well
}

/// Polls `body`; once it has been suspended as often as it is spared and once more, it is hit. Whether it was.
async fn suspended(
    body: impl Future<Output = ()>,
    world: Arc<World>,
    n_spared: usize,
    hit: Hit,
    when: When,
) -> bool {
    let (mut n_suspended, mut body, mut armed) = (0, pin!(body), None);
    let victim = Arc::new(Victim {
        task: current_task().expect("it is one"),
        world,
        hit,
        was_hit: AtomicBool::new(false),
    });
    poll_fn(move |cx| {
        if let Some(victim) = armed
            .take()
            .and_then(|bell: Arc<Bell>| bell.hits.lock().take())
        {
            // It was woken by another way than by its waker: as a task.
            victim.hit();
        }
        if hit == Hit::Drop && victim.was_hit() {
            return Poll::Ready(true);
        }
        let bell = Arc::new(Bell {
            inner: cx.waker().clone(),
            rung: AtomicBool::new(false),
            hits: Mutex::new(None),
        });
        let polled = match when {
            When::Woken => {
                let waker = Waker::from(Arc::clone(&bell));
                body.as_mut().poll(&mut Context::from_waker(&waker))
            }
            When::AtOnce | When::After(_) => body.as_mut().poll(cx),
        };
        if polled.is_ready() {
            return Poll::Ready(victim.was_hit());
        }
        n_suspended += 1;
        if hit == Hit::CancelAgain && victim.was_hit() {
            victim.hit();
        } else if n_suspended == n_spared + 1 {
            match when {
                When::AtOnce => victim.hit(),
                When::After(n_cycles) => {
                    let (victim, waker) = (Arc::clone(&victim), cx.waker().clone());
                    drop(spawn(async move {
                        for _ in 0..n_cycles {
                            yield_now().await;
                        }
                        victim.hit();
                        if hit == Hit::Drop {
                            waker.wake();
                        }
                    }));
                }
                When::Woken => {
                    bell.arm(Arc::clone(&victim));
                    armed = Some(bell);
                }
            }
        }
        if hit == Hit::Drop && victim.was_hit() {
            return Poll::Ready(true);
        }
        Poll::Pending
    })
    .await
}

/// The task that is hit.
#[derive(Debug)]
struct Victim {
    task: TaskRef,
    world: Arc<World>,
    hit: Hit,
    was_hit: AtomicBool,
}

impl Victim {
    fn was_hit(&self) -> bool {
        // Ordering: Relaxed, here and below; there is one thread.
        self.was_hit.load(Ordering::Relaxed)
    }

    /// Hits it, unless it is done. One that is to be dropped has to be woken for that.
    fn hit(&self) {
        if self.task.is_finished() {
            return;
        }
        self.was_hit.store(true, Ordering::Relaxed);
        if self.world.begun.get() > self.world.cleaned.get() {
            self.world.cut.add();
        }
        match self.hit {
            Hit::Drop => {}
            Hit::Cancel | Hit::CancelAgain => {
                self.task.cancel();
            }
        }
    }
}

/// What the task gives to whom it waits for: who rings it may hit the task.
struct Bell {
    inner: Waker,
    rung: AtomicBool,
    hits: Mutex<Option<Arc<Victim>>>,
}

impl Bell {
    /// Hits the task when the bell is rung, which may have been while it was polled.
    fn arm(&self, victim: Arc<Victim>) {
        if self.rung.load(Ordering::Relaxed) {
            victim.hit();
        } else {
            *self.hits.lock() = Some(victim);
        }
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.inner.wake_by_ref();
        self.rung.store(true, Ordering::Relaxed);
        let victim = self.hits.lock().take();
        if let Some(victim) = victim {
            victim.hit();
        }
    }
}

/// Checks `program` in every way; `n_points_min` keeps it from having lost its points.
#[track_caller]
fn check<F>(
    what: &str,
    n_points_min: usize,
    program: impl Fn(Arc<World>) -> F + Clone + Send + 'static,
) where
    F: Future<Output = ()> + Send + 'static,
{
    const WHENS: [When; 4] = [When::AtOnce, When::After(1), When::After(2), When::Woken];
    for seed in 0..32 {
        let when = WHENS[seed as usize % WHENS.len()];
        for hit in [Hit::Drop, Hit::Cancel, Hit::CancelAgain] {
            let n_points = hit_at_every_point(what, seed, hit, when, program.clone());
            // What is hit later may have come to its end before.
            assert!(
                n_points >= n_points_min || matches!(when, When::After(_)),
                "{what}: {n_points} points with {hit:?} and seed {seed}"
            );
        }
    }
}

#[test]
fn in_joins_promises_and_timers() {
    check("joins", 6, |world| async move {
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
        // Others wait for the same, before and behind; they are told whatever becomes of this one.
        let watch = || {
            let child = child.task_ref();
            spawn(async move { child.finished().await })
        };
        let before = watch();
        assert_eq!(promised.await, 3);
        let behind = watch();
        (&child).await;
        child.finished().await;
        child.await;
        before.await;
        behind.await;
        let mut ticks = interval(Duration::from_millis(1));
        for _ in 0..3 {
            ticks.tick().await;
        }
        spawn(spawn(spawn(yield_now()))).await;
    });
}

#[test]
fn in_combinators() {
    check("combinators", 6, |world| async move {
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
    async fn clean_up(world: Arc<World>) {
        world.begun.add();
        yield_now().await;
        sleep(Duration::from_millis(1)).await;
        world.cleaned.add();
    }
    check("clean-up", 10, |world| async move {
        for _ in 0..2 {
            world.due.add();
            let body = async {
                yield_now().await;
                world.due.add();
                finally(
                    sleep(Duration::from_millis(1)),
                    clean_up(Arc::clone(&world)),
                )
                .await;
            };
            finally(body, clean_up(Arc::clone(&world))).await;
            world.due.add();
            let ended = catch_cancelled(sleep(Duration::from_millis(1))).await;
            clean_up(Arc::clone(&world)).await;
            if let Err(cancelled) = ended {
                cancelled.reraise::<()>().await;
            }
        }
    });
}
