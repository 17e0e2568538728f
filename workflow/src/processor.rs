//! The processor: walks the nodes of an execution and stores what they did.
//!
//! It claims an execution, takes the stored jobs as the state, and goes on from there: so a restart and a delay that is over
//! are the same thing (see [`walk`]). A node's effect and its job are committed together and, where the walk ends, with the end
//! of the execution; what is written into a further database is committed there before. Each of these transactions first looks whether the execution is still running, so a cancelled one stops
//! at its next node and leaves nothing half done.

mod walk;
mod within;

use std::{
    collections::HashMap,
    panic::AssertUnwindSafe,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use futures::{FutureExt as _, future::BoxFuture};
use store::{
    Claimed, ClaimedBy, Clock, Conn, Execution, ExecutionId, ExecutionStatus, HandBack, Job, Store, StoreError,
    Takeover, Tx, WorkflowId,
};
use tokio::sync::watch;
use tracing::Instrument as _;

pub(crate) use walk::jobs_before;
pub(crate) use within::not_within;

use crate::{
    EngineError, Outcome,
    ending::{self, Reason},
    expression::Expressions,
    nodes::NodeTypes,
    outside::Outside,
    plan::{Plan, Plans},
    sources::Sources,
};

/// Executions without nodes that are begun and ended in one transaction: enough to share its cost, few enough that other
/// writers wait a few milliseconds at most.
const EMPTY_PER_WRITE: usize = 32;

/// How long the caller of a synchronous execution may take to run it, once it can be run: far longer than a busy one does.
const ABANDONED_AFTER_MS: i64 = 10_000;

/// How often an execution may be taken over or break, without having got anywhere in between. A server that dies again and
/// again of something else takes the same ones down each time: few enough to end what kills it, too many for bad luck.
const MOST_TAKEOVERS: i64 = 20;

/// Abandoned executions taken up by one sweep; they are rare.
const ABANDONED_PER_SWEEP: u32 = 100;

/// Runs executions. Shared by all that run.
pub(crate) struct Processor {
    store: Store,
    claim: ClaimedBy,
    plans: Plans,
    expressions: Expressions,
    outside: Arc<Outside>,
    sources: Arc<dyn Sources>,
    /// Executions that are claimed but not run any more. No more than were running when the database failed.
    interrupted: Mutex<Vec<(ExecutionId, HandBack)>>,
    /// Those that are run here, and how they are told that a job of theirs was ended from outside.
    running: Mutex<HashMap<ExecutionId, watch::Sender<u64>>>,
}

/// Which execution to run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Task {
    /// The oldest queued one of a workflow.
    Next(WorkflowId),
    /// This one: claimed at birth, taken back from a former process, or with a job whose time has come.
    This(ExecutionId),
}

/// What a run has come to.
pub(crate) struct Ran {
    /// How the execution went.
    pub(crate) outcome: Outcome,
    /// Workflows that have work because of it.
    pub(crate) woken: Vec<WorkflowId>,
    /// When a job of it falls due, in milliseconds since 1970.
    pub(crate) due_at_ms: Option<i64>,
    /// How many executions ended, this one included.
    pub(crate) executions: usize,
    pub(crate) next: Next,
}

/// What comes after an execution in its lane.
pub(crate) enum Next {
    /// This one, claimed in the transaction that ended the one before.
    Begun(Box<Begun>),
    /// Nothing: that transaction has found nothing to claim.
    Nobody,
    /// What there is: nobody has looked.
    Unknown,
}

impl Ran {
    /// An execution was ended without its nodes.
    fn over(id: ExecutionId, status: ExecutionStatus, woken: Vec<WorkflowId>, executions: usize, next: Next) -> Self {
        let outcome = Outcome { id, status, messages: Vec::new(), ended_by_node: false, output: None };
        Self { outcome, woken, due_at_ms: None, executions, next }
    }
}

/// Lists an execution as one that is run here, while it lasts.
struct Running<'p> {
    processor: &'p Processor,
    id: ExecutionId,
    events: watch::Receiver<u64>,
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        let mut running = self.processor.running();
        // Whoever has taken it up again meanwhile stays listed.
        if running.get(&self.id).is_some_and(|told| told.subscribe().same_channel(&self.events)) {
            running.remove(&self.id);
        }
    }
}

