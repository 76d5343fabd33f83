//! Context variables: values that follow the flow of control, inherited by a snapshot at every spawn.
//!
//! A context is a map behind a lock; the map itself is immutable and shared, so a snapshot is one count.
//! A program that sets no variable has no context anywhere and pays nothing but a null test.

use std::any::Any;
use std::cell::RefCell;
use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use super::current;
use crate::primitive::{Mutex, Ordering, StaticU64};

type Value = Arc<dyn Any + Send + Sync>;

/// Variables and their values, by the variable's number. Few in practice, hence a sorted vector.
type Map = Arc<Vec<(u64, Value)>>;

/// The part of a [`Context`] that its copies share.
pub(crate) struct ContextCell {
    map: Mutex<Option<Map>>,
}

/// A set of values for [`ContextVar`]s.
///
/// Cloning gives another handle to the *same* context; [`Context::copy`] makes a snapshot.
///
/// # asyncio counterpart
///
/// `contextvars.Context`. A task spawned with [`TaskBuilder::context`](crate::TaskBuilder::context) runs
/// in that very context and shares it with whoever else uses it.
///
/// # Examples
///
/// ```
/// use tasca_core::{Context, ContextVar};
///
/// static USER: ContextVar<&str> = ContextVar::new("user");
/// let context = Context::new();
/// context.run(|| USER.set("ada"));
/// assert_eq!(context.run(|| USER.get()), Some("ada"));
/// assert_eq!(USER.get(), None);
/// ```
#[derive(Clone)]
pub struct Context {
    cell: Arc<ContextCell>,
}

std::thread_local! {
    /// The context of a thread's code outside any task and any [`Context::run`].
    static THREAD: RefCell<Option<Context>> = const { RefCell::new(None) };
}

impl Context {
    /// Makes an empty context.
    #[must_use]
    pub fn new() -> Self {
        Self {
            cell: Arc::new(ContextCell {
                map: Mutex::new(None),
            }),
        }
    }

    /// Gives the context that the caller runs in.
    ///
    /// # asyncio counterpart
    ///
    /// There is none: Python shows only copies of it.
    #[must_use]
    pub fn current() -> Self {
        Self::with_current(|context| Some(context?.clone())).unwrap_or_else(Self::establish)
    }

    /// Makes a snapshot of the context that the caller runs in.
    ///
    /// # asyncio counterpart
    ///
    /// `contextvars.copy_context()`.
    #[must_use]
    pub fn copy_current() -> Self {
        Self::with_current(|context| context.map(Self::copy)).unwrap_or_default()
    }

    /// Makes a snapshot: a context of its own with the same values.
    #[must_use]
    pub fn copy(&self) -> Self {
        let map = self.cell.map.lock().clone();
        Self {
            cell: Arc::new(ContextCell {
                map: Mutex::new(map),
            }),
        }
    }

    /// Runs `f` in this context.
    pub fn run<R>(&self, f: impl FnOnce() -> R) -> R {
        struct Restore(*const ContextCell);
        impl Drop for Restore {
            fn drop(&mut self) {
                current::with(|current| current.set_context(self.0));
            }
        }
        let _restore = Restore(current::with(|current| {
            let outer = current.context();
            current.set_context(self.as_ptr());
            outer
        }));
        f()
    }

    /// What a spawned task inherits: nothing if there are no values.
    #[inline(always)]
    pub(crate) fn inherit() -> Option<Self> {
        // Apart, for almost every task finds nothing, and that is to cost it a look.
        let is_task_without =
            |current: &current::Current| current.context().is_null() && current.task().is_some();
        if current::with(is_task_without) {
            return None;
        }
        Self::inherit_values()
    }

    fn inherit_values() -> Option<Self> {
        let context = current::with(current::Current::context);
        if context.is_null() {
            return Self::inherit_from_thread();
        }
        // SAFETY: whoever made it current keeps it for as long as it is current.
        let map = unsafe { &(*context).map }.lock().clone()?;
        Some(Self {
            cell: Arc::new(ContextCell {
                map: Mutex::new(Some(map)),
            }),
        })
    }

    #[inline(always)]
    fn inherit_from_thread() -> Option<Self> {
        // Tasks without a context do not see that of the thread they happen to run on.
        if current::with(|current| current.context_owner().is_some()) {
            return None;
        }
        Self::thread().map(|context| context.copy())
    }

    fn thread() -> Option<Self> {
        // A thread whose locals are gone has no context any more.
        THREAD
            .try_with(|context| context.borrow().clone())
            .ok()
            .flatten()
    }

    fn with_current<R>(f: impl FnOnce(Option<&Self>) -> R) -> R {
        let context = current::with(current::Current::context);
        if !context.is_null() {
            // SAFETY: the pointer came from `as_ptr` of a context that is kept while it is current, and the count
            // that this would give up is not: see the next line.
            let cell = unsafe { Arc::from_raw(context) };
            let context = std::mem::ManuallyDrop::new(Self { cell });
            return f(Some(&context));
        }
        if current::with(|current| current.context_owner().is_some()) {
            return f(None);
        }
        f(Self::thread().as_ref())
    }

