//! Statements: a list of them is an async function. A cancellation is raised, every other error is an `Err`.

use std::sync::{Arc, Mutex};

use futures::FutureExt;
use futures::future::BoxFuture;
use serde_json::{Map, Value, json};
use tasca::combinators::{
    GroupClosed, SharedTask, TaskGroup, TimeoutScope, as_completed, gather, shield, try_gather,
    wait, wait_for,
};
use tasca::{Context, Task, TaskError, catch_cancelled, current_task, promise};

use crate::error;
use crate::failure;
use crate::log_done;
use crate::world::{Completed, Iterator, Kind, Output, Thing, World, lock, outcome_of, state_of};

/// How a statement ends, unless it fails.
pub(crate) enum Flow {
    Normal,
    Return(Value),
}

type Ended = Result<Flow, Value>;

/// One activation of a body.
pub(crate) struct Activation {
    who: String,
    is_callback: bool,
    variables: Mutex<Map<String, Value>>,
}

impl Activation {
    fn new(who: &str, is_callback: bool) -> Arc<Self> {
        Arc::new(Self {
            who: who.to_owned(),
            is_callback,
            variables: Mutex::default(),
        })
    }
}

/// What a statement runs in. Cheap to clone.
#[derive(Clone)]
struct At {
    world: Arc<World>,
    activation: Arc<Activation>,
    /// The error that the innermost handler handles.
    handled: Option<Value>,
}

/// The text of a field.
fn text<'a>(statement: &'a Value, field: &str) -> &'a str {
    statement[field].as_str().unwrap_or_default()
}

