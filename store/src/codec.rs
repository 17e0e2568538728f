//! Values between their JSON form, which callers see, and their stored form, which the database sorts and compares.
//!
//! Booleans are 0 and 1, moments and days are text that sorts as time, decimals are whole numbers of their smallest unit,
//! JSON and lists are text. Columns of further databases may hold numbers of more digits: those are texts.

use chrono::{NaiveDate, NaiveTime};
use rust_decimal::{Decimal, RoundingStrategy};
use serde_json::{Number, Value};
use uuid::Uuid;

use crate::{
    db::{Cell, Digits},
    error::StoreError,
    moment,
    schema::{Field, FieldType},
};

/// Beyond this, JSON numbers are not exact everywhere; such numbers travel as text.
const EXACT: i64 = 1 << 53;
/// The digits of a number beyond which no column goes.
const MAX_DIGITS: usize = 1_000;
/// What the hashes of [`crate::secret`] begin with.
const HASH_PREFIX: &str = "$argon2id$";

/// Checks a value to be stored in a field, and gives it its stored form.
pub(crate) fn encode(field: &Field, value: &Value) -> Result<Cell, StoreError> {
    let cell = operand(field, value)?;
    match (&field.field_type, &cell) {
        (FieldType::String { max_chars, choices }, Cell::Text(text)) => {
            if text.chars().nth(*max_chars as usize).is_some() {
                return Err(StoreError::invalid_value(&field.name, format_args!("at most {max_chars} characters")));
            }
            check_choice(field, choices.as_deref(), text)?;
        }
        (FieldType::Array { choices: Some(choices) }, Cell::Text(_)) => {
            for choice in value.as_array().into_iter().flatten().filter_map(Value::as_str) {
                check_choice(field, Some(choices), choice)?;
            }
        }
        (FieldType::Password, Cell::Text(text)) if !text.starts_with(HASH_PREFIX) => {
            return Err(StoreError::invalid_value(&field.name, "a password has to be hashed before it is stored"));
        }
        _ => {}
    }
    Ok(cell)
}

/// Gives a value that is compared with a field the field's stored form: the type has to fit, limits do not apply.
pub(crate) fn operand(field: &Field, value: &Value) -> Result<Cell, StoreError> {
    if value.is_null() {
        return Ok(Cell::Null);
    }
    let cell = match &field.field_type {
        FieldType::String { .. } | FieldType::Text | FieldType::Password => text(value).map(Cell::Text),
        FieldType::Integer => whole(value).filter(|number| i32::try_from(*number).is_ok()).map(Cell::Integer),
        FieldType::BigInt if has_more_digits(field) => unsigned(value).map(Cell::Text),
        FieldType::BigInt => whole(value).map(Cell::Integer),
        FieldType::Double => real(value).map(Cell::Real),
        FieldType::Decimal { .. } if has_more_digits(field) => digits(value).map(Cell::Text),
        FieldType::Decimal { scale } => decimal(value, *scale).map(Cell::Integer),
        FieldType::Boolean => boolean(value).map(|truth| Cell::Integer(truth.into())),
        FieldType::DateTime => match value {
            Value::String(text) => moment::parse(text),
            Value::Number(millis) => millis.as_i64().and_then(moment::from_millis),
            _ => None,
        }
        .map(Cell::Text),
        FieldType::Date => value.as_str().and_then(day).map(Cell::Text),
        FieldType::Time => {
            // The main database has no parts of a second.
            let format = if field.native.is_none() { "%H:%M:%S" } else { "%H:%M:%S%.f" };
            value.as_str().and_then(|text| time(text, format)).map(Cell::Text)
        }
        FieldType::Json => Some(Cell::Text(value.to_string())),
        FieldType::Uuid => {
            value.as_str().and_then(|text| Uuid::try_parse(text).ok()).map(|id| Cell::Text(id.to_string()))
        }
        FieldType::Array { .. } => {
            value.as_array().filter(|items| items.iter().all(Value::is_string)).map(|_| Cell::Text(value.to_string()))
        }
        FieldType::Association(_) => None,
    };
    let cell =
        cell.ok_or_else(|| StoreError::invalid_value(&field.name, format_args!("{} is expected", expected(field))))?;
    match &cell {
        Cell::Text(text) if text.contains('\0') => {
            Err(StoreError::invalid_value(&field.name, "text cannot contain a NUL character"))
        }
        _ => Ok(cell),
    }
}

/// Gives a stored value its JSON form.
pub(crate) fn decode(field: &Field, cell: Cell) -> Result<Value, StoreError> {
    let value = match (&field.field_type, cell) {
        (_, Cell::Null) => Value::Null,
        (FieldType::Boolean, Cell::Integer(number)) => Value::Bool(number != 0),
        (FieldType::Decimal { scale }, Cell::Integer(units)) => {
            Value::String(Decimal::from_i128_with_scale(units.into(), *scale).to_string())
        }
        (FieldType::Integer | FieldType::BigInt, Cell::Text(text)) => match text.parse::<i64>() {
            Ok(number) if number.unsigned_abs() <= EXACT.unsigned_abs() => Value::from(number),
            _ => Value::String(text),
        },
        (_, Cell::Integer(number)) if number.unsigned_abs() > EXACT.unsigned_abs() => Value::String(number.to_string()),
        (_, Cell::Integer(number)) => Value::from(number),
        (_, Cell::Real(number)) => number_value(number),
        (FieldType::Json | FieldType::Array { .. }, Cell::Text(text)) => serde_json::from_str(&text)
            .map_err(|error| StoreError::Corrupt { what: format!("JSON in {}: {error}", field.name) })?,
        (_, Cell::Text(text)) => Value::String(text),
    };
    Ok(value)
}

