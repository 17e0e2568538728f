//! One field of a collection, and the types a field can have.

use std::sync::Arc;

use sea_query::Expr;
use serde_json::Value;

use super::Association;
use crate::{
    Record,
    db::{Cell, Dialect, Native},
};

/// One field of a collection.
#[derive(Debug, Clone, PartialEq)]
pub struct Field {
    /// The name, which for a scalar is also the column's.
    pub name: String,
    /// Scalar type, or where the association leads.
    pub field_type: FieldType,
    /// A value must be there.
    pub required: bool,
    /// No two records share a value.
    pub unique: bool,
    /// Values that differ in the case of ASCII letters only are the same.
    pub ignores_case: bool,
    /// Taken when a create does not give a value.
    pub default: Option<Value>,
    /// What the store puts there by itself.
    pub generated: Option<Generated>,
    /// Never leaves the store through a [`crate::Find`] (password hashes, queue internals).
    pub hidden: bool,
    /// How a column of a further database holds the values; `None` in the main one, whose columns hold the stored forms.
    pub native: Option<Arc<Native>>,
    /// The definition as given.
    pub options: Record,
}

impl Field {
    /// A field of which nothing is asked: no value has to be there, and none is made.
    pub fn plain(name: impl Into<String>, field_type: FieldType) -> Self {
        Self {
            name: name.into(),
            field_type,
            required: false,
            unique: false,
            ignores_case: false,
            default: None,
            generated: None,
            hidden: false,
            native: None,
            options: Record::new(),
        }
    }

    /// Where the field leads, if it is an association.
    pub fn association(&self) -> Option<&Association> {
        match &self.field_type {
            FieldType::Association(association) => Some(association),
            _ => None,
        }
    }

    /// The field's column as it is read: in stored form.
    pub(crate) fn selected(&self, column: Expr) -> Expr {
        match &self.native {
            None => column,
            Some(native) => native.select(column),
        }
    }

    /// A stored form as it is written into the field's column.
    pub(crate) fn written(&self, cell: Cell) -> Expr {
        match &self.native {
            None => cell.into(),
            Some(native) => native.write(cell),
        }
    }

    /// The field's column is one of the values.
    pub(crate) fn is_one_of(&self, dialect: Dialect, column: Expr, values: impl IntoIterator<Item = Cell>) -> Expr {
        match &self.native {
            None => dialect.is_one_of(column, values),
            Some(native) => native.is_one_of(dialect, native.compare(column), values),
        }
    }
}

/// Values that the store makes; for stamps, what a caller gives is passed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Generated {
    /// The next number, unless a create gives one. Never changed by an update.
    Sequence,
    /// The next id of the engine's tables, larger than all before.
    EngineId,
    /// The moment of creation.
    CreatedAt,
    /// The moment of creation or of the latest change.
    UpdatedAt,
    /// Who created it.
    CreatedBy,
    /// Who created or changed it last.
    UpdatedBy,
    /// What a further database computes from other columns; what a caller gives is passed over.
    Computed,
}

/// The type of a field.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum FieldType {
    /// Up to 255 characters of text by default.
    String {
        /// Longest text, in characters.
        max_chars: u32,
        /// The values allowed (single select), if limited.
        choices: Option<Vec<String>>,
    },
    /// Text of any length within the body limit.
    Text,
    /// 32-bit whole number.
    Integer,
    /// 64-bit whole number; JSON numbers within ±2^53, or text.
    BigInt,
    /// 64-bit floating point (`float`, `double`, `number`).
    Double,
    /// Exact decimal of up to 18 digits, in further databases of as many as the column holds; a text on the wire. Digits beyond the
    /// scale are rounded, half away from zero.
    Decimal {
        /// Digits after the point.
        scale: u32,
    },
    /// `true` or `false`.
    Boolean,
    /// A moment; RFC 3339 in UTC with milliseconds on the wire.
    DateTime,
    /// A day, `YYYY-MM-DD`.
    Date,
    /// A time of day, `HH:MM:SS`.
    Time,
    /// Any JSON.
    Json,
    /// A UUID, made when not given.
    Uuid,
    /// A list of texts (multiple select).
    Array {
        /// The values allowed, if limited.
        choices: Option<Vec<String>>,
    },
    /// A secret, stored hashed, never read back.
    Password,
    /// Leads to other records.
    Association(Association),
}

impl FieldType {
    /// Text of up to 255 characters.
    pub(crate) const STRING: Self = Self::String { max_chars: 255, choices: None };
}
