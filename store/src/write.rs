//! Writing records, with nested values for their associations.

use serde_json::Value;

use crate::{
    Record,
    db::Tx,
    error::StoreError,
    id::UserId,
    query::Filter,
    schema::{Association, Collection},
};

/// A record's key as JSON: a scalar, or an object for a composite key.
pub type KeyValue = Value;

/// How a write treats authorship and nested values.
#[derive(Debug, Clone, Default)]
pub struct WriteOptions {
    /// Goes into `createdById` and `updatedById` where the collection has them.
    pub author: Option<UserId>,
    /// Association paths whose existing records are changed by nested values; others are only linked.
    pub update_associations: Vec<String>,
}

impl Tx {
    /// Creates a record. A nested object without a key creates a record of the association's target, one with a key (or a
    /// bare key) links it; arrays for to-many associations. Answers the stored record with the associations that were given.
    ///
    /// # Errors
    ///
    /// [`StoreError::Invalid`] for unknown fields (`UNKNOWN_FIELD`), wrong types, missing required fields, nesting over 16
    /// levels, dangling keys; [`StoreError::NotUnique`].
    pub async fn create(
        &mut self,
        collection: &Collection,
        values: Record,
        options: &WriteOptions,
    ) -> Result<Record, StoreError> {
        let _ = (collection, values, options);
        todo!()
    }

    /// Changes the matching records, in key order, and answers them as they are then.
    pub async fn update(
        &mut self,
        collection: &Collection,
        filter: &Filter,
        values: Record,
        options: &WriteOptions,
    ) -> Result<Vec<Record>, StoreError> {
        let _ = (collection, filter, values, options);
        todo!()
    }

    /// Deletes the matching records and answers them as they were.
    pub async fn destroy(&mut self, collection: &Collection, filter: &Filter) -> Result<Vec<Record>, StoreError> {
        let _ = (collection, filter);
        todo!()
    }

    /// Links records to a source record's to-many (or to-one) association.
    pub async fn associate(
        &mut self,
        collection: &Collection,
        source: &KeyValue,
        association: &Association,
        targets: &[KeyValue],
        change: AssociationChange,
    ) -> Result<(), StoreError> {
        let _ = (collection, source, association, targets, change);
        todo!()
    }
}

/// What happens to the links of an association.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AssociationChange {
    /// These too.
    Add,
    /// These and no others.
    Set,
    /// Not these any more.
    Remove,
}
