//! What all parts of a running scenario share: the tables of names, the clock, the trace.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tasca::combinators::{AsCompleted, AsCompletedWithin, SharedTask, TaskGroup, TimeoutScope};
use tasca::{CallHandle, CallbackId, Context, ContextVar, Handle, Promise, TaskId, TaskRef};

use crate::objects::Object;
use crate::statements::Jobs;

/// The output of every task: a value, or an error. Errors are JSON objects, as in the traces.
pub(crate) type Output = Result<Value, Value>;

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Task,
    /// A plain future.
    Future,
    /// What a gather, a shield or a pool gave.
    Other,
}

/// What a handle of the scenario stands for.
pub(crate) struct Thing {
    pub(crate) kind: Kind,
    /// The creation name of a task; the first handle of anything else.
    pub(crate) name: String,
    pub(crate) task: SharedTask<Output>,
    /// The right to complete a plain future, until it is used.
    pub(crate) promise: Mutex<Option<Promise<Output>>>,
    pub(crate) callbacks: Mutex<HashMap<String, Vec<CallbackId>>>,
}

impl Thing {
    /// The state of something that is done, as a callback sees it. Does not ask a cancelled one for its end (rule C16).
    pub(crate) fn state(&self) -> &'static str {
        if self.task.is_cancelled() {
            return "cancelled";
        }
        match self.task.result() {
            Ok(Ok(_)) => "ok",
            _ => "error",
        }
    }

    /// The outcome, as the end of a trace has it.
    pub(crate) fn outcome(&self) -> Value {
        if !self.task.is_finished() {
            return json!({"pending": true});
        }
        if self.task.is_cancelled() {
            return json!({"cancelled": true});
        }
        match self.task.result() {
            Ok(Ok(value)) => json!({"ok": value}),
            Ok(Err(error)) => json!({"error": error}),
            Err(error) => json!({"error": {"err": "Panic", "msg": error.to_string()}}),
        }
    }
}

pub(crate) enum Iterator {
    Plain(AsCompleted<SharedTask<Output>, (), SharedTask<Output>>),
    Within(AsCompletedWithin<SharedTask<Output>, (), SharedTask<Output>>),
}

/// An iterator of `as_completed`, with its operands to find their names by.
pub(crate) struct Completed {
    pub(crate) iterator: Iterator,
    pub(crate) is_async: bool,
    pub(crate) of: Vec<Arc<Thing>>,
}

/// A line of a trace.
#[derive(Clone, Debug)]
pub(crate) struct Event {
    /// Since the scenario began.
    pub(crate) at: Duration,
    pub(crate) who: Option<String>,
    pub(crate) op: String,
    pub(crate) target: Value,
    pub(crate) value: Value,
}

/// A table of names.
pub(crate) type Table<T> = Mutex<HashMap<String, T>>;

/// The value that a name stands for.
pub(crate) fn get<T: Clone>(table: &Table<T>, name: &str) -> Option<T> {
    lock(table).get(name).cloned()
}

pub(crate) struct World {
    pub(crate) scenario: Value,
    pub(crate) handle: Handle,
    start: Instant,
    /// Whether all mains have ended, and an interrupt came after that.
    is_closing: AtomicBool,
    is_cut_short: AtomicBool,
    pub(crate) tick: Duration,
    /// Whether time is that of the deterministic runtime.
    pub(crate) is_virtual: bool,
    events: Mutex<Vec<Event>>,
    /// Changes with every event, so that a silence can be told.
    n_events: AtomicU64,
    /// By how many nanoseconds the latest timer was late.
    late_ns: AtomicU64,
    names: Mutex<HashMap<String, usize>>,
    /// Held while a task is spawned and entered into the tables; a task begins by passing it. Not where tasks begin inside
    /// the spawn: there a task is in no table in its first step, as in asyncio.
    registration: Option<Mutex<()>>,
    /// Creation names.
    ids: Mutex<HashMap<TaskId, String>>,
    pub(crate) things: Table<Arc<Thing>>,
    pub(crate) tasks: Mutex<Vec<Arc<Thing>>>,
    pub(crate) futures: Mutex<Vec<(String, Arc<Thing>)>>,
    pub(crate) groups: Table<TaskGroup<Value>>,
    pub(crate) scopes: Table<TimeoutScope>,
    pub(crate) iterators: Table<Arc<Completed>>,
    pub(crate) calls: Table<CallHandle>,
    pub(crate) contexts: Table<Context>,
    pub(crate) objects: Table<Arc<Object>>,
    pub(crate) jobs: Jobs,
    cells: Mutex<HashMap<String, i64>>,
    variables: Mutex<HashMap<String, &'static ContextVar<Value>>>,
}

impl World {
    pub(crate) fn new(
        scenario: Value,
        handle: Handle,
        tick: Duration,
        is_virtual: bool,
        is_eager: bool,
    ) -> Self {
        Self {
            start: handle.time(),
            is_closing: AtomicBool::new(false),
            is_cut_short: AtomicBool::new(false),
            scenario,
            handle,
            tick,
            is_virtual,
            events: Mutex::default(),
            n_events: AtomicU64::new(0),
            late_ns: AtomicU64::new(0),
            names: Mutex::default(),
            registration: (!is_eager).then(Mutex::default),
            ids: Mutex::default(),
            things: Mutex::default(),
            tasks: Mutex::default(),
            futures: Mutex::default(),
            groups: Mutex::default(),
            scopes: Mutex::default(),
            iterators: Mutex::default(),
            calls: Mutex::default(),
            contexts: Mutex::default(),
            objects: Mutex::default(),
            jobs: Jobs::default(),
            cells: Mutex::default(),
            variables: Mutex::default(),
        }
    }