/// Makes the task of a body. It is to be registered right away.
pub(crate) fn spawn_task<T>(
    world: &Arc<World>,
    name: &str,
    spawn: impl FnOnce(BoxFuture<'static, Output>) -> T,
    body: Value,
) -> T {
    let at = At {
        world: Arc::clone(world),
        activation: Activation::new(name, false),
        handled: None,
    };
    spawn(task_body(at, body).boxed())
}

async fn task_body(at: At, body: Value) -> Output {
    // Whoever spawned this task has yet to enter it into the tables.
    drop(lock(&at.world.registration));
    if let Some(task) = current_task() {
        lock(&at.world.ids).insert(task.id(), at.activation.who.clone());
    }
    at.log("start", Value::Null, Value::Null);
    let body = at.world.body(&body);
    match at.run(&body).await? {
        Flow::Normal => Ok(Value::Null),
        Flow::Return(value) => Ok(value),
    }
}

/// Lists a task, binds its handle and has its end logged.
pub(crate) fn register_task(
    world: &Arc<World>,
    handle: &str,
    name: &str,
    task: Task<Output>,
) -> Arc<Thing> {
    lock(&world.ids).insert(task.id(), name.to_owned());
    let thing = Arc::new(Thing {
        kind: Kind::Task,
        name: name.to_owned(),
        task: task.into_shared(),
        promise: Mutex::new(None),
        callbacks: Mutex::default(),
    });
    log_done(world, &thing);
    lock(&world.tasks).push(Arc::clone(&thing));
    world.bind(handle, Arc::clone(&thing));
    thing
}

impl World {
    /// A list of statements, or the name of one.
    fn body(&self, body: &Value) -> Value {
        match body {
            Value::String(name) => self.scenario["bodies"][name].clone(),
            list => list.clone(),
        }
    }
}

/// Runs a future that does not suspend.
fn at_once<T>(future: impl Future<Output = T>) -> Option<T> {
    future.now_or_never()
}

/// Runs a body, with a cancellation as an error like others.
async fn catch<T>(body: impl Future<Output = Result<T, Value>>) -> Result<T, Value> {
    match catch_cancelled(body).await {
        Ok(ended) => ended,
        Err(cancelled) => Err(error::caught(&cancelled)),
    }
}

impl At {
    fn log(&self, op: &str, target: Value, value: Value) {
        self.world
            .log(Some(&self.activation.who), op, target, value);
    }

    /// Fails with an error; a cancellation is raised.
    async fn throw<T>(&self, error: Value) -> Result<T, Value> {
        match error::as_cancelled(&error) {
            Some(cancelled) if !self.activation.is_callback => cancelled.reraise().await,
            _ => Err(error),
        }
    }

    fn set(&self, statement: &Value, value: &Value) {
        if let Some(name) = statement["as"].as_str() {
            lock(&self.activation.variables).insert(name.to_owned(), value.clone());
        }
    }

    fn value(&self, value: &Value) -> Value {
        match value {
            Value::Array(items) => items.iter().map(|item| self.value(item)).collect(),
            Value::Object(object) => match object.get("var").and_then(Value::as_str) {
                Some(name) => lock(&self.activation.variables)
                    .get(name)
                    .cloned()
                    .unwrap_or_default(),
                None => value.clone(),
            },
            _ => value.clone(),
        }
    }

    fn unbound(&self, name: &str) -> Ended {
        self.log("unbound", json!(name), Value::Null);
        Ok(Flow::Normal)
    }

    /// Runs statements in order.
    fn run<'a>(&'a self, statements: &'a Value) -> BoxFuture<'a, Ended> {
        async move {
            for statement in statements.as_array().into_iter().flatten() {
                if let Flow::Return(value) = self.execute(statement).await? {
                    return Ok(Flow::Return(value));
                }
            }
            Ok(Flow::Normal)
        }
        .boxed()
    }

    fn execute<'a>(&'a self, statement: &'a Value) -> BoxFuture<'a, Ended> {
        match text(statement, "op") {
            "try" => self.op_try(statement).boxed(),
            "repeat" => self.op_repeat(statement).boxed(),
            "call" => self.op_call(statement).boxed(),
            "await" => self.op_await(statement).boxed(),
            "sleep" => self.op_sleep(statement).boxed(),
            "wait" => self.op_wait(statement).boxed(),
            "next" => self.op_next(statement).boxed(),
            "wait_for" => self.op_wait_for(statement).boxed(),
            "timeout" => self.op_timeout(statement).boxed(),
            "group" => self.op_group(statement).boxed(),
            "raise" => self.op_raise(statement).boxed(),
            "reraise" => self.throw(self.handled.clone().unwrap_or_default()).boxed(),
            _ => std::future::ready(self.simple(statement)).boxed(),
        }
    }

    async fn op_raise(&self, statement: &Value) -> Ended {
        let error = match statement["var"].as_str() {
            Some(_) => self.value(statement),
            None => error::new(text(statement, "kind"), &self.value(&statement["msg"])),
        };
        self.throw(error).await
    }

    async fn op_repeat(&self, statement: &Value) -> Ended {
        for _ in 0..statement["n"].as_i64().unwrap_or(0) {
            if let Flow::Return(value) = self.run(&statement["body"]).await? {
                return Ok(Flow::Return(value));
            }
        }
        Ok(Flow::Normal)
    }

    async fn op_call(&self, statement: &Value) -> Ended {
        let body = self.world.body(&statement["do"]);
        let inner = Self {
            activation: Activation::new(&self.activation.who, false),
            ..self.clone()
        };
        let value = match inner.run(&body).await? {
            Flow::Normal => Value::Null,
            Flow::Return(value) => value,
        };
        self.set(statement, &value);
        self.log("call", Value::Null, value);
        Ok(Flow::Normal)
    }

    async fn op_try(&self, statement: &Value) -> Ended {
        if statement["finally"].is_null() {
            return self.try_except(statement).await;
        }
        let ended = catch(self.try_except(statement)).await;
        self.run(&statement["finally"]).await?;
        match ended {
            Ok(flow) => Ok(flow),
            Err(error) => self.throw(error).await,
        }
    }

    async fn try_except(&self, statement: &Value) -> Ended {
        let has_handlers = statement["except"]
            .as_array()
            .is_some_and(|entries| !entries.is_empty());
        let ended = if has_handlers {
            catch(self.run(&statement["body"])).await
        } else {
            self.run(&statement["body"]).await
        };
        let error = match ended {
            Ok(Flow::Normal) => return self.run(&statement["else"]).await,
            Ok(flow) => return Ok(flow),
            Err(error) => error,
        };
        let entry = statement["except"]
            .as_array()
            .into_iter()
            .flatten()
            .find(|entry| {
                let mut patterns = entry["match"].as_array().into_iter().flatten();
                patterns.any(|pattern| error::matches(pattern.as_str().unwrap_or_default(), &error))
            });
        let Some(entry) = entry else {
            return self.throw(error).await;
        };
        self.log("caught", Value::Null, error.clone());
        self.set(entry, &error);
        let inner = Self {
            handled: Some(error),
            ..self.clone()
        };
        inner.run(&entry["do"]).await
    }

    /// The operands of a gather: handles, and bodies that become tasks. `Err` names the first that is not bound.
    fn operands(&self, of: &[Value]) -> Result<Vec<Arc<Thing>>, String> {
        for operand in of {
            if let Some(name) = operand.as_str()
                && self.world.thing(name).is_none()
            {
                return Err(name.to_owned());
            }
        }
        let start = |operand: &Value| match operand.as_str() {
            Some(name) => self.world.thing(name).expect("looked up above"),
            None => self.spawn_operand(operand),
        };
        Ok(of.iter().map(start).collect())
    }

    fn spawn_operand(&self, operand: &Value) -> Arc<Thing> {
        let _registration = lock(&self.world.registration);
        let handle = text(operand, "name");
        let name = self.world.creation_name(handle);
        let builder = Task::builder().name(&*name);
        let task = spawn_task(
            &self.world,
            &name,
            |body| builder.try_spawn(body),
            operand["do"].clone(),
        );
        register_task(&self.world, handle, &name, task)
    }

    fn op_gather(&self, statement: &Value) -> Ended {
        let of = statement["of"].as_array().cloned().unwrap_or_default();
        let things = match self.operands(&of) {
            Ok(things) => things,
            Err(name) => return self.unbound(&name),
        };
        let tasks: Vec<SharedTask<Output>> =
            things.iter().map(|thing| thing.task.clone()).collect();
        let task = if statement["return_exceptions"].as_bool().unwrap_or(false) {
            gather(tasks).return_exceptions().into_task_with(|ended| {
                let values = ended.map_err(|error| failure(&error))?;
                let value = |end: Result<Output, TaskError>| match end {
                    Ok(Ok(value)) => value,
                    Ok(Err(error)) => error,
                    Err(error) => failure(&error),
                };
                Ok(values.into_iter().map(value).collect())
            })
        } else {
            try_gather(tasks).into_task_with(|ended| {
                let values = ended.map_err(|error| failure(&error))??;
                Ok(Value::Array(values))
            })
        };
        self.world
            .bind_future(text(statement, "h"), Kind::Other, task.into_shared(), None);
        Ok(Flow::Normal)
    }

    fn op_shield(&self, statement: &Value) -> Ended {
        let operand = match self.operands(std::slice::from_ref(&statement["of"])) {
            Ok(mut things) => things.remove(0),
            Err(name) => return self.unbound(&name),
        };
        if operand.task.is_finished() {
            self.world.bind(text(statement, "h"), operand);
        } else {
            let task = shield(operand.task.clone()).into_task();
            self.world
                .bind_future(text(statement, "h"), Kind::Other, task.into_shared(), None);
        }
        Ok(Flow::Normal)
    }

    async fn op_await(&self, statement: &Value) -> Ended {
        let handle = text(statement, "h");
        let Some(thing) = self.resolve(handle) else {
            return self.unbound(handle);
        };
        let output = (&*thing.task).await.clone();
        match output {
            Ok(value) => {
                self.set(statement, &value);
                self.log("await", json!(handle), value);
                Ok(Flow::Normal)
            }
            Err(error) => self.throw(error).await,
        }
    }

    async fn op_sleep(&self, statement: &Value) -> Ended {
        let ticks = statement["d"].as_i64().unwrap_or(0);
        tasca::time::sleep(self.world.duration(ticks)).await;
        let value = self.value(&statement["v"]);
        self.set(statement, &value);
        self.log("sleep", Value::Null, value);
        Ok(Flow::Normal)
    }

    /// Things by the names in a list; `Err` names the first that is not bound.
    fn things(&self, of: &Value) -> Result<Vec<(String, Arc<Thing>)>, String> {
        let names = of
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str);
        names
            .map(|name| Ok((name.to_owned(), self.resolve(name).ok_or(name)?)))
            .collect()
    }

    async fn op_wait(&self, statement: &Value) -> Ended {
        let things = match self.things(&statement["of"]) {
            Ok(things) => things,
            Err(name) => return self.unbound(&name),
        };
        if things.is_empty() {
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
        self.set(statement, &value);
        self.log("wait", Value::Null, value);
        Ok(Flow::Normal)
    }

    async fn op_next(&self, statement: &Value) -> Ended {
        let name = text(statement, "it");
        let Some(completed) = lock(&self.world.iterators).get(name).cloned() else {
            return self.unbound(name);
        };
        let next = match &completed.iterator {
            Iterator::Plain(iterator) => iterator.next().await.map(Ok),
            Iterator::Within(iterator) => iterator.next().await,
        };
        let task = match next {
            None => {
                self.log("exhausted", json!(name), Value::Null);
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
            match (&*task).await.clone() {
                Ok(value) => value,
                Err(error) => return self.throw(error).await,
            }
        };
        self.set(statement, &value);
        self.log("next", json!(name), value);
        Ok(Flow::Normal)
    }

    async fn op_wait_for(&self, statement: &Value) -> Ended {
        let operand = &statement["aw"];
        let limit = statement["timeout"].as_i64();
        let duration = limit.map(|ticks| self.world.duration(ticks));
        let is_inline = operand.is_object() && limit.is_none_or(|ticks| ticks > 0);
        let ended = if is_inline {
            let inner = Self {
                activation: Activation::new(&self.activation.who, false),
                ..self.clone()
            };
            wait_for(task_body(inner, operand["do"].clone()), duration).await
        } else {
            let thing = match self.operands(std::slice::from_ref(operand)) {
                Ok(mut things) => things.remove(0),
                Err(name) => return self.unbound(&name),
            };
            let operand = async {
                match (&*thing.task).await.clone() {
                    Ok(value) => Ok(value),
                    Err(error) => self.throw(error).await,
                }
            };
            wait_for(operand, duration).await
        };
        match ended {
            Err(_) => Err(error::library("Timeout")),
            Ok(Err(error)) => self.throw(error).await,
            Ok(Ok(value)) => {
                self.set(statement, &value);
                self.log("wait_for", Value::Null, value);
                Ok(Flow::Normal)
            }
        }
    }

    /// The deadline that a statement gives, relative or absolute.
    fn deadline(&self, statement: &Value) -> Option<std::time::Instant> {
        if let Some(ticks) = statement["after"].as_i64() {
            return Some(if ticks >= 0 {
                self.world.handle.time() + self.world.duration(ticks)
            } else {
                self.world.handle.time() - self.world.duration(-ticks)
            });
        }
        statement["at"]
            .as_i64()
            .map(|ticks| self.world.instant(ticks))
    }

    async fn op_timeout(&self, statement: &Value) -> Ended {
        let name = text(statement, "s");
        let scope = self
            .deadline(statement)
            .map_or_else(TimeoutScope::never, TimeoutScope::at);
        lock(&self.world.scopes).insert(name.to_owned(), scope.clone());
        match scope.run(self.run(&statement["body"])).await {
            Ok(ended) => {
                let flow = ended?;
                self.log("timeout", json!(name), Value::Null);
                Ok(flow)
            }
            Err(_) => Err(error::library("Timeout")),
        }
    }

    async fn op_group(&self, statement: &Value) -> Ended {
        let name = text(statement, "g");
        let ended = TaskGroup::try_scope(async |group| {
            lock(&self.world.groups).insert(name.to_owned(), group);
            self.run(&statement["body"]).await
        });
        match ended.await {
            Ok(flow) => {
                self.log("group", json!(name), Value::Null);
                Ok(flow)
            }
            Err(failures) => {
                let errors: Vec<Value> = failures.into_errors().collect();
                Err(json!({"group": errors}))
            }
        }
    }

    fn resolve(&self, handle: &str) -> Option<Arc<Thing>> {
        match handle {
            "@self" => {
                let name = current_task().and_then(|task| self.world.name_of(&task))?;
                lock(&self.world.tasks)
                    .iter()
                    .find(|thing| thing.name == name)
                    .cloned()
            }
            "@main" => self.world.thing("main"),
            _ => self.world.thing(handle),
        }
    }

    /// Statements that do not suspend.
    fn simple(&self, statement: &Value) -> Ended {
        let world = &self.world;
        match text(statement, "op") {
            "log" => self.log("log", statement["m"].clone(), self.value(&statement["v"])),
            "return" => return Ok(Flow::Return(self.value(&statement["v"]))),
            "spawn" => return self.op_spawn(statement),
            "gather" => return self.op_gather(statement),
            "shield" => return self.op_shield(statement),
            "future" => {
                let (promise, task) = promise();
                world.bind_future(
                    text(statement, "h"),
                    Kind::Future,
                    task.into_shared(),
                    Some(promise),
                );
            }
            "as_completed" => return self.op_as_completed(statement),
            "reschedule" => {
                let name = text(statement, "s");
                let Some(scope) = lock(&world.scopes).get(name).cloned() else {
                    return self.unbound(name);
                };
                scope
                    .reschedule(self.deadline(statement))
                    .map_err(|_| error::library("Runtime"))?;
            }
            "scope" => {
                let name = text(statement, "s");
                let Some(scope) = lock(&world.scopes).get(name).cloned() else {
                    return self.unbound(name);
                };
                let when = scope.when().map(|when| world.ticks_of(when));
                self.log(
                    "scope",
                    json!(name),
                    json!({"when": when, "expired": scope.expired()}),
                );
            }
            "all_tasks" => {
                let mut names: Vec<String> = world
                    .handle
                    .all_tasks()
                    .iter()
                    .filter_map(|task| world.name_of(task))
                    .collect();
                names.sort();
                self.log("all_tasks", Value::Null, json!(names));
            }
            "current" => {
                let name = current_task().map(|task| task.name());
                self.log("current", Value::Null, json!(name));
            }
            "cancel" | "uncancel" | "query" | "set_name" | "set_result" | "set_exception"
            | "on_done" | "off_done" => return self.on_thing(statement),
            "call_soon" | "call_later" | "call_at" => self.op_call_soon(statement),
            "cancel_call" => {
                let name = text(statement, "k");
                let Some(call) = lock(&world.timers).get(name).cloned() else {
                    return self.unbound(name);
                };
                call.cancel();
            }
            "ctx_set" => drop(
                world
                    .variable(text(statement, "var"))
                    .set(self.value(&statement["v"])),
            ),
            "ctx_get" => {
                let value = world
                    .variable(text(statement, "var"))
                    .get()
                    .unwrap_or_default();
                self.set(statement, &value);
                self.log("ctx_get", statement["var"].clone(), value);
            }
            "ctx_copy" => {
                let context = Context::copy_current();
                lock(&world.contexts).insert(text(statement, "c").to_owned(), context);
            }
            "ctx_peek" => {
                let name = text(statement, "c");
                let Some(context) = lock(&world.contexts).get(name).cloned() else {
                    return self.unbound(name);
                };
                let variable = world.variable(text(statement, "var"));
                let value = context.run(|| variable.get()).unwrap_or_default();
                self.log("ctx_peek", json!(name), value);
            }
            other => return Err(json!({"err": "Unknown", "msg": other})),
        }
        Ok(Flow::Normal)
    }

    fn context(&self, statement: &Value) -> Option<Context> {
        lock(&self.world.contexts)
            .get(statement["ctx"].as_str()?)
            .cloned()
    }

    fn op_spawn(&self, statement: &Value) -> Ended {
        let world = &self.world;
        let handle = text(statement, "h");
        let group = match statement["group"].as_str() {
            None => None,
            Some(name) => match lock(&world.groups).get(name).cloned() {
                None => return self.unbound(name),
                group => group,
            },
        };
        let context = self.context(statement);
        if let (Some(name), None) = (statement["ctx"].as_str(), &context) {
            return self.unbound(name);
        }
        if group.as_ref().is_some_and(TaskGroup::is_closed) {
            return Err(error::library("Runtime"));
        }
        let _registration = lock(&world.registration);
        let name = world.creation_name(statement["name"].as_str().unwrap_or(handle));
        let body = statement["do"].clone();
        let task = match group {
            None => {
                let mut builder = Task::builder().name(&*name);
                if let Some(context) = context {
                    builder = builder.context(context);
                }
                spawn_task(world, &name, |body| builder.try_spawn(body), body)
            }
            Some(group) => {
                let mut builder = group.builder().name(&*name);
                if let Some(context) = context {
                    builder = builder.context(context);
                }
                spawn_task(world, &name, |body| builder.checked_try_spawn(body), body)
                    .map_err(|_closed: GroupClosed<_>| error::library("Runtime"))?
            }
        };
        register_task(world, handle, &name, task);
        Ok(Flow::Normal)
    }

    fn op_as_completed(&self, statement: &Value) -> Ended {
        let things = match self.things(&statement["of"]) {
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

    /// Statements about one thing.
    fn on_thing(&self, statement: &Value) -> Ended {
        let op = text(statement, "op");
        let handle = statement["h"].as_str().unwrap_or("@self");
        let Some(thing) = self.resolve(handle) else {
            return self.unbound(handle);
        };
        match op {
            "cancel" => {
                let accepted = match error::encode_message(&self.value(&statement["msg"])) {
                    Some(message) => thing.task.cancel_with(message),
                    None => thing.task.cancel(),
                };
                self.log(op, json!(handle), json!(accepted));
            }
            "uncancel" => {
                if thing.kind == Kind::Task {
                    self.log(op, json!(handle), json!(thing.task.uncancel()));
                }
            }
            "query" => self.op_query(handle, &thing, text(statement, "what")),
            "set_name" => thing.task.set_name(text(statement, "name")),
            "set_result" => return keep(&thing, Ok(self.value(&statement["v"]))),
            "set_exception" => {
                let error = error::new(text(statement, "kind"), &self.value(&statement["msg"]));
                return keep(&thing, Err(error));
            }
            "on_done" => self.op_on_done(statement, &thing),
            _ => {
                let name = text(statement, "cb");
                let registered = lock(&thing.callbacks).remove(name).unwrap_or_default();
                let n_removed = registered
                    .into_iter()
                    .filter(|id| thing.task.remove_done_callback(*id))
                    .count();
                self.log(op, json!(handle), json!(n_removed));
            }
        }
        Ok(Flow::Normal)
    }

    fn op_query(&self, handle: &str, thing: &Thing, what: &str) {
        let is_task = thing.kind == Kind::Task;
        let value = match what {
            "done" => json!(thing.task.is_finished()),
            "cancelled" => json!(thing.task.is_cancelled()),
            "cancelling" => json!(is_task.then(|| thing.task.cancelling())),
            "name" => json!(is_task.then(|| thing.task.name())),
            "result" | "exception" => {
                let is_result = what == "result";
                match thing.task.result() {
                    Err(tasca::ResultError::Failed(error)) => {
                        json!({"raised": failure(error)})
                    }
                    Err(_) => json!({"raised": error::library("InvalidState")}),
                    Ok(Ok(value)) if is_result => json!({"ok": value}),
                    Ok(Ok(_)) => json!({"ok": null}),
                    Ok(Err(error)) if is_result => json!({"raised": error}),
                    Ok(Err(error)) => json!({"ok": error}),
                }
            }
            _ => outcome_of(thing),
        };
        self.log(what, json!(handle), value);
    }

    fn op_on_done(&self, statement: &Value, thing: &Arc<Thing>) {
        let name = text(statement, "cb").to_owned();
        let (world, shadow, callback) = (Arc::clone(&self.world), Arc::clone(thing), name.clone());
        let context = self.context(statement);
        let id = thing.task.add_done_callback(move |_| match context {
            Some(context) => context.run(|| run_callback(&world, &callback, Some(&shadow))),
            None => run_callback(&world, &callback, Some(&shadow)),
        });
        lock(&thing.callbacks).entry(name).or_default().push(id);
    }

    fn op_call_soon(&self, statement: &Value) {
        let name = text(statement, "cb").to_owned();
        let world = Arc::clone(&self.world);
        let context = self.context(statement);
        // The library runs it in a copy of the context in which it is registered; one that is given explicitly is shared.
        let call = move || match context {
            Some(context) => context.run(|| run_callback(&world, &name, None)),
            None => run_callback(&world, &name, None),
        };
        let handle = &self.world.handle;
        let register = || match text(statement, "op") {
            "call_soon" => handle.call_soon(call),
            "call_later" => {
                let ticks = statement["d"].as_i64().unwrap_or(0);
                if ticks >= 0 {
                    handle.call_later(self.world.duration(ticks), call)
                } else {
                    handle.call_at(handle.time() - self.world.duration(-ticks), call)
                }
            }
            _ => handle.call_at(
                self.world.instant(statement["at"].as_i64().unwrap_or(0)),
                call,
            ),
        };
        let registered = register();
        if let Some(name) = statement["k"].as_str() {
            lock(&self.world.timers).insert(name.to_owned(), registered);
        }
    }
}

/// Completes a plain future.
fn keep(thing: &Thing, output: Output) -> Ended {
    if thing.kind != Kind::Future {
        return Err(error::library("Runtime"));
    }
    let promise = lock(&thing.promise).take();
    match promise.map(|promise| promise.set(output)) {
        Some(Ok(())) => Ok(Flow::Normal),
        _ => Err(error::library("InvalidState")),
    }
}

fn run_callback(world: &Arc<World>, name: &str, of: Option<&Arc<Thing>>) {
    let who = format!("~{name}");
    let at = At {
        world: Arc::clone(world),
        activation: Activation::new(&who, true),
        handled: None,
    };
    at.log(
        "fired",
        json!(of.map(|thing| &thing.name)),
        json!(of.map(|thing| state_of(thing))),
    );
    let statements = world.scenario["callbacks"][name].clone();
    let ended = at_once(at.run(&statements));
    if let Some(Err(error)) = ended {
        std::panic::panic_any(error.to_string());
    }
}
