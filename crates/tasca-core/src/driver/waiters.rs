//! Who waits for one direction of one source.

use std::task::Waker;

/// The name of a future in the list of waiters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct WaiterId(u64);

/// How a waiter is remembered.
#[derive(Debug)]
pub(crate) enum Wait<'a> {
    /// As the one task that uses the `poll_` functions: a later one takes its place.
    Polled,
    /// As one future among many, under a name that it keeps; empty until its first wait.
    Listed(&'a mut Option<WaiterId>),
}

impl Wait<'_> {
    /// The same, for a shorter time.
    pub(crate) fn by_ref(&mut self) -> Wait<'_> {
        match self {
            Self::Polled => Wait::Polled,
            Self::Listed(id) => Wait::Listed(id),
        }
    }
}

/// The wakers of one direction. They are taken by the event that wakes them.
///
/// Nothing here calls a waker: what is displaced is handed out, to be dropped after the lock.
#[derive(Debug)]
pub(crate) struct Waiters {
    polled: Option<Waker>,
    listed: Vec<(WaiterId, Waker)>,
    next_id: u64,
}

impl Waiters {
    pub(crate) const fn new() -> Self {
        Self {
            polled: None,
            listed: Vec::new(),
            next_id: 0,
        }
    }

    /// Remembers `waker`; gives back what has to be dropped instead.
    pub(crate) fn add(&mut self, wait: &mut Wait<'_>, waker: Waker) -> Option<Waker> {
        match wait {
            Wait::Polled => self.polled.replace(waker),
            Wait::Listed(id) => {
                let known = self
                    .listed
                    .iter_mut()
                    .find(|(listed, _)| Some(*listed) == **id);
                if let Some((_, place)) = known {
                    return Some(std::mem::replace(place, waker));
                }
                let new_id = WaiterId(self.next_id);
                self.next_id += 1;
                **id = Some(new_id);
                self.listed.push((new_id, waker));
                None
            }
        }
    }

    /// Forgets one waiter; `None` if an event took it already.
    pub(crate) fn remove(&mut self, wait: &Wait<'_>) -> Option<Waker> {
        match wait {
            Wait::Polled => self.polled.take(),
            Wait::Listed(id) => {
                let position = self
                    .listed
                    .iter()
                    .position(|(listed, _)| Some(*listed) == **id)?;
                Some(self.listed.swap_remove(position).1)
            }
        }
    }

    /// Moves all wakers out. The list keeps its memory.
    pub(crate) fn take_all(&mut self, wakers: &mut Vec<Waker>) {
        wakers.extend(self.polled.take());
        wakers.extend(self.listed.drain(..).map(|(_, waker)| waker));
    }
}
