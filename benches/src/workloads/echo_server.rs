//! What an echo server costs: processor time per request.
//!
//! The client is a plain thread, the same for every runtime, and what it uses does not count.

use std::{
    io::{Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    thread,
    time::Duration,
};

use super::tcp::{BUFFER, serve};
use crate::{
    clock,
    rt::Peer,
    sys::{self, EchoServer},
    workload::{Case, Effort, Entry, Metric, Workload, entry, per_operation},
};

/// The workloads of this module.
#[must_use]
pub fn all() -> Vec<Entry> {
    vec![
        entry::<EchoServerCpu<1>>(),
        entry::<EchoServerCpu<32>>(),
        entry::<EchoServerCpu<500>>(),
    ]
}

const BYTES: usize = 64;

/// Half of what the queues of the listeners take at least. Whoever finds one full asks again a second later; so the server gets time to
/// accept as many before there are more.
const CONNECTED_AT_ONCE: usize = 64;

/// Processor time of the server alone with so many connections; per request.
#[derive(Debug)]
pub struct EchoServerCpu<const CONNECTIONS: usize>;

impl<const CONNECTIONS: usize> Workload for EchoServerCpu<CONNECTIONS> {
    const NAME: &'static str = match CONNECTIONS {
        1 => "echo_1_server",
        32 => "echo_32_server",
        500 => "echo_500_server",
        _ => panic!("a server without a name"),
    };
    const ELEMENTS: u64 = CONNECTIONS as u64;
    const METRIC: Metric = Metric::Cpu;
    const EFFORT: Effort = if CONNECTIONS == 32 {
        Effort::Usual
    } else {
        Effort::Full
    };

    fn limits() -> Vec<Case> {
        let case = |server: EchoServer| Case::limit(server.name, limit::<CONNECTIONS>);
        sys::ECHO_SERVER.map(case).into_iter().collect()
    }

    async fn run<R: Peer>(rt: R, rounds: u64) -> Duration {
        let (mut listener, addr) = rt.listen().await.expect("a free port");
        let (done, result) = async_channel::bounded(1);
        let client = thread::spawn(move || {
            let time = drive::<CONNECTIONS>(addr, rounds);
            done.send_blocking(time).expect("the workload waits");
        });
        let mut servers = Vec::with_capacity(CONNECTIONS);
        for _ in 0..CONNECTIONS {
            let stream = R::accept(&mut listener).await.expect("a connection");
            servers.push(rt.spawn(serve::<R, BUFFER>(stream)));
        }
        let time = result.recv().await.expect("the client answers");
        client.join().expect("the client ends");
        for server in servers {
            server.await;
        }
        time
    }
}

/// The same on the platform's own server.
fn limit<const CONNECTIONS: usize>(threads: usize, rounds: u64) -> f64 {
    let server = sys::ECHO_SERVER.expect("it is in the table");
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    let addr = listener.local_addr().expect("it is bound");
    let client = thread::spawn(move || drive::<CONNECTIONS>(addr, rounds));
    (server.run)(listener, CONNECTIONS, threads);
    let time = client.join().expect("the client ends");
    per_operation(time, rounds * CONNECTIONS as u64)
}

/// Sends a message on each of so many connections, then reads each answer, `rounds` times; returns the
/// processor time that other threads of the process used meanwhile.
fn drive<const CONNECTIONS: usize>(addr: SocketAddr, rounds: u64) -> Duration {
    let connect = |index| {
        if index % CONNECTED_AT_ONCE == CONNECTED_AT_ONCE - 1 {
            thread::sleep(Duration::from_millis(1));
        }
        let stream = TcpStream::connect(addr).expect("the server listens");
        stream.set_nodelay(true).expect("a TCP socket");
        stream
    };
    let mut streams: Vec<_> = (0..CONNECTIONS).map(connect).collect();
    let message = [7; BYTES];
    let mut answer = [0; BYTES];
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
