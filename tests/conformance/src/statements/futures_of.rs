//! What is done to a future by its handle: cancelling, asking, completing, callbacks.

use std::sync::Arc;

use serde_json::{Value, json};
use tasca::{ResultError, TaskRef, current_task, promise};

use super::{At, Ended, Flow, calls, text};
use crate::error;
use crate::world::{Kind, Output, Thing, get, lock};

impl At {
    pub(super) fn future(&self, statement: &Value) {
        let (promise, task) = promise();
        self.world.bind_future(
            text(statement, "h"),
            Kind::Future,
            task.into_shared(),
            Some(promise),
        );
    }

    pub(super) fn on_thing(&self, op: &str, statement: &Value) -> Ended {
        let handle = statement["h"].as_str().unwrap_or("@self");
        let Some(thing) = self.resolve(handle) else {
            return match current_task() {
                Some(task) if handle == "@self" => self.on_self(op, statement, &task),
                _ => self.unbound(handle),
            };
        };
        match op {
            "cancel" => self.log(op, handle, cancel(&thing.task, statement)),
            "uncancel" => {
                if thing.kind == Kind::Task {
                    self.log(op, handle, thing.task.uncancel());
                }
            }
            "query" => self.query(handle, &thing, text(statement, "what")),
            "set_name" => {
                if thing.kind == Kind::Task {
                    thing.task.set_name(text(statement, "name"));
                }
            }
            "set_result" => return complete(&thing, Ok(self.value(&statement["v"]))),
            "set_exception" => {
                let error = error::new(text(statement, "kind"), &statement["msg"]);
                return complete(&thing, Err(error));
            }
            "on_done" => self.on_done(statement, &thing),
            _ => {
                let registered = lock(&thing.callbacks).remove(text(statement, "cb"));
                let n_removed = registered
                    .into_iter()
                    .flatten()
                    .filter(|id| thing.task.remove_done_callback(*id))
                    .count();
                self.log(op, handle, n_removed);
            }
        }
        Ok(Flow::Normal)
    }

    /// The same for the current task in its first step, if that is inside the spawn: it is in no table yet.
    fn on_self(&self, op: &str, statement: &Value, task: &TaskRef) -> Ended {
        let me = "@self";
        match (op, text(statement, "what")) {
            ("cancel", _) => self.log(op, me, cancel(task, statement)),
            ("uncancel", _) => self.log(op, me, task.uncancel()),
            ("set_name", _) => task.set_name(text(statement, "name")),
            ("query", what @ ("done" | "cancelled")) => self.log(what, me, false),
            ("query", "cancelling") => self.log("cancelling", me, task.cancelling()),
            ("query", "name") => self.log("name", me, task.name()),
            ("query", what) => {
                let raised = json!({"raised": error::library("InvalidState")});
                self.log(what, me, raised);
            }
            _ => return self.unbound(me),
        }
        Ok(Flow::Normal)
    }

    fn query(&self, handle: &str, thing: &Thing, what: &str) {
        let task = &thing.task;
        let is_task = thing.kind == Kind::Task;
        let value = match what {
            "done" => json!(task.is_finished()),
            "cancelled" => json!(task.is_cancelled()),
            "cancelling" => json!(is_task.then(|| task.cancelling())),
            "name" => json!(is_task.then(|| task.name())),
            _ => {
                let is_result = what == "result";
                match task.result() {
                    Err(ResultError::Failed(error)) => json!({"raised": error::failure(error)}),
                    Err(_) => json!({"raised": error::library("InvalidState")}),
                    Ok(Ok(value)) if is_result => json!({"ok": value}),
                    Ok(Ok(_)) => json!({"ok": null}),
                    Ok(Err(error)) if is_result => json!({"raised": error}),
                    Ok(Err(error)) => json!({"ok": error}),
                }
            }
        };
        self.log(what, handle, value);
    }

    fn on_done(&self, statement: &Value, thing: &Arc<Thing>) {
        let name = text(statement, "cb").to_owned();
        let (world, shadow, callback) = (Arc::clone(&self.world), Arc::clone(thing), name.clone());
        let context = get(&self.world.contexts, text(statement, "ctx"));
        let id = thing.task.add_done_callback(move |_| {
            let run = || calls::run_callback(&world, &callback, Some(&shadow));
            match context {
                Some(context) => context.run(run),
                None => run(),
            }
        });
        lock(&thing.callbacks).entry(name).or_default().push(id);
    }
}

/// Requests a cancellation; whether it was accepted.
fn cancel(task: &TaskRef, statement: &Value) -> bool {
    match error::encode_message(&statement["msg"]) {
        Some(message) => task.cancel_with(message),
        None => task.cancel(),
    }
}

/// Completes a plain future.
fn complete(thing: &Thing, output: Output) -> Ended {
    if thing.kind != Kind::Future {
        return Err(error::library("Runtime"));
    }
    let promise = lock(&thing.promise).take();
    match promise.map(|promise| promise.set(output)) {
        Some(Ok(())) => Ok(Flow::Normal),
        _ => Err(error::library("InvalidState")),
    }
}
