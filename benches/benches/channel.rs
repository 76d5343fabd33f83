//! Two tasks and a channel.

use criterion::{Criterion, criterion_group, criterion_main};
use tasca_benches::workloads::channel;

mod common;

fn run(criterion: &mut Criterion) {
    common::bench(criterion, &channel::all());
}

criterion_group!(benches, run);
criterion_main!(benches);
