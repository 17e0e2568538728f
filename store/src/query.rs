//! Filters, sorting, pages and appends: reading records of any collection, built in or not.

use std::sync::Arc;

use serde_json::Value;

use crate::{
    Record,
    db::Conn,
    error::StoreError,
    schema::{Collection, Schema},
};

/// A condition on records, checked against the schema: every name exists, every operand has the field's type.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    _private: (),
}

impl Filter {
    /// Reads a filter in its wire form: `{"a": 1, "b.$gt": 2, "c": {"$in": [..]}, "$or": [..], "assoc.field": ..}`.
    /// Operators: `$eq $ne $in $notIn $gt $gte $lt $lte $like $notLike $includes $notIncludes $startsWith $endsWith
    /// $empty $notEmpty $exists $and $or $not`; an array value means `$in`. Paths cross associations.
    ///
    /// # Errors
    ///
    /// [`StoreError::Invalid`] for unknown fields and operators, wrong operand types, nesting over 16 levels.
    pub fn parse(schema: &Schema, collection: &Collection, filter: &Value) -> Result<Self, StoreError> {
        let _ = (schema, collection, filter);
        todo!()
    }

    /// Matches the records with this key, or with one of these keys if it is an array. A key is a scalar, or an object
    /// that holds the key fields (other members are passed over); a text is read as the key field's type.
    ///
    /// # Errors
    ///
    /// [`StoreError::Invalid`] if the collection has no key or the value does not fit it.
    pub fn by_key(collection: &Collection, key: &Value) -> Result<Self, StoreError> {
        let _ = (collection, key);
        todo!()
    }

    /// Both conditions.
    pub fn and(self, other: Self) -> Self {
        let _ = other;
        todo!()
    }

    /// Says whether it matches every record.
    pub fn is_empty(&self) -> bool {
        todo!()
    }
}

/// One sort key; `-name` in its wire form is descending.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sort {
    /// A scalar field.
    pub field: String,
    /// Largest first.
    pub descending: bool,
}

impl Sort {
    /// Reads `-createdAt`.
    pub fn parse(collection: &Collection, text: &str) -> Result<Self, StoreError> {
        let _ = (collection, text);
        todo!()
    }
}

/// A slice of the matching records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Page {
    /// From 1.
    pub number: u64,
    /// Records per page, 1 to 2,000.
    pub size: u64,
}

/// Which fields come back. Hidden fields never do.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Select {
    /// Only these (dotted paths reach into appends); empty means all scalar fields.
    pub fields: Vec<String>,
    /// All but these.
    pub except: Vec<String>,
    /// Associations to load, as dotted paths.
    pub appends: Vec<String>,
}

/// A read.
#[derive(Debug, Clone)]
pub struct Find {
    /// From where.
    pub collection: Arc<Collection>,
    /// Which records.
    pub filter: Filter,
    /// In which order; the key decides last.
    pub sort: Vec<Sort>,
    /// Which slice; `None` is all.
    pub page: Option<Page>,
    /// Which fields.
    pub select: Select,
}

impl Find {
    /// All records of a collection, whole and unsorted; set the public fields that matter.
    pub fn all(collection: Arc<Collection>) -> Self {
        Self { collection, filter: Filter::default(), sort: Vec::new(), page: None, select: Select::default() }
    }
}

impl Conn {
    /// Reads records; appended associations are loaded with one statement per path.
    ///
    /// # Errors
    ///
    /// [`StoreError::Invalid`] for unknown fields or appends.
    pub async fn find(&mut self, find: &Find) -> Result<Vec<Record>, StoreError> {
        let _ = find;
        todo!()
    }

    /// Counts records.
    pub async fn count(&mut self, collection: &Collection, filter: &Filter) -> Result<u64, StoreError> {
        let _ = (collection, filter);
        todo!()
    }

    /// Follows association fields from the records with these keys, and reads the distinct records at their end, in the
    /// order of the sources. An empty path reads the records themselves.
    ///
    /// # Errors
    ///
    /// [`StoreError::Invalid`] if a segment is no association.
    pub async fn follow(
        &mut self,
        collection: &Arc<Collection>,
        keys: &[Value],
        path: &[String],
        select: &Select,
    ) -> Result<Vec<Record>, StoreError> {
        let _ = (collection, keys, path, select);
        todo!()
    }
}
