//! One collection: a table, its fields and what identifies its records.

use serde_json::Value;

use super::{Association, Field, FieldType};
use crate::{Record, error::StoreError};

/// Whose a collection is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// Part of the host; its structure cannot be changed.
    BuiltIn,
    /// Made at run time.
    User,
    /// A table of a further database, whose structure is somebody else's.
    Further,
}

/// One collection.
#[derive(Debug, Clone, PartialEq)]
pub struct Collection {
    /// The name, which is also the table's.
    pub name: String,
    /// What people see.
    pub title: Option<String>,
    /// Whose it is.
    pub origin: Origin,
    /// The fields that identify a record (`filterTargetKey`, else the primary key); empty if there is none.
    pub key: Vec<String>,
    /// Scalar and association fields, in order.
    pub fields: Vec<Field>,
    /// The definition as given, without its fields and with the defaults filled in, for `collections:list`.
    pub options: Record,
}

impl Collection {
    /// Finds a field.
    ///
    /// # Errors
    ///
    /// [`StoreError::Invalid`] with `UNKNOWN_FIELD`.
    pub fn field(&self, name: &str) -> Result<&Field, StoreError> {
        self.find_field(name)
            .ok_or_else(|| StoreError::invalid("UNKNOWN_FIELD", format!("{} has no field {name}", self.name)))
    }

    /// Finds an association field.
    pub fn association(&self, name: &str) -> Option<&Association> {
        self.find_field(name).and_then(Field::association)
    }

    /// The key of a record: a scalar for a single key field, an object for several.
    pub fn key_of(&self, record: &Record) -> Option<Value> {
        match self.key.as_slice() {
            [] => None,
            [name] => record.get(name).filter(|value| !value.is_null()).cloned(),
            names => names
                .iter()
                .map(|name| {
                    record.get(name).filter(|value| !value.is_null()).map(|value| (name.clone(), value.clone()))
                })
                .collect::<Option<Record>>()
                .map(Value::Object),
        }
    }

    /// The fields that have a column, in order.
    pub fn scalars(&self) -> impl Iterator<Item = &Field> {
        self.fields.iter().filter(|field| field.association().is_none())
    }

    pub(crate) fn find_field(&self, name: &str) -> Option<&Field> {
        self.fields.iter().find(|field| field.name == name)
    }

    /// Finds a field that has a column and may leave the store.
    pub(crate) fn readable_scalar(&self, name: &str) -> Result<&Field, StoreError> {
        let field = self.field(name)?;
        match &field.field_type {
            FieldType::Association(_) => {
                Err(StoreError::invalid("UNKNOWN_FIELD", format!("{}.{name} is an association", self.name)))
            }
            _ if field.hidden => {
                Err(StoreError::invalid("UNKNOWN_FIELD", format!("{} has no field {name}", self.name)))
            }
            _ => Ok(field),
        }
    }
}
