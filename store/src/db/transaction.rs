//! One transaction of one caller: its work, its end, and how long it took.

use std::{panic::AssertUnwindSafe, sync::Arc, time::Instant};

use futures::{FutureExt as _, future::BoxFuture};

use super::{Tx, writer::measure};
use crate::error::StoreError;

/// Runs a caller's closure in a transaction that is open, commits or undoes it, and lets `announce` tell of it once it is
/// committed.
pub(super) async fn conclude<T, E, F>(mut tx: Tx, work: F, announce: impl FnOnce(&mut Tx)) -> Result<T, E>
where
    F: for<'tx> FnOnce(&'tx mut Tx) -> BoxFuture<'tx, Result<T, E>>,
    E: From<StoreError>,
{
    let begun = Instant::now();
    let result = contained(work, &mut tx).await;
    let committed = match &result {
        Ok(_) => tx.commit().await,
        Err(_) => Ok(()),
    };
    match (result, committed) {
        (Ok(value), Ok(())) => {
            announce(&mut tx);
            measure(1, begun.elapsed());
            Ok(value)
        }
        (Ok(_), Err(error)) => {
            metrics::counter!("store_commit_failures_total").increment(1);
            tracing::error!(%error, "a transaction could not be committed");
            give_up(tx).await;
            Err(StoreError::NotCommitted(Arc::new(error)).into())
        }
        (Err(error), _) => {
            give_up(tx).await;
            Err(error)
        }
    }
}

/// Runs a caller's closure, and tells the listener what it has changed. A panic of it, or of its future, is contained and its own
/// error.
pub(super) async fn contained<T, E, F>(work: F, tx: &mut Tx) -> Result<T, E>
where
    F: for<'tx> FnOnce(&'tx mut Tx) -> BoxFuture<'tx, Result<T, E>>,
    E: From<StoreError>,
{
    let work = async move {
        tx.begin_request();
        tx.let_listener_catch_up().await?;
        let done = work(&mut *tx).await?;
        tx.tell_notes().await?;
        tx.write_host_changes().await?;
        Ok(done)
    };
    AssertUnwindSafe(work).catch_unwind().await.unwrap_or_else(|_panic| Err(StoreError::Panicked.into()))
}

/// Rolls a transaction back. A connection that cannot even do that is of no use any more.
async fn give_up(mut tx: Tx) {
    if let Err(error) = tx.control("ROLLBACK").await {
        tracing::debug!(%error, "a connection is given up");
        if let Err(error) = tx.close().await {
            tracing::debug!(%error, "it did not close cleanly");
        }
    }
}
