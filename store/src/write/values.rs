//! Splitting given values into columns and nested values.

use serde_json::Value;

use crate::{
    Record, codec,
    db::Cell,
    error::StoreError,
    schema::{Association, Collection, Field, FieldType, Generated, Origin},
};

/// What values are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    Create,
    Update,
}

/// Values that fit their collection.
#[derive(Debug)]
pub(super) struct Values<'c> {
    /// What goes into columns, in stored form.
    pub(super) columns: Vec<(&'c Field, Cell)>,
    /// What is given for associations.
    pub(super) nested: Vec<Nested<'c>>,
}

/// What is given for one association.
#[derive(Debug)]
pub(super) struct Nested<'c> {
    pub(super) name: &'c str,
    pub(super) association: &'c Association,
    pub(super) value: Value,
}

/// Checks values against a collection.
pub(super) fn split(collection: &Collection, values: Record, purpose: Purpose) -> Result<Values<'_>, StoreError> {
    let mut columns = Vec::with_capacity(values.len());
    let mut nested = Vec::new();
    for (name, value) in values {
        let field = collection.field(&name)?;
        if let Some(association) = field.association() {
            if !is_authorship(collection, association) {
                nested.push(Nested { name: &field.name, association, value });
            }
            continue;
        }
        if field.hidden && collection.origin == Origin::BuiltIn && field.field_type != FieldType::Password {
            return Err(StoreError::invalid("UNKNOWN_FIELD", format!("{} has no field {name}", collection.name)));
        }
        let passed_over = match field.generated {
            None => false,
            Some(Generated::Sequence | Generated::EngineId) => purpose == Purpose::Update || value.is_null(),
            Some(
                Generated::CreatedAt
                | Generated::UpdatedAt
                | Generated::CreatedBy
                | Generated::UpdatedBy
                | Generated::Computed,
            ) => true,
        };
        if passed_over {
            continue;
        }
        let cell = codec::encode(field, &value)?;
        if field.required && cell == Cell::Null {
            return Err(required(field));
        }
        columns.push((field, cell));
    }
    Ok(Values { columns, nested })
}

pub(super) fn required(field: &Field) -> StoreError {
    StoreError::invalid("REQUIRED", format!("{} is required", field.name))
}

/// `createdBy` and `updatedBy`, which the store fills in: a form that sends back the whole record changes nothing.
fn is_authorship(collection: &Collection, association: &Association) -> bool {
    collection
        .find_field(association.source_column())
        .is_some_and(|field| matches!(field.generated, Some(Generated::CreatedBy | Generated::UpdatedBy)))
}
