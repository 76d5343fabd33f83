//! Runs a scenario on a runtime: main after main, then the end of the runtime.

use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, OnceLock, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Map, Value, json};
use tasca::blocking::{PoolsConfig, ThreadPool};
use tasca::{Context, Problem, ResultError, Runtime, Task};

use crate::clock;
use crate::error;
use crate::statements::{register_task, spawn_task};
use crate::trace::Trace;
use crate::world::{Thing, World, lock};

/// Features that a scenario may need and that there are not.
const MISSING: [&str; 4] = ["eager", "fatal", "sigint", "staggered"];

/// What a scenario runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flavor {
    /// The deterministic runtime, with a seed.
    Deterministic(u64),
    /// That with workers; as many as there are cores, if it is not said.
    MultiThread(Option<usize>),
    /// That on one thread, in real time.
    CurrentThread,
}

impl Flavor {
    pub(crate) fn is_virtual(self) -> bool {
        matches!(self, Self::Deterministic(_))
    }
}

impl fmt::Display for Flavor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Deterministic(seed) => write!(f, "deterministic, seed {seed}"),
            Self::MultiThread(None) => f.write_str("multi-thread"),
            Self::MultiThread(Some(n_workers)) => write!(f, "multi-thread:{n_workers}"),
            Self::CurrentThread => f.write_str("current-thread"),
        }
    }
}

/// How scenarios are run.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// What they run on.
    pub flavor: Flavor,
    /// The length of a tick in real time, if it is not to be chosen for each scenario.
    pub tick: Option<Duration>,
}

/// What came of a scenario.
#[derive(Debug)]
pub enum Answer {
    /// It was run.
    Trace(Box<Trace>),
    /// It needs a feature that is not there.
    Skipped(&'static str),
}

impl Answer {
    /// The line that says so.
    #[must_use]
    pub fn to_json(&self, scenario: &Value) -> Value {
        match self {
            Self::Trace(trace) => trace.to_json(),
            Self::Skipped(feature) => json!({"name": scenario["name"], "skip": feature}),
        }
    }
}

/// Runs a scenario that is [well formed](crate::check).
///
/// On a real clock one that was disturbed, see `clock`, is run again with a longer tick.
///
/// # Errors
///
/// If the runtime cannot be made.
///
/// # Panics
///
/// If the thread that drives the runtime panics.
pub fn run(scenario: &Value, options: &Options) -> io::Result<Answer> {
    let features = scenario["features"].as_array().into_iter().flatten();
    let mut features = features.filter_map(Value::as_str);
    let missing = features.find_map(|needed| MISSING.into_iter().find(|name| *name == needed));
    if let Some(feature) = missing {
        return Ok(Answer::Skipped(feature));
    }
    let mut tick = match options.tick {
        _ if options.flavor.is_virtual() => Duration::from_millis(1),
        Some(tick) => tick,
        None => clock::first_tick(scenario),
    };
    loop {
        let trace = run_once(scenario, options.flavor, tick)?;
        let is_free = options.tick.is_none() && !options.flavor.is_virtual();
        match clock::next_tick(scenario, tick, trace.lateness) {
            Some(longer) if is_free => tick = longer,
            _ => return Ok(Answer::Trace(Box::new(trace))),
        }
    }
}

/// A poll of a deeply nested program needs as deep a stack.
const STACK_BYTES: usize = 32 << 20;

fn run_once(scenario: &Value, flavor: Flavor, tick: Duration) -> io::Result<Trace> {
    let builder = match flavor {
        Flavor::Deterministic(seed) => Runtime::builder().deterministic(seed),
        Flavor::CurrentThread => Runtime::builder().current_thread(),
        Flavor::MultiThread(None) => Runtime::builder().multi_thread(),
        Flavor::MultiThread(Some(n)) => Runtime::builder().multi_thread().worker_threads(n),
    };
    let builder = builder.thread_stack_size(STACK_BYTES);
    let world: Arc<OnceLock<Arc<World>>> = Arc::default();
    let for_handler = Arc::clone(&world);
    let rt = builder
        .exception_handler(move |problem: &Problem| {
            if let Some(world) = for_handler.get() {
                let error = error::panicked(problem.text());
                world.log(None, "loop_error", Value::Null, error);
            }
        })
        .build()?;
    let n_threads = scenario["opts"]["workers"].as_u64().unwrap_or(1);
    let n_threads = usize::try_from(n_threads).unwrap_or(1);
    PoolsConfig::new()
        .blocking(ThreadPool::builder().max_threads(n_threads))
        .install(&rt.handle())?;
    if !flavor.is_virtual() {
        clock::watch_for_stalls();
    }
    let began = Instant::now();
    let shared = Arc::new(World::new(
        scenario.clone(),
        rt.handle(),
        tick,
        flavor.is_virtual(),
    ));
    drop(world.set(Arc::clone(&shared)));
    let runs = Arc::new(Mutex::new(Vec::new()));
    let (tell, told) = mpsc::channel();
    let (for_thread, for_runs) = (Arc::clone(&shared), Arc::clone(&runs));
    let thread = thread::Builder::new()
        .stack_size(STACK_BYTES)
        .spawn(move || {
            run_mains(rt, &for_thread, &for_runs);
            // Whoever waits has given up, if it is not there.
            let _ = tell.send(());
        })?;
    let is_over = wait_for_end(&shared, &told);
    if is_over {
        if let Err(payload) = thread.join() {
            std::panic::resume_unwind(payload);
        }
    } else {
        // The thread is left where it is: nothing is unwound (rule H14).
        shared.log(None, "stalled", Value::Null, Value::Null);
    }
    let tasks = outcomes(
        lock(&shared.tasks)
            .iter()
            .map(|thing| (&*thing.name, thing)),
    );
    let futures = lock(&shared.futures).clone();
    Ok(Trace {
        name: scenario["name"].clone(),
        events: shared.events(),
        tasks,
        futures: outcomes(futures.iter().map(|(label, thing)| (&**label, thing))),
        run: lock(&runs).clone(),
        end: shared.now(),
        stalled: !is_over,
        tick,
        lateness: shared.lateness().max(clock::stall_since(began)),
    })
}

fn outcomes<'a>(things: impl Iterator<Item = (&'a str, &'a Arc<Thing>)>) -> Value {
    things
        .map(|(name, thing)| (name.to_owned(), thing.outcome()))
        .collect::<Map<_, _>>()
        .into()
}

