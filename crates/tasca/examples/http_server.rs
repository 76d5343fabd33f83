//! An HTTP/1.1 server: hyper speaks, tasca runs it on all cores.
//!
//! ```sh
//! cargo run --release -p tasca --features hyper --example http_server              # 127.0.0.1:8080
//! cargo run --release -p tasca --features hyper --example http_server 127.0.0.1:0  # any port: it is printed
//! curl http://127.0.0.1:8080/
//! ```
//!
//! | request | answer |
//! |---|---|
//! | `GET /` | a greeting |
//! | `GET /cpu/N` | the sum of the primes below N, worked out beside the workers |
//! | `GET /sleep/MS` | after so many milliseconds |
//! | `POST /echo` | what was sent, while it is still being sent |
//!
//! The first Ctrl-C stops it: nobody new gets in, requests that run are answered, and after five seconds at the latest
//! it ends. The second one ends it at once.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program prints"
)]

use std::convert::Infallible;
use std::env;
use std::io;
use std::pin::pin;
use std::time::Duration;

use futures::future::{Either, join_all, select};
use futures::stream::TryStreamExt;
use http_body_util::{Either as EitherBody, Full};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use tasca::blocking::is_cancelled;
use tasca::hyper::{Io, Timer};
use tasca::net::{TcpListener, TcpStream};
use tasca::time::sleep;
use tasca::{TaskRef, catch_cancelled};

/// How long requests may go on after the server was told to stop.
const GRACE: Duration = Duration::from_secs(5);

/// The largest N of `/cpu/N`: some seconds of work.
const CPU_MAX: u64 = 10_000_000;

#[tasca::main]
async fn main() -> io::Result<()> {
    let address = env::args()
        .nth(1)
        .unwrap_or_else(|| "127.0.0.1:8080".to_owned());
    let listener = TcpListener::bind(address).await?;
    println!("listening on http://{}", listener.local_addr()?);

    // Kept when it is time to stop. Connections wait for the promise's task, so that one event reaches them all.
    let (stop, stopping) = tasca::promise::<()>();
    // The first interrupt cancels main, wherever it waits: that is here. Otherwise only an error of the listener
    // itself ends the loop.
    match catch_cancelled(accept(&listener, &stopping)).await {
        Ok(failed) => return failed,
        // From here on connecting is refused.
        Err(_interrupted) => drop(listener),
    }
    eprintln!("stopping, within {} s", GRACE.as_secs());
    stop.set(())
        .expect("nobody else keeps or cancels the promise");
    // What there is beside main is connections, and what they wait for.
    let this = tasca::current_task();
    let others = tasca::all_tasks()
        .into_iter()
        .filter(|task| Some(task) != this.as_ref());
    let ended = join_all(others.map(|task| task.finished()));
    select(ended, pin!(sleep(GRACE))).await;
    // What still runs is cancelled by the end of main.
    Ok(())
}

/// Serves each connection in a task of its own, for as long as the listener works.
async fn accept(listener: &TcpListener, stopping: &TaskRef) -> io::Result<()> {
    // A want of descriptors is no error here: it is reported, and accepting goes on after a pause.
    let mut incoming = listener.incoming();
    while let Some(stream) = incoming.try_next().await? {
        // A task whose handle is dropped goes on by itself.
        drop(tasca::spawn(serve(stream, stopping.clone())));
    }
    Ok(())
}

/// Serves one connection, with as many requests as the client likes to send.
async fn serve(stream: TcpStream, stopping: TaskRef) {
    let connection = http1::Builder::new()
        // With a timer, hyper waits 30 s for a request's head, and then closes the connection.
        .timer(Timer::new())
        .serve_connection(Io::new(stream), service_fn(answer));
    let mut connection = pin!(connection);
    let served = match select(connection.as_mut(), pin!(stopping.finished())).await {
        Either::Left((served, _)) => served,
        Either::Right(((), _)) => {
            // Not a cancellation, which would drop the running request: the connection ends after it, at once if there is
            // none.
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = served {
        eprintln!("a connection ended early: {error}");
    }
}

type Answer = Response<EitherBody<Full<Bytes>, Incoming>>;

/// Answers one request. hyper sends answers to `HEAD` without their body.
async fn answer(request: Request<Incoming>) -> Result<Answer, Infallible> {
    let path = request.uri().path().trim_start_matches('/');
    let (first, rest) = path.split_once('/').unwrap_or((path, ""));
    let answer = match (request.method(), first, rest) {
        (&Method::GET | &Method::HEAD, "", "") => text(StatusCode::OK, "Hello from tasca\n"),
        (&Method::GET, "cpu", n) => cpu(n).await,
        (&Method::GET, "sleep", ms) => nap(ms).await,
        // The body is sent back as it comes: however long it is, little of it is held here.
        (&Method::POST, "echo", "") => Response::new(EitherBody::Right(request.into_body())),
        _ => text(StatusCode::NOT_FOUND, "nothing here\n"),
    };
    Ok(answer)
}

async fn cpu(n: &str) -> Answer {
    match n.parse() {
        Ok(n) if n <= CPU_MAX => {
            // A worker that computes for long serves nobody meanwhile: this is what the threads beside them are for.
            let sum = tasca::spawn_blocking(move || sum_of_primes_below(n)).await;
            text(StatusCode::OK, format!("{sum}\n"))
        }
        _ => text(
            StatusCode::BAD_REQUEST,
            format!("N is a number up to {CPU_MAX}\n"),
        ),
    }
}

async fn nap(ms: &str) -> Answer {
    let Ok(ms) = ms.parse() else {
        return text(StatusCode::BAD_REQUEST, "MS is a number\n");
    };
    sleep(Duration::from_millis(ms)).await;
    text(StatusCode::OK, format!("slept {ms} ms\n"))
}

fn text(status: StatusCode, text: impl Into<Bytes>) -> Answer {
    let mut answer = Response::new(EitherBody::Left(Full::new(text.into())));
    *answer.status_mut() = status;
    answer
}

/// By trial, to have something to do.
fn sum_of_primes_below(n: u64) -> u64 {
    let is_prime = |x: &u64| {
        (2..)
            .take_while(|d| d * d <= *x)
            .all(|d| !x.is_multiple_of(d))
    };
    (2..n)
        // A thread cannot be stopped from outside: it looks up now and then whether it should.
        .take_while(|x| x % 4096 != 0 || !is_cancelled())
        .filter(is_prime)
        .sum()
}
