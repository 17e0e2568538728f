//! The handle on the engine.

mod within;

use std::{sync::Arc, time::Duration};

use futures::future::BoxFuture;
use serde_json::Value;
use store::{
    ApprovalId, ClaimedBy, ExecutionId, ExecutionStatus, JobId, JobStatus, NodeId, Store, Submission, TaskId, Tx,
    UserId, WorkflowId,
};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::{
    EngineError, NodeTypeInfo, Outcome, OutsideOptions, Trial, Tried,
    dispatcher::{Dispatcher, Lease},
    ending::{self, Reason},
    expression::Expressions,
    nodes::{FaultPoint, NodeFaults, NodeTypes},
    outside::Outside,
    processor::Processor,
    provided::ProvidedNodes,
    sources::Sources,
    tasks::{self, Decided},
    trial::Bench,
};

/// Bounds of the engine.
#[derive(Debug, Clone)]
pub struct EngineOptions {
    /// Workflows that run at the same time in the background. With 0, other processes on the same database run them, and this
    /// one only what is run before an answer.
    pub parallel_workflows: usize,
    /// What nodes may reach outside of the store.
    pub outside: OutsideOptions,
}

/// Who an engine is among those that work on one database.
#[derive(Debug, Clone)]
pub struct Instance {
    /// What it is called, also after a crash: a starting engine takes over at once from a former one of the same name. The
    /// caller sees to it that there is one of a name at a time. Without a name, what it leaves behind in a crash is taken
    /// over when its lease ends.
    pub name: Option<String>,
    /// How long others wait before they take over what it does, if it does not say that it is alive.
    pub lease: Duration,
}

impl Default for Instance {
    fn default() -> Self {
        Self { name: None, lease: DEFAULT_LEASE }
    }
}

/// Long enough for a busy writer or a paused machine, short enough that nobody misses what a dead process was to do.
const DEFAULT_LEASE: Duration = Duration::from_secs(15);

/// How often a cancellation that met the end of a child is tried again: each meets another child at most.
const CANCELS_AGAIN: usize = 3;

/// A handle on the running engine. Cheap to clone. When the last one is gone, the engine stops at once, as in a crash; what
/// it was doing is gone on with by the next one. [`Engine::shutdown`] is the friendly way.
#[derive(Clone)]
pub struct Engine {
    inner: Arc<Inner>,
}

struct Inner {
    store: Store,
    claim: ClaimedBy,
    types: Arc<NodeTypes>,
    expressions: Expressions,
    outside: Arc<Outside>,
    sources: Arc<dyn Sources>,
    dispatcher: Arc<Dispatcher>,
    _stop: DropGuard,
}

impl Engine {
    /// Starts the dispatcher, as an instance without a name.
    ///
    /// # Errors
    ///
    /// Database errors.
    pub async fn start(store: Store, options: EngineOptions) -> Result<Self, EngineError> {
        Self::start_as(store, options, Instance::default()).await
    }

    /// Takes a lease, takes back what processes without one have left behind, and starts the dispatcher.
    ///
    /// # Errors
    ///
    /// Database errors.
    pub async fn start_as(store: Store, options: EngineOptions, instance: Instance) -> Result<Self, EngineError> {
        let types = NodeTypes::built_in(FaultPoint::default())?;
        Self::launch(store, options, instance, types, Arc::new(())).await
    }

    /// [`Self::start_as`], with node types of others, and further databases.
    ///
    /// # Errors
    ///
    /// Database errors.
    pub async fn start_with_others(
        store: Store,
        options: EngineOptions,
        instance: Instance,
        nodes: Arc<dyn ProvidedNodes>,
        sources: Arc<dyn Sources>,
    ) -> Result<Self, EngineError> {
        let types = NodeTypes::built_in(FaultPoint::default())?.with_others(nodes);
        Self::launch(store, options, instance, types, sources).await
    }

    /// [`Self::start_as`], with node types of others, and nodes that fail when a test says so.
    ///
    /// # Errors
    ///
    /// Database errors.
    pub async fn start_with_faults(
        store: Store,
        options: EngineOptions,
        faults: Arc<dyn NodeFaults>,
        nodes: Arc<dyn ProvidedNodes>,
    ) -> Result<Self, EngineError> {
        let types = NodeTypes::built_in(FaultPoint::new(faults))?.with_others(nodes);
        Self::launch(store, options, Instance::default(), types, Arc::new(())).await
    }