/// How long nothing happens in virtual time before it is clear that nothing will.
const SILENCE: Duration = Duration::from_secs(1);

/// Waits for the scenario's end; false, if nothing has happened for so long that nothing will.
fn wait_for_end(world: &World, told: &mpsc::Receiver<()>) -> bool {
    let silence = if world.is_virtual {
        SILENCE
    } else {
        clock::WAIT_MAX + SILENCE
    };
    loop {
        let n_events = world.n_events();
        match told.recv_timeout(silence) {
            // Disconnected: the thread panicked.
            Ok(()) | Err(mpsc::RecvTimeoutError::Disconnected) => return true,
            Err(mpsc::RecvTimeoutError::Timeout) if world.n_events() == n_events => return false,
            Err(mpsc::RecvTimeoutError::Timeout) => {}
        }
    }
}

/// Runs the main tasks one after the other, then closes the runtime.
fn run_mains(rt: Runtime, world: &Arc<World>, runs: &Mutex<Vec<Value>>) {
    let objects = world.scenario["objects"].as_object();
    let mut objects: Vec<_> = objects.into_iter().flatten().collect();
    // What shares a lock comes after the lock.
    objects.sort_by_key(|(_, spec)| spec["lock"].is_string());
    for (name, spec) in objects {
        // One that cannot be made is not there.
        drop(world.add_object(name, spec));
    }
    // All of them share one context (rule X7).
    let context = Context::new();
    let then = world.scenario["then"].as_array().into_iter().flatten();
    for body in std::iter::once(&world.scenario["main"]).chain(then) {
        let outcome = run_main(&rt, world, body.clone(), context.clone());
        lock(runs).push(outcome);
    }
    world.log(None, "closing", Value::Null, Value::Null);
    // What is left is cancelled, and waited for.
    drop(rt.run(async {}));
}

/// Runs one main task to its end.
fn run_main(rt: &Runtime, world: &Arc<World>, body: Value, context: Context) -> Value {
    let name = world.creation_name("main");
    let registration = lock(&world.registration);
    let task = {
        let handle = rt.handle();
        let _entered = handle.enter();
        let builder = Task::builder().name(&*name).context(context);
        spawn_task(world, &name, |body| builder.try_spawn(body), body)
    };
    let main = register_task(world, "main", &name, task);
    drop(registration);
    rt.block_on(main.task.finished());
    match main.task.result() {
        Ok(Ok(value)) => json!({"ok": value}),
        Ok(Err(error)) => json!({"error": error}),
        Err(ResultError::Failed(error)) => error::failure(error),
        Err(error) => json!({"error": {"err": "Unknown", "msg": error.to_string()}}),
    }
}

/// Has the panics with which callbacks fail not be shown: scenarios expect them.
pub fn silence_expected_panics() {
    let shown = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        let error = panic.payload().downcast_ref::<String>();
        let is_expected = error.is_some_and(|text| text.starts_with('{'));
        if !is_expected {
            shown(panic);
        }
    }));
}
