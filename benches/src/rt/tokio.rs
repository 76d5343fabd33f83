//! tokio, the multi-threaded scheduler.

use std::{
    future::Future,
    io,
    net::{Ipv4Addr, SocketAddr},
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    runtime::{Builder, Handle},
    task::JoinHandle,
};

use super::{Remote, Rt};

/// tokio; finds its runtime through a thread-local.
#[derive(Clone, Copy, Debug)]
pub struct Tokio;

/// A join handle that passes a panic on, as the other runtimes' handles do.
#[derive(Debug)]
pub struct Join<T>(JoinHandle<T>);

impl<T> Join<T> {
    pub(super) fn new(handle: JoinHandle<T>) -> Self {
        Self(handle)
    }

    pub(super) fn abort(&self) {
        self.0.abort();
    }

    pub(super) async fn was_cancelled(self) -> bool {
        self.0.await.is_err_and(|error| error.is_cancelled())
    }
}

impl<T> Future for Join<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        Pin::new(&mut self.0)
            .poll(cx)
            .map(|result| result.expect("a task panicked"))
    }
}

impl Rt for Tokio {
    const NAME: &'static str = "tokio";

    type Join<T: Send + 'static> = Join<T>;
    type Remote = Handle;
    type Listener = TcpListener;
    type Stream = TcpStream;

    fn run<T, F, Fut>(workers: usize, main: F) -> T
    where
        T: Send + 'static,
        F: FnOnce(Self) -> Fut,
        Fut: Future<Output = T> + Send + 'static,
    {
        let runtime = Builder::new_multi_thread()
            .worker_threads(workers)
            .enable_all()
            .build()
            .expect("tokio starts");
        let task = runtime.spawn(main(Self));
        runtime.block_on(task).expect("the workload panicked")
    }

    fn spawn<F>(self, future: F) -> Self::Join<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        Join(tokio::spawn(future))
    }

    fn detach<T: Send + 'static>(join: Self::Join<T>) {
        drop(join);
    }

    fn remote(self) -> Handle {
        Handle::current()
    }

    fn yield_now(self) -> impl Future<Output = ()> + Send {
        tokio::task::yield_now()
    }

    fn sleep(self, delay: Duration) -> impl Future<Output = ()> + Send {
        tokio::time::sleep(delay)
    }

    async fn timeout<F: Future + Send>(self, timeout: Duration, future: F) -> Option<F::Output>
    where
        F::Output: Send,
    {
        tokio::time::timeout(timeout, future).await.ok()
    }

    async fn listen(self) -> io::Result<(TcpListener, SocketAddr)> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let addr = listener.local_addr()?;
        Ok((listener, addr))
    }

    async fn accept(listener: &mut TcpListener) -> io::Result<TcpStream> {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        Ok(stream)
    }

    async fn connect(self, addr: SocketAddr) -> io::Result<TcpStream> {
        let stream = TcpStream::connect(addr).await?;
        stream.set_nodelay(true)?;
        Ok(stream)
    }

    async fn read(stream: &mut TcpStream, buffer: &mut [u8]) -> io::Result<usize> {
        stream.read(buffer).await
    }

    async fn write_all(stream: &mut TcpStream, bytes: &[u8]) -> io::Result<()> {
        stream.write_all(bytes).await
    }
}

impl Remote for Handle {
    fn spawn<F>(&self, future: F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        drop(Handle::spawn(self, future));
    }
}
