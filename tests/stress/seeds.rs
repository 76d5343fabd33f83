//! Whole programs in an order drawn from thousands of seeds, on the deterministic runtime: what must hold at the end, whatever
//! the order. Each run is over in a millisecond, and its seed gives it again: set `TASCA_STRESS_SEED`.
//!
//! The same programs run on up to 16 workers that steal from each other. Then the seed gives the program, and not the order.
//!
//! A wake-up that is lost shows as a run that hangs, since nothing but wake-ups makes it go on.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use parking_lot::Mutex;
use tasca::sync::{Barrier, Condition, Event, Lock, Queue, RwLock, Semaphore};
use tasca::time::sleep;
use tasca::{
    Runtime, Task, TaskGroup, TaskRef, Trouble, as_completed, catch_cancelled, finally, gather,
    promise, shield, spawn, timeout, wait, wait_for, yield_now,
};
use tasca_tests::{Counter, Kind, Random, guarded, runtime};

use crate::{ROUNDS, Said, from_env};

/// Seeds that each program runs with.
const N_SEEDS: u64 = if cfg!(debug_assertions) { 500 } else { 5_000 };

/// How a run ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ending {
    /// When every task has come to its end.
    Whole,
    /// When main is done: what is left is cancelled, and waited for.
    Closed,
    /// When main is done: the runtime drops what is left.
    CutOff,
}

/// Runs `program` for many seeds. The program's own draws and the runtime's order follow from the same seed.
fn for_each_seed<F>(name: &'static str, ending: Ending, program: fn(Random, Arc<World>) -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    let (first, n_seeds) = match from_env("TASCA_STRESS_SEED") {
        Some(seed) => (seed, 1),
        None => (Random::fresh_seed() >> 1, N_SEEDS),
    };
    for seed in first..first + n_seeds {
        // Whether it panics or hangs, this is said.
        guarded(&format!("{name}: TASCA_STRESS_SEED={seed}"), move || {
            run(Kind::Deterministic(seed), seed, ending, program);
        });
    }
}

/// Runs `program` for some seeds on threads, with more workers than cores and with few.
fn on_threads<F>(name: &'static str, ending: Ending, program: fn(Random, Arc<World>) -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    let rounds = from_env("TASCA_STRESS_ROUNDS").unwrap_or(ROUNDS);
    // Each is over within milliseconds.
    for round in 0..rounds * 50 {
        let kind = match round % 4 {
            0 => Kind::MultiThread(16),
            1 => Kind::MultiThread(2),
            2 => Kind::MultiThread(6),
            _ => Kind::CurrentThread,
        };
        let seed = from_env("TASCA_STRESS_SEED").unwrap_or_else(Random::fresh_seed);
        let said = Said(format!("{name}: TASCA_STRESS_SEED={seed} on {kind:?}"));
        guarded(&said.0.clone(), move || run(kind, seed, ending, program));
        drop(said);
    }
}

fn run<F>(kind: Kind, seed: u64, ending: Ending, program: fn(Random, Arc<World>) -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    let (runtime, problems) = runtime(kind);
    let world = Arc::new(World::new());
    let main = runtime
        .handle()
        .spawn(program(Random::new(seed), Arc::clone(&world)));
    runtime.block_on(main);
    match ending {
        Ending::Whole => world.check_ends(&runtime),
        Ending::Closed => {
            // One that spawns more while it is cancelled leaves those to the next round.
            while !runtime.cancel_tasks().is_empty() || world.is_busy() {}
            world.check_cleanups(&runtime);
        }
        Ending::CutOff => {}
    }
    drop(runtime);
    world.check_conservation();
    let mut reports = problems.take();
    if ending == Ending::Closed {
        // Nobody is left to be told that a task of a group fails.
        reports.retain(|report| report.trouble != Trouble::TaskFailed);
    }
    assert!(reports.is_empty(), "{reports:?}");
}

const N_PERMITS: usize = 2;

