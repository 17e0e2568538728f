//! Failures on purpose: a test decides, statement by statement, which ones the database is said to have refused.

use std::{io, sync::Arc};

/// Decides for each statement, as it is about to be carried out, whether it fails instead. For tests: a server opens
/// its database without.
///
/// What fails has not happened. `BEGIN IMMEDIATE`, `SAVEPOINT …`, `ROLLBACK …` and `COMMIT` are statements like others;
/// taking a connection to read is the statement `ACQUIRE`.
pub trait Faults: Send + Sync {
    /// Says whether this statement fails.
    fn fails(&self, statement: &str) -> bool;
}

/// The faults of a store, if it has some.
#[derive(Clone, Default)]
pub(super) struct FaultPoint(pub(super) Option<Arc<dyn Faults>>);

impl FaultPoint {
    /// Fails if it is this statement's turn to fail.
    pub(super) fn pass(&self, statement: &str) -> Result<(), sqlx::Error> {
        match &self.0 {
            Some(faults) if faults.fails(statement) => Err(sqlx::Error::Io(io::Error::other("a failure on purpose"))),
            Some(_) | None => Ok(()),
        }
    }
}
