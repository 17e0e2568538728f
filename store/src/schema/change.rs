//! Changes to the schema.

use std::sync::Arc;

use super::{Collection, Field};
use crate::{Record, db::Tx, error::StoreError};

impl Tx {
    /// Makes a collection from `collections:create` values: `{name, title, fields[], createdAt, updatedAt, createdBy,
    /// updatedBy, filterTargetKey, autoGenId}`.
    ///
    /// # Errors
    ///
    /// [`StoreError::Invalid`] for a bad name, a taken name, an unknown type, a dangling association.
    pub async fn create_collection(&mut self, definition: &Record) -> Result<Arc<Collection>, StoreError> {
        let _ = definition;
        todo!()
    }

    /// Changes a collection's title and other options that do not change its table.
    pub async fn update_collection(&mut self, name: &str, options: &Record) -> Result<Arc<Collection>, StoreError> {
        let _ = (name, options);
        todo!()
    }

    /// Drops a collection with its table, and the association fields that lead to it.
    pub async fn destroy_collection(&mut self, name: &str) -> Result<(), StoreError> {
        let _ = name;
        todo!()
    }

    /// Adds a field, with the columns that an association needs.
    pub async fn create_field(&mut self, collection: &str, definition: &Record) -> Result<Field, StoreError> {
        let _ = (collection, definition);
        todo!()
    }

    /// Drops a field and its column.
    pub async fn destroy_field(&mut self, collection: &str, field: &str) -> Result<(), StoreError> {
        let _ = (collection, field);
        todo!()
    }
}
