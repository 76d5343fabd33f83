//! Jobs without a pool, as an executor sees them. Nothing here needs a runtime, so that Miri can look at all of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tasca_blocking::{Job, JobBuilder, is_cancelled};
use tasca_core::{Context, ContextVar, ResultError, Task};

/// What a task has come to.
fn result<T: Clone>(task: &Task<T>) -> Option<T> {
    match task.result() {
        Ok(value) => Some(value.clone()),
        Err(ResultError::InvalidState) => panic!("not done: {task:?}"),
        Err(_) => None,
    }
}

/// Counts its drops.
#[derive(Clone, Default)]
struct Drops(Arc<AtomicUsize>);

impl Drops {
    fn count(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }

    fn token(&self) -> Token {
        Token(self.clone())
    }
}

struct Token(Drops);

impl Drop for Token {
    fn drop(&mut self) {
        self.0.0.fetch_add(1, Ordering::SeqCst);
    }
}

#[test]
fn a_job_runs_where_it_is_told_to() {
    let (job, task) = JobBuilder::new()
        .name("by hand")
        .build(|| std::thread::current().id());
    assert_eq!(task.name(), "by hand");
    assert!(!task.is_finished());
    job.run();
    assert_eq!(result(&task), Some(std::thread::current().id()));
    let (job, task) = JobBuilder::new().build(|| 1);
    std::thread::spawn(move || job.run()).join().unwrap();
    assert_eq!(result(&task), Some(1));
}

#[test]
fn closures_of_every_size_and_alignment() {
    #[repr(align(128))]
    struct Aligned(u8);
    let (job, task) = JobBuilder::new().build(|| ());
    job.run();
    assert_eq!(result(&task), Some(()));
    let large = [7_u8; 10_000];
    let (job, task) =
        JobBuilder::new().build(move || large.iter().map(|byte| u32::from(*byte)).sum::<u32>());
    job.run();
    assert_eq!(result(&task), Some(70_000));
    let aligned = Aligned(9);
    let (job, task) = JobBuilder::new().build(move || {
        let aligned = aligned;
        assert!((&raw const aligned).addr().is_multiple_of(128));
        aligned.0
    });
    job.run();
    assert_eq!(result(&task), Some(9));
}

#[test]
fn captures_and_values_are_dropped_once() {
    let (captures, values) = (Drops::default(), Drops::default());
    let (capture, value) = (captures.token(), values.token());
    let (job, task) = JobBuilder::new().build(move || {
        drop(capture);
        value
    });
    job.run();
    assert_eq!((captures.count(), values.count()), (1, 0));
    drop(task);
    assert_eq!((captures.count(), values.count()), (1, 1));
}

#[test]
fn a_cancelled_job_is_a_husk() {
    let drops = Drops::default();
    let capture = drops.token();
    let (job, task) = JobBuilder::new().build(move || drop(capture));
    assert!(!job.is_cancelled());
    assert!(task.cancel_with("why"));
    assert_eq!(drops.count(), 1);
    assert!(job.is_cancelled());
    job.run();
    assert_eq!(drops.count(), 1);
    assert!(task.is_cancelled());
    assert!(!task.cancel());
}

#[test]
fn a_job_that_is_dropped_cancels_its_task() {
    let drops = Drops::default();
    let capture = drops.token();
    let (job, task) = JobBuilder::new().build(move || drop(capture));
    drop(job);
    assert!(task.is_cancelled());
    assert_eq!(drops.count(), 1);
}

#[test]
fn an_executor_can_say_why_it_cannot() {
    let (job, task) = JobBuilder::new().build(|| ());
    job.fail("no");
    assert!(task.is_panicked());
    let (job, task) = JobBuilder::new().build(|| ());
    job.cancel("no");
    assert!(task.is_cancelled());
    let (job, task) = JobBuilder::new().build(|| ());
    task.cancel();
    job.fail("too late");
    assert!(task.is_cancelled());
}

#[test]
fn what_is_attached_goes_when_the_job_starts_or_is_cancelled() {
    let check = |end: fn(Job, &Task<usize>), n_seen: Option<usize>| {
        let drops = Drops::default();
        let seen = drops.clone();
        let (job, task) = JobBuilder::new().build(move || seen.count());
        job.attach(drops.token());
        assert_eq!(drops.count(), 0);
        end(job, &task);
        assert_eq!(drops.count(), 1);
        assert_eq!(result(&task), n_seen);
    };
    check(|job, _| job.run(), Some(1));
    check(|job, _| drop(job), None);
    check(|job, _| job.fail("no"), None);
    check(
        |job, task| {
            task.cancel();
            assert!(job.is_cancelled());
        },
        None,
    );
    // Too late: dropped at once.
    let drops = Drops::default();
    let (job, task) = JobBuilder::new().build(|| ());
    task.cancel();
    job.attach(drops.token());
    assert_eq!(drops.count(), 1);
}

#[test]
fn a_panic_in_what_is_dropped_goes_nowhere() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("dropped");
        }
    }
    let bomb = Bomb;
    let (job, task) = JobBuilder::new().build(move || {
        let _bomb = &bomb;
    });
    // A panic of the clean-up replaces the cancellation.
    task.cancel();
    assert!(task.is_finished());
    drop(job);
    let (job, task) = JobBuilder::new().build(|| ());
    job.attach(Bomb);
    job.run();
    assert_eq!(result(&task), Some(()));
}

#[test]
fn contexts_are_entered_and_left() {
    static NUMBER: ContextVar<u32> = ContextVar::new("number");
    let context = Context::new();
    let get_and_set = || {
        let before = NUMBER.get();
        let _token = NUMBER.set(2);
        before
    };
    let (job, task) = JobBuilder::new()
        .context(context.clone())
        .build(get_and_set);
    job.run();
    assert_eq!(result(&task), Some(None));
    assert_eq!(
        (NUMBER.get(), context.run(|| NUMBER.get())),
        (None, Some(2))
    );
    let (job, task) = context.run(|| JobBuilder::new().inherit_context().build(get_and_set));
    job.run();
    assert_eq!(result(&task), Some(Some(2)));
    let (job, task) = JobBuilder::new().build(get_and_set);
    job.run();
    assert_eq!((result(&task), NUMBER.get()), (Some(None), None));
}

#[test]
fn jobs_may_be_nested() {
    let (inner, inner_task) = JobBuilder::new().build(is_cancelled);
    let (outer, task) = JobBuilder::new().build(move || {
        inner_task.cancel();
        inner.run();
        (is_cancelled(), tasca_core::current_job().is_some())
    });
    outer.run();
    assert_eq!(result(&task), Some((false, true)));
    assert!(tasca_core::current_job().is_none());
}

#[test]
fn a_cancel_from_another_thread_hits_at_any_moment() {
    let n_rounds = if cfg!(miri) { 30 } else { 3000 };
    for _ in 0..n_rounds {
        let drops = Drops::default();
        let capture = drops.token();
        let (job, task) = JobBuilder::new().build(move || {
            std::hint::black_box(&capture);
            [1_u8; 200]
        });
        let shadow = task.task_ref();
        let canceller = std::thread::spawn(move || shadow.cancel());
        job.run();
        let was_cancelled = canceller.join().unwrap();
        assert_eq!(result(&task).is_none(), was_cancelled);
        assert_eq!(drops.count(), 1);
    }
}
