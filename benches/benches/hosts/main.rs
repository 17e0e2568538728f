//! What several hosts do on one PostgreSQL database, beside the statements that they cannot do without; and what a claim costs
//! when the queue is long.
//!
//! `hosts/drain` works off a queue of 16 workflows with two nodes each, with one engine and with two, which have a store, a pool of
//! connections and threads of their own. `hosts/requests` are creates over TCP, each of 16 callers with a workflow of its own that
//! runs in the background, at one server and at two; a create counts as done when its execution has ended. `bare` issues the statements
//! that leave the same rows, prepared, on 16 connections beside each other. `hosts/claims` takes the next execution of a queue and ends it, in one
//! transaction that does not wait for the disk, with so many behind it. In the end it says what one action leaves to the database, and
//! what it takes to get rid of history.
//!
//! The server is the one that `DATABASE_URL` leads to, or one that is started for it, with PostgreSQL's own settings for what a commit
//! means. Everything shares one machine: a second host has no processor of its own.

mod action;
mod bare;
mod claims;
mod fleet;
mod history;

use std::time::Duration;

use benches::{
    load::{enqueue, make_logs, make_workflow},
    server::{CALLERS, Mode, Rig, Workflow},
};
use criterion::{BenchmarkGroup, Criterion, Throughput, criterion_group, criterion_main, measurement::WallTime};
use store::{Store, WorkflowRow};
use test_database::{Database, TestDatabase};
use tokio::runtime::{Builder, Runtime};

use crate::{
    bare::{Bare, timed},
    fleet::Fleet,
};

/// Workflows that run beside each other.
const WORKFLOWS: usize = 16;
/// Nodes of each of them.
const NODES: usize = 2;
/// How many hosts are compared.
const HOSTS: [usize; 2] = [1, 2];
/// A queue shorter than this would measure how engines start and stop.
const SHORTEST_QUEUE: u64 = 1_600;

fn runtime() -> Runtime {
    Builder::new_multi_thread().enable_all().build().expect("a runtime")
}

fn group<'c>(criterion: &'c mut Criterion, name: &str) -> BenchmarkGroup<'c, WallTime> {
    let mut group = criterion.benchmark_group(name);
    group.throughput(Throughput::Elements(1)).sample_size(10).measurement_time(Duration::from_secs(8));
    group
}

fn drain(criterion: &mut Criterion) {
    let runtime = runtime();
    let database = TestDatabase::new();
    let (store, workflows) = runtime.block_on(async {
        let store = Store::open(database.url()).await.expect("the database opens");
        make_logs(&store).await;
        let mut workflows: Vec<WorkflowRow> = Vec::with_capacity(WORKFLOWS);
        for _ in 0..WORKFLOWS {
            workflows.push(make_workflow(&store, NODES).await);
        }
        (store, workflows)
    });
    let fill = |executions: u64| {
        let each = usize::try_from(executions.div_ceil(WORKFLOWS as u64)).expect("a count of executions fits");
        runtime.block_on(async {
            for workflow in &workflows {
                enqueue(&store, workflow, each).await;
            }
        });
        (each * WORKFLOWS) as f64
    };
    let mut group = group(criterion, "hosts/drain");
    let mut bare = runtime.block_on(Bare::connect(database.url(), WORKFLOWS));
    group.bench_function("bare", |bencher| {
        bencher.iter_custom(|executions| {
            let queued = fill(executions.max(SHORTEST_QUEUE));
            timed(&runtime, bare.drain(&workflows)).mul_f64(executions as f64 / queued)
        });
    });
    for hosts in HOSTS {
        let fleet = Fleet::open(database.url(), hosts);
        group.bench_function(format!("hosts_{hosts}"), |bencher| {
            bencher.iter_custom(|executions| {
                let queued = fill(executions.max(SHORTEST_QUEUE));
                fleet.drain().mul_f64(executions as f64 / queued)
            });
        });
    }
    group.finish();
    runtime.block_on(store.close());
}

fn requests(criterion: &mut Criterion) {
    let runtime = runtime();
    let mut group = group(criterion, "hosts/requests");
    for hosts in HOSTS {
        let database = TestDatabase::new();
        let rig = runtime.block_on(Rig::start(hosts, Some(database.url())));
        let store = runtime.block_on(Store::open(database.url())).expect("the database opens");
        let workflows: Vec<Workflow> = runtime.block_on(async {
            let mut workflows = Vec::new();
            for _ in 0..CALLERS {
                workflows.push(rig.workflow(Mode::Async, 0).await);
            }
            workflows
        });
        group.bench_function(format!("hosts_{hosts}"), |bencher| {
            bencher.iter_custom(|requests| {
                timed(&runtime, async {
                    rig.creates(&workflows, requests).await;
                    fleet::worked_off(&store).await;
                })
            });
        });
        runtime.block_on(async {
            store.close().await;
            rig.stop().await;
        });
        if hosts == 1 {
            let mut bare = runtime.block_on(Bare::connect(database.url(), workflows.len()));
            group.bench_function("bare", |bencher| {
                bencher.iter_custom(|requests| timed(&runtime, bare.requests(&workflows, requests)));
            });
        }
    }
    group.finish();
}

fn claims(criterion: &mut Criterion) {
    let runtime = runtime();
    let database = TestDatabase::new();
    let queue = runtime.block_on(claims::Queue::open(&database));
    let mut group = group(criterion, "hosts/claims");
    for queued in claims::QUEUED {
        runtime.block_on(queue.fill(queued));
        group.bench_function(queued.to_string(), |bencher| {
            bencher.iter_custom(|claims| runtime.block_on(queue.time_claims(claims)));
        });
    }
    group.finish();
}

fn all(criterion: &mut Criterion) {
    // Set before the server is started; without one, what it measures is left out.
    test_database::keep_what_is_committed();
    if test_database::begin(Database::Postgres) {
        drain(criterion);
        requests(criterion);
        claims(criterion);
        let runtime = runtime();
        runtime.block_on(action::report());
        runtime.block_on(history::report());
    }
}

criterion_group!(benches, all);
criterion_main!(benches);
