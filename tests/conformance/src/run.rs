//! Runs a scenario on a runtime: main after main, then the end of the runtime.

use std::fmt;
use std::io;
use std::sync::{Arc, Once, OnceLock, Weak, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Map, Value, json};
use tasca::blocking::{PoolsConfig, ThreadPool};
use tasca::simulation::Simulation;
use tasca::{Context, Problem, Runtime, Task, Trouble};

use crate::clock;
use crate::error;
use crate::statements::{register_task, spawn_task};
use crate::trace::Trace;
use crate::world::{Thing, World, lock};

/// Whether a feature that a scenario may need is not there.
fn is_missing(feature: &str, flavor: Flavor) -> bool {
    match feature {
        "fatal" => true,
        // A signal of the process would reach everything that runs in it.
        "sigint" => !flavor.is_virtual(),
        _ => false,
    }
}

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
    Skipped(String),
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

/// Runs a scenario that is [well formed](crate::check()).
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
    if let Some(feature) = features.find(|feature| is_missing(feature, options.flavor)) {
        return Ok(Answer::Skipped(feature.to_owned()));
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

/// In virtual time that costs nothing.
const VIRTUALLY_FOREVER: Duration = Duration::from_secs(100_000_000);

/// A poll of a deeply nested program needs as deep a stack.
const STACK_BYTES: usize = 32 << 20;

fn run_once(scenario: &Value, flavor: Flavor, tick: Duration) -> io::Result<Trace> {
    let builder = match flavor {
        Flavor::Deterministic(seed) => Runtime::builder()
            .deterministic(seed)
            .stall_after(Duration::ZERO)
            .shutdown_timeout(VIRTUALLY_FOREVER),
        Flavor::CurrentThread => Runtime::builder().current_thread(),
        Flavor::MultiThread(None) => Runtime::builder().multi_thread(),
        Flavor::MultiThread(Some(n)) => Runtime::builder().multi_thread().worker_threads(n),
    };
    let is_eager = scenario["opts"]["eager"].as_bool().unwrap_or(false);
    let builder = builder.thread_stack_size(STACK_BYTES).eager_tasks(is_eager);
    // Weak, as the runtime has the handler, and the world the runtime.
    let world: Arc<OnceLock<Weak<World>>> = Arc::default();
    let for_handler = Arc::clone(&world);
    let rt = builder
        .exception_handler(move |problem: &Problem| {
            if let Some(world) = for_handler.get().and_then(Weak::upgrade) {
                report(&world, problem);
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
        is_eager,
    ));
    world.set(Arc::downgrade(&shared)).expect("set once");
    arrange_interrupts(&shared);
    let (tell, told) = mpsc::channel();
    let for_thread = Arc::clone(&shared);
    let thread = thread::Builder::new()
        .stack_size(STACK_BYTES)
        .spawn(move || {
            let mut trace = run_mains(&rt, &for_thread);
            // Tasks that are left are dropped where they are, and count as pending (rule R5); jobs are waited for (rule B6).
            drop(rt);
            if !trace.stalled && !for_thread.is_cut_short() {
                trace.events = for_thread.events();
                trace.end = for_thread.now();
            }
            // Nobody waits, if that has taken too long.
            drop(tell.send(trace));
        })?;
    let mut trace = match wait_for_end(&shared, &told, flavor) {
        Some(trace) => trace,
        None if thread.is_finished() => match thread.join() {
            Ok(()) => return Err(io::Error::other("the thread ended without a word")),
            Err(payload) => std::panic::resume_unwind(payload),
        },
        // The thread is left where it is.
        None => trace_of(&shared, Vec::new(), true),
    };
    trace.lateness = shared.lateness().max(clock::stall_since(began));
    Ok(trace)
}

/// Has interrupts come when the scenario says, in virtual time.
fn arrange_interrupts(world: &Arc<World>) {
    let _entered = world.handle.enter();
    let Some(simulation) = Simulation::current() else {
        return;
    };
    let instants = world.scenario["opts"]["sigint"].as_array();
    for ticks in instants.into_iter().flatten().filter_map(Value::as_i64) {
        // Weak, as the runtime keeps what is arranged, and the world the runtime.
        let weak = Arc::downgrade(world);
        simulation.interrupt_at(world.instant(ticks), move || {
            if let Some(world) = weak.upgrade() {
                world.log(None, "sigint", Value::Null, Value::Null);
                world.note_interrupt();
            }
        });
    }
}

/// Logs a problem as asyncio's loop would.
fn report(world: &World, problem: &Problem) {
    match problem.trouble() {
        // A task that failed in the closing (rule R3).
        Trouble::TaskFailed => {
            let failed = lock(&world.tasks)
                .iter()
                .find(|thing| Some(thing.task.id()) == problem.task_id())
                .cloned();
            let error = failed
                .as_ref()
                .map(|thing| thing.outcome()["error"].clone());
            let name = failed.map(|thing| thing.name.clone());
            world.log(None, "loop_error", json!(name), json!(error));
        }
        _ => {
            let error = error::panicked(problem.text());
            world.log(None, "loop_error", Value::Null, error);
        }
    }
}

/// What has happened until now.
fn trace_of(world: &World, run: Vec<Value>, stalled: bool) -> Trace {
    if stalled {
        world.log(None, "stalled", Value::Null, Value::Null);
    }
    let tasks = lock(&world.tasks).clone();
    let futures = lock(&world.futures).clone();
    Trace {
        name: world.scenario["name"].clone(),
        events: world.events(),
        tasks: outcomes(tasks.iter().map(|thing| (&*thing.name, thing))),
        futures: outcomes(futures.iter().map(|(label, thing)| (&**label, thing))),
        run,
        end: world.now(),
        stalled,
        tick: world.tick,
        lateness: Duration::ZERO,
    }
}

fn outcomes<'a>(things: impl Iterator<Item = (&'a str, &'a Arc<Thing>)>) -> Value {
    things
        .map(|(name, thing)| (name.to_owned(), thing.outcome()))
        .collect::<Map<_, _>>()
        .into()
}

/// How long nothing happens before it is clear that nothing will. The deterministic runtime says so itself.
const SILENCE: Duration = Duration::from_secs(5);

/// Waits for the scenario's end; none, if nothing has happened for so long that nothing will, or the thread has panicked.
fn wait_for_end(world: &World, told: &mpsc::Receiver<Trace>, flavor: Flavor) -> Option<Trace> {
    let silence = if flavor.is_virtual() {
        SILENCE
    } else {
        clock::WAIT_MAX + SILENCE
    };
    loop {
        let n_events = world.n_events();
        match told.recv_timeout(silence) {
            Ok(trace) => return Some(trace),
            Err(mpsc::RecvTimeoutError::Timeout) if world.n_events() != n_events => {}
            Err(_) => return None,
        }
    }
}

/// Runs the main tasks one after the other, then cancels what is left.
fn run_mains(rt: &Runtime, world: &Arc<World>) -> Trace {
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
    let mut runs = Vec::new();
    let then = world.scenario["then"].as_array().into_iter().flatten();
    for body in std::iter::once(&world.scenario["main"]).chain(then) {
        match run_main(rt, world, body.clone(), context.clone()) {
            Some(outcome) => runs.push(outcome),
            None => return trace_of(world, runs, true),
        }
    }
    world.log(None, "closing", Value::Null, Value::Null);
    world.begin_closing();
    let left = rt.cancel_tasks();
    if world.is_cut_short() {
        let interrupt = json!({"fatal": "KeyboardInterrupt"});
        world.log(None, "close_fatal", Value::Null, interrupt);
        return trace_of(world, runs, false);
    }
    trace_of(world, runs, !left.is_empty())
}

/// Runs one main task to its end; none, if it has stalled.
fn run_main(rt: &Runtime, world: &Arc<World>, body: Value, context: Context) -> Option<Value> {
    let name = world.creation_name("main");
    let registration = world.register();
    let task = {
        let handle = rt.handle();
        let _entered = handle.enter();
        let builder = Task::builder().name(&*name).context(context);
        spawn_task(world, &name, |body| builder.try_spawn(body), body)
    };
    let main = register_task(world, "main", &name, task);
    drop(registration);
    match rt.run_until_complete(&main.task) {
        Ok(Ok(value)) => Some(json!({"ok": value})),
        Ok(Err(error)) => Some(json!({"error": error})),
        Err(error) if error.is_stalled() => None,
        Err(error) if error.is_interrupted() => Some(json!({"fatal": "KeyboardInterrupt"})),
        Err(error) => Some(json!({"cancelled": error::message(error.cancel_message())})),
    }
}

/// Has the panics with which callbacks fail not be shown, from now on: scenarios expect them.
pub fn silence_expected_panics() {
    static SILENCED: Once = Once::new();
    SILENCED.call_once(|| {
        let shown = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            let payload = panic.payload();
            let owned = payload.downcast_ref::<String>().map(String::as_str);
            let text = owned
                .or_else(|| payload.downcast_ref::<&str>().copied())
                .unwrap_or_default();
            let is_expected = text.starts_with('{') || text.contains("cannot await itself");
            if !is_expected {
                shown(panic);
            }
        }));
    });
}
