//! One execution on its way through its nodes.

use std::{sync::Arc, time::SystemTime};

use futures::future::BoxFuture;
use serde_json::{Value, json};
use store::{Execution, ExecutionStatus, Job, JobId, JobStatus, NewJob, Standing, StoreError, Tx, WorkflowId};

use super::{Begun, Lane, Processor, Ran, Task, millis};
use crate::{
    EngineError, Outcome, ending,
    nodes::{Effect, NodeError, NodeResult, Run, Work},
    plan::{Plan, Step},
    variables::Scope,
};

/// An execution that is being run.
pub(super) struct Walk<'p> {
    processor: &'p Arc<Processor>,
    execution: Execution,
    plan: Arc<Plan>,
    scope: Scope,
    messages: Vec<String>,
    /// Jobs of effectless nodes that are still to be stored, in order.
    unstored: Vec<Entry>,
    last_stored: Option<JobId>,
    ended_by_node: bool,
    lane: Lane,
    /// The next execution of the lane.
    next: Option<Begun>,
}

/// A job to be stored, or a stored one to be ended.
#[derive(Clone)]
enum Entry {
    New(NewJob),
    Finish(JobId, NodeResult),
}

/// What a transaction left behind.
enum Stored {
    /// The execution goes on after this job.
    Going(Job),
    /// It has ended.
    Ended { status: ExecutionStatus, woken: Vec<WorkflowId>, last: Option<Job> },
    /// It waits.
    Waiting,
    /// Somebody ended it meanwhile.
    Stopped(ExecutionStatus),
}

/// What a transaction is to do after the unstored jobs.
enum Then {
    /// Carry out a node's work, and end the execution if that was the last node.
    Work { index: usize, job: Box<NewJob>, work: Work },
    /// End the execution.
    End(ExecutionStatus),
    /// Leave it waiting for its last job.
    Wait,
}

impl<'p> Walk<'p> {
    pub(super) fn new(
        processor: &'p Arc<Processor>,
        mut execution: Execution,
        plan: Arc<Plan>,
        jobs: &[Job],
        lane: Lane,
    ) -> Self {
        let mut scope = Scope::new(std::mem::take(&mut execution.context));
        let mut messages = Vec::new();
        for job in jobs {
            scope.add_job(&job.node_key, Arc::new(job.result.clone()));
            let node = plan.find(job.node_id).and_then(|index| plan.node(index).node.as_ref());
            messages.extend(node.and_then(|node| node.message(&job.result)));
        }
        Self {
            processor,
            execution,
            plan,
            scope,
            messages,
            unstored: Vec::new(),
            last_stored: jobs.last().map(|job| job.id),
            ended_by_node: false,
            lane,
            next: None,
        }
    }

    /// Goes on after the last stored job, until the execution ends or waits.
    pub(super) async fn run(mut self, last: Option<&Job>) -> Result<Ran, EngineError> {
        let mut step = match last {
            None => self.plan.start(),
            Some(job) => match self.take_up(job) {
                Some(step) => step,
                None => return self.settle(Then::Wait, job.due_at_ms).await,
            },
        };
        // Each node is run at most once; more steps than nodes would be a broken line.
        for _ in 0..=self.plan.len() {
            match step {
                Step::End(status) => return self.settle(Then::End(status), None).await,
                Step::Wait => {
                    let due_at_ms = self.unstored.last().and_then(Entry::due_at_ms);
                    return self.settle(Then::Wait, due_at_ms).await;
                }
                Step::Go(index) => match self.node(index).await? {
                    Stored::Going(job) => step = self.plan.after(index, job.status, &job.result),
                    Stored::Ended { status, woken, last } => {
                        if let Some(job) = last {
                            self.note(index, &job.status, &job.result);
                        }
                        return Ok(self.ran(status, woken, None));
                    }
                    Stored::Waiting => return Ok(self.ran(ExecutionStatus::Started, Vec::new(), None)),
                    Stored::Stopped(status) => return Ok(self.ran(status, Vec::new(), None)),
                },
            }
        }
        self.settle(Then::End(ExecutionStatus::Error), None).await
    }

