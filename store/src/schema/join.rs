//! What associations join over: foreign keys on either side, and collections between the two.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{
    Association, AssociationKind, Collection, Field, FieldType, Join, Origin, Schema, change::check_unused, definition,
    identifier, table::Uniqueness,
};
use crate::{db::Tx, error::StoreError};

impl Tx {
    /// Makes what an association joins over, where it is missing, and checks what is there.
    pub(super) async fn prepare_association(
        &mut self,
        source: &Collection,
        name: &str,
        association: &Association,
    ) -> Result<(), StoreError> {
        let target = Arc::clone(self.schema().collection(&association.target)?);
        match association.kind {
            AssociationKind::BelongsTo => {
                let key_type = column_of(name, &target, &association.target_key)?;
                self.ensure_foreign_key(&source.name, &association.foreign_key, key_type).await
            }
            AssociationKind::HasOne | AssociationKind::HasMany => {
                let key_type = column_of(name, source, &association.source_key)?;
                self.ensure_foreign_key(&target.name, &association.foreign_key, key_type).await
            }
            AssociationKind::BelongsToMany => {
                let source_type = column_of(name, source, &association.source_key)?;
                let target_type = column_of(name, &target, &association.target_key)?;
                let (Some(through), Some(other_key)) = (&association.through, &association.other_key) else {
                    return Err(StoreError::invalid_value(name, "through and otherKey are required"));
                };
                if identifier::clash(&association.foreign_key, other_key) {
                    return Err(StoreError::invalid_value(name, "foreignKey and otherKey have to differ"));
                }
                if self.schema().collection(through).is_err() {
                    let definition = json!({
                        "name": through, "autoGenId": false, "createdAt": false, "updatedAt": false,
                        "filterTargetKey": [association.foreign_key, other_key],
                        "fields": [
                            foreign_key(&association.foreign_key, &source_type),
                            foreign_key(other_key, &target_type),
                        ],
                    });
                    if let Value::Object(definition) = definition {
                        // Boxed because making a collection makes its associations.
                        Box::pin(self.create_collection(&definition)).await?;
                    }
                }
                self.ensure_foreign_key(through, &association.foreign_key, source_type).await?;
                self.ensure_foreign_key(through, other_key, target_type).await
            }
        }
    }

    /// Adds a foreign key column with an index, or the index alone.
    async fn ensure_foreign_key(&mut self, owner: &str, column: &str, key_type: FieldType) -> Result<(), StoreError> {
        let owner = Arc::clone(self.schema().collection(owner)?);
        match owner.find_field(column) {
            Some(field) if field.association().is_some() || field.hidden => {
                return Err(StoreError::invalid(
                    "NAME_TAKEN",
                    format!("{}.{column} cannot be a foreign key", owner.name),
                ));
            }
            Some(_) => {}
            None => {
                let mut owner = self.changeable(&owner.name)?;
                check_unused(owner.fields.iter(), column)?;
                let Value::Object(definition) = foreign_key(column, &key_type) else { return Ok(()) };
                let field = definition::field(&definition)?;
                self.add_column(&owner.name, &field).await?;
                self.store_field(&owner.name, &field).await?;
                owner.fields.push(field);
                self.replace(owner);
            }
        }
        match owner.origin {
            Origin::User => self.create_index(&owner.name, &[column], Uniqueness::Any).await,
            Origin::BuiltIn | Origin::Further => Ok(()),
        }
    }
}

impl Schema {
    /// The columns that hold the foreign keys of associations, with their collections.
    pub(super) fn foreign_keys(&self) -> impl Iterator<Item = (&str, &str)> {
        self.collections()
            .flat_map(|source| {
                source.fields.iter().filter_map(Field::association).flat_map(|association| match association.join() {
                    Join::BelongsTo => [Some((source.name.as_str(), association.foreign_key.as_str())), None],
                    Join::Has => [Some((association.target.as_str(), association.foreign_key.as_str())), None],
                    Join::Through { through, other_key } => {
                        [Some((through, association.foreign_key.as_str())), Some((through, other_key))]
                    }
                })
            })
            .flatten()
    }

    /// Says whether an association joins over a column.
    pub(super) fn joins_over(&self, collection: &str, column: &str) -> bool {
        let is = |owner: &str, name: &str| owner == collection && name == column;
        self.collections().any(|source| {
            source.fields.iter().filter_map(Field::association).any(|association| {
                is(&source.name, association.source_column())
                    || is(&association.target, association.target_column())
                    || association.through.as_deref().is_some_and(|through| {
                        is(through, &association.foreign_key)
                            || association.other_key.as_deref().is_some_and(|other_key| is(through, other_key))
                    })
            })
        })
    }
}

/// The type of a column that an association joins over.
fn column_of(association: &str, collection: &Collection, column: &str) -> Result<FieldType, StoreError> {
    match collection.find_field(column) {
        Some(field) if field.association().is_none() && !field.hidden => Ok(field.field_type.clone()),
        Some(_) | None => Err(StoreError::invalid(
            "DANGLING_ASSOCIATION",
            format!("{association}: {} has no field {column}", collection.name),
        )),
    }
}

/// The definition of a column that holds keys of a type.
fn foreign_key(name: &str, key_type: &FieldType) -> Value {
    let type_name = match key_type {
        FieldType::Integer | FieldType::BigInt => "bigInt",
        FieldType::Uuid => "uuid",
        FieldType::Date => "dateOnly",
        FieldType::DateTime => "date",
        FieldType::Double => "double",
        FieldType::String { max_chars, .. } => return json!({"name": name, "type": "string", "length": max_chars}),
        FieldType::Decimal { scale } => return json!({"name": name, "type": "decimal", "scale": scale}),
        FieldType::Text
        | FieldType::Boolean
        | FieldType::Time
        | FieldType::Json
        | FieldType::Array { .. }
        | FieldType::Password
        | FieldType::Association(_) => "text",
    };
    json!({"name": name, "type": type_name})
}
