//! Peers that reset, vanish, trickle, flood; registrations that fail. Descriptors are counted at the end.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures::{AsyncReadExt, AsyncWriteExt, StreamExt};
use tasca::net::{TcpListener, TcpStream, UdpSocket};
use tasca::sync::Semaphore;
use tasca::time::sleep;
use tasca::{Handle, Runtime, Task, promise, spawn, timeout, to_thread, yield_now};
use tasca_tests::{Counter, Gate, Problems};

use crate::alone::{alone, n_descriptors, raise_descriptor_limit};
use crate::denied::{Denied, deny};
use crate::until;

/// Runs `body` as a task on runtimes with one thread and several, in a process of its own; no descriptor may be left over.
#[track_caller]
fn on_sockets<F>(test: &str, body: impl Fn() -> F)
where
    F: Future<Output = io::Result<()>> + Send + 'static,
{
    alone(test, || {
        let before = n_descriptors();
        for builder in [
            Runtime::builder().worker_threads(4),
            Runtime::builder().worker_threads(1),
            Runtime::builder().current_thread(),
        ] {
            let problems = Problems::default();
            let runtime = builder
                .exception_handler(problems.handler())
                .build()
                .expect("a runtime can be made");
            runtime
                .block_on(runtime.handle().spawn(body()))
                .expect("no error but those that are looked for");
            drop(runtime);
            problems.expect_none();
            until(|| n_descriptors() == before);
        }
    });
}

/// How many connections this process may have, with both ends here.
fn n_connections_max() -> usize {
    const N_OTHERS: usize = 100;
    raise_descriptor_limit().saturating_sub(N_OTHERS) / 2
}

/// Echoes until the peer is gone, however it goes.
async fn echo(mut stream: TcpStream) {
    let mut buffer = [0; 1024];
    while let Ok(n @ 1..) = stream.read(&mut buffer).await {
        if stream.write_all(&buffer[..n]).await.is_err() {
            return;
        }
    }
}

/// Serves every connection with `serve`, until it is cancelled; gives the address.
async fn server<F>(
    serve: impl Fn(TcpStream) -> F + Send + 'static,
) -> io::Result<(Task<()>, SocketAddr)>
where
    F: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let accepting = spawn(async move {
        let mut incoming = listener.incoming();
        while let Some(stream) = incoming.next().await {
            drop(spawn(serve(stream.expect("accepting goes on"))));
        }
    });
    Ok((accepting, address))
}

async fn ask(stream: &mut TcpStream, text: &[u8]) -> io::Result<()> {
    stream.write_all(text).await?;
    let mut answer = vec![0; text.len()];
    stream.read_exact(&mut answer).await?;
    assert_eq!(answer, text);
    Ok(())
}

#[test]
fn connections_come_and_go_in_every_manner() {
    on_sockets(
        "connections::connections_come_and_go_in_every_manner",
        || async {
            let served = Counter::new();
            let ended = served.clone();
            let (accepting, address) = server(move |stream| {
                let on_drop = ended.on_drop();
                async move {
                    let _on_drop = on_drop;
                    echo(stream).await;
                }
            })
            .await?;
            let n_rounds = 40;
            for _ in 0..n_rounds {
                let clients = (0..10).map(|manner| {
                    spawn(async move {
                        let mut stream = TcpStream::connect(address).await?;
                        if manner % 5 != 0 {
                            ask(&mut stream, b"hello").await?;
                        }
                        match manner % 4 {
                            // In an orderly way.
                            0 => stream.close().await?,
                            // Without a word.
                            1 => drop(stream),
                            // With bytes that nobody reads, which makes a reset of it.
                            2 => {
                                stream.write_all(&[0; 4096]).await?;
                                drop(stream);
                            }
                            // With a reset.
                            _ => stream.set_linger(Some(Duration::ZERO))?,
                        }
                        io::Result::Ok(())
                    })
                });
                for client in clients.collect::<Vec<_>>() {
                    client.await?;
                }
            }
            while served.get() < 10 * n_rounds {
                sleep(Duration::from_micros(200)).await;
            }
            accepting.cancel();
            drop(accepting.outcome().await);
            Ok(())
        },
    );
}