    /// Where to go from a stored job; `None` if it still waits.
    fn take_up(&mut self, job: &Job) -> Option<Step> {
        let Some(index) = self.plan.find(job.node_id) else { return Some(Step::End(ExecutionStatus::Error)) };
        if job.status != JobStatus::Pending {
            return Some(self.plan.after(index, job.status, &job.result));
        }
        if job.due_at_ms.is_none_or(|due| due > millis(SystemTime::now())) {
            return None;
        }
        let planned = self.plan.node(index);
        let result = match &planned.node {
            Some(node) => node.resume(&planned.row.config, &self.scope, job).unwrap_or_else(|error| failure(&error)),
            None => unknown_type(&planned.row.node_type),
        };
        let step = self.plan.after(index, result.status, &result.result);
        self.note(index, &result.status, &result.result);
        self.unstored.push(Entry::Finish(job.id, result));
        Some(step)
    }

    /// Runs a node. What has no effect is kept to be stored later.
    async fn node(&mut self, index: usize) -> Result<Stored, EngineError> {
        let started = SystemTime::now();
        self.scope.set_now(started);
        let plan = Arc::clone(&self.plan);
        let planned = plan.node(index);
        let run = Run {
            store: &self.processor.store,
            scope: &self.scope,
            expressions: &self.processor.expressions,
            outside: &self.processor.outside,
            execution: self.execution.id,
            node: &planned.row,
            rounds: &[],
        };
        let effect = match &planned.node {
            Some(node) => node.run(&planned.row.config, &run).await,
            None => Ok(Effect::Done(unknown_type(&planned.row.node_type))),
        };
        let result = match effect {
            Ok(Effect::Done(result)) => result,
            Ok(Effect::Write(work)) => {
                let job = self.job(index, started, NodeResult::resolved(Value::Null));
                match self.store(Then::Work { index, job: Box::new(job), work }).await {
                    Ok(stored) => {
                        if let Stored::Going(job) = &stored {
                            let (status, result) = (job.status, job.result.clone());
                            self.note(index, &status, &result);
                        }
                        return Ok(stored);
                    }
                    Err(error) => failure(&passable(error)?),
                }
            }
            Err(error) => failure(&passable(error)?),
        };
        self.note(index, &result.status, &result.result);
        let job = self.job(index, started, result);
        let going = Job {
            id: JobId(0),
            meta: Value::Null,
            execution_id: job.execution_id,
            node_id: job.node_id,
            node_key: job.node_key.clone(),
            upstream_id: None,
            status: job.status,
            result: job.result.clone(),
            due_at_ms: job.due_at_ms,
        };
        self.unstored.push(Entry::New(job));
        Ok(Stored::Going(going))
    }

    fn job(&self, index: usize, started: SystemTime, result: NodeResult) -> NewJob {
        let row = &self.plan.node(index).row;
        NewJob {
            id: None,
            meta: Value::Null,
            execution_id: self.execution.id,
            node_id: row.id,
            node_key: row.key.clone(),
            upstream_id: None,
            status: result.status,
            result: result.result,
            due_at_ms: result.due_at_ms,
            started_at_ms: millis(started),
        }
    }

    /// Takes note of a result for later nodes and for the answer.
    fn note(&mut self, index: usize, status: &JobStatus, result: &Value) {
        let planned = self.plan.node(index);
        self.scope.add_job(&planned.row.key, Arc::new(result.clone()));
        if let (Some(node), Some(_)) = (&planned.node, status.ends_execution_as()) {
            self.messages.extend(node.message(result));
            self.ended_by_node = node.ends();
        }
    }

    /// Stores what is left, and leaves the execution.
    async fn settle(mut self, then: Then, due_at_ms: Option<i64>) -> Result<Ran, EngineError> {
        match self.store(then).await? {
            Stored::Ended { status, woken, .. } => Ok(self.ran(status, woken, None)),
            Stored::Waiting | Stored::Going(_) => Ok(self.ran(ExecutionStatus::Started, Vec::new(), due_at_ms)),
            Stored::Stopped(status) => Ok(self.ran(status, Vec::new(), None)),
        }
    }

    fn ran(self, status: ExecutionStatus, woken: Vec<WorkflowId>, due_at_ms: Option<i64>) -> Ran {
        let ended_by_node = self.ended_by_node && status.is_final() && status != ExecutionStatus::Aborted;
        let outcome = Outcome { id: self.execution.id, status, messages: self.messages, ended_by_node };
        Ran { outcome, woken, due_at_ms, executions: usize::from(status.is_final()), next: self.next }
    }

