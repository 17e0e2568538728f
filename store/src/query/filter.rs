//! Filters: conditions on records that have been checked against the schema.

use std::sync::Arc;

use serde_json::Value;

use super::parse;
use crate::{
    codec,
    db::{Cell, Digits, Native},
    error::StoreError,
    schema::{Association, Collection, Field, Schema},
};

/// A condition on records, checked against the schema: every name exists, every operand has the field's type.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    pub(super) condition: Condition,
}

/// A condition as a tree.
#[derive(Debug, Clone)]
pub(crate) enum Condition {
    /// All of them hold; none is no condition.
    All(Vec<Condition>),
    /// At least one of them holds.
    Any(Vec<Condition>),
    /// It does not hold, or nothing can be said.
    Not(Box<Condition>),
    /// A field passes a test.
    Field { column: String, form: Form, test: Test },
    /// There is a record at the other end of the association of this name for which the condition holds.
    Related { name: String, association: Association, condition: Box<Condition> },
}

impl Default for Condition {
    fn default() -> Self {
        Self::All(Vec::new())
    }
}

/// How a field's column holds what is compared.
#[derive(Debug, Clone)]
pub(crate) enum Form {
    /// In its stored form.
    Stored,
    /// The same, and capitals do not differ from small letters.
    Folded,
    /// As a further database has it.
    Native(Arc<Native>),
}

impl Form {
    pub(super) fn of(field: &Field) -> Self {
        if field.ignores_case { Self::Folded } else { Self::exact(field) }
    }

    /// Says whether numbers are texts of their digits.
    pub(super) fn is_of_digits(&self) -> bool {
        matches!(self, Self::Native(native) if native.digits == Digits::Text)
    }

    /// For keys and links, whose capitals differ.
    fn exact(field: &Field) -> Self {
        field.native.as_ref().map_or(Self::Stored, |native| Self::Native(Arc::clone(native)))
    }
}

/// What a field's value is compared with. Operands are in their stored form.
#[derive(Debug, Clone)]
pub(crate) enum Test {
    Equal(Cell),
    /// Holds where there is no value, too.
    NotEqual(Cell),
    OneOf {
        values: Vec<Cell>,
        or_null: bool,
    },
    Greater(Cell),
    AtLeast(Cell),
    Less(Cell),
    AtMost(Cell),
    Like(String),
    Contains(String),
    StartsWith(String),
    EndsWith(String),
    IsNull,
    /// No value, or this one (the empty text, the empty list).
    IsEmpty(Option<&'static str>),
}

impl Test {
    /// Says whether it looks at a value's text, whatever the column's type.
    pub(super) fn is_about_text(&self) -> bool {
        match self {
            Self::Like(_) | Self::Contains(_) | Self::StartsWith(_) | Self::EndsWith(_) | Self::IsEmpty(Some(_)) => {
                true
            }
            Self::Equal(_)
            | Self::NotEqual(_)
            | Self::OneOf { .. }
            | Self::Greater(_)
            | Self::AtLeast(_)
            | Self::Less(_)
            | Self::AtMost(_)
            | Self::IsNull
            | Self::IsEmpty(None) => false,
        }
    }
}

impl Filter {
    /// Reads a filter in its wire form: `{"a": 1, "b.$gt": 2, "c": {"$in": [..]}, "$or": [..], "assoc.field": ..}`.
    /// Operators: `$eq $ne $in $notIn $gt $gte $lt $lte $like $notLike $includes $notIncludes $startsWith $endsWith
    /// $empty $notEmpty $exists $and $or $not`; an array value means `$in`. Paths cross associations; what is compared
    /// with an association itself is the key of its target. At most 16 levels and 1,000 operands.
    ///
    /// `$includes` looks for a part of a text whatever the case of its ASCII letters, or for a member of a list; `$like`
    /// takes a pattern of `%` and `_`. The negative operators and `$not` hold where there is no value, too.
    ///
    /// # Errors
    ///
    /// [`StoreError::Invalid`] for unknown fields and operators, wrong operand types, nesting over 16 levels.
    pub fn parse(schema: &Schema, collection: &Collection, filter: &Value) -> Result<Self, StoreError> {
        parse::filter(schema, collection, filter).map(|condition| Self { condition })
    }

