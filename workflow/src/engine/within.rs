//! Executions that are part of somebody's transaction.

use std::sync::Arc;

use serde_json::Value;
use store::{Conn, ExecutionId, NodeRow, Tx, WorkflowId};

use super::Engine;
use crate::{EngineError, Outcome, processor::not_within};

impl Engine {
    /// Runs an execution that was stored in this transaction, claimed by [`Engine::claim`], as part of it: what it does is stored
    /// with the rest, or not at all. Nodes that wait or reach outside of the store are refused, and so is one that would begin
    /// after two seconds: their jobs end as errors. Workflows that have work because of it are woken after the commit.
    ///
    /// # Errors
    ///
    /// [`EngineError::NotFound`] if there is nothing to run. After any error the transaction must not be committed.
    pub async fn run_within(&self, tx: &mut Tx, id: ExecutionId) -> Result<Outcome, EngineError> {
        let processor = self.inner.dispatcher.processor();
        let ran = processor.run_within(tx, id).await?.ok_or(EngineError::NotFound)?;
        let (inner, woken) = (Arc::downgrade(&self.inner), ran.woken);
        if !woken.is_empty() {
            tx.afterwards(move || {
                if let Some(inner) = inner.upgrade() {
                    inner.dispatcher.wake(&woken);
                }
            });
        }
        Ok(ran.outcome)
    }

    /// Says in a sentence why a node cannot be part of what [`Engine::run_within`] runs; `None` if it can.
    pub fn obstacle_within(&self, node_type: &str, config: &Value) -> Option<String> {
        let unfit = self.inner.types.get(node_type).is_some_and(|node| !node.runs_within(config));
        unfit.then(|| not_within(node_type))
    }

    /// The same, for the first such node of a workflow version.
    ///
    /// # Errors
    ///
    /// Database errors.
    pub async fn obstacles_within(&self, conn: &mut Conn, workflow: WorkflowId) -> Result<Option<String>, EngineError> {
        let nodes = conn.nodes(workflow).await?;
        let obstacle = |row: &NodeRow| {
            let name = row.title.as_deref().filter(|title| !title.is_empty()).unwrap_or(&row.key);
            self.obstacle_within(&row.node_type, &row.config).map(|obstacle| format!("\"{name}\": {obstacle}"))
        };
        Ok(nodes.iter().find_map(obstacle))
    }
}
