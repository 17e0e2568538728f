//! Keeps a node's faults to its own job: a panic is, for everybody else, an error like others. What a node says of a result (which
//! branch follows, what the caller is told) is asked before the result is stored, so that a node that fails at it has not run.

use std::{
    any::Any,
    borrow::Cow,
    panic::{AssertUnwindSafe, catch_unwind},
};

use futures::{FutureExt as _, future::BoxFuture};
use serde_json::Value;
use store::{JobId, JobStatus, Tx};

use super::{
    Effect, NodeError, NodeResult, Work,
    faults::{FaultPoint, NodeStep},
};

/// What surrounds a node type.
#[derive(Clone)]
pub(super) struct Containment {
    node_type: Cow<'static, str>,
    faults: FaultPoint,
    branch: fn(&Value) -> Option<i64>,
    message: fn(&Value) -> Option<String>,
}

impl Containment {
    /// Surrounds a node type that says by these what follows from a result.
    pub(super) fn new(
        node_type: Cow<'static, str>,
        faults: FaultPoint,
        branch: fn(&Value) -> Option<i64>,
        message: fn(&Value) -> Option<String>,
    ) -> Self {
        Self { node_type, faults, branch, message }
    }

    pub(super) fn node_type(&self) -> &Cow<'static, str> {
        &self.node_type
    }

    /// Lets a node run. What it writes is contained too.
    pub(super) async fn run(
        &self,
        running: impl Future<Output = Result<Effect, NodeError>>,
    ) -> Result<Effect, NodeError> {
        let running = async {
            self.faults.pass(&self.node_type, NodeStep::Run)?;
            running.await
        };
        match self.caught(running).await? {
            Effect::Done(result) => self.accept(result).map(Effect::Done),
            Effect::Surround(surround) => Ok(Effect::Surround(surround)),
            Effect::Write(work) => Ok(Effect::Write(self.around(work))),
            Effect::WriteElsewhere(store, work) => Ok(Effect::WriteElsewhere(store, self.around(work))),
        }
    }

    fn around(&self, work: Work) -> Work {
        let contained = self.clone();
        Box::new(move |tx: &mut Tx, job: JobId| -> BoxFuture<'_, Result<NodeResult, NodeError>> {
            Box::pin(async move {
                let written = contained.caught(async {
                    contained.faults.pass(&contained.node_type, NodeStep::Write)?;
                    let result = work(tx, job).await?;
                    contained.faults.pass(&contained.node_type, NodeStep::Written)?;
                    Ok(result)
                });
                contained.accept(written.await?)
            })
        })
    }

    /// Lets a node end its pending job.
    pub(super) fn resume(
        &self,
        resume: impl FnOnce() -> Result<NodeResult, NodeError>,
    ) -> Result<NodeResult, NodeError> {
        self.accept(self.ask(Some(NodeStep::Resume), resume)?)
    }

    /// Asks which branch follows a result.
    pub(super) fn branch(&self, result: &Value) -> Result<Option<i64>, NodeError> {
        self.ask(Some(NodeStep::Branch), || Ok((self.branch)(result)))
    }

    /// Asks what a result says to the person who waits for the answer.
    pub(super) fn message(&self, result: &Value) -> Result<Option<String>, NodeError> {
        self.ask(Some(NodeStep::Message), || Ok((self.message)(result)))
    }

    /// Asks a node something that it answers at once; a test may strike at this step, if it is one.
    pub(super) fn ask<T>(
        &self,
        step: Option<NodeStep>,
        question: impl FnOnce() -> Result<T, NodeError>,
    ) -> Result<T, NodeError> {
        let question = || {
            if let Some(step) = step {
                self.faults.pass(&self.node_type, step)?;
            }
            question()
        };
        // Nothing that a panic could leave half changed outlives it.
        catch_unwind(AssertUnwindSafe(question)).unwrap_or_else(|panic| Err(given_up(&self.node_type, panic.as_ref())))
    }

    /// Takes a result of which the node can say what follows.
    fn accept(&self, result: NodeResult) -> Result<NodeResult, NodeError> {
        if result.status == JobStatus::Resolved {
            self.branch(&result.result)?;
        }
        if result.status != JobStatus::Pending {
            self.message(&result.result)?;
        }
        Ok(result)
    }

    async fn caught<T>(&self, work: impl Future<Output = Result<T, NodeError>>) -> Result<T, NodeError> {
        caught(&self.node_type, work).await
    }
}

/// Turns a panic into an error. A transaction that it happens in is undone like after any error.
pub(super) async fn caught<T>(
    node_type: &str,
    work: impl Future<Output = Result<T, NodeError>>,
) -> Result<T, NodeError> {
    AssertUnwindSafe(work).catch_unwind().await.unwrap_or_else(|panic| Err(given_up(node_type, panic.as_ref())))
}

/// The operator reads in the log what the panic said; it may tell of things inside that are nobody else's business.
fn given_up(node_type: &str, panic: &(dyn Any + Send)) -> NodeError {
    let text = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    tracing::error!(node_type, panic = text.unwrap_or_default(), "a node panicked");
    NodeError::Panicked
}
