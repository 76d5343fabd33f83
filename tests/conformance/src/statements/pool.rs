//! Jobs on the pool. A job logs its beginning and its end, and takes the time that the statement says.

use std::sync::Arc;

use serde_json::{Value, json};
use tasca::blocking::{DefaultExecutor, run_in_executor, to_thread};

use super::{At, Ended, text};
use crate::error;
use crate::world::{Kind, Output, World};

impl At {
    pub(super) fn submit(&self, statement: &Value) {
        let handle = text(statement, "h");
        let task = run_in_executor(&DefaultExecutor, job(&self.world, statement));
        self.world
            .bind_future(handle, Kind::Other, task.into_shared(), None);
    }

    pub(super) async fn to_thread(&self, statement: &Value) -> Ended {
        let output = to_thread(job(&self.world, statement)).await;
        match output {
            Ok(value) => self.result(statement, text(statement, "h"), value),
            Err(error) => self.throw(error).await,
        }
    }
}

/// What a job does, as its statement says.
fn job(world: &Arc<World>, statement: &Value) -> impl FnOnce() -> Output + Send + 'static {
    let (world, statement) = (Arc::clone(world), statement.clone());
    move || {
        let who = format!("%{}", text(&statement, "h"));
        world.log(Some(&who), "job_start", Value::Null, Value::Null);
        let output = if let Some(kind) = statement["raise"].as_str() {
            Err(error::new(kind, &statement["msg"]))
        } else if let Some(variable) = statement["ctx_get"].as_str() {
            Ok(world.variable(variable).get().unwrap_or_default())
        } else {
            Ok(json!(statement["ret"]))
        };
        let ticks = statement["takes"].as_i64().unwrap_or(0);
        std::thread::sleep(world.duration(ticks));
        world.log(Some(&who), "job_end", Value::Null, Value::Null);
        output
    }
}
