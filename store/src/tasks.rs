//! Tasks: what people are asked to decide before an execution goes on.
//!
//! A manual node stores one task for each assignee, in the transaction that stores its pending job. A task is decided once,
//! by its assignee; it is closed with its job, so that no open task ever belongs to a job that has ended. Who may decide is
//! not known here.

mod decision;

use serde_json::Value;

pub use self::decision::{Decision, Quorum, TaskStatus};
use crate::{
    Record,
    db::{Conn, Row, Tx},
    error::StoreError,
    id::{ExecutionId, JobId, NodeId, TaskId, UserId, WorkflowId},
};

/// A task as the engine sees it.
#[derive(Debug, Clone, PartialEq)]
pub struct Task {
    /// The task.
    pub id: TaskId,
    /// The execution that waits for it.
    pub execution_id: ExecutionId,
    /// The job that waits for it.
    pub job_id: JobId,
    /// Who is to decide.
    pub user_id: UserId,
    /// The JSON Schema of the values that come with an approval; `{}` takes any.
    pub form: Value,
    /// The actions the assignee may take, by name.
    pub actions: Vec<String>,
    /// How many equal decisions decide its job.
    pub quorum: Quorum,
    /// The round of its job that it belongs to, from 1.
    pub round: u32,
    /// The task in whose place it stands.
    pub delegated_from: Option<TaskId>,
    /// Its state.
    pub status: TaskStatus,
    /// How it was answered: one of the actions.
    pub action: Option<String>,
    /// The values, as decided or as a draft; empty without any.
    pub values: Record,
    /// What the assignee said beside them.
    pub comment: Option<String>,
    /// When it was decided, as RFC 3339 text.
    pub decided_at: Option<String>,
    /// The key of the node that the answer sends the execution back to, if it names one.
    pub return_to: Option<String>,
}

/// Tasks to be stored: the same one for each assignee.
#[derive(Debug, Clone, PartialEq)]
pub struct NewTasks {
    /// The workflow version.
    pub workflow_id: WorkflowId,
    /// The execution that waits for them.
    pub execution_id: ExecutionId,
    /// The node that gives them.
    pub node_id: NodeId,
    /// The job that waits for them: stored in the same transaction.
    pub job_id: JobId,
    /// Who is to decide.
    pub assignees: Vec<UserId>,
    /// What it is about, in a few words.
    pub title: String,
    /// What it is about, in more.
    pub description: String,
    /// The JSON Schema of the values that come with an approval.
    pub form: Value,
    /// The actions the assignees may take, by name.
    pub actions: Vec<String>,
    /// How many equal decisions decide.
    pub quorum: Quorum,
    /// The round of the job that they belong to, from 1.
    pub round: u32,
}

/// What an assignee hands in.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Submission {
    /// The form's values.
    pub values: Record,
    /// A remark.
    pub comment: Option<String>,
    /// The key of the node that the execution is to go back to.
    pub return_to: Option<String>,
}

impl Task {
    fn read(row: &Row) -> Result<Self, StoreError> {
        let code = row.get("status")?;
        let count = |column: &str| -> Result<u32, StoreError> {
            u32::try_from(row.get::<i64>(column)?)
                .map_err(|_| StoreError::Corrupt { what: format!("{column} of a task") })
        };
        let actions = row.json("actions")?;
        Ok(Self {
            id: TaskId(row.get("id")?),
            execution_id: ExecutionId(row.get("executionId")?),
            job_id: JobId(row.get("jobId")?),
            user_id: UserId(row.get("userId")?),
            form: row.json("form")?,
            actions: actions
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(|name| Some(name.as_str()?.to_owned()))
                .collect(),
            quorum: Quorum { approvals: count("approvalsNeeded")?, rejections: count("rejectionsNeeded")? },
            round: count("round")?,
            delegated_from: row.get::<Option<i64>>("delegatedFrom")?.map(TaskId),
            status: TaskStatus::from_code(code)
                .ok_or_else(|| StoreError::Corrupt { what: format!("task status {code}") })?,
            action: row.get("action")?,
            values: match row.json("result")? {
                Value::Object(values) => values,
                _ => Record::new(),
            },
            comment: row.get("comment")?,
            decided_at: row.get("decidedAt")?,
            return_to: row.get("returnTo")?,
        })
    }
}

