//! Engines that share a database.

use std::time::{Duration, Instant};

use store::Store;
use tokio::runtime::Runtime;
use workflow::{Engine, EngineOptions, OutsideOptions};

use crate::{WORKFLOWS, runtime};

/// Hosts without the server around them.
pub(crate) struct Fleet(Vec<(Runtime, Store)>);

impl Fleet {
    pub(crate) fn open(url: &str, hosts: usize) -> Self {
        let host = |_| {
            let runtime = runtime();
            let store = runtime.block_on(Store::open(url)).expect("the database opens");
            (runtime, store)
        };
        Self((0..hosts).map(host).collect())
    }

    /// Starts the engines and waits until they have worked off the queue.
    pub(crate) fn drain(&self) -> Duration {
        let begun = Instant::now();
        let engines: Vec<Engine> = self.0.iter().map(|(runtime, store)| runtime.block_on(start(store))).collect();
        let (runtime, store) = &self.0[0];
        // An engine that asks whether it is idle looks for work that others have.
        runtime.block_on(worked_off(store));
        let took = begun.elapsed();
        for ((runtime, _), engine) in self.0.iter().zip(engines) {
            runtime.block_on(engine.shutdown(Duration::from_secs(10)));
        }
        took
    }
}

async fn start(store: &Store) -> Engine {
    let options = EngineOptions { parallel_workflows: WORKFLOWS, outside: OutsideOptions::default() };
    Engine::start(store.clone(), options).await.expect("the engine starts")
}

/// Looks at the queue until nothing is in it or runs.
pub(crate) async fn worked_off(store: &Store) {
    let mut ticks = tokio::time::interval(Duration::from_millis(10));
    loop {
        ticks.tick().await;
        let mut conn = store.read().await.expect("a connection");
        let figures = conn.queue_figures().await.expect("the queue is read");
        if (figures.queued, figures.claimed) == (0, 0) {
            return;
        }
    }
}
