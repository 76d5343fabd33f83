//! monoio: io_uring where there is one, else epoll; one thread.

use std::{future::Future, net::SocketAddr, time::Duration};

use monoio::{
    FusionDriver, RuntimeBuilder,
    buf::IoBuf,
    io::{AsyncReadRent, AsyncWriteRentExt},
    net::{TcpListener, TcpStream},
};

use crate::local::Local;

pub(crate) struct Monoio;

impl Local for Monoio {
    type Listener = TcpListener;
    type Stream = TcpStream;

    fn run<F: Future<Output = Duration> + 'static>(main: F) -> Duration {
        RuntimeBuilder::<FusionDriver>::new()
            .build()
            .expect("monoio starts")
            .block_on(main)
    }

    fn spawn<F>(future: F) -> impl Future<Output = F::Output> + 'static
    where
        F: Future<Output: 'static> + 'static,
    {
        monoio::spawn(future)
    }

    fn listen() -> (TcpListener, SocketAddr) {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let addr = listener.local_addr().expect("it is bound");
        (listener, addr)
    }

    async fn accept(listener: &TcpListener) -> TcpStream {
        let (stream, _) = listener.accept().await.expect("a connection");
        stream.set_nodelay(true).expect("a TCP socket");
        stream
    }

    async fn connect(addr: SocketAddr) -> TcpStream {
        let stream = TcpStream::connect(addr).await.expect("the server listens");
        stream.set_nodelay(true).expect("a TCP socket");
        stream
    }

    async fn read(stream: &mut TcpStream, buffer: Vec<u8>) -> (usize, Vec<u8>) {
        let (length, buffer) = stream.read(buffer).await;
        (length.expect("the peer writes"), buffer)
    }

    async fn write_all(stream: &mut TcpStream, buffer: Vec<u8>, length: usize) -> Vec<u8> {
        let (written, slice) = stream.write_all(buffer.slice(..length)).await;
        written.expect("the peer reads");
        slice.into_inner()
    }
}
