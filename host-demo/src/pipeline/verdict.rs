//! Runs the synchronous executions of a request in order and turns how they went into its answer.

use std::sync::Arc;

use store::{ExecutionId, ExecutionStatus};
use workflow::{Engine, EngineError, Outcome};

use super::{asker::Curiosity, explain::Considered, post_action::Queued};
use crate::{
    host::Host,
    http::{
        answer::{Answer, Reply},
        error::ApiError,
    },
};

/// What a transaction did.
pub(super) struct Done {
    /// What the action itself answers.
    pub(super) answer: Answer,
    /// What it started.
    pub(super) queued: Queued,
    /// What was thought about it.
    pub(super) considered: Vec<Considered>,
}

/// Answers for what was committed, once the synchronous executions have had their say; `messages` were said before.
///
/// # Errors
///
/// The verdict of the first of them that does not resolve.
pub(super) async fn conclude(
    host: &Arc<Host>,
    done: Done,
    mut messages: Vec<String>,
    curiosity: Curiosity,
) -> Result<Reply, ApiError> {
    if !done.queued.event_key.is_empty() {
        tracing::Span::current().record("event", &done.queued.event_key);
    }
    let explain = curiosity.told(done.considered);
    match judge(&host.engine, &done.queued.chain).await {
        Ok(said) => messages.extend(said),
        Err(error) => return Err(error.explained(explain.unwrap_or_default())),
    }
    if !done.queued.background.is_empty() {
        host.engine.wake(&done.queued.background);
    }
    Ok(Reply { answer: done.answer, messages, explain })
}

/// Runs the executions one after the other until one does not resolve; answers with what they said.
///
/// # Errors
///
/// Those of [`run`] and [`verdict`]. What comes later in the chain is then gone: the store drops it when the execution ends.
async fn judge(engine: &Engine, chain: &[ExecutionId]) -> Result<Vec<String>, ApiError> {
    let mut messages = Vec::new();
    for id in chain {
        messages.extend(verdict(run(engine, *id).await?)?);
    }
    Ok(messages)
}

/// Runs one execution.
///
/// # Errors
///
/// [`ApiError::WorkflowFailed`] if it was ended from outside before its turn: nothing came of it.
pub(super) async fn run(engine: &Engine, id: ExecutionId) -> Result<Outcome, ApiError> {
    match engine.run(id).await {
        Ok(outcome) => Ok(outcome),
        Err(EngineError::NotFound) => Err(ApiError::WorkflowFailed),
        Err(error) => Err(error.into()),
    }
}

/// What an execution that resolved has said.
///
/// # Errors
///
/// [`ApiError::Rejected`] from an end node, [`ApiError::WorkflowHangs`] for one that waits, [`ApiError::WorkflowFailed`]
/// for every other failure.
pub(super) fn verdict(outcome: Outcome) -> Result<Vec<String>, ApiError> {
    match (outcome.status, outcome.ended_by_node) {
        (ExecutionStatus::Resolved, _) => Ok(outcome.messages),
        (ExecutionStatus::Failed, true) => Err(ApiError::Rejected { messages: outcome.messages }),
        (ExecutionStatus::Queued | ExecutionStatus::Started, _) => Err(ApiError::WorkflowHangs),
        (
            ExecutionStatus::Failed
            | ExecutionStatus::Error
            | ExecutionStatus::Aborted
            | ExecutionStatus::Canceled
            | ExecutionStatus::Rejected
            | ExecutionStatus::RetryNeeded,
            _,
        ) => Err(ApiError::WorkflowFailed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn verdicts() {
        let check = |status, ended_by_node, want: &str| {
            let messages = vec!["m".into()];
            let outcome = Outcome { id: ExecutionId(1), status, messages, ended_by_node, output: None };
            let got = match verdict(outcome) {
                Ok(messages) => messages.join(","),
                Err(ApiError::Rejected { messages }) => format!("rejected {}", messages.join(",")),
                Err(error) => error.status().as_u16().to_string() + " " + &error.to_string()[24..29],
            };
            assert_eq!(got, want, "{status:?} {ended_by_node}");
        };
        check(ExecutionStatus::Resolved, false, "m");
        check(ExecutionStatus::Resolved, true, "m");
        check(ExecutionStatus::Failed, true, "rejected m");
        check(ExecutionStatus::Failed, false, "500 faile");
        check(ExecutionStatus::Error, false, "500 faile");
        check(ExecutionStatus::Aborted, false, "500 faile");
        check(ExecutionStatus::Started, false, "500 hangs");
    }
}
