//! The attribute `#[tasca::test]`, used as its users do.

use std::rc::Rc;
use std::time::Duration;

use tasca::{Handle, current_task, spawn, spawn_local, time::sleep};

#[tasca::test]
async fn the_default_is_one_thread() {
    assert_eq!(Handle::current().n_workers(), 1);
    let value = Rc::new(1);
    let local = spawn_local(async move { *value });
    assert_eq!(local.await, 1);
}

#[tasca::test(flavor = "multi_thread", worker_threads = 3)]
async fn many_threads_on_demand() {
    assert_eq!(Handle::current().n_workers(), 3);
    assert_eq!(spawn(async { 2 }).await, 2);
}

#[tasca::test(flavor = "deterministic", seed = 9)]
async fn an_hour_passes_at_once() {
    let began = Handle::current().time();
    sleep(Duration::from_secs(3600)).await;
    assert_eq!(Handle::current().time() - began, Duration::from_secs(3600));
}

#[tasca::test]
async fn the_body_is_a_task() {
    let me = current_task().expect("a test is a task");
    assert!(tasca::all_tasks().contains(&me));
    assert_eq!(me.name(), "Task-1");
}

#[tasca::test]
async fn a_result_may_be_given() -> Result<(), std::num::ParseIntError> {
    let n: u64 = "5".parse()?;
    sleep(Duration::from_micros(n)).await;
    Ok(())
}

#[tasca::test]
#[should_panic(expected = "boom")]
async fn a_panic_fails_the_test() {
    panic!("boom");
}

#[tasca::test]
#[should_panic(expected = "main was cancelled: enough")]
async fn a_cancellation_fails_the_test() {
    current_task()
        .expect("a test is a task")
        .cancel_with("enough");
    std::future::pending::<()>().await;
}
