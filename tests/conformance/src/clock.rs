//! Ticks of real time.
//!
//! A scenario says by how many ticks timers may be late without changing what it does. On a real clock a tick must be so long
//! that they are not later than that; how late they are depends on what else the machine does, so it is measured, and a
//! scenario that was disturbed is run again with a longer tick. Nothing here looks at what the scenario did.

use std::sync::{Mutex, Once};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::world::lock;

/// How late a timer may be at first.
const TOLERANCE: Duration = Duration::from_millis(12);

/// No single wait is longer than this, whatever the scenario says.
pub(crate) const WAIT_MAX: Duration = Duration::from_secs(4);

/// By how many ticks timers may be late.
fn jitter(scenario: &Value) -> Option<f64> {
    scenario["jitter"].as_f64().filter(|jitter| *jitter > 0.0)
}

/// The tick to begin with.
pub(crate) fn first_tick(scenario: &Value) -> Duration {
    let tick = match jitter(scenario) {
        Some(jitter) => TOLERANCE.div_f64(jitter),
        None => TOLERANCE / 3,
    };
    tick.min(tick_max(scenario))
}

/// The longest tick, for the longest wait in the scenario.
fn tick_max(scenario: &Value) -> Duration {
    WAIT_MAX / longest(scenario).max(1)
}

/// The tick to try again with, if timers were so late that the scenario may have done something else for it.
pub(crate) fn next_tick(scenario: &Value, tick: Duration, lateness: Duration) -> Option<Duration> {
    let is_disturbed = lateness > tick.mul_f64(jitter(scenario)?);
    let longer = (tick * 2).min(tick_max(scenario));
    (is_disturbed && longer > tick).then_some(longer)
}

/// The longest wait in a scenario, in ticks.
fn longest(scenario: &Value) -> u32 {
    let of_each = |values: &mut dyn Iterator<Item = &Value>| values.map(longest).max().unwrap_or(0);
    match scenario {
        Value::Array(items) => of_each(&mut items.iter()),
        Value::Object(fields) => {
            let waits = ["d", "after", "at", "timeout", "takes", "delay"]
                .iter()
                .filter_map(|field| fields.get(*field)?.as_u64());
            let own = waits
                .max()
                .map_or(0, |ticks| u32::try_from(ticks).unwrap_or(u32::MAX));
            of_each(&mut fields.values()).max(own)
        }
        _ => 0,
    }
}

/// When a thread that does nothing but sleep was woken late, and by how much.
static STALLS: Mutex<Vec<(Instant, Duration)>> = Mutex::new(Vec::new());

/// How often that thread looks.
const PROBE: Duration = Duration::from_millis(2);

/// The longest time, since an instant, for which the machine had no time for a thread that wanted to run.
pub(crate) fn stall_since(start: Instant) -> Duration {
    let stalls = lock(&STALLS);
    let recent = stalls.iter().rev().take_while(|(at, _)| *at >= start);
    recent.map(|(_, stall)| *stall).max().unwrap_or_default()
}

/// Begins to measure, once for the program.
pub(crate) fn watch_for_stalls() {
    static STARTED: Once = Once::new();
    STARTED.call_once(|| {
        let probe = || {
            loop {
                let due = Instant::now() + PROBE;
                thread::sleep(PROBE);
                let now = Instant::now();
                let mut stalls = lock(&STALLS);
                stalls.push((now, now - due));
                // What nobody asks for any more.
                if stalls.len() > 100_000 {
                    stalls.drain(..50_000);
                }
            }
        };
        // Without it, only the timers' own lateness is known.
        drop(
            thread::Builder::new()
                .name("stalls".to_owned())
                .spawn(probe),
        );
    });
}
