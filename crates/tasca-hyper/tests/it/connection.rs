//! hyper's connections on tasca: timeouts, cancellation, upgrades.

use std::convert::Infallible;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use hyper::body::Incoming;
use hyper::rt::Timer as _;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use tasca_core::time::sleep;
use tasca_core::{Runtime, promise, spawn};
use tasca_hyper::{Io, Timer};
use tasca_net::{TcpListener, TcpStream};

use crate::guard::guarded;

/// A client that says nothing, and takes everything.
struct Silent;

impl AsyncRead for Silent {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        _: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        Poll::Pending
    }
}

impl AsyncWrite for Silent {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &[u8],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(buffer.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

async fn hello(_: Request<Incoming>) -> Result<Response<String>, Infallible> {
    Ok(Response::new("hello".to_owned()))
}

/// Two ends of a connection.
async fn pair() -> io::Result<(TcpStream, TcpStream)> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let client = TcpStream::connect(listener.local_addr()?).await?;
    let (server, _) = listener.accept().await?;
    Ok((client, server))
}

/// Runs `test` on a runtime of one thread, and on one of two workers.
fn on_each_runtime<F>(test: impl Fn() -> F)
where
    F: Future<Output = io::Result<()>> + Send + 'static,
{
    let builder = Runtime::builder;
    for builder in [
        builder().current_thread(),
        builder().multi_thread().worker_threads(2),
    ] {
        let (what, test) = (format!("{builder:?}"), test());
        guarded(&what, move || {
            let rt = builder.build().unwrap();
            rt.block_on(rt.handle().spawn(test)).unwrap();
        });
    }
}

#[test]
fn a_silent_client_is_cut_off_when_its_time_is_up() {
    let rt = Runtime::builder().deterministic(0).build().unwrap();
    rt.block_on(async {
        let begin = Timer::new().now();
        let connection = http1::Builder::new()
            .timer(Timer::new())
            .header_read_timeout(Duration::from_secs(30))
            .serve_connection(Io::new(Silent), service_fn(hello));
        let error = connection.await.unwrap_err();
        assert!(error.is_timeout(), "{error}");
        assert_eq!(Timer::new().now() - begin, Duration::from_secs(30));
    });
}

#[test]
fn cancelling_the_task_of_a_connection_closes_it() {
    on_each_runtime(|| async {
        let (mut client, server) = pair().await?;
        let (promise, running) = promise::<()>();
        let promise = std::sync::Mutex::new(Some(promise));
        let service = service_fn(move |request: Request<Incoming>| {
            let promise = promise.lock().unwrap().take().unwrap();
            async move {
                promise.set(()).unwrap();
                sleep(Duration::from_secs(3600)).await;
                hello(request).await
            }
        });
        let connection = http1::Builder::new().serve_connection(Io::new(server), service);
        let serving = spawn(connection);
        client
            .write_all(b"GET / HTTP/1.1\r\nhost: test\r\n\r\n")
            .await?;
        running.await;

        serving.cancel();
        assert!(serving.outcome().await.unwrap_err().is_cancelled());
        assert_eq!(client.read(&mut [0; 1]).await?, 0);
        Ok(())
    });
}

#[test]
fn an_upgraded_connection_is_a_stream_like_any_other() {
    async fn upgrade(request: Request<Incoming>) -> Result<Response<String>, Infallible> {
        // Detached: it ends with its client.
        drop(spawn(async {
            let upgraded = hyper::upgrade::on(request).await.unwrap();
            let (reader, mut writer) = Io::new(upgraded).split();
            futures::io::copy(reader, &mut writer).await.unwrap();
            writer.close().await.unwrap();
        }));
        let mut response = Response::new(String::new());
        *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        response
            .headers_mut()
            .insert("upgrade", "echo".parse().unwrap());
        response
            .headers_mut()
            .insert("connection", "upgrade".parse().unwrap());
        Ok(response)
    }

    on_each_runtime(|| async {
        let (mut client, server) = pair().await?;
        let connection = http1::Builder::new()
            .serve_connection(Io::new(server), service_fn(upgrade))
            .with_upgrades();
        let serving = spawn(connection);
        // What follows the head is for the new protocol, even if it comes with the head.
        let head = "GET / HTTP/1.1\r\nhost: test\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\n";
        client.write_all(format!("{head}early").as_bytes()).await?;
        client.write_all(b" and late").await?;
        client.close().await?;
        let mut answer = String::new();
        client.read_to_string(&mut answer).await?;
        assert!(
            answer.starts_with("HTTP/1.1 101 Switching Protocols\r\n"),
            "{answer}"
        );
        assert!(answer.ends_with("\r\n\r\nearly and late"), "{answer}");
        serving.await.unwrap();
        Ok(())
    });
}
