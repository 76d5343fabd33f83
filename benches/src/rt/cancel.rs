//! Stopping tasks from outside, without and with clean-up.
//!
//! Only tasca lets a cancelled task clean up with awaits. The users of the others pass a token or the
//! receiving end of a channel to the task, which waits for it beside its work.

use std::future::Future;

use futures::future::join_all;
use futures_lite::future;
use tokio_util::sync::CancellationToken;

use super::{Rt, smol::Smol, tasca::Tasca, tokio::Tokio};

/// Stopping tasks.
pub trait Cancel: Rt {
    /// A task that cleans up when it is stopped; its output is whether it was.
    type Stoppable: Send;

    /// Cancels the tasks, whatever they wait for, and returns how many ended so.
    fn cancel_all<T: Send + 'static>(
        tasks: Vec<Self::Join<T>>,
    ) -> impl Future<Output = usize> + Send;

    /// Spawns a task that does `body`, or, once it is told to stop, `cleanup`.
    fn spawn_stoppable<B, C>(self, body: B, cleanup: C) -> Self::Stoppable
    where
        B: Future<Output = ()> + Send + 'static,
        C: Future<Output = ()> + Send + 'static;

    /// Tells each of the tasks to stop, waits for them, and returns how many have cleaned up.
    fn stop_all(tasks: Vec<Self::Stoppable>) -> impl Future<Output = usize> + Send;
}

impl Cancel for Tasca {
    type Stoppable = tasca::Task<bool>;

    async fn cancel_all<T: Send + 'static>(tasks: Vec<tasca::Task<T>>) -> usize {
        for task in &tasks {
            task.cancel();
        }
        let mut cancelled = 0;
        for task in tasks {
            cancelled += usize::from(task.outcome().await.is_err());
        }
        cancelled
    }

    fn spawn_stoppable<B, C>(self, body: B, cleanup: C) -> tasca::Task<bool>
    where
        B: Future<Output = ()> + Send + 'static,
        C: Future<Output = ()> + Send + 'static,
    {
        tasca::spawn(async {
            let stopped = tasca::catch_cancelled(body).await.is_err();
            if stopped {
                cleanup.await;
            }
            stopped
        })
    }

    async fn stop_all(tasks: Vec<tasca::Task<bool>>) -> usize {
        for task in &tasks {
            task.cancel();
        }
        let mut stopped = 0;
        for task in tasks {
            stopped += usize::from(task.await);
        }
        stopped
    }
}

impl Cancel for Tokio {
    type Stoppable = (CancellationToken, Self::Join<bool>);

    async fn cancel_all<T: Send + 'static>(tasks: Vec<Self::Join<T>>) -> usize {
        for task in &tasks {
            task.abort();
        }
        let mut cancelled = 0;
        for task in tasks {
            cancelled += usize::from(task.was_cancelled().await);
        }
        cancelled
    }

    fn spawn_stoppable<B, C>(self, body: B, cleanup: C) -> Self::Stoppable
    where
        B: Future<Output = ()> + Send + 'static,
        C: Future<Output = ()> + Send + 'static,
    {
        let token = CancellationToken::new();
        let told = token.clone();
        let task = self.spawn(async move {
            let stopped = told.run_until_cancelled(body).await.is_none();
            if stopped {
                cleanup.await;
            }
            stopped
        });
        (token, task)
    }

    async fn stop_all(tasks: Vec<Self::Stoppable>) -> usize {
        for (token, _) in &tasks {
            token.cancel();
        }
        let mut stopped = 0;
        for (_, task) in tasks {
            stopped += usize::from(task.await);
        }
        stopped
    }
}

impl Cancel for Smol {
    type Stoppable = (async_channel::Sender<()>, Self::Join<bool>);

    async fn cancel_all<T: Send + 'static>(tasks: Vec<Self::Join<T>>) -> usize {
        let ends = join_all(tasks.into_iter().map(async_executor::Task::cancel)).await;
        ends.iter().filter(|end| end.is_none()).count()
    }

    fn spawn_stoppable<B, C>(self, body: B, cleanup: C) -> Self::Stoppable
    where
        B: Future<Output = ()> + Send + 'static,
        C: Future<Output = ()> + Send + 'static,
    {
        let (stop, told) = async_channel::bounded::<()>(1);
        let task = self.spawn(async move {
            let body = async {
                body.await;
                false
            };
            let until_told = async { told.recv().await.is_err() };
            let stopped = future::or(until_told, body).await;
            if stopped {
                cleanup.await;
            }
            stopped
        });
        (stop, task)
    }

    async fn stop_all(tasks: Vec<Self::Stoppable>) -> usize {
        let tasks: Vec<_> = tasks
            .into_iter()
            .map(|(stop, task)| {
                drop(stop);
                task
            })
            .collect();
        let mut stopped = 0;
        for task in tasks {
            stopped += usize::from(task.await);
        }
        stopped
    }
}
