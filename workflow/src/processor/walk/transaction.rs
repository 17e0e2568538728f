//! One transaction of a walk: the jobs of a line, and what goes with them.

use std::sync::Arc;

use futures::future::BoxFuture;
use serde_json::Value;
use store::{Cause, ExecutionId, ExecutionStatus, Job, JobId, JobStatus, NewJob, Standing, StoreError, Tx, WorkflowId};

use super::super::{Lane, Next, Processor, Task};
use crate::{
    ending,
    nodes::{NodeError, NodeResult, Work},
    plan::{Plan, Step},
};

/// A job to be stored, or a stored one to be ended.
#[derive(Clone)]
pub(super) enum Entry {
    /// Hangs below the entry before it, unless it is the first one of its line.
    New(NewJob),
    /// Ends a pending job.
    Finish(JobId, NodeResult),
    /// The same, and ends as canceled what still waits below it.
    Close(JobId, NodeResult),
}

/// What a transaction left behind.
pub(super) enum Stored {
    /// The jobs alone; the last one, if it was made here.
    Going(Option<Box<Job>>),
    /// The execution has ended.
    Ended(Box<Ended>),
    /// It waits; the moment it can go on by itself, in milliseconds since 1970.
    Waiting(Option<i64>, Next),
    /// Somebody ended it meanwhile.
    Stopped(ExecutionStatus),
}

/// How an execution was ended.
pub(super) struct Ended {
    pub(super) status: ExecutionStatus,
    pub(super) woken: Vec<WorkflowId>,
    /// The job that ended it, if it was made here.
    pub(super) last: Option<Job>,
    /// What comes after it in the lane.
    pub(super) next: Next,
}

/// What a transaction is to do after the entries.
pub(super) enum Then {
    /// Nothing.
    Nothing,
    /// Store a job whose id the walk has to know.
    Job(Box<NewJob>),
    /// Carry out a node's work and store its job; on the main line, end the execution if that was the last node.
    Work { index: usize, job: Box<NewJob>, work: Work, line: LineKind },
    /// End the execution.
    End(ExecutionStatus, Option<Value>),
    /// Leave it waiting.
    Wait,
}

/// Whether the execution is over when a line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LineKind {
    /// It is.
    Main,
    /// It goes on with the node around the line.
    Inner,
}

/// What goes into one transaction.
pub(super) struct Transaction {
    pub(super) processor: Arc<Processor>,
    pub(super) lane: Lane,
    pub(super) execution: ExecutionId,
    /// The executions that led to it.
    pub(super) stack: Vec<ExecutionId>,
    pub(super) plan: Arc<Plan>,
    pub(super) entries: Vec<Entry>,
    pub(super) last: Option<JobId>,
    /// The output so far, for an execution that ends with a node's work.
    pub(super) output: Option<Value>,
}

/// What came of a transaction, the last job of the line, and the workflow versions that have work because of it.
pub(super) struct Committed {
    pub(super) stored: Stored,
    pub(super) last: Option<JobId>,
    pub(super) woken: Vec<WorkflowId>,
}

