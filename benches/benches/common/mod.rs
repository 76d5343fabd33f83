//! Puts a table of workloads before criterion.
//!
//! Names are `workload/runtime/workers`, so `cargo bench -p tasca-benches -- spawn_join/` chooses one
//! workload. One iteration is one round; criterion shows the rate per operation as the throughput. Its options come
//! last, such as `--warm-up-time 0.2 --measurement-time 0.5`.

use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput};
use tasca_benches::workload::{Effort, Entry, Metric};

/// What holds unless the command line says otherwise.
pub(crate) fn config() -> Criterion {
    Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1))
}

/// Measures every entry on every runtime at 1 and at 2 workers: those that are sums of times, and do not
/// take long. The others are for `side-by-side`.
pub(crate) fn bench(criterion: &mut Criterion, entries: &[Entry]) {
    let is_sum = |metric| matches!(metric, Metric::Wall | Metric::Cpu);
    for entry in entries
        .iter()
        .filter(|entry| entry.effort == Effort::Usual && is_sum(entry.metric))
    {
        let mut group = criterion.benchmark_group(entry.name);
        group.throughput(Throughput::Elements(entry.elements));
        for case in &entry.cases {
            for workers in [1, 2] {
                let id = BenchmarkId::new(case.runtime, workers);
                group.bench_function(id, |bencher| {
                    bencher.iter_custom(|rounds| {
                        let nanos = (case.measure)(workers, rounds);
                        Duration::from_secs_f64(nanos * (rounds * entry.elements) as f64 / 1e9)
                    });
                });
            }
        }
        group.finish();
    }
}
