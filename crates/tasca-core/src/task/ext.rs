//! The side block of a cell: what only some tasks need, made when the first need arises.

use std::any::Any;
use std::cmp::Reverse;
use std::collections::{VecDeque, vec_deque};
use std::iter::Chain;
use std::mem;
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

/// Waiters beyond the one in the header, callbacks, name, requests, context: two cache lines, and another block for what few need
/// even of those that have this one.
#[derive(Debug)]
pub(crate) struct Ext {
    /// The context the task runs in: given at the spawn, or made when it first sets a variable.
    context: OnceLock<Context>,
    /// Where cancel requests go, if the task stands for others.
    forward: Option<Block<Forward>>,
    pub(crate) shared: Mutex<Shared>,
}

#[derive(Debug, Default)]
pub(crate) struct Shared {
    pub(crate) name: Option<Arc<str>>,
    /// The first of those who are told of the end, in the order of registration; there are others only behind a first.
    first_waiter: Option<Waiter>,
    /// The message of the request that waits for delivery.
    message: Option<CancelMessage>,
    rest: Option<Box<Rest>>,
    next_id: u64,
    /// How many of those who are told come before the waker in the header's slot.
    before_slot: u32,
    /// How often somebody asked for cancellation and has not taken it back.
    cancelling: u32,
    /// How often that has come down to zero.
    pub(crate) n_cleared: u32,
    standing: Standing,
}

/// What few need.
#[derive(Debug, Default)]
pub(crate) struct Rest {
    /// Those who are told of the end after the first one. Ids rise, from the first one on.
    waiters: VecDeque<Waiter>,
    /// Deadlines that have passed, of scopes that go on; or of scopes that were left a moment before.
    pub(crate) expiries: Expiries,
    /// A cancellation that a leaf of the running poll has raised by itself.
    pub(crate) raised: Option<Raised>,
    /// What a job keeps while it waits to be run, or how a task that others wait for has failed.
    pub(crate) attachment: Option<Attachment>,
    /// Somebody has taken over a job's hold on the virtual clock.
    pub(crate) clock_taken: bool,
    /// On the deterministic runtime, for a task that began inside its spawn: the number of the first task that was spawned
    /// after its first suspension.
    pub(crate) begun_before: Option<u64>,
}

/// Whether a cancel request waits for delivery, apart from a bare one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Standing {
    #[default]
    Nothing,
    /// Replaced by a later one, and forgotten when the count falls to zero (rules C10, C17).
    Noted,
    /// What the task waited for took it: it arrives whatever happens (rules C3, C18).
    Accepted,
}

/// A value that only those know who put it there.
pub(crate) struct Attachment(pub(crate) Box<dyn Any + Send>);

impl std::fmt::Debug for Attachment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Attachment").finish_non_exhaustive()
    }
}

/// Somebody who wants to know that the task is done, in the order of registration.
pub(crate) struct Waiter {
    pub(crate) id: u64,
    pub(crate) what: WaiterKind,
}

pub(crate) enum WaiterKind {
    Wake(Waker),
    /// Tells an observer under this index.
    Tell(Arc<dyn Observer>, u32),
    Call(super::DoneCallback),
}

