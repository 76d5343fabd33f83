//! The adaptors one by one, and under hyper's own server.

mod connection;
mod executor;
#[expect(unreachable_pub, reason = "public where it belongs to")]
#[path = "../../../../tests/src/guard.rs"]
mod guard;
mod io;
mod timer;

/// What can be sent and shared stays so in the wrapper.
#[test]
fn adaptors_are_as_free_as_what_they_wrap() {
    fn check<T: Send + Sync + Unpin + 'static>() {}
    check::<tasca_hyper::Executor>();
    check::<tasca_hyper::Timer>();
    check::<tasca_hyper::Io<tasca_net::TcpStream>>();
}
