//! Integration tests: everything through the facade, on every kind of runtime.

mod auto_traits;
mod awaiting;
mod callbacks;
mod cancelling;
mod closing;
mod context;
mod determinism;
mod eager;
mod endings;
mod exports;
#[cfg(unix)]
mod laps;
mod latency;
mod local;
mod loop_calls;
mod macros;
mod misuse;
mod names;
#[cfg(unix)]
mod near_deadlines;
mod panics;
mod promises;
mod runtimes;
mod scopes;
mod signatures;
mod stalling;
mod timers;
mod tutorial;
