//! Synchronisation objects of scenarios, made of the library's.
//!
//! asyncio's locks have no owner: any task may release one. Here the right to a lock is a guard, and the guard of each lock lies
//! in a slot beside it, where every task of the scenario can take it.

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use tasca::sync::{
    Barrier, BoundedSemaphore, Condition, Event, GetNowaitError, LifoQueue, Lock, LockGuard,
    PriorityQueue, PutNowaitError, Queue, QueueShutDown, Semaphore,
};

use crate::error;
use crate::world::lock;

/// A lock, with the guard of whoever has it.
pub(crate) struct OpenLock {
    lock: Arc<Lock<()>>,
    guard: Mutex<Option<LockGuard<'static, ()>>>,
}

impl OpenLock {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            lock: Arc::new(Lock::new(())),
            guard: Mutex::new(None),
        })
    }

    pub(crate) async fn acquire(&self) {
        let guard = Arc::clone(&self.lock).lock_owned().await;
        *lock(&self.guard) = Some(guard);
    }

    pub(crate) fn release(&self) -> Result<(), Value> {
        let guard = lock(&self.guard).take();
        // It is dropped here, after the slot has been left.
        guard.map(drop).ok_or_else(|| error::library("Runtime"))
    }

    fn is_locked(&self) -> bool {
        self.lock.is_locked()
    }

    /// Takes the guard out of its slot, if the lock is held.
    fn borrow(&self) -> Result<Borrowed<'_>, Value> {
        let guard = lock(&self.guard).take();
        match guard {
            Some(guard) => Ok(Borrowed {
                from: self,
                guard: Some(guard),
            }),
            None => Err(error::library("Runtime")),
        }
    }
}

/// A guard out of its slot. It goes back there even if a cancellation drops what it was borrowed for: the lock is
/// then held, as asyncio has it.
struct Borrowed<'a> {
    from: &'a OpenLock,
    guard: Option<LockGuard<'static, ()>>,
}

impl Borrowed<'_> {
    fn guard(&mut self) -> &mut LockGuard<'static, ()> {
        self.guard.as_mut().expect("taken by the drop only")
    }
}

impl Drop for Borrowed<'_> {
    fn drop(&mut self) {
        let mut slot = lock(&self.from.guard);
        // A guard that lost its lock in a wait that was dropped is of no use; somebody else may have the lock.
        if slot.is_none() {
            *slot = self.guard.take();
        }
    }
}

/// What `with`, `acquire`, `put` and so on are done to.
pub(crate) enum Object {
    Lock(Arc<OpenLock>),
    Event(Event),
    Condition(Condition, Arc<OpenLock>),
    Semaphore(Semaphore),
    Bounded(BoundedSemaphore),
    Barrier(Barrier),
    Fifo(Queue<Value>),
    Lifo(LifoQueue<Value>),
    Priority(PriorityQueue<i64>),
}

/// Does the same to a queue of any kind.
macro_rules! with_queue {
    ($object:expr, $queue:ident => $done:expr) => {
        match $object {
            Object::Fifo($queue) => $done,
            Object::Lifo($queue) => $done,
            Object::Priority($queue) => $done,
            _ => Err(unfit()),
        }
    };
}

/// What an operation gives that the object does not have. No scenario asks for it.
fn unfit() -> Value {
    error::library("Type")
}

fn shut_down(_: QueueShutDown) -> Value {
    error::library("QueueShutDown")
}

fn refused<T>(error: &PutNowaitError<T>) -> Value {
    error::library(if error.is_full() {
        "QueueFull"
    } else {
        "QueueShutDown"
    })
}

fn nothing(error: GetNowaitError) -> Value {
    error::library(if error.is_empty() {
        "QueueEmpty"
    } else {
        "QueueShutDown"
    })
}

