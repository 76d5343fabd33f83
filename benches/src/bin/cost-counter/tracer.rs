//! The counting side: follows the worker of a child process instruction by instruction.
//!
//! The child's worker stops itself once it is warm. From there it is single-stepped; at each stop the
//! instruction about to run is classified by its bytes, once for each address, and counted. The marks
//! that the workload passes tell when to begin and when to end.

use std::{
    collections::HashMap,
    env, fs,
    io::{Error, Result},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use nix::{
    errno::Errno,
    libc::{SYS_getpgid, user_regs_struct},
    sched::{CpuSet, sched_getaffinity, sched_setaffinity},
    sys::{
        ptrace,
        signal::Signal,
        wait::{WaitPidFlag, WaitStatus, waitpid},
    },
    unistd::Pid,
};
use tasca_benches::workload::Mark;

use crate::{
    decode::{Kind, kind},
    traced::mark_of,
};

/// The worker must have warmed up by then.
const WARM_UP_MAX: Duration = Duration::from_secs(60);

/// How often each instruction ran in a stretch of the run, by its place: an offset into the program, or an
/// address outside of it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Counts(pub(crate) HashMap<u64, (Kind, u64)>);

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
    let worker = wait_for_worker(child)?;
    // It does not outlive this process, whatever ends that.
    ptrace::setoptions(worker, ptrace::Options::PTRACE_O_EXITKILL)?;
    share_a_core(worker)?;
    let base = load_address(child.id())?;
    let counts = step_through(worker, base);
    // Unless it is let go, its process cannot be waited for. If it has ended there is nothing to let go.
    match ptrace::detach(worker, None) {
        Ok(()) | Err(Errno::ESRCH) => counts,
        Err(error) => Err(error.into()),
    }
}

fn step_through(worker: Pid, base: u64) -> Result<[Counts; 2]> {
    let mut kinds = HashMap::new();
    let mut counts = [Counts::default(), Counts::default()];
    let mut stretch = None;
    let mut last = 0;
    loop {
        let registers = ptrace::getregs(worker)?;
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
                    let Counts(counts) = &mut counts[index];
                    counts
                        .entry(address.wrapping_sub(base))
                        .or_insert((kind, 0))
                        .1 += 1;
                }
            }
        }
        last = address;
        step(worker)?;
    }
}

/// The mark that the instruction about to run is, if it is one.
fn mark(kind: Kind, registers: &user_regs_struct) -> Option<Mark> {
    let is_getpgid = kind == Kind::Syscall && i64::try_from(registers.rax) == Ok(SYS_getpgid);
    is_getpgid.then(|| mark_of(registers.rdi)).flatten()
}

fn read_kind(worker: Pid, address: u64) -> Result<Kind> {
    let read = |at: u64| ptrace::read(worker, std::ptr::without_provenance_mut(at as usize));
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
fn wait_for_worker(child: &mut Child) -> Result<Pid> {
    let start = Instant::now();
    while start.elapsed() < WARM_UP_MAX {
        if let Some(status) = child.try_wait()? {
            return Err(Error::other(format!("the workload ended early: {status}")));
        }
        for thread in fs::read_dir(format!("/proc/{}/task", child.id()))? {
            let name = thread?.file_name();
            let Some(number) = name.to_str().and_then(|name| name.parse::<i32>().ok()) else {
                continue;
            };
            // The first thread is no worker, and waiting for it would be waiting for the process.
            if u32::try_from(number) == Ok(child.id()) {
                continue;
            }
            let flags = WaitPidFlag::__WALL | WaitPidFlag::WNOHANG;
            match waitpid(Pid::from_raw(number), Some(flags)) {
                Ok(WaitStatus::Stopped(worker, Signal::SIGSTOP)) => return Ok(worker),
                // Threads that have not asked to be traced are not to be waited for.
                Ok(WaitStatus::StillAlive) | Err(Errno::ECHILD) => {}
                other => return Err(Error::other(format!("the worker did not stop: {other:?}"))),
            }
        }
        thread::sleep(Duration::from_millis(1));
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
fn load_address(process: u32) -> Result<u64> {
    let maps = fs::read_to_string(format!("/proc/{process}/maps"))?;
    let first = maps.split('-').next().unwrap_or_default();
    u64::from_str_radix(first, 16).map_err(Error::other)
}
