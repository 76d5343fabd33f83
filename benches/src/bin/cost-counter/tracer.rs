//! The counting side: follows the worker of a child process instruction by instruction.
//!
//! The child's worker stops itself once it is warm, and the other threads are stopped with it. From there
//! the worker is single-stepped; at each stop the instruction about to run is classified by its bytes,
//! once for each address, and counted. The marks that the workload passes tell when to begin and when to
//! end.
//!
//! A followed program runs some ten thousand times slower, and one that measures itself by the clock would
//! behave differently: to it, every poll takes milliseconds. So the clock is slowed down with it. A call
//! of the function that reads the clock does not get there; the answer is computed from the number of
//! instructions so far.

use std::{
    collections::HashMap,
    env, fs,
    io::{Error, Result},
    process::{Child, Command, Stdio},
    sync::mpsc::{self, RecvTimeoutError},
    thread,
    time::{Duration, Instant},
};

use nix::{
    errno::Errno,
    libc::{SYS_getpgid, c_void, user_regs_struct},
    sched::{CpuSet, sched_getaffinity, sched_setaffinity},
    sys::{
        ptrace,
        signal::{Signal, kill},
        wait::{WaitPidFlag, WaitStatus, waitpid},
    },
    unistd::Pid,
};
use tasca_benches::workload::Mark;

use crate::{
    decode::{Kind, kind},
    traced::mark_of,
    vdso,
};

/// The worker must have warmed up by then.
const WARM_UP_MAX: Duration = Duration::from_secs(60);

/// The worker must have come to the end by then: one that waits for another thread never does.
const TRACED_MAX: Duration = Duration::from_secs(300);

/// How fast the clock of a followed program goes: about as a real processor's, one instruction a cycle.
const STEPS_PER_NS: u64 = 3;

/// The clock that [`Instant`] reads.
const MONOTONIC: u64 = 1;

/// What was counted in a stretch of the run.
#[derive(Clone, Debug, Default)]
pub(crate) struct Counts {
    /// How often the clock was read.
    pub(crate) clock_reads: u64,
    /// How often each instruction ran, by its place: an offset into the program, or an address outside
    /// of it.
    pub(crate) sites: HashMap<u64, (Kind, u64)>,
}

/// Runs this program again as `--traced runtime workload rounds`; counts the first stretch, of that many
/// rounds, and the second, of twice as many.
pub(crate) fn count(runtime: &str, workload: &str, rounds: u64) -> Result<[Counts; 2]> {
    let cores = sched_getaffinity(Pid::from_raw(0))?;
    let mut child = Command::new(env::current_exe()?)
        .args(["--traced", runtime, workload, &rounds.to_string()])
        .stdin(Stdio::null())
        .spawn()?;
    let counted = follow(&mut child);
    // The next child starts with all cores again.
    sched_setaffinity(Pid::from_raw(0), &cores)?;
    // This one may be in the middle of its work, and has nothing to clean up.
    let ended = child.kill().and_then(|()| child.wait());
    let counts = counted?;
    ended?;
    Ok(counts)
}

fn follow(child: &mut Child) -> Result<[Counts; 2]> {
    let process = Pid::from_raw(child.id().cast_signed());
    let worker = wait_for_worker(child, process)?;
    // The child does not outlive this process, whatever ends that.
    ptrace::setoptions(worker, ptrace::Options::PTRACE_O_EXITKILL)?;
    let others = stop_others(process, worker)?;
    share_a_core(worker)?;
    let base = load_address(process)?;
    let clock = vdso::clock_address(process)?;
    let counts = within(TRACED_MAX, process, || step_through(worker, base, clock));
    // Unless they are let go, the process cannot be waited for. What has ended is free already.
    for thread in others.into_iter().chain([worker]) {
        match ptrace::detach(thread, Signal::SIGKILL) {
            Ok(()) | Err(Errno::ESRCH) => {}
            Err(error) => return Err(error.into()),
        }
    }
    counts
}

