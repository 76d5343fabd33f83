//! Waking and spawning from threads outside of the runtime.

use criterion::{Criterion, criterion_group, criterion_main};
use tasca_benches::workloads::wake;

mod common;

fn run(criterion: &mut Criterion) {
    common::bench(criterion, &wake::all());
}

criterion_group! {
    name = benches;
    config = common::config();
    targets = run
}
criterion_main!(benches);
