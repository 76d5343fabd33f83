//! Cancelling many tasks.

use criterion::{Criterion, criterion_group, criterion_main};
use tasca_benches::workloads::cancel;

mod common;

fn run(criterion: &mut Criterion) {
    common::bench(criterion, &cancel::all());
}

criterion_group! {
    name = benches;
    config = common::config();
    targets = run
}
criterion_main!(benches);
