//! The workflow engine.
//!
//! An execution is stored by the action that triggers it ([`store::Tx::enqueue`]). A synchronous one is run by its request
//! through [`Engine::run`]; all others are claimed by the dispatcher, in order within a workflow and in parallel across
//! workflows. The processor walks the nodes of the workflow version, stores each node's job before the next one starts, and
//! ends the execution. Nothing here knows HTTP or plugins.

mod expression;
mod variables;

use std::sync::Arc;

use store::{ExecutionId, ExecutionStatus, Store, WorkflowId};

/// How an execution went, as far as it got.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// The execution.
    pub id: ExecutionId,
    /// Its state now; [`ExecutionStatus::Started`] while it waits for a job.
    pub status: ExecutionStatus,
    /// What its response-message nodes said, in order.
    pub messages: Vec<String>,
    /// Whether an *end* node ended it.
    pub ended_by_node: bool,
}

/// Errors of the engine.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EngineError {
    /// The configuration of a node is wrong: the configurer's. The sentence is theirs.
    #[error("{0}")]
    Invalid(String),
    /// No node type has this name.
    #[error("Node type \"{0}\" is not registered")]
    UnknownNodeType(String),
    /// The execution is not there.
    #[error("execution not found")]
    NotFound,
    /// The engine is shutting down.
    #[error("the engine is stopping")]
    Stopping,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] store::StoreError),
}

/// Bounds of the engine.
#[derive(Debug, Clone)]
pub struct EngineOptions {
    /// Workflows that run at the same time in the background.
    pub parallel_workflows: usize,
}

/// A handle on the running engine. Cheap to clone.
#[derive(Clone)]
pub struct Engine {
    inner: Arc<()>,
}

impl Engine {
    /// Takes back what a former process left behind, and starts the dispatcher.
    pub async fn start(store: Store, options: EngineOptions) -> Result<Self, EngineError> {
        let _ = (store, options);
        todo!()
    }

    /// The claim under which executions are enqueued that this process runs at once through [`Engine::run`].
    pub fn claim(&self) -> store::ClaimedBy {
        let _ = &self.inner;
        todo!()
    }

    /// Checks the type and configuration of a node before it is stored.
    pub fn check_node(&self, node_type: &str, config: &serde_json::Value) -> Result<(), EngineError> {
        let _ = (node_type, config);
        todo!()
    }

    /// The node types with the JSON Schema of their configuration.
    pub fn node_types(&self) -> Vec<NodeTypeInfo> {
        todo!()
    }

    /// Tells the dispatcher that these workflows have queued executions. A hint: what is missed is found by the sweep.
    pub fn wake(&self, workflows: &[WorkflowId]) {
        let _ = workflows;
    }

    /// Runs an execution claimed by [`Engine::claim`] until it ends or waits. It goes on if the caller goes away.
    pub async fn run(&self, id: ExecutionId) -> Result<Outcome, EngineError> {
        let _ = id;
        todo!()
    }

    /// Ends an execution that has not ended: aborted, with reason `manual_cancel`.
    pub async fn cancel(&self, id: ExecutionId) -> Result<(), EngineError> {
        let _ = id;
        todo!()
    }

    /// Says that nothing is queued or running here: for tests and for draining.
    pub async fn idle(&self) {}

    /// Takes no more work, waits for what runs (handing back what takes longer than `grace`), and stops.
    pub async fn shutdown(&self, grace: std::time::Duration) {
        let _ = grace;
    }
}

/// A node type, for the console.
#[derive(Debug, Clone, PartialEq)]
pub struct NodeTypeInfo {
    /// Its name, as in a node's `type`.
    pub name: &'static str,
    /// The JSON Schema of its configuration.
    pub config_schema: serde_json::Value,
}
