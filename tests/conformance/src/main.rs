//! Runs scenarios of the conformance suite on tasca, through its public interface only.
//!
//! Scenarios come as JSON lines on standard input, traces go as JSON lines to standard output.
//!
//! ```text
//! tasca-conformance --runtime deterministic|multi-thread[:N]|current-thread [--seed S] [--tick MICROSECONDS]
//! ```

mod error;
mod exec;
mod world;

use std::io::{BufRead, Write};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use serde_json::{Map, Value, json};
use tasca::{Problem, Runtime, Task, TaskError};

use world::{Output, Thing, World, lock, outcome_of, state_of};

/// Features that this interpreter does not have.
const MISSING: [&str; 6] = [
    "eager",
    "executor",
    "fatal",
    "multirun",
    "sigint",
    "staggered",
];

#[derive(Clone, Copy)]
enum Flavor {
    Deterministic(u64),
    MultiThread(usize),
    CurrentThread,
}

struct Options {
    flavor: Flavor,
    tick: Duration,
}

fn options() -> Result<Options, String> {
    let mut runtime = "deterministic".to_owned();
    let (mut seed, mut tick_us) = (0, None);
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        let value = args.next().ok_or_else(|| format!("{arg} needs a value"))?;
        let number = || {
            value
                .parse::<u64>()
                .map_err(|error| format!("{arg} {value}: {error}"))
        };
        match &*arg {
            "--runtime" => runtime = value,
            "--seed" => seed = number()?,
            "--tick" => tick_us = Some(number()?),
            _ => return Err(format!("unknown option {arg}")),
        }
    }
    let (name, count) = runtime.split_once(':').unwrap_or((&runtime, "2"));
    let flavor = match name {
        "deterministic" => Flavor::Deterministic(seed),
        "current-thread" => Flavor::CurrentThread,
        "multi-thread" => Flavor::MultiThread(count.parse().map_err(|_| "how many threads?")?),
        _ => return Err(format!("unknown runtime {runtime}")),
    };
    let tick_us = tick_us.unwrap_or(2_000);
    Ok(Options {
        flavor,
        tick: Duration::from_micros(tick_us),
    })
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let options = options()?;
    // Errors of callbacks are panics, and expected.
    std::panic::set_hook(Box::new(|_| {}));
    let mut stdout = std::io::stdout().lock();
    for line in std::io::stdin().lock().lines() {
        let line = line?;
        if line.trim().is_empty() {
            continue;
        }
        let scenario: Value = serde_json::from_str(&line)?;
        let trace = run(&scenario, &options)?;
        writeln!(stdout, "{trace}")?;
        stdout.flush()?;
    }
    Ok(())
}

/// In real time, a tick is so short that no single wait is longer than this.
const RUN_MAX: Duration = Duration::from_secs(2);

/// The longest wait in a scenario, in ticks.
fn longest(scenario: &Value) -> u32 {
    let of_each = |values: &mut dyn Iterator<Item = &Value>| values.map(longest).max().unwrap_or(0);
    match scenario {
        Value::Array(items) => of_each(&mut items.iter()),
        Value::Object(fields) => {
            let waits = ["d", "after", "at", "timeout"]
                .iter()
                .filter_map(|field| fields.get(*field)?.as_u64());
            let own = waits
                .max()
                .and_then(|ticks| u32::try_from(ticks).ok())
                .unwrap_or(0);
            of_each(&mut fields.values()).max(own)
        }
        _ => 0,
    }
}

