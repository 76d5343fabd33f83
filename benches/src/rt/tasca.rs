//! tasca itself, with the sockets of the standard library in [`tasca::io::Async`].

use std::{
    future::Future,
    io::{self, Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    time::Duration,
};

use futures_lite::future;
use tasca::{Handle, Runtime, Task, io::Async};

use super::{Remote, Rt};

/// tasca; finds its runtime through a thread-local.
#[derive(Clone, Copy, Debug)]
pub struct Tasca;

impl Rt for Tasca {
    const NAME: &'static str = "tasca";

    type Join<T: Send + 'static> = Task<T>;
    type Remote = Handle;
    type Listener = Async<TcpListener>;
    type Stream = Async<TcpStream>;

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

    fn timeout<F: Future + Send>(
        self,
        timeout: Duration,
        future: F,
    ) -> impl Future<Output = Option<F::Output>> + Send
    where
        F::Output: Send,
    {
        future::or(async { Some(future.await) }, async move {
            tasca::time::sleep(timeout).await;
            None
        })
    }

    async fn listen(self) -> io::Result<(Self::Listener, SocketAddr)> {
        let listener = Async::new(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?)?;
        let addr = listener.get_ref().local_addr()?;
        Ok((listener, addr))
    }

    async fn accept(listener: &mut Self::Listener) -> io::Result<Self::Stream> {
        let (stream, _) = listener.read_with(TcpListener::accept).await?;
        stream.set_nodelay(true)?;
        Async::new(stream)
    }

    async fn connect(self, addr: SocketAddr) -> io::Result<Self::Stream> {
        // On the loopback interface this does not wait, and it is not part of what is measured.
        let stream = TcpStream::connect(addr)?;
        stream.set_nodelay(true)?;
        Async::new(stream)
    }

    async fn read(stream: &mut Self::Stream, buffer: &mut [u8]) -> io::Result<usize> {
        stream.read_with(|mut stream| stream.read(buffer)).await
    }

    async fn write_all(stream: &mut Self::Stream, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let length = stream.write_with(|mut stream| stream.write(bytes)).await?;
            bytes = &bytes[length..];
        }
        Ok(())
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
