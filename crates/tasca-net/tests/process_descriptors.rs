//! A process that runs out of descriptors, and one that starts others. Both need a process of their own.
#![cfg(target_os = "linux")]

use std::fs::File;
use std::net::TcpStream;
use std::pin::pin;
use std::process::{Command, Stdio};
use std::time::Duration;

use futures::StreamExt;
use futures::channel::mpsc::{UnboundedReceiver, unbounded};
use futures::future::{Either, select};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tasca_core::time::sleep;
use tasca_core::{Runtime, Trouble};
use tasca_net::TcpListener;

#[expect(unreachable_pub, reason = "public where it belongs to")]
#[path = "../../../tests/src/guard.rs"]
mod guard;

use guard::{HANG, guarded};

/// Takes all descriptors that are left.
fn take_all_descriptors() -> Vec<File> {
    let mut taken = Vec::new();
    loop {
        match File::open("/dev/null") {
            Ok(file) => taken.push(file),
            Err(error) => {
                assert_eq!(error.raw_os_error(), Some(libc_emfile()));
                return taken;
            }
        }
    }
}

fn libc_emfile() -> i32 {
    rustix::io::Errno::MFILE.raw_os_error()
}

fn cpu_time() -> Duration {
    let usage = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::try_from(usage).unwrap()
}

/// What comes next; `None` if nothing does within the time.
fn next<T>(rt: &Runtime, from: &mut UnboundedReceiver<T>, at_most: Duration) -> Option<T> {
    rt.block_on(async {
        match select(from.next(), pin!(sleep(at_most))).await {
            Either::Left((item, _)) => item,
            Either::Right(_) => None,
        }
    })
}

/// One test, since descriptors belong to the whole process.
#[test]
fn a_listener_survives_a_lack_of_descriptors_and_children_inherit_none() {
    guarded(
        "a listener survives a lack of descriptors and children",
        || {
            let n_given = n_sockets_of_a_child();
            let (report, mut reports) = unbounded();
            let rt = Runtime::builder()
                .multi_thread()
                .worker_threads(2)
                .exception_handler(move |problem| {
                    if problem.trouble() == Trouble::AcceptFailed {
                        report.unbounded_send(problem.to_string()).unwrap();
                    }
                })
                .build()
                .unwrap();
            let listener = rt.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
            let address = listener.local_addr().unwrap();

            assert_eq!(n_sockets_of_a_child(), n_given);

            let limit = getrlimit(Resource::Nofile);
            let lowered = Rlimit {
                current: Some(100),
                maximum: limit.maximum,
            };
            setrlimit(Resource::Nofile, lowered).unwrap();

            // Connections wait in the listener's queue before anybody accepts.
            let clients: Vec<_> = (0..5)
                .map(|_| TcpStream::connect(address).unwrap())
                .collect();
            let taken = take_all_descriptors();
            let (accept, mut accepted) = unbounded();
            let accepting = rt.handle().spawn(async move {
                let mut incoming = listener.incoming();
                while let Some(stream) = incoming.next().await {
                    accept.unbounded_send(stream.unwrap()).unwrap();
                }
            });
            let text = next(&rt, &mut reports, HANG).expect("no report");
            assert!(
                text.contains("cannot accept connections, will try again"),
                "{text}"
            );

            // It pauses instead of turning in circles. There is no event to wait for: nothing happens.
            let before = cpu_time();
            assert!(next(&rt, &mut accepted, Duration::from_millis(300)).is_none());
            let used = cpu_time() - before;
            assert!(used < Duration::from_millis(150), "used {used:?} of 300 ms");
            assert!(
                next(&rt, &mut reports, Duration::ZERO).is_none(),
                "one report is enough"
            );

            drop(taken);
            let streams: Vec<_> = clients
                .iter()
                .map(|_| next(&rt, &mut accepted, HANG).expect("a connection was lost"))
                .collect();
            drop(streams);

            // The next lack is news again.
            let late = TcpStream::connect(address).unwrap();
            drop(next(&rt, &mut accepted, HANG).unwrap());
            let mut taken = take_all_descriptors();
            drop(taken.pop());
            let later = TcpStream::connect(address).unwrap();
            next(&rt, &mut reports, HANG).expect("no second report");
            drop(taken);
            drop(next(&rt, &mut accepted, HANG).unwrap());
            drop((late, later));

            accepting.cancel();
            setrlimit(Resource::Nofile, limit).unwrap();
        },
    );
}

/// How many pollers and sockets a process has that this one starts: those that this one was itself given at its start, and no others.
fn n_sockets_of_a_child() -> usize {
    let child = Command::new("ls")
        .args(["-l", "/proc/self/fd"])
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let listing = String::from_utf8(child.stdout).unwrap();
    let is_one = |line: &&str| line.contains("socket:") || line.contains("anon_inode:");
    listing.lines().filter(is_one).count()
}
