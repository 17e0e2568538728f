//! What a bound create costs from end to end, beside the statements that it cannot do without.
//!
//! `http` is a create over TCP, 16 callers at a time, with a workflow without nodes bound to it: a synchronous one that
//! is run before the answer, or one in the background, which counts as done when its execution has ended. `bare` issues the
//! statements that store the same rows, prepared, on one connection to a copy of the database beside it, 16 requests to a
//! commit: the most that the database could do for 16 callers. `cargo xtask bench` prints the ratios.

mod bare;

use std::time::{Duration, Instant};

use benches::server::{Mode, Rig};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use tokio::runtime::{Builder, Runtime};

use crate::bare::Bare;

/// Times `work` on the runtime.
fn timed<F: Future<Output = ()>>(runtime: &Runtime, work: F) -> Duration {
    let begun = Instant::now();
    runtime.block_on(work);
    begun.elapsed()
}

fn requests(criterion: &mut Criterion) {
    let runtime = Builder::new_multi_thread().enable_all().build().expect("a runtime");
    let rig = runtime.block_on(Rig::start(1, None));
    for (name, mode) in [("async", Mode::Async), ("sync", Mode::Sync)] {
        let workflow = runtime.block_on(rig.workflow(mode, 0));
        let mut bare = runtime.block_on(Bare::copy(&rig.database_file(), name));
        let mut group = criterion.benchmark_group(format!("requests/{name}"));
        group.throughput(Throughput::Elements(1)).sample_size(20).measurement_time(Duration::from_secs(10));
        group.bench_function("bare", |bencher| {
            bencher.iter_custom(|requests| timed(&runtime, bare.requests(&workflow, mode, requests)));
        });
        group.bench_function("http", |bencher| {
            bencher.iter_custom(|requests| {
                timed(&runtime, async {
                    rig.creates(std::slice::from_ref(&workflow), requests).await;
                    rig.drained(&workflow).await;
                })
            });
        });
        group.finish();
    }
    runtime.block_on(rig.stop());
}

criterion_group!(benches, requests);
criterion_main!(benches);
