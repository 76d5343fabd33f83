//! HTTP on hyper.

use criterion::{Criterion, criterion_group, criterion_main};
use tasca_benches::workloads::http;

mod common;

fn run(criterion: &mut Criterion) {
    common::bench(criterion, &http::all());
}

criterion_group! {
    name = benches;
    config = common::config();
    targets = run
}
criterion_main!(benches);
