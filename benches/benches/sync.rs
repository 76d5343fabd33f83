//! Locks and queues under contention.

use criterion::{Criterion, criterion_group, criterion_main};
use tasca_benches::workloads::sync;

mod common;

fn run(criterion: &mut Criterion) {
    common::bench(criterion, &sync::all());
}

criterion_group! {
    name = benches;
    config = common::config();
    targets = run
}
criterion_main!(benches);