/// Whole numbers are written without a decimal point, as in JavaScript.
fn number_value(number: f64) -> Value {
    #[expect(clippy::cast_precision_loss, reason = "2^53 is exact")]
    let exact = number.fract() == 0.0 && number.abs() <= EXACT as f64;
    #[expect(clippy::cast_possible_truncation, reason = "whole and within 2^53")]
    let whole = number as i64;
    if exact { Value::from(whole) } else { Number::from_f64(number).map_or(Value::Null, Value::Number) }
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

fn whole(value: &Value) -> Option<i64> {
    match value {
        Value::Number(number) => number.as_i64().or_else(|| match number.as_f64().map(number_value)? {
            Value::Number(whole) => whole.as_i64(),
            _ => None,
        }),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}

fn real(value: &Value) -> Option<f64> {
    match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
    .filter(|number: &f64| number.is_finite())
}

fn decimal(value: &Value, scale: u32) -> Option<i64> {
    let text = text(value)?;
    let exact = text.trim().parse().or_else(|_| Decimal::from_scientific(text.trim())).ok()?;
    let mut rounded = exact.round_dp_with_strategy(scale, RoundingStrategy::MidpointAwayFromZero);
    rounded.rescale(scale);
    // A number that is too large keeps fewer digits.
    (rounded.scale() == scale).then_some(rounded.mantissa()).and_then(|units| i64::try_from(units).ok())
}

fn has_more_digits(field: &Field) -> bool {
    field.native.as_ref().is_some_and(|native| native.digits == Digits::Text)
}

/// A whole number that has no sign, and one bit more for it.
fn unsigned(value: &Value) -> Option<String> {
    let number: u64 = match value {
        Value::String(text) => text.trim().parse().ok()?,
        value => value.as_u64().or_else(|| whole(value)?.try_into().ok())?,
    };
    Some(number.to_string())
}

/// A decimal number of any length, without an exponent.
fn digits(value: &Value) -> Option<String> {
    let text = text(value)?;
    let text = text.trim();
    let (sign, number) = text.strip_prefix('-').map_or(("", text), |number| ("-", number));
    let number = number.strip_prefix('+').filter(|_| sign.is_empty()).unwrap_or(number);
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let is_plain = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if number.len() <= MAX_DIGITS && is_plain(whole) && is_plain(fraction) && !(whole.is_empty() && fraction.is_empty())
    {
        return Some(format!("{sign}{number}"));
    }
    // 1e21 is how JSON numbers of that size are written.
    Decimal::from_scientific(text).ok().map(|number| number.normalize().to_string())
}

/// Reads a truth value in any of the forms in which it arrives: JSON, query text, 0 and 1.
pub(crate) fn boolean(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(truth) => Some(*truth),
        Value::Number(number) => match number.as_i64()? {
            0 => Some(false),
            1 => Some(true),
            _ => None,
        },
        Value::String(text) => match text.as_str() {
            "true" | "1" => Some(true),
            "false" | "0" => Some(false),
            _ => None,
        },
        _ => None,
    }
}

fn day(text: &str) -> Option<String> {
    if let Ok(day) = NaiveDate::parse_from_str(text.trim(), "%Y-%m-%d") {
        return Some(day.format("%Y-%m-%d").to_string()).filter(|day| day.len() == 10);
    }
    moment::parse(text).and_then(|moment| moment.get(..10).map(str::to_owned))
}

fn time(text: &str, format: &str) -> Option<String> {
    let text = text.trim();
    let time =
        NaiveTime::parse_from_str(text, "%H:%M:%S%.f").or_else(|_| NaiveTime::parse_from_str(text, "%H:%M")).ok()?;
    Some(time.format(format).to_string())
}

fn check_choice(field: &Field, choices: Option<&[String]>, text: &str) -> Result<(), StoreError> {
    match choices {
        Some(choices) if !choices.iter().any(|choice| choice == text) => {
            Err(StoreError::invalid_value(&field.name, format_args!("one of {} is expected", choices.join(", "))))
        }
        _ => Ok(()),
    }
}

fn expected(field: &Field) -> &'static str {
    match field.field_type {
        FieldType::String { .. } | FieldType::Text | FieldType::Password => "a text",
        FieldType::Integer => "a whole number of 32 bits",
        FieldType::BigInt => "a whole number of 64 bits",
        FieldType::Double => "a number",
        FieldType::Decimal { .. } if field.native.is_some() => "a decimal number",
        FieldType::Decimal { .. } => "a decimal number of up to 18 digits",
        FieldType::Boolean => "true or false",
        FieldType::DateTime => "a moment (RFC 3339)",
        FieldType::Date => "a day (YYYY-MM-DD)",
        FieldType::Time => "a time (HH:MM:SS)",
        FieldType::Json => "JSON",
        FieldType::Uuid => "a UUID",
        FieldType::Array { .. } => "a list of texts",
        FieldType::Association(_) => "a record",
    }
}
