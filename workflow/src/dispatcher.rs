//! The dispatcher: finds work in the store and runs it, in order within a workflow and in parallel across workflows.
//!
//! A fixed number of workers take lanes from a line. A lane is a workflow with queued executions: its worker runs them one
//! after the other, oldest first, and goes to the back of the line after a while, so that a long lane starves nobody. An
//! execution that waits gives its lane free. The line is only a memory of hints: what it does not know, the sweep finds in
//! the store, which is the queue.

mod history;
mod lease;
mod line;
mod others;
mod sweep;

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use store::{ExecutionId, ExecutionStatus, Store, WorkflowId};
use tokio::sync::Notify;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::Instrument as _;

use crate::{
    EngineError, Outcome,
    processor::{Begun, Lane, Next, Processor, Ran, Task},
};
pub(crate) use lease::Lease;
use line::{Line, Ticket};
use sweep::Alarm;

/// Executions a worker runs in one lane before the next lane has its turn: enough that taking turns costs nothing, few
/// enough that nobody waits for a long backlog of somebody else.
const EXECUTIONS_PER_TURN: usize = 64;

/// Finds work and runs it. Shared by the workers, the sweep and the engine's handle.
pub(crate) struct Dispatcher {
    store: Store,
    processor: Arc<Processor>,
    lease: Lease,
    line: Line,
    alarm: Alarm,
    /// How many workflows are run at a time; 0 leaves them to other hosts.
    workers: usize,
    /// Synchronous runs that are under way.
    direct: AtomicUsize,
    /// Something has ended: those who wait for quiet look again.
    settled: Notify,
    tasks: TaskTracker,
    /// Keeps the lease while anything runs.
    keeper: TaskTracker,
    /// No more work is taken.
    draining: CancellationToken,
    /// What still runs is dropped; the store knows how to go on.
    stopped: CancellationToken,
}

impl Dispatcher {
    pub(crate) fn new(
        store: Store,
        processor: Arc<Processor>,
        lease: Lease,
        workers: usize,
        stopped: CancellationToken,
    ) -> Self {
        Self {
            store,
            processor,
            lease,
            line: Line::default(),
            alarm: Alarm::default(),
            workers,
            direct: AtomicUsize::new(0),
            settled: Notify::new(),
            tasks: TaskTracker::new(),
            keeper: TaskTracker::new(),
            draining: stopped.child_token(),
            stopped,
        }
    }

    /// Says whether this host runs what is queued.
    fn works(&self) -> bool {
        self.workers > 0
    }

    /// Starts the workers, the sweep, the keeper of the lease, the ear for other hosts and the caretaker of the history.
    pub(crate) fn start(self: &Arc<Self>) {
        let dispatcher = Arc::clone(self);
        self.keeper.spawn(async move { dispatcher.lease.keep(&dispatcher.stopped).await });
        // One at least: what was to be run before the answer, and whose caller has gone away, is left to nobody else.
        for _ in 0..self.workers.max(1) {
            let dispatcher = Arc::clone(self);
            self.tasks.spawn(async move { dispatcher.work().await });
        }
        let dispatcher = Arc::clone(self);
        self.tasks.spawn(async move { dispatcher.sweep().await });
        if let Some(hints) = self.store.hints() {
            let dispatcher = Arc::clone(self);
            self.tasks.spawn(async move { dispatcher.hear(hints).await });
        }
        if self.works() {
            let dispatcher = Arc::clone(self);
            self.tasks.spawn(async move { dispatcher.look_after_history().await });
        }
    }

    /// What runs executions.
    pub(crate) fn processor(&self) -> &Arc<Processor> {
        &self.processor
    }

    /// Takes the hint that these workflows have queued executions.
    pub(crate) fn wake(&self, workflows: &[WorkflowId]) {
        if self.works() {
            workflows.iter().for_each(|workflow| self.line.push(Task::Next(*workflow)));
        }
    }

    /// Runs one execution at once, in a task of its own.
    pub(crate) async fn run(self: &Arc<Self>, id: ExecutionId) -> Result<Outcome, EngineError> {
        if self.draining.is_cancelled() {
            return Err(EngineError::Stopping);
        }
        let dispatcher = Arc::clone(self);
        self.direct.fetch_add(1, Ordering::SeqCst);
        // The caller's span goes along: the execution is part of its request.
        let task = self.tasks.spawn(
            async move {
                let _direct = Direct(&dispatcher);
                dispatcher.noted(dispatcher.processor.run(Task::This(id), Lane::Ends)).await
            }
            .in_current_span(),
        );
        match task.await {
            Ok(Ok(Some(ran))) => Ok(ran.outcome),
            Ok(Ok(None)) => Err(EngineError::NotFound),
            Ok(Err(error)) => Err(error),
            Err(_gone) => Err(EngineError::Stopping),
        }
    }

