//! Why a database is not moved: for the operator, one readable line each.

use crate::error::StoreError;

/// Why a database is not moved.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TransferError {
    /// Both are the same.
    #[error("the source and the target are the same database")]
    SameDatabase,
    /// There is nothing to copy.
    #[error("there is no host's database at the source")]
    NoSource,
    /// The source lacks migrations.
    #[error("the source is of a former version: start this version of the host on it once, and stop it again")]
    OldSource,
    /// The database has migrations that this version does not know.
    #[error("the {which} is of a later version of this program than this one")]
    Newer {
        /// `source` or `target`.
        which: &'static str,
    },
    /// A host has a lease in the source.
    #[error("a host works with the source: stop it first. One that was killed counts for {seconds} s more")]
    SourceInUse {
        /// Until its lease ends.
        seconds: i64,
    },
    /// The source is not whole.
    #[error("the source is an unfinished copy of {source_of_source}")]
    UnfinishedSource {
        /// What it is to be a copy of.
        source_of_source: String,
    },
    /// The target is somebody else's.
    #[error("the target has tables that are not a host's ({}): take an empty database", tables.join(", "))]
    StrangeTarget {
        /// Some of them.
        tables: Vec<String>,
    },
    /// A host was started on the target, or it is a complete copy that has been worked with.
    #[error("the target has data already ({}): take an empty database", tables.join(", "))]
    TargetHasData {
        /// The tables that have rows.
        tables: Vec<String>,
    },
    /// The copy in the target was begun from something else.
    #[error(
        "the target is a copy of {begun_from} as it was when the copy was begun, and the source is something else ({}): \
         go on with that one, unchanged, or take an empty database",
        tables.join(", ")
    )]
    OtherSource {
        /// The source of the copy.
        begun_from: String,
        /// What is different in this one.
        tables: Vec<String>,
    },
    /// Somebody else advances the same copy.
    #[error("another process copies into the target, too")]
    Rival,
    /// What was read back is not what was copied.
    #[error(
        "the target is not what the source is ({}): it stays unfinished; empty it and begin anew",
        tables.join(", ")
    )]
    Different {
        /// The tables that differ.
        tables: Vec<String>,
    },
    /// A row cannot be read or stored.
    #[error("the table {table} cannot be copied")]
    Table {
        /// The table.
        table: String,
        /// What the store says.
        source: StoreError,
    },
    /// A database fails.
    #[error("a database cannot be used")]
    Store(#[from] StoreError),
}

impl TransferError {
    /// Says which table an error is about.
    pub(super) fn of(table: &str) -> impl FnOnce(StoreError) -> Self {
        |source| Self::Table { table: table.to_owned(), source }
    }
}
