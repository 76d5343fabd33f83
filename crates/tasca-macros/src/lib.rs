//! The attributes `#[tasca::main]` and `#[tasca::test]`.
//!
//! Users take them from the facade, `tasca`, where the examples are as well. This crate depends on
//! no other crate of the workspace: what it writes names the facade only (`::tasca`, or what the
//! option `crate` says), and there only public items and the two rooms of `tasca::__private`.
//!
//! # How it works today
//!
//! The function is kept as it was written, async, inside of a plain function of the same name,
//! which makes a runtime and runs it:
//!
//! ```text
//! #[tasca::main(worker_threads = 2)]         fn main() -> ExitCode {
//! async fn main() -> io::Result<()> {            async fn main() -> io::Result<()> { body }
//!     body                             gives     ::tasca::__private::main(
//! }                                                  ::tasca::Runtime::builder()
//!                                                        .multi_thread().worker_threads(2),
//!                                                    async { Termination::report(main().await) },
//!                                                )
//!                                            }
//! ```
//!
//! So errors and warnings in the body point at the user's own lines, a task's repr shows the user's
//! own name, and the return type need not be `Send`: it is reported where the task ran, and only
//! an `ExitCode` travels. `options` reads what stands in the parentheses, `expand` checks the
//! function and writes the result; both work on `proc_macro2` streams, which tests can make.
#![forbid(unsafe_code)]

mod expand;
mod options;

#[cfg(test)]
mod tests;

use proc_macro::TokenStream;

use expand::Kind;

/// Makes an async `main` the first task of a runtime.
///
/// The process ends when `main` returns: what other tasks are left is cancelled and waited for, as
/// at the end of `Runtime::run`. The return type is `()`, `Result<(), E>` with `E: Debug`, or any
/// other [`Termination`](std::process::Termination), with the meaning that it has for a plain
/// `main`. If `main` is cancelled instead, a message says so and the exit code is 1; after an
/// interrupt (Ctrl-C) it is 130.
///
/// # Options
///
/// | option | values | default |
/// |---|---|---|
/// | `flavor` | `"multi_thread"`, `"current_thread"`, `"deterministic"` | `"multi_thread"` |
/// | `worker_threads` | a number from 1; with `"multi_thread"` only | the cores that the process may use |
/// | `seed` | a number (`u64`); with `"deterministic"` only | 0 |
/// | `crate` | the path of the facade, if it has another name | `::tasca` |
///
/// With `"multi_thread"` the body moves between threads, so it must be `Send`; with the others it
/// need not be.
///
/// # asyncio counterpart
///
/// `asyncio.run(main())` as the last line of a program.
///
/// # Errors
///
/// At compile time, if the function is not async, is not called `main`, or has arguments or
/// generics, and for an unknown option or a value that it does not take.
#[proc_macro_attribute]
pub fn main(options: TokenStream, item: TokenStream) -> TokenStream {
    expand::expand(Kind::Main, options.into(), item.into()).into()
}

/// Makes an async function a test that runs on a runtime of its own.
///
/// Other attributes keep their meaning, `#[ignore]` and `#[should_panic]` among them. The return
/// type is `()`, `Result<(), E>` with `E: Debug`, or any other
/// [`Termination`](std::process::Termination). The test fails if its task is cancelled.
///
/// The default is the current-thread runtime: real time, real I/O, one thread. Tests that wait for
/// time are better off with `flavor = "deterministic"`, where the clock jumps when nothing can run,
/// and a `seed` other than 0 permutes the order in which ready tasks run.
///
/// # Options
///
/// | option | values | default |
/// |---|---|---|
/// | `flavor` | `"multi_thread"`, `"current_thread"`, `"deterministic"` | `"current_thread"` |
/// | `worker_threads` | a number from 1; with `"multi_thread"` only | the cores that the process may use |
/// | `seed` | a number (`u64`); with `"deterministic"` only | 0 |
/// | `crate` | the path of the facade, if it has another name | `::tasca` |
///
/// # asyncio counterpart
///
/// A method of `unittest.IsolatedAsyncioTestCase`.
///
/// # Errors
///
/// At compile time, if the function is not async, has arguments or generics, or is marked
/// `#[test]` as well, and for an unknown option or a value that it does not take.
#[proc_macro_attribute]
pub fn test(options: TokenStream, item: TokenStream) -> TokenStream {
    expand::expand(Kind::Test, options.into(), item.into()).into()
}