/// Whether the next execution of a lane is claimed in the transaction that ends this one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lane {
    /// It is, if it is of this workflow: a turn goes on.
    GoesOn(WorkflowId),
    /// It is not.
    Ends,
}

/// An execution that was claimed, with everything to go on from.
pub(crate) struct Begun {
    execution: Execution,
    plan: Arc<Plan>,
    jobs: Vec<Job>,
    woken: Vec<WorkflowId>,
    /// Executions that were ended in the same transaction, this one included if it is over.
    ended: usize,
    /// It is over, and the transaction has found nothing to claim behind it.
    is_last: bool,
    /// Changes when a job of it was ended from outside.
    events: watch::Receiver<u64>,
    /// How many executions of the workflow may run at once.
    pub(crate) concurrency: u32,
}

impl Begun {
    /// Its workflow version.
    pub(crate) fn workflow(&self) -> WorkflowId {
        self.execution.workflow_id
    }
}

impl Processor {
    pub(crate) fn new(
        store: Store,
        claim: ClaimedBy,
        types: Arc<NodeTypes>,
        expressions: Expressions,
        outside: Arc<Outside>,
        sources: Arc<dyn Sources>,
    ) -> Self {
        Self {
            store,
            claim,
            plans: Plans::new(types),
            expressions,
            outside,
            sources,
            interrupted: Mutex::default(),
            running: Mutex::default(),
        }
    }

    /// What time it is for executions: the store's clock, as moments are stored by it.
    fn clock(&self) -> &Clock {
        self.store.clock()
    }

