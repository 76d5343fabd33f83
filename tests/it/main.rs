//! Integration tests: everything through the facade, on every kind of runtime.

mod awaiting;
mod names;
mod tutorial;
