//! Calls to the system that fail now and then: a thread that answers in the system's place (seccomp again, see
//! [`denied`](crate::denied)), from a script.
//!
//! A filter alone gives the same answer for ever. Here the error is a passing one, so that what comes after it can be looked at.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::mem::zeroed;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::sync::Arc;
use std::thread;

use parking_lot::Mutex;

use crate::denied::{CALL, install, jump_unless, load, statement};

/// A call, by its number and its first argument, which is a descriptor.
type Call = (libc::c_long, i32);

/// The errors that calls are still to give.
#[derive(Clone, Debug, Default)]
pub(crate) struct Script(Arc<Mutex<HashMap<Call, VecDeque<i32>>>>);

impl Script {
    /// From now on this thread, and those that it starts, make these calls after the script. It is empty as yet.
    ///
    /// # Panics
    ///
    /// If the system takes no such filter.
    pub(crate) fn for_calls(calls: &[libc::c_long]) -> Self {
        let script = Self::default();
        let answers = script.clone();
        // Started first, so that its own calls are the system's.
        let (give, take) = std::sync::mpsc::channel();
        thread::spawn(move || answers.answer(&take.recv().expect("a filter is installed")));
        let mut program = Vec::new();
        for call in calls {
            let call = u32::try_from(*call).expect("numbers of calls are small");
            program.extend([
                load(CALL),
                jump_unless(call, 1),
                statement(libc::BPF_RET | libc::BPF_K, libc::SECCOMP_RET_USER_NOTIF),
            ]);
        }
        let listener = install(&mut program, libc::SECCOMP_FILTER_FLAG_NEW_LISTENER);
        // SAFETY: with that flag it is a new descriptor, which nobody else owns.
        let listener = unsafe { OwnedFd::from_raw_fd(listener) };
        give.send(listener).expect("the thread waits for it");
        script
    }

    /// The next calls on this descriptor fail with these errors, one after the other.
    pub(crate) fn fail(&self, call: libc::c_long, on: &impl AsRawFd, errors: &[i32]) {
        let mut script = self.0.lock();
        script
            .entry((call, on.as_raw_fd()))
            .or_default()
            .extend(errors);
    }

    /// How many errors have not been given yet.
    pub(crate) fn n_left(&self) -> usize {
        self.0.lock().values().map(VecDeque::len).sum()
    }

    /// Answers until the process ends.
    fn answer(&self, listener: &OwnedFd) {
        loop {
            // SAFETY: numbers, for which zero is a value; the system asks for zeros.
            let mut asked: libc::seccomp_notif = unsafe { zeroed() };
            if !control(listener, libc::SECCOMP_IOCTL_NOTIF_RECV, &mut asked) {
                // Whoever called has been interrupted by a signal.
                continue;
            }
            let call = libc::c_long::from(asked.data.nr);
            // Descriptors are passed as the lower half.
            let descriptor = asked.data.args[0] as i32;
            let error = self
                .0
                .lock()
                .get_mut(&(call, descriptor))
                .and_then(VecDeque::pop_front);
            let goes_on = u32::try_from(libc::SECCOMP_USER_NOTIF_FLAG_CONTINUE);
            let mut answer = libc::seccomp_notif_resp {
                id: asked.id,
                val: 0,
                error: error.map_or(0, |error| -error),
                flags: match error {
                    Some(_) => 0,
                    None => goes_on.expect("it is a small number"),
                },
            };
            control(listener, libc::SECCOMP_IOCTL_NOTIF_SEND, &mut answer);
        }
    }
}

/// Calls `ioctl`; `false` if it fails, as it does when the call that it is about is no more.
fn control<T>(listener: &OwnedFd, request: libc::Ioctl, argument: &mut T) -> bool {
    // SAFETY: the descriptor is open, and `argument` is the structure that belongs to the request.
    let status =
        unsafe { libc::ioctl(listener.as_raw_fd(), request, std::ptr::from_mut(argument)) };
    let error = io::Error::last_os_error();
    assert!(
        status == 0 || matches!(error.raw_os_error(), Some(libc::ENOENT | libc::EINTR)),
        "{error}"
    );
    status == 0
}
