//! What a database's refusal means.

use std::time::Duration;

use sqlx::{error::ErrorKind, postgres::PgDatabaseError};

use crate::error::StoreError;

/// Says what a refused statement means: a caller's mistake where the database can tell, its own failure otherwise.
pub(super) fn refusal(error: sqlx::Error) -> StoreError {
    let Some(refused) = error.as_database_error() else {
        return StoreError::Database(error);
    };
    let postgres = refused.try_downcast_ref::<PgDatabaseError>();
    match (refused.kind(), postgres) {
        (ErrorKind::UniqueViolation, None) => StoreError::NotUnique { field: columns_in_message(refused.message()) },
        (ErrorKind::UniqueViolation, Some(refused)) => {
            StoreError::NotUnique { field: columns_in_detail(refused.detail().unwrap_or_default()) }
        }
        (ErrorKind::NotNullViolation, postgres) => {
            let column = match postgres {
                None => columns_in_message(refused.message()),
                Some(refused) => refused.column().unwrap_or_default().to_owned(),
            };
            StoreError::invalid("REQUIRED", format!("{column} is required"))
        }
        (ErrorKind::ForeignKeyViolation, _) => StoreError::invalid(
            "DANGLING_ASSOCIATION",
            "a record that this one refers to, or that refers to it, is in the way",
        ),
        (_, Some(refused)) => match refused.code() {
            // character_not_in_repertoire: a NUL character in a text
            "22021" => StoreError::invalid("INVALID_VALUE", "text cannot contain a NUL character"),
            // program_limit_exceeded: more than a third of a page in an index
            "54000" => StoreError::invalid("INVALID_VALUE", "a text is too long for a field that is unique or a key"),
            _ => StoreError::Database(error),
        },
        (_, None) => StoreError::Database(error),
    }
}

/// The same for a statement that the caller has written.
pub(super) fn guarded_refusal(error: sqlx::Error, time: Duration) -> StoreError {
    /// SQLite's `SQLITE_INTERRUPT` and PostgreSQL's `query_canceled`.
    const INTERRUPTED: [&str; 2] = ["9", "57014"];
    let sentence = match error.as_database_error() {
        Some(refused) if refused.code().is_some_and(|code| INTERRUPTED.contains(&code.as_ref())) => {
            format!("the query took longer than {} s", time.as_secs())
        }
        Some(refused) if !is_transient(&error) => format!("the query failed: {}", refused.message()),
        Some(_) | None => return StoreError::Database(error),
    };
    StoreError::invalid("SQL", sentence)
}

/// SQLite's result codes for what may pass by itself: busy, locked, out of memory, read-only (as after a full disk), input
/// or output error, disk full, cannot open, locking protocol.
const TRANSIENT_CODES: [u32; 8] = [5, 6, 7, 8, 10, 13, 14, 15];
/// PostgreSQL's classes and codes for it: the connection, serialization failures and deadlocks, out of resources, locks not
/// available, shutting down or starting up, input or output errors, a server that only reads, a transaction that nothing was heard
/// of for too long, a plan made for a former schema.
const TRANSIENT_STATES: [&str; 10] = ["08", "40", "53", "55P03", "57P", "57014", "58", "25006", "25P03", "0A000"];

/// Says whether a failure is of the circumstances rather than of the statement.
pub(crate) fn is_transient(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Database(refused) => match refused.try_downcast_ref::<PgDatabaseError>() {
            Some(refused) => TRANSIENT_STATES.iter().any(|state| refused.code().starts_with(state)),
            None => {
                // The low byte is the kind; the rest says more about it.
                let code = refused.code().and_then(|code| code.parse::<u32>().ok());
                code.is_some_and(|code| TRANSIENT_CODES.contains(&(code & 0xff)))
            }
        },
        other => matches!(
            other,
            sqlx::Error::Io(_)
                | sqlx::Error::Tls(_)
                | sqlx::Error::PoolTimedOut
                | sqlx::Error::PoolClosed
                | sqlx::Error::WorkerCrashed
        ),
    }
}

/// Says whether it is PostgreSQL's `deadlock_detected`.
pub(crate) fn is_deadlock(error: &sqlx::Error) -> bool {
    error.as_database_error().is_some_and(|refused| refused.code().as_deref() == Some("40P01"))
}

/// The columns in `UNIQUE constraint failed: posts.code, posts.title`.
fn columns_in_message(message: &str) -> String {
    let columns = message.rsplit_once(": ").map_or(message, |(_, columns)| columns);
    let names: Vec<&str> =
        columns.split(", ").map(|column| column.rsplit_once('.').map_or(column, |(_, name)| name)).collect();
    names.join(", ")
}

/// The columns in `Key ("userId", lower(email))=(1, a@b.c) already exists.`
fn columns_in_detail(detail: &str) -> String {
    let columns =
        detail.strip_prefix("Key (").and_then(|rest| rest.split_once(")=(")).map_or(detail, |(names, _)| names);
    let bare = |column: &str| {
        let column = column.strip_prefix("lower(").map_or(column, |inner| inner.trim_end_matches(')'));
        column.trim_matches('"').to_owned()
    };
    columns.split(", ").map(bare).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::{columns_in_detail, columns_in_message};

    #[test]
    fn the_columns_of_a_refusal_are_named() {
        assert_eq!(columns_in_message("UNIQUE constraint failed: posts.code, posts.title"), "code, title");
        assert_eq!(columns_in_detail("Key (code, title)=(a, b) already exists."), "code, title");
        assert_eq!(columns_in_detail("Key (\"userId\", \"roleName\")=(1, x)=( already exists."), "userId, roleName");
        assert_eq!(columns_in_detail("Key (lower(email))=(a@b.c) already exists."), "email");
    }
}
