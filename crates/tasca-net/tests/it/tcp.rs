//! TCP connections.

use std::io::{self, ErrorKind, IoSlice, IoSliceMut};
use std::net::{Shutdown, SocketAddr};
use std::time::Duration;

use futures::future::{join, join_all, try_join};
use futures::{AsyncReadExt, AsyncWriteExt, StreamExt};
use socket2::{Domain, Socket, Type};
use tasca_core::{Task, spawn};
use tasca_net::{TcpListener, TcpStream};

use crate::{assert_is_ours, on_each_runtime};

async fn listener() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

async fn pair() -> (TcpStream, TcpStream) {
    let (listener, address) = listener().await;
    let (client, server) = try_join(TcpStream::connect(address), listener.accept())
        .await
        .unwrap();
    (client, server.0)
}

/// Sends back what comes, until the end.
fn spawn_echo(stream: TcpStream) -> Task<io::Result<u64>> {
    spawn(async move { futures::io::copy(&stream, &mut &stream).await })
}

#[test]
fn no_end_of_a_connection_blocks_or_is_inherited() {
    on_each_runtime(|| async {
        let (client, server) = pair().await;
        assert_is_ours(&client);
        assert_is_ours(&server);
        assert_is_ours(&listener().await.0);
    });
}

#[test]
fn an_echo_returns_what_was_sent() {
    on_each_runtime(|| async {
        let (mut client, server) = pair().await;
        let echo = spawn_echo(server);
        for n_bytes in [1, 10, 1_000, 100_000] {
            let sent: Vec<u8> = (0..n_bytes).map(|i| (i % 251) as u8).collect();
            let mut received = vec![0; n_bytes];
            let (mut reader, mut writer) = client.split_mut();
            try_join(writer.write_all(&sent), reader.read_exact(&mut received))
                .await
                .unwrap();
            assert!(sent == received);
        }
        client.close().await.unwrap();
        assert_eq!(echo.await.unwrap(), 101_011);
    });
}

#[test]
fn many_connections_at_once() {
    const N_CONNECTIONS: usize = 300;
    on_each_runtime(|| async {
        let (listener, address) = listener().await;
        let server = spawn(async move {
            let mut incoming = listener.incoming().take(N_CONNECTIONS);
            let mut echoes = Vec::new();
            while let Some(stream) = incoming.next().await {
                echoes.push(spawn_echo(stream.unwrap()));
            }
            join_all(echoes).await
        });
        let clients = (0..N_CONNECTIONS).map(|number| {
            spawn(async move {
                let mut stream = TcpStream::connect(address).await.unwrap();
                for round in 0..5 {
                    let sent = format!("{number}/{round}");
                    stream.write_all(sent.as_bytes()).await.unwrap();
                    let mut received = vec![0; sent.len()];
                    stream.read_exact(&mut received).await.unwrap();
                    assert_eq!(sent.as_bytes(), received);
                }
            })
        });
        join_all(clients.collect::<Vec<_>>()).await;
        let n_bytes = server.await;
        assert_eq!(n_bytes.len(), N_CONNECTIONS);
        assert!(n_bytes.iter().all(|n_bytes| n_bytes.as_ref().unwrap() > &0));
    });
}

#[test]
fn each_connection_is_accepted_by_one_of_two_tasks() {
    const N_CONNECTIONS: usize = 100;
    on_each_runtime(|| async {
        let (listener, address) = listener().await;
        let listener = std::sync::Arc::new(listener);
        let acceptors: Vec<_> = (0..2)
            .map(|_| {
                let listener = std::sync::Arc::clone(&listener);
                spawn(async move {
                    let mut peers = Vec::new();
                    loop {
                        let (mut stream, peer) = listener.accept().await.unwrap();
                        let mut word = [0; 4];
                        stream.read_exact(&mut word).await.unwrap();
                        match &word {
                            b"next" => peers.push(peer),
                            _ => return peers,
                        }
                    }
                })
            })
            .collect();
        let mut sent = Vec::new();
        for _ in 0..N_CONNECTIONS {
            let mut stream = TcpStream::connect(address).await.unwrap();
            stream.write_all(b"next").await.unwrap();
            sent.push(stream);
        }
        for _ in &acceptors {
            let mut stream = TcpStream::connect(address).await.unwrap();
            stream.write_all(b"stop").await.unwrap();
            sent.push(stream);
        }
        let accepted = join_all(acceptors).await.concat();
        let mut expected: Vec<_> = sent[..N_CONNECTIONS]
            .iter()
            .map(|stream| stream.local_addr().unwrap())
            .collect();
        let mut accepted: Vec<_> = accepted;
        expected.sort();
        accepted.sort();
        assert_eq!(accepted, expected);
    });
}

