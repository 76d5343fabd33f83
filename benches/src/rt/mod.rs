//! What a workload sees of a runtime.
//!
//! [`Rt`] is a small copyable value that tasks carry along. It is empty where the runtime finds itself
//! through a thread-local, and a reference where it does not. Everything is resolved at compile time, so
//! that a workload costs what the same code written against the runtime itself would cost.
//!
//! [`Rt`] is what every workload needs; what only some need has a module and a trait of its own, with the
//! runtimes side by side. [`Peer`] is all of it.

use std::{future::Future, io, net::SocketAddr, time::Duration};

pub mod blocking;
pub mod cancel;
pub mod groups;
pub mod http;
pub mod smol;
pub mod sync;
pub mod tasca;
pub mod tokio;

/// Everything that a runtime under measurement can do.
pub trait Peer:
    Rt + blocking::Blocking + cancel::Cancel + groups::Groups + http::Http + sync::Sync
{
}

impl<R> Peer for R where
    R: Rt + blocking::Blocking + cancel::Cancel + groups::Groups + http::Http + sync::Sync
{
}

/// Tasks, time and sockets.
pub trait Rt: Copy + Send + Sync + 'static {
    /// The name in tables.
    const NAME: &'static str;

    /// The handle of a spawned task; a panic in the task is a panic of whoever awaits it.
    type Join<T: Send + 'static>: Future<Output = T> + Send + 'static;
    /// What a thread outside of the runtime spawns with.
    type Remote: Remote;
    /// A listening socket.
    type Listener: Send + 'static;
    /// A connected socket, with Nagle's algorithm off.
    type Stream: Send + 'static;

    /// Starts a runtime with `workers` threads, runs `main` in a task on one of them, and stops the
    /// runtime. The calling thread only waits.
    fn run<T, F, Fut>(workers: usize, main: F) -> T
    where
        T: Send + 'static,
        F: FnOnce(Self) -> Fut,
        Fut: Future<Output = T> + Send + 'static;

    /// Spawns a task from a task.
    fn spawn<F>(self, future: F) -> Self::Join<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static;

    /// Lets a task run on without its handle.
    fn detach<T: Send + 'static>(join: Self::Join<T>);

    /// The handle for threads outside; asked for inside a task.
    fn remote(self) -> Self::Remote;

    /// Lets other tasks run first.
    fn yield_now(self) -> impl Future<Output = ()> + Send;

    /// Waits for a while.
    fn sleep(self, delay: Duration) -> impl Future<Output = ()> + Send;

    /// Waits for `future`, or `None` once `timeout` has passed.
    fn timeout<F: Future + Send>(
        self,
        timeout: Duration,
        future: F,
    ) -> impl Future<Output = Option<F::Output>> + Send
    where
        F::Output: Send;

    /// Listens on a free port of the loopback interface.
    fn listen(self) -> impl Future<Output = io::Result<(Self::Listener, SocketAddr)>> + Send;

    /// Takes the next connection.
    fn accept(
        listener: &mut Self::Listener,
    ) -> impl Future<Output = io::Result<Self::Stream>> + Send;

    /// Connects to `addr`.
    fn connect(self, addr: SocketAddr) -> impl Future<Output = io::Result<Self::Stream>> + Send;

    /// Reads what there is, at most a buffer full; zero at the end of the stream.
    fn read(
        stream: &mut Self::Stream,
        buffer: &mut [u8],
    ) -> impl Future<Output = io::Result<usize>> + Send;

    /// Writes all of `bytes`.
    fn write_all(
        stream: &mut Self::Stream,
        bytes: &[u8],
    ) -> impl Future<Output = io::Result<()>> + Send;
}

/// Spawns from threads that are not workers.
pub trait Remote: Send + 'static {
    /// Spawns a task and lets it run without a handle.
    fn spawn<F>(&self, future: F)
    where
        F: Future<Output = ()> + Send + 'static;
}
