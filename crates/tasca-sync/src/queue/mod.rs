//! Queues between tasks, that know when all their items have been dealt with.
//!
//! | | gives back first | asyncio |
//! |---|---|---|
//! | [`Queue`] | the oldest item | `Queue` |
//! | [`LifoQueue`] | the youngest | `LifoQueue` |
//! | [`PriorityQueue`] | the smallest | `PriorityQueue` |
//!
//! All of them are one type, [`QueueOf`] some [`Store`].
//!
//! # What is guaranteed
//!
//! - An item is in the queue, or with whoever put it, or with whoever got it: never with a task that is on its way. A task that
//!   is woken for an item finds it in the queue when it is polled, unless somebody else was there first; then it waits again,
//!   at the end of the line. So a task may be cancelled, and a future dropped, at any moment, and no item is lost.
//! - Tasks that wait for an item, and those that wait for room, are woken in the order in which they began to wait.
//! - Foreign code runs while no lock is held, with one exception: the comparisons of a [`PriorityQueue`].

mod error;
mod gates;
mod store;

use std::fmt;

use self::gates::{Get, Join, Put};
use super::line::{Later, Line};
use super::primitive::Mutex;
use super::wait::Wait;

pub use error::{GetNowaitError, PutError, PutNowaitError, QueueShutDown, TaskDoneError};
pub use store::{Fifo, Lifo, Smallest, Store};

/// A queue between any number of tasks that put items and get them.
///
/// # asyncio counterpart
///
/// `asyncio.Queue`. Operations that fail give the item back. `shutdown(immediate=True)` is
/// [`shutdown_now`](Self::shutdown_now).
///
/// # Examples
///
/// ```
/// # let rt = tasca_core::Runtime::builder().multi_thread().worker_threads(2).build().unwrap();
/// # rt.block_on(async {
/// use std::sync::Arc;
///
/// let queue = Arc::new(tasca_sync::Queue::bounded(2));
/// let workers = [(); 3].map(|()| {
///     let queue = Arc::clone(&queue);
///     tasca_core::spawn(async move {
///         let mut sum = 0;
///         while let Ok(n) = queue.get().await {
///             sum += n;
///             queue.task_done().unwrap();
///         }
///         sum // the queue was shut down, and is empty
///     })
/// });
/// for n in 1..=10 {
///     queue.put(n).await.unwrap(); // waits while there are two in it
/// }
/// queue.join().await;
/// queue.shutdown();
/// let mut total = 0;
/// for worker in workers {
///     total += worker.await;
/// }
/// assert_eq!(total, 55);
/// # });
/// ```
pub type Queue<T> = QueueOf<Fifo<T>>;

/// A queue that gives back the youngest item first; see [`Queue`].
///
/// # asyncio counterpart
///
/// `asyncio.LifoQueue`.
///
/// # Examples
///
/// ```
/// let stack = tasca_sync::LifoQueue::unbounded();
/// stack.put_nowait(1).unwrap();
/// stack.put_nowait(2).unwrap();
/// assert_eq!(stack.get_nowait(), Ok(2));
/// ```
pub type LifoQueue<T> = QueueOf<Lifo<T>>;

/// A queue that gives back the smallest item first; see [`Queue`].
///
/// Items are compared while the queue is locked: a comparison must not use the queue.
///
/// # asyncio counterpart
///
/// `asyncio.PriorityQueue`.
///
/// # Examples
///
/// ```
/// let agenda = tasca_sync::PriorityQueue::unbounded();
/// agenda.put_nowait((2, "tea")).unwrap();
/// agenda.put_nowait((1, "fire")).unwrap();
/// assert_eq!(agenda.get_nowait(), Ok((1, "fire")));
/// ```
pub type PriorityQueue<T> = QueueOf<Smallest<T>>;

/// What all queues are; see [`Queue`].
pub struct QueueOf<S> {
    state: Mutex<State<S>>,
}

