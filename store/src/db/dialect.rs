//! What differs between databases: error texts, lists of keys, matching of text, column types.

use sea_query::{ColumnDef, Expr, ExprTrait as _, LikeExpr, Value};

use super::Cell;
use crate::{error::StoreError, schema::FieldType};

/// The longest pattern that is matched, in characters; the database's own limit is 50,000 bytes.
pub(crate) const PATTERN_CHARS: usize = 10_000;

/// Says what a refused statement means: a caller's mistake where the database can tell, its own failure otherwise.
pub(super) fn refusal(error: sqlx::Error) -> StoreError {
    use sqlx::error::ErrorKind;

    let Some(refused) = error.as_database_error() else {
        return StoreError::Database(error);
    };
    match refused.kind() {
        ErrorKind::UniqueViolation => StoreError::NotUnique { field: columns_in(refused.message()) },
        ErrorKind::NotNullViolation => {
            StoreError::invalid("REQUIRED", format!("{} is required", columns_in(refused.message())))
        }
        ErrorKind::ForeignKeyViolation => StoreError::invalid(
            "DANGLING_ASSOCIATION",
            "a record that this one refers to, or that refers to it, is in the way",
        ),
        _ => StoreError::Database(error),
    }
}

/// The database's result codes for what may pass by itself: busy, locked, out of memory, read-only (as after a full disk),
/// input or output error, disk full, cannot open, locking protocol.
const TRANSIENT_CODES: [u32; 8] = [5, 6, 7, 8, 10, 13, 14, 15];

/// Says whether a failure is of the circumstances rather than of the statement.
pub(crate) fn is_transient(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Database(refused) => {
            // The low byte is the kind; the rest says more about it.
            let code = refused.code().and_then(|code| code.parse::<u32>().ok());
            code.is_some_and(|code| TRANSIENT_CODES.contains(&(code & 0xff)))
        }
        other => matches!(
            other,
            sqlx::Error::Io(_) | sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed | sqlx::Error::WorkerCrashed
        ),
    }
}

/// The columns in `UNIQUE constraint failed: posts.code, posts.title`.
fn columns_in(message: &str) -> String {
    let columns = message.rsplit_once(": ").map_or(message, |(_, columns)| columns);
    let names: Vec<&str> =
        columns.split(", ").map(|column| column.rsplit_once('.').map_or(column, |(_, name)| name)).collect();
    names.join(", ")
}

/// Says whether a table of this name would hide something that statements use: [`is_one_of`] reads from a function.
pub(crate) fn is_reserved_table(name: &str) -> bool {
    name.eq_ignore_ascii_case("json_each")
}

/// `column` is one of the values. The list is one bound value, so that its length does not change the statement's text and
/// has no limit.
pub(crate) fn is_one_of(column: Expr, values: impl IntoIterator<Item = Cell>) -> Expr {
    let list: Vec<serde_json::Value> = values.into_iter().map(Into::into).collect();
    let values = Expr::cust_with_values(
        "(SELECT value FROM json_each(?))",
        [Value::from(serde_json::Value::from(list).to_string())],
    );
    Expr::cust_with_exprs("? IN ?", [column, values])
}

/// `column` contains the text, whatever the case of its ASCII letters.
pub(crate) fn contains(column: Expr, text: &str) -> Expr {
    column.like(LikeExpr::new(format!("%{}%", escape(text))).escape('\\'))
}

/// `column` starts with the text.
pub(crate) fn starts_with(column: Expr, text: &str) -> Expr {
    column.like(LikeExpr::new(format!("{}%", escape(text))).escape('\\'))
}

/// `column` ends with the text.
pub(crate) fn ends_with(column: Expr, text: &str) -> Expr {
    column.like(LikeExpr::new(format!("%{}", escape(text))).escape('\\'))
}

/// `column` matches a pattern of `%` and `_`.
pub(crate) fn like(column: Expr, pattern: &str) -> Expr {
    column.like(LikeExpr::new(pattern).escape('\\'))
}

fn escape(text: &str) -> String {
    text.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_")
}

/// Gives a column the type that holds a field's values; `None` if the field has no column.
pub(crate) fn column_type<'c>(column: &'c mut ColumnDef, field_type: &FieldType) -> Option<&'c mut ColumnDef> {
    Some(match field_type {
        FieldType::Integer | FieldType::BigInt | FieldType::Decimal { .. } => column.big_integer(),
        FieldType::Double => column.double(),
        FieldType::Boolean => column.boolean(),
        FieldType::String { .. }
        | FieldType::Text
        | FieldType::DateTime
        | FieldType::Date
        | FieldType::Time
        | FieldType::Json
        | FieldType::Uuid
        | FieldType::Array { .. }
        | FieldType::Password => column.text(),
        FieldType::Association(_) => return None,
    })
}
