//! The types of PostgreSQL's columns.
//!
//! Values are bound as texts and cast to the column's type without its length: with it a cast would cut what is too long, and
//! without it the server refuses that. Moments without a time zone are taken as those of UTC.

use super::Kind;
use crate::{
    db::{Digits, Listed, Native},
    schema::FieldType,
};

/// What the catalog says of a column's type.
#[derive(Debug)]
pub(super) struct Declared {
    /// Its name, or that of the type under a domain.
    pub(super) name: String,
    /// It is one of the server's own.
    pub(super) is_known: bool,
    /// `e` is an enumeration.
    pub(super) kind: String,
    /// How it is written in a cast.
    pub(super) cast: String,
    /// How it is written in the table.
    pub(super) shown: String,
    /// Length, or precision and scale; −1 if there are none.
    pub(super) modifier: i64,
    /// What a list is one of.
    pub(super) member: Option<String>,
    /// The values of an enumeration.
    pub(super) labels: Vec<String>,
}

const MOMENT: &str = r#"'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'"#;
/// What length and precision are counted from.
const MODIFIER_BASE: i64 = 4;

/// What a column becomes.
pub(super) fn kind(declared: &Declared) -> Result<Kind, String> {
    let Declared { cast, labels, .. } = declared;
    let (field_type, native) = match (declared.name.as_str(), declared.is_known) {
        _ if declared.kind == "e" => {
            let choices = Some(labels.clone());
            (FieldType::String { max_chars: 63, choices }, texts(cast))
        }
        ("int2" | "int4", true) => (FieldType::Integer, plain(cast)),
        ("int8", true) => (FieldType::BigInt, plain(cast)),
        ("float8", true) => (FieldType::Double, plain(cast)),
        ("float4", true) => (FieldType::Double, Native { operand: Some(casted(cast)), ..plain(cast) }),
        ("numeric", true) => (FieldType::Decimal { scale: scale(declared.modifier) }, decimal()),
        ("bool", true) => (FieldType::Boolean, boolean()),
        ("text" | "name", true) => (FieldType::Text, plain("text")),
        ("varchar", true) => (text(declared.modifier), plain(cast)),
        ("bpchar", true) => (text(declared.modifier), texts(cast)),
        ("citext", _) => (FieldType::Text, texts(cast)),
        ("uuid", true) => (FieldType::Uuid, texts(cast)),
        ("date", true) => (FieldType::Date, texts(cast)),
        ("time", true) => (FieldType::Time, texts(cast)),
        ("timestamptz", true) => (FieldType::DateTime, moment(cast, "$1 AT TIME ZONE 'UTC'")),
        ("timestamp", true) => (FieldType::DateTime, moment(cast, "$1")),
        ("jsonb", true) => (FieldType::Json, json(cast)),
        ("json", true) => {
            let compared = Some("CAST($1 AS jsonb)".to_owned());
            (
                FieldType::Json,
                Native { compared, operand: Some(casted("jsonb")), written: Some(casted(cast)), ..json(cast) },
            )
        }
        (_, true) if matches!(declared.member.as_deref(), Some("text" | "varchar")) => {
            (FieldType::Array { choices: None }, list(cast))
        }
        _ => return Err(format!("the type {} has no place here", declared.shown)),
    };
    Ok(Kind { field_type, native })
}

fn casted(type_name: &str) -> String {
    format!("CAST($1 AS {type_name})")
}

/// Stored as it is.
fn plain(cast: &str) -> Native {
    Native::plain(Listed::Cast(cast.to_owned()))
}

/// Read and written as text; the smallest is asked for as text if the type has none.
fn texts(cast: &str) -> Native {
    Native {
        selected: Some(casted("text")),
        operand: Some(casted(cast)),
        ordered: Some(casted("text")).filter(|_| cast == "uuid"),
        ..plain(cast)
    }
}

fn decimal() -> Native {
    Native {
        selected: Some(casted("text")),
        operand: Some(casted("numeric")),
        digits: Digits::Text,
        ..plain("numeric")
    }
}

fn boolean() -> Native {
    Native { operand: Some("($1 <> 0)".to_owned()), ordered: Some("CAST($1 AS int)".to_owned()), ..plain("boolean") }
}

fn moment(cast: &str, in_utc: &str) -> Native {
    // One at the end of all days is said to be there, as no moment has it.
    let read = format!("(CASE WHEN isfinite($1) THEN to_char({in_utc}, {MOMENT}) ELSE CAST($1 AS text) END)");
    Native { selected: Some(read), operand: Some(casted(cast)), ..plain(cast) }
}

fn json(cast: &str) -> Native {
    Native {
        selected: Some(casted("text")),
        operand: Some(casted(cast)),
        ordered: Some(casted("text")),
        ..Native::plain(Listed::Each)
    }
}

fn list(cast: &str) -> Native {
    let bound = format!("CAST(ARRAY(SELECT json_array_elements_text(CAST($1 AS json))) AS {cast})");
    Native {
        selected: Some("CAST(array_to_json($1) AS text)".to_owned()),
        operand: Some(bound),
        ..Native::plain(Listed::Each)
    }
}

fn text(modifier: i64) -> FieldType {
    match u32::try_from(modifier - MODIFIER_BASE) {
        Ok(max_chars @ 1..) => FieldType::String { max_chars, choices: None },
        _ => FieldType::Text,
    }
}

/// The digits after the point; a number without a limit has as many as are given.
fn scale(modifier: i64) -> u32 {
    if modifier < MODIFIER_BASE {
        return 0;
    }
    // Eleven bits with a sign; numbers rounded to tens or hundreds have no digits there.
    let scale = (modifier - MODIFIER_BASE) & 0x7ff;
    if scale > 1_000 { 0 } else { u32::try_from(scale).unwrap_or_default() }
}