#[derive(Debug)]
struct State<S> {
    store: S,
    /// How many items there may be; 0 if there is no bound.
    maxsize: usize,
    /// How many items were put and not reported as done.
    n_unfinished: usize,
    is_shut_down: bool,
    getters: Line,
    putters: Line,
    joiners: Line,
}

impl<S: Store> State<S> {
    fn is_full(&self) -> bool {
        self.maxsize > 0 && self.store.len() >= self.maxsize
    }

    fn put_nowait(
        &mut self,
        item: S::Item,
        later: &mut Later,
    ) -> Result<(), PutNowaitError<S::Item>> {
        if self.is_shut_down {
            return Err(PutNowaitError::ShutDown(item));
        }
        if self.is_full() {
            return Err(PutNowaitError::Full(item));
        }
        // Panic: a comparison may panic, and leaves the item in the store; it is counted by then.
        self.n_unfinished += 1;
        self.store.push(item);
        self.getters.pull_next(later);
        Ok(())
    }

    fn get_nowait(&mut self, later: &mut Later) -> Result<S::Item, GetNowaitError> {
        match self.store.pop() {
            Some(item) => {
                self.putters.pull_next(later);
                Ok(item)
            }
            None if self.is_shut_down => Err(GetNowaitError::ShutDown),
            None => Err(GetNowaitError::Empty),
        }
    }

    fn shut_down(&mut self, later: &mut Later) {
        self.is_shut_down = true;
        self.getters.pull_all(later);
        self.putters.pull_all(later);
    }

    /// Counts items as done, and wakes those who wait for that when they were the last.
    fn finish(&mut self, n_items: usize, later: &mut Later) {
        self.n_unfinished = self.n_unfinished.saturating_sub(n_items);
        if self.n_unfinished == 0 {
            self.joiners.wake_all(later);
        }
    }
}

impl<S: Store> QueueOf<S> {
    /// Makes a queue that always has room.
    #[must_use]
    pub fn unbounded() -> Self {
        Self::bounded(0)
    }

    /// Makes a queue that has room for `maxsize` items. As in asyncio, zero means that there is no bound.
    #[must_use]
    pub fn bounded(maxsize: usize) -> Self {
        Self {
            state: Mutex::new(State {
                store: S::default(),
                maxsize,
                n_unfinished: 0,
                is_shut_down: false,
                getters: Line::new(),
                putters: Line::new(),
                joiners: Line::new(),
            }),
        }
    }

    /// Puts an item in, and waits for room if need be.
    ///
    /// # asyncio counterpart
    ///
    /// `await queue.put(item)`.
    ///
    /// # Errors
    ///
    /// [`PutError`] with the item if the queue was shut down, before the call or during the wait.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped or its task cancelled, the item has not been put; it is dropped with the future. If the task had been
    /// woken for a place that is still free, the next in line gets it.
    #[inline]
    pub async fn put(&self, item: S::Item) -> Result<(), PutError<S::Item>> {
        Wait::new(Put {
            state: &self.state,
            item: Some(item),
        })
        .await
    }

    /// Puts an item in, if there is room.
    ///
    /// # asyncio counterpart
    ///
    /// `queue.put_nowait(item)`.
    ///
    /// # Errors
    ///
    /// The item, in [`PutNowaitError::Full`] if there is no room, or in [`PutNowaitError::ShutDown`].
    #[inline]
    pub fn put_nowait(&self, item: S::Item) -> Result<(), PutNowaitError<S::Item>> {
        let mut later = Later::default();
        self.state.lock().put_nowait(item, &mut later)
    }

    /// Gets the next item, and waits for one if need be.
    ///
    /// # asyncio counterpart
    ///
    /// `await queue.get()`.
    ///
    /// # Errors
    ///
    /// [`QueueShutDown`] if the queue was shut down, before the call or during the wait, and has no items left.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped or its task cancelled, no item is lost. If the task had been woken for an item that is still there,
    /// the next in line is woken for it.
    #[inline]
    pub async fn get(&self) -> Result<S::Item, QueueShutDown> {
        Wait::new(Get(&self.state)).await
    }

