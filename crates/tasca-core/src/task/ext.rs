//! The side block of a cell: what only some tasks need, made when the first need arises.

use std::any::Any;
use std::cmp::Reverse;
use std::collections::{VecDeque, vec_deque};
use std::iter::Chain;
use std::option;
use std::ptr;
use std::sync::{Arc, OnceLock};
use std::task::Waker;

use super::cancel::Raised;
use super::context::Context;
use super::error::{CancelMessage, Name, TaskName};
use super::expiry::Expiries;
use super::group::Forward;
use super::header::TaskPtr;
use super::observe::Observer;
use crate::primitive::{Mutex, Ordering};
use crate::slab::Block;

/// Waiters beyond the one in the header, callbacks, name, requests, context.
#[derive(Debug)]
pub(crate) struct Ext {
    /// The context the task runs in: given at the spawn, or made when it first sets a variable.
    context: OnceLock<Context>,
    /// Where cancel requests go, if the task stands for others.
    forward: Option<Forward>,
    pub(crate) shared: Mutex<Shared>,
}

#[derive(Debug, Default)]
pub(crate) struct Shared {
    pub(crate) name: Option<Arc<str>>,
    /// How often somebody asked for cancellation and has not taken it back.
    pub(crate) cancelling: usize,
    /// How often that has come down to zero.
    pub(crate) n_cleared: usize,
    /// Deadlines that have passed, of scopes that go on; or of scopes that were left a moment before.
    pub(crate) expiries: Expiries,
    /// The request that waits for delivery.
    pub(crate) request: Option<Request>,
    /// A cancellation that a leaf of the running poll has raised by itself.
    pub(crate) raised: Option<Raised>,
    /// What a job keeps while it waits to be run, or how a task that others wait for has failed.
    pub(crate) attachment: Option<Attachment>,
    /// Somebody has taken over a job's hold on the virtual clock.
    pub(crate) clock_taken: bool,
    /// On the deterministic runtime, for a task that began inside its spawn: the number of the first task that was spawned
    /// after its first suspension.
    pub(crate) begun_before: Option<u64>,
    pub(crate) waiters: Waiters,
    next_id: u64,
    /// How many of `waiters` come before the waker in the header's slot.
    pub(crate) before_slot: usize,
}

/// A value that only those know who put it there.
pub(crate) struct Attachment(pub(crate) Box<dyn Any + Send>);

impl std::fmt::Debug for Attachment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Attachment").finish_non_exhaustive()
    }
}

/// A cancel request that has not been delivered.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) message: Option<CancelMessage>,
    /// What the task waited for took it: it arrives whatever happens (rules C3, C18). A request that is merely
    /// noted is replaced by a later one, and forgotten when the count falls to zero (C10, C17).
    pub(crate) accepted: bool,
}

/// Somebody who wants to know that the task is done, in the order of registration.
pub(crate) struct Waiter {
    pub(crate) id: u64,
    pub(crate) what: WaiterKind,
}

pub(crate) enum WaiterKind {
    Wake(Waker),
    /// Tells an observer under this index.
    Tell(Arc<dyn Observer>, usize),
    Call(super::DoneCallback),
}

/// Those who are told, in the order in which they registered; the first needs no memory of its own.
///
/// Invariant: ids rise from the first to the last; there are others only behind a first.
#[derive(Debug, Default)]
pub(crate) struct Waiters {
    first: Option<Waiter>,
    others: VecDeque<Waiter>,
}

impl std::fmt::Debug for Waiter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let kind = match &self.what {
            WaiterKind::Wake(_) => "wake",
            WaiterKind::Tell(..) => "tell",
            WaiterKind::Call(_) => "call",
        };
        write!(f, "{kind} {}", self.id)
    }
}

impl Ext {
    pub(crate) fn new(context: Option<Context>, name: Option<Arc<str>>) -> Block<Self> {
        Self::with(context, name, Waiters::default())
    }

    #[inline(always)]
    fn with(context: Option<Context>, name: Option<Arc<str>>, waiters: Waiters) -> Block<Self> {
        Block::new(|| Self {
            context: context.map_or_else(OnceLock::new, OnceLock::from),
            forward: None,
            shared: Mutex::new(Shared {
                name,
                next_id: waiters.len() as u64,
                waiters,
                ..Shared::default()
            }),
        })
    }

    /// The side block of a task that begins with an observer in front of all other waiters.
    pub(crate) fn observed_by(
        observer: Arc<dyn Observer>,
        context: Option<Context>,
        name: Option<Arc<str>>,
    ) -> Block<Self> {
        let first = Waiter {
            id: 1,
            what: WaiterKind::Tell(observer, 0),
        };
        let waiters = Waiters {
            first: Some(first),
            others: VecDeque::new(),
        };
        Self::with(context, name, waiters)
    }

    /// The side block of a task that stands for others.
    pub(crate) fn forwarding(target: Forward) -> Block<Self> {
        let mut ext = Self::new(None, None);
        ext.forward = Some(target);
        ext
    }

    pub(crate) fn forward(&self) -> Option<&Forward> {
        self.forward.as_ref()
    }

    pub(crate) fn context(&self) -> Option<&Context> {
        self.context.get()
    }

    /// Gives the task a context if it has none; gives the one it has.
    pub(crate) fn adopt_context(&self, context: Context) -> Context {
        self.context.get_or_init(|| context).clone()
    }
}

