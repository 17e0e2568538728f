//! What can go wrong in the store, by who has to act on it.

use std::sync::Arc;

use crate::db::refusal;

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
    /// The transaction could not be committed; it was shared with other callers, who get the same: the operator's.
    #[error("the transaction could not be committed")]
    NotCommitted(#[source] Arc<sqlx::Error>),
    /// What is stored cannot be read back, such as a definition from a later version: the operator's.
    #[error("the database holds {what}, which cannot be read")]
    Corrupt {
        /// What was found.
        what: String,
    },
    /// The migrations could not be applied: the operator's.
    #[error("the database could not be migrated")]
    Migration(#[source] sqlx::migrate::MigrateError),
    /// The closure handed to [`crate::Store::write`] panicked; nothing of it is stored: the programmer's.
    #[error("the transaction was given up")]
    Panicked,
    /// Somebody who has to hear of the change cannot; nothing of it is stored: the operator's.
    #[error("{who}, which is required, is out of order: nothing was done, please contact the administrator")]
    Unheard {
        /// Who has to hear of it.
        who: String,
    },
    /// Somebody who hears of the change refuses it; nothing of it is stored: the caller's.
    #[error("{}", refusal(messages))]
    Refused {
        /// In whose words; possibly none.
        messages: Vec<String>,
    },
    /// Somebody who hears of the change broke down over it; nothing of it is stored: the operator's.
    #[error("{who} broke down, nothing was done")]
    Broken {
        /// Who.
        who: String,
    },
    /// A further database cannot be used for the moment: the operator's.
    #[error("the data source \"{key}\" cannot be used at the moment")]
    SourceUnavailable {
        /// Its key.
        key: String,
    },
    /// The writer has stopped: the server is shutting down.
    #[error("the store is closed")]
    Closed,
}

impl StoreError {
    /// Says whether the same may succeed later without anybody changing it: the disk is full, the database is locked or
    /// cannot be reached, others' writes took this one down, the server is shutting down.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Database(error) => refusal::is_transient(error),
            Self::NotCommitted(_) | Self::Unheard { .. } | Self::SourceUnavailable { .. } | Self::Closed => true,
            Self::Invalid { .. }
            | Self::NotUnique { .. }
            | Self::NotFound { .. }
            | Self::IllegalMove { .. }
            | Self::Corrupt { .. }
            | Self::Migration(_)
            | Self::Panicked
            | Self::Refused { .. }
            | Self::Broken { .. } => false,
        }
    }

    /// Says whether two transactions waited for each other, and this one was given up. The other one has gone on.
    pub fn is_deadlock(&self) -> bool {
        matches!(self, Self::Database(error) if refusal::is_deadlock(error))
    }

    pub(crate) fn invalid(code: &'static str, message: impl Into<String>) -> Self {
        Self::Invalid { code, message: message.into() }
    }

    /// A value that does not fit its field.
    pub(crate) fn invalid_value(field: &str, problem: impl std::fmt::Display) -> Self {
        Self::invalid("INVALID_VALUE", format!("{field}: {problem}"))
    }
}

fn refusal(messages: &[String]) -> String {
    if messages.is_empty() { "the change was refused".to_owned() } else { messages.join(" ") }
}
