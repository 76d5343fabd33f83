//! Each runtime's own lock and queue.

use std::{future::Future, ops::DerefMut, sync::Arc};

use super::{smol::Smol, tasca::Tasca, tokio::Tokio};

/// A lock and a queue as they come with the runtime, or as its users add them.
pub trait Sync: Copy + Send + std::marker::Sync + 'static {
    /// A lock that is awaited, around a number.
    type Lock: Send + std::marker::Sync + 'static;
    /// What the number is changed through while the lock is held.
    type Guard<'a>: DerefMut<Target = u64> + Send;
    /// The end of a bounded queue that items are put into; many tasks may have one.
    type Sender: Clone + Send + 'static;
    /// The other end.
    type Receiver: Send + 'static;

    /// A lock around zero.
    fn lock() -> Self::Lock;

    /// Waits for its turn to have the lock.
    fn acquire(lock: &Self::Lock) -> impl Future<Output = Self::Guard<'_>> + Send;

    /// A queue with room for so many items.
    fn queue(capacity: usize) -> (Self::Sender, Self::Receiver);

    /// Puts an item in, once there is room.
    fn put(sender: &Self::Sender, item: u64) -> impl Future<Output = ()> + Send;

    /// Takes an item out, once there is one.
    fn get(receiver: &mut Self::Receiver) -> impl Future<Output = u64> + Send;
}

impl Sync for Tasca {
    type Lock = tasca::sync::Lock<u64>;
    type Guard<'a> = tasca::sync::LockGuard<'a, u64>;
    type Sender = Arc<tasca::sync::Queue<u64>>;
    type Receiver = Arc<tasca::sync::Queue<u64>>;

    fn lock() -> Self::Lock {
        tasca::sync::Lock::new(0)
    }

    fn acquire(lock: &Self::Lock) -> impl Future<Output = Self::Guard<'_>> + Send {
        lock.lock()
    }

    fn queue(capacity: usize) -> (Self::Sender, Self::Receiver) {
        let queue = Arc::new(tasca::sync::Queue::bounded(capacity));
        (Arc::clone(&queue), queue)
    }

    async fn put(sender: &Self::Sender, item: u64) {
        sender.put(item).await.expect("the queue stays open");
    }

    async fn get(receiver: &mut Self::Receiver) -> u64 {
        receiver.get().await.expect("the queue stays open")
    }
}

impl Sync for Tokio {
    type Lock = tokio::sync::Mutex<u64>;
    type Guard<'a> = tokio::sync::MutexGuard<'a, u64>;
    type Sender = tokio::sync::mpsc::Sender<u64>;
    type Receiver = tokio::sync::mpsc::Receiver<u64>;

    fn lock() -> Self::Lock {
        tokio::sync::Mutex::new(0)
    }

    fn acquire(lock: &Self::Lock) -> impl Future<Output = Self::Guard<'_>> + Send {
        lock.lock()
    }

    fn queue(capacity: usize) -> (Self::Sender, Self::Receiver) {
        tokio::sync::mpsc::channel(capacity)
    }

    async fn put(sender: &Self::Sender, item: u64) {
        sender.send(item).await.expect("the receiver is there");
    }

    async fn get(receiver: &mut Self::Receiver) -> u64 {
        receiver.recv().await.expect("a sender is there")
    }
}

impl Sync for Smol {
    type Lock = async_lock::Mutex<u64>;
    type Guard<'a> = async_lock::MutexGuard<'a, u64>;
    type Sender = async_channel::Sender<u64>;
    type Receiver = async_channel::Receiver<u64>;

    fn lock() -> Self::Lock {
        async_lock::Mutex::new(0)
    }

    fn acquire(lock: &Self::Lock) -> impl Future<Output = Self::Guard<'_>> + Send {
        lock.lock()
    }

    fn queue(capacity: usize) -> (Self::Sender, Self::Receiver) {
        async_channel::bounded(capacity)
    }

    async fn put(sender: &Self::Sender, item: u64) {
        sender.send(item).await.expect("the receiver is there");
    }

    async fn get(receiver: &mut Self::Receiver) -> u64 {
        receiver.recv().await.expect("a sender is there")
    }
}
