//! Further databases that nodes work on. Which there are, and whether they can be reached, is the host's business.

use async_trait::async_trait;
use store::{Store, StoreError};

/// Leads to further databases.
#[async_trait]
pub trait Sources: Send + Sync + 'static {
    /// The one with this key, once it is open.
    ///
    /// # Errors
    ///
    /// [`StoreError::Invalid`] if there is none, or if it is not to be used; [`StoreError::SourceUnavailable`] while it cannot be
    /// reached: the node is run again later.
    async fn store(&self, key: &str) -> Result<Store, StoreError>;
}

/// There are none.
#[async_trait]
impl Sources for () {
    async fn store(&self, key: &str) -> Result<Store, StoreError> {
        let message = format!("data source {key} does not exist");
        Err(StoreError::Invalid { code: "UNKNOWN_DATA_SOURCE", message })
    }
}
