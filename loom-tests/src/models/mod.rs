//! One file for each room.

mod biased;
mod combinators;
mod hand_over;
mod idle;
mod inbox;
mod parker;
mod place;
mod pool;
mod readiness;
mod shutdown;
mod sync_locks;
mod sync_rooms;
mod sync_signals;
mod task;
mod timer_queue;
mod watchdog;
mod workers;
