//! A database with an engine on it, without a server around them.

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use serde_json::{Value, json};
use store::{ExecutionId, ExecutionStatus, NewExecution, Record, Store, StoreError, WorkflowRow, workflows::NewNode};
use tempfile::TempDir;
use tokio::task::JoinSet;
use workflow::{Engine, EngineOptions, OutsideOptions};

use crate::CONCURRENCY;

/// Executions stored by one write; more would keep other writers waiting.
const PER_WRITE: usize = 500;

pub(crate) struct Rig {
    store: Store,
    folder: TempDir,
}

fn object(value: &Value) -> Record {
    value.as_object().expect("an object").clone()
}

/// What an action hands to its workflows: about what a short form submits.
pub(crate) fn context() -> Value {
    json!({"data": {"id": 1, "title": "A title of usual length", "read": 0,
               "content": "A sentence or two of content, as a short form has it."},
           "user": {"id": 1, "email": "admin@example.com", "nickname": "Super Admin"}, "roleName": "root"})
}

impl Rig {
    pub(crate) async fn open() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let url = format!("sqlite:{}", folder.path().join("data.db").display());
        let store = Store::open(&url).await.expect("the database opens");
        let logs = object(&json!({"name": "logs", "fields": [{"type": "string", "name": "tag"}]}));
        let made = store.write(move |tx| Box::pin(async move { tx.create_collection(&logs).await.map(drop) })).await;
        made.map_err(|error: StoreError| error).expect("the collection is made");
        Self { store, folder }
    }

    /// The database's file.
    pub(crate) fn database(&self) -> PathBuf {
        self.folder.path().join("data.db")
    }

    /// Makes and enables a workflow with so many nodes in a line, each of which makes a record.
    pub(crate) async fn workflow(&self, nodes: usize) -> WorkflowRow {
        let made = self.store.write(move |tx| {
            Box::pin(async move {
                let values = object(&json!({"title": "benchmark", "type": "action", "enabled": true}));
                let workflow = tx.create_workflow(values, None).await?;
                let mut upstream_id = None;
                for _ in 0..nodes {
                    let config =
                        json!({"collection": "logs", "params": {"values": {"tag": "{{$context.data.title}}"}}});
                    let node =
                        NewNode { node_type: "create".into(), title: None, config, upstream_id, branch_index: None };
                    upstream_id = Some(tx.create_node(workflow.id, node).await?.id);
                }
                Ok::<_, StoreError>(workflow)
            })
        });
        made.await.expect("the workflow is made")
    }

    /// Stores executions for whoever drains the queue.
    pub(crate) async fn enqueue(&self, workflow: &WorkflowRow, executions: usize) {
        let mut ids: Vec<ExecutionId> = Vec::with_capacity(executions);
        while ids.len() < executions {
            let new: Vec<_> = (ids.len()..executions).take(PER_WRITE).map(|_| execution(workflow)).collect();
            let stored = self.store.write(move |tx| Box::pin(async move { tx.enqueue(new).await }));
            ids.extend(stored.await.map_err(|error: StoreError| error).expect("they are stored"));
        }
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

fn execution(workflow: &WorkflowRow) -> NewExecution {
    let event_key = "00000000-0000-4000-8000-000000000000".to_owned();
    NewExecution::new(workflow.id, workflow.key.clone(), context(), event_key)
}