    async fn launch(
        store: Store,
        options: EngineOptions,
        instance: Instance,
        types: NodeTypes,
        sources: Arc<dyn Sources>,
    ) -> Result<Self, EngineError> {
        let claim = ClaimedBy(uuid::Uuid::new_v4().to_string());
        let types = Arc::new(types);
        let expressions = Expressions::default();
        let lease = Lease::take(store.clone(), claim.clone(), instance).await?;
        let outside = Arc::new(Outside::new(&options.outside));
        let processor = Arc::new(Processor::new(
            store.clone(),
            claim.clone(),
            Arc::clone(&types),
            expressions.clone(),
            Arc::clone(&outside),
            Arc::clone(&sources),
        ));
        processor.take_back().await?;
        let stop = CancellationToken::new();
        let dispatcher =
            Arc::new(Dispatcher::new(store.clone(), processor, lease, options.parallel_workflows, stop.clone()));
        dispatcher.start();
        let inner = Inner { store, claim, types, expressions, outside, sources, dispatcher, _stop: stop.drop_guard() };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// The claim under which executions are enqueued that this process runs at once through [`Engine::run`].
    pub fn claim(&self) -> ClaimedBy {
        self.inner.claim.clone()
    }

    /// Checks the type and configuration of a node before it is stored.
    ///
    /// # Errors
    ///
    /// [`EngineError::UnknownNodeType`], or [`EngineError::Invalid`] with a sentence such as `"collection" is required`.
    pub fn check_node(&self, node_type: &str, config: &Value) -> Result<(), EngineError> {
        self.inner.types.check(node_type, config, &self.inner.expressions)
    }

    /// The node types with the JSON Schema of their configuration.
    pub fn node_types(&self) -> Vec<NodeTypeInfo> {
        self.inner.types.infos()
    }

    /// Tells the dispatcher that these workflows have queued executions. A hint: what is missed is found by the sweep.
    pub fn wake(&self, workflows: &[WorkflowId]) {
        self.inner.dispatcher.wake_anybody(workflows);
    }

    /// Runs an execution claimed by [`Engine::claim`] until it ends or waits. It goes on if the caller goes away.
    ///
    /// # Errors
    ///
    /// [`EngineError::NotFound`] if there is nothing to run: it is gone, has ended, or waits for another one.
    pub async fn run(&self, id: ExecutionId) -> Result<Outcome, EngineError> {
        self.inner.dispatcher.run(id).await
    }

    /// Ends an execution that has not ended: aborted, with reason `manual_cancel`. A running one stops at its next node. The
    /// executions that it waits for are aborted with it, with reason `parent_ended`.
    ///
    /// # Errors
    ///
    /// [`EngineError::NotFound`]; [`store::StoreError::IllegalMove`] if it has ended.
    pub async fn cancel(&self, id: ExecutionId) -> Result<(), EngineError> {
        let cancel = || {
            self.inner.store.write(move |tx| -> BoxFuture<'_, Result<_, EngineError>> {
                Box::pin(async move {
                    let execution = tx.execution(id).await?.ok_or(EngineError::NotFound)?;
                    let woken = ending::abort(tx, id, Reason::ManualCancel).await?;
                    Ok((woken, execution.stack.last().copied()))
                })
            })
        };
        let mut cancelled = cancel().await;
        // An execution is held before those it waits for; one of these that ends holds itself first.
        for _ in 0..CANCELS_AGAIN {
            if !matches!(&cancelled, Err(EngineError::Store(error)) if error.is_deadlock()) {
                break;
            }
            cancelled = cancel().await;
        }
        let (woken, parent) = cancelled?;
        self.wake(&woken);
        if let Some(parent) = parent {
            self.inner.dispatcher.go_on(parent);
        }
        Ok(())
    }

