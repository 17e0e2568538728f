//! Opening the database, reading from it, and the one writer.
//!
//! SQLite has one writer: [`Store::write`] hands a closure to a task that runs many of them in one transaction, each in its
//! own savepoint, commits once, and only then answers each. A closure that fails is rolled back alone.

use std::{ops::Deref, ops::DerefMut, sync::Arc};

use futures::future::BoxFuture;

use crate::{error::StoreError, schema::Schema};

/// The database. Cheap to clone.
#[derive(Clone)]
pub struct Store {
    _private: (),
}

impl Store {
    /// Opens, or makes, the database and applies the migrations. `url`: `sqlite:PATH`.
    ///
    /// # Errors
    ///
    /// [`StoreError::Invalid`] for a URL that is not understood; database and migration errors.
    pub async fn open(url: &str) -> Result<Self, StoreError> {
        let _ = url;
        todo!()
    }

    /// Today's schema.
    pub fn schema(&self) -> Arc<Schema> {
        todo!()
    }

    /// Takes a connection that sees everything committed before this call.
    ///
    /// # Errors
    ///
    /// Database errors.
    pub async fn read(&self) -> Result<Conn, StoreError> {
        todo!()
    }

    /// Runs `work` in a transaction and answers after the commit. On an error nothing of `work` is stored.
    /// Work runs in the order of the calls. Once handed over it is carried out even if the caller goes away.
    ///
    /// # Errors
    ///
    /// The error of `work`, or [`StoreError`] if the commit fails or the store is closed.
    pub async fn write<T, E, F>(&self, work: F) -> Result<T, E>
    where
        F: for<'tx> FnOnce(&'tx mut Tx) -> BoxFuture<'tx, Result<T, E>> + Send + 'static,
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        let _ = work;
        todo!()
    }

    /// Checks that the database answers.
    pub async fn ping(&self) -> Result<(), StoreError> {
        todo!()
    }

    /// Finishes what was handed over and closes the database.
    pub async fn close(&self) {
        todo!()
    }
}

/// A connection that reads.
pub struct Conn {
    _private: (),
}

impl Conn {
    /// The schema this connection works with.
    pub fn schema(&self) -> &Arc<Schema> {
        todo!()
    }
}

/// A transaction: everything a [`Conn`] can do, and writing.
pub struct Tx {
    conn: Conn,
}

impl Deref for Tx {
    type Target = Conn;
    fn deref(&self) -> &Conn {
        &self.conn
    }
}

impl DerefMut for Tx {
    fn deref_mut(&mut self) -> &mut Conn {
        &mut self.conn
    }
}