    /// Makes a context where there is none: for the running task, or for this thread.
    fn establish() -> Self {
        let context = Self::new();
        match current::with(current::Current::context_owner) {
            Some(task) => {
                let kept = task.ext_or_new().adopt_context(context.clone());
                current::with(|current| current.set_context(kept.as_ptr()));
                kept
            }
            None => {
                let kept = context.clone();
                // A thread whose locals are gone keeps nothing.
                drop(THREAD.try_with(|slot| slot.borrow_mut().replace(kept)));
                context
            }
        }
    }

    pub(crate) fn as_ptr(&self) -> *const ContextCell {
        Arc::as_ptr(&self.cell)
    }

    fn get(&self, key: u64) -> Option<Value> {
        let map = self.cell.map.lock();
        let map = map.as_ref()?;
        let index = map.binary_search_by_key(&key, |(key, _)| *key).ok()?;
        Some(map[index].1.clone())
    }

    /// Sets or removes a value; gives the one before. Values are dropped by the caller, outside the lock.
    fn replace(&self, key: u64, value: Option<Value>) -> (Option<Value>, Option<Map>) {
        let mut guard = self.cell.map.lock();
        let shared = guard.take();
        let mut entries: Vec<(u64, Value)> = shared.as_deref().cloned().unwrap_or_default();
        let before = match (entries.binary_search_by_key(&key, |(key, _)| *key), value) {
            (Ok(index), Some(value)) => Some(std::mem::replace(&mut entries[index].1, value)),
            (Ok(index), None) => Some(entries.remove(index).1),
            (Err(index), Some(value)) => {
                entries.insert(index, (key, value));
                None
            }
            (Err(_), None) => None,
        };
        *guard = (!entries.is_empty()).then(|| Arc::new(entries));
        (before, shared)
    }
}

impl Default for Context {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let n_values = self.cell.map.lock().as_ref().map_or(0, |map| map.len());
        f.debug_struct("Context")
            .field("n_values", &n_values)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for ContextCell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ContextCell").finish_non_exhaustive()
    }
}

/// A variable whose value belongs to the flow of control rather than to a thread.
///
/// # asyncio counterpart
///
/// `contextvars.ContextVar`.
///
/// # Examples
///
/// ```
/// use tasca_core::ContextVar;
///
/// static REQUEST: ContextVar<u32> = ContextVar::new("request");
/// # let rt = tasca_core::Runtime::builder().current_thread().build().unwrap();
/// # rt.block_on(async {
/// let token = REQUEST.set(7);
/// let child = tasca_core::spawn(async { REQUEST.get() });
/// assert_eq!(child.await, Some(7));
/// REQUEST.reset(token);
/// assert_eq!(REQUEST.get(), None);
/// # });
/// ```
pub struct ContextVar<T: 'static> {
    name: &'static str,
    /// Assigned at first use; zero until then.
    key: StaticU64,
    marker: PhantomData<fn() -> T>,
}

/// What a variable was before a [`ContextVar::set`], to be given to [`ContextVar::reset`].
#[must_use = "a token is what `reset` needs"]
pub struct Token<T: 'static> {
    key: u64,
    before: Option<Value>,
    marker: PhantomData<fn() -> T>,
}

impl<T> fmt::Debug for Token<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Token")
            .field("had_value", &self.before.is_some())
            .finish_non_exhaustive()
    }
}

impl<T> ContextVar<T> {
    /// Makes a variable; `name` is for people.
    #[must_use]
    pub const fn new(name: &'static str) -> Self {
        Self {
            name,
            key: StaticU64::new(0),
            marker: PhantomData,
        }
    }

    /// Gives the variable's name.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.name
    }

    fn key(&self) -> u64 {
        static NEXT: StaticU64 = StaticU64::new(1);
        // Ordering: Relaxed: the number is all there is to it.
        let key = self.key.load(Ordering::Relaxed);
        if key != 0 {
            return key;
        }
        let new = NEXT.fetch_add(1, Ordering::Relaxed);
        match self
            .key
            .compare_exchange(0, new, Ordering::Relaxed, Ordering::Relaxed)
        {
            Ok(_) => new,
            Err(theirs) => theirs,
        }
    }
}

impl<T: Clone + Send + Sync + 'static> ContextVar<T> {
    /// Gives the value in the caller's context, if it is set there.
    #[must_use]
    pub fn get(&self) -> Option<T> {
        let key = self.key();
        let value = Context::with_current(|context| context.and_then(|context| context.get(key)))?;
        value.downcast_ref().cloned()
    }

    /// Sets the value in the caller's context.
    pub fn set(&self, value: T) -> Token<T> {
        let key = self.key();
        let (before, _map) = Context::current().replace(key, Some(Arc::new(value)));
        Token {
            key,
            before,
            marker: PhantomData,
        }
    }

    /// Puts back what the variable was before the `set` that gave `token`.
    ///
    /// # Panics
    ///
    /// If `token` came from another variable.
    #[track_caller]
    pub fn reset(&self, token: Token<T>) {
        assert!(
            token.key == self.key(),
            "the token belongs to another context variable"
        );
        drop(Context::current().replace(token.key, token.before));
    }
}

impl<T> fmt::Debug for ContextVar<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ContextVar")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}
