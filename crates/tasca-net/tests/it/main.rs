//! Sockets on real runtimes: what they promise, and how they fail.
#![cfg(unix)]

mod cancel;
#[expect(unreachable_pub, reason = "public where it belongs to")]
#[path = "../../../../tests/src/guard.rs"]
mod guard;
mod lifetime;
mod sources;
mod tcp;
mod udp;
mod unix;

use std::os::fd::AsFd;

use rustix::fs::OFlags;
use rustix::io::FdFlags;
use tasca_core::Runtime;

use guard::guarded;

/// No worker waits in the kernel for this source, and no child process inherits it.
fn assert_is_ours(source: impl AsFd) {
    let flags = rustix::fs::fcntl_getfl(&source).unwrap();
    assert!(flags.contains(OFlags::NONBLOCK));
    let flags = rustix::io::fcntl_getfd(&source).unwrap();
    assert!(flags.contains(FdFlags::CLOEXEC));
}

/// Runs a test on a runtime of one thread, and on one of two workers.
fn on_each_runtime<F: Future<Output = ()> + Send + 'static>(test: impl Fn() -> F) {
    let builder = Runtime::builder;
    for builder in [builder().current_thread(), builder().worker_threads(2)] {
        let (what, test) = (format!("{builder:?}"), test());
        guarded(&what, move || builder.build().unwrap().block_on(test));
    }
}
