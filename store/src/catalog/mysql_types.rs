//! The types of MySQL's and MariaDB's columns.
//!
//! Sessions are in UTC and strict, so that moments are those of UTC and what does not fit is refused. How texts compare is the
//! column's collation's business: most pass over the case of letters, and some over their accents.

use super::Kind;
use crate::{
    db::{Digits, Listed, Native},
    schema::FieldType,
};

/// What the catalog says of a column's type.
#[derive(Debug)]
pub(super) struct Declared {
    /// Its name, in small letters.
    pub(super) name: String,
    /// How it is written in the table: `tinyint(1)`, `int(10) unsigned`, `enum('a','b')`.
    pub(super) shown: String,
    /// MariaDB's JSON.
    pub(super) is_checked_json: bool,
    pub(super) length: Option<i64>,
    pub(super) precision: Option<i64>,
    pub(super) scale: Option<i64>,
}

/// The most digits of a decimal, and of those the most after the point.
const DECIMAL_DIGITS: i64 = 65;
const DECIMAL_SCALE: i64 = 30;

/// What a column becomes.
pub(super) fn kind(declared: &Declared) -> Result<Kind, String> {
    let Declared { name, shown, .. } = declared;
    let is_unsigned = shown.contains("unsigned");
    let plain = || Native::plain(Listed::Each);
    let (field_type, native) = match name.as_str() {
        "tinyint" if shown.starts_with("tinyint(1)") && !is_unsigned => {
            let truth = "(? <> 0)".to_owned();
            (FieldType::Boolean, Native { selected: Some(truth), ..plain() })
        }
        "bit" if shown == "bit(1)" => {
            let number = Some("CAST(? AS UNSIGNED)".to_owned());
            (FieldType::Boolean, Native { selected: number, ordered: Some("(? + 0)".to_owned()), ..plain() })
        }
        "int" | "integer" if is_unsigned => (FieldType::BigInt, plain()),
        "tinyint" | "smallint" | "mediumint" | "int" | "integer" => (FieldType::Integer, plain()),
        "year" => (FieldType::Integer, Native { selected: Some("CAST(? AS SIGNED)".to_owned()), ..plain() }),
        "bigint" if is_unsigned => {
            let operand = Some("CAST(? AS UNSIGNED)".to_owned());
            (FieldType::BigInt, Native { operand, digits: Digits::Text, ..plain() })
        }
        "bigint" => (FieldType::BigInt, plain()),
        "double" | "real" => (FieldType::Double, plain()),
        "float" => (FieldType::Double, Native { operand: Some("CAST(? AS FLOAT)".to_owned()), ..plain() }),
        "decimal" | "numeric" => decimal(declared),
        "char" | "varchar" if declared.is_checked_json => json_text(),
        "char" | "varchar" => (text(declared.length), plain()),
        "tinytext" | "text" | "mediumtext" | "longtext" if declared.is_checked_json => json_text(),
        "tinytext" | "text" | "mediumtext" | "longtext" | "set" => (FieldType::Text, plain()),
        "enum" => (FieldType::String { max_chars: 255, choices: Some(members(shown)) }, plain()),
        "uuid" => (FieldType::Uuid, texts("CHAR")),
        "date" => (FieldType::Date, texts("DATE")),
        "time" => (FieldType::Time, time()),
        "datetime" | "timestamp" => (FieldType::DateTime, moment()),
        "json" => (FieldType::Json, texts("JSON")),
        _ => return Err(format!("the type {shown} has no place here")),
    };
    Ok(Kind { field_type, native })
}

/// Read as text, and bound as the type.
fn texts(type_name: &str) -> Native {
    Native {
        selected: Some("CAST(? AS CHAR)".to_owned()),
        operand: Some(format!("CAST(? AS {type_name})")),
        ..Native::plain(Listed::Each)
    }
}

/// Without the parts of a second that are none.
fn time() -> Native {
    let read = "IF(MICROSECOND(?) = 0, TIME_FORMAT(?, '%H:%i:%s'), CAST(? AS CHAR))";
    Native { selected: Some(read.to_owned()), ..texts("TIME(6)") }
}

fn moment() -> Native {
    // Parts of a second beyond thousandths are cut, as elsewhere.
    let read = "CONCAT(LEFT(DATE_FORMAT(?, '%Y-%m-%dT%H:%i:%s.%f'), 23), 'Z')";
    let bound = "CAST(REPLACE(REPLACE(?, 'T', ' '), 'Z', '') AS DATETIME(3))";
    Native { selected: Some(read.to_owned()), operand: Some(bound.to_owned()), ..Native::plain(Listed::Each) }
}

/// JSON that is text to the database is compared as such.
fn json_text() -> (FieldType, Native) {
    (FieldType::Json, Native::plain(Listed::Each))
}

fn decimal(declared: &Declared) -> (FieldType, Native) {
    let scale = declared.scale.unwrap_or_default();
    let whole = declared.precision.unwrap_or(DECIMAL_DIGITS) - scale;
    // As many digits after the point as leave room for those before it: an operand is not to be rounded to the column's.
    let operand_scale = (DECIMAL_DIGITS - whole).clamp(scale, DECIMAL_SCALE);
    let native = Native {
        selected: Some("CAST(? AS CHAR)".to_owned()),
        operand: Some(format!("CAST(? AS DECIMAL({DECIMAL_DIGITS}, {operand_scale}))")),
        digits: Digits::Text,
        ..Native::plain(Listed::Each)
    };
    (FieldType::Decimal { scale: u32::try_from(scale).unwrap_or_default() }, native)
}

fn text(length: Option<i64>) -> FieldType {
    match length.and_then(|length| u32::try_from(length).ok()) {
        Some(max_chars @ 1..) => FieldType::String { max_chars, choices: None },
        Some(0) | None => FieldType::Text,
    }
}

/// The members in `enum('a','it''s')`.
fn members(shown: &str) -> Vec<String> {
    let list = shown.split_once('(').map_or("", |(_, rest)| rest.trim_end_matches(')'));
    let (mut members, mut member, mut is_within) = (Vec::new(), String::new(), false);
    let mut characters = list.chars().peekable();
    while let Some(character) = characters.next() {
        match (is_within, character) {
            (false, '\'') => is_within = true,
            (true, '\'') if characters.peek() == Some(&'\'') => member.extend(characters.next()),
            (true, '\'') => {
                is_within = false;
                members.push(std::mem::take(&mut member));
            }
            (true, other) => member.push(other),
            (false, _) => {}
        }
    }
    members
}

#[cfg(test)]
mod tests {
    use super::members;

    #[test]
    fn members_of_an_enumeration_are_read() {
        assert_eq!(members("enum('a','it''s','x,y','','(z)')"), ["a", "it's", "x,y", "", "(z)"]);
    }
}
