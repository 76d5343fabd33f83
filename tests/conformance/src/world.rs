//! What all parts of a running scenario share: the tables of names, the clock, the trace.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tasca::combinators::{AsCompleted, AsCompletedWithin, SharedTask, TaskGroup, TimeoutScope};
use tasca::{CallHandle, CallbackId, Context, ContextVar, Handle, Promise, TaskId, TaskRef};

/// The output of every task: a value, or an error. Errors are JSON objects, as in the traces.
pub(crate) type Output = Result<Value, Value>;

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Task,
    Future,
    Other,
}

/// What a handle of the scenario stands for.
pub(crate) struct Thing {
    pub(crate) kind: Kind,
    /// The creation name of a task; the first handle of anything else.
    pub(crate) name: String,
    pub(crate) task: SharedTask<Output>,
    pub(crate) promise: Mutex<Option<Promise<Output>>>,
    pub(crate) callbacks: Mutex<HashMap<String, Vec<CallbackId>>>,
}

pub(crate) enum Iterator {
    Plain(AsCompleted<SharedTask<Output>, (), SharedTask<Output>>),
    Within(AsCompletedWithin<SharedTask<Output>, (), SharedTask<Output>>),
}

pub(crate) struct Completed {
    pub(crate) iterator: Iterator,
    pub(crate) is_async: bool,
    pub(crate) of: Vec<Arc<Thing>>,
}

pub(crate) struct World {
    pub(crate) scenario: Value,
    pub(crate) handle: Handle,
    pub(crate) start: Instant,
    pub(crate) tick: Duration,
    events: Mutex<Vec<Value>>,
    progress: AtomicU64,
    names: Mutex<HashMap<String, usize>>,
    /// Held while a task is spawned and entered into the tables; a task begins by passing it.
    pub(crate) registration: Mutex<()>,
    pub(crate) ids: Mutex<HashMap<TaskId, String>>,
    pub(crate) things: Mutex<HashMap<String, Arc<Thing>>>,
    pub(crate) tasks: Mutex<Vec<Arc<Thing>>>,
    pub(crate) futures: Mutex<Vec<(String, Arc<Thing>)>>,
    pub(crate) groups: Mutex<HashMap<String, TaskGroup<Value>>>,
    pub(crate) scopes: Mutex<HashMap<String, TimeoutScope>>,
    pub(crate) iterators: Mutex<HashMap<String, Arc<Completed>>>,
    pub(crate) timers: Mutex<HashMap<String, CallHandle>>,
    pub(crate) contexts: Mutex<HashMap<String, Context>>,
    variables: Mutex<HashMap<String, &'static ContextVar<Value>>>,
}

impl World {
    pub(crate) fn new(scenario: Value, handle: Handle, tick: Duration) -> Arc<Self> {
        Arc::new(Self {
            start: handle.time(),
            scenario,
            handle,
            tick,
            events: Mutex::default(),
            progress: AtomicU64::new(0),
            names: Mutex::default(),
            registration: Mutex::default(),
            ids: Mutex::default(),
            things: Mutex::default(),
            tasks: Mutex::default(),
            futures: Mutex::default(),
            groups: Mutex::default(),
            scopes: Mutex::default(),
            iterators: Mutex::default(),
            timers: Mutex::default(),
            contexts: Mutex::default(),
            variables: Mutex::default(),
        })
    }

    /// The clock, in ticks.
    pub(crate) fn now(&self) -> i64 {
        self.ticks_of(self.handle.time())
    }

    pub(crate) fn ticks_of(&self, instant: Instant) -> i64 {
        let tick = self.tick.as_nanos();
        match instant.checked_duration_since(self.start) {
            Some(since) => (since.as_nanos() / tick) as i64,
            None => -(((self.start - instant).as_nanos() / tick) as i64),
        }
    }

    pub(crate) fn duration(&self, ticks: i64) -> Duration {
        self.tick * u32::try_from(ticks.max(0)).unwrap_or(u32::MAX)
    }

    pub(crate) fn instant(&self, ticks: i64) -> Instant {
        if ticks >= 0 {
            self.start + self.duration(ticks)
        } else {
            self.start - self.duration(-ticks)
        }
    }

    pub(crate) fn log(&self, who: Option<&str>, op: &str, target: Value, value: Value) {
        self.progress.fetch_add(1, Ordering::Relaxed);
        lock(&self.events).push(json!([self.now(), who, op, target, value]));
    }

    pub(crate) fn n_events(&self) -> u64 {
        self.progress.load(Ordering::Relaxed)
    }

    pub(crate) fn events(&self) -> Vec<Value> {
        lock(&self.events).clone()
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
        lock(&self.things).get(handle).cloned()
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

    pub(crate) fn name_of(&self, task: &TaskRef) -> Option<String> {
        lock(&self.ids).get(&task.id()).cloned()
    }

    pub(crate) fn variable(&self, name: &str) -> &'static ContextVar<Value> {
        lock(&self.variables)
            .entry(name.to_owned())
            .or_insert_with(|| Box::leak(Box::new(ContextVar::new("scenario"))))
    }
}

/// The state of something that is done, as a callback sees it.
pub(crate) fn state_of(thing: &Thing) -> &'static str {
    if thing.task.is_cancelled() {
        "cancelled"
    } else {
        match thing.task.result() {
            Ok(Ok(_)) => "ok",
            _ => "error",
        }
    }
}

/// The outcome of something, as the end of a trace has it.
pub(crate) fn outcome_of(thing: &Thing) -> Value {
    if !thing.task.is_finished() {
        return json!({"pending": true});
    }
    if thing.task.is_cancelled() {
        return json!({"cancelled": true});
    }
    match thing.task.result() {
        Ok(Ok(value)) => json!({"ok": value}),
        Ok(Err(error)) => json!({"error": error}),
        Err(error) => json!({"error": {"err": "Panic", "msg": error.to_string()}}),
    }
}
