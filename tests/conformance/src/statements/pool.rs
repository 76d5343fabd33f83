//! Jobs on the pool. A job logs its beginning and its end, and takes the time that the statement says.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::{Arc, Mutex, mpsc};
use std::task::Poll;
use std::time::Duration;

use serde_json::{Value, json};
use tasca::blocking::{DefaultExecutor, run_in_executor, to_thread};

use super::{At, Ended, text};
use crate::error;
use crate::world::{Kind, Output, World, lock};

impl At {
    pub(super) fn submit(&self, statement: &Value) {
        let handle = text(statement, "h");
        let (job, start) = job(&self.world, statement);
        let task = run_in_executor(&DefaultExecutor, job);
        start.wait();
        self.world
            .bind_future(handle, Kind::Other, task.into_shared(), None);
    }

    pub(super) async fn to_thread(&self, statement: &Value) -> Ended {
        let (job, start) = job(&self.world, statement);
        let mut outcome = pin!(to_thread(job));
        // It is submitted by the first poll.
        let first = poll_fn(|cx| Poll::Ready(outcome.as_mut().poll(cx))).await;
        start.wait();
        let output = match first {
            Poll::Ready(output) => output,
            Poll::Pending => outcome.await,
        };
        match output {
            Ok(value) => self.result(statement, text(statement, "h"), value),
            Err(error) => self.throw(error).await,
        }
    }
}

/// Jobs that have been submitted and are not over.
#[derive(Default)]
pub(crate) struct Jobs(Mutex<usize>);

/// A job, from its submission on.
struct Submitted(Arc<World>);

impl Drop for Submitted {
    fn drop(&mut self) {
        *lock(&self.0.jobs.0) -= 1;
    }
}

/// Word of the beginning of a job.
struct Start {
    is_told: mpsc::Receiver<()>,
    is_due: bool,
}

impl Start {
    /// Waits for it, if a thread is free: in the language of the scenarios the job then begins at once, and cannot be withdrawn
    /// any more. In virtual time nobody else could tell.
    fn wait(self) {
        if self.is_due {
            // It comes at once; if it should not, what the job does not do shows in the trace.
            let _ = self.is_told.recv_timeout(Duration::from_secs(1));
        }
    }
}

/// What a job does, as its statement says.
fn job(world: &Arc<World>, statement: &Value) -> (impl FnOnce() -> Output + Send + 'static, Start) {
    let n_threads = world.scenario["opts"]["workers"].as_u64().unwrap_or(1);
    let n_unfinished = {
        let mut n_jobs = lock(&world.jobs.0);
        *n_jobs += 1;
        u64::try_from(*n_jobs).unwrap_or(u64::MAX)
    };
    let submitted = Submitted(Arc::clone(world));
    let (tell, is_told) = mpsc::channel();
    let statement = statement.clone();
    let job = move || {
        let world = &submitted.0;
        let who = format!("%{}", text(&statement, "h"));
        world.log(Some(&who), "job_start", Value::Null, Value::Null);
        // Nobody waits for it, if no thread was free.
        let _ = tell.send(());
        let output = if let Some(kind) = statement["raise"].as_str() {
            Err(error::new(kind, &statement["msg"]))
        } else if let Some(variable) = statement["ctx_get"].as_str() {
            Ok(world.variable(variable).get().unwrap_or_default())
        } else {
            Ok(json!(statement["ret"]))
        };
        let ticks = statement["takes"].as_i64().unwrap_or(0);
        tasca::blocking::sleep(world.duration(ticks));
        world.log(Some(&who), "job_end", Value::Null, Value::Null);
        output
    };
    let is_due = !world.is_virtual && n_unfinished <= n_threads;
    (job, Start { is_told, is_due })
}