#[test]
fn a_half_closed_connection_still_answers() {
    on_each_runtime(|| async {
        let (mut client, mut server) = pair().await;
        client.write_all(b"question").await.unwrap();
        client.close().await.unwrap();
        client.close().await.unwrap();
        let mut text = String::new();
        server.read_to_string(&mut text).await.unwrap();
        server.write_all(b"answer to ").await.unwrap();
        server.write_all(text.as_bytes()).await.unwrap();
        drop(server);
        let mut answer = String::new();
        client.read_to_string(&mut answer).await.unwrap();
        assert_eq!(answer, "answer to question");
    });
}

#[test]
fn the_end_of_the_stream_comes_after_data_that_was_read_short() {
    on_each_runtime(|| async {
        let (mut client, mut server) = pair().await;
        // Until the reader waits, data and end may come as one event or as two.
        for ends_later in [false, true] {
            let reader = spawn(async move {
                let mut buffer = [0; 64];
                let mut sizes = Vec::new();
                loop {
                    let n_bytes = server.read(&mut buffer).await.unwrap();
                    sizes.push(n_bytes);
                    if n_bytes == 0 {
                        return sizes.iter().sum::<usize>();
                    }
                }
            });
            client.write_all(b"x").await.unwrap();
            if ends_later {
                tasca_core::yield_now().await;
            }
            client.close().await.unwrap();
            assert_eq!(reader.await, 1);
            (client, server) = pair().await;
        }
    });
}

#[test]
fn a_reset_in_mid_write_reaches_the_writer() {
    on_each_runtime(|| async {
        let (mut client, server) = pair().await;
        let writer = spawn(async move {
            let block = [0; 1 << 16];
            loop {
                if let Err(error) = client.write(&block).await {
                    return error.kind();
                }
            }
        });
        // Until the writer waits for room: nobody reads, so some of what it wrote is here.
        server.readable().await.unwrap();
        server.set_linger(Some(Duration::ZERO)).unwrap();
        drop(server);
        let kind = writer.await;
        assert!(
            matches!(kind, ErrorKind::ConnectionReset | ErrorKind::BrokenPipe),
            "{kind}"
        );
    });
}

#[test]
fn a_reset_in_mid_read_reaches_the_reader() {
    on_each_runtime(|| async {
        let (mut client, server) = pair().await;
        let reader = spawn(async move { client.read(&mut [0; 16]).await });
        tasca_core::yield_now().await;
        server.set_linger(Some(Duration::ZERO)).unwrap();
        drop(server);
        let error = reader.await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    });
}

#[test]
fn peek_leaves_the_data() {
    on_each_runtime(|| async {
        let (mut client, mut server) = pair().await;
        let mut buffer = [0; 16];
        let peeked = join(server.peek(&mut buffer), client.write_all(b"hello")).await;
        assert_eq!(peeked.0.unwrap(), 5);
        assert_eq!(server.peek(&mut buffer).await.unwrap(), 5);
        assert_eq!(server.read(&mut buffer).await.unwrap(), 5);
        assert_eq!(&buffer[..5], b"hello");
    });
}

