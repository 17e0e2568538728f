//! Approvals: what the steps of a provided node do to its job, and what people do to their tasks beside deciding them.
//!
//! ```text
//! begin ─ approval, tasks ─┬─ answer ────┬─ step ─ more tasks, or the job ends
//!                          ├─ withdraw ──┘
//!                          └─ delegate ─ another's task in place of this one
//! ```
//!
//! What a node was configured to when it began stands in the result of its pending job: later steps see the same, whatever has
//! happened to the variables since.

use serde_json::{Value, json};
use store::{
    ApprovalId, ApprovalStatus, ExecutionId, Job, JobId, JobStatus, NewApproval, NewTasks, NodeId, Quorum, Record,
    StoreError, Submission, Task, TaskId, TaskStatus, Tx, UserId, WorkflowId, WriteOptions,
};

use super::{Decided, Form, own, own_approval, unknown_action};
use crate::{
    EngineError,
    nodes::{NodeError, NodeResult, NodeTypes, Users, find_people},
    provided::{Asked, NextStep, Progress, ProvidedError, ProvidedNode},
};

/// The names of the answers that a task may have.
const ANSWERS: [(&str, TaskStatus); 5] = [
    ("approve", TaskStatus::Approved),
    ("reject", TaskStatus::Rejected),
    ("return", TaskStatus::Answered),
    ("resubmit", TaskStatus::Answered),
    ("withdraw", TaskStatus::Answered),
];
const DELEGATE: &str = "delegate";
const WITHDRAW: &str = "withdraw";

/// The job that asks.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asking {
    pub(crate) workflow: WorkflowId,
    pub(crate) execution: ExecutionId,
    pub(crate) node: NodeId,
    pub(crate) job: JobId,
}

/// Begins to ask, for a job that is stored in the same transaction.
pub(crate) async fn begin(
    tx: &mut Tx,
    asking: Asking,
    node: &dyn ProvidedNode,
    config: Value,
    applicant: Option<UserId>,
) -> Result<NodeResult, NodeError> {
    let meant = node.people(&config)?;
    let people = find_people(tx, &Users::new(meant.users), &meant.roles).await?;
    let people: Vec<UserId> = people.into_iter().map(|person| person.id).collect();
    let pending = json!({"assignees": people, "applicant": applicant, "config": config});
    let progress = Progress { people, applicant, tasks: Vec::new(), withdraws: false };
    let step = node.step(&config, &progress)?;
    let title = match &step {
        NextStep::Wait { ask, .. } => ask.first().map(|asked| asked.title.clone()),
        NextStep::End { .. } => None,
    };
    tx.create_approval(NewApproval {
        workflow_id: asking.workflow,
        execution_id: asking.execution,
        node_id: asking.node,
        job_id: asking.job,
        user_id: applicant,
        title: title.unwrap_or_default(),
    })
    .await?;
    let ended = carry_out(tx, asking, step).await?;
    Ok(ended.unwrap_or_else(|| NodeResult::ended(JobStatus::Pending, pending)))
}

/// Takes an answer to a task of the user.
pub(super) async fn answer(
    tx: &mut Tx,
    node: &dyn ProvidedNode,
    task: &Task,
    job: Job,
    action: &str,
    submission: Submission,
) -> Result<Option<Decided>, EngineError> {
    let status = ANSWERS.iter().find(|(name, _)| *name == action).map(|(_, status)| *status);
    let Some(status) = status else {
        let message = format!("\"{action}\" is no answer; to delegate, use the action of this name");
        return Err(StoreError::Invalid { code: "UNKNOWN_TASK_ACTION", message }.into());
    };
    task.status.to(status)?;
    if matches!(action, "approve" | "resubmit") {
        let fits = Form::read(&task.form).and_then(|form| form.check(&submission.values));
        fits.map_err(|message| StoreError::Invalid { code: "INVALID_VALUE", message })?;
    }
    tx.answer_task(task.id, action, status, submission).await?;
    go_on(tx, node, job, false).await
}

