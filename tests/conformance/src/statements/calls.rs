//! Callbacks of the loop: soon, later, at an instant.

use std::sync::Arc;

use futures::FutureExt;
use serde_json::Value;

use super::{At, Ended, Flow, text};
use crate::world::{Thing, World, get, lock};

impl At {
    pub(super) fn call(&self, op: &str, statement: &Value) -> Ended {
        let (world, handle) = (&self.world, &self.world.handle);
        let name = text(statement, "cb").to_owned();
        let due = match op {
            "call_soon" => None,
            "call_later" => {
                let ticks = statement["d"].as_i64().unwrap_or(0);
                Some(world.ticks_from(handle.time(), ticks))
            }
            _ => Some(world.instant(statement["at"].as_i64().unwrap_or(0))),
        };
        // A time that is past is due now.
        let not_before = handle.time();
        let context = get(&world.contexts, text(statement, "ctx"));
        let for_call = Arc::clone(world);
        // The library runs it in a copy of the context in which it is registered; one that is given explicitly is shared.
        let call = move || {
            if let Some(due) = due {
                for_call.was_due(due.max(not_before));
            }
            let run = || run_callback(&for_call, &name, None);
            match context {
                Some(context) => context.run(run),
                None => run(),
            }
        };
        let registered = match due {
            None => handle.call_soon(call),
            Some(due) => handle.call_at(due, call),
        };
        if let Some(name) = statement["k"].as_str() {
            lock(&world.calls).insert(name.to_owned(), registered);
        }
        Ok(Flow::Normal)
    }

    pub(super) fn cancel_call(&self, statement: &Value) -> Ended {
        let name = text(statement, "k");
        let Some(call) = get(&self.world.calls, name) else {
            return self.unbound(name);
        };
        call.cancel();
        Ok(Flow::Normal)
    }
}

/// Runs a callback's statements, which do not suspend. An error that escapes is a panic: there is nobody to give it to.
pub(super) fn run_callback(world: &Arc<World>, name: &str, of: Option<&Arc<Thing>>) {
    let at = At::new(world, &format!("~{name}"), true);
    at.log(
        "fired",
        of.map(|thing| thing.name.clone()),
        of.map(|thing| thing.state()),
    );
    let statements = world.scenario["callbacks"][name].clone();
    let ended = at.run(&statements).now_or_never();
    if let Some(Err(error)) = ended {
        std::panic::panic_any(error.to_string());
    }
}
