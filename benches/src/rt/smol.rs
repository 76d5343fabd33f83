//! smol: async-executor and async-io, put together as the crate `smol` puts them together.
//!
//! There, a static executor is run by threads that sit in `async_io::block_on`, so that a thread without
//! work drives the reactor. Here it is the same, with one static executor for each number of workers, and
//! with threads that stop at the end of a measurement.

use std::{
    future::Future,
    io,
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    thread,
    time::Duration,
};

use async_executor::{Executor, Task};
use async_io::{Async, Timer};
use futures_lite::{AsyncReadExt, AsyncWriteExt, future};

use super::{Remote, Rt};

/// More workers than this are not measured.
const WORKERS_MAX: usize = 16;

static EXECUTORS: [Executor<'static>; WORKERS_MAX] = [const { Executor::new() }; WORKERS_MAX];

/// smol; carries a reference to its executor.
#[derive(Clone, Copy, Debug)]
pub struct Smol(&'static Executor<'static>);

impl Rt for Smol {
    const NAME: &'static str = "smol";

    type Join<T: Send + 'static> = Task<T>;
    type Remote = Self;
    type Listener = Async<TcpListener>;
    type Stream = Async<TcpStream>;

    fn run<T, F, Fut>(workers: usize, main: F) -> T
    where
        T: Send + 'static,
        F: FnOnce(Self) -> Fut,
        Fut: Future<Output = T> + Send + 'static,
    {
        let executor = &EXECUTORS[workers - 1];
        let (stop, stopped) = async_channel::bounded::<()>(1);
        let threads: Vec<_> = (0..workers)
            .map(|index| {
                let stopped = stopped.clone();
                thread::Builder::new()
                    .name(format!("smol-{index}"))
                    .spawn(move || {
                        let end = async_io::block_on(executor.run(stopped.recv()));
                        end.expect_err("nothing is sent");
                    })
                    .expect("a thread starts")
            })
            .collect();
        let output = future::block_on(executor.spawn(main(Self(executor))));
        drop(stop);
        for thread in threads {
            thread.join().expect("a worker panicked");
        }
        output
    }

    fn spawn<F>(self, future: F) -> Task<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        self.0.spawn(future)
    }

    fn detach<T: Send + 'static>(join: Task<T>) {
        join.detach();
    }

    fn remote(self) -> Self {
        self
    }

    fn yield_now(self) -> impl Future<Output = ()> + Send {
        future::yield_now()
    }

    async fn sleep(self, delay: Duration) {
        Timer::after(delay).await;
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
            Timer::after(timeout).await;
            None
        })
    }

    async fn listen(self) -> io::Result<(Self::Listener, SocketAddr)> {
        let listener = Async::<TcpListener>::bind((Ipv4Addr::LOCALHOST, 0))?;
        let addr = listener.get_ref().local_addr()?;
        Ok((listener, addr))
    }

    async fn accept(listener: &mut Self::Listener) -> io::Result<Self::Stream> {
        let (stream, _) = listener.accept().await?;
        stream.get_ref().set_nodelay(true)?;
        Ok(stream)
    }

    async fn connect(self, addr: SocketAddr) -> io::Result<Self::Stream> {
        let stream = Async::<TcpStream>::connect(addr).await?;
        stream.get_ref().set_nodelay(true)?;
        Ok(stream)
    }

    async fn read(stream: &mut Self::Stream, buffer: &mut [u8]) -> io::Result<usize> {
        AsyncReadExt::read(stream, buffer).await
    }

    async fn write_all(stream: &mut Self::Stream, bytes: &[u8]) -> io::Result<()> {
        AsyncWriteExt::write_all(stream, bytes).await
    }
}

impl Remote for Smol {
    fn spawn<F>(&self, future: F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.0.spawn(future).detach();
    }
}