fn missing(scenario: &Value) -> Option<String> {
    let features = scenario["features"].as_array().into_iter().flatten();
    let missing = features
        .filter_map(Value::as_str)
        .find(|feature| MISSING.contains(feature));
    if let Some(feature) = missing {
        return Some(feature.to_owned());
    }
    let has_objects = scenario["objects"]
        .as_object()
        .is_some_and(|objects| !objects.is_empty());
    (has_objects || scenario.to_string().contains(r#""op":"new""#)).then(|| "objects".to_owned())
}

fn run(scenario: &Value, options: &Options) -> std::io::Result<Value> {
    let name = &scenario["name"];
    if let Some(reason) = missing(scenario) {
        return Ok(json!({"name": name, "skip": reason}));
    }
    let builder = match options.flavor {
        Flavor::Deterministic(seed) => Runtime::builder().deterministic(seed),
        Flavor::CurrentThread => Runtime::builder().current_thread(),
        Flavor::MultiThread(n) => Runtime::builder().multi_thread().worker_threads(n),
    };
    let tick = match options.flavor {
        Flavor::Deterministic(_) => Duration::from_millis(1),
        _ => options.tick.min(RUN_MAX / longest(scenario).max(1)),
    };
    let world: Arc<Mutex<Option<Arc<World>>>> = Arc::default();
    let for_handler = Arc::clone(&world);
    let rt = builder
        .exception_handler(move |problem: &Problem| {
            let world = lock(&for_handler).clone();
            if let Some(world) = world {
                let text = problem.text().unwrap_or("null");
                let error = serde_json::from_str(text)
                    .unwrap_or_else(|_| json!({"err": "Panic", "msg": text}));
                world.log(None, "loop_error", Value::Null, error);
            }
        })
        .build()?;
    let handle = rt.handle();
    let shared = World::new(scenario.clone(), handle, tick);
    *lock(&world) = Some(Arc::clone(&shared));
    let (tell, told) = mpsc::channel();
    let for_thread = Arc::clone(&shared);
    let thread = std::thread::spawn(move || {
        let outcome = run_main(rt, &for_thread);
        drop(tell.send(outcome));
    });
    let quiet = match options.flavor {
        Flavor::Deterministic(_) => Duration::from_millis(400),
        _ => options.tick * 400 + RUN_MAX,
    };
    let outcome = wait_for_end(&shared, &told, quiet);
    let stalled = outcome.is_none();
    if stalled {
        shared.log(None, "stalled", Value::Null, Value::Null);
    } else {
        drop(thread.join());
    }
    Ok(json!({
        "name": name,
        "events": shared.events(),
        "tasks": outcomes(lock(&shared.tasks).iter().map(|thing| (&*thing.name, thing))),
        "futures": outcomes(lock(&shared.futures).iter().map(|(label, thing)| (&**label, thing))),
        "run": outcome.into_iter().collect::<Vec<_>>(),
        "end": shared.now(),
        "stalled": stalled,
    }))
}

fn outcomes<'a>(things: impl Iterator<Item = (&'a str, &'a Arc<Thing>)>) -> Value {
    things
        .map(|(name, thing)| (name.to_owned(), outcome_of(thing)))
        .collect::<Map<_, _>>()
        .into()
}

/// Waits for the scenario's end, or until nothing has happened for a while.
fn wait_for_end(world: &World, told: &mpsc::Receiver<Value>, quiet: Duration) -> Option<Value> {
    loop {
        let n_events = world.n_events();
        match told.recv_timeout(quiet) {
            Ok(outcome) => return Some(outcome),
            Err(_) if world.n_events() == n_events => return None,
            Err(_) => {}
        }
    }
}

/// Runs the main task, then closes the runtime.
fn run_main(rt: Runtime, world: &Arc<World>) -> Value {
    let body = world.scenario["main"].clone();
    let name = world.creation_name("main");
    let registration = lock(&world.registration);
    let task = {
        let handle = rt.handle();
        let _entered = handle.enter();
        let builder = Task::builder().name(&*name);
        exec::spawn_task(world, &name, |body| builder.try_spawn(body), body)
    };
    let main = exec::register_task(world, "main", &name, task);
    drop(registration);
    let shadow = main.task.task_ref();
    rt.block_on(shadow.finished());
    let outcome = match main.task.result() {
        Ok(Ok(value)) => json!({"ok": value}),
        Ok(Err(error)) => json!({"error": error}),
        Err(_) => {
            let message = error_of(&main.task);
            json!({"cancelled": message})
        }
    };
    world.log(None, "closing", Value::Null, Value::Null);
    // What is left is cancelled, and waited for.
    drop(rt.run(async {}));
    outcome
}

fn error_of(task: &Task<Output>) -> Value {
    match task.result() {
        Err(tasca::ResultError::Failed(error)) => error::message(error.cancel_message()),
        _ => Value::Null,
    }
}

/// Logs the end of a task when it comes.
pub(crate) fn log_done(world: &Arc<World>, thing: &Arc<Thing>) {
    let (world, shadow) = (Arc::clone(world), Arc::clone(thing));
    thing.task.add_done_callback(move |_| {
        world.log(None, "done", json!(shadow.name), json!(state_of(&shadow)));
    });
}

/// The error that a task failed with, as a value of the scenario.
pub(crate) fn failure(error: &TaskError) -> Value {
    if error.is_cancelled() {
        json!({"cancelled": error::message(error.cancel_message())})
    } else {
        json!({"err": "Panic", "msg": error.panic_text()})
    }
}
