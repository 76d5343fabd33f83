//! tasca itself.

use std::{
    future::Future,
    io,
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

use futures::io::{AsyncReadExt, AsyncWriteExt};
use tasca::{
    Handle, Runtime, Task,
    net::{TcpListener, TcpStream},
};

use super::{Remote, Rt};

/// tasca; finds its runtime through a thread-local.
#[derive(Clone, Copy, Debug)]
pub struct Tasca;

impl Rt for Tasca {
    const NAME: &'static str = "tasca";

    type Join<T: Send + 'static> = Task<T>;
    type Remote = Handle;
    type Listener = TcpListener;
    type Stream = TcpStream;

    fn run<T, F, Fut>(workers: usize, main: F) -> T
    where
        T: Send + 'static,
        F: FnOnce(Self) -> Fut,
        Fut: Future<Output = T> + Send + 'static,
    {
        let runtime = Runtime::builder()
            .multi_thread()
            .worker_threads(workers)
            .build()
            .expect("tasca starts");
        let task = runtime.handle().spawn(main(Self));
        runtime.block_on(task)
    }

    fn spawn<F>(self, future: F) -> Task<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        tasca::spawn(future)
    }

    fn detach<T: Send + 'static>(join: Task<T>) {
        drop(join);
    }

    fn remote(self) -> Handle {
        Handle::current()
    }

    fn yield_now(self) -> impl Future<Output = ()> + Send {
        tasca::yield_now()
    }

    fn sleep(self, delay: Duration) -> impl Future<Output = ()> + Send {
        tasca::time::sleep(delay)
    }

    async fn timeout<F: Future + Send>(self, timeout: Duration, future: F) -> Option<F::Output>
    where
        F::Output: Send,
    {
        tasca::timeout(timeout, future).await.ok()
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
