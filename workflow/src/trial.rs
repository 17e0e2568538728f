//! Trying a node out: one run on given values, without a workflow, an execution or a job.
//!
//! What the node writes is taken back; what it reaches outside of the store is really reached.

use std::{convert::Infallible, sync::Arc, time::Duration};

use futures::future::BoxFuture;
use serde_json::{Value, json};
use store::{ExecutionId, JobStatus, NodeId, NodeRow, Record, Store, StoreError, Tx, WorkflowId};
use tokio::time::timeout;

use crate::{
    EngineError,
    expression::Expressions,
    nodes::{ELSEWHERE, Effect, Node, NodeError, NodeResult, Run, Work},
    outside::Outside,
    sources::Sources,
    variables::Scope,
};

/// Longest trial: somebody sits in front of it.
const LONGEST: Duration = Duration::from_secs(30);

/// A node to be tried out, with what its variables see.
#[derive(Debug, Clone, PartialEq)]
pub struct Trial {
    /// The name of its type.
    pub node_type: String,
    /// Its configuration.
    pub config: Value,
    /// What `$context` sees.
    pub context: Value,
    /// What `$jobsMapByNodeKey` sees.
    pub jobs: Record,
    /// What `$scopes` sees.
    pub scopes: Record,
}

/// What came of a trial.
#[derive(Debug, Clone, PartialEq)]
pub struct Tried {
    /// The state its job would have.
    pub status: JobStatus,
    /// The result its job would have.
    pub result: Value,
}

/// What a trial runs with.
pub(crate) struct Bench<'b> {
    pub(crate) store: &'b Store,
    pub(crate) expressions: &'b Expressions,
    pub(crate) outside: &'b Outside,
    pub(crate) sources: &'b dyn Sources,
}

/// How a write that is not meant ends.
enum Rehearsed {
    Done(NodeResult),
    Failed(NodeError),
}

impl From<StoreError> for Rehearsed {
    fn from(error: StoreError) -> Self {
        Self::Failed(error.into())
    }
}

impl Bench<'_> {
    /// Runs a node whose configuration has been checked.
    ///
    /// # Errors
    ///
    /// [`EngineError::Invalid`] for a node that means nothing without an execution; errors of the store that will pass.
    pub(crate) async fn run(&self, node: &dyn Node, trial: Trial) -> Result<Tried, EngineError> {
        if !node.stands_alone() {
            let message = format!("{} nodes cannot be tried out: they need an execution", trial.node_type);
            return Err(EngineError::Invalid(message));
        }
        let tried = match timeout(LONGEST, self.effect(node, trial)).await {
            Ok(Ok(Effect::Done(result))) => Ok(result),
            Ok(Ok(Effect::Write(work))) => rehearse(self.store, work).await,
            Ok(Ok(Effect::WriteElsewhere(store, work))) => rehearse(&store, work).await,
            Ok(Ok(Effect::Surround(_))) => Err(NodeError::Refused("the branches of a node are not tried out".into())),
            Ok(Err(error)) => Err(error),
            Err(_) => Err(NodeError::Refused(format!("the node took longer than {} seconds", LONGEST.as_secs()))),
        };
        match tried {
            Ok(result) => Ok(Tried { status: result.status, result: result.result }),
            Err(NodeError::Store(error)) if error.is_transient() => Err(error.into()),
            Err(error) => Ok(Tried { status: JobStatus::Error, result: json!({"message": error.to_string()}) }),
        }
    }

    async fn effect(&self, node: &dyn Node, trial: Trial) -> Result<Effect, NodeError> {
        let mut scope = Scope::new(trial.context, self.store.clock().now_ms());
        for (key, result) in trial.jobs {
            scope.add_job(&key, Arc::new(result));
        }
        for (key, variables) in trial.scopes {
            scope.set_surrounding(&key, Some(variables));
        }
        // A key of its own, so that nobody outside takes two trials for one.
        let key = format!("trial-{}", uuid::Uuid::new_v4());
        let row = NodeRow {
            id: NodeId(0),
            key,
            workflow_id: WorkflowId(0),
            title: None,
            node_type: trial.node_type,
            config: trial.config,
            upstream_id: None,
            branch_index: None,
            downstream_id: None,
        };
        let run = Run {
            reader: self.store,
            store: self.store,
            scope: &scope,
            expressions: self.expressions,
            outside: self.outside,
            sources: Some(self.sources),
            execution: ExecutionId(0),
            stack: &[],
            node: &row,
            rounds: &[],
            returns: &[],
        };
        node.run(&row.config, &run).await
    }
}

/// Writes, and takes it back.
async fn rehearse(store: &Store, work: Work) -> Result<NodeResult, NodeError> {
    let told = store
        .write(move |tx: &mut Tx| -> BoxFuture<'_, Result<Infallible, Rehearsed>> {
            Box::pin(async move {
                let job = match tx.is_further() {
                    true => Ok(ELSEWHERE),
                    false => tx.reserve_job_id().await,
                };
                let written = match job {
                    Ok(job) => work(tx, job).await,
                    Err(error) => Err(error.into()),
                };
                // The error is what makes the store take back what was written.
                Err(match written {
                    Ok(result) => Rehearsed::Done(result),
                    Err(error) => Rehearsed::Failed(error),
                })
            })
        })
        .await;
    match told {
        Err(Rehearsed::Done(result)) => Ok(result),
        Err(Rehearsed::Failed(error)) => Err(error),
    }
}