    /// Matches the records with this key, or with one of these keys if it is an array. A key is a scalar, or an object
    /// that holds the key fields (other members are passed over); a text is read as the key field's type.
    ///
    /// # Errors
    ///
    /// [`StoreError::Invalid`] if the collection has no key or the value does not fit it.
    pub fn by_key(collection: &Collection, key: &Value) -> Result<Self, StoreError> {
        let condition = match (collection.key.as_slice(), key) {
            ([], _) => {
                return Err(StoreError::invalid("NO_KEY", format!("collection {} has no key", collection.name)));
            }
            ([column], Value::Array(keys)) => {
                let values: Vec<Cell> =
                    keys.iter().map(|key| key_cell(collection, column, key)).collect::<Result<_, _>>()?;
                Self::one_of(collection.field(column)?, values).condition
            }
            (_, Value::Array(keys)) => {
                Condition::Any(keys.iter().map(|key| by_fields(collection, key)).collect::<Result<_, _>>()?)
            }
            (_, key) => by_fields(collection, key)?,
        };
        Ok(Self { condition })
    }

    /// Matches the records that have one of these values in a column.
    pub(crate) fn one_of(column: &Field, values: Vec<Cell>) -> Self {
        Self::exactly(column, Test::OneOf { values, or_null: false })
    }

    /// Matches the records that have this value in a column.
    pub(crate) fn equal(column: &Field, value: Cell) -> Self {
        Self::exactly(column, Test::Equal(value))
    }

    fn exactly(column: &Field, test: Test) -> Self {
        Self { condition: Condition::Field { column: column.name.clone(), form: Form::exact(column), test } }
    }

    /// The opposite.
    pub(crate) fn negate(self) -> Self {
        Self { condition: Condition::Not(Box::new(self.condition)) }
    }

    /// Both conditions.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        match (self.is_empty(), other.is_empty()) {
            (true, _) => other,
            (_, true) => self,
            (false, false) => Self { condition: Condition::All(vec![self.condition, other.condition]) },
        }
    }

    /// Says whether it matches every record.
    pub fn is_empty(&self) -> bool {
        self.condition.is_empty()
    }
}

impl Condition {
    fn is_empty(&self) -> bool {
        matches!(self, Self::All(conditions) if conditions.iter().all(Self::is_empty))
    }
}

fn by_fields(collection: &Collection, key: &Value) -> Result<Condition, StoreError> {
    let parsed: Option<Value> = match key {
        // In a query string a key of several fields is JSON text.
        Value::String(text) if collection.key.len() > 1 => serde_json::from_str(text).ok(),
        _ => None,
    };
    let key = parsed.as_ref().unwrap_or(key);
    let conditions: Vec<Condition> = collection
        .key
        .iter()
        .map(|column| {
            let value = key_cell(collection, column, key)?;
            Ok(Filter::equal(collection.field(column)?, value).condition)
        })
        .collect::<Result<_, StoreError>>()?;
    Ok(Condition::All(conditions))
}

fn key_cell(collection: &Collection, column: &str, key: &Value) -> Result<Cell, StoreError> {
    let value = match key {
        Value::Object(members) => members.get(column).unwrap_or(&Value::Null),
        Value::Array(_) => &Value::Null,
        scalar if collection.key.len() == 1 => scalar,
        _ => &Value::Null,
    };
    match codec::operand(collection.field(column)?, value)? {
        Cell::Null => Err(StoreError::invalid_value(column, format_args!("a key of {} is expected", collection.name))),
        cell => Ok(cell),
    }
}
