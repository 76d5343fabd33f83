//! Timeouts and sleeps.

use criterion::{Criterion, criterion_group, criterion_main};
use tasca_benches::workloads::timers;

mod common;

fn run(criterion: &mut Criterion) {
    common::bench(criterion, &timers::all());
}

criterion_group!(benches, run);
criterion_main!(benches);
