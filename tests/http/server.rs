//! The example server as a process of its own, which does not outlive the test.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;

use rustix::process::{Pid, Resource, Rlimit, Signal, getrlimit, kill_process, prlimit, setrlimit};
use tasca_tests::{HANG, let_interrupts_end_it};

/// The server of `crates/tasca/examples/http_server.rs`.
const PROGRAM: &str = env!("CARGO_BIN_EXE_http-server");

/// A running server. Killed when it is dropped.
pub(crate) struct Server {
    child: Child,
    pub(crate) address: SocketAddr,
    output: Lines,
    errors: Lines,
}

impl Server {
    /// Starts one on a port of its own, and waits until it listens.
    pub(crate) fn start() -> Self {
        // The server has as many descriptors as this process.
        raise_descriptor_limit();
        let_interrupts_end_it();
        let mut child = Command::new(PROGRAM)
            .arg("127.0.0.1:0")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the server starts");
        let output = Lines::of(child.stdout.take().expect("stdout is piped"));
        let errors = Lines::of(child.stderr.take().expect("stderr is piped"));
        let mut server = Self {
            child,
            address: SocketAddr::from(([127, 0, 0, 1], 0)),
            output,
            errors,
        };
        let line = server.output.wait_for("listening on http://");
        let address = line.rsplit('/').next().expect("a part is left");
        server.address = address.parse().expect("the server prints its address");
        server
    }

    /// Lets the server open only so many descriptors more.
    pub(crate) fn limit_descriptors(&self, n_more: usize) {
        let limit = Rlimit {
            current: Some((self.descriptors().len() + n_more) as u64),
            maximum: getrlimit(Resource::Nofile).maximum,
        };
        let before = prlimit(Some(self.pid()), Resource::Nofile, limit);
        before.expect("the limit can be lowered");
    }

    /// The address of a page.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// As Ctrl-C does.
    pub(crate) fn interrupt(&self) {
        kill_process(self.pid(), Signal::INT).expect("the server runs");
    }

    /// Waits until the server says this on its standard error.
    pub(crate) fn wait_for_report(&mut self, text: &str) {
        self.errors.wait_for(text);
    }

    /// Waits until it has ended by itself, with nothing that it had to leave behind.
    pub(crate) fn wait_for_end(mut self) -> ExitStatus {
        self.output.wait_for_end();
        let errors = self.errors.wait_for_end();
        let left_behind = errors.iter().find(|line| line.contains("left behind"));
        assert_eq!(left_behind, None);
        self.child.wait().expect("the server can be waited for")
    }

    /// Waits until it has no more sockets than a server without clients: the listener, and the pair through which the
    /// runtime hears of interrupts.
    pub(crate) fn wait_until_no_client_is_left(&self) {
        self.wait_for_sockets(3);
    }

    /// Waits until it has so many sockets.
    pub(crate) fn wait_for_sockets(&self, n_wanted: usize) {
        let began = std::time::Instant::now();
        loop {
            let n_sockets = self.n_sockets();
            if n_sockets == n_wanted {
                return;
            }
            assert!(
                began.elapsed() < HANG,
                "{n_sockets} sockets instead of {n_wanted}"
            );
            // Nobody tells when another process closes something.
            thread::yield_now();
        }
    }

    fn n_sockets(&self) -> usize {
        let is_socket = |what: &&String| what.starts_with("socket:");
        self.descriptors().iter().filter(is_socket).count()
    }

    /// What the server has open.
    fn descriptors(&self) -> Vec<String> {
        let open = fs::read_dir(format!("/proc/{}/fd", self.child.id())).expect("the server runs");
        // One may be closed while the list is read.
        let targets = open.filter_map(|entry| fs::read_link(entry.ok()?.path()).ok());
        targets
            .map(|target| target.to_string_lossy().into_owned())
            .collect()
    }

    fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended, which is as good.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// What a child prints, read by a thread so that waiting for it can end.
struct Lines(Receiver<String>);

impl Lines {
    fn of(source: impl Read + Send + 'static) -> Self {
        let (sender, lines) = channel();
        thread::spawn(move || {
            for line in BufReader::new(source).lines() {
                // Reading goes on when nobody listens any more: the child must not be kept from printing.
                drop(sender.send(line.expect("the child prints text")));
            }
        });
        Self(lines)
    }

    fn wait_for(&mut self, text: &str) -> String {
        loop {
            match self.0.recv_timeout(HANG) {
                Ok(line) if line.contains(text) => return line,
                Ok(_) => {}
                Err(error) => panic!("the server never said '{text}': {error}"),
            }
        }
    }

    /// Waits until the child says no more; gives what it said.
    fn wait_for_end(&mut self) -> Vec<String> {
        let mut lines = Vec::new();
        loop {
            match self.0.recv_timeout(HANG) {
                Ok(line) => lines.push(line),
                Err(RecvTimeoutError::Disconnected) => return lines,
                Err(RecvTimeoutError::Timeout) => panic!("the server does not end"),
            }
        }
    }
}

/// Lets this process, and those that it starts, have as many descriptors as it may.
fn raise_descriptor_limit() {
    let maximum = getrlimit(Resource::Nofile).maximum;
    let raised = Rlimit {
        current: maximum,
        maximum,
    };
    setrlimit(Resource::Nofile, raised).expect("the soft limit can be raised to the hard one");
}

/// How many that is.
pub(crate) fn n_descriptors_max() -> usize {
    let maximum = getrlimit(Resource::Nofile).maximum;
    maximum.map_or(usize::MAX, |n| usize::try_from(n).unwrap_or(usize::MAX))
}
