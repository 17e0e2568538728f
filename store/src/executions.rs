//! The executions table, which is the queue: there is no other list of pending work.
//!
//! An execution is inserted in the transaction of the action that triggers it. It is claimed by one process at a time.
//! One that `waits_for` another cannot be claimed until that one is resolved, and disappears if that one ends otherwise:
//! so a failing synchronous workflow stops the rest of its chain, whatever happens to the process in between.

use serde_json::Value;

use crate::{
    db::{Conn, Tx},
    error::StoreError,
    id::{ExecutionId, WorkflowId},
    status::ExecutionStatus,
};

/// Names the process that holds a claim; a new one at every start.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ClaimedBy(pub String);

/// An execution as the engine sees it.
#[derive(Debug, Clone, PartialEq)]
pub struct Execution {
    /// The execution.
    pub id: ExecutionId,
    /// The workflow version it runs.
    pub workflow_id: WorkflowId,
    /// Its state.
    pub status: ExecutionStatus,
    /// The trigger's context: `data`, `user`, `roleName`.
    pub context: Value,
    /// The executions that led to this one, outermost first.
    pub stack: Vec<ExecutionId>,
    /// Whether a person started it by hand.
    pub manually: bool,
}

/// An execution to be stored.
#[derive(Debug, Clone, PartialEq)]
pub struct NewExecution {
    /// The workflow version to run.
    pub workflow_id: WorkflowId,
    /// Its key.
    pub key: String,
    /// The trigger's context.
    pub context: Value,
    /// One per action, shared by all executions it starts (a UUID).
    pub event_key: String,
    /// The process that will run it at once; `None` leaves it to any dispatcher.
    pub claimed_by: Option<ClaimedBy>,
    /// The synchronous execution that has to be resolved first.
    pub waits_for: Option<ExecutionId>,
    /// The executions that led to this one.
    pub stack: Vec<ExecutionId>,
    /// Whether a person started it by hand.
    pub manually: bool,
}

/// How an execution ends.
#[derive(Debug, Clone, PartialEq)]
pub struct ExecutionFinish {
    /// A final state.
    pub status: ExecutionStatus,
    /// Why, for `aborted` and the like: `manual_cancel`, `timeout`.
    pub reason: Option<String>,
    /// The workflow's output, if it has one.
    pub output: Option<Value>,
}

impl Conn {
    /// Reads one execution.
    pub async fn execution(&mut self, id: ExecutionId) -> Result<Option<Execution>, StoreError> {
        let _ = id;
        todo!()
    }

    /// The workflow versions that have executions a dispatcher may claim.
    pub async fn workflows_with_queued(&mut self) -> Result<Vec<WorkflowId>, StoreError> {
        todo!()
    }

    /// The unclaimed, started executions that have a job whose time has come, at most `limit`, with the earliest moment
    /// (milliseconds since 1970) at which a further job falls due.
    pub async fn due_executions(
        &mut self,
        now_ms: i64,
        limit: u32,
    ) -> Result<(Vec<ExecutionId>, Option<i64>), StoreError> {
        let _ = (now_ms, limit);
        todo!()
    }
}

impl Tx {
    /// Stores executions in the order given (their ids rise), and counts them in their workflows.
    pub async fn enqueue(&mut self, executions: Vec<NewExecution>) -> Result<Vec<ExecutionId>, StoreError> {
        let _ = executions;
        todo!()
    }

    /// Claims the oldest queued execution of a workflow and starts it.
    pub async fn claim_next(&mut self, workflow: WorkflowId, by: &ClaimedBy) -> Result<Option<Execution>, StoreError> {
        let _ = (workflow, by);
        todo!()
    }

    /// Starts a queued execution that `by` holds already, or takes up a waiting one again; `None` if somebody else has
    /// it, it has ended, or it is gone.
    pub async fn claim(&mut self, id: ExecutionId, by: &ClaimedBy) -> Result<Option<Execution>, StoreError> {
        let _ = (id, by);
        todo!()
    }

    /// Gives up the claim of an execution that waits for a job.
    pub async fn release(&mut self, id: ExecutionId) -> Result<(), StoreError> {
        let _ = id;
        todo!()
    }

    /// Ends an execution; its chain goes on if it is resolved, and is deleted otherwise. Answers the workflow versions
    /// that have work now because of it.
    pub async fn finish(&mut self, id: ExecutionId, finish: ExecutionFinish) -> Result<Vec<WorkflowId>, StoreError> {
        let _ = (id, finish);
        todo!()
    }

    /// Deletes the queued executions that wait for this one: the chain of a synchronous execution that is left waiting.
    pub async fn drop_chain(&mut self, id: ExecutionId) -> Result<(), StoreError> {
        let _ = id;
        todo!()
    }

    /// Takes back the claims of processes that are gone: every claim that is not `by`'s. Answers the started executions
    /// among them that do not wait for a job, which have to be gone on with.
    pub async fn recover(&mut self, by: &ClaimedBy) -> Result<Vec<ExecutionId>, StoreError> {
        let _ = by;
        todo!()
    }
}
