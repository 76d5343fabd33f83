//! Linux: processor time, and an echo server on nothing but epoll.

use std::{
    fs,
    io::{ErrorKind, Read, Write},
    mem::MaybeUninit,
    net::{TcpListener, TcpStream},
    thread,
    time::Duration,
};

use rustix::{
    event::epoll::{self, CreateFlags, Event, EventData, EventFlags},
    param::page_size,
    process::{Resource, Rlimit, getrlimit, setrlimit},
    time::{ClockId, clock_gettime},
};

use super::EchoServer;

pub(crate) fn process_time() -> Duration {
    read(ClockId::ProcessCPUTime)
}

pub(crate) fn thread_time() -> Duration {
    read(ClockId::ThreadCPUTime)
}

fn read(id: ClockId) -> Duration {
    let time = clock_gettime(id);
    let secs = u64::try_from(time.tv_sec).expect("processor time is not negative");
    let nanos = u32::try_from(time.tv_nsec).expect("nanoseconds are below a billion");
    Duration::new(secs, nanos)
}

pub(crate) fn resident_bytes() -> u64 {
    let counts = fs::read_to_string("/proc/self/statm").expect("the system tells");
    let mut pages = counts
        .split(' ')
        .map(|pages| pages.parse::<u64>().expect("a number"));
    // The second is all that is resident, the third what of it is mapped from files: code that runs for the first time.
    let (all, mapped) = (pages.nth(1), pages.next());
    let own = all.zip(mapped).map(|(all, mapped)| all - mapped);
    own.expect("the system tells both") * page_size() as u64
}

pub(crate) fn allow_descriptors(count: u64) {
    let limit = getrlimit(Resource::Nofile);
    if limit.current.is_some_and(|current| current < count) {
        let raised = Rlimit {
            current: Some(limit.maximum.map_or(count, |maximum| maximum.min(count))),
            maximum: limit.maximum,
        };
        setrlimit(Resource::Nofile, raised).expect("below the maximum");
    }
}

/// On an epoll instance for each thread.
pub(crate) const ECHO_SERVER: Option<EchoServer> = Some(EchoServer {
    name: "epoll",
    run: serve,
});

/// Each thread has its own epoll instance and its share of the connections.
fn serve(listener: TcpListener, connections: usize, threads: usize) {
    let mut shares: Vec<_> = (0..threads).map(|_| Vec::new()).collect();
    for index in 0..connections {
        let (stream, _) = listener.accept().expect("a connection");
        stream.set_nodelay(true).expect("a TCP socket");
        stream.set_nonblocking(true).expect("a TCP socket");
        shares[index % threads].push(stream);
    }
    thread::scope(|scope| {
        for share in shares {
            scope.spawn(|| serve_share(share));
        }
    });
}

fn serve_share(streams: Vec<TcpStream>) {
    let poller = epoll::create(CreateFlags::CLOEXEC).expect("an epoll instance");
    for (index, stream) in streams.iter().enumerate() {
        let flags = EventFlags::IN | EventFlags::RDHUP | EventFlags::ET;
        epoll::add(&poller, stream, EventData::new_u64(index as u64), flags).expect("registered");
    }
    let mut left = streams.len();
    let mut streams: Vec<_> = streams.into_iter().map(Some).collect();
    let mut buffer = [0; 8_192];
    let mut events = [const { MaybeUninit::<Event>::uninit() }; 256];
    while left > 0 {
        let (ready, _) = epoll::wait(&poller, &mut events, None).expect("epoll waits");
        // Copied: the fields of an event lie unaligned.
        for &mut Event { flags, data, .. } in ready {
            let index = usize::try_from(data.u64()).expect("an index");
            let hung_up = flags.contains(EventFlags::RDHUP);
            // The end of a stream may be reported twice.
            let Some(stream) = &mut streams[index] else {
                continue;
            };
            if echo(stream, &mut buffer, hung_up) {
                streams[index] = None;
                left -= 1;
            }
        }
    }
}

/// Sends back what there is; returns whether the client has hung up.
fn echo(stream: &mut TcpStream, buffer: &mut [u8], hung_up: bool) -> bool {
    loop {
        let length = match stream.read(buffer) {
            Ok(0) => return true,
            Ok(length) => length,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return false,
            Err(error) => panic!("the client is gone: {error}"),
        };
        stream
            .write_all(&buffer[..length])
            .expect("an answer fits into the socket");
        // A short read has emptied the socket; only an end of stream may be behind it.
        if length < buffer.len() && !hung_up {
            return false;
        }
    }
}