impl Waiters {
    pub(crate) fn len(&self) -> usize {
        usize::from(self.first.is_some()) + self.others.len()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Waiter> {
        self.first.iter().chain(&self.others)
    }

    pub(crate) fn push_back(&mut self, waiter: Waiter) {
        if self.first.is_none() {
            self.first = Some(waiter);
        } else {
            self.others.push_back(waiter);
        }
    }

    /// Puts somebody before the one at `index`, or at the end.
    pub(crate) fn insert(&mut self, index: usize, waiter: Waiter) {
        match index.checked_sub(1) {
            Some(index) => self.others.insert(index, waiter),
            None => {
                if let Some(second) = self.first.replace(waiter) {
                    self.others.push_front(second);
                }
            }
        }
    }

    pub(crate) fn pop_front(&mut self) -> Option<Waiter> {
        std::mem::replace(&mut self.first, self.others.pop_front())
    }

    /// Takes the first if there are no others, and it is not called: the end of most tasks that are observed.
    pub(crate) fn take_only(&mut self) -> Option<WaiterKind> {
        if !self.others.is_empty() {
            return None;
        }
        let only = self
            .first
            .take_if(|first| !matches!(first.what, WaiterKind::Call(_)))?;
        Some(only.what)
    }

    pub(crate) fn get_mut(&mut self, index: usize) -> Option<&mut Waiter> {
        match index.checked_sub(1) {
            Some(index) => self.others.get_mut(index),
            None => self.first.as_mut(),
        }
    }

    fn remove(&mut self, index: usize) -> Option<Waiter> {
        match index.checked_sub(1) {
            Some(index) => self.others.remove(index),
            None => self.pop_front(),
        }
    }

    /// Where the waiter with this id is.
    fn position_of(&self, id: u64) -> Option<usize> {
        if self.first.as_ref()?.id == id {
            return Some(0);
        }
        let position = self.others.binary_search_by_key(&id, |waiter| waiter.id);
        position.ok().map(|index| index + 1)
    }
}

impl IntoIterator for Waiters {
    type Item = Waiter;
    type IntoIter = Chain<option::IntoIter<Waiter>, vec_deque::IntoIter<Waiter>>;

    fn into_iter(self) -> Self::IntoIter {
        self.first.into_iter().chain(self.others)
    }
}

impl Shared {
    pub(crate) fn next_waiter_id(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id
    }

    /// Where the waiter with this id is among `waiters`.
    pub(crate) fn position_of(&self, id: u64) -> Option<usize> {
        self.waiters.position_of(id)
    }

    /// Takes a waiter out again; the caller drops it after it has released the lock.
    pub(crate) fn remove_waiter(&mut self, id: u64) -> Option<Waiter> {
        let index = self.position_of(id)?;
        if index < self.before_slot {
            self.before_slot -= 1;
        }
        self.waiters.remove(index)
    }
}

impl TaskPtr {
    /// The side block, if there is one.
    #[inline(always)]
    pub(crate) fn ext(&self) -> Option<&Ext> {
        // Ordering: Acquire pairs with the exchange in `ext_or_new`.
        let ext = self.header().ext.load(Ordering::Acquire);
        // SAFETY: a side block stays as long as its cell.
        unsafe { ext.as_ref() }
    }

    /// The side block, made if need be.
    pub(crate) fn ext_or_new(&self) -> &Ext {
        if let Some(ext) = self.ext() {
            return ext;
        }
        let new = Block::into_raw(Ext::new(None, None));
        // Ordering: AcqRel: the block's contents go with the pointer; the loser sees the winner's.
        let result = self.header().ext.compare_exchange(
            ptr::null_mut(),
            new,
            Ordering::AcqRel,
            Ordering::Acquire,
        );
        match result {
            // SAFETY: just made, and from now on the cell's.
            Ok(_) => unsafe { &*new },
            Err(theirs) => {
                // SAFETY: nobody else has seen the loser's block.
                drop(unsafe { Block::from_raw(new) });
                // SAFETY: a side block stays as long as its cell.
                unsafe { &*theirs }
            }
        }
    }

    pub(crate) fn name(&self) -> Name {
        let given = self.ext().and_then(|ext| ext.shared.lock().name.clone());
        given.map_or_else(|| Name::Default(self.number()), Name::Given)
    }

    /// The number in the task's default name.
    pub(crate) fn number(&self) -> u64 {
        self.header().id & super::NUMBER_MASK
    }

    /// Where the task stands when the program ends (rule R2): by its spawn; if it began inside that, by its first suspension
    /// (rule E11).
    pub(crate) fn rank(&self) -> (u64, bool, Reverse<u64>) {
        let number = self.number();
        let begun_before = self.ext().and_then(|ext| ext.shared.lock().begun_before);
        // Of two that began before the same task the inner one was suspended first: it was spawned later.
        let place = begun_before.map_or((number, true), |next| (next, false));
        (place.0, place.1, Reverse(number))
    }

    /// Who and where, for people.
    pub(crate) fn describe(&self) -> String {
        let state = self.state().load();
        let what = if state.is_passive() && !state.is_job() {
            ("future", "made")
        } else {
            ("task", "spawned")
        };
        format!(
            "{} '{}' {} at {}",
            what.0,
            self.name(),
            what.1,
            self.header().location
        )
    }

    pub(crate) fn task_name(&self) -> TaskName {
        TaskName {
            id: self.header().id,
            name: self.name(),
            location: self.header().location,
        }
    }
}
