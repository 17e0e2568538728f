//! The loop guard: a workflow must not set itself off for ever.

use store::{Conn, ExecutionId, StoreError, WorkflowRow};

/// Executions of one workflow that may be nested in each other, unless its options say otherwise.
const DEFAULT_STACK_LIMIT: u64 = 1;

/// Says whether an execution of `workflow` may be enqueued: the executions that lead to it (`stack`) hold fewer than
/// `options.stackLimit` of the same workflow, whatever their version.
///
/// # Errors
///
/// Database errors.
pub async fn admits(conn: &mut Conn, workflow: &WorkflowRow, stack: &[ExecutionId]) -> Result<bool, StoreError> {
    if stack.is_empty() {
        return Ok(true);
    }
    let limit = workflow.options.get("stackLimit").and_then(serde_json::Value::as_u64).unwrap_or(DEFAULT_STACK_LIMIT);
    Ok(conn.executions_of_key(stack, &workflow.key).await? < limit.max(1))
}
