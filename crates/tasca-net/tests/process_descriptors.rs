//! A process that runs out of descriptors, and one that starts others. Both need a process of their own.
#![cfg(target_os = "linux")]

use std::fs::File;
use std::io;
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use futures::StreamExt;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tasca_core::{Runtime, Trouble};
use tasca_net::TcpListener;

/// Long enough for any machine; reached only where something hangs.
const HANG: Duration = Duration::from_secs(60);

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

/// One test, since descriptors belong to the whole process.
#[test]
fn a_listener_survives_a_lack_of_descriptors_and_children_inherit_none() {
    let (report, reports) = mpsc::channel();
    let rt = Runtime::builder()
        .multi_thread()
        .worker_threads(2)
        .exception_handler(move |problem| {
            if problem.trouble() == Trouble::AcceptFailed {
                report.send(problem.to_string()).unwrap();
            }
        })
        .build()
        .unwrap();
    let listener = rt.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
    let address = listener.local_addr().unwrap();

    children_inherit_no_descriptor();

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
    let n_accepted = Arc::new(AtomicUsize::new(0));
    let (accept, accepted) = mpsc::channel();
    let accepting = rt.handle().spawn({
        let n_accepted = Arc::clone(&n_accepted);
        async move {
            let mut incoming = listener.incoming();
            while let Some(stream) = incoming.next().await {
                n_accepted.fetch_add(1, Ordering::Relaxed);
                accept.send(stream).unwrap();
            }
        }
    });
    let text = reports.recv_timeout(HANG).expect("no report");
    assert!(
        text.contains("cannot accept connections, will try again"),
        "{text}"
    );

    // It pauses instead of turning in circles. There is no event to wait for: nothing happens.
    let before = cpu_time();
    assert_eq!(
        accepted
            .recv_timeout(Duration::from_millis(300))
            .unwrap_err(),
        mpsc::RecvTimeoutError::Timeout
    );
    let used = cpu_time() - before;
    assert!(used < Duration::from_millis(150), "used {used:?} of 300 ms");
    assert!(reports.try_recv().is_err(), "one report is enough");

    drop(taken);
    let streams: Vec<io::Result<_>> = clients
        .iter()
        .map(|_| accepted.recv_timeout(HANG).expect("a connection was lost"))
        .collect();
    assert!(streams.iter().all(Result::is_ok));

    // The next lack is news again.
    let late = TcpStream::connect(address).unwrap();
    drop(accepted.recv_timeout(HANG).unwrap());
    let mut taken = take_all_descriptors();
    drop(taken.pop());
    let later = TcpStream::connect(address).unwrap();
    reports.recv_timeout(HANG).expect("no second report");
    drop(taken);
    drop(accepted.recv_timeout(HANG).unwrap());
    drop((late, later));

    accepting.cancel();
    setrlimit(Resource::Nofile, limit).unwrap();
}

/// The descriptors of pollers and sockets are closed in what the process starts.
fn children_inherit_no_descriptor() {
    let child = Command::new("ls")
        .args(["-l", "/proc/self/fd"])
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let listing = String::from_utf8(child.stdout).unwrap();
    assert!(!listing.contains("socket:"), "{listing}");
    assert!(!listing.contains("anon_inode:"), "{listing}");
}
