//! The handle on the engine.

use std::{sync::Arc, time::Duration};

use futures::future::BoxFuture;
use serde_json::Value;
use store::{ClaimedBy, ExecutionFinish, ExecutionId, ExecutionStatus, Store, StoreError, WorkflowId};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::{
    EngineError, NodeTypeInfo, Outcome, OutsideOptions, dispatcher::Dispatcher, expression::Expressions,
    nodes::NodeTypes, outside::Outside, processor::Processor,
};

/// Bounds of the engine.
#[derive(Debug, Clone)]
pub struct EngineOptions {
    /// Workflows that run at the same time in the background.
    pub parallel_workflows: usize,
    /// What nodes may reach outside of the store.
    pub outside: OutsideOptions,
}

/// A handle on the running engine. Cheap to clone. When the last one is gone, the engine stops at once, as in a crash; what
/// it was doing is gone on with by the next one. [`Engine::shutdown`] is the friendly way.
#[derive(Clone)]
pub struct Engine {
    inner: Arc<Inner>,
}

struct Inner {
    store: Store,
    claim: ClaimedBy,
    types: Arc<NodeTypes>,
    expressions: Expressions,
    dispatcher: Arc<Dispatcher>,
    _stop: DropGuard,
}

impl Engine {
    /// Takes back what a former process left behind, and starts the dispatcher.
    ///
    /// # Errors
    ///
    /// Database errors.
    pub async fn start(store: Store, options: EngineOptions) -> Result<Self, EngineError> {
        let claim = ClaimedBy(uuid::Uuid::new_v4().to_string());
        let types = Arc::new(NodeTypes::built_in()?);
        let expressions = Expressions::default();
        let by = claim.clone();
        let open: Vec<ExecutionId> = store
            .write(move |tx| -> BoxFuture<'_, Result<_, StoreError>> { Box::pin(async move { tx.recover(&by).await }) })
            .await?;
        if !open.is_empty() {
            tracing::info!(executions = open.len(), "going on with what a former process left behind");
        }
        let processor = Arc::new(Processor::new(
            store.clone(),
            claim.clone(),
            Arc::clone(&types),
            expressions.clone(),
            Outside::new(&options.outside),
        ));
        let stop = CancellationToken::new();
        let dispatcher = Arc::new(Dispatcher::new(store.clone(), processor, stop.clone()));
        dispatcher.start(options.parallel_workflows, open);
        let inner = Inner { store, claim, types, expressions, dispatcher, _stop: stop.drop_guard() };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// The claim under which executions are enqueued that this process runs at once through [`Engine::run`].
    pub fn claim(&self) -> ClaimedBy {
        self.inner.claim.clone()
    }

    /// Checks the type and configuration of a node before it is stored.
    ///
    /// # Errors
    ///
    /// [`EngineError::UnknownNodeType`], or [`EngineError::Invalid`] with a sentence such as `"collection" is required`.
    pub fn check_node(&self, node_type: &str, config: &Value) -> Result<(), EngineError> {
        self.inner.types.check(node_type, config, &self.inner.expressions)
    }

    /// The node types with the JSON Schema of their configuration.
    pub fn node_types(&self) -> Vec<NodeTypeInfo> {
        self.inner.types.infos()
    }

    /// Tells the dispatcher that these workflows have queued executions. A hint: what is missed is found by the sweep.
    pub fn wake(&self, workflows: &[WorkflowId]) {
        self.inner.dispatcher.wake(workflows);
    }

    /// Runs an execution claimed by [`Engine::claim`] until it ends or waits. It goes on if the caller goes away.
    ///
    /// # Errors
    ///
    /// [`EngineError::NotFound`] if there is nothing to run: it is gone, has ended, or waits for another one.
    pub async fn run(&self, id: ExecutionId) -> Result<Outcome, EngineError> {
        self.inner.dispatcher.run(id).await
    }

    /// Ends an execution that has not ended: aborted, with reason `manual_cancel`. A running one stops at its next node.
    ///
    /// # Errors
    ///
    /// [`EngineError::NotFound`]; [`StoreError::IllegalMove`] if it has ended.
    pub async fn cancel(&self, id: ExecutionId) -> Result<(), EngineError> {
        let finish = ExecutionFinish {
            status: ExecutionStatus::Aborted,
            reason: Some("manual_cancel".to_owned()),
            output: None,
        };
        let woken = self
            .inner
            .store
            .write(move |tx| -> BoxFuture<'_, Result<_, EngineError>> {
                Box::pin(async move {
                    if tx.execution_status(id).await?.is_none() {
                        return Err(EngineError::NotFound);
                    }
                    let woken = tx.finish(id, finish).await?;
                    tx.abort_jobs(id).await?;
                    Ok(woken)
                })
            })
            .await?;
        self.wake(&woken);
        Ok(())
    }

    /// Says that nothing is queued or running here: for tests and for draining.
    pub async fn idle(&self) {
        self.inner.dispatcher.quiet().await;
    }

    /// Takes no more work, waits for what runs (handing back what takes longer than `grace`), and stops.
    pub async fn shutdown(&self, grace: Duration) {
        self.inner.dispatcher.shut_down(grace).await;
    }
}
