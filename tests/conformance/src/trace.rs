//! What a scenario did.

use std::time::Duration;

use serde_json::{Value, json};

use crate::world::Event;

/// What a scenario did, to be compared with what it did in asyncio.
#[derive(Debug)]
pub struct Trace {
    pub(crate) name: Value,
    pub(crate) events: Vec<Event>,
    pub(crate) tasks: Value,
    pub(crate) futures: Value,
    pub(crate) run: Vec<Value>,
    pub(crate) end: Duration,
    pub(crate) stalled: bool,
    pub(crate) tick: Duration,
    /// By how much the latest timer was late.
    pub(crate) lateness: Duration,
}

impl Trace {
    /// The trace as SCENARIO.md defines it.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let ticks = |at: Duration| {
            let ticks = at.as_nanos() / self.tick.as_nanos().max(1);
            u64::try_from(ticks).unwrap_or(u64::MAX)
        };
        let events: Vec<Value> = self
            .events
            .iter()
            .map(|event| {
                json!([
                    ticks(event.at),
                    event.who,
                    event.op,
                    event.target,
                    event.value
                ])
            })
            .collect();
        json!({
            "name": self.name,
            "events": events,
            "tasks": self.tasks,
            "futures": self.futures,
            "run": self.run,
            "end": ticks(self.end),
            "stalled": self.stalled,
        })
    }
}