#[test]
fn vectored_transfers_keep_the_order() {
    on_each_runtime(|| async {
        let (mut client, mut server) = pair().await;
        let slices = [
            IoSlice::new(b"ab"),
            IoSlice::new(b""),
            IoSlice::new(b"cdef"),
        ];
        assert_eq!(client.write_vectored(&slices).await.unwrap(), 6);
        let (mut one, mut other) = ([0; 1], [0; 8]);
        let mut buffers = [IoSliceMut::new(&mut one), IoSliceMut::new(&mut other)];
        assert_eq!(server.read_vectored(&mut buffers).await.unwrap(), 6);
        assert_eq!((&one, &other[..5]), (b"a", &b"bcdef"[..]));
        // More slices than any system takes at once.
        let many: Vec<_> = (0..5_000).map(|_| IoSlice::new(b"x")).collect();
        let n_bytes = client.write_vectored(&many).await.unwrap();
        let mut received = vec![0; n_bytes];
        server.read_exact(&mut received).await.unwrap();
        assert!(received.iter().all(|&byte| byte == b'x'));
        let mut bytes = vec![[0; 1]; 5_000];
        client.write_all(&[b'y'; 5_000]).await.unwrap();
        let mut n_bytes = 0;
        while n_bytes < 5_000 {
            let mut buffers: Vec<_> = bytes[n_bytes..]
                .iter_mut()
                .map(|byte| IoSliceMut::new(byte))
                .collect();
            n_bytes += server.read_vectored(&mut buffers).await.unwrap();
        }
        assert!(bytes.iter().all(|byte| byte == b"y"));
    });
}

#[test]
fn owned_halves_serve_two_tasks_and_come_together_again() {
    on_each_runtime(|| async {
        let (client, mut server) = pair().await;
        let (mut reader, mut writer) = client.into_split();
        let writing = spawn(async move {
            writer.write_all(b"to the server").await.unwrap();
            writer
        });
        let reading = spawn(async move {
            let mut buffer = [0; 13];
            reader.read_exact(&mut buffer).await.unwrap();
            assert_eq!(&buffer, b"to the client");
            reader
        });
        server.write_all(b"to the client").await.unwrap();
        let (reader, writer) = join(reading, writing).await;
        let (other, _other_peer) = pair().await;
        let (other_reader, other_writer) = other.into_split();
        let error = reader.reunite(other_writer).unwrap_err();
        assert_eq!(error.to_string(), "the halves belong to different streams");
        drop(other_reader);
        let client = writer.reunite(error.reader).unwrap();
        client.shutdown(Shutdown::Write).unwrap();
        let mut text = String::new();
        server.read_to_string(&mut text).await.unwrap();
        assert_eq!(text, "to the server");
    });
}

#[test]
fn dropping_the_writing_half_ends_it_and_forgetting_does_not() {
    on_each_runtime(|| async {
        let (client, mut server) = pair().await;
        let (mut reader, writer) = client.into_split();
        drop(writer);
        assert_eq!(server.read(&mut [0; 8]).await.unwrap(), 0);
        server.write_all(b"x").await.unwrap();
        assert_eq!(reader.read(&mut [0; 8]).await.unwrap(), 1);

        let (client, server) = pair().await;
        let (reader, writer) = client.into_split();
        writer.forget();
        reader.stream().write_all_now(b"x");
        assert_eq!(server.peek(&mut [0; 8]).await.unwrap(), 1);
    });
}

/// Writes what certainly fits.
trait WriteAllNow {
    fn write_all_now(&self, bytes: &[u8]);
}

impl WriteAllNow for TcpStream {
    fn write_all_now(&self, bytes: &[u8]) {
        use std::os::fd::AsFd;
        assert_eq!(rustix::io::write(self.as_fd(), bytes).unwrap(), bytes.len());
    }
}

#[test]
fn connecting_goes_on_to_the_next_address() {
    on_each_runtime(|| async {
        // Bound, so that the port is nobody else's, and not listening.
        let bound = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        let any: SocketAddr = "127.0.0.1:0".parse().unwrap();
        bound.bind(&any.into()).unwrap();
        let refusing = bound.local_addr().unwrap().as_socket().unwrap();
        let error = TcpStream::connect(refusing).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
        let (_listener, address) = listener().await;
        let stream = TcpStream::connect([refusing, refusing, address])
            .await
            .unwrap();
        assert_eq!(stream.peer_addr().unwrap(), address);
        let error = TcpStream::connect([refusing; 3]).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
    });
}

