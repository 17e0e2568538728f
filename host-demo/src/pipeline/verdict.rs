//! Runs the synchronous executions of a request in order and turns how they went into its answer.

use store::{ExecutionId, ExecutionStatus};
use workflow::{Engine, EngineError, Outcome};

use crate::http::error::ApiError;

/// Runs the executions one after the other until one does not resolve; answers with what they said.
///
/// # Errors
///
/// [`ApiError::Rejected`] from an end node, [`ApiError::WorkflowHangs`] for one that waits, [`ApiError::WorkflowFailed`]
/// for every other failure. What comes later in the chain is then gone: the store drops it when the execution ends.
pub(crate) async fn judge(engine: &Engine, chain: &[ExecutionId]) -> Result<Vec<String>, ApiError> {
    let mut messages = Vec::new();
    for id in chain {
        let outcome = match engine.run(*id).await {
            Ok(outcome) => outcome,
            // Ended from outside before its turn: nothing came of it.
            Err(EngineError::NotFound) => return Err(ApiError::WorkflowFailed),
            Err(error) => return Err(error.into()),
        };
        messages.extend(verdict(outcome)?);
    }
    Ok(messages)
}

fn verdict(outcome: Outcome) -> Result<Vec<String>, ApiError> {
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
            let outcome = Outcome { id: ExecutionId(1), status, messages: vec!["m".into()], ended_by_node };
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
