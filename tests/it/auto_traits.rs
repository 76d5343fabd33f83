//! `Send`, `Sync` and `Unpin` of every public type, pinned: a change of one breaks users, so it breaks this file first.
//!
//! The checks are made by the compiler. A type that must *not* have a trait is given to a function that is ambiguous
//! if it has.

use std::cell::Cell;
use std::marker::{PhantomData, PhantomPinned};
use std::rc::Rc;

/// Neither `Send` nor `Sync`.
type Local = Rc<u8>;
/// `Send`, not `Sync`.
type Unshared = Cell<u8>;
/// A future that is `Send` and `Sync`.
type Shared = std::future::Ready<u8>;
/// A future that is neither.
type LocalFuture = std::future::Ready<Local>;
/// A future that is not `Unpin`.
struct Pinned(PhantomPinned);

impl Future for Pinned {
    type Output = ();

    fn poll(self: std::pin::Pin<&mut Self>, _: &mut std::task::Context<'_>) -> std::task::Poll<()> {
        std::task::Poll::Ready(())
    }
}

/// Implemented once for every type, and once more for those that have the trait: to name it is then ambiguous.
macro_rules! lacks {
    ($type:ty, $trait:path) => {{
        trait Ambiguous<Marker> {
            fn check() {}
        }
        impl<T: ?Sized> Ambiguous<()> for T {}
        struct Has;
        impl<T: ?Sized + $trait> Ambiguous<Has> for T {}
        let _checked = <$type as Ambiguous<_>>::check;
    }};
}

macro_rules! has {
    ($type:ty, $trait:path) => {{
        fn check<T: ?Sized + $trait>() {}
        let _checked = check::<$type>;
    }};
}

macro_rules! pin {
    ($($type:ty: $send:ident $sync:ident $unpin:ident;)*) => {
        $(
            pin!(@one $type, Send, $send);
            pin!(@one $type, Sync, $sync);
            pin!(@one $type, Unpin, $unpin);
        )*
    };
    (@one $type:ty, $trait:path, yes) => { has!($type, $trait) };
    (@one $type:ty, $trait:path, no) => { lacks!($type, $trait) };
}

#[test]
fn tasks_and_their_handles() {
    use tasca::{CallbackId, Promise, Task, TaskBuilder, TaskId, TaskRef};
    pin! {
        //                  Send Sync Unpin
        Task<u8>:           yes yes yes;
        Task<Unshared>:     yes no  yes;
        Task<Local>:        no  no  yes;
        Task<Pinned>:       yes yes yes;
        TaskRef:            yes yes yes;
        TaskId:             yes yes yes;
        CallbackId:         yes yes yes;
        TaskBuilder:        yes yes yes;
        Promise<u8>:        yes yes yes;
        Promise<Unshared>:  yes yes yes;
        Promise<Local>:     no  no  yes;
    }
}

#[test]
fn futures() {
    use tasca::time::{Interval, Sleep};
    use tasca::{CatchCancelled, Finished, JoinRef, Outcome, Reraise, YieldNow};
    pin! {
        JoinRef<'static, u8>:       yes yes yes;
        JoinRef<'static, Unshared>: no  no  yes;
        JoinRef<'static, Local>:    no  no  yes;
        Outcome<u8>:                yes yes yes;
        Outcome<Unshared>:          yes no  yes;
        Outcome<Local>:             no  no  yes;
        Finished:                   yes yes yes;
        YieldNow:                   yes yes yes;
        Reraise<Local>:             yes yes yes;
        CatchCancelled<Shared>:     yes yes yes;
        CatchCancelled<LocalFuture>: no no  yes;
        CatchCancelled<Pinned>:     yes yes no;
        Sleep:                      yes yes yes;
        Interval:                   yes yes yes;
    }
}

#[test]
fn runtimes_and_their_handles() {
    use tasca::{Builder, CallHandle, EnterGuard, Handle, Runtime};
    pin! {
        Builder:             yes yes yes;
        Runtime:             yes yes yes;
        Handle:              yes yes yes;
        CallHandle:          yes yes yes;
        EnterGuard<'static>: no  no  yes;
    }
}

#[test]
fn errors_and_reports() {
    use tasca::{CancelMessage, Cancelled, Problem, ResultError, RunError, TaskError, Trouble};
    pin! {
        TaskError:            yes yes yes;
        ResultError<'static>: yes yes yes;
        RunError:             yes yes yes;
        Cancelled:            yes yes yes;
        CancelMessage:        yes yes yes;
        Problem:              yes yes yes;
        Trouble:              yes yes yes;
    }
    has!(TaskError, std::error::Error);
    has!(ResultError<'static>, std::error::Error);
    has!(RunError, std::error::Error);
    has!(Cancelled, std::error::Error);
}

#[test]
fn context_variables() {
    use tasca::{Context, ContextVar, Token};
    pin! {
        Context:              yes yes yes;
        ContextVar<u8>:       yes yes yes;
        ContextVar<Local>:    yes yes yes;
        Token<u8>:            yes yes yes;
        Token<Local>:         yes yes yes;
    }
}

#[cfg(unix)]
#[test]
fn sources() {
    use std::os::unix::net::UnixStream;
    use tasca::io::Async;
    use tasca::net::{
        OwnedReadHalf, OwnedWriteHalf, ReadHalf, TcpListener, TcpStream, UdpSocket, UnixDatagram,
        UnixListener, WriteHalf,
    };
    pin! {
        Async<UnixStream>:              yes yes yes;
        TcpListener:                    yes yes yes;
        TcpStream:                      yes yes yes;
        UdpSocket:                      yes yes yes;
        UnixListener:                   yes yes yes;
        tasca::net::UnixStream:         yes yes yes;
        UnixDatagram:                   yes yes yes;
        OwnedReadHalf<TcpStream>:       yes yes yes;
        OwnedWriteHalf<TcpStream>:      yes yes yes;
        ReadHalf<'static, TcpStream>:   yes yes yes;
        WriteHalf<'static, TcpStream>:  yes yes yes;
    }
}

#[test]
fn futures_of_async_functions_can_be_spawned() {
    fn send<F: Future + Send>(_: F) -> PhantomData<F> {
        PhantomData
    }
    let _finally = send(tasca::finally(async { 1 }, async {}));
    let _tick = |interval: &mut tasca::time::Interval| {
        let _marker = send(interval.tick());
    };
    let _nested = send(tasca::catch_cancelled(async {
        tasca::yield_now().await;
        tasca::Cancelled::new().reraise::<Local>().await;
    }));
}

#[test]
fn handles_are_small() {
    use std::mem::size_of;
    assert_eq!(size_of::<tasca::Task<[u8; 100]>>(), size_of::<usize>());
    assert_eq!(size_of::<Option<tasca::TaskRef>>(), size_of::<usize>());
    assert_eq!(size_of::<Option<tasca::TaskError>>(), size_of::<usize>());
}
