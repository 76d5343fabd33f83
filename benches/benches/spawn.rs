//! Spawning, alone and with joining.

use criterion::{Criterion, criterion_group, criterion_main};
use tasca_benches::workloads::spawn;

mod common;

fn run(criterion: &mut Criterion) {
    common::bench(criterion, &spawn::all());
}

criterion_group! {
    name = benches;
    config = common::config();
    targets = run
}
criterion_main!(benches);
