//! The processor: walks the nodes of an execution and stores what they did.
//!
//! It claims an execution, takes the stored jobs as the state, and goes on from there: so a restart and a delay that is over
//! are the same thing (see [`walk`]). A node's effect and its job are committed together and, where the walk ends, with the end
//! of the execution. Each of these transactions first looks whether the execution is still running, so a cancelled one stops
//! at its next node and leaves nothing half done.

mod walk;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{SystemTime, UNIX_EPOCH},
};

use futures::future::BoxFuture;
use store::{
    ClaimedBy, Conn, Execution, ExecutionFinish, ExecutionId, ExecutionStatus, Job, Store, StoreError, Tx, WorkflowId,
};
use tokio::sync::watch;

use crate::{
    EngineError, Outcome,
    expression::Expressions,
    nodes::NodeTypes,
    plan::{Plan, Plans},
};

/// Executions without nodes that are begun and ended in one transaction: enough to share its cost, few enough that other
/// writers wait a few milliseconds at most.
const EMPTY_PER_WRITE: usize = 32;

/// How long the caller of a synchronous execution may take to run it, once it can be run: far longer than a busy one does.
const ABANDONED_AFTER_MS: i64 = 10_000;

/// Abandoned executions taken up by one sweep; they are rare.
const ABANDONED_PER_SWEEP: u32 = 100;

/// Runs executions. Shared by all that run.
pub(crate) struct Processor {
    store: Store,
    claim: ClaimedBy,
    plans: Plans,
    expressions: Expressions,
    /// Executions that are claimed but not run any more. No more than were running when the database failed.
    interrupted: Mutex<Vec<ExecutionId>>,
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
    /// The next execution of the lane, claimed with the end of this one.
    pub(crate) next: Option<Begun>,
    /// Whether it was told meanwhile that a job of it was ended from outside.
    pub(crate) told: Told,
}

/// Whether a run was told that a job of its execution was ended from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Told {
    /// It was.
    Yes,
    /// It was not.
    No,
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
    /// Changes when a job of it was ended from outside.
    events: watch::Receiver<u64>,
}

impl Processor {
    pub(crate) fn new(store: Store, claim: ClaimedBy, types: Arc<NodeTypes>, expressions: Expressions) -> Self {
        Self {
            store,
            claim,
            plans: Plans::new(types),
            expressions,
            interrupted: Mutex::default(),
            running: Mutex::default(),
        }
    }

    /// Claims an execution and runs it until it ends or waits; `None` if there is none to run. Dropping the future stops
    /// between two transactions: the execution stays claimed, and a later process goes on with it.
    pub(crate) async fn run(self: &Arc<Self>, task: Task, lane: Lane) -> Result<Option<Ran>, EngineError> {
        let mut begun = self.claim(task).await?;
        if let (None, Task::This(id)) = (&begun, task)
            && !self.tell(id)
        {
            // Its run here has ended just now.
            begun = self.claim(task).await?;
        }
        match begun {
            Some(begun) => self.go_on(begun, lane).await.map(Some),
            None => Ok(None),
        }
    }