impl Conn {
    /// Reads one task.
    ///
    /// # Errors
    ///
    /// Database errors.
    pub async fn task(&mut self, id: TaskId) -> Result<Option<Task>, StoreError> {
        let rows = self.query(r#"SELECT * FROM "workflowTasks" WHERE "id" = ?"#, [id.0.into()]).await?;
        rows.first().map(Task::read).transpose()
    }

    /// Reads the tasks of a job, in the order of its assignees.
    ///
    /// # Errors
    ///
    /// Database errors.
    pub async fn tasks_of_job(&mut self, job: JobId) -> Result<Vec<Task>, StoreError> {
        let rows =
            self.query(r#"SELECT * FROM "workflowTasks" WHERE "jobId" = ? ORDER BY "id""#, [job.0.into()]).await?;
        rows.iter().map(Task::read).collect()
    }

    /// Counts the tasks of a user by state; states without any are left out.
    ///
    /// # Errors
    ///
    /// Database errors.
    pub async fn count_tasks(&mut self, user: UserId) -> Result<Vec<(TaskStatus, u64)>, StoreError> {
        let rows = self
            .query(
                r#"SELECT "status", count(*) AS "count" FROM "workflowTasks" WHERE "userId" = ? GROUP BY "status""#,
                [user.0.into()],
            )
            .await?;
        let counted = rows.iter().map(|row| {
            let code = row.get("status")?;
            let status = TaskStatus::from_code(code)
                .ok_or_else(|| StoreError::Corrupt { what: format!("task status {code}") })?;
            Ok((status, row.get::<i64>("count")?.unsigned_abs()))
        });
        counted.collect()
    }
}

impl Tx {
    /// Stores tasks for a job that is stored in the same transaction, or waits. Answers their ids, in the order of the assignees.
    ///
    /// # Errors
    ///
    /// Database errors.
    pub async fn create_tasks(&mut self, tasks: NewTasks) -> Result<Vec<TaskId>, StoreError> {
        let now = self.moment();
        let actions: Value = tasks.actions.into_iter().collect();
        let mut ids = Vec::new();
        for assignee in &tasks.assignees {
            let stored = self.query(
                r#"INSERT INTO "workflowTasks" ("workflowId", "executionId", "nodeId", "jobId", "userId", "title", "description", "form", "actions", "approvalsNeeded",
                                                "rejectionsNeeded", "round", "createdAt", "updatedAt")
                   VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING "id""#,
                [
                    tasks.workflow_id.0.into(),
                    tasks.execution_id.0.into(),
                    tasks.node_id.0.into(),
                    tasks.job_id.0.into(),
                    assignee.0.into(),
                    tasks.title.as_str().into(),
                    tasks.description.as_str().into(),
                    tasks.form.to_string().into(),
                    actions.to_string().into(),
                    i64::from(tasks.quorum.approvals).into(),
                    i64::from(tasks.quorum.rejections).into(),
                    i64::from(tasks.round).into(),
                    now.as_str().into(),
                    now.as_str().into(),
                ],
            )
            .await?;
            for row in &stored {
                ids.push(TaskId(row.get("id")?));
            }
        }
        Ok(ids)
    }

    /// Keeps what an assignee has filled in so far; the task stays open.
    ///
    /// # Errors
    ///
    /// [`StoreError::IllegalMove`] for a task that is decided or closed; [`StoreError::NotFound`].
    pub async fn save_task(&mut self, id: TaskId, draft: Submission) -> Result<Task, StoreError> {
        let task = self.open_task(id, TaskStatus::Pending).await?;
        self.run(
            r#"UPDATE "workflowTasks" SET "result" = ?, "comment" = ?, "updatedAt" = ? WHERE "id" = ?"#,
            [
                Value::Object(draft.values.clone()).to_string().into(),
                draft.comment.clone().into(),
                self.moment().into(),
                id.0.into(),
            ],
        )
        .await?;
        Ok(Task { values: draft.values, comment: draft.comment, ..task })
    }

    /// Decides a task.
    ///
    /// # Errors
    ///
    /// [`StoreError::IllegalMove`] for a task that is decided or closed; [`StoreError::NotFound`].
    pub async fn decide_task(
        &mut self,
        id: TaskId,
        decision: Decision,
        submission: Submission,
    ) -> Result<Task, StoreError> {
        self.answer_task(id, decision.action(), decision.task_status(), submission).await
    }

    /// Answers a task with an action, which leaves it in a state.
    ///
    /// # Errors
    ///
    /// [`StoreError::IllegalMove`] for a task that is decided or closed; [`StoreError::NotFound`].
    pub async fn answer_task(
        &mut self,
        id: TaskId,
        action: &str,
        status: TaskStatus,
        submission: Submission,
    ) -> Result<Task, StoreError> {
        let task = self.open_task(id, status).await?;
        let status = task.status.to(status)?;
        let now = self.moment();
        self.run(
            r#"UPDATE "workflowTasks"
               SET "status" = ?, "action" = ?, "result" = ?, "comment" = ?, "returnTo" = ?, "decidedAt" = ?, "updatedAt" = ? WHERE "id" = ?"#,
            [
                status.code().into(),
                action.into(),
                Value::Object(submission.values.clone()).to_string().into(),
                submission.comment.clone().into(),
                submission.return_to.clone().into(),
                now.as_str().into(),
                now.as_str().into(),
                id.0.into(),
            ],
        )
        .await?;
        let action = Some(action.to_owned());
        Ok(Task {
            status,
            action,
            values: submission.values,
            comment: submission.comment,
            decided_at: Some(now),
            return_to: submission.return_to,
            ..task
        })
    }

    /// Gives an open task's like to another user, who answers in its place. Answers what it is about.
    ///
    /// # Errors
    ///
    /// [`StoreError::NotFound`].
    pub async fn give_in_place(&mut self, id: TaskId, user: UserId) -> Result<String, StoreError> {
        let now = self.moment();
        let rows = self
            .query(
                r#"INSERT INTO "workflowTasks" ("workflowId", "executionId", "nodeId", "jobId", "userId", "title", "description", "form", "actions",
                                                "approvalsNeeded", "rejectionsNeeded", "round", "delegatedFrom", "createdAt", "updatedAt")
                   SELECT "workflowId", "executionId", "nodeId", "jobId", ?, "title", "description", "form", "actions",
                          "approvalsNeeded", "rejectionsNeeded", "round", "id", ?, ? FROM "workflowTasks" WHERE "id" = ? RETURNING "title""#,
                [user.0.into(), now.as_str().into(), now.as_str().into(), id.0.into()],
            )
            .await?;
        rows.first().ok_or_else(|| StoreError::NotFound { what: "task".into() })?.get("title")
    }

