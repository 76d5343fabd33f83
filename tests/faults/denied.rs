//! Calls to the system that fail: a filter (seccomp) answers them in the system's place.
//!
//! It holds for the thread that sets it and for those that this one starts, and cannot be taken back, so it is set in a
//! process or a thread that ends with the test.

use std::io;

/// A call, by its number, that is to fail with an error.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Denied {
    pub(crate) call: libc::c_long,
    pub(crate) error: i32,
    /// Only where this argument (by position) has this value.
    pub(crate) argument: Option<(u32, u32)>,
}

impl Denied {
    pub(crate) const fn always(call: libc::c_long, error: i32) -> Self {
        Self {
            call,
            error,
            argument: None,
        }
    }
}

// What the filter sees: `struct seccomp_data`.
pub(crate) const CALL: u32 = 0;
const ARGUMENTS: u32 = 16;

/// From now on this thread, and those that it starts, get an error from these calls.
///
/// # Panics
///
/// If the system takes no such filter.
pub(crate) fn deny(calls: &[Denied]) {
    let mut program = Vec::new();
    for denied in calls {
        let call = u32::try_from(denied.call).expect("numbers of calls are small");
        let error = u32::try_from(denied.error).expect("error codes are positive");
        let answer = statement(libc::BPF_RET | libc::BPF_K, libc::SECCOMP_RET_ERRNO | error);
        program.push(load(CALL));
        match denied.argument {
            None => program.extend([jump_unless(call, 1), answer]),
            Some((position, value)) => {
                // The lower half: the machines that run these tests are little-endian.
                let argument = ARGUMENTS + 8 * position;
                program.extend([
                    jump_unless(call, 3),
                    load(argument),
                    jump_unless(value, 1),
                    answer,
                ]);
            }
        }
    }
    install(&mut program, 0);
}

/// Puts a filter before the calls of this thread, and of those that it starts; whatever it does not answer is allowed.
///
/// Gives the status of the call that does it.
///
/// # Panics
///
/// If the system takes no such filter.
pub(crate) fn install(program: &mut Vec<libc::sock_filter>, flags: libc::c_ulong) -> i32 {
    program.push(statement(
        libc::BPF_RET | libc::BPF_K,
        libc::SECCOMP_RET_ALLOW,
    ));
    let program = libc::sock_fprog {
        len: u16::try_from(program.len()).expect("the program is short"),
        filter: program.as_mut_ptr(),
    };
    // SAFETY: no memory is involved.
    let status = unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) };
    assert_eq!(status, 0, "{}", io::Error::last_os_error());
    // SAFETY: the system copies the program, whose length is right, during the call.
    let status = unsafe {
        libc::syscall(
            libc::SYS_seccomp,
            libc::SECCOMP_SET_MODE_FILTER,
            flags,
            &raw const program,
        )
    };
    assert!(status >= 0, "{}", io::Error::last_os_error());
    i32::try_from(status).expect("zero, or a descriptor")
}

pub(crate) fn load(offset: u32) -> libc::sock_filter {
    statement(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, offset)
}

pub(crate) fn statement(code: u32, k: u32) -> libc::sock_filter {
    libc::sock_filter {
        code: u16::try_from(code).expect("codes are short"),
        jt: 0,
        jf: 0,
        k,
    }
}

/// Goes on if the value that was loaded is this one, else leaves out so many statements.
pub(crate) fn jump_unless(value: u32, n_left_out: u8) -> libc::sock_filter {
    libc::sock_filter {
        jf: n_left_out,
        ..statement(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, value)
    }
}
