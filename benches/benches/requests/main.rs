//! What a bound create costs from end to end, beside the statements that it cannot do without.
//!
//! `http` is a create over TCP, 16 callers at a time, with a workflow without nodes bound to it: a synchronous one that
//! is run before the answer, or one in the background, which counts as done when its execution has ended. `bare` issues the
//! statements that store the same rows, prepared, on one connection to a copy of the database beside it, 16 requests to a
//! commit: the most that the database could do for 16 callers. `cargo xtask bench` prints the ratios.

mod bare;
mod http;

use std::time::{Duration, Instant};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use tokio::runtime::{Builder, Runtime};

use crate::{bare::Bare, http::Rig};

/// Callers at the same time, and requests to a bare commit.
pub(crate) const CONCURRENCY: u64 = 16;

/// When a bound workflow runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Before the answer.
    Sync,
    /// In the background.
    Async,
}

/// Times `work` on the runtime.
fn timed<F: Future<Output = ()>>(runtime: &Runtime, work: F) -> Duration {
    let begun = Instant::now();
    runtime.block_on(work);
    begun.elapsed()
}

fn requests(criterion: &mut Criterion) {
    let runtime = Builder::new_multi_thread().enable_all().build().expect("a runtime");
    let rig = runtime.block_on(Rig::start());
    for (name, mode) in [("async", Mode::Async), ("sync", Mode::Sync)] {
        let workflow = runtime.block_on(rig.workflow(mode));
        let mut bare = runtime.block_on(Bare::copy(&rig.database(), name));
        let mut group = criterion.benchmark_group(format!("requests/{name}"));
        group.throughput(Throughput::Elements(1)).sample_size(20).measurement_time(Duration::from_secs(10));
        group.bench_function("bare", |bencher| {
            bencher.iter_custom(|requests| timed(&runtime, bare.requests(&workflow, mode, requests)));
        });
        group.bench_function("http", |bencher| {
            bencher.iter_custom(|requests| {
                timed(&runtime, async {
                    rig.creates(&workflow, requests).await;
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
