//! The lease of this process: as long as it is renewed, what the process has claimed is left to it.
//!
//! A process that was paused for so long that others took over finds that out in its next transaction: every one of them
//! asks whether the claim is still its own.

use std::time::Duration;

use futures::future::BoxFuture;
use store::{ClaimedBy, Store, StoreError};
use tokio_util::sync::CancellationToken;

use crate::engine::Instance;

/// A lease is renewed this often while it lasts, so that it survives a renewal or two that fail.
const RENEWALS_PER_LEASE: u32 = 3;

/// The lease of this process.
pub(crate) struct Lease {
    store: Store,
    claim: ClaimedBy,
    instance: Instance,
}

impl Lease {
    /// Takes a lease for a new process.
    pub(crate) async fn take(store: Store, claim: ClaimedBy, instance: Instance) -> Result<Self, StoreError> {
        let lease = Self { store, claim, instance };
        lease.renew().await?;
        Ok(lease)
    }

    /// Renews the lease until told to stop.
    pub(super) async fn keep(&self, stopped: &CancellationToken) {
        let pause = (self.instance.lease / RENEWALS_PER_LEASE).max(Duration::from_millis(1));
        loop {
            tokio::select! {
                biased;
                () = stopped.cancelled() => return,
                () = tokio::time::sleep(pause) => {}
            }
            match self.renew().await {
                Ok(()) => {}
                Err(StoreError::Closed) => return,
                Err(error) => {
                    tracing::warn!(error = &error as &dyn std::error::Error, "the lease could not be renewed");
                }
            }
        }
    }

    /// Ends the lease and hands back all claims.
    pub(super) async fn give_up(&self) -> Result<(), StoreError> {
        let claim = self.claim.clone();
        let handed_back = self
            .store
            .write(move |tx| -> BoxFuture<'_, Result<u64, StoreError>> {
                Box::pin(async move { tx.hand_back_all(&claim).await })
            })
            .await?;
        if handed_back > 0 {
            tracing::info!(executions = handed_back, "handed back");
        }
        Ok(())
    }

    async fn renew(&self) -> Result<(), StoreError> {
        let (claim, name) = (self.claim.clone(), self.instance.name.clone());
        let lease_ms = i64::try_from(self.instance.lease.as_millis()).unwrap_or(i64::MAX);
        self.store
            .write(move |tx| -> BoxFuture<'_, Result<(), StoreError>> {
                Box::pin(async move {
                    let until_ms = tx.now_ms().await?.saturating_add(lease_ms);
                    tx.lease(&claim, name.as_deref(), until_ms).await
                })
            })
            .await
    }
}
