//! How executions end: the one place that decides whether a failed one is run again or kept as a dead letter.

use serde_json::Value;
use store::{ExecutionFinish, ExecutionId, ExecutionStatus, StoreError, Tx, WorkflowId};

use crate::WorkflowOptions;

/// Why an execution was ended from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reason {
    /// A person said so; it is not run again.
    ManualCancel,
    /// Its time was over.
    Timeout,
    /// It broke whoever ran it, again and again; it is a dead letter.
    Poison,
}

impl Reason {
    fn text(self) -> &'static str {
        match self {
            Self::ManualCancel => "manual_cancel",
            Self::Timeout => "timeout",
            Self::Poison => "poison",
        }
    }

    fn status(self) -> ExecutionStatus {
        match self {
            Self::ManualCancel | Self::Timeout => ExecutionStatus::Aborted,
            Self::Poison => ExecutionStatus::Error,
        }
    }
}

/// Ends an execution whose nodes have come to an end. Answers the workflow versions that have work now because of it.
pub(crate) async fn end(
    tx: &mut Tx,
    id: ExecutionId,
    status: ExecutionStatus,
    output: Option<Value>,
) -> Result<Vec<WorkflowId>, StoreError> {
    if status != ExecutionStatus::Resolved {
        try_again(tx, id, status).await?;
    }
    tx.finish(id, ExecutionFinish { status, reason: None, output }).await
}

/// Ends an execution from outside, with the jobs it waits for and the executions that those wait for. Answers the workflow
/// versions that have work now because of it.
pub(crate) async fn abort(tx: &mut Tx, id: ExecutionId, reason: Reason) -> Result<Vec<WorkflowId>, StoreError> {
    let status = reason.status();
    match reason {
        Reason::ManualCancel => {}
        Reason::Timeout => try_again(tx, id, status).await?,
        Reason::Poison => tx.bury(id).await?,
    }
    let finish = ExecutionFinish { status, reason: Some(reason.text().to_owned()), output: None };
    // The jobs are still there now; the execution may be one that is not kept.
    let mut woken = tx.abort_jobs(id).await?;
    woken.extend(tx.finish(id, finish).await?);
    Ok(woken)
}

/// Stores the next attempt of a failed execution, or keeps it as a dead letter if there is none left.
async fn try_again(tx: &mut Tx, id: ExecutionId, status: ExecutionStatus) -> Result<(), StoreError> {
    let Some(retryable) = tx.retryable(id).await? else { return Ok(()) };
    // Options are checked when they are stored; what an earlier version has stored is no policy.
    let policy = WorkflowOptions::parse(&retryable.options).ok().and_then(|options| options.retry);
    let Some(policy) = policy.filter(|policy| policy.on.contains(&status)) else { return Ok(()) };
    match policy.delay(retryable.attempt.unsigned_abs()) {
        Some(delay) => {
            let delay_ms = i64::try_from(delay.as_millis()).unwrap_or(i64::MAX);
            let not_before_ms = tx.clock_ms().saturating_add(delay_ms);
            tx.repeat(id, retryable.attempt + 1, Some(not_before_ms)).await.map(drop)
        }
        None => tx.bury(id).await,
    }
}