impl Transaction {
    /// All of it, with what comes after the entries.
    pub(super) fn work(
        self,
        then: Then,
    ) -> impl for<'tx> FnOnce(&'tx mut Tx) -> BoxFuture<'tx, Result<Committed, NodeError>> + Send + 'static {
        move |tx| Box::pin(self.carry_out(tx, then))
    }

    async fn carry_out(mut self, tx: &mut Tx, then: Then) -> Result<Committed, NodeError> {
        let mut woken = Vec::new();
        let stopped = match tx.standing_to_go_on(self.execution, &self.processor.claim).await? {
            Some(Standing { status: ExecutionStatus::Started, held: true }) => None,
            // Ended meanwhile, or taken over by another process after a long pause of this one.
            Some(Standing { status, .. }) => Some(status),
            None => Some(ExecutionStatus::Aborted),
        };
        if let Some(status) = stopped {
            return Ok(Committed { stored: Stored::Stopped(status), last: self.last, woken });
        }
        for entry in std::mem::take(&mut self.entries) {
            woken.extend(self.store(tx, entry).await?);
        }
        let stored = match then {
            Then::Nothing => Stored::Going(None),
            Then::Job(job) => Stored::Going(Some(Box::new(self.create(tx, *job).await?))),
            Then::Work { index, job, work, line } => {
                let id = tx.reserve_job_id().await?;
                let stack = self.stack.iter().copied().chain([self.execution]).collect();
                tx.set_cause(Cause { stack, ..Cause::default() });
                let result = work(tx, id).await?;
                woken.extend(result.wakes);
                let job = NewJob {
                    id: Some(id),
                    status: result.status,
                    result: result.result,
                    due_at_ms: result.due_at_ms,
                    ..*job
                };
                let job = self.create(tx, job).await?;
                let ends_as = match line {
                    LineKind::Main => match self.plan.after(index, job.status, &job.result) {
                        Step::Go(_) | Step::Wait => None,
                        Step::Through => Some(ExecutionStatus::Resolved),
                        Step::Broken(status) => status.ends_execution_as(),
                        Step::Ends(status) => Some(status),
                    },
                    LineKind::Inner => None,
                };
                match ends_as {
                    Some(status) => {
                        let output = self.output.take();
                        self.end(tx, status, output, Some(job)).await?
                    }
                    None => Stored::Going(Some(Box::new(job))),
                }
            }
            Then::End(status, output) => self.end(tx, status, output, None).await?,
            Then::Wait => {
                let ready = tx.release(self.execution).await?;
                tx.drop_chain(self.execution).await?;
                let due_at_ms = if ready { Some(tx.clock_ms()) } else { tx.next_due(self.execution).await? };
                Stored::Waiting(due_at_ms, self.next(tx).await?)
            }
        };
        Ok(Committed { stored, last: self.last, woken })
    }

    /// Answers the workflow versions that have work because of it.
    async fn store(&mut self, tx: &mut Tx, entry: Entry) -> Result<Vec<WorkflowId>, StoreError> {
        match entry {
            Entry::New(job) => {
                self.create(tx, job).await?;
                Ok(Vec::new())
            }
            Entry::Finish(id, result) => {
                tx.finish_job(id, result.status, result.result).await?;
                self.last = Some(id);
                Ok(Vec::new())
            }
            Entry::Close(id, result) => {
                let woken = cancel_below(tx, self.execution, id).await?;
                tx.finish_job(id, result.status, result.result).await?;
                self.last = Some(id);
                Ok(woken)
            }
        }
    }

    async fn create(&mut self, tx: &mut Tx, job: NewJob) -> Result<Job, StoreError> {
        let upstream_id = if job.meta.is_null() { self.last } else { job.upstream_id };
        let job = tx.create_job(NewJob { upstream_id, ..job }).await?;
        self.last = Some(job.id);
        Ok(job)
    }

    async fn end(
        &self,
        tx: &mut Tx,
        status: ExecutionStatus,
        output: Option<Value>,
        last: Option<Job>,
    ) -> Result<Stored, StoreError> {
        let mut woken = Vec::new();
        if status == ExecutionStatus::Error {
            // It may have broken before it came to the jobs that wait.
            woken = tx.abort_jobs(self.execution).await?;
        }
        woken.extend(ending::end(tx, self.execution, status, output).await?);
        let next = self.next(tx).await?;
        Ok(Stored::Ended(Box::new(Ended { status, woken, last, next })))
    }

    /// Claims the next execution of the lane.
    async fn next(&self, tx: &mut Tx) -> Result<Next, StoreError> {
        let Lane::GoesOn(workflow) = self.lane else { return Ok(Next::Unknown) };
        let begun = self.processor.begin(tx, Task::Next(workflow)).await?;
        Ok(begun.map_or(Next::Nobody, |begun| Next::Begun(Box::new(begun))))
    }
}

/// Ends as canceled the pending jobs below a job, and the executions that they wait for.
async fn cancel_below(tx: &mut Tx, execution: ExecutionId, top: JobId) -> Result<Vec<WorkflowId>, StoreError> {
    let mut below = std::collections::HashSet::from([top]);
    let mut canceled = Vec::new();
    // A job comes after those above it.
    for job in tx.jobs(execution).await? {
        if job.upstream_id.is_some_and(|id| below.contains(&id)) {
            below.insert(job.id);
            if job.status == JobStatus::Pending {
                tx.finish_job(job.id, JobStatus::Canceled, job.result).await?;
                canceled.push(job.id);
            }
        }
    }
    tx.abort_children(canceled).await
}
