//! What an echo server costs.

use criterion::{Criterion, criterion_group, criterion_main};
use tasca_benches::workloads::echo_server;

mod common;

fn run(criterion: &mut Criterion) {
    common::bench(criterion, &echo_server::all());
}

criterion_group! {
    name = benches;
    config = common::config();
    targets = run
}
criterion_main!(benches);
