//! Threads for blocking calls.

use criterion::{Criterion, criterion_group, criterion_main};
use tasca_benches::workloads::blocking;

mod common;

fn run(criterion: &mut Criterion) {
    common::bench(criterion, &blocking::all());
}

criterion_group! {
    name = benches;
    config = common::config();
    targets = run
}
criterion_main!(benches);