    /// Begins to enter a task into the tables, or waits until all tasks are in them.
    pub(crate) fn register(&self) -> Option<MutexGuard<'_, ()>> {
        self.registration.as_ref().map(lock)
    }

    /// A list of statements, or the name of one.
    pub(crate) fn body(&self, body: &Value) -> Value {
        match body {
            Value::String(name) => self.scenario["bodies"][name].clone(),
            list => list.clone(),
        }
    }

    /// The time since the scenario began.
    pub(crate) fn now(&self) -> Duration {
        self.handle.time().saturating_duration_since(self.start)
    }

    pub(crate) fn ticks_of(&self, instant: Instant) -> i64 {
        let tick = self.tick.as_nanos();
        let (sign, apart) = match instant.checked_duration_since(self.start) {
            Some(since) => (1, since),
            None => (-1, self.start - instant),
        };
        sign * i64::try_from(apart.as_nanos() / tick).unwrap_or(i64::MAX)
    }

    /// A number of ticks as a time; none, if it is negative.
    pub(crate) fn duration(&self, ticks: i64) -> Duration {
        self.tick * u32::try_from(ticks.max(0)).unwrap_or(u32::MAX)
    }

    /// `ticks` after `from`, or before it if they are negative.
    pub(crate) fn ticks_from(&self, from: Instant, ticks: i64) -> Instant {
        if ticks >= 0 {
            from + self.duration(ticks)
        } else {
            from.checked_sub(self.duration(-ticks)).unwrap_or(from)
        }
    }

    pub(crate) fn instant(&self, ticks: i64) -> Instant {
        self.ticks_from(self.start, ticks)
    }

    pub(crate) fn log(&self, who: Option<&str>, op: &str, target: Value, value: Value) {
        let event = Event {
            at: self.now(),
            who: who.map(ToOwned::to_owned),
            op: op.to_owned(),
            target,
            value,
        };
        lock(&self.events).push(event);
        self.n_events.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn begin_closing(&self) {
        self.is_closing.store(true, Ordering::Relaxed);
    }

    /// Notes that an interrupt has come.
    pub(crate) fn note_interrupt(&self) {
        let is_closing = self.is_closing.load(Ordering::Relaxed);
        self.is_cut_short.fetch_or(is_closing, Ordering::Relaxed);
    }

    /// Whether an interrupt has cut the closing short.
    pub(crate) fn is_cut_short(&self) -> bool {
        self.is_cut_short.load(Ordering::Relaxed)
    }

    pub(crate) fn n_events(&self) -> u64 {
        self.n_events.load(Ordering::Relaxed)
    }

    pub(crate) fn events(&self) -> Vec<Event> {
        lock(&self.events).clone()
    }

    /// Notes that something was due at an instant, and happens now.
    pub(crate) fn was_due(&self, due: Instant) {
        let late = self.handle.time().saturating_duration_since(due);
        let late_ns = u64::try_from(late.as_nanos()).unwrap_or(u64::MAX);
        self.late_ns.fetch_max(late_ns, Ordering::Relaxed);
    }

    /// By how much the latest timer was late.
    pub(crate) fn lateness(&self) -> Duration {
        Duration::from_nanos(self.late_ns.load(Ordering::Relaxed))
    }

    /// The creation name of a new task.
    pub(crate) fn creation_name(&self, name: &str) -> String {
        let mut names = lock(&self.names);
        let n_used = names.entry(name.to_owned()).or_insert(0);
        *n_used += 1;
        if *n_used == 1 {
            name.to_owned()
        } else {
            format!("{name}#{n_used}")
        }
    }

    pub(crate) fn thing(&self, handle: &str) -> Option<Arc<Thing>> {
        get(&self.things, handle)
    }

    pub(crate) fn bind(&self, handle: &str, thing: Arc<Thing>) {
        lock(&self.things).insert(handle.to_owned(), thing);
    }

    /// Binds something that is listed among the futures.
    pub(crate) fn bind_future(
        &self,
        handle: &str,
        kind: Kind,
        task: SharedTask<Output>,
        promise: Option<Promise<Output>>,
    ) {
        let thing = Arc::new(Thing {
            kind,
            name: handle.to_owned(),
            task,
            promise: Mutex::new(promise),
            callbacks: Mutex::default(),
        });
        {
            let mut futures = lock(&self.futures);
            let n_before = futures
                .iter()
                .filter(|(_, thing)| thing.name == handle)
                .count();
            let label = if n_before == 0 {
                handle.to_owned()
            } else {
                format!("{handle}#{}", n_before + 1)
            };
            futures.push((label, Arc::clone(&thing)));
        }
        self.bind(handle, thing);
    }

    /// Notes the creation name of a task.
    pub(crate) fn identify(&self, task: &TaskRef, name: &str) {
        lock(&self.ids).insert(task.id(), name.to_owned());
    }

    pub(crate) fn name_of(&self, task: &TaskRef) -> Option<String> {
        lock(&self.ids).get(&task.id()).cloned()
    }

    pub(crate) fn cell(&self, name: &str) -> i64 {
        lock(&self.cells).get(name).copied().unwrap_or(0)
    }

    pub(crate) fn add_to_cell(&self, name: &str, n: i64) {
        *lock(&self.cells).entry(name.to_owned()).or_insert(0) += n;
    }

    /// A context variable. They live as long as the program, as the library wants it.
    pub(crate) fn variable(&self, name: &str) -> &'static ContextVar<Value> {
        lock(&self.variables)
            .entry(name.to_owned())
            .or_insert_with(|| Box::leak(Box::new(ContextVar::new("scenario"))))
    }
}
