//! A database with an engine on it, without a server around them.

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use benches::load::{enqueue, execution, make_logs, make_workflow};
use store::{ExecutionStatus, NewExecution, Store, StoreError, WorkflowRow};
use tempfile::TempDir;
use tokio::task::JoinSet;
use workflow::{Engine, EngineOptions, OutsideOptions};

use crate::CONCURRENCY;

pub(crate) struct Rig {
    store: Store,
    folder: TempDir,
}

impl Rig {
    pub(crate) async fn open() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let url = format!("sqlite:{}", folder.path().join("data.db").display());
        let store = Store::open(&url).await.expect("the database opens");
        make_logs(&store).await;
        Self { store, folder }
    }

    /// The database's file.
    pub(crate) fn database(&self) -> PathBuf {
        self.folder.path().join("data.db")
    }

    /// Makes and enables a workflow with so many nodes in a line, each of which makes a record.
    pub(crate) async fn workflow(&self, nodes: usize) -> WorkflowRow {
        make_workflow(&self.store, nodes).await
    }

    /// Stores executions for whoever drains the queue.
    pub(crate) async fn enqueue(&self, workflow: &WorkflowRow, executions: usize) {
        enqueue(&self.store, workflow, executions).await;
    }

    /// Starts an engine and waits until it has worked off the queue.
    pub(crate) async fn drain(&self) {
        let engine = self.start().await;
        engine.idle().await;
        self.stop(engine).await;
    }

    pub(crate) async fn start(&self) -> Engine {
        let options = EngineOptions { parallel_workflows: CONCURRENCY, outside: OutsideOptions::default() };
        Engine::start(self.store.clone(), options).await.expect("the engine starts")
    }

    pub(crate) async fn stop(&self, engine: Engine) {
        engine.shutdown(Duration::from_secs(10)).await;
    }

    /// Stores and runs executions, a fixed number of callers at a time.
    pub(crate) async fn run(&self, engine: &Engine, workflow: &WorkflowRow, executions: usize) {
        let next = Arc::new(AtomicUsize::new(0));
        let mut callers = JoinSet::new();
        for _ in 0..CONCURRENCY {
            let (store, engine, workflow, next) =
                (self.store.clone(), engine.clone(), workflow.clone(), Arc::clone(&next));
            callers.spawn(async move {
                while next.fetch_add(1, Ordering::Relaxed) < executions {
                    let new = NewExecution { claimed_by: Some(engine.claim()), ..execution(&workflow) };
                    let stored = store.write(move |tx| Box::pin(async move { tx.enqueue(vec![new]).await }));
                    let ids = stored.await.map_err(|error: StoreError| error).expect("it is stored");
                    let outcome = engine.run(ids[0]).await.expect("it runs");
                    assert_eq!(outcome.status, ExecutionStatus::Resolved);
                }
            });
        }
        callers.join_all().await;
    }
}
