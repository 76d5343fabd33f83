//! What one operation costs, from what was counted.

use crate::decode::Kind;
use crate::tracer::Counts;

/// What one operation costs.
#[derive(Default)]
pub(crate) struct Cost {
    pub(crate) locked: f64,
    pub(crate) fences: f64,
    pub(crate) syscalls: f64,
    pub(crate) clock_reads: f64,
    pub(crate) instructions: f64,
    /// Each instruction with how often it ran, those that ran most often first.
    pub(crate) sites: Vec<(u64, Kind, f64)>,
}

impl Cost {
    /// The difference between the two stretches, which is one stretch's rounds without setting up.
    pub(crate) fn new([short, long]: &[Counts; 2], operations: u64) -> Self {
        let per_operation =
            |short: u64, long: u64| (long as f64 - short as f64) / operations as f64;
        let clock_reads = per_operation(short.clock_reads, long.clock_reads);
        let mut cost = Self {
            clock_reads,
            ..Self::default()
        };
        for (site, (kind, times)) in &long.sites {
            let before = short.sites.get(site).map_or(0, |(_, times)| *times);
            let times = per_operation(before, *times);
            cost.instructions += times;
            match kind {
                Kind::Plain | Kind::Repeated => {}
                Kind::Locked => cost.locked += times,
                Kind::Fence => cost.fences += times,
                Kind::Syscall => cost.syscalls += times,
            }
            cost.sites.push((*site, *kind, times));
        }
        cost.sites
            .sort_by(|(.., one), (.., other)| other.total_cmp(one));
        cost
    }

    /// The names of the figures in the budgets.
    pub(crate) const FIGURES: [&str; 5] = [
        "locked",
        "fences",
        "syscalls",
        "clock_reads",
        "instructions",
    ];

    /// The figure with one of these names.
    pub(crate) fn get(&self, name: &str) -> f64 {
        match name {
            "locked" => self.locked,
            "fences" => self.fences,
            "syscalls" => self.syscalls,
            "clock_reads" => self.clock_reads,
            "instructions" => self.instructions,
            _ => unreachable!("not among the names above"),
        }
    }
}
