//! One file for each room.

mod biased;
mod idle;
mod inbox;
mod parker;
mod pool;
mod readiness;
mod shutdown;
mod task;
mod timer_queue;
