//! Two tasks and a channel.

use criterion::{Criterion, criterion_group, criterion_main};
use tasca_benches::workloads::channel;

mod common;

fn run(criterion: &mut Criterion) {
    common::bench(criterion, &channel::all());
}

criterion_group! {
    name = benches;
    config = common::config();
    targets = run
}
criterion_main!(benches);