/// What the tasks of a program share, and what is counted of them.
struct World {
    lock: Lock<()>,
    rw_lock: RwLock<()>,
    permits: Semaphore,
    condition: Condition,
    event: Event,
    barrier: Barrier,
    queue: Queue<u64>,
    /// Every task of the program, for whoever cancels any of them.
    tasks: Mutex<Vec<TaskRef>>,
    begun: Counter,
    ended: Counter,
    callbacks: Counter,
    cleanups_due: Counter,
    cleanups: Counter,
    put: Counter,
    got: Counter,
    inside: Counter,
    left: Counter,
}

impl World {
    fn new() -> Self {
        Self {
            lock: Lock::new(()),
            rw_lock: RwLock::new(()),
            permits: Semaphore::new(N_PERMITS),
            condition: Condition::new(),
            event: Event::new(),
            barrier: Barrier::new(2),
            queue: Queue::bounded(2),
            tasks: Mutex::default(),
            begun: Counter::new(),
            ended: Counter::new(),
            callbacks: Counter::new(),
            cleanups_due: Counter::new(),
            cleanups: Counter::new(),
            put: Counter::new(),
            got: Counter::new(),
            inside: Counter::new(),
            left: Counter::new(),
        }
    }

    fn is_busy(&self) -> bool {
        // In this order: what begins between the two looks counts as busy.
        let n_ended = self.ended.get();
        n_ended != self.begun.get()
    }

    /// Spawns a task that is counted, and watched for polls that must not be.
    fn spawn<T: Send + 'static>(
        self: &Arc<Self>,
        body: impl Future<Output = T> + Send + 'static,
    ) -> Task<T> {
        self.begun.add();
        let task = spawn(Watched {
            body: Some(body.boxed()),
            _ended: self.ended.on_drop(),
        });
        let callbacks = self.callbacks.clone();
        task.add_done_callback(move |_| callbacks.add());
        self.tasks.lock().push(task.task_ref());
        task
    }

    /// Cancels any task, at any moment, as long as main runs.
    async fn cancel_any(self: Arc<Self>, mut random: Random) {
        while !self.event.is_set() {
            sleep(Duration::from_micros(random.below(80))).await;
            let target = {
                let tasks = self.tasks.lock();
                let index = random.below(tasks.len() as u64) as usize;
                tasks.get(index).cloned()
            };
            let Some(target) = target else { continue };
            target.cancel_with("by anybody");
            // A request that is taken back at once may reach it or not.
            if random.one_in(5) {
                target.uncancel();
            }
        }
    }

    /// Lets what is left come to its own end.
    fn check_ends(&self, runtime: &Runtime) {
        runtime.block_on(async {
            self.queue.shutdown_now();
            while self.is_busy() {
                sleep(Duration::from_millis(1)).await;
            }
        });
        self.check_cleanups(runtime);
    }

    /// What is due when tasks end by themselves.
    fn check_cleanups(&self, runtime: &Runtime) {
        // Callbacks come after the ends of their tasks, and a worker may be held up before it calls them.
        runtime.block_on(async {
            for _ in 0..10_000 {
                if self.begun.get() <= self.callbacks.get() {
                    break;
                }
                sleep(Duration::from_millis(1)).await;
            }
        });
        assert_eq!(self.cleanups_due.get(), self.cleanups.get(), "clean-ups");
        assert_eq!(self.begun.get(), self.callbacks.get(), "callbacks");
    }

    fn check_conservation(&self) {
        assert_eq!(self.begun.get(), self.ended.get(), "tasks");
        assert!(!self.lock.is_locked(), "the lock is free");
        assert!(self.rw_lock.try_write().is_some(), "and so is the other");
        assert_eq!(self.barrier.n_waiting(), 0, "nobody is at the barrier");
        assert_eq!(self.inside.get(), self.left.get(), "who came in went out");
        assert_eq!(self.permits.available_permits(), N_PERMITS);
        assert!(self.got.get() <= self.put.get(), "an item was doubled");
    }
}

