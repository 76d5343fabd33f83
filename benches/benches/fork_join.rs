//! Fork and join, without and with work of its own.

use criterion::{Criterion, criterion_group, criterion_main};
use tasca_benches::workloads::fork_join;

mod common;

fn run(criterion: &mut Criterion) {
    common::bench(criterion, &fork_join::all());
}

criterion_group! {
    name = benches;
    config = common::config();
    targets = run
}
criterion_main!(benches);
