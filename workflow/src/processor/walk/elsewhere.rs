//! What a node writes into a further database: committed there, and its job on main afterwards.
//!
//! ```text
//! there:   receipt ─ may it still be written? ─ write ─ what came of it, into the receipt     one transaction
//! on main: the job, with the next transaction of the line
//! there:   the receipt is forgotten
//! ```
//!
//! Whoever goes on with the execution before the job is stored finds the receipt, and takes the result from it. Whether it may still
//! be written is asked when the receipt is held: whoever has taken over the execution since then waits for this transaction, and
//! whoever took it over before is found out. Where the database keeps no receipts, a crash before the job is stored repeats the
//! write.

use std::sync::Arc;

use futures::future::BoxFuture;
use store::{Cause, ExecutionStatus, Standing, Store, StoreError, Tx, WriteKey, WriteReceipt};
use tokio_util::sync::CancellationToken;

use super::{Walk, line::Line, transaction::Stored};
use crate::nodes::{ELSEWHERE, NodeError, NodeResult, Work};

/// What has become of a write.
pub(super) enum Elsewhere {
    /// It is committed, now or earlier.
    Done(NodeResult),
    /// It is undone: somebody else has ended the execution or taken it over.
    Stopped(ExecutionStatus),
}

/// Why nothing was written.
enum Unwritten {
    Stopped(ExecutionStatus),
    Failed(NodeError),
}

impl From<StoreError> for Unwritten {
    fn from(error: StoreError) -> Self {
        Self::Failed(error.into())
    }
}

impl Walk<'_> {
    /// Carries out what a node writes into a further database, unless that was done when its job could not be stored.
    pub(super) async fn write_elsewhere(
        &self,
        line: &mut Line,
        index: usize,
        store: Store,
        work: Work,
    ) -> Result<Elsewhere, NodeError> {
        let key = store.keeps_write_receipts().then(|| self.write_key(line, index));
        let (processor, execution) = (Arc::clone(self.processor), self.execution.id);
        let stack = self.execution.stack.iter().copied().chain([execution]).collect();
        // The transaction goes on if this walk is dropped, and another one of this process may be at the same node by then.
        let walk = CancellationToken::new();
        let (is_gone, _until_the_end) = (walk.clone(), walk.drop_guard());
        let receipt = key.clone();
        let written = store
            .write(move |tx: &mut Tx| -> BoxFuture<'_, Result<NodeResult, Unwritten>> {
                Box::pin(async move {
                    if let Some(key) = &receipt
                        && let Some(WriteReceipt { status, result }) = tx.begin_once(key).await?
                    {
                        tracing::info!("what the node writes was written before its job could be stored");
                        return Ok(NodeResult::ended(status, result));
                    }
                    let standing = processor.store.read().await?.standing(execution, Some(&processor.claim)).await?;
                    match standing {
                        Some(Standing { status: ExecutionStatus::Started, held: true }) if !is_gone.is_cancelled() => {}
                        Some(Standing { status, .. }) => return Err(Unwritten::Stopped(status)),
                        None => return Err(Unwritten::Stopped(ExecutionStatus::Aborted)),
                    }
                    tx.set_cause(Cause { stack, ..Cause::default() });
                    let result = work(tx, ELSEWHERE).await.map_err(Unwritten::Failed)?;
                    if let Some(key) = &receipt {
                        let receipt = WriteReceipt { status: result.status, result: result.result.clone() };
                        tx.end_once(key, &receipt).await?;
                    }
                    Ok(result)
                })
            })
            .await;
        match written {
            Ok(result) => {
                line.receipts.extend(key.map(|key| (store, key)));
                Ok(Elsewhere::Done(result))
            }
            Err(Unwritten::Stopped(status)) => Ok(Elsewhere::Stopped(status)),
            Err(Unwritten::Failed(error)) => Err(error),
        }
    }

    /// Names this run of a node: the same again until its job is stored, another one in every other round of a surrounding node, and
    /// when the execution has gone back behind it.
    fn write_key(&self, line: &Line, index: usize) -> WriteKey {
        let (place, node) = (line.place, self.plan.node(index).row.id);
        let owner = place.owner.map_or(0, |job| job.0);
        let run = format!("{owner}/{}/{}/{}", place.round, node.0, line.history.forgotten(place, node));
        WriteKey::new(self.execution.id, &self.execution.event_key, &run)
    }
}

impl Line {
    /// Forgets the receipts of its jobs, which are stored now.
    pub(super) fn forget_receipts(&mut self, stored: &Stored) {
        let receipts = std::mem::take(&mut self.receipts);
        if matches!(stored, Stored::Stopped(_)) {
            // They may be for another process to find.
            return;
        }
        for (store, key) in receipts {
            store.forget_write_receipts_soon([key]);
        }
    }
}