/// A future that is polled by one at a time, and never after its end.
struct Watched<T> {
    body: Option<BoxFuture<'static, T>>,
    _ended: tasca_tests::DropCount,
}

impl<T> Future for Watched<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        // Taken out while it runs: a second poll finds none.
        let mut body = self
            .body
            .take()
            .expect("polled twice at once, or after its end");
        let polled = body.poll_unpin(cx);
        if polled.is_pending() {
            self.body = Some(body);
        }
        polled
    }
}

/// Some work of a random kind, with more tasks below it.
fn work(mut random: Random, world: Arc<World>, depth: u32) -> BoxFuture<'static, ()> {
    async move {
        for _ in 0..1 + random.below(3) {
            step(&mut random, &world, depth).await;
        }
    }
    .boxed()
}

async fn step(random: &mut Random, world: &Arc<World>, depth: u32) {
    if depth == 0 {
        return leaf(random, world).await;
    }
    let (kind, patience) = (random.below(11), Duration::from_micros(random.below(900)));
    let mut child = || work(random.split(), Arc::clone(world), depth - 1);
    match kind {
        0 => world.spawn(child()).await,
        1 => {
            let children: Vec<_> = (0..3).map(|_| world.spawn(child())).collect();
            let _all = gather(children).await;
        }
        2 => {
            let (first, second) = (child(), child());
            let group = TaskGroup::<()>::scope(async |group| {
                drop(group.spawn(first));
                drop(group.spawn(second));
                yield_now().await;
            });
            group.await.expect("no task of it fails");
        }
        3 => {
            let children = [world.spawn(child()), world.spawn(child())];
            let (_done, left) = wait(children).first_completed().await;
            for task in left {
                task.cancel();
            }
        }
        4 => drop(timeout(patience, child()).await),
        5 => {
            let task = world.spawn(child());
            yield_now().await;
            task.cancel();
            drop(task.outcome().await);
        }
        6 => {
            let task = world.spawn(child());
            let shielded = timeout(patience, shield(task));
            let _in_time = shielded.await;
        }
        7 => {
            let (first, second) = (child(), child());
            let group = TaskGroup::<&str>::try_scope(async |group| {
                let failing = group.try_spawn(async move {
                    first.await;
                    Err::<(), _>("on purpose")
                });
                drop((failing, group.spawn(second)));
                sleep(patience).await;
                Ok(())
            });
            // That task may have been cancelled before it could fail.
            if let Err(errors) = group.await {
                assert_eq!(errors.len(), 1);
            }
        }
        8 => {
            let children = [world.spawn(child()), world.spawn(child())];
            let in_order = as_completed(children.iter());
            while in_order.remaining() > 0 {
                let _in_time = timeout(patience, in_order.next()).await;
                if random.one_in(3) {
                    break;
                }
            }
        }
        9 => drop(wait_for(world.spawn(child()), patience).await),
        _ => {
            world.cleanups_due.add();
            let done = world.cleanups.clone();
            // Even a clean-up that is cancelled itself has begun, once.
            finally(child(), async move {
                done.add();
                yield_now().await;
            })
            .await;
        }
    }
}

