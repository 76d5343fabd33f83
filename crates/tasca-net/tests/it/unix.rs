//! Unix sockets.

use std::io::ErrorKind;

use futures::future::{join_all, try_join};
use futures::{AsyncReadExt, AsyncWriteExt, StreamExt};
use tasca_core::{spawn, yield_now};
use tasca_net::{UnixDatagram, UnixListener, UnixStream};

use crate::{assert_is_ours, on_each_runtime};

#[test]
fn streams_echo() {
    on_each_runtime(|| async {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("socket");
        let listener = UnixListener::bind(&path).unwrap();
        let server = spawn(async move {
            let mut incoming = listener.incoming().take(20);
            while let Some(stream) = incoming.next().await {
                let stream = stream.unwrap();
                futures::io::copy(&stream, &mut &stream).await.unwrap();
            }
        });
        let clients = (0..20_u8).map(|number| {
            let path = path.clone();
            spawn(async move {
                let mut stream = UnixStream::connect(&path).await.unwrap();
                assert_is_ours(&stream);
                stream.write_all(&[number; 1_000]).await.unwrap();
                stream.close().await.unwrap();
                let mut received = Vec::new();
                stream.read_to_end(&mut received).await.unwrap();
                assert_eq!(received, [number; 1_000]);
            })
        });
        join_all(clients.collect::<Vec<_>>()).await;
        server.await;
        let error = UnixStream::connect(&path).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
        let error = UnixListener::bind(&path).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AddrInUse);
    });
}

#[test]
fn peek_leaves_the_data() {
    on_each_runtime(|| async {
        let (mut here, mut there) = UnixStream::pair().unwrap();
        let mut buffer = [0; 8];
        let (n_bytes, ()) = try_join(there.peek(&mut buffer), here.write_all(b"hello"))
            .await
            .unwrap();
        assert_eq!(n_bytes, 5);
        assert_eq!(there.read(&mut buffer).await.unwrap(), 5);
    });
}

#[test]
fn owned_halves_come_together_again() {
    on_each_runtime(|| async {
        let (here, mut there) = UnixStream::pair().unwrap();
        let (reader, mut writer) = here.into_split();
        writer.write_all(b"x").await.unwrap();
        let mut here = reader.reunite(writer).unwrap();
        here.close().await.unwrap();
        let mut text = String::new();
        there.read_to_string(&mut text).await.unwrap();
        assert_eq!(text, "x");
    });
}

#[test]
fn connecting_waits_for_a_full_queue() {
    const N_CONNECTIONS: usize = 20;
    on_each_runtime(|| async {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("socket");
        let socket =
            socket2::Socket::new(socket2::Domain::UNIX, socket2::Type::STREAM, None).unwrap();
        socket
            .bind(&socket2::SockAddr::unix(&path).unwrap())
            .unwrap();
        socket.listen(1).unwrap();
        let listener = UnixListener::from_std(socket.into()).unwrap();
        let clients: Vec<_> = (0..N_CONNECTIONS)
            .map(|_| {
                let path = path.clone();
                spawn(async move { UnixStream::connect(&path).await.unwrap() })
            })
            .collect();
        let mut accepted = Vec::new();
        for _ in 0..N_CONNECTIONS {
            accepted.push(listener.accept().await.unwrap());
        }
        assert_eq!(join_all(clients).await.len(), N_CONNECTIONS);
    });
}

#[test]
fn a_sender_of_datagrams_waits_for_the_receiver() {
    const N_DATAGRAMS: usize = 2_000;
    on_each_runtime(|| async {
        let (here, there) = UnixDatagram::pair().unwrap();
        let sending = spawn(async move {
            for _ in 0..N_DATAGRAMS {
                here.send(&[7; 100]).await.unwrap();
            }
        });
        yield_now().await;
        for _ in 0..N_DATAGRAMS {
            assert_eq!(there.recv(&mut [0; 200]).await.unwrap(), 100);
        }
        sending.await;
    });
}

#[test]
fn a_sender_without_a_fixed_peer_waits_too() {
    const N_DATAGRAMS: usize = 200;
    on_each_runtime(|| async {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("socket");
        let there = UnixDatagram::bind(&path).unwrap();
        let fixed = UnixDatagram::unbound().unwrap();
        fixed.connect(&path).unwrap();
        let sending = spawn(async move {
            let here = UnixDatagram::unbound().unwrap();
            for _ in 0..N_DATAGRAMS {
                here.send_to(b"x", &path).await.unwrap();
            }
        });
        let sending_fixed = spawn(async move {
            for _ in 0..N_DATAGRAMS {
                fixed.send(b"x").await.unwrap();
            }
        });
        yield_now().await;
        for _ in 0..2 * N_DATAGRAMS {
            let (n_bytes, sender) = there.recv_from(&mut [0; 8]).await.unwrap();
            assert!(n_bytes == 1 && sender.is_unnamed());
        }
        sending.await;
        sending_fixed.await;
    });
}
