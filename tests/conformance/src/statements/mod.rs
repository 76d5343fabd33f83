//! Statements. A list of them is an async function: a cancellation is raised, as the library does it; every other error is an
//! `Err`.
//!
//! Each room has the statements of one kind, and says in its `execute` which they are. Those that do not suspend go through
//! [`At::simple`], which callbacks use too.

mod calls;
mod combinators;
mod context;
mod flow;
mod futures_of;
mod pool;
mod scopes;
mod sync;
mod tasks;

use std::sync::{Arc, Mutex};

use futures::FutureExt;
use futures::future::BoxFuture;
use serde_json::{Map, Value};
use tasca::{catch_cancelled, current_task};

use crate::error;
use crate::world::{Output, Thing, World, lock};

pub(crate) use pool::Jobs;
pub(crate) use tasks::{register_task, spawn_task};

/// How a statement ends, unless it fails.
pub(crate) enum Flow {
    Normal,
    Return(Value),
}

type Ended = Result<Flow, Value>;

/// One activation of a body.
struct Activation {
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

/// Runs a body, with a cancellation as an error like others.
async fn catch<T>(body: impl Future<Output = Result<T, Value>>) -> Result<T, Value> {
    match catch_cancelled(body).await {
        Ok(ended) => ended,
        Err(cancelled) => Err(error::caught(&cancelled)),
    }
}

impl At {
    fn new(world: &Arc<World>, who: &str, is_callback: bool) -> Self {
        Self {
            world: Arc::clone(world),
            activation: Activation::new(who, is_callback),
            handled: None,
        }
    }

    /// A body inside this one: the same task, other variables.
    fn inner(&self) -> Self {
        Self {
            activation: Activation::new(&self.activation.who, false),
            ..self.clone()
        }
    }

    fn log(&self, op: &str, target: impl Into<Value>, value: impl Into<Value>) {
        self.world
            .log(Some(&self.activation.who), op, target.into(), value.into());
    }

    /// Fails with an error; a cancellation is raised.
    async fn throw<T>(&self, error: Value) -> Result<T, Value> {
        match error::as_cancelled(&error) {
            Some(cancelled) if !self.activation.is_callback => cancelled.reraise().await,
            _ => Err(error),
        }
    }

    /// Stores a result where the statement says.
    fn set(&self, statement: &Value, value: &Value) {
        if let Some(name) = statement["as"].as_str() {
            lock(&self.activation.variables).insert(name.to_owned(), value.clone());
        }
    }

    /// Stores and logs the result of a statement.
    fn result(&self, statement: &Value, target: impl Into<Value>, value: Value) -> Ended {
        self.set(statement, &value);
        self.log(text(statement, "op"), target, value);
        Ok(Flow::Normal)
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
        self.log("unbound", name, Value::Null);
        Ok(Flow::Normal)
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

    /// Runs a body to its value.
    async fn run_body(&self, body: &Value) -> Output {
        let statements = self.world.body(body);
        match self.run(&statements).await? {
            Flow::Normal => Ok(Value::Null),
            Flow::Return(value) => Ok(value),
        }
    }

    fn execute<'a>(&'a self, statement: &'a Value) -> BoxFuture<'a, Ended> {
        let op = text(statement, "op");
        match op {
            "try" | "repeat" | "call" | "raise" | "reraise" => self.flow(op, statement).boxed(),
            "await" | "sleep" | "wait" | "next" | "wait_for" | "staggered" => {
                self.combinator(op, statement).boxed()
            }
            "timeout" | "group" => self.block(op, statement).boxed(),
            "acquire" | "with" | "ev_wait" | "cond_wait" | "cond_wait_for" | "bar_wait"
            | "bar_reset" | "bar_abort" | "put" | "get" | "join" => {
                self.on_object(op, statement).boxed()
            }
            "to_thread" => self.to_thread(statement).boxed(),
            _ => std::future::ready(self.simple(op, statement)).boxed(),
        }
    }

    /// Statements that do not suspend.
    fn simple(&self, op: &str, statement: &Value) -> Ended {
        match op {
            "log" => self.log("log", statement["m"].clone(), self.value(&statement["v"])),
            "return" => return Ok(Flow::Return(self.value(&statement["v"]))),
            "raise" => return Err(self.error(statement)),
            "spawn" => return self.spawn(statement),
            "gather" => return self.gather(statement),
            "shield" => return self.shield(statement),
            "future" => self.future(statement),
            "as_completed" => return self.as_completed(statement),
            "reschedule" | "scope" => return self.on_scope(op, statement),
            "all_tasks" | "current" => self.introspect(op),
            "cancel" | "uncancel" | "query" | "set_name" | "set_result" | "set_exception"
            | "on_done" | "off_done" => return self.on_thing(op, statement),
            "submit" => self.submit(statement),
            "call_soon" | "call_later" | "call_at" => return self.call(op, statement),
            "cancel_call" => return self.cancel_call(statement),
            "new" | "release" | "ev_set" | "ev_clear" | "notify" | "put_nowait" | "get_nowait"
            | "task_done" | "shutdown" | "state" => return self.on_object_at_once(op, statement),
            "add" => self.world.add_to_cell(
                text(statement, "cell"),
                statement["n"].as_i64().unwrap_or(1),
            ),
            "cell" => {
                let name = text(statement, "cell");
                self.log("cell", name, self.world.cell(name));
            }
            "ctx_set" | "ctx_get" | "ctx_copy" | "ctx_peek" => {
                return self.on_context(op, statement);
            }
            other => unreachable!("{other} was not refused by the check of the scenario"),
        }
        Ok(Flow::Normal)
    }
}