/// An address whose queue of connections is full, so that connecting to it hangs.
#[cfg(target_os = "linux")]
fn unanswering() -> (Socket, Vec<std::net::TcpStream>, SocketAddr) {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    let any: SocketAddr = "127.0.0.1:0".parse().unwrap();
    socket.bind(&any.into()).unwrap();
    socket.listen(0).unwrap();
    let address = socket.local_addr().unwrap().as_socket().unwrap();
    let mut waiting = Vec::new();
    // The first that is not answered at once shows that the queue is full.
    while let Ok(stream) =
        std::net::TcpStream::connect_timeout(&address, Duration::from_millis(100))
    {
        waiting.push(stream);
    }
    (socket, waiting, address)
}

#[cfg(target_os = "linux")]
#[test]
fn connecting_does_not_wait_for_an_address_that_is_silent() {
    on_each_runtime(|| async {
        let (_socket, _waiting, silent) = unanswering();
        let (_listener, address) = listener().await;
        let stream = TcpStream::connect([silent, address]).await.unwrap();
        assert_eq!(stream.peer_addr().unwrap(), address);
    });
}

#[cfg(target_os = "linux")]
#[test]
fn connecting_gives_up_after_its_timeout() {
    on_each_runtime(|| async {
        let (_socket, _waiting, silent) = unanswering();
        let timeout = Duration::from_millis(20);
        let error = TcpStream::connect_timeout(silent, timeout)
            .await
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TimedOut);
        assert_eq!(error.to_string(), "no connection within 20ms");
    });
}

#[test]
fn names_are_looked_up() {
    on_each_runtime(|| async {
        let listener = TcpListener::bind(("localhost", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let stream = TcpStream::connect(format!("localhost:{port}"))
            .await
            .unwrap();
        assert_eq!(stream.peer_addr().unwrap().port(), port);
        for (text, complaint) in [
            (
                "localhost",
                "\"localhost\" is not a socket address: there is no port",
            ),
            (
                "localhost:65536",
                "\"localhost:65536\" is not a socket address: the port is no number below 65536",
            ),
        ] {
            let error = TcpStream::connect(text).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidInput);
            assert_eq!(error.to_string(), complaint);
        }
        let error = TcpStream::connect([]).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
    });
}

#[test]
fn a_port_can_be_bound_again_at_once() {
    on_each_runtime(|| async {
        let bind_again = async || {
            let (listener, address) = listener().await;
            let (client, server) = try_join(TcpStream::connect(address), listener.accept())
                .await
                .unwrap();
            drop(listener);
            // The side that closes first keeps the port in TIME_WAIT.
            drop(server);
            drop(client);
            TcpListener::bind(address).await
        };
        // Somebody else may be given the very port; not three times in a row.
        let mut bound = bind_again().await;
        for _ in 0..2 {
            if bound.is_err() {
                bound = bind_again().await;
            }
        }
        bound.unwrap();
    });
}

#[test]
fn options_are_kept() {
    on_each_runtime(|| async {
        let (client, _server) = pair().await;
        assert!(!client.nodelay().unwrap());
        client.set_nodelay(true).unwrap();
        assert!(client.nodelay().unwrap());
        assert_eq!(client.linger().unwrap(), None);
        client.set_linger(Some(Duration::ZERO)).unwrap();
        assert_eq!(client.linger().unwrap(), Some(Duration::ZERO));
        client.set_ttl(17).unwrap();
        assert_eq!(client.ttl().unwrap(), 17);
        assert!(client.take_error().unwrap().is_none());
    });
}

#[test]
fn all_who_wait_for_readability_are_woken() {
    on_each_runtime(|| async {
        let (mut client, server) = pair().await;
        let server = std::sync::Arc::new(server);
        let waiters: Vec<_> = (0..10)
            .map(|_| {
                let server = std::sync::Arc::clone(&server);
                spawn(async move { server.readable().await.unwrap() })
            })
            .collect();
        tasca_core::yield_now().await;
        client.write_all(b"x").await.unwrap();
        join_all(waiters).await;
        // Nobody has read: it stays readable, and stops being so after a read behind our back.
        server.readable().await.unwrap();
        assert_eq!(rustix::io::read(&*server, &mut [0; 8]).unwrap(), 1);
        let again = spawn({
            let server = std::sync::Arc::clone(&server);
            async move { server.readable().await.unwrap() }
        });
        tasca_core::yield_now().await;
        assert!(!again.is_finished());
        client.write_all(b"y").await.unwrap();
        again.await;
    });
}