/// Many more clients than may wait to be accepted, before anybody accepts.
#[test]
fn a_flood_of_connections_is_served_to_the_last() {
    on_sockets(
        "connections::a_flood_of_connections_is_served_to_the_last",
        || async {
            let n_clients = 1500.min(n_connections_max());
            let listener = TcpListener::bind("127.0.0.1:0").await?;
            let address = listener.local_addr()?;
            let clients: Vec<_> = (0..n_clients)
                .map(|_| {
                    spawn(async move {
                        let mut stream = TcpStream::connect(address).await?;
                        ask(&mut stream, b"in the flood").await
                    })
                })
                .collect();
            // The queue of the listener is full, and those who did not fit in try again.
            for _ in 0..100 {
                yield_now().await;
            }
            let accepting = spawn(async move {
                for _ in 0..n_clients {
                    let (stream, _) = listener.accept().await?;
                    drop(spawn(echo(stream)));
                }
                io::Result::Ok(())
            });
            for client in clients {
                client.await?;
            }
            accepting.await
        },
    );
}

/// The fast one has all its answers while every slow one is in the middle of its line.
#[test]
fn a_thousand_slow_clients_do_not_hold_up_a_fast_one() {
    on_sockets(
        "connections::a_thousand_slow_clients_do_not_hold_up_a_fast_one",
        || async {
            let n_slow = 1000.min(n_connections_max());
            let lines = Counter::new();
            let counted = lines.clone();
            let (accepting, address) = server(move |mut stream| {
                let lines = counted.clone();
                async move {
                    let mut byte = [0; 1];
                    while let Ok(1) = stream.read(&mut byte).await {
                        if byte == *b"\n" {
                            lines.add();
                            if stream.write_all(b"\n").await.is_err() {
                                return;
                            }
                        }
                    }
                }
            })
            .await?;
            // Slow ones take turns, so many with each answer to the fast one: they are no load of their own.
            let (turns, hurry) = (Arc::new(Semaphore::new(0)), Gate::new());
            let slow: Vec<_> = (0..n_slow)
                .map(|_| {
                    let (turns, hurry) = (Arc::clone(&turns), hurry.clone());
                    spawn(async move {
                        let mut stream = TcpStream::connect(address).await?;
                        while !hurry.is_open() {
                            stream.write_all(b".").await?;
                            turns.acquire().await.forget();
                        }
                        stream.write_all(b"\n").await?;
                        stream.read_exact(&mut [0]).await
                    })
                })
                .collect();
            let mut fast = TcpStream::connect(address).await?;
            for n in 1..=200 {
                ask(&mut fast, b"\n").await?;
                assert_eq!(lines.get(), n);
                (0..5).for_each(|_| turns.release());
            }
            hurry.open();
            (0..n_slow).for_each(|_| turns.release());
            for task in slow {
                task.await?;
            }
            assert_eq!(lines.get(), 200 + n_slow);
            drop(fast);
            accepting.cancel();
            drop(accepting.outcome().await);
            Ok(())
        },
    );
}

/// A peer that says nothing any more, as after its machine has gone: neither data, nor an end.
#[test]
fn a_silent_peer_is_given_up_when_its_time_is_over() {
    on_sockets(
        "connections::a_silent_peer_is_given_up_when_its_time_is_over",
        || async {
            let listener = TcpListener::bind("127.0.0.1:0").await?;
            let silent = TcpStream::connect(listener.local_addr()?).await?;
            let (mut stream, _) = listener.accept().await?;
            let limit = Duration::from_millis(5);
            // A reader gets nothing, a writer finds no room.
            assert!(timeout(limit, stream.read(&mut [0; 16])).await.is_err());
            let full = timeout(limit, async {
                loop {
                    stream.write_all(&[0; 1 << 16]).await?;
                }
                #[expect(unreachable_code, reason = "names the type")]
                io::Result::Ok(())
            });
            assert!(full.await.is_err());
            // It was not there for nothing: what is dropped now is closed on both sides.
            drop(stream);
            drop(silent);
            Ok(())
        },
    );
}