/// Those who are told, taken off the list, in the order in which they registered.
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
        Self::with(context, name, None)
    }

    #[inline(always)]
    fn with(
        context: Option<Context>,
        name: Option<Arc<str>>,
        first_waiter: Option<Waiter>,
    ) -> Block<Self> {
        Block::new(|| Self {
            context: context.map_or_else(OnceLock::new, OnceLock::from),
            forward: None,
            shared: Mutex::new(Shared {
                name,
                next_id: u64::from(first_waiter.is_some()),
                first_waiter,
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
        Self::with(context, name, Some(first))
    }

    /// The side block of a task that stands for others.
    pub(crate) fn forwarding(target: Forward) -> Block<Self> {
        let mut ext = Self::new(None, None);
        ext.forward = Some(Block::new(|| target));
        ext
    }

    pub(crate) fn forward(&self) -> Option<&Forward> {
        self.forward.as_deref()
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
        mem::replace(&mut self.first, self.others.pop_front())
    }
}

impl IntoIterator for Waiters {
    type Item = Waiter;
    type IntoIter = Chain<option::IntoIter<Waiter>, vec_deque::IntoIter<Waiter>>;

    fn into_iter(self) -> Self::IntoIter {
        self.first.into_iter().chain(self.others)
    }
}

/// Those who are told.
impl Shared {
    fn n_waiters(&self) -> usize {
        let n_others = self.rest.as_ref().map_or(0, |rest| rest.waiters.len());
        usize::from(self.first_waiter.is_some()) + n_others
    }

    /// Puts somebody at the end of the list; gives the name of the entry.
    pub(crate) fn push_waiter(&mut self, what: WaiterKind) -> u64 {
        self.next_id += 1;
        let id = self.next_id;
        let waiter = Waiter { id, what };
        if self.first_waiter.is_none() {
            self.first_waiter = Some(waiter);
        } else {
            self.rest_mut().waiters.push_back(waiter);
        }
        id
    }

    /// Notes that the waker in the header's slot comes after all who are on the list.
    pub(crate) fn put_slot_last(&mut self) {
        // A list that long would fill the memory: then the slot comes a little early.
        self.before_slot = u32::try_from(self.n_waiters()).unwrap_or(u32::MAX);
    }

    /// Takes the first if there are no others, and it is not called: the end of most tasks that are observed.
    pub(crate) fn take_only_waiter(&mut self) -> Option<WaiterKind> {
        if self.n_waiters() != 1 {
            return None;
        }
        let only = self
            .first_waiter
            .take_if(|first| !matches!(first.what, WaiterKind::Call(_)))?;
        Some(only.what)
    }

    /// Takes all, and how many of them come before the waker in the header's slot.
    pub(crate) fn take_waiters(&mut self) -> (Waiters, usize) {
        let others = self.rest.as_mut().map(|rest| mem::take(&mut rest.waiters));
        let waiters = Waiters {
            first: self.first_waiter.take(),
            others: others.unwrap_or_default(),
        };
        (waiters, self.before_slot as usize)
    }

    /// Puts another waker into an entry and gives the one before; gives the new one back if the entry is gone. The caller drops
    /// either after it has released the lock.
    pub(crate) fn replace_waker(&mut self, id: u64, waker: Waker) -> Result<Waker, Waker> {
        let waiter = match self.position_of(id) {
            None => None,
            Some(0) => self.first_waiter.as_mut(),
            Some(index) => self.rest_mut().waiters.get_mut(index - 1),
        };
        match waiter.map(|waiter| &mut waiter.what) {
            Some(WaiterKind::Wake(present)) => Ok(mem::replace(present, waker)),
            Some(WaiterKind::Tell(..) | WaiterKind::Call(_)) | None => Err(waker),
        }
    }

    /// Takes a waiter out again; the caller drops it after it has released the lock.
    pub(crate) fn remove_waiter(&mut self, id: u64) -> Option<Waiter> {
        let index = self.position_of(id)?;
        if index < self.before_slot as usize {
            self.before_slot -= 1;
        }
        let others = self.rest.as_mut().map(|rest| &mut rest.waiters);
        match index.checked_sub(1) {
            None => {
                let next = others.and_then(VecDeque::pop_front);
                mem::replace(&mut self.first_waiter, next)
            }
            Some(index) => others?.remove(index),
        }
    }

    /// Where the waiter with this id is.
    fn position_of(&self, id: u64) -> Option<usize> {
        if self.first_waiter.as_ref()?.id == id {
            return Some(0);
        }
        let others = &self.rest.as_ref()?.waiters;
        let position = others.binary_search_by_key(&id, |waiter| waiter.id);
        position.ok().map(|index| index + 1)
    }
}

/// Cancel requests.
impl Shared {
    /// How many stand.
    pub(crate) fn cancelling(&self) -> usize {
        self.cancelling as usize
    }

    /// Counts one more.
    pub(crate) fn count_request(&mut self) {
        self.cancelling = self.cancelling.saturating_add(1);
    }

    /// Counts one less; whether none is left.
    pub(crate) fn discount_request(&mut self) -> bool {
        self.cancelling = self.cancelling.saturating_sub(1);
        if self.cancelling > 0 {
            return false;
        }
        self.n_cleared = self.n_cleared.wrapping_add(1);
        true
    }

    /// What waits for delivery.
    pub(crate) fn standing(&self) -> Standing {
        self.standing
    }

    /// Puts a request in the place of the one that waits for delivery.
    pub(crate) fn put_request(&mut self, standing: Standing, message: Option<CancelMessage>) {
        self.standing = standing;
        self.message = message;
    }

    /// Takes the request that waits for delivery; gives its message.
    pub(crate) fn take_request(&mut self) -> Option<Option<CancelMessage>> {
        match mem::take(&mut self.standing) {
            Standing::Nothing => None,
            Standing::Noted | Standing::Accepted => Some(self.message.take()),
        }
    }

    /// The message of the request that waits for delivery.
    pub(crate) fn message(&self) -> Option<&CancelMessage> {
        self.message.as_ref()
    }
}

/// The rest.
impl Shared {
    pub(crate) fn rest(&self) -> Option<&Rest> {
        self.rest.as_deref()
    }

    /// The rest, if it was ever needed.
    pub(crate) fn rest_made(&mut self) -> Option<&mut Rest> {
        self.rest.as_deref_mut()
    }

    /// The rest, made if need be.
    pub(crate) fn rest_mut(&mut self) -> &mut Rest {
        self.rest.get_or_insert_default()
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
        let begun_before = self
            .ext()
            .and_then(|ext| ext.shared.lock().rest()?.begun_before);
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