    /// Waits until nothing is queued or running.
    pub(crate) async fn quiet(&self) {
        loop {
            let settled = self.settled.notified();
            tokio::pin!(settled);
            settled.as_mut().enable();
            if self.direct.load(Ordering::SeqCst) == 0 && self.line.is_empty() {
                match self.take_in().await {
                    Ok(()) if self.line.is_empty() => return,
                    Ok(()) => {}
                    Err(error) => tracing::warn!(%error, "the queue could not be read"),
                }
            }
            tokio::select! {
                () = settled => {}
                () = self.stopped.cancelled() => return,
            }
        }
    }

    /// Takes no more work, waits `grace` for what runs, stops, and hands back what is left.
    pub(crate) async fn shut_down(&self, grace: std::time::Duration) {
        self.draining.cancel();
        self.tasks.close();
        if tokio::time::timeout(grace, self.tasks.wait()).await.is_err() {
            tracing::warn!(?grace, "executions are left to others");
        }
        self.stopped.cancel();
        self.keeper.close();
        self.tasks.wait().await;
        self.keeper.wait().await;
        if let Err(error) = self.lease.give_up().await {
            tracing::warn!(error = &error as &dyn std::error::Error, "claims are left to expire");
        }
    }

    /// Puts into the line what is queued, or to be gone on with.
    async fn take_in(&self) -> Result<(), store::StoreError> {
        if !self.works() {
            return Ok(());
        }
        let mut conn = self.store.read().await?;
        for id in conn.ready_executions(sweep::DUE_PER_SWEEP).await? {
            self.line.push(Task::This(id));
        }
        self.wake(&conn.workflows_with_queued().await?);
        Ok(())
    }

    /// A worker: takes tasks from the line until told to stop.
    async fn work(&self) {
        loop {
            let ticket = tokio::select! {
                biased;
                () = self.draining.cancelled() => return,
                ticket = self.line.take() => ticket,
            };
            let more = match ticket.task {
                Task::Next(workflow) => self.turn(workflow, ticket).await,
                Task::This(_) => {
                    self.one(ticket.task).await;
                    false
                }
            };
            self.line.done(ticket, more);
            self.settled.notify_waiters();
        }
    }

    /// Goes on with an execution, and leaves word that its workflow may have been kept waiting by it.
    async fn one(&self, task: Task) {
        let mut workflow = None;
        let run = async {
            let Some(begun) = self.processor.claim(task).await? else { return Ok(None) };
            workflow = Some(begun.workflow());
            self.processor.go_on(begun, Lane::Ends).await.map(Some)
        };
        let ran = self.noted(run).await;
        self.logged(ran);
        self.wake(workflow.as_slice());
    }

    /// A turn of a lane; says whether there may be more to do.
    async fn turn(&self, workflow: WorkflowId, ticket: Ticket) -> bool {
        let mut executions = 0;
        let mut begun: Option<Begun> = None;
        loop {
            let last = executions + 1 >= EXECUTIONS_PER_TURN || self.draining.is_cancelled();
            let lane = if last { Lane::Ends } else { Lane::GoesOn(workflow) };
            let claimed = match begun.take() {
                Some(begun) => Ok(Some(begun)),
                None => self.processor.claim(Task::Next(workflow)).await,
            };
            let ran = match claimed {
                Ok(Some(begun)) => {
                    // Where this one was, the next one may be.
                    self.line.widen(ticket, begun.concurrency);
                    self.noted(async { self.processor.go_on(begun, lane).await.map(Some) }).await
                }
                Ok(None) => Ok(None),
                Err(error) => Err(error),
            };
            let Some(ran) = self.logged(ran) else { return false };
            executions += ran.executions.max(1);
            begun = match ran.next {
                Next::Begun(next) => Some(*next),
                // What is queued from now on is hinted at.
                Next::Nobody => return false,
                Next::Unknown => None,
            };
            if last {
                return true;
            }
        }
    }

    /// Passes on what a run has brought about.
    async fn noted(
        &self,
        run: impl Future<Output = Result<Option<Ran>, EngineError>>,
    ) -> Result<Option<Ran>, EngineError> {
        let ran = tokio::select! {
            biased;
            () = self.stopped.cancelled() => return Err(EngineError::Stopping),
            ran = run => ran?,
        };
        if let Some(ran) = &ran {
            self.wake_anybody(&ran.woken);
            if let Some(due_at_ms) = ran.due_at_ms {
                self.alarm.set(due_at_ms);
            }
            if !matches!(ran.outcome.status, ExecutionStatus::Resolved | ExecutionStatus::Started) {
                // Its next attempt may be due sooner than the next sweep.
                self.alarm.set(self.store.clock().now_ms());
            }
        }
        Ok(ran)
    }

    /// Leaves a failure in the background to the operator.
    fn logged(&self, ran: Result<Option<Ran>, EngineError>) -> Option<Ran> {
        match ran {
            Ok(ran) => ran,
            Err(EngineError::Stopping) => None,
            Err(error) => {
                tracing::error!(error = &error as &dyn std::error::Error, "an execution is interrupted");
                None
            }
        }
    }
}

/// Counts a synchronous run while it lasts.
struct Direct<'d>(&'d Dispatcher);

impl Drop for Direct<'_> {
    fn drop(&mut self) {
        self.0.direct.fetch_sub(1, Ordering::SeqCst);
        self.0.settled.notify_waiters();
    }
}
