//! Waiting for many tasks at once, as the users of each runtime do.

use std::future::Future;

use futures::{StreamExt, future::join_all, stream::FuturesUnordered};
use tokio::task::JoinSet;

use super::{Rt, smol::Smol, tasca::Tasca, tokio::Tokio};

/// Tasks that belong together.
pub trait Groups: Copy + Send + Sync + 'static {
    /// Spawns every future, and gives the outputs in the order of the futures.
    fn gather<F>(self, futures: Vec<F>) -> impl Future<Output = Vec<F::Output>> + Send
    where
        F: Future<Output: Send + 'static> + Send + 'static;

    /// Spawns the futures in a scope that ends when all of them have ended.
    fn scope<F>(self, futures: Vec<F>) -> impl Future<Output = ()> + Send
    where
        F: Future<Output = ()> + Send + 'static;

    /// Spawns every future, and calls `each` with the outputs in the order in which they come.
    fn as_completed<F, C>(self, futures: Vec<F>, each: C) -> impl Future<Output = ()> + Send
    where
        F: Future<Output: Send + 'static> + Send + 'static,
        C: FnMut(F::Output) + Send;
}

impl Groups for Tasca {
    async fn gather<F>(self, futures: Vec<F>) -> Vec<F::Output>
    where
        F: Future<Output: Send + 'static> + Send + 'static,
    {
        tasca::gather(futures).await
    }

    async fn scope<F>(self, futures: Vec<F>)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let scope = tasca::TaskGroup::<()>::scope(async |group| {
            for future in futures {
                drop(group.spawn(future));
            }
        });
        scope.await.expect("no task fails");
    }

    async fn as_completed<F, C>(self, futures: Vec<F>, mut each: C)
    where
        F: Future<Output: Send + 'static> + Send + 'static,
        C: FnMut(F::Output) + Send,
    {
        let mut ended = tasca::as_completed(futures);
        while let Some(task) = StreamExt::next(&mut ended).await {
            each(task.await);
        }
    }
}

impl Groups for Tokio {
    async fn gather<F>(self, futures: Vec<F>) -> Vec<F::Output>
    where
        F: Future<Output: Send + 'static> + Send + 'static,
    {
        join_all(futures.into_iter().map(|future| self.spawn(future))).await
    }

    async fn scope<F>(self, futures: Vec<F>)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let mut tasks: JoinSet<()> = futures.into_iter().collect();
        while let Some(ended) = tasks.join_next().await {
            ended.expect("no task fails");
        }
    }

    async fn as_completed<F, C>(self, futures: Vec<F>, mut each: C)
    where
        F: Future<Output: Send + 'static> + Send + 'static,
        C: FnMut(F::Output) + Send,
    {
        let mut tasks: JoinSet<F::Output> = futures.into_iter().collect();
        while let Some(ended) = tasks.join_next().await {
            each(ended.expect("no task fails"));
        }
    }
}

impl Groups for Smol {
    async fn gather<F>(self, futures: Vec<F>) -> Vec<F::Output>
    where
        F: Future<Output: Send + 'static> + Send + 'static,
    {
        join_all(futures.into_iter().map(|future| self.spawn(future))).await
    }

    async fn scope<F>(self, futures: Vec<F>)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.as_completed(futures, |()| ()).await;
    }

    async fn as_completed<F, C>(self, futures: Vec<F>, mut each: C)
    where
        F: Future<Output: Send + 'static> + Send + 'static,
        C: FnMut(F::Output) + Send,
    {
        let mut tasks: FuturesUnordered<_> = futures
            .into_iter()
            .map(|future| self.spawn(future))
            .collect();
        while let Some(output) = tasks.next().await {
            each(output);
        }
    }
}
