//! Queues of jobs: order, cancelled jobs, the end.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use crate::task::handle::Task;
use crate::task::job::{Job, JobBuilder};
use crate::task::job_queue::JobQueue;

/// Jobs whose closures give their numbers, with their tasks.
fn jobs(n: usize) -> (Vec<Job>, Vec<Task<usize>>) {
    (0..n)
        .map(|number| JobBuilder::new().build(move || number))
        .unzip()
}

/// Runs what is in the queue; the order in which the tasks end.
fn run(mut queue: JobQueue, tasks: &[Task<usize>]) -> Vec<usize> {
    let mut order = Vec::new();
    while let Some(job) = queue.pop_front() {
        let left = queue.len();
        let of_job = job.task_ref();
        job.run();
        let task = tasks.iter().find(|task| task.task_ref() == of_job);
        order.push(*task.expect("a job of these").result().expect("has run"));
        assert_eq!(queue.len(), left);
    }
    assert!(queue.is_empty() && queue.pop_front().is_none());
    order
}

#[test]
fn jobs_leave_in_the_order_in_which_they_came() {
    for n in [0, 1, 2, 100] {
        let (jobs, tasks) = jobs(n);
        let mut queue = JobQueue::new();
        for (index, job) in jobs.into_iter().enumerate() {
            assert_eq!(queue.len(), index);
            queue.push_back(job);
        }
        assert_eq!(run(queue, &tasks), Vec::from_iter(0..n));
    }
}

#[test]
fn a_queue_that_was_empty_meanwhile_is_as_good_as_new() {
    let (jobs, tasks) = jobs(3);
    let mut jobs = jobs.into_iter();
    let mut queue = JobQueue::new();
    for _ in 0..2 {
        queue.push_back(jobs.next().expect("three"));
        queue.pop_front().expect("just put there").run();
        assert!(queue.is_empty() && queue.pop_front().is_none());
    }
    queue.push_front(jobs.next().expect("three"));
    assert_eq!(run(queue, &tasks), [2]);
}

#[test]
fn what_is_put_in_front_comes_first() {
    let (jobs, tasks) = jobs(4);
    let [first, second, third, fourth] = <[Job; 4]>::try_from(jobs).expect("four");
    let mut queue = JobQueue::new();
    queue.push_front(second);
    queue.push_back(third);
    queue.push_front(first);
    queue.push_back(fourth);
    assert_eq!(run(queue, &tasks), [0, 1, 2, 3]);
}

#[test]
fn a_cancelled_job_keeps_its_place_until_it_is_taken_out() {
    // By the bits of a number, every choice of some of five.
    for chosen in 0..32_usize {
        let (jobs, tasks) = jobs(5);
        let mut queue = JobQueue::new();
        jobs.into_iter().for_each(|job| queue.push_back(job));
        let (cancelled, live): (Vec<_>, Vec<_>) =
            (0..5).partition(|index| chosen & (1 << index) != 0);
        for &index in &cancelled {
            assert!(tasks[index].cancel());
        }
        assert_eq!(queue.len(), 5);
        let mut husks = queue.take_cancelled();
        assert_eq!((husks.len(), queue.len()), (cancelled.len(), live.len()));
        for index in cancelled {
            let husk = husks.pop_front().expect("as many as were cancelled");
            assert_eq!(husk.task_ref(), tasks[index].task_ref());
            husk.run();
            assert!(tasks[index].is_cancelled());
        }
        assert_eq!(run(queue, &tasks), live);
    }
}

#[test]
fn a_queue_that_is_dropped_cancels_its_jobs_and_drops_the_closures() {
    let n_dropped = Arc::new(AtomicUsize::new(0));
    struct Counts(Arc<AtomicUsize>);
    impl Drop for Counts {
        fn drop(&mut self) {
            self.0.fetch_add(1, Relaxed);
        }
    }
    let mut queue = JobQueue::new();
    let tasks: Vec<Task<()>> = (0..3)
        .map(|_| {
            let counts = Counts(Arc::clone(&n_dropped));
            let (job, task) = JobBuilder::new().build(move || drop(counts));
            queue.push_back(job);
            task
        })
        .collect();
    tasks[1].cancel();
    assert_eq!(n_dropped.load(Relaxed), 1);
    drop(queue);
    assert_eq!(n_dropped.load(Relaxed), 3);
    assert!(tasks.iter().all(|task| task.is_cancelled()));
}
