//! One execution on its way through its nodes.
//!
//! A walk always begins at the first node. Where a node's job is stored, the node is not run: its result is recalled. So a
//! restart, a delay that is over and an answer from outside are the same thing, and a walk goes the same way again because
//! each step is decided by stored results alone.
//!
//! Nodes that surround their branches (`loop`, `parallel`) have a pending job while these are walked. Each branch or round is a
//! [`Line`] of its own; its first job hangs below the surrounding one. Lines of parallel branches run at the same time in one
//! task; one that waits holds only itself.
//!
//! **What is stored when.** A node's job is stored before the next node begins, with one exception that nobody can observe: the
//! jobs of nodes that work at once (`NodeType::AT_ONCE`: they take no time, see nothing but their variables, and have no effect
//! but what is written together with their job) are stored together with the next job that is more than that, or with the end
//! of the line. If they are lost, nothing has happened since that could have depended on them. Nodes that take time or reach
//! outside begin when everything before them is stored. What nodes write into further databases is stored there before their job:
//! `elsewhere` sees to it that it is written once.

mod branches;
mod elsewhere;
mod history;
mod line;
mod node;
mod rounds;
mod transaction;

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use futures::future::BoxFuture;
use serde_json::Value;
use store::{Execution, ExecutionStatus, Job, JobStatus, WorkflowId};
use tokio::sync::watch;

use super::{Lane, Next, Processor, Ran};
use crate::{
    EngineError, Outcome,
    nodes::NodeError,
    plan::{Plan, Step},
    reader::{Reader, Within},
};
pub(crate) use history::jobs_before;

use history::History;
use line::{Left, Line};
use transaction::{Committed, Ended, Stored, Then, Transaction};

/// Jobs of nodes that work at once that are stored together: bounds what a crash makes a walk do again.
const UNSTORED: usize = 64;

/// An execution that is being run.
pub(super) struct Walk<'p> {
    processor: &'p Arc<Processor>,
    execution: Execution,
    plan: Arc<Plan>,
    lane: Lane,
    /// Changes when a job of the execution may have been ended from outside.
    events: watch::Receiver<u64>,
    /// The transaction that the walk is part of, if it is part of one.
    within: Option<Part<'p>>,
    woken: Mutex<Vec<WorkflowId>>,
    /// How the execution was ended, if that was with a node's work.
    closed: Mutex<Option<Box<Ended>>>,
}

/// How a walk is part of somebody's transaction.
pub(super) struct Part<'p> {
    pub(super) transaction: Within<'p>,
    /// No node is begun after this.
    pub(super) deadline: Instant,
}

/// What a node has come to.
enum Turn {
    /// Its job is in this state, with this result.
    Done(JobStatus, Arc<Value>),
    /// The line is left here.
    Left(Left),
}

impl<'p> Walk<'p> {
    pub(super) fn new(
        processor: &'p Arc<Processor>,
        execution: Execution,
        plan: Arc<Plan>,
        lane: Lane,
        events: watch::Receiver<u64>,
    ) -> Self {
        let (woken, closed) = (Mutex::default(), Mutex::default());
        Self { processor, execution, plan, lane, events, within: None, woken, closed }
    }

    /// The same, as part of a transaction.
    pub(super) fn within(self, part: Part<'p>) -> Self {
        Self { within: Some(part), ..self }
    }

    /// Goes on after the stored jobs, until the execution ends or waits.
    pub(super) async fn run(mut self, jobs: Vec<Job>) -> Result<Ran, EngineError> {
        let context = std::mem::take(&mut self.execution.context);
        let mut line = Line::main(context, self.processor.clock().now_ms(), Arc::new(History::new(jobs)));
        let left = self.line(&mut line, self.plan.start()).await?;
        let (status, due_at_ms, next) = match left {
            Left::Closed => {
                let ended = locked(&self.closed).take();
                match ended {
                    Some(ended) => self.ended(ended),
                    None => (ExecutionStatus::Error, None, Next::Unknown),
                }
            }
            Left::Stopped(status) => (status, None, Next::Unknown),
            Left::Through => self.settle(&mut line, Some(ExecutionStatus::Resolved)).await?,
            Left::Broken(status) => self.settle(&mut line, status.ends_execution_as()).await?,
            Left::Ends(status) => self.settle(&mut line, Some(status)).await?,
            Left::Waits(_) => self.settle(&mut line, None).await?,
        };
        let ended_by_node = matches!(left, Left::Ends(verdict) if verdict == status);
        let said = line.said;
        let outcome =
            Outcome { id: self.execution.id, status, messages: said.messages, ended_by_node, output: said.output };
        let woken = std::mem::take(&mut *locked(&self.woken));
        Ok(Ran { outcome, woken, due_at_ms, executions: usize::from(status.is_final()), next })
    }

