//! hyper 1.x on each runtime, with the adaptors that its users take.

use std::{convert::Infallible, future::Future};

use http_body_util::Full;
use hyper::{
    Request, Response,
    body::{Bytes, Incoming},
    server::conn::http1,
    service::service_fn,
};

use super::{Rt, smol::Smol, tasca::Tasca, tokio::Tokio};

/// What every request is answered with.
pub const BODY: &str = "Hello, world!";

/// An HTTP server.
pub trait Http: Rt {
    /// Answers requests on one connection until the client hangs up.
    fn serve_http(stream: Self::Stream) -> impl Future<Output = ()> + Send + 'static;
}

async fn answer(_request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    Ok(Response::new(Full::new(Bytes::from_static(
        BODY.as_bytes(),
    ))))
}

impl Http for Tasca {
    async fn serve_http(stream: Self::Stream) {
        http1::Builder::new()
            .timer(tasca::hyper::Timer::new())
            .serve_connection(tasca::hyper::Io::new(stream), service_fn(answer))
            .await
            .expect("the client behaves");
    }
}

impl Http for Tokio {
    async fn serve_http(stream: Self::Stream) {
        http1::Builder::new()
            .timer(hyper_util::rt::TokioTimer::new())
            .serve_connection(hyper_util::rt::TokioIo::new(stream), service_fn(answer))
            .await
            .expect("the client behaves");
    }
}

impl Http for Smol {
    async fn serve_http(stream: Self::Stream) {
        http1::Builder::new()
            .timer(smol_hyper::rt::SmolTimer::new())
            .serve_connection(smol_hyper::rt::FuturesIo::new(stream), service_fn(answer))
            .await
            .expect("the client behaves");
    }
}
