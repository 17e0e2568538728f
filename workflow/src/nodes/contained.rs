//! Keeps a node's panic to its own job: for everybody else it is an error like others.

use std::{
    any::Any,
    panic::{AssertUnwindSafe, catch_unwind},
};

use futures::{FutureExt as _, future::BoxFuture};
use store::{JobId, Tx};

use super::{
    Effect, NodeError, NodeResult,
    faults::{FaultPoint, NodeStep},
};

/// Lets a node run. What it writes is contained too.
pub(super) async fn contained(
    node_type: &'static str,
    faults: &FaultPoint,
    running: impl Future<Output = Result<Effect, NodeError>>,
) -> Result<Effect, NodeError> {
    let running = async {
        faults.pass(node_type, NodeStep::Run)?;
        running.await
    };
    let effect = caught(node_type, running).await?;
    let Effect::Write(work) = effect else { return Ok(effect) };
    let faults = faults.clone();
    Ok(Effect::Write(Box::new(move |tx: &mut Tx, job: JobId| -> BoxFuture<'_, Result<NodeResult, NodeError>> {
        Box::pin(caught(node_type, async move {
            faults.pass(node_type, NodeStep::Write)?;
            let result = work(tx, job).await?;
            faults.pass(node_type, NodeStep::Written)?;
            Ok(result)
        }))
    })))
}

/// Lets a node end its pending job.
pub(super) fn contained_resume(
    node_type: &'static str,
    faults: &FaultPoint,
    resume: impl FnOnce() -> Result<NodeResult, NodeError>,
) -> Result<NodeResult, NodeError> {
    let resume = || {
        faults.pass(node_type, NodeStep::Resume)?;
        resume()
    };
    // Nothing that a panic could leave half changed outlives it.
    catch_unwind(AssertUnwindSafe(resume)).unwrap_or_else(|panic| Err(given_up(node_type, panic.as_ref())))
}

/// Turns a panic into an error. A transaction that it happens in is undone like after any error.
pub(super) async fn caught<T>(
    node_type: &'static str,
    work: impl Future<Output = Result<T, NodeError>>,
) -> Result<T, NodeError> {
    AssertUnwindSafe(work).catch_unwind().await.unwrap_or_else(|panic| Err(given_up(node_type, panic.as_ref())))
}

/// The operator reads in the log what the panic said; it may tell of things inside that are nobody else's business.
fn given_up(node_type: &'static str, panic: &(dyn Any + Send)) -> NodeError {
    let text = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    tracing::error!(node_type, panic = text.unwrap_or_default(), "a node panicked");
    NodeError::Panicked
}
