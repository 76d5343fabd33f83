//! What tasks, timers and connections take of memory. A program has millions of them: a field more is a decision.

use std::net::TcpStream;
use std::time::Duration;

use crate::driver::Driver;
use crate::io::Async;
use crate::scheduler::timers::Shard;
use crate::task::cancel::Note;
use crate::task::ext::Ext;
use crate::task::header::Header;
use crate::task::job::Job;
use crate::task::job_queue::Link;
use crate::time::{Sleep, sleep};

/// Bytes of the cell of a task with this future, whose output is smaller.
fn cell_bytes<F>(_: &F) -> usize {
    (size_of::<Header>() + size_of::<Note>() + size_of::<F>()).next_multiple_of(8)
}

#[test]
fn a_task_is_80_bytes_and_its_future() {
    assert_eq!(size_of::<Header>() + size_of::<Note>(), 80);
}

/// A closure that waits for a thread takes nothing beside its cell: the place in the queue is in there.
#[test]
fn a_job_is_72_bytes_and_its_closure_or_output() {
    assert_eq!(size_of::<Header>() + size_of::<Link>(), 72);
    assert_eq!(size_of::<Job>(), 8);
}

#[test]
fn a_side_block_is_two_lines() {
    assert!(size_of::<Ext>() <= 128);
}

#[test]
fn a_sleeping_task_is_at_most_180_bytes() {
    assert_eq!(size_of::<Sleep>(), 40);
    assert_eq!(Shard::BYTES_PER_TIMER, 52);
    let bare = sleep(Duration::ZERO);
    assert!(cell_bytes(&bare) + Shard::BYTES_PER_TIMER <= 180);
    let in_a_block = async { sleep(Duration::ZERO).await };
    assert!(cell_bytes(&in_a_block) + Shard::BYTES_PER_TIMER <= 180);
}

/// The registration is one line of cache; the socket is in the future of its task, often twice: as an argument and as a local.
#[test]
fn a_connection_is_a_line_of_cache_and_40_bytes() {
    assert_eq!(Driver::BYTES_PER_SOURCE, 64);
    assert_eq!(size_of::<Async<TcpStream>>(), 40);
}
