//! Tasks that talk over channels that belong to no runtime.

use std::{
    future::Future,
    task::{Context, Waker},
    time::{Duration, Instant},
};

use futures::{FutureExt, StreamExt, future::BoxFuture};

use crate::{
    rt::Peer,
    workload::{Case, Entry, Workload, entry, per_operation},
};

/// The workloads of this module.
#[must_use]
pub fn all() -> Vec<Entry> {
    vec![
        entry::<PingPong>(),
        entry::<PingPongMpsc>(),
        entry::<PingPong100>(),
        entry::<Pipeline>(),
        entry::<Crowd>(),
    ]
}

/// The limit: what is left of a workload without a runtime.
fn limit(measure: fn(usize, u64) -> f64) -> Vec<Case> {
    vec![Case::limit("polls", measure)]
}

/// Polls the futures in turn until all are ready, with a waker that does nothing: the channels are all that is left of the
/// workload. Gives what one of so many operations took.
fn polled_by_hand(
    operations: u64,
    futures: impl IntoIterator<Item = BoxFuture<'static, ()>>,
) -> f64 {
    let mut futures: Vec<_> = futures.into_iter().collect();
    let mut cx = Context::from_waker(Waker::noop());
    let start = Instant::now();
    while !futures.is_empty() {
        futures.retain_mut(|future| future.poll_unpin(&mut cx).is_pending());
    }
    per_operation(start.elapsed(), operations)
}

/// There and back over two bounded channels of `async-channel`; per round trip.
#[derive(Debug)]
pub struct PingPong;

impl PingPong {
    /// Who asks, for so many rounds, and who answers.
    fn sides(
        rounds: u64,
    ) -> (
        impl Future<Output = Duration> + Send + 'static,
        impl Future<Output = ()> + Send + 'static,
    ) {
        let (there, receive) = async_channel::bounded::<u64>(1);
        let (back, answer) = async_channel::bounded::<u64>(1);
        let asks = async move {
            let start = Instant::now();
            for number in 0..rounds {
                there.send(number).await.expect("the other side is there");
                assert_eq!(answer.recv().await, Ok(number + 1));
            }
            start.elapsed()
        };
        let answers = async move {
            while let Ok(number) = receive.recv().await {
                back.send(number + 1)
                    .await
                    .expect("the other side is there");
            }
        };
        (asks, answers)
    }

    fn by_hand(rounds: u64) -> [BoxFuture<'static, ()>; 2] {
        let (asks, answers) = Self::sides(rounds);
        [answers.boxed(), asks.map(|_time| ()).boxed()]
    }
}

impl Workload for PingPong {
    const NAME: &'static str = "ping_pong";
    const ELEMENTS: u64 = 1;

    fn limits() -> Vec<Case> {
        limit(|_, rounds| polled_by_hand(rounds, Self::by_hand(rounds)))
    }

    async fn run<R: Peer>(rt: R, rounds: u64) -> Duration {
        let (asks, answers) = Self::sides(rounds);
        let echo = rt.spawn(answers);
        let time = asks.await;
        echo.await;
        time
    }
}

/// There and back over two unbounded channels of `futures`; per round trip.
#[derive(Debug)]
pub struct PingPongMpsc;

impl PingPongMpsc {
    /// Who asks, for so many rounds, and who answers.
    fn sides(
        rounds: u64,
    ) -> (
        impl Future<Output = Duration> + Send + 'static,
        impl Future<Output = ()> + Send + 'static,
    ) {
        let (there, mut receive) = futures::channel::mpsc::unbounded::<u64>();
        let (back, mut answer) = futures::channel::mpsc::unbounded::<u64>();
        let asks = async move {
            let start = Instant::now();
            for number in 0..rounds {
                there
                    .unbounded_send(number)
                    .expect("the other side is there");
                assert_eq!(answer.next().await, Some(number + 1));
            }
            start.elapsed()
        };
        let answers = async move {
            while let Some(number) = receive.next().await {
                back.unbounded_send(number + 1)
                    .expect("the other side is there");
            }
        };
        (asks, answers)
    }
}

impl Workload for PingPongMpsc {
    const NAME: &'static str = "ping_pong_mpsc";
    const ELEMENTS: u64 = 1;

    fn limits() -> Vec<Case> {
        limit(|_, rounds| {
            let (asks, answers) = Self::sides(rounds);
            polled_by_hand(rounds, [answers.boxed(), asks.map(|_time| ()).boxed()])
        })
    }

    async fn run<R: Peer>(rt: R, rounds: u64) -> Duration {
        let (asks, answers) = Self::sides(rounds);
        let echo = rt.spawn(answers);
        let time = asks.await;
        echo.await;
        time
    }
}

/// 100 pairs of tasks at once, each as in [`PingPong`]; per round trip.
#[derive(Debug)]
pub struct PingPong100;

impl Workload for PingPong100 {
    const NAME: &'static str = "ping_pong_100";
    const ELEMENTS: u64 = 100;