impl Object {
    /// Makes an object. `find` finds the lock that a condition shares.
    pub(crate) fn new(
        spec: &Value,
        find: impl FnOnce(&str) -> Option<Arc<Self>>,
    ) -> Result<Self, Value> {
        // Where asyncio fails with an error for a number, the library's types have no such number, or panic.
        let value_error = || error::library("Value");
        let made = match spec["type"].as_str().unwrap_or_default() {
            "lock" => Self::Lock(OpenLock::new()),
            "event" => Self::Event(Event::new()),
            "condition" => {
                let lock = match spec["lock"].as_str().and_then(find).as_deref() {
                    Some(Self::Lock(lock) | Self::Condition(_, lock)) => Arc::clone(lock),
                    _ => OpenLock::new(),
                };
                Self::Condition(Condition::new(), lock)
            }
            "semaphore" => {
                let n_permits = spec["value"].as_i64().unwrap_or(1);
                let n_permits = usize::try_from(n_permits).map_err(|_| value_error())?;
                if spec["bounded"].as_bool().unwrap_or(false) {
                    Self::Bounded(BoundedSemaphore::new(n_permits))
                } else {
                    Self::Semaphore(Semaphore::new(n_permits))
                }
            }
            "barrier" => match usize::try_from(spec["parties"].as_i64().unwrap_or(0)) {
                Ok(n_parties @ 1..) => Self::Barrier(Barrier::new(n_parties)),
                _ => return Err(value_error()),
            },
            "queue" => {
                // Zero is unbounded, here as there; so is less.
                let maxsize = usize::try_from(spec["maxsize"].as_i64().unwrap_or(0)).unwrap_or(0);
                match (spec["kind"].as_str().unwrap_or("fifo"), maxsize) {
                    ("lifo", 0) => Self::Lifo(LifoQueue::unbounded()),
                    ("lifo", _) => Self::Lifo(LifoQueue::bounded(maxsize)),
                    ("priority", 0) => Self::Priority(PriorityQueue::unbounded()),
                    ("priority", _) => Self::Priority(PriorityQueue::bounded(maxsize)),
                    (_, 0) => Self::Fifo(Queue::unbounded()),
                    (_, _) => Self::Fifo(Queue::bounded(maxsize)),
                }
            }
            _ => return Err(unfit()),
        };
        Ok(made)
    }

    pub(crate) async fn acquire(&self) -> Result<(), Value> {
        match self {
            Self::Lock(lock) | Self::Condition(_, lock) => lock.acquire().await,
            Self::Semaphore(semaphore) => semaphore.acquire().await.forget(),
            Self::Bounded(semaphore) => semaphore.acquire().await.forget(),
            _ => return Err(unfit()),
        }
        Ok(())
    }

    pub(crate) fn release(&self) -> Result<(), Value> {
        match self {
            Self::Lock(lock) | Self::Condition(_, lock) => lock.release(),
            Self::Semaphore(semaphore) => {
                semaphore.release();
                Ok(())
            }
            Self::Bounded(semaphore) => semaphore.release().map_err(|_| error::library("Value")),
            _ => Err(unfit()),
        }
    }

    pub(crate) fn event(&self) -> Result<&Event, Value> {
        match self {
            Self::Event(event) => Ok(event),
            _ => Err(unfit()),
        }
    }

    fn condition(&self) -> Result<(&Condition, &OpenLock), Value> {
        match self {
            Self::Condition(condition, lock) => Ok((condition, lock)),
            _ => Err(unfit()),
        }
    }

    pub(crate) async fn wait_for_notification(&self) -> Result<(), Value> {
        let (condition, lock) = self.condition()?;
        let mut borrowed = lock.borrow()?;
        condition.wait(borrowed.guard()).await;
        Ok(())
    }

    pub(crate) async fn wait_until(&self, holds: impl Fn() -> bool) -> Result<(), Value> {
        let (condition, lock) = self.condition()?;
        // What holds already needs no lock (rule K6).
        if holds() {
            return Ok(());
        }
        let mut borrowed = lock.borrow()?;
        condition.wait_for(borrowed.guard(), |()| holds()).await;
        Ok(())
    }

