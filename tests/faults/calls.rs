//! Errors of single calls, and what comes after them: the caller is told, or it is tried again; nobody else hears of it, and nothing
//! that was known of the descriptor is lost.

use std::io;
use std::time::Duration;

use futures::{AsyncReadExt, AsyncWriteExt, StreamExt};
use tasca::net::{TcpListener, TcpStream};
use tasca::{Runtime, Trouble, spawn, timeout};
use tasca_tests::Problems;

use crate::alone::alone;
use crate::scripted::Script;

/// Concern a connection that is gone, not the one who accepts (accept(2), "Error handling").
const OF_ONE_CONNECTION: [i32; 8] = [
    libc::ECONNABORTED,
    libc::EPROTO,
    libc::ENETDOWN,
    libc::ENOPROTOOPT,
    libc::EHOSTDOWN,
    libc::EHOSTUNREACH,
    libc::ENETUNREACH,
    libc::EINTR,
];

/// Something has run out.
const OF_RESOURCES: [i32; 4] = [libc::ENOMEM, libc::ENOBUFS, libc::ENFILE, libc::EMFILE];

/// Runs `body` on each kind of runtime, each in a thread whose calls follow a script of its own; gives what was reported.
fn scripted<F>(
    calls: &'static [libc::c_long],
    body: impl Fn(Script) -> F + Clone + Send + 'static,
    check: impl Fn(Problems) + Clone + Send + 'static,
) where
    F: Future<Output = io::Result<()>> + Send + 'static,
{
    for n_workers in [0, 1, 2] {
        let (body, check) = (body.clone(), check.clone());
        let run = move || {
            // Before the workers are started, so that it is theirs too.
            let script = Script::for_calls(calls);
            let problems = Problems::default();
            let builder = match n_workers {
                0 => Runtime::builder().current_thread(),
                n_workers => Runtime::builder().worker_threads(n_workers),
            };
            let runtime = builder
                .exception_handler(problems.handler())
                .build()
                .expect("a runtime can be made");
            let main = runtime.handle().spawn(body(script.clone()));
            runtime
                .block_on(main)
                .expect("no error but those that are looked for");
            drop(runtime);
            assert_eq!(script.n_left(), 0, "all errors have been met");
            check(problems);
        };
        // A filter is for ever, a thread is not.
        std::thread::spawn(run).join().expect("the assertions hold");
    }
}

#[test]
fn accepting_goes_on_after_every_error_that_may_pass() {
    alone(
        "calls::accepting_goes_on_after_every_error_that_may_pass",
        || {
            let body = |script: Script| async move {
                let listener = TcpListener::bind("127.0.0.1:0").await?;
                let address = listener.local_addr()?;
                let mut incoming = listener.incoming();
                for error in OF_RESOURCES {
                    // The pauses double with each failure in a row, and a failure in a row is not reported again.
                    script.fail(libc::SYS_accept4, &listener, &OF_ONE_CONNECTION);
                    script.fail(libc::SYS_accept4, &listener, &[error, error]);
                    script.fail(libc::SYS_accept4, &listener, &OF_ONE_CONNECTION);
                    let mut client = TcpStream::connect(address).await?;
                    let mut served = incoming.next().await.expect("it does not end")?;
                    client.write_all(b"?").await?;
                    served.read_exact(&mut [0; 1]).await?;
                }
                // Who accepts by himself is told, and can go on.
                for error in OF_RESOURCES {
                    script.fail(libc::SYS_accept4, &listener, &[error]);
                    let _client = TcpStream::connect(address).await?;
                    let failed = listener.accept().await.expect_err("the script says so");
                    assert_eq!(failed.raw_os_error(), Some(error), "{failed}");
                    listener.accept().await?;
                }
                Ok(())
            };
            scripted(&[libc::SYS_accept4], body, |problems| {
                let reports = problems.take();
                assert_eq!(reports.len(), OF_RESOURCES.len(), "{reports:?}");
                let of_accepting = |it: &tasca_tests::Report| it.trouble == Trouble::AcceptFailed;
                assert!(reports.iter().all(of_accepting), "{reports:?}");
            });
        },
    );
}

/// A pair of connected streams.
async fn pair() -> io::Result<(TcpStream, TcpStream)> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let client = TcpStream::connect(listener.local_addr()?).await?;
    let (served, _) = listener.accept().await?;
    Ok((client, served))
}

#[test]
fn an_error_of_a_transfer_reaches_its_caller_and_nobody_else() {
    const ERRORS: [i32; 7] = [
        libc::ECONNRESET,
        libc::ETIMEDOUT,
        libc::EPIPE,
        libc::ENOBUFS,
        libc::ENOMEM,
        libc::EIO,
        libc::EHOSTUNREACH,
    ];
    alone(
        "calls::an_error_of_a_transfer_reaches_its_caller_and_nobody_else",
        || {
            let body = |script: Script| async move {
                let (mut hit, mut peer) = pair().await?;
                let (mut other, mut others_peer) = pair().await?;
                // Reads what does not come before the end: an error that got lost there would end it.
                let waiting = spawn(async move { other.read_exact(&mut [0; 3]).await });
                for error in ERRORS {
                    // An interrupted call is repeated, and does not count.
                    script.fail(libc::SYS_recvfrom, &hit, &[libc::EINTR, libc::EINTR, error]);
                    let failed = hit.read(&mut [0; 8]).await.expect_err("it fails");
                    assert_eq!(failed.raw_os_error(), Some(error), "{failed}");
                    script.fail(libc::SYS_sendto, &hit, &[libc::EINTR, libc::EINTR, error]);
                    let failed = hit.write(b"lost").await.expect_err("it fails");
                    assert_eq!(failed.raw_os_error(), Some(error), "{failed}");

                    // Its readiness is known as before: both directions work, a reader is woken.
                    let answer = spawn(async move {
                        peer.read_exact(&mut [0; 3]).await?;
                        peer.write_all(b"abc").await?;
                        io::Result::Ok(peer)
                    });
                    hit.write_all(b"abc").await?;
                    hit.read_exact(&mut [0; 3]).await?;
                    peer = answer.await?;
                }
                assert!(!waiting.is_finished());
                others_peer.write_all(b"abc").await?;
                waiting.await
            };
            let calls = &[libc::SYS_recvfrom, libc::SYS_sendto];
            scripted(calls, body, |problems| problems.expect_none());
        },
    );
}

#[test]
fn a_connection_that_cannot_be_made_is_the_error_of_who_connects() {
    const ERRORS: [i32; 5] = [
        libc::EADDRNOTAVAIL,
        libc::ENETUNREACH,
        libc::EAGAIN,
        libc::EACCES,
        libc::ECONNREFUSED,
    ];
    alone(
        "calls::a_connection_that_cannot_be_made_is_the_error_of_who_connects",
        || {
            let body = |script: Script| async move {
                let listener = TcpListener::bind("127.0.0.1:0").await?;
                let address = listener.local_addr()?;
                for error in ERRORS {
                    // The number that the next descriptor will have.
                    let next = std::fs::File::open("/dev/null")?;
                    script.fail(libc::SYS_connect, &next, &[error]);
                    drop(next);
                    let failed = TcpStream::connect(address).await.expect_err("it fails");
                    assert_eq!(failed.raw_os_error(), Some(error), "{failed}");
                    let made = timeout(Duration::from_secs(30), TcpStream::connect(address)).await;
                    drop(made.expect("it does not hang")?);
                    drop(listener.accept().await?);
                }
                Ok(())
            };
            scripted(&[libc::SYS_connect], body, |problems| {
                problems.expect_none();
            });
        },
    );
}
