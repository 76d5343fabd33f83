//! What `tasca-blocking` promises, a behaviour at a time.

mod support;

mod cancelling;
mod growth;
mod jobs;
mod limits;
mod runtimes;
mod shutdown;
