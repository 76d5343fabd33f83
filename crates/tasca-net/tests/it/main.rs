//! Sockets on real runtimes: what they promise, and how they fail.
#![cfg(unix)]

mod cancel;
mod lifetime;
mod sources;
mod tcp;
mod udp;
mod unix;

use std::pin::pin;
use std::time::Duration;

use futures::future::{Either, select};
use tasca_core::Runtime;
use tasca_core::time::sleep;

/// Long enough for any machine; reached only where something hangs.
const HANG: Duration = Duration::from_secs(60);

/// Runs a test on a runtime of one thread, and on one of two workers.
fn on_each_runtime<F: Future<Output = ()> + Send + 'static>(test: impl Fn() -> F) {
    let current_thread = Runtime::builder().current_thread().build().unwrap();
    run(&current_thread, test());
    drop(current_thread);
    let multi_thread = Runtime::builder()
        .multi_thread()
        .worker_threads(2)
        .build()
        .unwrap();
    run(&multi_thread, test());
}

/// Runs `test`, and fails where it hangs.
fn run<F: Future>(rt: &Runtime, test: F) -> F::Output {
    rt.block_on(async {
        match select(pin!(test), pin!(sleep(HANG))).await {
            Either::Left((output, _)) => output,
            Either::Right(_) => panic!("the test hangs"),
        }
    })
}
