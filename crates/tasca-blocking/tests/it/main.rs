//! What `tasca-blocking` promises, a behaviour at a time.

#[expect(unreachable_pub, reason = "public where it belongs to")]
#[path = "../../../../tests/src/guard.rs"]
mod guard;
mod support;

mod beside;
mod by_hand;
mod cancelling;
mod files;
mod growth;
mod in_place;
mod jobs;
mod limits;
mod runtimes;
mod shutdown;
mod simulated;
