//! Giving way to other tasks.

use criterion::{Criterion, criterion_group, criterion_main};
use tasca_benches::workloads::yielding;

mod common;

fn run(criterion: &mut Criterion) {
    common::bench(criterion, &yielding::all());
}

criterion_group! {
    name = benches;
    config = common::config();
    targets = run
}
criterion_main!(benches);
