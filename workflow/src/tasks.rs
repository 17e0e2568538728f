//! What becomes of the decisions that people take.
//!
//! ```text
//! submit ─ is it theirs, open, allowed, and do the values fit? ─ task decided ─ enough decided? ─ the node says how its job ends
//! ```
//!
//! All of it happens in the transaction that also ends the job, so of several who decide at the same time each is counted
//! once and one of them decides. What nodes that others provide make of an answer is in `approval`. Any node type can give tasks: it stores them with its pending job, and says in
//! `NodeType::decided` what a verdict means. Who the assignee is, is asked for here; how they signed in is not known.

mod approval;

use jsonschema::Validator;
use serde_json::{Value, json};
use store::{
    Approval, ApprovalId, Decision, JobId, Record, StoreError, Submission, Task, TaskId, TaskStatus, Tx, UserId,
};

use crate::{
    EngineError,
    nodes::{NodeResult, NodeTypes, sentence},
    variables::holds_variable,
};

pub(crate) use approval::{Asking, begin, delegate, withdraw};

/// The form of a task: a JSON Schema that its values have to fit.
pub(crate) struct Form(Validator);

/// What the tasks of a job have come to.
pub(crate) struct Verdict {
    /// Whether the job is approved.
    pub(crate) decision: Decision,
    /// All its tasks, those without a decision included.
    pub(crate) tasks: Vec<Task>,
}

/// A job that its tasks have decided.
pub(crate) struct Decided {
    pub(crate) job: JobId,
    pub(crate) result: NodeResult,
}

impl Form {
    /// Reads a schema; the error is one sentence.
    pub(crate) fn read(schema: &Value) -> Result<Self, String> {
        jsonschema::validator_for(schema)
            .map(Self)
            .map_err(|error| format!("\"form\" is no JSON Schema: {}", error.to_string().replace('\n', " ")))
    }

    /// Checks a schema before its variables are resolved: one that has some may be anything.
    pub(crate) fn check_schema(schema: &Value) -> Result<(), String> {
        if has_variables(schema) { Ok(()) } else { Self::read(schema).map(drop) }
    }

    /// Checks values; the error is one sentence about the first mistake.
    fn check(&self, values: &Record) -> Result<(), String> {
        let values = Value::Object(values.clone());
        self.0.validate(&values).map_err(|error| sentence(&error, "values"))
    }
}

impl Verdict {
    /// What a job says about it: `{"action", "values", "decisions"}`. The values of those who decided that way, later ones
    /// over earlier ones; the decisions in the order in which they were taken.
    pub(crate) fn result(&self) -> Value {
        let action = self.decision.action();
        let mut decided: Vec<&Task> = self.tasks.iter().filter(|task| task.decided_at.is_some()).collect();
        decided.sort_by(|one, other| one.decided_at.cmp(&other.decided_at));
        let with_it = decided.iter().filter(|task| task.status == self.decision.task_status());
        let values: Record = with_it.flat_map(|task| task.values.clone()).collect();
        let decisions: Vec<Value> = decided
            .iter()
            .map(|task| {
                let action = if task.status == TaskStatus::Approved { "approve" } else { "reject" };
                json!({
                    "userId": task.user_id, "action": action, "values": task.values, "comment": task.comment,
                    "decidedAt": task.decided_at,
                })
            })
            .collect();
        json!({"action": action, "values": values, "decisions": decisions})
    }
}

