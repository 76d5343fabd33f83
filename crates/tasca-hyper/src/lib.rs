//! hyper 1.x on tasca: what hyper asks of a runtime.
//!
//! hyper speaks HTTP, and leaves to others what speaking takes: tasks, time and streams of bytes. This crate
//! hands it tasca's.
//!
//! | hyper wants | it gets |
//! |---|---|
//! | [`hyper::rt::Executor`] | [`Executor`]: tasks of the current runtime |
//! | [`hyper::rt::Timer`] | [`Timer`]: its timers and its clock, virtual time included |
//! | [`hyper::rt::Read`], [`hyper::rt::Write`] | [`Io`]: a wrapper for whatever is `AsyncRead` and `AsyncWrite` |
//!
//! A connection is a future. Who accepts one spawns it as a task, and hyper calls the service from there:
//!
//! ```
//! use std::convert::Infallible;
//!
//! use futures::{AsyncReadExt, AsyncWriteExt};
//! use hyper::server::conn::http1;
//! use hyper::service::service_fn;
//! use hyper::{Request, Response, body};
//! use tasca_hyper::{Io, Timer};
//! use tasca_net::{TcpListener, TcpStream};
//!
//! async fn greet(request: Request<body::Incoming>) -> Result<Response<String>, Infallible> {
//!     Ok(Response::new(format!("you asked for {}", request.uri())))
//! }
//!
//! # let rt = tasca_core::Runtime::builder().current_thread().build().unwrap();
//! # let answer = rt.block_on(async {
//! let listener = TcpListener::bind("127.0.0.1:0").await?;
//! let mut client = TcpStream::connect(listener.local_addr()?).await?;
//! let (stream, _) = listener.accept().await?;
//!
//! let connection = http1::Builder::new()
//!     .timer(Timer::new()) // gives a client 30 s to send its head
//!     .serve_connection(Io::new(stream), service_fn(greet));
//! let served = tasca_core::spawn(connection);
//!
//! client.write_all(b"GET /news HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").await?;
//! let mut answer = String::new();
//! client.read_to_string(&mut answer).await?;
//! served.await.expect("the client was polite");
//! # std::io::Result::Ok(answer)
//! # }).unwrap();
//! assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"));
//! assert!(answer.ends_with("\r\n\r\nyou asked for /news"));
//! ```
//!
//! # Cancellation
//!
//! hyper's futures are built of this library's leaves, so a task that serves a connection is cancelled like any other:
//! the request reaches the service's future where that waits. If nothing catches it there, the connection is dropped and
//! closed. To end one politely instead, let hyper know (`graceful_shutdown` of the connection) and go on polling
//! it; `examples/http_server.rs` of the facade shows how.
//!
//! # asyncio counterpart
//!
//! None in the standard library; this is where `aiohttp` and its like meet the event loop.
#![forbid(unsafe_code)]

mod executor;
mod io;
mod timer;

pub use executor::Executor;
pub use io::Io;
pub use timer::Timer;
