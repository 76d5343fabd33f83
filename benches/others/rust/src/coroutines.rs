//! may: coroutines with stacks, on as many threads as one likes.

use std::{
    io::{Read, Write},
    time::{Duration, Instant},
};

use may::{
    coroutine::{self, JoinHandle},
    go,
    net::{TcpListener, TcpStream},
    sync::mpsc,
};

use crate::Workload;

/// Sets the number of threads; before anything else, and once.
pub(crate) fn start(workers: usize) {
    may::config().set_workers(workers);
}

pub(crate) fn all() -> Vec<Workload> {
    vec![
        ("spawn_join", 1, |rounds| inside(spawn_join, rounds)),
        ("spawn_join_100", 100, |rounds| {
            inside(spawn_join_100, rounds)
        }),
        ("yield_alone", 1, |rounds| inside(yield_alone, rounds)),
        ("yield_100", 100, |rounds| inside(yield_100, rounds)),
        ("ping_pong", 1, |rounds| inside(ping_pong, rounds)),
        ("echo_1", 1, |rounds| {
            inside(|rounds| echo(1, rounds), rounds)
        }),
        ("echo_32", 32, |rounds| {
            inside(|rounds| echo(32, rounds), rounds)
        }),
    ]
}

/// Runs a workload in a coroutine.
fn inside(run: fn(u64) -> Duration, rounds: u64) -> Duration {
    go!(move || run(rounds)).join().expect("the workload ends")
}

fn spawn_join(rounds: u64) -> Duration {
    let start = Instant::now();
    for number in 0..rounds {
        assert_eq!(go!(move || number).join().expect("it ends"), number);
    }
    start.elapsed()
}

fn spawn_join_100(rounds: u64) -> Duration {
    let mut joins: Vec<JoinHandle<u64>> = Vec::with_capacity(100);
    let start = Instant::now();
    for round in 0..rounds {
        joins.extend((0..100).map(|number| go!(move || round + number)));
        let mut sum = 0;
        for join in joins.drain(..) {
            sum += join.join().expect("it ends");
        }
        assert_eq!(sum, round * 100 + 4_950);
    }
    start.elapsed()
}

fn yield_alone(rounds: u64) -> Duration {
    let start = Instant::now();
    for _ in 0..rounds {
        coroutine::yield_now();
    }
    start.elapsed()
}

fn yield_100(rounds: u64) -> Duration {
    let start = Instant::now();
    let spawn = |_| {
        go!(move || {
            for _ in 0..rounds {
                coroutine::yield_now();
            }
        })
    };
    let tasks: Vec<_> = (0..100).map(spawn).collect();
    for task in tasks {
        task.join().expect("it ends");
    }
    start.elapsed()
}

fn ping_pong(rounds: u64) -> Duration {
    let (there, receive) = mpsc::channel::<u64>();
    let (back, answer) = mpsc::channel::<u64>();
    let echo = go!(move || {
        while let Ok(number) = receive.recv() {
            back.send(number + 1).expect("the other side is there");
        }
    });
    let start = Instant::now();
    for number in 0..rounds {
        there.send(number).expect("the other side is there");
        assert_eq!(answer.recv(), Ok(number + 1));
    }
    let time = start.elapsed();
    drop(there);
    echo.join().expect("it ends");
    time
}

fn echo(connections: usize, rounds: u64) -> Duration {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let addr = listener.local_addr().expect("it is bound");
    let mut servers = Vec::with_capacity(connections);
    let mut streams = Vec::with_capacity(connections);
    for _ in 0..connections {
        let connecting = go!(move || TcpStream::connect(addr).expect("the server listens"));
        let (stream, _) = listener.accept().expect("a connection");
        stream.set_nodelay(true).expect("a TCP socket");
        servers.push(go!(move || serve(stream)));
        let stream = connecting.join().expect("it connects");
        stream.set_nodelay(true).expect("a TCP socket");
        streams.push(stream);
    }
    for stream in &mut streams {
        ask(stream, 1);
    }
    let start = Instant::now();
    let ask = |mut stream| {
        go!(move || {
            ask(&mut stream, rounds);
            stream
        })
    };
    let clients: Vec<_> = streams.into_iter().map(ask).collect();
    let mut streams = Vec::with_capacity(connections);
    for client in clients {
        streams.push(client.join().expect("the client ends"));
    }
    let time = start.elapsed();
    drop(streams);
    for server in servers {
        server.join().expect("the server ends");
    }
    time
}

fn serve(mut stream: TcpStream) {
    let mut buffer = vec![0; 8_192];
    loop {
        let length = stream.read(&mut buffer).expect("the client writes");
        if length == 0 {
            return;
        }
        stream
            .write_all(&buffer[..length])
            .expect("the client reads");
    }
}

fn ask(stream: &mut TcpStream, rounds: u64) {
    let message = [7; 64];
    let mut answer = [0; 64];
    for _ in 0..rounds {
        stream.write_all(&message).expect("the server reads");
        stream.read_exact(&mut answer).expect("an answer");
        assert_eq!(answer, message);
    }
}