/// The system can watch no more sources: who waits for a new one is told, and the others go on.
#[test]
fn a_registration_that_fails_is_the_error_of_who_waits() {
    let test = "connections::a_registration_that_fails_is_the_error_of_who_waits";
    alone(test, || {
        // A filter is for ever, a thread is not.
        for error in [libc::ENOSPC, libc::ENOMEM] {
            std::thread::spawn(move || registrations_fail_with(error))
                .join()
                .expect("the assertions hold");
        }
    });
}

fn registrations_fail_with(error: i32) {
    let problems = Problems::default();
    // On one thread, whose calls can be denied in the middle of its work.
    let runtime = Runtime::builder()
        .current_thread()
        .exception_handler(problems.handler())
        .build()
        .expect("a runtime can be made");
    runtime.block_on(async {
        let (accepting, address) = server(echo).await.expect("nothing is denied yet");
        let mut before = TcpStream::connect(address).await.expect("as above");
        ask(&mut before, b"before").await.expect("as above");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("as above");
        deny(&[Denied {
            call: libc::SYS_epoll_ctl,
            error,
            argument: Some((1, libc::EPOLL_CTL_ADD.unsigned_abs())),
        }]);
        let socket = UdpSocket::bind("127.0.0.1:0")
            .await
            .expect("a socket can be had");
        for _ in 0..3 {
            let failed = socket.recv(&mut [0; 8]).await.expect_err("it has to wait");
            assert_eq!(failed.raw_os_error(), Some(error), "{failed}");
            let failed = listener.accept().await.expect_err("it has to wait");
            assert_eq!(failed.raw_os_error(), Some(error), "{failed}");
            ask(&mut before, b"meanwhile")
                .await
                .expect("its source is known");
            sleep(Duration::from_micros(100)).await;
        }
        // What need not wait needs no registration.
        socket
            .send_to(b"to itself", socket.local_addr().expect("it has one"))
            .await
            .expect("there is room");
        assert_eq!(socket.recv(&mut [0; 16]).await.expect("it is there"), 9);
        drop(before);
        accepting.cancel();
    });
    drop(runtime);
    problems.expect_none();
}

/// A socket is closed and another one gets its number, again and again, while others wait for theirs.
#[test]
fn a_descriptor_that_is_used_again_wakes_nobody_else() {
    on_sockets(
        "connections::a_descriptor_that_is_used_again_wakes_nobody_else",
        || async {
            let listener = Arc::new(TcpListener::bind("127.0.0.1:0").await?);
            let address = listener.local_addr()?;
            for n in 0..200_u32 {
                let (told, accepted) = promise();
                let (there, handle) = (Arc::clone(&listener), Handle::current());
                let serving = handle.spawn(async move {
                    let (mut stream, _) = there.accept().await?;
                    told.set(()).expect("it is waited for");
                    stream.write_all(&n.to_ne_bytes()).await?;
                    // The client's number is free at once, and is the next client's.
                    stream.read_exact(&mut [0; 1]).await
                });
                let mut client = TcpStream::connect(address).await?;
                let mut bytes = [0; 4];
                client.read_exact(&mut bytes).await?;
                assert_eq!(u32::from_ne_bytes(bytes), n, "of another connection");
                accepted.await;
                // Waits for a byte that does not come, and is dropped in the middle of it.
                assert!(
                    timeout(Duration::ZERO, client.read(&mut [0; 1]))
                        .await
                        .is_err()
                );
                client.write_all(b"!").await?;
                drop(client);
                serving.await?;
            }
            // On a thread of the pool, and closed by it.
            to_thread(move || drop(listener)).await;
            Ok(())
        },
    );
}
