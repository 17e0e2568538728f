//! What a database's refusal means.

use std::time::Duration;

use sqlx::{error::ErrorKind, mysql::MySqlDatabaseError, postgres::PgDatabaseError};

use crate::error::StoreError;

/// Says what a refused statement means: a caller's mistake where the database can tell, its own failure otherwise.
pub(super) fn refusal(error: sqlx::Error) -> StoreError {
    let Some(refused) = error.as_database_error() else {
        return StoreError::Database(error);
    };
    let postgres = refused.try_downcast_ref::<PgDatabaseError>();
    let mysql = refused.try_downcast_ref::<MySqlDatabaseError>();
    match (refused.kind(), postgres) {
        (ErrorKind::UniqueViolation, None) if mysql.is_some() => {
            StoreError::NotUnique { field: key_in_message(refused.message()) }
        }
        (ErrorKind::NotNullViolation, None) if mysql.is_some() => {
            let column = refused.message().split('\'').nth(1).unwrap_or_default();
            StoreError::invalid("REQUIRED", format!("{column} is required"))
        }
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

/// The same in a further database, whose structure, rights and types are somebody else's, and change without notice.
pub(super) fn further_refusal(error: sqlx::Error) -> StoreError {
    let Some(refused) = error.as_database_error() else { return StoreError::Database(error) };
    let (kind, message) = (Kind::of(refused), refused.message());
    match kind {
        Some(Kind::Structure) => StoreError::invalid(
            "STRUCTURE_CHANGED",
            format!("the data source has another structure than when it was read, and should be refreshed: {message}"),
        ),
        Some(Kind::Rights) => {
            StoreError::invalid("NOT_ALLOWED", format!("the data source does not allow that: {message}"))
        }
        Some(Kind::Value) => {
            StoreError::invalid("INVALID_VALUE", format!("the data source refuses a value: {message}"))
        }
        Some(Kind::Required) => {
            let column = message.split('\'').nth(1).unwrap_or_default();
            StoreError::invalid("REQUIRED", format!("{column} is required"))
        }
        None => refusal(error),
    }
}

/// What a further database complains of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// There is no such table or column, or it is of another type.
    Structure,
    /// The user that the host is there may not do it, or nobody may.
    Rights,
    /// A value does not fit the column, or a check of the table.
    Value,
    /// A column without a default has got no value.
    Required,
}

impl Kind {
    fn of(refused: &(dyn sqlx::error::DatabaseError + 'static)) -> Option<Self> {
        if let Some(refused) = refused.try_downcast_ref::<PgDatabaseError>() {
            return Self::of_postgres(refused.code());
        }
        if let Some(refused) = refused.try_downcast_ref::<MySqlDatabaseError>() {
            return Self::of_mysql(refused.number());
        }
        let message = refused.message();
        if message.starts_with("cannot modify") {
            return Some(Self::Rights);
        }
        let structure = ["no such table", "no such column", "has no column named"];
        if structure.iter().any(|text| message.contains(text)) {
            return Some(Self::Structure);
        }
        // SQLITE_CONSTRAINT_CHECK, SQLITE_CONSTRAINT_DATATYPE, SQLITE_CONSTRAINT_TRIGGER, SQLITE_MISMATCH
        refused.code().is_some_and(|code| ["275", "3091", "1811", "20"].contains(&code.as_ref())).then_some(Self::Value)
    }

    /// By <https://www.postgresql.org/docs/current/errcodes-appendix.html>.
    fn of_postgres(code: &str) -> Option<Self> {
        Some(match code {
            // undefined_table, undefined_column, undefined_function, undefined_object, datatype_mismatch, wrong_object_type
            "42P01" | "42703" | "42883" | "42704" | "42804" | "42809" => Self::Structure,
            // insufficient_privilege, with_check_option_violation, object_not_in_prerequisite_state: a view that cannot be written
            "42501" | "44000" | "55000" => Self::Rights,
            // generated_always, check_violation, exclusion_violation, raise_exception
            "428C9" | "23514" | "23P01" | "P0001" => Self::Value,
            // data_exception: out of range, too long, no such value of an enumeration. The NUL has a sentence of its own.
            code if code.starts_with("22") && code != "22021" => Self::Value,
            _ => return None,
        })
    }

    /// By <https://dev.mysql.com/doc/mysql-errors/8.0/en/server-error-reference.html> and
    /// <https://mariadb.com/kb/en/mariadb-error-code-reference/>.
    fn of_mysql(number: u16) -> Option<Self> {
        Some(match number {
            // no such table, unknown column, a view of what is not there
            1146 | 1054 | 1356 | 1347 => Self::Structure,
            // access denied to a database, a table, a column; for lack of a privilege; a view that cannot be written
            1044 | 1142 | 1143 | 1227 | 1370 | 1288 | 1348 | 1471 => Self::Rights,
            // truncated, out of range, incorrect, too long, check, signal, generated columns, invalid JSON
            1264 | 1265 | 1292 | 1366 | 1367 | 1406 | 1690 | 3819 | 4025 | 1644 | 1906 | 3105 | 3140 | 4038 => {
                Self::Value
            }
            1364 => Self::Required,
            _ => return None,
        })
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

/// MySQL's: too many connections, shutting down, out of memory or files, disk full, locks, deadlocks, read-only, killed, too long.
const TRANSIENT_NUMBERS: [u16; 17] =
    [1040, 1053, 1037, 1038, 1041, 1021, 1114, 1203, 1205, 1213, 1226, 1290, 1317, 1836, 1927, 1969, 3024];

/// Says whether a failure is of the circumstances rather than of the statement.
pub(crate) fn is_transient(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Database(refused) if let Some(refused) = refused.try_downcast_ref::<MySqlDatabaseError>() => {
            TRANSIENT_NUMBERS.contains(&refused.number())
        }
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

/// Says whether it is PostgreSQL's `deadlock_detected`, or MySQL's.
pub(crate) fn is_deadlock(error: &sqlx::Error) -> bool {
    let Some(refused) = error.as_database_error() else { return false };
    match refused.try_downcast_ref::<MySqlDatabaseError>() {
        Some(refused) => refused.number() == 1213,
        None => refused.code().as_deref() == Some("40P01"),
    }
}

/// The key in `Duplicate entry 'a' for key 'posts.code'`. It is named like the column, if it has one and nobody has named it.
fn key_in_message(message: &str) -> String {
    let key = message.rsplit('\'').nth(1).unwrap_or(message);
    key.rsplit_once('.').map_or(key, |(_, key)| key).to_owned()
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
    use super::{columns_in_detail, columns_in_message, key_in_message};

    #[test]
    fn the_columns_of_a_refusal_are_named() {
        assert_eq!(columns_in_message("UNIQUE constraint failed: posts.code, posts.title"), "code, title");
        assert_eq!(key_in_message("Duplicate entry 'it''s' for key 'posts.code'"), "code");
        assert_eq!(key_in_message("Duplicate entry '1-2' for key 'PRIMARY'"), "PRIMARY");
        assert_eq!(columns_in_detail("Key (code, title)=(a, b) already exists."), "code, title");
        assert_eq!(columns_in_detail("Key (\"userId\", \"roleName\")=(1, x)=( already exists."), "userId, roleName");
        assert_eq!(columns_in_detail("Key (lower(email))=(a@b.c) already exists."), "email");
    }
}
