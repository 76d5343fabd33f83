//! Tasks: the state word, and everything that turns on it.
//!
//! | file | what races |
//! |---|---|
//! | [`wake`] | wakers, polls and the end |
//! | [`cancel`] | requests against polls, the end, and what the task waits for |
//! | [`join`] | whoever waits for a task, against its end |
//! | [`group`] | combinators that are told of ends |
//! | [`end`] | handles and references that go, failures, promises |
//!
//! [`Runners::spawn`](crate::runners::Runners::spawn) watches each future: polled by one thread at a time, each poll
//! seeing what the one before did; never after its end; dropped. The slab reports a cell that is freed twice or never.

mod cancel;
mod end;
mod group;
mod join;
mod wake;