    /// Closes the open tasks of an execution that ends.
    pub(crate) async fn close_tasks(&mut self, execution: ExecutionId) -> Result<(), StoreError> {
        let closed = TaskStatus::Pending.to(TaskStatus::Closed)?;
        self.run(
            r#"UPDATE "workflowTasks" SET "status" = ?, "updatedAt" = ? WHERE "executionId" = ? AND "status" = 0"#,
            [closed.code().into(), self.moment().into(), execution.0.into()],
        )
        .await
        .map(drop)
    }

    /// Closes the open tasks of a job: they are no longer asked for.
    ///
    /// # Errors
    ///
    /// Database errors.
    pub async fn close_tasks_of_job(&mut self, job: JobId) -> Result<(), StoreError> {
        let closed = TaskStatus::Pending.to(TaskStatus::Closed)?;
        self.run(
            r#"UPDATE "workflowTasks" SET "status" = ?, "updatedAt" = ? WHERE "jobId" = ? AND "status" = 0"#,
            [closed.code().into(), self.moment().into(), job.0.into()],
        )
        .await
        .map(drop)
    }

    async fn open_task(&mut self, id: TaskId, wanted: TaskStatus) -> Result<Task, StoreError> {
        let missing = || StoreError::NotFound { what: "task".into() };
        let task = self.task(id).await?.ok_or_else(missing)?;
        // Nobody else decides a task of the execution before the transaction ends.
        self.execution_status(task.execution_id).await?;
        let task = self.task(id).await?.ok_or_else(missing)?;
        match task.status {
            TaskStatus::Pending => Ok(task),
            from @ (TaskStatus::Approved | TaskStatus::Closed | TaskStatus::Rejected | TaskStatus::Answered) => {
                Err(StoreError::IllegalMove { what: "task", from: from.to_string(), to: wanted.to_string() })
            }
        }
    }
}
