//! Approvals: what becomes of what somebody has applied for. One for each job that asks people about an application, stored with
//! it; what each of them answered are its [tasks](crate::Task).

use std::fmt;

use crate::{
    db::{Conn, Row, Tx},
    error::StoreError,
    id::{ApprovalId, ExecutionId, JobId, NodeId, UserId, WorkflowId},
};

/// What an application has come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ApprovalStatus {
    /// People are asked.
    Pending,
    /// The applicant is asked.
    Returned,
    /// Approved.
    Approved,
    /// Rejected.
    Rejected,
    /// Taken back by the applicant.
    Withdrawn,
    /// Its job ended without an answer.
    Closed,
}

/// An approval as the engine sees it.
#[derive(Debug, Clone, PartialEq)]
pub struct Approval {
    /// The approval.
    pub id: ApprovalId,
    /// The workflow version.
    pub workflow_id: WorkflowId,
    /// The execution that waits for it.
    pub execution_id: ExecutionId,
    /// The node that asks.
    pub node_id: NodeId,
    /// The job that waits for it.
    pub job_id: JobId,
    /// Who applies; nobody, if it was no user.
    pub user_id: Option<UserId>,
    /// What it is about, in a few words.
    pub title: String,
    /// What it has come to.
    pub status: ApprovalStatus,
}

/// An approval to be stored, with its job.
#[derive(Debug, Clone, PartialEq)]
pub struct NewApproval {
    /// The workflow version.
    pub workflow_id: WorkflowId,
    /// The execution that waits for it.
    pub execution_id: ExecutionId,
    /// The node that asks.
    pub node_id: NodeId,
    /// The job that waits for it: stored in the same transaction.
    pub job_id: JobId,
    /// Who applies.
    pub user_id: Option<UserId>,
    /// What it is about, in a few words.
    pub title: String,
}

impl ApprovalStatus {
    const ALL: [Self; 6] =
        [Self::Pending, Self::Returned, Self::Approved, Self::Rejected, Self::Withdrawn, Self::Closed];

    /// The wire and column value.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Returned => "returned",
            Self::Approved => "approved",
            Self::Rejected => "rejected",
            Self::Withdrawn => "withdrawn",
            Self::Closed => "closed",
        }
    }

    /// Whether somebody is still asked.
    pub fn is_open(self) -> bool {
        matches!(self, Self::Pending | Self::Returned)
    }
}

impl fmt::Display for ApprovalStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Approval {
    fn read(row: &Row) -> Result<Self, StoreError> {
        let status: String = row.get("status")?;
        Ok(Self {
            id: ApprovalId(row.get("id")?),
            workflow_id: WorkflowId(row.get("workflowId")?),
            execution_id: ExecutionId(row.get("executionId")?),
            node_id: NodeId(row.get("nodeId")?),
            job_id: JobId(row.get("jobId")?),
            user_id: row.get::<Option<i64>>("userId")?.map(UserId),
            title: row.get("title")?,
            status: ApprovalStatus::ALL
                .into_iter()
                .find(|one| one.name() == status)
                .ok_or_else(|| StoreError::Corrupt { what: format!("status {status}") })?,
        })
    }
}

impl Conn {
    /// Reads one approval.
    ///
    /// # Errors
    ///
    /// Database errors.
    pub async fn approval(&mut self, id: ApprovalId) -> Result<Option<Approval>, StoreError> {
        let rows = self.query(r#"SELECT * FROM "approvals" WHERE "id" = ?"#, [id.0.into()]).await?;
        rows.first().map(Approval::read).transpose()
    }

    /// Reads the approval of a job.
    ///
    /// # Errors
    ///
    /// Database errors.
    pub async fn approval_of_job(&mut self, job: JobId) -> Result<Option<Approval>, StoreError> {
        let rows = self.query(r#"SELECT * FROM "approvals" WHERE "jobId" = ?"#, [job.0.into()]).await?;
        rows.first().map(Approval::read).transpose()
    }
}

impl Tx {
    /// Stores an approval, pending.
    ///
    /// # Errors
    ///
    /// Database errors.
    pub async fn create_approval(&mut self, new: NewApproval) -> Result<(), StoreError> {
        let now = self.moment();
        self.run(
            r#"INSERT INTO "approvals" ("workflowId", "executionId", "nodeId", "jobId", "userId", "title", "status", "createdAt", "updatedAt")
               VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"#,
            [
                new.workflow_id.0.into(),
                new.execution_id.0.into(),
                new.node_id.0.into(),
                new.job_id.0.into(),
                new.user_id.map(|user| user.0).into(),
                new.title.into(),
                ApprovalStatus::Pending.name().into(),
                now.as_str().into(),
                now.as_str().into(),
            ],
        )
        .await
        .map(drop)
    }

    /// Says what the approval of a job has come to.
    ///
    /// # Errors
    ///
    /// Database errors.
    pub async fn set_approval_status(&mut self, job: JobId, status: ApprovalStatus) -> Result<(), StoreError> {
        self.run(
            r#"UPDATE "approvals" SET "status" = ?, "updatedAt" = ? WHERE "jobId" = ?"#,
            [status.name().into(), self.moment().into(), job.0.into()],
        )
        .await
        .map(drop)
    }

    /// Closes the approval of a job that ends while somebody is asked: to be done before their tasks are closed.
    pub(crate) async fn close_approval_of_job(&mut self, job: JobId) -> Result<(), StoreError> {
        self.run(
            r#"UPDATE "approvals" SET "status" = 'closed', "updatedAt" = ? WHERE "jobId" = ? AND "jobId" IN
               (SELECT "jobId" FROM "workflowTasks" WHERE "jobId" = ? AND "status" = 0)"#,
            [self.moment().into(), job.0.into(), job.0.into()],
        )
        .await
        .map(drop)
    }

    /// The same for all approvals of an execution that ends.
    pub(crate) async fn close_approvals(&mut self, execution: ExecutionId) -> Result<(), StoreError> {
        self.run(
            r#"UPDATE "approvals" SET "status" = 'closed', "updatedAt" = ? WHERE "executionId" = ? AND "jobId" IN
               (SELECT "jobId" FROM "workflowTasks" WHERE "executionId" = ? AND "status" = 0)"#,
            [self.moment().into(), execution.0.into(), execution.0.into()],
        )
        .await
        .map(drop)
    }
}