    pub(crate) fn notify(&self, n: usize) -> Result<(), Value> {
        let (condition, open) = self.condition()?;
        let slot = lock(&open.guard);
        let guard = slot.as_ref().ok_or_else(|| error::library("Runtime"))?;
        condition.notify(guard, n);
        Ok(())
    }

    pub(crate) fn barrier(&self) -> Result<&Barrier, Value> {
        match self {
            Self::Barrier(barrier) => Ok(barrier),
            _ => Err(unfit()),
        }
    }

    pub(crate) fn is_barrier(&self) -> bool {
        matches!(self, Self::Barrier(_))
    }

    pub(crate) async fn meet(&self) -> Result<usize, Value> {
        let arrived = self.barrier()?.wait().await;
        arrived.map_err(|_| error::library("BrokenBarrier"))
    }

    pub(crate) async fn put(&self, item: Value) -> Result<(), Value> {
        let is_shut_down = match self {
            Self::Fifo(queue) => queue.put(item).await.is_err(),
            Self::Lifo(queue) => queue.put(item).await.is_err(),
            Self::Priority(queue) => queue.put(priority(&item)?).await.is_err(),
            _ => return Err(unfit()),
        };
        match is_shut_down {
            true => Err(error::library("QueueShutDown")),
            false => Ok(()),
        }
    }

    pub(crate) fn put_nowait(&self, item: Value) -> Result<(), Value> {
        match self {
            Self::Fifo(queue) => queue.put_nowait(item).map_err(|error| refused(&error)),
            Self::Lifo(queue) => queue.put_nowait(item).map_err(|error| refused(&error)),
            Self::Priority(queue) => {
                let put = queue.put_nowait(priority(&item)?);
                put.map_err(|error| refused(&error))
            }
            _ => Err(unfit()),
        }
    }

    pub(crate) async fn get(&self) -> Result<Value, Value> {
        with_queue!(self, queue => queue.get().await.map(|item| json!(item)).map_err(shut_down))
    }

    pub(crate) fn get_nowait(&self) -> Result<Value, Value> {
        with_queue!(self, queue => queue.get_nowait().map(|item| json!(item)).map_err(nothing))
    }

    pub(crate) fn task_done(&self) -> Result<(), Value> {
        with_queue!(self, queue => queue.task_done().map_err(|_| error::library("Value")))
    }

    pub(crate) async fn join(&self) -> Result<(), Value> {
        with_queue!(self, queue => {
            queue.join().await;
            Ok(())
        })
    }

    pub(crate) fn shut_down(&self, is_immediate: bool) -> Result<(), Value> {
        with_queue!(self, queue => {
            match is_immediate {
                true => queue.shutdown_now(),
                false => queue.shutdown(),
            }
            Ok(())
        })
    }

    /// What `state` shows.
    pub(crate) fn state(&self) -> Value {
        let locked = |is_locked: bool| json!({"locked": is_locked});
        match self {
            Self::Lock(lock) | Self::Condition(_, lock) => locked(lock.is_locked()),
            Self::Semaphore(semaphore) => locked(semaphore.is_locked()),
            Self::Bounded(semaphore) => locked(semaphore.is_locked()),
            Self::Event(event) => json!({"set": event.is_set()}),
            Self::Barrier(barrier) => json!({
                "broken": barrier.is_broken(),
                "n_waiting": barrier.n_waiting(),
                "parties": barrier.parties(),
            }),
            Self::Fifo(_) | Self::Lifo(_) | Self::Priority(_) => {
                let state = with_queue!(self, queue => Ok(json!({
                    "size": queue.len(),
                    "empty": queue.is_empty(),
                    "full": queue.is_full(),
                })));
                state.unwrap_or_else(|error: Value| error)
            }
        }
    }
}

/// Priority queues hold integers.
fn priority(item: &Value) -> Result<i64, Value> {
    item.as_i64().ok_or_else(unfit)
}
