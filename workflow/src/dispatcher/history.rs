//! The caretaker of the history: deletes in the background what workflows keep no longer, and what destroyed ones have left
//! behind. Several processes may do so at once; what is gone is gone.

use std::time::Duration;

use futures::future::BoxFuture;
use store::{ExecutionId, ExecutionStatus, StoreError, WorkflowId, executions::EXECUTIONS_PER_BATCH};

use super::Dispatcher;
use crate::WorkflowOptions;

/// Between two looks: history is outdated by minutes and days, and each look reads through what is kept.
const PAUSE: Duration = Duration::from_secs(30);

impl Dispatcher {
    /// Looks after the history from time to time, until told to stop.
    pub(super) async fn look_after_history(&self) {
        loop {
            let looked = tokio::select! {
                biased;
                () = self.draining.cancelled() => return,
                looked = self.look_once() => looked,
            };
            match looked {
                Ok(()) => {}
                Err(StoreError::Closed) => return,
                Err(error) => {
                    tracing::warn!(error = &error as &dyn std::error::Error, "the history could not be looked after");
                }
            }
            tokio::select! {
                () = self.draining.cancelled() => return,
                () = tokio::time::sleep(PAUSE) => {}
            }
        }
    }

    async fn look_once(&self) -> Result<(), StoreError> {
        let mut conn = self.store.read().await?;
        let (remains, forgetful) = (conn.workflow_remains().await?, conn.workflows_that_forget().await?);
        drop(conn);
        for workflow in remains {
            while self.delete_remains(workflow).await? {}
        }
        let now_ms = self.store.clock().now_ms();
        for (workflow, options) in forgetful {
            // Options are checked when they are stored; what an earlier version has stored deletes nothing.
            let Ok(options) = WorkflowOptions::parse(&options) else { continue };
            let age_ms = |age: Duration| i64::try_from(age.as_millis()).unwrap_or(i64::MAX);
            let before: Vec<(ExecutionStatus, i64)> =
                options.keep_for.iter().map(|(status, age)| (*status, now_ms.saturating_sub(age_ms(*age)))).collect();
            self.forget(workflow, &before).await?;
        }
        Ok(())
    }

    async fn forget(&self, workflow: WorkflowId, before: &[(ExecutionStatus, i64)]) -> Result<(), StoreError> {
        let mut behind = Some(ExecutionId(0));
        while let Some(id) = behind {
            let page = self.store.read().await?.history(workflow, id, before, EXECUTIONS_PER_BATCH).await?;
            if !page.outdated.is_empty() {
                self.store
                    .write(move |tx| -> BoxFuture<'_, Result<u64, StoreError>> {
                        Box::pin(async move { tx.delete_ended(&page.outdated).await })
                    })
                    .await?;
            }
            behind = page.next;
        }
        Ok(())
    }

    async fn delete_remains(&self, workflow: WorkflowId) -> Result<bool, StoreError> {
        self.store
            .write(move |tx| -> BoxFuture<'_, Result<bool, StoreError>> {
                Box::pin(async move { tx.delete_remains(workflow, EXECUTIONS_PER_BATCH).await })
            })
            .await
    }
}
