//! What running an execution costs, beside the statements that it cannot do without.
//!
//! `engine/drain_N` works off a queue of one workflow with N nodes, each of which makes a record; `engine/sync_N` stores
//! and runs executions for 16 callers at a time. `bare` issues the statements that leave the same rows, prepared, on one
//! connection to the same database, in transactions of the same kind: a node's record and its job are durable before the
//! next node begins. At the end the memory of this process is compared before and after 100,000 executions are queued.

mod bare;
mod memory;
mod rig;

use std::time::{Duration, Instant};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use tokio::runtime::{Builder, Runtime};

use crate::{bare::Bare, rig::Rig};

/// Callers at the same time, and executions to a bare commit where the engine can commit them together.
pub(crate) const CONCURRENCY: usize = 16;

/// Nodes of the workflows that are measured.
const NODES: [usize; 3] = [0, 2, 20];

/// Times `work` on the runtime.
fn timed<F: Future<Output = ()>>(runtime: &Runtime, work: F) -> Duration {
    let begun = Instant::now();
    runtime.block_on(work);
    begun.elapsed()
}

/// A queue shorter than this would measure how an engine starts and stops.
const SHORTEST_QUEUE: u64 = 500;

fn count(executions: u64) -> usize {
    usize::try_from(executions).expect("a count of executions fits")
}

/// Times the working off of a queue of at least [`SHORTEST_QUEUE`], and takes the share of `executions` of it.
fn share(executions: u64, time: impl FnOnce(usize) -> Duration) -> Duration {
    let queued = executions.max(SHORTEST_QUEUE);
    time(count(queued)).mul_f64(executions as f64 / queued as f64)
}

fn engine(criterion: &mut Criterion) {
    let runtime = Builder::new_multi_thread().enable_all().build().expect("a runtime");
    let rig = runtime.block_on(Rig::open());
    let mut bare = runtime.block_on(Bare::connect(&rig.database()));
    for nodes in NODES {
        let workflow = runtime.block_on(rig.workflow(nodes));

        let mut group = criterion.benchmark_group(format!("engine/drain_{nodes}"));
        group.throughput(Throughput::Elements(1)).sample_size(10).measurement_time(Duration::from_secs(5));
        group.bench_function("bare", |bencher| {
            bencher.iter_custom(|executions| {
                share(executions, |queued| {
                    runtime.block_on(rig.enqueue(&workflow, queued));
                    timed(&runtime, bare.drain(&workflow, queued))
                })
            });
        });
        group.bench_function("engine", |bencher| {
            bencher.iter_custom(|executions| {
                share(executions, |queued| {
                    runtime.block_on(rig.enqueue(&workflow, queued));
                    timed(&runtime, rig.drain())
                })
            });
        });
        group.finish();

        let mut group = criterion.benchmark_group(format!("engine/sync_{nodes}"));
        group.throughput(Throughput::Elements(1)).sample_size(10).measurement_time(Duration::from_secs(5));
        group.bench_function("bare", |bencher| {
            bencher.iter_custom(|executions| timed(&runtime, bare.run(&workflow, count(executions))));
        });
        let engine = runtime.block_on(rig.start());
        group.bench_function("engine", |bencher| {
            bencher.iter_custom(|executions| timed(&runtime, rig.run(&engine, &workflow, count(executions))));
        });
        runtime.block_on(rig.stop(engine));
        group.finish();
    }
}

fn queued(_: &mut Criterion) {
    let runtime = Builder::new_multi_thread().enable_all().build().expect("a runtime");
    runtime.block_on(memory::report());
}

criterion_group!(benches, engine, queued);
criterion_main!(benches);