/// Takes a decision of an assignee. Answers the job, if it is decided by that; the caller ends it in the same transaction.
///
/// # Errors
///
/// [`StoreError::NotFound`] if the user has no such task; [`StoreError::IllegalMove`] if it is decided or closed;
/// [`StoreError::Invalid`] (`UNKNOWN_TASK_ACTION`, `INVALID_VALUE`) for an action it does not have, and for values that do not fit its form.
pub(crate) async fn decide(
    tx: &mut Tx,
    types: &NodeTypes,
    user: UserId,
    id: TaskId,
    action: &str,
    submission: Submission,
) -> Result<Option<Decided>, EngineError> {
    let task = own(tx, user, id).await?;
    if !task.actions.iter().any(|allowed| allowed == action) {
        return Err(unknown_action(&task).into());
    }
    let (job, name) = approval::job_and_type(tx, task.job_id).await?;
    if types.get(&name).is_some_and(|node| node.provides()) {
        task.status.to(TaskStatus::Answered)?;
        let node = types.provided(&name)?;
        return approval::answer(tx, node.as_ref(), &task, job, action, submission).await;
    }
    let decision = match action {
        "approve" => Some(Decision::Approve),
        "reject" => Some(Decision::Reject),
        _ => None,
    };
    let Some(decision) = decision else { return Err(unknown_action(&task).into()) };
    task.status.to(decision.task_status())?;
    if decision == Decision::Approve {
        let fits = Form::read(&task.form).and_then(|form| form.check(&submission.values));
        fits.map_err(|message| StoreError::Invalid { code: "INVALID_VALUE", message })?;
    }
    let task = tx.decide_task(id, decision, submission).await?;
    let tasks = tx.tasks_of_job(task.job_id).await?;
    let Some(decision) = task.quorum.verdict(&tasks) else { return Ok(None) };
    let node = tx.node(job.node_id).await?.ok_or(EngineError::NotFound)?;
    let node_type = types.get(&node.node_type).ok_or_else(|| EngineError::UnknownNodeType(node.node_type.clone()))?;
    let result = node_type.decided(&node.config, &Verdict { decision, tasks });
    Ok(Some(Decided { job: job.id, result }))
}

/// Finds the open task of a user in an application of theirs, which was returned to them.
///
/// # Errors
///
/// [`StoreError::NotFound`] if the user has no such approval; [`StoreError::IllegalMove`] if it was not returned.
pub(crate) async fn returned(tx: &mut Tx, user: UserId, id: ApprovalId) -> Result<TaskId, EngineError> {
    let approval = own_approval(tx, user, id).await?;
    let tasks = tx.tasks_of_job(approval.job_id).await?;
    let theirs = tasks.iter().find(|task| {
        task.user_id == user && task.status == TaskStatus::Pending && task.actions.iter().any(|it| it == "resubmit")
    });
    let resubmitted =
        || StoreError::IllegalMove { what: "approval", from: approval.status.to_string(), to: "resubmitted".into() };
    Ok(theirs.ok_or_else(resubmitted)?.id)
}

fn unknown_action(task: &Task) -> StoreError {
    let message = format!("\"action\" must be one of {}", json!(task.actions));
    StoreError::Invalid { code: "UNKNOWN_TASK_ACTION", message }
}

fn has_variables(value: &Value) -> bool {
    match value {
        Value::Array(items) => items.iter().any(has_variables),
        Value::Object(members) => members.values().any(has_variables),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => holds_variable(value),
    }
}

/// Keeps what an assignee has filled in so far; it does not have to fit the form yet.
///
/// # Errors
///
/// Those of [`decide`] about the task.
pub(crate) async fn save_draft(tx: &mut Tx, user: UserId, id: TaskId, draft: Submission) -> Result<(), EngineError> {
    own(tx, user, id).await?;
    Ok(tx.save_task(id, draft).await.map(drop)?)
}

/// A task of the user, whose execution is held. That others have one of this id is not told.
async fn own(tx: &mut Tx, user: UserId, id: TaskId) -> Result<Task, EngineError> {
    let missing = || StoreError::NotFound { what: "task".into() };
    let task = tx.task(id).await?.filter(|task| task.user_id == user).ok_or_else(missing)?;
    tx.execution_status(task.execution_id).await?;
    Ok(tx.task(id).await?.ok_or_else(missing)?)
}

/// An approval that the user has applied for, whose execution is held.
async fn own_approval(tx: &mut Tx, user: UserId, id: ApprovalId) -> Result<Approval, EngineError> {
    let missing = || StoreError::NotFound { what: "approval".into() };
    let approval = tx.approval(id).await?.filter(|approval| approval.user_id == Some(user)).ok_or_else(missing)?;
    tx.execution_status(approval.execution_id).await?;
    Ok(tx.approval(id).await?.ok_or_else(missing)?)
}
