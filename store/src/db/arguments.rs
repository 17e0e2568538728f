//! Values as PostgreSQL takes them. Columns are whole numbers, floating point numbers and texts, so truth values go as
//! numbers, and `NULL` goes without a type: the server knows what belongs there.

use sea_query::{Value, Values};
use sqlx::{
    Arguments as _, Encode, Postgres, Type,
    encode::IsNull,
    error::BoxDynError,
    postgres::{PgArgumentBuffer, PgArguments, PgTypeInfo, types::Oid},
};

/// A `NULL` of whatever type.
struct Null;

impl Type<Postgres> for Null {
    fn type_info() -> PgTypeInfo {
        // To the server: infer it.
        PgTypeInfo::with_oid(Oid(0))
    }
}

impl Encode<'_, Postgres> for Null {
    fn encode_by_ref(&self, _buffer: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        Ok(IsNull::Yes)
    }
}

/// Binds values.
pub(super) fn arguments(values: Values) -> Result<PgArguments, sqlx::Error> {
    let mut arguments = PgArguments::default();
    for value in values.0 {
        add(&mut arguments, value).map_err(sqlx::Error::Encode)?;
    }
    Ok(arguments)
}

fn add(arguments: &mut PgArguments, value: Value) -> Result<(), BoxDynError> {
    match value {
        Value::Bool(Some(truth)) => arguments.add(i64::from(truth)),
        Value::Int(Some(number)) => arguments.add(i64::from(number)),
        Value::Unsigned(Some(number)) => arguments.add(i64::from(number)),
        Value::BigInt(Some(number)) => arguments.add(number),
        Value::BigUnsigned(Some(number)) => arguments.add(i64::try_from(number)?),
        Value::Double(Some(number)) => arguments.add(number),
        Value::String(Some(text)) => arguments.add(text),
        other if other == other.as_null() => arguments.add(Null),
        other => Err(format!("{other:?} has no stored form").into()),
    }
}