    /// Carries out one transaction. If it fails, what was unstored still is.
    async fn store(&mut self, then: Then) -> Result<Stored, NodeError> {
        let transaction = Transaction {
            processor: Arc::clone(self.processor),
            lane: self.lane,
            execution: self.execution.id,
            plan: Arc::clone(&self.plan),
            entries: self.unstored.clone(),
            last: self.last_stored,
        };
        let (stored, last, next) = self
            .processor
            .store
            .write(move |tx| -> BoxFuture<'_, Result<Committed, NodeError>> {
                Box::pin(transaction.carry_out(tx, then))
            })
            .await?;
        self.unstored.clear();
        self.last_stored = last;
        self.next = next;
        Ok(stored)
    }
}

impl Entry {
    fn due_at_ms(&self) -> Option<i64> {
        match self {
            Self::New(job) => job.due_at_ms,
            Self::Finish(..) => None,
        }
    }
}

/// What came of a transaction, the last stored job, and the next execution of the lane.
type Committed = (Stored, Option<JobId>, Option<Begun>);

/// What goes into one transaction.
struct Transaction {
    processor: Arc<Processor>,
    lane: Lane,
    execution: store::ExecutionId,
    plan: Arc<Plan>,
    entries: Vec<Entry>,
    last: Option<JobId>,
}

impl Transaction {
    async fn carry_out(mut self, tx: &mut Tx, then: Then) -> Result<Committed, NodeError> {
        match tx.standing(self.execution, Some(&self.processor.claim)).await? {
            Some(Standing { status: ExecutionStatus::Started, held: true }) => {}
            // Ended meanwhile, or taken over by another process after a long pause of this one.
            Some(Standing { status, .. }) => return Ok((Stored::Stopped(status), self.last, None)),
            None => return Ok((Stored::Stopped(ExecutionStatus::Aborted), self.last, None)),
        }
        for entry in std::mem::take(&mut self.entries) {
            let job = match entry {
                Entry::New(job) => tx.create_job(NewJob { upstream_id: self.last, ..job }).await?,
                Entry::Finish(id, result) => tx.finish_job(id, result.status, result.result).await?,
            };
            self.last = Some(job.id);
        }
        let stored = match then {
            Then::Work { index, job, work } => {
                let id = tx.reserve_job_id();
                let result = work(tx, id).await?;
                let job = NewJob {
                    id: Some(id),
                    upstream_id: self.last,
                    status: result.status,
                    result: result.result,
                    due_at_ms: result.due_at_ms,
                    ..*job
                };
                let job = tx.create_job(job).await?;
                self.last = Some(job.id);
                match self.plan.after(index, job.status, &job.result) {
                    Step::Go(_) => Stored::Going(job),
                    Step::End(status) => self.end(tx, status, Some(job)).await?,
                    Step::Wait => self.wait(tx).await?,
                }
            }
            Then::End(status) => self.end(tx, status, None).await?,
            Then::Wait => self.wait(tx).await?,
        };
        let next = match (&stored, self.lane) {
            (Stored::Ended { .. } | Stored::Waiting, Lane::GoesOn(workflow)) => {
                self.processor.begin(tx, Task::Next(workflow)).await?
            }
            (Stored::Ended { .. } | Stored::Waiting | Stored::Going(_) | Stored::Stopped(_), _) => None,
        };
        Ok((stored, self.last, next))
    }

    async fn end(&self, tx: &mut Tx, status: ExecutionStatus, last: Option<Job>) -> Result<Stored, StoreError> {
        let woken = ending::end(tx, self.execution, status).await?;
        Ok(Stored::Ended { status, woken, last })
    }

    async fn wait(&self, tx: &mut Tx) -> Result<Stored, StoreError> {
        tx.release(self.execution).await?;
        tx.drop_chain(self.execution).await?;
        Ok(Stored::Waiting)
    }
}

/// A node's error becomes its job's result; that the disk is full, that the store has stopped, or that others' writes took
/// this one down, does not: the node is run again later.
fn passable(error: NodeError) -> Result<NodeError, EngineError> {
    match error {
        NodeError::Store(error) if error.is_transient() => Err(error.into()),
        other => Ok(other),
    }
}

fn failure(error: &NodeError) -> NodeResult {
    NodeResult::ended(JobStatus::Error, json!({"message": error.to_string()}))
}

fn unknown_type(name: &str) -> NodeResult {
    let error = crate::EngineError::UnknownNodeType(name.to_owned());
    NodeResult::ended(JobStatus::Error, json!({"message": error.to_string()}))
}