    /// Puts a dead letter back into the queue, as a new execution.
    ///
    /// # Errors
    ///
    /// [`store::StoreError::NotFound`]; [`store::StoreError::Invalid`] (`NO_DEAD_LETTER`) for other executions.
    pub async fn redrive(&self, id: ExecutionId) -> Result<ExecutionId, EngineError> {
        let repetition = self
            .inner
            .store
            .write(move |tx| -> BoxFuture<'_, Result<_, EngineError>> {
                Box::pin(async move { Ok(tx.redrive(id).await?) })
            })
            .await?;
        self.wake(&[repetition.workflow_id]);
        Ok(repetition.id)
    }

    /// Runs an ended execution again from a node on, as a new execution that takes over what was done before that node.
    ///
    /// # Errors
    ///
    /// [`store::StoreError::NotFound`]; [`store::StoreError::Invalid`] (`NOT_ENDED`, `NODE_NOT_REACHED`).
    pub async fn rerun(&self, id: ExecutionId, from: NodeId) -> Result<ExecutionId, EngineError> {
        let repetition = self
            .inner
            .store
            .write(move |tx| -> BoxFuture<'_, Result<_, EngineError>> {
                Box::pin(async move { Ok(tx.rerun(id, from).await?) })
            })
            .await?;
        self.wake(&[repetition.workflow_id]);
        Ok(repetition.id)
    }

    /// Ends a job that waits for something from outside, and carries its execution on. Once this has answered, the execution
    /// goes on whatever happens to this process. Of several who end the same job, one succeeds.
    ///
    /// # Errors
    ///
    /// [`EngineError::NotFound`] if there is no such job; [`store::StoreError::IllegalMove`] if the job or its execution has ended,
    /// or `status` is pending.
    pub async fn resume_job(&self, id: JobId, status: JobStatus, result: Value) -> Result<(), EngineError> {
        let execution = self
            .inner
            .store
            .write(move |tx| -> BoxFuture<'_, Result<_, EngineError>> {
                Box::pin(async move { resume_job(tx, id, status, result).await })
            })
            .await?;
        self.inner.dispatcher.go_on(execution);
        Ok(())
    }

    /// Takes the decision of an assignee on a task of theirs. If it decides the job, the execution goes on, as with
    /// [`Engine::resume_job`].
    ///
    /// # Errors
    ///
    /// [`store::StoreError::NotFound`] if the user has no such task; [`store::StoreError::IllegalMove`] if it is decided or closed;
    /// [`store::StoreError::Invalid`] (`UNKNOWN_TASK_ACTION`, `INVALID_VALUE`) for an action the task does not have, and for values that do
    /// not fit its form, `NOT_POSSIBLE` for what its node refuses; [`EngineError::Unavailable`] and [`EngineError::Fault`] for a node
    /// of others that cannot decide. Nothing is changed then.
    pub async fn submit_task(
        &self,
        user: UserId,
        id: TaskId,
        action: String,
        submission: Submission,
    ) -> Result<(), EngineError> {
        self.decide(move |tx, types| {
            Box::pin(async move { tasks::decide(tx, &types, user, id, &action, submission).await })
        })
        .await
    }

    /// Hands in once more what was returned to its applicant.
    ///
    /// # Errors
    ///
    /// [`store::StoreError::NotFound`] if the user has no such approval; [`store::StoreError::IllegalMove`] if it was not returned;
    /// those of [`Engine::submit_task`].
    pub async fn resubmit(&self, user: UserId, id: ApprovalId, submission: Submission) -> Result<(), EngineError> {
        self.decide(move |tx, types| {
            Box::pin(async move {
                let task = tasks::returned(tx, user, id).await?;
                tasks::decide(tx, &types, user, task, "resubmit", submission).await
            })
        })
        .await
    }

    /// Takes an application back for its applicant.
    ///
    /// # Errors
    ///
    /// [`store::StoreError::NotFound`] if the user has no such approval; [`store::StoreError::IllegalMove`] if it is over;
    /// [`store::StoreError::Invalid`] (`NOT_POSSIBLE`) if its node does not allow it; [`EngineError::Unavailable`] and
    /// [`EngineError::Fault`] as with [`Engine::submit_task`].
    pub async fn withdraw(&self, user: UserId, id: ApprovalId, comment: Option<String>) -> Result<(), EngineError> {
        self.decide(move |tx, types| Box::pin(async move { tasks::withdraw(tx, &types, user, id, comment).await }))
            .await
    }

    /// Gives a task of a user to another one, who answers in its place.
    ///
    /// # Errors
    ///
    /// Those of [`Engine::submit_task`] about the task; [`store::StoreError::Invalid`] (`UNKNOWN_USER`, `ALREADY_ASKED`).
    pub async fn delegate_task(
        &self,
        user: UserId,
        id: TaskId,
        to: UserId,
        comment: Option<String>,
    ) -> Result<(), EngineError> {
        self.inner
            .store
            .write(move |tx| -> BoxFuture<'_, Result<_, EngineError>> {
                Box::pin(async move { tasks::delegate(tx, user, id, to, comment).await })
            })
            .await
    }

    /// Lets somebody decide. The job that is decided by that, if one is, ends in the same transaction, and its execution goes on.
    async fn decide<F>(&self, decide: F) -> Result<(), EngineError>
    where
        F: for<'tx> FnOnce(&'tx mut Tx, Arc<NodeTypes>) -> BoxFuture<'tx, Result<Option<Decided>, EngineError>>
            + Send
            + 'static,
    {
        let types = Arc::clone(&self.inner.types);
        let execution = self
            .inner
            .store
            .write(move |tx| -> BoxFuture<'_, Result<_, EngineError>> {
                Box::pin(async move {
                    let Some(decided) = decide(tx, types).await? else { return Ok(None) };
                    let Decided { job, result, returns_to } = decided;
                    if let Some(target) = returns_to {
                        tx.set_returns_to(job, target).await?;
                    }
                    resume_job(tx, job, result.status, result.result).await.map(Some)
                })
            })
            .await?;
        if let Some(execution) = execution {
            self.inner.dispatcher.go_on(execution);
        }
        Ok(())
    }

    /// Keeps what an assignee has filled in so far. It does not have to fit the form yet; the task stays open.
    ///
    /// # Errors
    ///
    /// [`store::StoreError::NotFound`] if the user has no such task; [`store::StoreError::IllegalMove`] if it is decided or closed.
    pub async fn save_task_draft(&self, user: UserId, id: TaskId, draft: Submission) -> Result<(), EngineError> {
        self.inner
            .store
            .write(move |tx| -> BoxFuture<'_, Result<_, EngineError>> {
                Box::pin(async move { tasks::save_draft(tx, user, id, draft).await })
            })
            .await
    }

    /// Runs one node on given values. What it writes is taken back; what it reaches outside of the store is really reached.
    /// A node that fails, or takes longer than 30 seconds, answers with a job in error.
    ///
    /// # Errors
    ///
    /// Those of [`Engine::check_node`]; [`EngineError::Invalid`] for a node that means nothing without an execution.
    pub async fn try_node(&self, trial: Trial) -> Result<Tried, EngineError> {
        self.check_node(&trial.node_type, &trial.config)?;
        let inner = &self.inner;
        let node = inner.types.get(&trial.node_type);
        let node = node.ok_or_else(|| EngineError::UnknownNodeType(trial.node_type.clone()))?;
        let bench = Bench {
            store: &inner.store,
            expressions: &inner.expressions,
            outside: &inner.outside,
            sources: inner.sources.as_ref(),
        };
        bench.run(node.as_ref(), trial).await
    }

    /// Says that nothing is queued or running here: for tests and for draining.
    pub async fn idle(&self) {
        self.inner.dispatcher.quiet().await;
    }

    /// Takes no more work, waits for what runs, hands back what takes longer than `grace`, so that another process can go
    /// on with it at once, and stops.
    pub async fn shutdown(&self, grace: Duration) {
        self.inner.dispatcher.shut_down(grace).await;
    }
}

/// [`Engine::resume_job`] within a transaction; the dispatcher has to be told afterwards.
async fn resume_job(tx: &mut Tx, id: JobId, status: JobStatus, result: Value) -> Result<ExecutionId, EngineError> {
    let job = tx.job(id).await?.ok_or(EngineError::NotFound)?;
    match tx.execution_status(job.execution_id).await? {
        Some(ExecutionStatus::Started) => {}
        Some(ended) => return Err(ended.to(ExecutionStatus::Started).err().map_or(EngineError::NotFound, Into::into)),
        None => return Err(EngineError::NotFound),
    }
    tx.finish_job(id, status, result).await?;
    tx.set_ready(job.execution_id).await?;
    Ok(job.execution_id)
}