/// Stops all threads of the child but its worker. They could do its work for it: what looks after workers
/// that are stuck would soon come to this one's help.
fn stop_others(process: Pid, worker: Pid) -> Result<Vec<Pid>> {
    let mut stopped = Vec::new();
    loop {
        let running: Vec<_> = threads(process)?
            .into_iter()
            .filter(|thread| *thread != worker && !stopped.contains(thread))
            .collect();
        if running.is_empty() {
            return Ok(stopped);
        }
        // Those may have started others before they were stopped, so it takes another look.
        for thread in running {
            ptrace::seize(thread, ptrace::Options::PTRACE_O_EXITKILL)?;
            ptrace::interrupt(thread)?;
            waitpid(thread, Some(WaitPidFlag::__WALL))?;
            stopped.push(thread);
        }
    }
}

/// The threads that a process has now, the first one included.
fn threads(process: Pid) -> Result<Vec<Pid>> {
    let number = |entry: fs::DirEntry| entry.file_name().to_str()?.parse().ok();
    let mut threads = Vec::new();
    for entry in fs::read_dir(format!("/proc/{process}/task"))? {
        threads.extend(number(entry?).map(Pid::from_raw));
    }
    Ok(threads)
}

/// Calls `body`; kills the process that it waits for if that takes longer than `limit`.
fn within<T>(limit: Duration, process: Pid, body: impl FnOnce() -> T) -> T {
    let (done, ended) = mpsc::channel::<()>();
    thread::scope(|scope| {
        scope.spawn(move || {
            if ended.recv_timeout(limit) == Err(RecvTimeoutError::Timeout) {
                // If it has ended in this moment, so much the better.
                kill(process, Signal::SIGKILL).ok();
            }
        });
        let output = body();
        drop(done);
        output
    })
}

fn step_through(worker: Pid, base: u64, clock: Option<u64>) -> Result<[Counts; 2]> {
    let mut kinds = HashMap::new();
    let mut counts = [Counts::default(), Counts::default()];
    let mut stretch = None;
    let mut last = 0;
    let start = monotonic_now()?;
    let mut n_steps = 0;
    loop {
        let mut registers = ptrace::getregs(worker)?;
        if Some(registers.rip) == clock && registers.rdi == MONOTONIC {
            answer(
                worker,
                &mut registers,
                start + Duration::from_nanos(n_steps / STEPS_PER_NS),
            )?;
            if let Some(index) = stretch {
                let counts: &mut Counts = &mut counts[index];
                counts.clock_reads += 1;
            }
        }
        let address = registers.rip;
        let kind = match kinds.get(&address) {
            Some(&kind) => kind,
            None => *kinds.entry(address).or_insert(read_kind(worker, address)?),
        };
        match mark(kind, &registers) {
            Some(Mark::Begin) => stretch = Some(0),
            Some(Mark::Middle) => stretch = Some(1),
            Some(Mark::End) => return Ok(counts),
            None => {
                let again = kind == Kind::Repeated && address == last;
                if let (Some(index), false) = (stretch, again) {
                    let sites = &mut counts[index].sites;
                    sites
                        .entry(address.wrapping_sub(base))
                        .or_insert((kind, 0))
                        .1 += 1;
                }
            }
        }
        last = address;
        n_steps += 1;
        step(worker)?;
    }
}

/// Returns from the function that reads the clock as if it had run, with `now` for an answer.
fn answer(worker: Pid, registers: &mut user_regs_struct, now: Duration) -> Result<()> {
    let seconds = i64::try_from(now.as_secs()).map_err(Error::other)?;
    ptrace::write(worker, pointer(registers.rsi), seconds)?;
    ptrace::write(
        worker,
        pointer(registers.rsi + 8),
        i64::from(now.subsec_nanos()),
    )?;
    registers.rax = 0;
    registers.rip = ptrace::read(worker, pointer(registers.rsp))?.cast_unsigned();
    registers.rsp += 8;
    Ok(ptrace::setregs(worker, *registers)?)
}

