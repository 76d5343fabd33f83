//! glommio: io_uring, one thread.

use std::{future::Future, net::SocketAddr, time::Duration};

use futures_lite::{AsyncReadExt, AsyncWriteExt};
use glommio::{
    LocalExecutor,
    net::{TcpListener, TcpStream},
};

use crate::local::Local;

pub(crate) struct Glommio;

impl Local for Glommio {
    type Listener = TcpListener;
    type Stream = TcpStream;

    fn run<F: Future<Output = Duration> + 'static>(main: F) -> Duration {
        LocalExecutor::default().run(main)
    }

    fn spawn<F>(future: F) -> impl Future<Output = F::Output> + 'static
    where
        F: Future<Output: 'static> + 'static,
    {
        glommio::spawn_local(future)
    }

    fn listen() -> (TcpListener, SocketAddr) {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let addr = listener.local_addr().expect("it is bound");
        (listener, addr)
    }

    async fn accept(listener: &TcpListener) -> TcpStream {
        let stream = listener.accept().await.expect("a connection");
        stream.set_nodelay(true).expect("a TCP socket");
        stream
    }

    async fn connect(addr: SocketAddr) -> TcpStream {
        let stream = TcpStream::connect(addr).await.expect("the server listens");
        stream.set_nodelay(true).expect("a TCP socket");
        stream
    }

    async fn read(stream: &mut TcpStream, mut buffer: Vec<u8>) -> (usize, Vec<u8>) {
        let length = stream.read(&mut buffer).await.expect("the peer writes");
        (length, buffer)
    }

    async fn write_all(stream: &mut TcpStream, buffer: Vec<u8>, length: usize) -> Vec<u8> {
        stream
            .write_all(&buffer[..length])
            .await
            .expect("the peer reads");
        buffer
    }
}
