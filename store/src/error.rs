//! What can go wrong in the store, by who has to act on it.

/// An error of the store.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The caller's mistake: an unknown name, a wrong type, a value that is required. Nothing was changed.
    #[error("{message}")]
    Invalid {
        /// Stable, for programs: `UNKNOWN_COLLECTION`, `UNKNOWN_FIELD`, `UNKNOWN_OPERATOR`, `INVALID_VALUE`, ...
        code: &'static str,
        /// One sentence for people.
        message: String,
    },
    /// A unique field has this value already; the sentence is `<field> already exists`.
    #[error("{field} already exists")]
    NotUnique {
        /// The field, or the fields joined by `, `.
        field: String,
    },
    /// The record that the request is about is not there.
    #[error("{what} not found")]
    NotFound {
        /// What was looked for.
        what: String,
    },
    /// A state change that the transition function does not know.
    #[error("{what} cannot go from {from} to {to}")]
    IllegalMove {
        /// `execution` or `job`.
        what: &'static str,
        /// The state it is in.
        from: String,
        /// The state it was to take.
        to: String,
    },
    /// The database refused or cannot be reached: the operator's.
    #[error("the database failed")]
    Database(#[source] sqlx::Error),
    /// The migrations could not be applied: the operator's.
    #[error("the database could not be migrated")]
    Migration(#[source] sqlx::migrate::MigrateError),
    /// The writer has stopped: the server is shutting down.
    #[error("the store is closed")]
    Closed,
}