    /// Claims an execution; `None` if there is none to run.
    pub(crate) async fn claim(self: &Arc<Self>, task: Task) -> Result<Option<Begun>, EngineError> {
        let processor = Arc::clone(self);
        let turn = match task {
            Task::Next(workflow) => Some(workflow),
            Task::This(_) => None,
        };
        let begun = self
            .store
            .write_in_turn(turn, move |tx| -> BoxFuture<'_, Result<Option<Begun>, StoreError>> {
                Box::pin(async move { processor.begin(tx, task).await })
            })
            .await;
        match begun {
            Ok(begun) => {
                if let (None, Task::This(id)) = (&begun, task) {
                    self.tell(id);
                }
                Ok(begun)
            }
            Err(error) if error.is_transient() => Err(error.into()),
            Err(error) => {
                // It cannot even be read: whoever comes next would fail at it too, and never get to the others.
                self.isolate(task).await?;
                Err(error.into())
            }
        }
    }

    /// Ends an execution that cannot be begun.
    async fn isolate(&self, task: Task) -> Result<(), StoreError> {
        self.store
            .write(move |tx| -> BoxFuture<'_, Result<(), StoreError>> {
                Box::pin(async move {
                    let id = match task {
                        Task::This(id) => Some(id),
                        Task::Next(workflow) => tx.next_queued(workflow).await?,
                    };
                    let Some(id) = id else { return Ok(()) };
                    if tx.execution_status(id).await?.is_none_or(ExecutionStatus::is_final) {
                        return Ok(());
                    }
                    tracing::error!(execution = id.0, "an execution cannot be begun and is given up as poison");
                    ending::abort(tx, id, Reason::Poison).await.map(drop)
                })
            })
            .await
    }

    /// Claims an execution and runs it until it ends or waits; `None` if there is none to run.
    pub(crate) async fn run(self: &Arc<Self>, task: Task, lane: Lane) -> Result<Option<Ran>, EngineError> {
        match self.claim(task).await? {
            Some(begun) => self.go_on(begun, lane).await.map(Some),
            None => Ok(None),
        }
    }

    /// Tells the run of an execution, if it is run here, that a job of it may have been ended from outside. What comes too
    /// late for it stays marked in the store.
    pub(crate) fn tell(&self, id: ExecutionId) {
        if let Some(events) = self.running().get(&id) {
            events.send_modify(|count| *count += 1);
        }
    }

    fn running(&self) -> MutexGuard<'_, HashMap<ExecutionId, watch::Sender<u64>>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs a claimed execution until it ends or waits, or until its time is over. Dropping the future stops between two
    /// transactions: the execution stays claimed until this process hands it back or its lease ends.
    pub(crate) async fn go_on(self: &Arc<Self>, begun: Begun, lane: Lane) -> Result<Ran, EngineError> {
        let Begun { execution, plan, jobs, woken, ended, is_last, events, .. } = begun;
        let (id, status) = (execution.id, execution.status);
        if status.is_final() {
            let next = if is_last { Next::Nobody } else { Next::Unknown };
            return Ok(Ran::over(id, status, woken, ended, next));
        }
        let span = span(&execution);
        let expires_at_ms = execution.expires_at_ms;
        let running = Running { processor: self, id, events: events.clone() };
        let walk = walk::Walk::new(self, execution, plan, lane, events);
        let walking = AssertUnwindSafe(walk.run(jobs)).catch_unwind().instrument(span.clone());
        let walking = walking.map(|ran| ran.unwrap_or(Err(EngineError::Panicked)));
        let ran = match expires_at_ms {
            None => walking.await,
            Some(expires_at_ms) => self.within_time(id, expires_at_ms, walking).await,
        };
        drop(running);
        match ran {
            Ok(mut ran) => {
                span.record("status", ran.outcome.status.to_string());
                if let (ExecutionStatus::Started, Some(expires)) = (ran.outcome.status, expires_at_ms) {
                    ran.due_at_ms = Some(ran.due_at_ms.map_or(expires, |due| due.min(expires)));
                }
                ran.executions += ended;
                ran.woken.extend(woken);
                Ok(ran)
            }
            Err(error) => {
                let why = if error.is_transient() { HandBack::Undisturbed } else { HandBack::Broken };
                self.interrupted().push((id, why));
                Err(error)
            }
        }
    }

    /// Waits for a run, and aborts the execution when its time is over.
    async fn within_time(
        &self,
        id: ExecutionId,
        expires_at_ms: i64,
        walking: impl Future<Output = Result<Ran, EngineError>>,
    ) -> Result<Ran, EngineError> {
        tokio::pin!(walking);
        tokio::select! {
            biased;
            () = self.clock().reaches(expires_at_ms) => {}
            ran = &mut walking => return ran,
        }
        // Once this is stored, no transaction of the run can be any more, so it can be dropped wherever it is. Otherwise it
        // has just come to its own end.
        match self.expire(id, Some(self.claim.clone())).await? {
            Some(woken) => Ok(Ran::over(id, ExecutionStatus::Aborted, woken, 1, Next::Unknown)),
            None => walking.await,
        }
    }

    /// Aborts a started execution whose time is over, if it is held by this process, or by none. `None` if it is not.
    pub(crate) async fn expire(
        &self,
        id: ExecutionId,
        held_by: Option<ClaimedBy>,
    ) -> Result<Option<Vec<WorkflowId>>, StoreError> {
        self.store
            .write(move |tx| -> BoxFuture<'_, Result<_, StoreError>> {
                Box::pin(async move {
                    let standing = tx.standing(id, held_by.as_ref()).await?;
                    if !standing.is_some_and(|standing| standing.held && standing.status == ExecutionStatus::Started) {
                        return Ok(None);
                    }
                    ending::abort(tx, id, Reason::Timeout).await.map(Some)
                })
            })
            .await
    }

    /// Synchronous executions whose caller went away before it could run them.
    pub(crate) async fn abandoned(&self, conn: &mut Conn) -> Result<Vec<ExecutionId>, StoreError> {
        let before_ms = self.clock().now_ms().saturating_sub(ABANDONED_AFTER_MS);
        conn.abandoned_executions(&self.claim, before_ms, ABANDONED_PER_SWEEP).await
    }

    /// Takes back what processes without a lease have left behind, and isolates what they have died of again and again.
    pub(crate) async fn take_back(&self) -> Result<(), StoreError> {
        let taken = self
            .store
            .write(move |tx| -> BoxFuture<'_, Result<_, StoreError>> {
                Box::pin(async move {
                    let now_ms = tx.now_ms().await?;
                    let taken = tx.take_back(now_ms).await?;
                    for takeover in &taken {
                        isolate_poison(tx, *takeover).await?;
                    }
                    Ok(taken)
                })
            })
            .await?;
        if !taken.is_empty() {
            tracing::info!(executions = taken.len(), "going on with what a former process left behind");
        }
        Ok(())
    }

    /// Gives up the claims of executions whose run broke off, to be run again; also of those whose claim may be stored although
    /// whoever claimed them was told otherwise, or has gone away before it ran them.
    pub(crate) async fn hand_back_interrupted(&self) -> Result<(), StoreError> {
        let unattended: Vec<ExecutionId> =
            self.running().extract_if(|_, told| told.receiver_count() == 0).map(|(id, _)| id).collect();
        self.interrupted().extend(unattended.into_iter().map(|id| (id, HandBack::Undisturbed)));
        let interrupted = std::mem::take(&mut *self.interrupted());
        if interrupted.is_empty() {
            return Ok(());
        }
        let (work, claim) = (interrupted.clone(), self.claim.clone());
        let result = self
            .store
            .write(move |tx| -> BoxFuture<'_, Result<(), StoreError>> {
                Box::pin(async move {
                    for (id, why) in work {
                        // A transaction of which nobody knows what became may still hold it.
                        tx.standing(id, Some(&claim)).await?;
                        if let Some(takeover) = tx.hand_back(id, &claim, why).await? {
                            isolate_poison(tx, takeover).await?;
                        }
                    }
                    Ok(())
                })
            })
            .await;
        if result.is_err() {
            self.interrupted().extend(interrupted);
        }
        result
    }

    fn interrupted(&self) -> MutexGuard<'_, Vec<(ExecutionId, HandBack)>> {
        self.interrupted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Claims an execution; those that have no nodes are ended right away, and the next one is claimed.
    async fn begin(&self, tx: &mut Tx, task: Task) -> Result<Option<Begun>, StoreError> {
        let (mut woken, mut last, mut ended) = (Vec::new(), None::<Begun>, 0);
        loop {
            let claimed = match task {
                Task::Next(workflow) => tx.claim_next(workflow, &self.claim).await?,
                Task::This(id) => {
                    tx.claim(id, &self.claim).await?.map(|execution| Claimed { execution, concurrency: 1 })
                }
            };
            let Some(Claimed { mut execution, concurrency }) = claimed else {
                return Ok(last.map(|last| Begun { is_last: true, ..last }));
            };
            let plan = self.plans.get(tx, execution.workflow_id).await?;
            if plan.start().is_some() {
                let (told, events) = watch::channel(0);
                self.running().insert(execution.id, told);
                // A new execution has no jobs, unless it took over another one's.
                let jobs = match (task, execution.retry_of) {
                    (Task::Next(_), None) => Vec::new(),
                    (Task::Next(_), Some(_)) | (Task::This(_), _) => tx.jobs(execution.id).await?,
                };
                return Ok(Some(Begun { execution, plan, jobs, woken, ended, is_last: false, concurrency, events }));
            }
            let status = ExecutionStatus::Resolved;
            woken.extend(ending::end(tx, execution.id, status, None).await?);
            execution.status = status;
            ended += 1;
            let events = watch::channel(0).1;
            let (jobs, woken, is_last) = (Vec::new(), woken.clone(), false);
            let begun = Begun { execution, plan, jobs, woken, ended, is_last, concurrency, events };
            if ended >= EMPTY_PER_WRITE || matches!(task, Task::This(_)) {
                return Ok(Some(begun));
            }
            last = Some(begun);
        }
    }
}

/// What is logged of a run, and traced.
fn span(execution: &Execution) -> tracing::Span {
    tracing::info_span!(
        "execution",
        id = execution.id.0,
        workflow = execution.workflow_id.0,
        event = execution.event_key,
        status = tracing::field::Empty
    )
}

/// Ends an execution that breaks whoever runs it, so that the others go on.
async fn isolate_poison(tx: &mut Tx, takeover: Takeover) -> Result<(), StoreError> {
    if takeover.times <= MOST_TAKEOVERS {
        return Ok(());
    }
    tracing::error!(execution = takeover.id.0, takeovers = takeover.times, "an execution is given up as poison");
    ending::abort(tx, takeover.id, Reason::Poison).await.map(drop)
}
