//! What commits changed in executions and jobs: the feed that live views and counters are fed from.
//!
//! The functions that write a state note it in their transaction; what is undone is forgotten with it, and the writer
//! publishes the rest right after the commit. So a change that is heard of has happened. On SQLite changes are heard of in the order
//! of the commits; on PostgreSQL those of one transaction are, and those of other transactions and hosts about when they happen:
//! what has happened to an execution before something else is to be told by [`ExecutionStep::rank`]. The feed is a bounded ring in memory: a reader that is too slow is told how many it missed, and
//! what it has to know for certain it reads from the tables.

use tokio::sync::broadcast;

use crate::{
    db::{Row, Tx},
    error::StoreError,
    id::{ExecutionId, JobId, NodeId, WorkflowId},
    status::{ExecutionStatus, JobStatus},
};

/// Changes kept for readers: about two seconds of the fastest queue, in at most a few megabytes.
const KEPT_CHANGES: usize = 8_192;

/// A committed change.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    /// An execution has moved.
    Execution(ExecutionChange),
    /// A job has been stored or ended.
    Job(JobChange),
}

/// A move of an execution.
#[derive(Debug, Clone, PartialEq)]
pub struct ExecutionChange {
    /// The execution.
    pub id: ExecutionId,
    /// The workflow version it runs.
    pub workflow_id: WorkflowId,
    /// The key of its workflow.
    pub key: String,
    /// What happened.
    pub step: ExecutionStep,
    /// When it was queued: RFC 3339 in UTC, as stored.
    pub queued_at: String,
    /// When it was first begun.
    pub started_at: Option<String>,
    /// When this happened.
    pub at: String,
}

/// What happened to an execution.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExecutionStep {
    /// Stored, not begun.
    Queued,
    /// Stored as the repetition of one that has ended.
    Repeated,
    /// Begun for the first time.
    Started,
    /// Taken up again after it waited, or after the process that ran it was gone.
    Resumed,
    /// Ended, with this final state.
    Ended(ExecutionStatus),
    /// Deleted before it began, because the one it waited for was not resolved.
    Dropped,
}

impl ExecutionStep {
    /// Steps of a smaller rank come before those of a larger one, in whatever order they are heard of.
    pub fn rank(self) -> u8 {
        match self {
            Self::Queued | Self::Repeated => 0,
            Self::Started | Self::Resumed => 1,
            Self::Ended(_) | Self::Dropped => 2,
        }
    }
}

/// A state of a job.
#[derive(Debug, Clone, PartialEq)]
pub struct JobChange {
    /// The job.
    pub id: JobId,
    /// Its execution.
    pub execution_id: ExecutionId,
    /// Its node.
    pub node_id: NodeId,
    /// Its node's key.
    pub node_key: String,
    /// Its state now.
    pub status: JobStatus,
    /// When its node began: RFC 3339 in UTC, as stored.
    pub started_at: Option<String>,
    /// When this happened: when the job ended, if its state is final.
    pub at: String,
}

impl ExecutionChange {
    /// Reads it from a statement that returns `id`, `workflowId`, `key`, `createdAt` and `startedAt`.
    pub(crate) fn read(row: &Row, step: ExecutionStep, at: &str) -> Result<Self, StoreError> {
        Ok(Self {
            id: ExecutionId(row.get("id")?),
            workflow_id: WorkflowId(row.get("workflowId")?),
            key: row.get("key")?,
            step,
            queued_at: row.get("createdAt")?,
            started_at: row.get("startedAt")?,
            at: at.to_owned(),
        })
    }
}

impl JobChange {
    /// Reads it from a statement that returns `id`, `executionId`, `nodeId`, `nodeKey` and `startedAt`.
    pub(crate) fn read(row: &Row, status: JobStatus, at: &str) -> Result<Self, StoreError> {
        Ok(Self {
            id: JobId(row.get("id")?),
            execution_id: ExecutionId(row.get("executionId")?),
            node_id: NodeId(row.get("nodeId")?),
            node_key: row.get("nodeKey")?,
            status,
            started_at: row.get("startedAt")?,
            at: at.to_owned(),
        })
    }
}

impl Tx {
    /// Notes the claim of an execution, from a row that [`ExecutionChange::read`] can read: its first, if it started now.
    pub(crate) fn note_claim(&mut self, row: &Row, now: &str) -> Result<(), StoreError> {
        let mut change = ExecutionChange::read(row, ExecutionStep::Resumed, now)?;
        if change.started_at.as_deref() == Some(now) {
            change.step = ExecutionStep::Started;
        }
        self.note(Change::Execution(change));
        Ok(())
    }
}

/// Where committed changes are heard of.
#[derive(Clone)]
pub(crate) struct Feed(broadcast::Sender<Change>);

impl Default for Feed {
    fn default() -> Self {
        Self(broadcast::Sender::new(KEPT_CHANGES))
    }
}

impl Feed {
    /// Hears of everything published from now on.
    pub(crate) fn subscribe(&self) -> broadcast::Receiver<Change> {
        self.0.subscribe()
    }

    /// Says whether anybody hears it.
    pub(crate) fn has_readers(&self) -> bool {
        self.0.receiver_count() > 0
    }

    /// Tells the readers what another process has committed, which has counted it.
    pub(crate) fn pass_on(&self, change: Change) {
        // There may be no readers.
        drop(self.0.send(change));
    }

    /// Counts the changes of a commit and tells the readers, if there are any.
    pub(crate) fn publish(&self, changes: Vec<Change>) {
        for change in changes {
            count(&change);
            if self.has_readers() {
                // The last reader may have gone away just now.
                drop(self.0.send(change));
            }
        }
    }
}

fn count(change: &Change) {
    let Change::Execution(execution) = change else { return };
    match execution.step {
        ExecutionStep::Queued => metrics::counter!("workflow_executions_queued_total").increment(1),
        ExecutionStep::Repeated => metrics::counter!("workflow_executions_repeated_total").increment(1),
        ExecutionStep::Started => {
            metrics::counter!("workflow_executions_started_total").increment(1);
            if let Some(seconds) = seconds_between(&execution.queued_at, &execution.at) {
                metrics::histogram!("workflow_execution_wait_seconds").record(seconds);
            }
        }
        ExecutionStep::Resumed => metrics::counter!("workflow_executions_resumed_total").increment(1),
        ExecutionStep::Ended(status) => {
            metrics::counter!("workflow_executions_ended_total", "status" => status.to_string()).increment(1);
            let started_at = execution.started_at.as_deref();
            if let Some(seconds) = started_at.and_then(|started_at| seconds_between(started_at, &execution.at)) {
                metrics::histogram!("workflow_execution_duration_seconds").record(seconds);
            }
        }
        ExecutionStep::Dropped => metrics::counter!("workflow_executions_dropped_total").increment(1),
    }
}

fn seconds_between(from: &str, to: &str) -> Option<f64> {
    let moment = |text| chrono::DateTime::parse_from_rfc3339(text).ok();
    // A clock that was set back is no negative duration.
    (moment(to)? - moment(from)?).to_std().ok().map(|duration| duration.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::seconds_between;

    #[test]
    fn durations() {
        let check = |from, to, want| assert_eq!(seconds_between(from, to), want, "{from} to {to}");
        check("2024-02-03T04:05:06.000Z", "2024-02-03T04:05:07.500Z", Some(1.5));
        check("2024-02-03T04:05:07.500Z", "2024-02-03T04:05:06.000Z", None);
        check("", "2024-02-03T04:05:06.000Z", None);
    }
}
