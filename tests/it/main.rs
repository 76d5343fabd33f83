//! Integration tests: everything through the facade, on every kind of runtime.

mod awaiting;
mod callbacks;
mod cancelling;
mod names;
mod promises;
mod tutorial;
