//! What a change in a further database starts. The executions are rows of main, and no transaction spans both; so they are
//! written down in an outbox there, in the transaction of the change, and taken up from it here.
//!
//! ```text
//! post ─ in the transaction of the change: one message, with everything that it starts
//! take_at_once ─ after its commit, by whoever made the change: receipt and executions in one transaction of main
//! take_later ─ the same for what nobody took, by the relay of any host
//! ```
//!
//! The receipt is what makes one taking out of many attempts. Where there is no outbox the message is carried by the process alone:
//! between the two commits a crash loses it.

use std::{
    collections::{BTreeSet, HashSet},
    sync::Arc,
    time::Duration,
};

use futures::future::BoxFuture;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use store::{ClaimedBy, Store, StoreError, Tx};
use uuid::Uuid;

use super::post_action::{self, Queued, Start};
use crate::{data_sources::DataSource, host::Host};

/// What a change starts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Message {
    /// Shared by the executions.
    event_key: String,
    /// In their order.
    starts: Vec<Start>,
}

/// Most receipts that are forgotten at once.
const RECEIPTS_AT_ONCE: u32 = 1_000;

/// A message on its way.
#[derive(Debug)]
pub(super) struct Posted {
    id: Uuid,
    message: Message,
}

/// Writes down what a change starts, in its transaction. Nothing is written for nothing.
///
/// # Errors
///
/// Errors of the further database.
pub(super) async fn post(
    tx: &mut Tx,
    source: &DataSource,
    starts: Vec<Start>,
    event_key: Option<String>,
) -> Result<Option<Posted>, StoreError> {
    if starts.is_empty() {
        return Ok(None);
    }
    let event_key = event_key.unwrap_or_else(|| Uuid::new_v4().to_string());
    let posted = Posted { id: Uuid::new_v4(), message: Message { event_key, starts } };
    if source.has_outbox() {
        let message = serde_json::to_value(&posted.message)
            .map_err(|error| StoreError::Corrupt { what: format!("a message for the outbox: {error}") })?;
        tx.put_into_outbox(posted.id, &message).await?;
    }
    Ok(Some(posted))
}

/// Takes up what was just committed: synchronous executions are this process's to run, one after the other.
///
/// # Errors
///
/// Errors of main. What is in the outbox is then taken up later, in the background.
pub(super) async fn take_at_once(
    host: &Arc<Host>,
    source: &DataSource,
    posted: Option<Posted>,
) -> Result<Queued, StoreError> {
    let Some(Posted { id, message }) = posted else { return Ok(Queued::default()) };
    let event_key = message.event_key.clone();
    // Not even a whole request may have been so slow; but then the relay of some host has taken it, and nothing is lost.
    let receipt = source.has_outbox().then(|| (source.key().to_owned(), id));
    let queued = take(host, receipt, message, Some(host.engine.claim())).await?;
    if source.has_outbox() {
        let store = source.store().clone();
        host.requests.spawn(async move {
            if let Err(error) = store.forget_outbox(&[id]).await {
                tracing::debug!(%error, "what was taken stays in the outbox for now");
            }
        });
    }
    Ok(queued.unwrap_or(Queued { event_key, ..Queued::default() }))
}

/// Takes up what nobody took, for the background. `false` for a message that makes no sense.
///
/// # Errors
///
/// Errors of main.
pub(crate) async fn take_later(host: &Host, source: &str, id: Uuid, message: Value) -> Result<bool, StoreError> {
    let message: Message = match serde_json::from_value(message) {
        Ok(message) => message,
        Err(error) => {
            tracing::error!(source, %id, %error, "a message in the outbox is not understood and stays there");
            return Ok(false);
        }
    };
    let executions = message.starts.len();
    if let Some(queued) = take(host, Some((source.to_owned(), id)), message, None).await? {
        tracing::info!(source, executions, "taken up from the outbox: whoever made the change did not");
        metrics::counter!("data_source_messages_relayed_total").increment(1);
        host.engine.wake(&queued.background);
    }
    Ok(true)
}

/// Forgets receipts that are older than this, of messages that are not in the outbox any more.
///
/// # Errors
///
/// Errors of main.
pub(crate) async fn forget_receipts(
    host: &Host,
    source: &str,
    outbox: &Store,
    age: Duration,
) -> Result<(), StoreError> {
    let old = host.store.read().await?.old_receipts(source, age, RECEIPTS_AT_ONCE).await?;
    if old.is_empty() {
        return Ok(());
    }
    let still_there: HashSet<Uuid> = outbox.still_in_outbox(&old).await?.into_iter().collect();
    let gone: Vec<Uuid> = old.into_iter().filter(|id| !still_there.contains(id)).collect();
    let source = source.to_owned();
    host.store
        .write(move |tx: &mut Tx| -> BoxFuture<'_, Result<(), StoreError>> {
            Box::pin(async move { tx.forget_receipts(&source, &gone).await })
        })
        .await
}

/// One transaction of main: the receipt, if others could take the same message, and what it starts. `None` if somebody has taken it.
async fn take(
    host: &Host,
    receipt: Option<(String, Uuid)>,
    message: Message,
    claim: Option<ClaimedBy>,
) -> Result<Option<Queued>, StoreError> {
    host.store
        .write(move |tx: &mut Tx| -> BoxFuture<'_, Result<Option<Queued>, StoreError>> {
            Box::pin(async move {
                if let Some((source, id)) = receipt
                    && !tx.take_once(&source, id).await?
                {
                    return Ok(None);
                }
                let Message { event_key, mut starts } = message;
                let mut gone = BTreeSet::new();
                for workflow in starts.iter().map(|start| start.workflow).collect::<BTreeSet<_>>() {
                    if tx.workflow(workflow).await?.is_none() {
                        gone.insert(workflow);
                    }
                }
                // Whoever deletes a workflow wants nothing of it any more.
                starts.retain(|start| !gone.contains(&start.workflow));
                post_action::enqueue(tx, starts, claim.as_ref(), Some(event_key)).await.map(Some)
            })
        })
        .await
}
