//! Where a run reads: what is committed, or what the transaction sees that it is part of.

use std::{
    ops::{Deref, DerefMut},
    sync::Arc,
};

use async_trait::async_trait;
use store::{Conn, Schema, Store, StoreError, Tx};
use tokio::sync::{MappedMutexGuard, Mutex, MutexGuard};

/// Gives connections for reading.
#[async_trait]
pub(crate) trait Reader: Send + Sync {
    /// Takes a connection.
    async fn read(&self) -> Result<Reading<'_>, StoreError>;

    /// The schema that is read and written with.
    async fn schema(&self) -> Arc<Schema>;
}

/// A connection for reading. One that belongs to a transaction is held up until this is dropped.
pub(crate) enum Reading<'r> {
    /// Of the reader's own.
    Own(Conn),
    /// That of a transaction.
    Within(MappedMutexGuard<'r, Conn>),
}

impl Deref for Reading<'_> {
    type Target = Conn;
    fn deref(&self) -> &Conn {
        match self {
            Self::Own(conn) => conn,
            Self::Within(conn) => conn,
        }
    }
}

impl DerefMut for Reading<'_> {
    fn deref_mut(&mut self) -> &mut Conn {
        match self {
            Self::Own(conn) => conn,
            Self::Within(conn) => conn,
        }
    }
}

#[async_trait]
impl Reader for Store {
    async fn read(&self) -> Result<Reading<'_>, StoreError> {
        Self::read(self).await.map(Reading::Own)
    }

    async fn schema(&self) -> Arc<Schema> {
        Self::schema(self)
    }
}

/// Somebody's transaction, shared by the lines of one run.
pub(crate) struct Within<'t>(Mutex<&'t mut Tx>);

impl<'t> Within<'t> {
    pub(crate) fn new(tx: &'t mut Tx) -> Self {
        Self(Mutex::new(tx))
    }

    /// Takes it for writing.
    pub(crate) async fn tx(&self) -> MutexGuard<'_, &'t mut Tx> {
        self.0.lock().await
    }
}

#[async_trait]
impl Reader for Within<'_> {
    async fn read(&self) -> Result<Reading<'_>, StoreError> {
        Ok(Reading::Within(MutexGuard::map(self.tx().await, |tx| -> &mut Conn { tx })))
    }

    async fn schema(&self) -> Arc<Schema> {
        Arc::clone(self.tx().await.schema())
    }
}