/// Gives a task of the user to another one, who answers in its place.
///
/// # Errors
///
/// Those of [`super::decide`] about the task; [`StoreError::Invalid`] (`UNKNOWN_USER`, `ALREADY_ASKED`).
pub(crate) async fn delegate(
    tx: &mut Tx,
    user: UserId,
    id: TaskId,
    to: UserId,
    comment: Option<String>,
) -> Result<(), EngineError> {
    let task = own(tx, user, id).await?;
    if !task.actions.iter().any(|allowed| allowed == DELEGATE) {
        return Err(unknown_action(&task).into());
    }
    task.status.to(TaskStatus::Answered)?;
    let invalid = |code: &'static str, message: String| EngineError::from(StoreError::Invalid { code, message });
    let there = find_people(tx, &Users::new(json!(to)), &[]).await;
    there.map_err(|error| match error {
        NodeError::Refused(message) => invalid("UNKNOWN_USER", message),
        other => other.into(),
    })?;
    let asked = tx.tasks_of_job(task.job_id).await?;
    if asked.iter().any(|other| other.user_id == to && other.round == task.round) {
        return Err(invalid("ALREADY_ASKED", format!("the user {to} is asked already")));
    }
    tx.answer_task(id, DELEGATE, TaskStatus::Answered, Submission { values: Record::new(), comment }).await?;
    let title = tx.give_in_place(id, to).await?;
    Ok(notify(tx, &[to], &title).await?)
}

/// Takes an application back for its applicant.
///
/// # Errors
///
/// [`StoreError::NotFound`] if the user has no such approval; [`StoreError::IllegalMove`] if it is over; what the node says.
pub(crate) async fn withdraw(
    tx: &mut Tx,
    types: &NodeTypes,
    user: UserId,
    id: ApprovalId,
    comment: Option<String>,
) -> Result<Option<Decided>, EngineError> {
    let approval = own_approval(tx, user, id).await?;
    let (job, node_type) = job_and_type(tx, approval.job_id).await?;
    if !approval.status.is_open() || job.status != JobStatus::Pending {
        let (from, to) = (approval.status.to_string(), ApprovalStatus::Withdrawn.to_string());
        return Err(StoreError::IllegalMove { what: "approval", from, to }.into());
    }
    let node = types.provided(&node_type)?;
    let decided = go_on(tx, node.as_ref(), job, true).await?;
    if decided.is_none() {
        return Err(EngineError::Fault(format!("a {node_type} node goes on asking for what was withdrawn")));
    }
    // So that the history tells it like every other answer.
    let round = tx.tasks_of_job(approval.job_id).await?.iter().map(|task| task.round).max().unwrap_or(1);
    let told = NewTasks {
        workflow_id: approval.workflow_id,
        execution_id: approval.execution_id,
        node_id: approval.node_id,
        job_id: approval.job_id,
        assignees: vec![user],
        title: approval.title,
        description: String::new(),
        form: json!({}),
        actions: vec![WITHDRAW.to_owned()],
        quorum: Quorum { approvals: 0, rejections: 0 },
        round,
    };
    for id in tx.create_tasks(told).await? {
        let said = Submission { values: Record::new(), comment: comment.clone() };
        tx.answer_task(id, WITHDRAW, TaskStatus::Answered, said).await?;
    }
    Ok(decided)
}

/// A job that waits, with the name of its node's type.
pub(super) async fn job_and_type(tx: &mut Tx, id: JobId) -> Result<(Job, String), EngineError> {
    let job = tx.job(id).await?.ok_or(EngineError::NotFound)?;
    let node = tx.node(job.node_id).await?.ok_or(EngineError::NotFound)?;
    Ok((job, node.node_type))
}

