//! The declared types of SQLite's columns. They are advice: a column may hold a value of any kind, and a value that does not fit its
//! field is shown as it is.

use super::Kind;
use crate::{
    db::{Listed, Native},
    schema::FieldType,
};

/// What a column becomes by its declared type, which is told by parts of its name, as SQLite does it.
pub(super) fn kind(declared: &str) -> Result<Kind, String> {
    let name = declared.split('(').next().unwrap_or_default().trim().to_ascii_uppercase();
    let contains = |parts: &[&str]| parts.iter().any(|part| name.contains(part));
    let plain = |field_type| Kind { field_type, native: Native::plain(Listed::Members) };
    Ok(match name.as_str() {
        "UUID" | "GUID" => plain(FieldType::Uuid),
        "JSON" | "JSONB" => plain(FieldType::Json),
        "DATE" => plain(FieldType::Date),
        "TIME" => plain(FieldType::Time),
        "DATETIME" | "TIMESTAMP" => moment(),
        _ if contains(&["BOOL"]) => plain(FieldType::Boolean),
        _ if contains(&["INT"]) => plain(FieldType::BigInt),
        _ if contains(&["CHAR"]) => plain(text(declared)),
        _ if contains(&["CLOB", "TEXT"]) => plain(FieldType::Text),
        // Of binary values, and of columns that say nothing of theirs, nothing can be said here.
        _ if contains(&["BLOB"]) => return Err("it holds binary values".to_owned()),
        _ if contains(&["REAL", "FLOA", "DOUB", "NUMERIC", "DECIMAL"]) => plain(FieldType::Double),
        // A view's computed column, or a column without a type: numbers and texts are told apart there, and are not here.
        _ => {
            let compared = Some("CAST(? AS TEXT)".to_owned());
            Kind { field_type: FieldType::Text, native: Native { compared, ..Native::plain(Listed::Members) } }
        }
    })
}

/// Moments are texts in a form of SQLite's own, with a space or a `T`, with or without parts of a second: they are compared as moments.
/// Numbers in such a column may count anything, and stay numbers.
fn moment() -> Kind {
    let read = "(CASE typeof(?) WHEN 'text' THEN coalesce(strftime('%Y-%m-%dT%H:%M:%fZ', ?), ?) ELSE ? END)";
    let native = Native {
        selected: Some(read.to_owned()),
        compared: Some(read.to_owned()),
        written: Some("strftime('%Y-%m-%d %H:%M:%f', ?)".to_owned()),
        ordered: Some(read.to_owned()),
        ..Native::plain(Listed::Members)
    };
    Kind { field_type: FieldType::DateTime, native }
}

fn text(declared: &str) -> FieldType {
    let length = declared.split_once('(').and_then(|(_, rest)| rest.split([')', ',']).next()?.trim().parse().ok());
    // SQLite does not keep to the length; those who made the table meant to.
    length
        .filter(|length| *length > 0)
        .map_or(FieldType::Text, |max_chars| FieldType::String { max_chars, choices: None })
}
