//! Futures that wait side by side, each polled when it was woken and not otherwise.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

/// Whether a party was woken since it was last polled.
struct Alarm(AtomicBool);

impl Wake for Alarm {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        // Ordering: Relaxed; all happens on one thread.
        self.0.store(true, Ordering::Relaxed);
    }
}

struct Party<'a, T> {
    name: usize,
    wait: Pin<Box<dyn Future<Output = T> + 'a>>,
    alarm: Arc<Alarm>,
}

impl<T> Party<'_, T> {
    fn poll(&mut self) -> Poll<T> {
        self.alarm.0.store(false, Ordering::Relaxed);
        let waker = Waker::from(Arc::clone(&self.alarm));
        self.wait.as_mut().poll(&mut Context::from_waker(&waker))
    }
}

/// Those who wait, in the order in which they came.
pub(crate) struct Parties<'a, T> {
    waiting: Vec<Party<'a, T>>,
    n_come: usize,
}

impl<'a, T> Parties<'a, T> {
    pub(crate) fn new() -> Self {
        Self {
            waiting: Vec::new(),
            n_come: 0,
        }
    }

    /// Who waits.
    pub(crate) fn names(&self) -> impl Iterator<Item = usize> {
        self.waiting.iter().map(|party| party.name)
    }

    /// Somebody comes, and is polled for the first time. Gives the name, and what came of it at once.
    pub(crate) fn come(&mut self, wait: impl Future<Output = T> + 'a) -> (usize, Option<T>) {
        let name = self.n_come;
        self.n_come += 1;
        let mut party = Party {
            name,
            wait: Box::pin(wait),
            alarm: Arc::new(Alarm(AtomicBool::new(false))),
        };
        let polled = party.poll();
        match polled {
            Poll::Ready(output) => (name, Some(output)),
            Poll::Pending => {
                self.waiting.push(party);
                (name, None)
            }
        }
    }

    /// One of those who wait, counted round and round, goes away; gives the name.
    pub(crate) fn give_up(&mut self, which: u8) -> Option<usize> {
        let index = usize::from(which).checked_rem(self.waiting.len())?;
        Some(self.waiting.remove(index).name)
    }

    /// Polls the first who was woken, or the last one, and tells who that was and what came of it; none, if nobody was.
    pub(crate) fn poll_woken(&mut self, backwards: bool) -> Option<(usize, Option<T>)> {
        let mut woken = self.waiting.iter().enumerate();
        let is_woken = |(_, party): &(usize, &Party<'a, T>)| party.alarm.0.load(Ordering::Relaxed);
        let (index, _) = match backwards {
            true => woken.rfind(is_woken),
            false => woken.find(is_woken),
        }?;
        let party = &mut self.waiting[index];
        let (name, polled) = (party.name, party.poll());
        Some(match polled {
            Poll::Ready(output) => {
                drop(self.waiting.remove(index));
                (name, Some(output))
            }
            Poll::Pending => (name, None),
        })
    }
}