    fn limits() -> Vec<Case> {
        limit(|_, rounds| {
            let pairs = (0..Self::ELEMENTS).flat_map(|_| PingPong::by_hand(rounds));
            polled_by_hand(rounds * Self::ELEMENTS, pairs)
        })
    }

    async fn run<R: Peer>(rt: R, rounds: u64) -> Duration {
        let start = Instant::now();
        let pairs: Vec<_> = (0..Self::ELEMENTS)
            .map(|_| rt.spawn(PingPong::run(rt, rounds)))
            .collect();
        for pair in pairs {
            pair.await;
        }
        start.elapsed()
    }
}

/// Numbers that go through four tasks, with a channel of 16 of `async-channel` before each and behind the
/// last; per number.
#[derive(Debug)]
pub struct Pipeline;

impl Pipeline {
    /// Who puts so many numbers in, those who pass them on, and who takes them out.
    fn stages(
        numbers: u64,
    ) -> (
        impl Future<Output = ()> + Send + 'static,
        Vec<impl Future<Output = ()> + Send + 'static>,
        impl Future<Output = ()> + Send + 'static,
    ) {
        let (first, mut last) = async_channel::bounded::<u64>(16);
        let mut pass_on = Vec::new();
        for _ in 0..4 {
            let (sender, receiver) = async_channel::bounded(16);
            let from = std::mem::replace(&mut last, receiver);
            pass_on.push(async move {
                while let Ok(number) = from.recv().await {
                    sender.send(number + 1).await.expect("the next is there");
                }
            });
        }
        let put_in = async move {
            for number in 0..numbers {
                first.send(number).await.expect("the next is there");
            }
        };
        let take_out = async move {
            for number in 0..numbers {
                assert_eq!(last.recv().await, Ok(number + 4));
            }
        };
        (put_in, pass_on, take_out)
    }
}

impl Workload for Pipeline {
    const NAME: &'static str = "pipeline";
    const ELEMENTS: u64 = 64;

    fn limits() -> Vec<Case> {
        limit(|_, rounds| {
            let numbers = rounds * Self::ELEMENTS;
            let (put_in, pass_on, take_out) = Self::stages(numbers);
            let stages = pass_on.into_iter().map(FutureExt::boxed);
            polled_by_hand(numbers, stages.chain([put_in.boxed(), take_out.boxed()]))
        })
    }

    async fn run<R: Peer>(rt: R, rounds: u64) -> Duration {
        let (put_in, pass_on, take_out) = Self::stages(rounds * Self::ELEMENTS);
        let start = Instant::now();
        let passing: Vec<_> = pass_on.into_iter().map(|stage| rt.spawn(stage)).collect();
        let putting = rt.spawn(put_in);
        take_out.await;
        let time = start.elapsed();
        for task in passing {
            task.await;
        }
        putting.await;
        time
    }
}

/// Eight tasks that put items into one channel with room for 16, and eight that take them out; per item.
#[derive(Debug)]
pub struct Crowd;

impl Crowd {
    const SIDE: u64 = 8;

    /// Those who put so many items in together, and those who take them out.
    fn sides(
        items: u64,
    ) -> (
        Vec<impl Future<Output = ()> + Send + 'static>,
        Vec<impl Future<Output = ()> + Send + 'static>,
    ) {
        let (sender, receiver) = async_channel::bounded::<u64>(16);
        let put_in = |_| {
            let sender = sender.clone();
            async move {
                for item in 0..items / Self::SIDE {
                    sender.send(item).await.expect("somebody takes it");
                }
            }
        };
        let put_in = (0..Self::SIDE).map(put_in).collect();
        let take_out = |_| {
            let receiver = receiver.clone();
            async move { while receiver.recv().await.is_ok() {} }
        };
        (put_in, (0..Self::SIDE).map(take_out).collect())
    }
}

impl Workload for Crowd {
    const NAME: &'static str = "channel_8x8";
    const ELEMENTS: u64 = 64;

    fn limits() -> Vec<Case> {
        limit(|_, rounds| {
            let items = rounds * Self::ELEMENTS;
            let (put_in, take_out) = Self::sides(items);
            let put_in = put_in.into_iter().map(FutureExt::boxed);
            polled_by_hand(
                items,
                put_in.chain(take_out.into_iter().map(FutureExt::boxed)),
            )
        })
    }

    async fn run<R: Peer>(rt: R, rounds: u64) -> Duration {
        let (put_in, take_out) = Self::sides(rounds * Self::ELEMENTS);
        let start = Instant::now();
        let put_in: Vec<_> = put_in.into_iter().map(|side| rt.spawn(side)).collect();
        let take_out: Vec<_> = take_out.into_iter().map(|side| rt.spawn(side)).collect();
        for side in put_in.into_iter().chain(take_out) {
            side.await;
        }
        start.elapsed()
    }
}