    /// Stores what is left and ends the execution, or leaves it waiting.
    async fn settle(
        &self,
        line: &mut Line,
        status: Option<ExecutionStatus>,
    ) -> Result<(ExecutionStatus, Option<i64>, Next), EngineError> {
        let output = line.said.output.clone();
        let then = match status {
            Some(status) => Then::End(status, output),
            None => Then::Wait,
        };
        Ok(match self.store(line, then).await? {
            Stored::Ended(ended) => self.ended(ended),
            Stored::Waiting(due_at_ms, next) => (ExecutionStatus::Started, due_at_ms, next),
            Stored::Going(_) => (ExecutionStatus::Started, None, Next::Unknown),
            Stored::Stopped(status) => (status, None, Next::Unknown),
        })
    }

    /// Tells those that wait for the end of the execution.
    fn ended(&self, ended: Box<Ended>) -> (ExecutionStatus, Option<i64>, Next) {
        locked(&self.woken).extend(ended.woken);
        let parent = self.execution.stack.last();
        if let Some(parent) = parent {
            self.processor.tell(*parent);
        }
        // A job of the parent may have fallen due.
        let due_at_ms = parent.map(|_| self.processor.clock().now_ms());
        (ended.status, due_at_ms, ended.next)
    }

    /// Walks a line from a node on.
    fn line<'w>(&'w self, line: &'w mut Line, first: Option<usize>) -> BoxFuture<'w, Result<Left, EngineError>> {
        Box::pin(async move {
            let mut next = first;
            // Each node is run at most once by a line; more steps than nodes would be a broken one.
            for _ in 0..=self.plan.len() {
                let Some(index) = next else { return Ok(Left::Through) };
                let (status, result) = match self.node(line, index).await? {
                    Turn::Done(status, result) => (status, result),
                    Turn::Left(left) => return Ok(left),
                };
                match self.plan.after(index, status, &result) {
                    Step::Go(index) => next = Some(index),
                    Step::Through => return Ok(Left::Through),
                    Step::Broken(status) => return Ok(Left::Broken(status)),
                    Step::Ends(status) => return Ok(Left::Ends(status)),
                    Step::Wait => return Ok(Left::Waits(None)),
                }
            }
            Ok(Left::Broken(JobStatus::Error))
        })
    }

    /// Stores what a line has left to be stored; `Some` if the execution was stopped meanwhile.
    async fn flush(&self, line: &mut Line) -> Result<Option<Left>, EngineError> {
        if line.unstored.is_empty() {
            return Ok(None);
        }
        match self.store(line, Then::Nothing).await? {
            Stored::Stopped(status) => Ok(Some(Left::Stopped(status))),
            Stored::Going(_) | Stored::Ended(_) | Stored::Waiting(..) => Ok(None),
        }
    }

    /// Where nodes read.
    fn reader(&self) -> &dyn Reader {
        match &self.within {
            None => &self.processor.store,
            Some(part) => &part.transaction,
        }
    }

    /// Carries out one transaction, or a step of the one that the walk is part of. If it fails, what was unstored still is.
    async fn store(&self, line: &mut Line, then: Then) -> Result<Stored, NodeError> {
        let transaction = Transaction {
            processor: Arc::clone(self.processor),
            lane: self.lane,
            execution: self.execution.id,
            stack: self.execution.stack.clone(),
            plan: Arc::clone(&self.plan),
            entries: line.unstored.clone(),
            last: line.last,
            output: line.said.output.clone(),
        };
        let work = transaction.work(then);
        let Committed { stored, last, woken } = match &self.within {
            None => self.processor.store.write(work).await?,
            Some(part) => part.transaction.tx().await.step(work).await?,
        };
        line.unstored.clear();
        line.last = last;
        line.forget_receipts(&stored);
        locked(&self.woken).extend(woken);
        Ok(stored)
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