async fn leaf(random: &mut Random, world: &Arc<World>) {
    match random.below(11) {
        0 => yield_now().await,
        1 => sleep(Duration::from_micros(random.below(500))).await,
        2 => {
            let _guard = world.lock.lock().await;
            assert_eq!(world.inside.get(), world.left.get(), "alone");
            world.inside.add();
            let _leaves = world.left.on_drop();
            yield_now().await;
        }
        3 => {
            let _permit = world.permits.acquire().await;
            sleep(Duration::from_micros(random.below(100))).await;
        }
        // With room or without: a consumer may never come.
        4 => {
            if world.queue.put_nowait(random.below(9)).is_ok() {
                world.put.add();
            }
        }
        5 => {
            let item = timeout(Duration::from_micros(random.below(200)), world.queue.get()).await;
            if let Ok(Ok(_)) = item {
                world.got.add();
            }
        }
        6 => {
            let _reading = world.rw_lock.read().await;
            yield_now().await;
        }
        7 => drop(world.rw_lock.write().await),
        // Nobody may ever come.
        8 => {
            let mut guard = world.lock.lock().await;
            let notified = world.condition.wait(&mut guard);
            let _in_time = timeout(Duration::from_micros(random.below(200)), notified).await;
            world.condition.notify(&guard, 1);
        }
        9 => {
            let met = world.barrier.wait();
            drop(timeout(Duration::from_micros(random.below(200)), met).await);
        }
        _ => {
            let (keep, task) = promise::<()>();
            let keeper = world.spawn(async move {
                yield_now().await;
                // Its waiter may have been cancelled, and the promise with it.
                let _unless_cancelled = keep.set(());
            });
            drop(catch_cancelled(task).await);
            keeper.finished().await;
        }
    }
}

/// The program cancels some of its tasks.
async fn some_are_cancelled(mut random: Random, world: Arc<World>) {
    let tasks: Vec<_> = (0..1 + random.below(5))
        .map(|_| world.spawn(work(random.split(), Arc::clone(&world), 3)))
        .collect();
    for task in &tasks {
        if random.one_in(3) {
            sleep(Duration::from_micros(random.below(600))).await;
            task.cancel_with("by the program");
        }
    }
    for task in tasks {
        if let Err(error) = task.outcome().await {
            assert!(error.is_cancelled(), "{error}");
        }
    }
}

/// Anybody cancels anybody, and some take it back.
async fn anybody_is_cancelled(mut random: Random, world: Arc<World>) {
    let canceller = spawn(Arc::clone(&world).cancel_any(random.split()));
    let tasks: Vec<_> = (0..1 + random.below(5))
        .map(|_| world.spawn(work(random.split(), Arc::clone(&world), 3)))
        .collect();
    for task in tasks {
        if let Err(error) = task.outcome().await {
            assert!(error.is_cancelled(), "{error}");
        }
    }
    world.event.set();
    canceller.await;
}

/// The program ends before its tasks.
async fn all_are_left(mut random: Random, world: Arc<World>) {
    for _ in 0..1 + random.below(5) {
        drop(world.spawn(work(random.split(), Arc::clone(&world), 3)));
    }
    let patience = Duration::from_micros(random.below(400));
    sleep(patience).await;
}

#[test]
fn programs_of_every_kind_lose_nothing() {
    for_each_seed("programs", Ending::Whole, some_are_cancelled);
}

#[test]
fn programs_in_a_storm_of_cancels_lose_nothing() {
    for_each_seed("cancels", Ending::Whole, anybody_is_cancelled);
}

/// What is left when main is done is cancelled, cleans up, and ends.
#[test]
fn programs_that_are_closed_clean_up() {
    for_each_seed("closed", Ending::Closed, all_are_left);
}

/// The runtime ends in the middle: every task is dropped where it is, once, and what it held is free.
#[test]
fn programs_that_are_cut_off_give_everything_back() {
    for_each_seed("cut off", Ending::CutOff, all_are_left);
}

#[test]
fn programs_of_every_kind_lose_nothing_on_threads() {
    on_threads("programs", Ending::Whole, some_are_cancelled);
}

#[test]
fn programs_in_a_storm_of_cancels_lose_nothing_on_threads() {
    on_threads("cancels", Ending::Whole, anybody_is_cancelled);
}

#[test]
fn programs_that_are_closed_clean_up_on_threads() {
    on_threads("closed", Ending::Closed, all_are_left);
}

#[test]
fn programs_that_are_cut_off_give_everything_back_on_threads() {
    on_threads("cut off", Ending::CutOff, all_are_left);
}