    async fn claim(self: &Arc<Self>, task: Task) -> Result<Option<Begun>, StoreError> {
        let processor = Arc::clone(self);
        self.store
            .write(move |tx| -> BoxFuture<'_, Result<Option<Begun>, StoreError>> {
                Box::pin(async move { processor.begin(tx, task).await })
            })
            .await
    }

    /// Tells the run of an execution that a job of it may have been ended from outside; `false` if it is not run here.
    pub(crate) fn tell(&self, id: ExecutionId) -> bool {
        let running = self.running();
        let Some(events) = running.get(&id) else { return false };
        events.send_modify(|count| *count += 1);
        true
    }

    fn running(&self) -> MutexGuard<'_, HashMap<ExecutionId, watch::Sender<u64>>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs a claimed execution until it ends or waits.
    pub(crate) async fn go_on(self: &Arc<Self>, begun: Begun, lane: Lane) -> Result<Ran, EngineError> {
        let mut ran = self.walk(begun, lane).await?;
        // Something has happened to a job while the walk was about to leave: it may wait for nothing any more.
        while let (ExecutionStatus::Started, Told::Yes) = (ran.outcome.status, ran.told) {
            let Some(begun) = self.claim(Task::This(ran.outcome.id)).await? else { break };
            let again = self.walk(begun, Lane::Ends).await?;
            ran.woken.extend(again.woken);
            ran.executions += again.executions;
            (ran.outcome, ran.due_at_ms, ran.told) = (again.outcome, again.due_at_ms, again.told);
        }
        Ok(ran)
    }

    async fn walk(self: &Arc<Self>, begun: Begun, lane: Lane) -> Result<Ran, EngineError> {
        let Begun { execution, plan, jobs, woken, ended, events } = begun;
        let (id, status) = (execution.id, execution.status);
        if status.is_final() {
            let outcome = Outcome { id, status, messages: Vec::new(), ended_by_node: false };
            return Ok(Ran { outcome, woken, due_at_ms: None, executions: ended, next: None, told: Told::No });
        }
        let told = events.clone();
        let running = Running { processor: self, id, events: events.clone() };
        let result = walk::Walk::new(self, execution, plan, lane, events).run(jobs).await;
        // From here on nobody tells this run anything.
        drop(running);
        match result {
            Ok(mut ran) => {
                ran.executions += ended;
                ran.woken.extend(woken);
                if *told.borrow() > 0 {
                    ran.told = Told::Yes;
                }
                Ok(ran)
            }
            Err(error) => {
                self.interrupted().push(id);
                Err(error)
            }
        }
    }

    /// Synchronous executions whose caller went away before it could run them.
    pub(crate) async fn abandoned(&self, conn: &mut Conn) -> Result<Vec<ExecutionId>, StoreError> {
        let before_ms = millis(SystemTime::now()).saturating_sub(ABANDONED_AFTER_MS);
        conn.abandoned_executions(&self.claim, before_ms, ABANDONED_PER_SWEEP).await
    }

    /// Gives up the claims of executions whose run the database broke off, and answers them: to be run again.
    pub(crate) async fn release_interrupted(&self) -> Result<Vec<ExecutionId>, StoreError> {
        let ids = std::mem::take(&mut *self.interrupted());
        if ids.is_empty() {
            return Ok(ids);
        }
        let released = ids.clone();
        let result = self
            .store
            .write(move |tx| -> BoxFuture<'_, Result<(), StoreError>> {
                Box::pin(async move {
                    for id in released {
                        tx.release(id).await?;
                    }
                    Ok(())
                })
            })
            .await;
        match result {
            Ok(()) => Ok(ids),
            Err(error) => {
                self.interrupted().extend(ids);
                Err(error)
            }
        }
    }

    fn interrupted(&self) -> MutexGuard<'_, Vec<ExecutionId>> {
        self.interrupted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Claims an execution; those that have no nodes are ended right away, and the next one is claimed.
    async fn begin(&self, tx: &mut Tx, task: Task) -> Result<Option<Begun>, StoreError> {
        let (mut woken, mut last, mut ended) = (Vec::new(), None, 0);
        loop {
            let execution = match task {
                Task::Next(workflow) => tx.claim_next(workflow, &self.claim).await?,
                Task::This(id) => tx.claim(id, &self.claim).await?,
            };
            let Some(mut execution) = execution else { return Ok(last) };
            let plan = self.plans.get(tx, execution.workflow_id).await?;
            if plan.start().is_some() {
                let (told, events) = watch::channel(0);
                self.running().insert(execution.id, told);
                let jobs = match task {
                    Task::Next(_) => Vec::new(),
                    Task::This(id) => tx.jobs(id).await?,
                };
                return Ok(Some(Begun { execution, plan, jobs, woken, ended, events }));
            }
            let status = ExecutionStatus::Resolved;
            woken.extend(tx.finish(execution.id, finish(status)).await?);
            execution.status = status;
            ended += 1;
            let begun =
                Begun { execution, plan, jobs: Vec::new(), woken: woken.clone(), ended, events: watch::channel(0).1 };
            if ended >= EMPTY_PER_WRITE || matches!(task, Task::This(_)) {
                return Ok(Some(begun));
            }
            last = Some(begun);
        }
    }
}

/// An end without a reason.
fn finish(status: ExecutionStatus) -> ExecutionFinish {
    ExecutionFinish { status, reason: None, output: None }
}

/// Milliseconds since 1970.
pub(crate) fn millis(moment: SystemTime) -> i64 {
    let since_1970 = moment.duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since_1970.as_millis()).unwrap_or(i64::MAX)
}