/// The clock that the child has seen so far.
fn monotonic_now() -> Result<Duration> {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    let secs = u64::try_from(now.tv_sec).map_err(Error::other)?;
    let nanos = u32::try_from(now.tv_nsec).map_err(Error::other)?;
    Ok(Duration::new(secs, nanos))
}

/// An address in the child.
fn pointer(address: u64) -> *mut c_void {
    // The platform is one of 64 bits.
    std::ptr::without_provenance_mut(address as usize)
}

/// The mark that the instruction about to run is, if it is one.
fn mark(kind: Kind, registers: &user_regs_struct) -> Option<Mark> {
    let is_getpgid = kind == Kind::Syscall && i64::try_from(registers.rax) == Ok(SYS_getpgid);
    is_getpgid.then(|| mark_of(registers.rdi)).flatten()
}

fn read_kind(worker: Pid, address: u64) -> Result<Kind> {
    let read = |at| ptrace::read(worker, pointer(at));
    let mut code = read(address)?.to_le_bytes().to_vec();
    // The last instruction of a mapping may have nothing readable behind it.
    if let Ok(more) = read(address + 8) {
        code.extend(more.to_le_bytes());
    }
    Ok(kind(&code))
}

fn step(worker: Pid) -> Result<()> {
    let mut signal = None;
    loop {
        ptrace::step(worker, signal)?;
        match waitpid(worker, Some(WaitPidFlag::__WALL))? {
            WaitStatus::Stopped(_, Signal::SIGTRAP) => return Ok(()),
            WaitStatus::Stopped(_, other) => signal = Some(other),
            status => return Err(Error::other(format!("the worker ended: {status:?}"))),
        }
    }
}

/// Waits until one of the child's threads has stopped itself.
fn wait_for_worker(child: &mut Child, process: Pid) -> Result<Pid> {
    let start = Instant::now();
    while start.elapsed() < WARM_UP_MAX {
        if let Some(status) = child.try_wait()? {
            return Err(Error::other(format!("the workload ended early: {status}")));
        }
        // The first thread is no worker, and waiting for it would be waiting for the process.
        for thread in threads(process)?
            .into_iter()
            .filter(|thread| *thread != process)
        {
            let flags = WaitPidFlag::__WALL | WaitPidFlag::WNOHANG;
            match waitpid(thread, Some(flags)) {
                Ok(WaitStatus::Stopped(worker, Signal::SIGSTOP)) => return Ok(worker),
                // Threads that have not asked to be traced are not to be waited for.
                Ok(WaitStatus::StillAlive) | Err(Errno::ECHILD) => {}
                other => return Err(Error::other(format!("the worker did not stop: {other:?}"))),
            }
        }
        thread::sleep(Duration::from_micros(100));
    }
    Err(Error::other("no worker has stopped to be traced"))
}

/// Puts tracer and worker on one core: the two take turns, and to wake somebody on another core costs
/// more than the step.
fn share_a_core(worker: Pid) -> Result<()> {
    let mut set = CpuSet::new();
    let allowed = sched_getaffinity(worker)?;
    let core = (0..CpuSet::count()).find(|&core| allowed.is_set(core).unwrap_or(false));
    set.set(core.ok_or_else(|| Error::other("no core is allowed"))?)?;
    sched_setaffinity(worker, &set)?;
    Ok(sched_setaffinity(Pid::from_raw(0), &set)?)
}

/// Where the child's copy of this program begins.
fn load_address(process: Pid) -> Result<u64> {
    let maps = fs::read_to_string(format!("/proc/{process}/maps"))?;
    let first = maps.split('-').next().unwrap_or_default();
    u64::from_str_radix(first, 16).map_err(Error::other)
}
