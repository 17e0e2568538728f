//! Runs a synchronous execution within the transaction of the change that starts it, and says whether the change stands.
//!
//! If it does not, the execution and its jobs are undone with the change: what is left of them is the answer, a line in the log
//! and a count.

use std::time::{Duration, Instant};

use store::{ExecutionId, ExecutionStatus, JobStatus, NewExecution, StoreError, Tx, WorkflowRow};
use workflow::{Engine, EngineError, Outcome};

/// How many executions may run in each other within one transaction: deeper than anybody means, less than a thread's stack holds.
const NESTED_MAX: usize = 8;

/// How long the executions of one change may take together. Everybody else who writes waits for them.
const LONGEST: Duration = Duration::from_secs(5);

/// Stores and runs executions, one after the other.
///
/// # Errors
///
/// [`StoreError::Refused`] from one that an end node ends as failed; [`StoreError::Broken`] from one that fails in another way, and
/// when all of them take too long; database errors. The change must not be committed then.
pub(super) async fn run_all(
    engine: &Engine,
    tx: &mut Tx,
    executions: Vec<(WorkflowRow, NewExecution)>,
) -> Result<(), StoreError> {
    let begun = Instant::now();
    for (workflow, execution) in executions {
        if begun.elapsed() > LONGEST {
            let problem = format!("the workflows of one change took more than {} seconds", LONGEST.as_secs());
            return Err(broken(&workflow, &problem));
        }
        run(engine, tx, &workflow, execution).await?;
    }
    Ok(())
}

async fn run(engine: &Engine, tx: &mut Tx, workflow: &WorkflowRow, execution: NewExecution) -> Result<(), StoreError> {
    if tx.depth() >= NESTED_MAX {
        let problem = format!("more than {NESTED_MAX} workflows started each other within one transaction");
        return Err(broken(workflow, &problem));
    }
    let execution = NewExecution { claimed_by: Some(engine.claim()), ..execution };
    let id = tx.enqueue(vec![execution]).await?.pop().ok_or_else(|| broken(workflow, "nothing was stored"))?;
    let Outcome { status, ended_by_node, messages, .. } = match engine.run_within(tx, id).await {
        Ok(outcome) => outcome,
        Err(EngineError::Store(error)) => return Err(error),
        Err(error) => return Err(broken(workflow, &error.to_string())),
    };
    match (status, ended_by_node) {
        (ExecutionStatus::Resolved, _) => Ok(()),
        (ExecutionStatus::Failed, true) => {
            count("refused");
            tracing::info!(workflow = %workflow.id, key = workflow.key, ?messages, "a workflow refused a change");
            Err(StoreError::Refused { messages })
        }
        (
            ExecutionStatus::Queued
            | ExecutionStatus::Started
            | ExecutionStatus::Failed
            | ExecutionStatus::Error
            | ExecutionStatus::Aborted
            | ExecutionStatus::Canceled
            | ExecutionStatus::Rejected
            | ExecutionStatus::RetryNeeded,
            _,
        ) => {
            let problem = culprit(tx, id).await?.unwrap_or_else(|| format!("it ended as {status}"));
            Err(broken(workflow, &problem))
        }
    }
}

/// The last job that did not resolve, which is about to be undone.
async fn culprit(tx: &mut Tx, id: ExecutionId) -> Result<Option<String>, StoreError> {
    let job = tx.jobs(id).await?.into_iter().rfind(|job| job.status != JobStatus::Resolved);
    Ok(job.map(|job| format!("node \"{}\" ended as {}: {}", job.node_key, job.status, job.result)))
}

fn broken(workflow: &WorkflowRow, problem: &str) -> StoreError {
    count("broken");
    tracing::error!(workflow = %workflow.id, key = workflow.key, problem, "a change was undone: its workflow broke down");
    StoreError::Broken { who: format!("workflow \"{}\"", workflow.key) }
}

fn count(verdict: &'static str) {
    metrics::counter!("record_changes_undone_total", "verdict" => verdict).increment(1);
}
