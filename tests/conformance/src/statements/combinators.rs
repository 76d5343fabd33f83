//! Waiting: for one, for some, for all, for a time.

use std::panic::{AssertUnwindSafe, resume_unwind};
use std::sync::Arc;

use futures::FutureExt;
use futures::future::BoxFuture;
use serde_json::{Value, json};
use tasca::combinators::{
    CandidateFailure, SharedTask, as_completed, gather, shield, staggered_race, try_gather, wait,
    wait_for,
};
use tasca::{TaskError, catch_cancelled, current_task};

use super::{At, Ended, Flow, text};
use crate::error;
use crate::world::{Completed, Iterator, Kind, Output, Thing, get, lock};

impl At {
    pub(super) async fn combinator(&self, op: &str, statement: &Value) -> Ended {
        match op {
            "await" => {
                let handle = text(statement, "h");
                let Some(thing) = self.resolve(handle) else {
                    return self.unbound(handle);
                };
                let value = self.output_of(&thing.task).await?;
                self.result(statement, handle, value)
            }
            "sleep" => self.sleep(statement).await,
            "wait" => self.wait(statement).await,
            "next" => self.next(statement).await,
            "staggered" => self.staggered(statement).await,
            _ => self.wait_for(statement).await,
        }
    }

    /// Awaits a task; an error that is a cancellation is raised.
    async fn output_of(&self, task: &SharedTask<Output>) -> Output {
        let awaited = AssertUnwindSafe(async { (&**task).await.clone() });
        let ended = match catch_cancelled(awaited.catch_unwind()).await {
            Ok(ended) => ended,
            // Errors are values here, and that with which the task ended goes before a request (rule C10).
            Err(cancelled) => match raised_by(task) {
                Some(error) => return self.throw(error).await,
                None => cancelled.reraise().await,
            },
        };
        match ended {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(error)) => self.throw(error).await,
            // Where asyncio has an error for what is a mistake in the program, the library panics (rule C24).
            Err(_) if current_task().is_some_and(|me| me == task.task_ref()) => {
                Err(error::library("Runtime"))
            }
            Err(payload) => resume_unwind(payload),
        }
    }

    async fn sleep(&self, statement: &Value) -> Ended {
        let world = &self.world;
        let ticks = statement["d"].as_i64().unwrap_or(0);
        let due = world.handle.time() + world.duration(ticks);
        tasca::time::sleep(world.duration(ticks)).await;
        world.was_due(due);
        let value = self.value(&statement["v"]);
        self.result(statement, Value::Null, value)
    }

    /// The operands of a gather and its like: handles, and bodies that become tasks. `Err` names the first that is not bound.
    fn operands(&self, of: &[Value]) -> Result<Vec<Arc<Thing>>, String> {
        // All are looked up before any is spawned.
        let bound = |operand: &Value| match operand.as_str() {
            None => Ok(None),
            Some(name) => self.resolve(name).map(Some).ok_or_else(|| name.to_owned()),
        };
        let bound: Vec<_> = of.iter().map(bound).collect::<Result<_, _>>()?;
        let start = |(operand, thing): (&Value, Option<Arc<Thing>>)| {
            thing.unwrap_or_else(|| self.spawn_operand(operand))
        };
        Ok(of.iter().zip(bound).map(start).collect())
    }

    pub(super) fn gather(&self, statement: &Value) -> Ended {
        let of = statement["of"].as_array().map_or(&[][..], Vec::as_slice);
        let things = match self.operands(of) {
            Ok(things) => things,
            Err(name) => return self.unbound(&name),
        };
        let tasks: Vec<_> = things.iter().map(|thing| thing.task.clone()).collect();
        let task = if statement["return_exceptions"].as_bool().unwrap_or(false) {
            gather(tasks).return_exceptions().into_task_with(|ended| {
                let values = ended.map_err(|error| error::failure(&error))?;
                let value = |end: Result<Output, TaskError>| match end {
                    Ok(Ok(value)) => value,
                    Ok(Err(error)) => error,
                    Err(error) => error::failure(&error),
                };
                Ok(values.into_iter().map(value).collect())
            })
        } else {
            try_gather(tasks).into_task_with(|ended| {
                let values = ended.map_err(|error| error::failure(&error))??;
                Ok(Value::Array(values))
            })
        };
        let handle = text(statement, "h");
        self.world
            .bind_future(handle, Kind::Other, task.into_shared(), None);
        Ok(Flow::Normal)
    }

    pub(super) fn shield(&self, statement: &Value) -> Ended {
        let operand = match self.operands(std::slice::from_ref(&statement["of"])) {
            Ok(mut things) => things.remove(0),
            Err(name) => return self.unbound(&name),
        };
        let handle = text(statement, "h");
        if operand.task.is_finished() {
            self.world.bind(handle, operand);
        } else {
            let task = shield(operand.task.clone()).into_task();
            self.world
                .bind_future(handle, Kind::Other, task.into_shared(), None);
        }
        Ok(Flow::Normal)
    }

    /// Things by the names in a list; `Err` names the first that is not bound.
    fn named(&self, of: &Value) -> Result<Vec<(String, Arc<Thing>)>, String> {
        let names = of.as_array().into_iter().flatten();
        names
            .filter_map(Value::as_str)
            .map(|name| Ok((name.to_owned(), self.resolve(name).ok_or(name)?)))
            .collect()
    }

    async fn wait(&self, statement: &Value) -> Ended {
        let things = match self.named(&statement["of"]) {
            Ok(things) => things,
            Err(name) => return self.unbound(&name),
        };
        if things.is_empty() {
            // The library has no error for that: nothing to wait for is all done.
            return Err(error::library("Value"));
        }
        let mut waiting = wait(things.iter().map(|(_, thing)| thing.task.clone()));
        waiting = match text(statement, "until") {
            "first" => waiting.first_completed(),
            "exception" => waiting.first_exception(),
            _ => waiting,
        };
        if let Some(ticks) = statement["timeout"].as_i64() {
            waiting = waiting.timeout(self.world.duration(ticks));
        }
        let (done, pending) = waiting.await;
        let names = |tasks: &[SharedTask<Output>]| {
            let name_of = |task: &SharedTask<Output>| {
                let found = things
                    .iter()
                    .find(|(_, thing)| thing.task.task_ref() == task.task_ref());
                found.map(|(name, _)| name.clone()).unwrap_or_default()
            };
            let mut names: Vec<String> = tasks.iter().map(name_of).collect();
            names.sort();
            names
        };
        let value = json!({"done": names(&done), "pending": names(&pending)});
        self.result(statement, Value::Null, value)
    }

    pub(super) fn as_completed(&self, statement: &Value) -> Ended {
        let things = match self.named(&statement["of"]) {
            Ok(things) => things,
            Err(name) => return self.unbound(&name),
        };
        let iterator = as_completed(things.iter().map(|(_, thing)| thing.task.clone()));
        let iterator = match statement["timeout"].as_i64() {
            None => Iterator::Plain(iterator),
            Some(ticks) => Iterator::Within(iterator.timeout(self.world.duration(ticks))),
        };
        let completed = Completed {
            iterator,
            is_async: text(statement, "mode") == "async",
            of: things.into_iter().map(|(_, thing)| thing).collect(),
        };
        lock(&self.world.iterators).insert(text(statement, "it").to_owned(), Arc::new(completed));
        Ok(Flow::Normal)
    }

    async fn next(&self, statement: &Value) -> Ended {
        let name = text(statement, "it");
        let Some(completed) = get(&self.world.iterators, name) else {
            return self.unbound(name);
        };
        let next = match &completed.iterator {
            Iterator::Plain(iterator) => iterator.next().await.map(Ok),
            Iterator::Within(iterator) => iterator.next().await,
        };
        let task = match next {
            None => {
                self.set(statement, &Value::Null);
                self.log("exhausted", name, Value::Null);
                return Ok(Flow::Normal);
            }
            Some(Ok(task)) => task,
            Some(Err(_)) => return Err(error::library("Timeout")),
        };
        let value = if completed.is_async {
            let of = completed
                .of
                .iter()
                .find(|thing| thing.task.task_ref() == task.task_ref());
            of.map(|thing| json!(thing.name)).unwrap_or_default()
        } else {
            self.output_of(&task).await?
        };
        self.result(statement, name, value)
    }

    async fn staggered(&self, statement: &Value) -> Ended {
        let candidates = statement["fns"].as_array().cloned().unwrap_or_default();
        let candidates = candidates.into_iter().map(|candidate| {
            let at = Self::new(&self.world, text(&candidate, "name"), false);
            async move { at.start(&candidate["do"]).await }.boxed()
        });
        let candidates: Vec<BoxFuture<'static, Output>> = candidates.collect();
        let ticks = statement["delay"].as_i64();
        let delay = ticks.map(|ticks| self.world.duration(ticks));
        let race = staggered_race(candidates, delay).await;
        let (index, value) = race.winner.unzip();
        let failure = |failure: &Option<CandidateFailure<Value>>| match failure {
            None => Value::Null,
            Some(failure) => failure
                .error()
                .cloned()
                .unwrap_or_else(|| json!({"cancelled": error::message(failure.cancel_message())})),
        };
        let failures: Vec<Value> = race.failures.iter().map(failure).collect();
        self.result(statement, Value::Null, json!([value, index, failures]))
    }

    async fn wait_for(&self, statement: &Value) -> Ended {
        let operand = &statement["aw"];
        let limit = statement["timeout"].as_i64();
        let duration = limit.map(|ticks| self.world.duration(ticks));
        let is_inline = operand.is_object() && limit.is_none_or(|ticks| ticks > 0);
        let ended = if is_inline {
            let inner = self.inner();
            wait_for(inner.start(&operand["do"]), duration).await
        } else {
            let thing = match self.operands(std::slice::from_ref(operand)) {
                Ok(mut things) => things.remove(0),
                Err(name) => return self.unbound(&name),
            };
            if limit.is_none_or(|ticks| ticks > 0) {
                wait_for(self.output_of(&thing.task), duration).await
            } else {
                let is_done = thing.task.is_finished();
                let ended = wait_for(&*thing.task, duration).await;
                // A gather that was cancelled for it has the cancellation as its value.
                let is_late =
                    matches!(ended, Ok(Err(error)) if error::as_cancelled(error).is_some());
                if is_late && !is_done {
                    return Err(error::library("Timeout"));
                }
                ended.cloned()
            }
        };
        let output = ended.map_err(|_| error::library("Timeout"))?;
        match output {
            Ok(value) => self.result(statement, Value::Null, value),
            Err(error) => self.throw(error).await,
        }
    }
}

/// The cancellation that a task has ended with as an error, and so without being cancelled (rule G7).
fn raised_by(task: &SharedTask<Output>) -> Option<Value> {
    let output = (task.is_finished() && !task.is_cancelled()).then(|| task.result());
    let error = output?.ok()?.as_ref().err()?;
    error::as_cancelled(error).map(|_| error.clone())
}
