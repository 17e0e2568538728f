//! How full the queue is.

use crate::{db::Conn, error::StoreError};

/// The queue at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct QueueFigures {
    /// Executions that a dispatcher may claim.
    pub queued: u64,
    /// When the oldest of them was queued: RFC 3339 in UTC.
    pub oldest_queued_at: Option<String>,
    /// Executions that a process holds: those that run, and synchronous ones before their turn.
    pub claimed: u64,
    /// Queued executions that are not to begin yet: they repeat failed ones.
    pub postponed: u64,
    /// Executions that failed for good and are kept.
    pub dead_letters: u64,
    /// Pending jobs that wait for a moment.
    pub waiting_jobs: u64,
    /// Tasks that people have not decided.
    pub open_tasks: u64,
}

impl Conn {
    /// Reads how full the queue is. Its cost grows with the backlog, not with the history.
    ///
    /// # Errors
    ///
    /// Database errors.
    pub async fn queue_figures(&mut self) -> Result<QueueFigures, StoreError> {
        let rows = self
            .query(
                r#"WITH "queue" AS (
                     SELECT count(*) AS "queued", min("id") AS "oldest" FROM "executions"
                     WHERE "status" IS NULL AND "claimedBy" IS NULL AND "waitsFor" IS NULL
                       AND "notBefore" IS NULL AND "heldBack" IS NULL)
                   SELECT "queued",
                          (SELECT "createdAt" FROM "executions" WHERE "id" = "oldest") AS "oldestQueuedAt",
                          (SELECT count(*) FROM "executions" WHERE "claimedBy" IS NOT NULL) AS "claimed",
                          (SELECT count(*) FROM "executions" WHERE "status" IS NULL AND "notBefore" IS NOT NULL) AS "postponed",
                          (SELECT count(*) FROM "executions" WHERE "deadLetter" = 1) AS "deadLetters",
                          (SELECT count(*) FROM "jobs" WHERE "status" = 0 AND "dueAt" IS NOT NULL) AS "waitingJobs",
                          (SELECT count(*) FROM "workflowTasks" WHERE "status" = 0) AS "openTasks"
                   FROM "queue""#,
                [],
            )
            .await?;
        let Some(row) = rows.first() else { return Ok(QueueFigures::default()) };
        Ok(QueueFigures {
            queued: row.get::<i64>("queued")?.unsigned_abs(),
            oldest_queued_at: row.get("oldestQueuedAt")?,
            claimed: row.get::<i64>("claimed")?.unsigned_abs(),
            postponed: row.get::<i64>("postponed")?.unsigned_abs(),
            dead_letters: row.get::<i64>("deadLetters")?.unsigned_abs(),
            waiting_jobs: row.get::<i64>("waitingJobs")?.unsigned_abs(),
            open_tasks: row.get::<i64>("openTasks")?.unsigned_abs(),
        })
    }
}
