//! Standard input: read by a thread of its own, which nobody ever waits for.
//!
//! A read of standard input may last until the user types something, so it cannot be a job of a pool: the end of a
//! runtime waits for those. Here one thread for the whole process reads a line whenever one is asked for. It is
//! no part of any runtime, so a runtime, and the process, end whatever it is doing.

use std::collections::VecDeque;
use std::io::{self, BufRead};
use std::thread;

use tasca_core::{Promise, promise};

use crate::primitive::{Condvar, Mutex};

/// Gives a handle to the process's standard input.
///
/// # Examples
///
/// ```no_run
/// # async fn example() -> std::io::Result<()> {
/// let mut stdin = tasca_blocking::stdin();
/// while let Some(line) = stdin.next_line().await? {
///     println!("you said {line}");
/// }
/// # Ok(()) }
/// ```
#[must_use]
pub fn stdin() -> Stdin {
    Stdin { _private: () }
}

/// Standard input, a line at a time; see [`stdin`].
#[derive(Debug)]
pub struct Stdin {
    _private: (),
}

/// One line, with its end; `None` at the end of the input.
type Line = io::Result<Option<String>>;

/// What the readers and the thread share.
struct Shared {
    state: Mutex<State>,
    /// Told when somebody asks.
    asked: Condvar,
}

struct State {
    has_thread: bool,
    waiting: VecDeque<Promise<Parcel>>,
    /// Lines that came for somebody who was gone.
    lines: VecDeque<Line>,
}

static SHARED: Shared = Shared {
    state: Mutex::new(State {
        has_thread: false,
        waiting: VecDeque::new(),
        lines: VecDeque::new(),
    }),
    asked: Condvar::new(),
};

/// A line on its way. If nobody takes it out, it goes back.
struct Parcel(Option<Line>);

impl Drop for Parcel {
    fn drop(&mut self) {
        if let Some(line) = self.0.take() {
            SHARED.state.lock().lines.push_front(line);
        }
    }
}

impl Stdin {
    /// Reads a line, without its end; `None` at the end of the input.
    ///
    /// # Errors
    ///
    /// Those of [`std::io::BufRead::read_line`]; also if the thread that reads cannot be started.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost: a line that comes too late is given to whoever asks next.
    pub async fn next_line(&mut self) -> io::Result<Option<String>> {
        let mut parcel = match ask()? {
            Asked::Here(line) => Parcel(Some(line)),
            Asked::Later(task) => task.await,
        };
        match parcel.0.take() {
            Some(line) => Ok(line?.map(without_end)),
            None => unreachable!("a parcel is opened once"),
        }
    }
}

enum Asked {
    Here(Line),
    Later(tasca_core::Task<Parcel>),
}

fn ask() -> io::Result<Asked> {
    let mut state = SHARED.state.lock();
    if let Some(line) = state.lines.pop_front() {
        return Ok(Asked::Here(line));
    }
    if !state.has_thread {
        // Detached, and never told to end: it may be in a read that nothing can end.
        thread::Builder::new()
            .name("tasca-stdin".into())
            .spawn(serve)?;
        state.has_thread = true;
    }
    let (promise, task) = promise();
    state.waiting.push_back(promise);
    drop(state);
    SHARED.asked.notify_one();
    Ok(Asked::Later(task))
}

/// The thread: reads only when somebody asks, so that others may read standard input, too.
fn serve() {
    loop {
        let mut state = SHARED.state.lock();
        while state.waiting.is_empty() {
            SHARED.asked.wait(&mut state);
        }
        drop(state);
        deliver(Parcel(Some(read_line())));
    }
}

/// Gives the line to the first who still waits, or keeps it.
fn deliver(mut parcel: Parcel) {
    loop {
        let next = SHARED.state.lock().waiting.pop_front();
        let Some(promise) = next else { return };
        match promise.set(parcel) {
            Ok(()) => return,
            Err(refused) => parcel = refused,
        }
    }
}

fn read_line() -> Line {
    let mut line = String::new();
    let n_bytes = io::stdin().lock().read_line(&mut line)?;
    Ok((n_bytes > 0).then_some(line))
}

fn without_end(mut line: String) -> String {
    if line.ends_with('\n') {
        line.pop();
        if line.ends_with('\r') {
            line.pop();
        }
    }
    line
}
