//! Spawning: into nothing, into a group, into a context.

use std::sync::{Arc, Mutex};

use futures::FutureExt;
use futures::future::BoxFuture;
use serde_json::Value;
use tasca::combinators::{GroupClosed, TaskGroup};
use tasca::{Task, current_task};

use super::{At, Ended, Flow, text};
use crate::error;
use crate::world::{Kind, Output, Thing, World, get, lock};

/// Makes the task of a body. It is to be registered right away.
pub(crate) fn spawn_task<T>(
    world: &Arc<World>,
    name: &str,
    spawn: impl FnOnce(BoxFuture<'static, Output>) -> T,
    body: Value,
) -> T {
    let at = At::new(world, name, false);
    let task = async move {
        // Whoever spawned this task has yet to enter it into the tables.
        drop(at.world.register());
        if let Some(task) = current_task() {
            at.world.identify(&task, &at.activation.who);
        }
        at.start(&body).await
    };
    spawn(task.boxed())
}

/// Lists a task, binds its handle and has its end logged.
pub(crate) fn register_task(
    world: &Arc<World>,
    handle: &str,
    name: &str,
    task: Task<Output>,
) -> Arc<Thing> {
    world.identify(&task, name);
    let thing = Arc::new(Thing {
        kind: Kind::Task,
        name: name.to_owned(),
        task: task.into_shared(),
        promise: Mutex::new(None),
        callbacks: Mutex::default(),
    });
    let (for_log, shadow) = (Arc::clone(world), Arc::clone(&thing));
    thing.task.add_done_callback(move |_| {
        for_log.log(
            None,
            "done",
            shadow.name.as_str().into(),
            shadow.state().into(),
        );
    });
    lock(&world.tasks).push(Arc::clone(&thing));
    world.bind(handle, Arc::clone(&thing));
    thing
}

impl At {
    /// A body from its first step on.
    pub(super) async fn start(&self, body: &Value) -> Output {
        self.log("start", Value::Null, Value::Null);
        self.run_body(body).await
    }

    pub(super) fn spawn(&self, statement: &Value) -> Ended {
        let world = &self.world;
        let handle = text(statement, "h");
        let group = match statement["group"].as_str() {
            None => None,
            Some(name) => match get(&world.groups, name) {
                None => return self.unbound(name),
                group => group,
            },
        };
        let context = match statement["ctx"].as_str() {
            None => None,
            Some(name) => match get(&world.contexts, name) {
                None => return self.unbound(name),
                context => context,
            },
        };
        // Asked before a name is used up, as the refused one is never made.
        if group.as_ref().is_some_and(TaskGroup::is_closed) {
            return Err(error::library("Runtime"));
        }
        let _registration = world.register();
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

    /// The task of a coroutine among the operands of a combinator.
    pub(super) fn spawn_operand(&self, operand: &Value) -> Arc<Thing> {
        let _registration = self.world.register();
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

    pub(super) fn introspect(&self, op: &str) {
        let world = &self.world;
        if op == "current" {
            let name = current_task().map(|task| task.name());
            self.log(op, Value::Null, name);
            return;
        }
        let mut names: Vec<String> = world
            .handle
            .all_tasks()
            .iter()
            .filter_map(|task| world.name_of(task))
            .collect();
        names.sort();
        self.log(op, Value::Null, names);
    }
}
