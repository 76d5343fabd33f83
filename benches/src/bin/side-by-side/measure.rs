//! One workload on everybody, in turn.

use std::{
    panic::{self, AssertUnwindSafe},
    time::{Duration, Instant},
};

use tasca_benches::workload::{Case, Entry, Metric};

use crate::{gauge::Gauge, options::Options, others::Program, report::Row, watch};

/// What takes longer than this in all rounds together is measured in fewer of them.
const ALL_ROUNDS_MAX: Duration = Duration::from_secs(2);

/// But in so many at least.
const ROUNDS_MIN: u32 = 3;

/// Somebody who does the workload.
enum Contender<'a> {
    /// A runtime, in this process.
    Here(&'a Case),
    /// A runtime, in a process that has not done anything else.
    Fresh(&'a Case),
    /// A program of its own.
    Other(&'a mut Program),
}

impl Contender<'_> {
    fn name(&self) -> &str {
        match self {
            Self::Here(case) | Self::Fresh(case) => case.runtime,
            Self::Other(program) => program.name,
        }
    }

    fn measure(&mut self, entry: &Entry, workers: usize, rounds: u64) -> Result<f64, String> {
        let _watched = watch::begin(format!("{} on {}", entry.name, self.name()));
        match self {
            Self::Here(case) => caught(case, || (case.measure)(workers, rounds)),
            Self::Fresh(case) => Program::fresh(case.runtime)?.measure(entry.name, workers, rounds),
            Self::Other(program) => program.measure(entry.name, workers, rounds),
        }
    }

    /// How long so many rounds take; where that can be known, without the start and the end of the runtime.
    fn time(&mut self, entry: &Entry, workers: usize, rounds: u64) -> Result<Duration, String> {
        if let Self::Here(case) = self
            && let Some(time) = case.time
        {
            let _watched = watch::begin(format!("{} on {}", entry.name, case.runtime));
            return caught(case, || time(workers, rounds));
        }
        let start = Instant::now();
        let figure = self.measure(entry, workers, rounds)?;
        Ok(match entry.metric {
            Metric::Wall => {
                Duration::from_secs_f64(figure * (rounds * entry.elements) as f64 / 1e9)
            }
            _ => start.elapsed(),
        })
    }
}

/// Whoever fails is out of it; the others go on.
fn caught<T>(case: &Case, measure: impl FnOnce() -> T) -> Result<T, String> {
    panic::catch_unwind(AssertUnwindSafe(measure)).map_err(|_| format!("{} panicked", case.runtime))
}

/// What came of one workload with one number of workers.
pub(crate) struct Measured {
    /// A row for each who can do it.
    pub(crate) rows: Vec<Row>,
    /// What went wrong, in words.
    pub(crate) failed: Vec<String>,
}

/// Measures `entry` on all that can do it.
pub(crate) fn measure(
    entry: &Entry,
    workers: usize,
    options: &Options,
    programs: &mut [Program],
    gauge: &mut Gauge,
) -> Measured {
    let cases = entry.cases.iter().map(|case| match entry.metric {
        Metric::Bytes => Contender::Fresh(case),
        _ => Contender::Here(case),
    });
    let programs = programs
        .iter_mut()
        .filter(|program| program.does(entry.name, workers))
        .map(Contender::Other);
    let mut contenders: Vec<_> = cases
        .chain(programs)
        .filter(|contender| options.wants_runtime(contender.name()))
        .collect();
    let mut failed = Vec::new();
    let mut lengths = Vec::with_capacity(contenders.len());
    let mut slowest = Duration::ZERO;
    contenders.retain_mut(|contender| {
        match calibrate(contender, entry, workers, options.duration) {
            Ok((rounds, took)) => {
                lengths.push(rounds);
                slowest = slowest.max(took);
                true
            }
            Err(message) => {
                failed.push(message);
                false
            }
        }
    });
    let rounds = n_rounds(options.rounds, slowest);
    let mut samples = vec![Vec::with_capacity(rounds); contenders.len()];
    for round in 0..rounds {
        for turn in 0..contenders.len() {
            let index = (round + turn) % contenders.len();
            gauge.await_whole_core();
            match contenders[index].measure(entry, workers, lengths[index]) {
                Ok(figure) => samples[index].push(figure),
                Err(message) => failed.push(message),
            }
        }
    }
    let row = |(contender, samples): (&Contender<'_>, _)| {
        Row::new(entry, workers, contender.name(), samples)
    };
    let measured = contenders
        .iter()
        .zip(samples)
        .filter(|(_, samples)| !samples.is_empty());
    Measured {
        rows: measured.map(row).collect(),
        failed,
    }
}

/// How many rounds, if one measurement lasts so long.
fn n_rounds(wanted: usize, one: Duration) -> usize {
    let affordable = ALL_ROUNDS_MAX.as_secs_f64() / one.as_secs_f64().max(1e-9);
    wanted.min((affordable as usize).max(ROUNDS_MIN as usize))
}

/// How many rounds of a workload last about as long as a measurement should, and how long they last.
fn calibrate(
    contender: &mut Contender<'_>,
    entry: &Entry,
    workers: usize,
    duration: Duration,
) -> Result<(u64, Duration), String> {
    // What is found in a process of its own is the same in every round.
    if entry.metric == Metric::Bytes {
        return Ok((1, ALL_ROUNDS_MAX / ROUNDS_MIN));
    }
    let mut rounds = 1;
    loop {
        let mut took = contender.time(entry, workers, rounds)?;
        // The shortest of three: somebody else's turn on the core must not make it look slow, for then
        // a measurement would have too few rounds to be one.
        for _ in 0..2 {
            if took < duration * 2 {
                took = took.min(contender.time(entry, workers, rounds)?);
            }
        }
        if took >= duration {
            return Ok((rounds, took));
        }
        if took > duration / 8 {
            let factor = duration.as_secs_f64() / took.as_secs_f64();
            return Ok(((rounds as f64 * factor).ceil() as u64, duration));
        }
        rounds *= 8;
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tasca_benches::workload::{Case, Effort, Entry, Metric};

    use super::{Contender, calibrate};

    #[test]
    fn the_start_and_the_end_of_a_runtime_are_no_rounds() {
        let case = Case {
            time: Some(|_, rounds| Duration::from_micros(rounds)),
            ..Case::limit("a runtime that never ends", |_, _| {
                panic!("it lasts for ever")
            })
        };
        for metric in [Metric::Wall, Metric::Cpu, Metric::Lateness, Metric::Tail] {
            let entry = Entry {
                name: "rounds of a microsecond",
                elements: 1,
                metric,
                effort: Effort::Usual,
                cases: vec![case],
            };
            let (rounds, took) = calibrate(
                &mut Contender::Here(&case),
                &entry,
                1,
                Duration::from_millis(20),
            )
            .unwrap();
            assert_eq!((rounds, took), (20_000, Duration::from_millis(20)));
        }
    }
}