    /// Gets the next item, if there is one.
    ///
    /// # asyncio counterpart
    ///
    /// `queue.get_nowait()`.
    ///
    /// # Errors
    ///
    /// [`GetNowaitError::Empty`] if there is none, [`GetNowaitError::ShutDown`] if there never will be.
    #[inline]
    pub fn get_nowait(&self) -> Result<S::Item, GetNowaitError> {
        let mut later = Later::default();
        self.state.lock().get_nowait(&mut later)
    }

    /// Reports that an item that one got has been dealt with.
    ///
    /// # asyncio counterpart
    ///
    /// `queue.task_done()`.
    ///
    /// # Errors
    ///
    /// [`TaskDoneError`] if all items have been reported already.
    pub fn task_done(&self) -> Result<(), TaskDoneError> {
        let mut later = Later::default();
        let mut state = self.state.lock();
        if state.n_unfinished == 0 {
            return Err(TaskDoneError);
        }
        state.finish(1, &mut later);
        Ok(())
    }

    /// Waits until all items that were put have been got and [reported as done](Self::task_done).
    ///
    /// Does not suspend if that is so already. Once woken it returns, even if items have come in since.
    ///
    /// # asyncio counterpart
    ///
    /// `await queue.join()`.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped or its task cancelled, nothing happens to the queue.
    pub async fn join(&self) {
        Wait::new(Join(&self.state)).await;
    }

    /// Shuts the queue down: nothing can be put any more; what is in it can still be got.
    ///
    /// Those who wait for room fail, and so do those who wait for an item, now or later, once the queue is empty. May
    /// be called again.
    ///
    /// # asyncio counterpart
    ///
    /// `queue.shutdown()`.
    pub fn shutdown(&self) {
        let mut later = Later::default();
        self.state.lock().shut_down(&mut later);
    }

    /// Shuts the queue down and throws away what is in it.
    ///
    /// What is thrown away counts as done; items that somebody got still have to be reported.
    ///
    /// # asyncio counterpart
    ///
    /// `queue.shutdown(immediate=True)`.
    pub fn shutdown_now(&self) {
        let mut later = Later::default();
        let items = {
            let mut state = self.state.lock();
            let items = std::mem::take(&mut state.store);
            let n_items = items.len();
            if n_items > 0 {
                state.finish(n_items, &mut later);
            }
            state.shut_down(&mut later);
            items
        };
        drop(later);
        drop(items);
    }

    /// Gives the number of items in the queue at this moment.
    ///
    /// # asyncio counterpart
    ///
    /// `queue.qsize()`.
    #[doc(alias = "qsize")]
    #[must_use]
    pub fn len(&self) -> usize {
        self.state.lock().store.len()
    }

    /// Whether there is no item in the queue at this moment.
    ///
    /// # asyncio counterpart
    ///
    /// `queue.empty()`.
    #[doc(alias = "empty")]
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether there is no room in the queue at this moment.
    ///
    /// # asyncio counterpart
    ///
    /// `queue.full()`.
    #[doc(alias = "full")]
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.state.lock().is_full()
    }

    /// Gives the number of items that there is room for; zero if there is no bound.
    ///
    /// # asyncio counterpart
    ///
    /// `queue.maxsize`.
    #[must_use]
    pub fn maxsize(&self) -> usize {
        self.state.lock().maxsize
    }
}

impl<S: Store> fmt::Debug for QueueOf<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.state.lock();
        let (len, maxsize) = (state.store.len(), state.maxsize);
        let (n_unfinished, is_shut_down) = (state.n_unfinished, state.is_shut_down);
        drop(state);
        f.debug_struct("Queue")
            .field("len", &len)
            .field("maxsize", &maxsize)
            .field("n_unfinished", &n_unfinished)
            .field("is_shut_down", &is_shut_down)
            .finish_non_exhaustive()
    }
}