/// Asks a node what is next for its job, and does it.
async fn go_on(
    tx: &mut Tx,
    node: &dyn ProvidedNode,
    job: Job,
    withdraws: bool,
) -> Result<Option<Decided>, EngineError> {
    let mut tasks = tx.tasks_of_job(job.id).await?;
    tasks.retain(|task| task.action.as_deref() != Some(DELEGATE));
    let user = |value: &Value| value.as_i64().map(UserId);
    let progress = Progress {
        people: job.result["assignees"].as_array().into_iter().flatten().filter_map(user).collect(),
        applicant: user(&job.result["applicant"]),
        tasks,
        withdraws,
    };
    let step = node.step(&job.result["config"], &progress)?;
    let execution = tx.execution(job.execution_id).await?.ok_or(EngineError::NotFound)?;
    let asking =
        Asking { workflow: execution.workflow_id, execution: job.execution_id, node: job.node_id, job: job.id };
    // What a step says that makes no sense is the node's fault: who has answered did nothing wrong.
    let ended = carry_out(tx, asking, step).await.map_err(|error| match error {
        NodeError::Refused(message) => EngineError::Fault(message),
        other => other.into(),
    })?;
    Ok(ended.map(|result| Decided { job: job.id, result }))
}

/// Does what a step says. Answers how the job ends, if it does.
async fn carry_out(tx: &mut Tx, asking: Asking, step: NextStep) -> Result<Option<NodeResult>, NodeError> {
    match step {
        NextStep::Wait { status, close, ask } => {
            if close {
                tx.close_tasks_of_job(asking.job).await?;
            }
            for asked in ask {
                give(tx, asking, asked).await?;
            }
            let tasks = tx.tasks_of_job(asking.job).await?;
            if !tasks.iter().any(|task| task.status == TaskStatus::Pending) {
                return Err(NodeError::Refused("the node waits, and nobody is asked".into()));
            }
            tx.set_approval_status(asking.job, status).await?;
            Ok(None)
        }
        NextStep::End { status, job, mut result, branch } => {
            let Value::Object(members) = &mut result else {
                return Err(NodeError::Refused("the node ends with a result that is no object".into()));
            };
            if let Some(branch) = branch {
                members.insert("branch".into(), branch.into());
            }
            // What ends with tasks open counts as closed from outside.
            tx.close_tasks_of_job(asking.job).await?;
            tx.set_approval_status(asking.job, status).await?;
            Ok(Some(NodeResult::ended(job, result)))
        }
    }
}

async fn give(tx: &mut Tx, asking: Asking, asked: Asked) -> Result<(), NodeError> {
    let form = Value::Object(asked.form);
    Form::read(&form).map_err(NodeError::Refused)?;
    if asked.actions.is_empty() {
        return Err(NodeError::Refused("the node gives a task that cannot be answered".into()));
    }
    if !asked.users.is_empty() {
        find_people(tx, &Users::new(json!(asked.users)), &[]).await?;
    }
    notify(tx, &asked.users, &asked.title).await?;
    tx.create_tasks(NewTasks {
        workflow_id: asking.workflow,
        execution_id: asking.execution,
        node_id: asking.node,
        job_id: asking.job,
        assignees: asked.users,
        title: asked.title,
        description: asked.description,
        form,
        actions: asked.actions,
        quorum: Quorum { approvals: asked.decisive.0, rejections: asked.decisive.1 },
        round: asked.round,
    })
    .await?;
    Ok(())
}

/// Tells people inside the application that they have a task.
async fn notify(tx: &mut Tx, users: &[UserId], title: &str) -> Result<(), StoreError> {
    let notifications = tx.schema().collection("notifications")?.clone();
    for user in users {
        let mut values = Record::new();
        values.insert("userId".into(), user.0.into());
        values.insert("title".into(), title.into());
        tx.create(&notifications, values, &WriteOptions::default()).await?;
    }
    Ok(())
}

impl From<ProvidedError> for NodeError {
    fn from(error: ProvidedError) -> Self {
        Self::Refused(error.to_string())
    }
}

impl From<ProvidedError> for EngineError {
    fn from(error: ProvidedError) -> Self {
        match error {
            ProvidedError::Refused(message) => StoreError::Invalid { code: "NOT_POSSIBLE", message }.into(),
            // Its executions wait for whoever provides it to come back.
            ProvidedError::Unknown(name) => Self::Unavailable(format!(
                "nobody offers \"{name}\" nodes now: nothing was done, please try again later"
            )),
            ProvidedError::Unavailable(message) => Self::Unavailable(message),
            ProvidedError::Fault(message) => Self::Fault(message),
        }
    }
}
