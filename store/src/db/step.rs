//! Steps of a request: parts of a transaction that fail alone.
//!
//! A step is to its request what a request is to its transaction: what it changes in records is told at its end, and if it
//! fails, all of it is undone and the rest goes on.

use std::sync::Arc;

use futures::future::BoxFuture;

use super::Tx;
use crate::{error::StoreError, record_changes::Notes};

/// What is done with the savepoint of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mark {
    Begin,
    Undo,
    End,
}

impl Mark {
    pub(super) fn sql(self) -> &'static str {
        match self {
            Self::Begin => "SAVEPOINT",
            Self::Undo => "ROLLBACK TO",
            Self::End => "RELEASE SAVEPOINT",
        }
    }
}

impl Tx {
    /// Begins a request: nothing is noted, nobody has said why it writes, and no step of one before is under way, not even if it
    /// panicked.
    pub(super) fn begin_request(&mut self) {
        self.notes = Notes::default();
        self.depth = 0;
    }

    /// Does something within the request, all of it or nothing. What it changes in records is told at its end, with a cause of
    /// its own.
    ///
    /// # Errors
    ///
    /// The error of `work`, or of who hears of the changes: nothing of it is left then. [`StoreError::NotCommitted`] if the
    /// transaction is lost as a whole: the request must not go on then.
    pub async fn step<T, E>(
        &mut self,
        work: impl for<'tx> FnOnce(&'tx mut Self) -> BoxFuture<'tx, Result<T, E>> + Send,
    ) -> Result<T, E>
    where
        E: From<StoreError>,
    {
        let (schema, noted, depth) = (Arc::clone(self.schema()), self.noted(), self.depth);
        self.savepoint(Mark::Begin, depth).await.map_err(lost)?;
        let around = std::mem::take(&mut self.notes);
        self.depth += 1;
        self.steps += 1;
        let done = match work(&mut *self).await {
            Ok(done) => self.tell_notes().await.map(|()| done).map_err(E::from),
            Err(error) => Err(error),
        };
        self.depth = depth;
        self.notes = around;
        if done.is_err() {
            self.set_schema(schema);
            self.forget_noted(noted);
            self.savepoint(Mark::Undo, depth).await.map_err(lost)?;
        }
        self.savepoint(Mark::End, depth).await.map_err(lost)?;
        done
    }

    /// How many steps were begun so far.
    pub(crate) fn steps(&self) -> u64 {
        self.steps
    }

    /// How many steps are under way, one in another.
    pub fn depth(&self) -> usize {
        self.depth
    }
}

/// The database cannot mark or undo a step: it has given up the transaction. What is written after that would be on its own.
fn lost(error: sqlx::Error) -> StoreError {
    StoreError::NotCommitted(Arc::new(error))
}
