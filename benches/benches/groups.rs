//! Waiting for many tasks at once.

use criterion::{Criterion, criterion_group, criterion_main};
use tasca_benches::workloads::groups;

mod common;

fn run(criterion: &mut Criterion) {
    common::bench(criterion, &groups::all());
}

criterion_group! {
    name = benches;
    config = common::config();
    targets = run
}
criterion_main!(benches);
