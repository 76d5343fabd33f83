//! Echo over TCP on the loopback interface.
//!
//! In the workloads by wall-clock time, both sides are tasks of the runtime. In the one by processor time
//! the client is a plain thread, the same for every runtime, and what it uses does not count: what is
//! left is the server's cost per request.

use std::{
    io::{Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    thread,
    time::{Duration, Instant},
};

use crate::{
    clock,
    rt::Rt,
    sys::{self, EchoServer},
    workload::{Case, Entry, Metric, Workload, entry},
};

/// The workloads of this module.
#[must_use]
pub fn all() -> Vec<Entry> {
    vec![
        entry::<Echo1>(),
        entry::<Echo32>(),
        entry::<Echo32Of4k>(),
        entry::<EchoServerCpu>(),
    ]
}

const SMALL: usize = 64;
const LARGE: usize = 4_096;

/// One connection, one message of 64 bytes at a time; per round trip.
#[derive(Debug)]
pub struct Echo1;

impl Workload for Echo1 {
    const NAME: &'static str = "echo_1";
    const ELEMENTS: u64 = 1;

    async fn run<R: Rt>(rt: R, rounds: u64) -> Duration {
        echo::<R, SMALL>(rt, 1, rounds).await
    }
}

/// 32 connections, each with one message of 64 bytes at a time; per round trip.
#[derive(Debug)]
pub struct Echo32;

impl Workload for Echo32 {
    const NAME: &'static str = "echo_32";
    const ELEMENTS: u64 = 32;

    async fn run<R: Rt>(rt: R, rounds: u64) -> Duration {
        echo::<R, SMALL>(rt, 32, rounds).await
    }
}

/// Like [`Echo32`], with messages of 4 KiB.
#[derive(Debug)]
pub struct Echo32Of4k;

impl Workload for Echo32Of4k {
    const NAME: &'static str = "echo_32_4k";
    const ELEMENTS: u64 = 32;

    async fn run<R: Rt>(rt: R, rounds: u64) -> Duration {
        echo::<R, LARGE>(rt, 32, rounds).await
    }
}

/// Processor time of the server alone with 32 connections, fed by a plain thread; per request.
#[derive(Debug)]
pub struct EchoServerCpu;

impl Workload for EchoServerCpu {
    const NAME: &'static str = "echo_32_server";
    const ELEMENTS: u64 = 32;
    const METRIC: Metric = Metric::Cpu;

    fn limits() -> Vec<Case> {
        let case = |server: EchoServer| Case {
            runtime: server.name,
            measure: limit,
            mark: None,
        };
        sys::ECHO_SERVER.map(case).into_iter().collect()
    }

    async fn run<R: Rt>(rt: R, rounds: u64) -> Duration {
        let (mut listener, addr) = rt.listen().await.expect("a free port");
        let (done, result) = async_channel::bounded(1);
        let client = thread::spawn(move || {
            let time = drive_server(addr, rounds);
            done.send_blocking(time).expect("the workload waits");
        });
        let mut servers = Vec::with_capacity(32);
        for _ in 0..32 {
            let stream = R::accept(&mut listener).await.expect("a connection");
            servers.push(rt.spawn(serve::<R, SMALL>(stream)));
        }
        let time = result.recv().await.expect("the client answers");
        client.join().expect("the client ends");
        for server in servers {
            server.await;
        }
        time
    }
}

/// [`EchoServerCpu`] on the platform's own server.
fn limit(threads: usize, rounds: u64) -> Duration {
    let server = sys::ECHO_SERVER.expect("it is in the table");
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    let addr = listener.local_addr().expect("it is bound");
    let client = thread::spawn(move || drive_server(addr, rounds));
    (server.run)(listener, 32, threads);
    client.join().expect("the client ends")
}

/// Sends a message on each of 32 connections, then reads each answer, `rounds` times; returns the
/// processor time that other threads of the process used meanwhile.
fn drive_server(addr: SocketAddr, rounds: u64) -> Duration {
    let connect = |_| {
        let stream = TcpStream::connect(addr).expect("the server listens");
        stream.set_nodelay(true).expect("a TCP socket");
        stream
    };
    let mut streams: Vec<_> = (0..32).map(connect).collect();
    let message = [7; SMALL];
    let mut answer = [0; SMALL];
    let mut exchange = || {
        for stream in &mut streams {
            stream.write_all(&message).expect("the server reads");
        }
        for stream in &mut streams {
            stream.read_exact(&mut answer).expect("the server answers");
            assert_eq!(answer, message);
        }
    };
    // Once unmeasured: every connection is accepted and has a task when it is over.
    exchange();
    let (process, own) = (clock::process(), clock::thread());
    for _ in 0..rounds {
        exchange();
    }
    let own = clock::thread() - own;
    (clock::process() - process).saturating_sub(own)
}

/// Runs `rounds` messages of `N` bytes over each of `connections`, client and server on the runtime.
async fn echo<R: Rt, const N: usize>(rt: R, connections: usize, rounds: u64) -> Duration {
    let (mut listener, addr) = rt.listen().await.expect("a free port");
    let mut servers = Vec::with_capacity(connections);
    let mut streams = Vec::with_capacity(connections);
    for _ in 0..connections {
        let connecting = rt.spawn(async move { rt.connect(addr).await });
        let stream = R::accept(&mut listener).await.expect("a connection");
        servers.push(rt.spawn(serve::<R, N>(stream)));
        streams.push(connecting.await.expect("the server listens"));
    }
    let start = Instant::now();
    let ask = |stream| rt.spawn(ask::<R, N>(stream, rounds));
    let clients: Vec<_> = streams.into_iter().map(ask).collect();
    for client in clients {
        client.await;
    }
    let time = start.elapsed();
    for server in servers {
        server.await;
    }
    time
}

async fn serve<R: Rt, const N: usize>(mut stream: R::Stream) {
    let mut buffer = vec![0; N];
    loop {
        let length = R::read(&mut stream, &mut buffer)
            .await
            .expect("the client writes");
        if length == 0 {
            return;
        }
        R::write_all(&mut stream, &buffer[..length])
            .await
            .expect("the client reads");
    }
}

async fn ask<R: Rt, const N: usize>(mut stream: R::Stream, rounds: u64) {
    let message = vec![7; N];
    let mut answer = vec![0; N];
    for _ in 0..rounds {
        R::write_all(&mut stream, &message)
            .await
            .expect("the server reads");
        let mut length = 0;
        while length < N {
            let more = R::read(&mut stream, &mut answer[length..])
                .await
                .expect("an answer");
            assert_ne!(more, 0, "the server hung up");
            length += more;
        }
        assert_eq!(answer, message);
    }
}
