//! Who waits for a source.

use std::task::Waker;

use super::readiness::Direction;

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

/// The wakers of both directions. They are taken by the event that wakes them.
///
/// Nothing here calls a waker: what is displaced is handed out, to be dropped after the lock.
#[derive(Debug)]
pub(crate) struct Waiters {
    polled: [Option<Waker>; 2],
    /// Made for the first future that is listed, and kept. Most sources are connections, which never have one.
    listed: Option<Box<Listed>>,
}

/// The futures among the waiters.
#[derive(Debug, Default)]
struct Listed {
    directions: [Vec<(WaiterId, Waker)>; 2],
    next_id: u64,
}

impl Waiters {
    pub(crate) const fn new() -> Self {
        Self {
            polled: [None, None],
            listed: None,
        }
    }

    /// Remembers `waker`; gives back what has to be dropped instead.
    pub(crate) fn add(
        &mut self,
        direction: Direction,
        wait: &mut Wait<'_>,
        waker: Waker,
    ) -> Option<Waker> {
        match wait {
            Wait::Polled => self.polled[direction as usize].replace(waker),
            Wait::Listed(id) => {
                let Listed {
                    directions,
                    next_id,
                } = &mut **self.listed.get_or_insert_default();
                let listed = &mut directions[direction as usize];
                let known = listed.iter_mut().find(|(listed, _)| Some(*listed) == **id);
                if let Some((_, place)) = known {
                    return Some(std::mem::replace(place, waker));
                }
                let new_id = WaiterId(*next_id);
                *next_id += 1;
                **id = Some(new_id);
                listed.push((new_id, waker));
                None
            }
        }
    }

    /// Forgets one waiter; `None` if an event took it already.
    pub(crate) fn remove(&mut self, direction: Direction, wait: &Wait<'_>) -> Option<Waker> {
        match wait {
            Wait::Polled => self.polled[direction as usize].take(),
            Wait::Listed(id) => {
                let listed = &mut self.listed.as_mut()?.directions[direction as usize];
                let position = listed
                    .iter()
                    .position(|(listed, _)| Some(*listed) == **id)?;
                Some(listed.swap_remove(position).1)
            }
        }
    }

    /// Moves all wakers of one direction out. The list keeps its memory.
    pub(crate) fn take_all(&mut self, direction: Direction, wakers: &mut Vec<Waker>) {
        wakers.extend(self.polled[direction as usize].take());
        if let Some(listed) = &mut self.listed {
            let listed = &mut listed.directions[direction as usize];
            wakers.extend(listed.drain(..).map(|(_, waker)| waker));
        }
    }
}
