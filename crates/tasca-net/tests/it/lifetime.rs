//! Sockets that change hands, and sockets that outlive their runtime.

use std::io::{Read as _, Write as _};

use futures::{AsyncReadExt, AsyncWriteExt};
use tasca_core::io::Async;
use tasca_core::{Runtime, spawn, yield_now};
use tasca_net::{TcpListener, TcpStream, UdpSocket};

use crate::guard::guarded;
use crate::on_each_runtime;

#[test]
fn a_socket_goes_to_std_and_comes_back() {
    on_each_runtime(|| async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap())
            .await
            .unwrap();
        let (mut server, _) = listener.accept().await.unwrap();
        let mut client = Some(client);
        for _ in 0..3 {
            // Waits, and so is registered, each time.
            let mut stream = client.take().unwrap();
            let reading = spawn(async move {
                let mut byte = [0];
                stream.read_exact(&mut byte).await.unwrap();
                (stream, byte)
            });
            yield_now().await;
            server.write_all(b"x").await.unwrap();
            let (stream, byte) = reading.await;
            assert_eq!(&byte, b"x");
            let mut stream = stream.into_std().unwrap();
            stream.write_all(b"y").unwrap();
            server.read_exact(&mut [0]).await.unwrap();
            client = Some(TcpStream::from_std(stream).unwrap());
        }
    });
}

#[test]
fn a_socket_that_outlives_its_runtime_gives_errors() {
    guarded("a socket that outlives its runtime gives errors", || {
        let first = Runtime::builder().worker_threads(1).build().unwrap();
        let socket = first.block_on(async {
            let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
            // The wait that registers the socket.
            let waiting = futures::poll!(Box::pin(socket.recv(&mut [0; 8])));
            assert!(waiting.is_pending());
            socket
        });
        drop(first);
        let second = Runtime::builder().worker_threads(1).build().unwrap();
        second.block_on(async {
            let error = socket.recv(&mut [0; 8]).await.unwrap_err();
            assert!(error.to_string().contains("has shut down"), "{error}");
            // A socket that never waited belongs to nobody yet.
            let fresh = UdpSocket::bind("127.0.0.1:0").await.unwrap();
            let own_address = fresh.local_addr().unwrap();
            fresh.send_to(b"x", own_address).await.unwrap();
            assert_eq!(fresh.recv(&mut [0; 8]).await.unwrap(), 1);
        });
    });
}

#[test]
fn a_wait_outside_of_every_runtime_says_what_to_do() {
    let (here, mut there) = std::os::unix::net::UnixStream::pair().unwrap();
    let here = Async::new(here).unwrap();
    let error = futures::executor::block_on(here.readable()).unwrap_err();
    assert!(error.to_string().contains("block_on"), "{error}");
    // What does not have to wait needs no runtime.
    there.write_all(b"x").unwrap();
    let read = here.read_with(|mut stream| stream.read(&mut [0; 8]));
    assert_eq!(futures::executor::block_on(read).unwrap(), 1);
}

#[test]
fn sockets_work_on_two_runtimes_at_once() {
    guarded("sockets work on two runtimes at once", || {
        let rts: Vec<_> = (0..2)
            .map(|_| Runtime::builder().worker_threads(1).build().unwrap())
            .collect();
        let listener = rts[0].block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        let server = rts[0].handle().spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut word = [0; 5];
            stream.read_exact(&mut word).await.unwrap();
            stream.write_all(&word).await.unwrap();
            // Registered here, handed over to the other runtime.
            stream
        });
        rts[1].block_on(async {
            let mut client = TcpStream::connect(address).await.unwrap();
            client.write_all(b"hello").await.unwrap();
            let mut word = [0; 5];
            client.read_exact(&mut word).await.unwrap();
            assert_eq!(&word, b"hello");
            let mut stream = server.outcome().await.unwrap();
            let reading = spawn(async move { stream.read(&mut [0; 8]).await });
            yield_now().await;
            client.write_all(b"again").await.unwrap();
            assert_eq!(reading.await.unwrap(), 5);
        });
    });
}
