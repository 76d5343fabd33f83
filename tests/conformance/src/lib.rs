//! The conformance suite: programs that were run on `CPython`'s asyncio, run on tasca, through its public interface only.
//!
//! `SCENARIO.md` defines the programs and their traces, `SEMANTICS.md` the rules that they witness, `docs/conformance.md` says what
//! is compared with what. The program `tasca-conformance` reads scenarios and writes traces; the tests run all of them
//! in-process.

mod check;
mod clock;
pub mod compare;
mod error;
mod objects;
mod run;
mod statements;
pub mod suite;
mod trace;
mod world;

pub use check::check;
pub use run::{Answer, Flavor, Options, run, silence_expected_panics};
pub use trace::Trace;
