//! Collections, fields and associations: an immutable snapshot that readers share and the writer replaces.

use std::sync::Arc;

use serde_json::Value;

use crate::{Record, db::Tx, error::StoreError};

/// All collections at one moment.
#[derive(Debug, Clone)]
pub struct Schema {
    _private: (),
}

impl Schema {
    /// Finds a collection by name.
    ///
    /// # Errors
    ///
    /// [`StoreError::Invalid`] with `UNKNOWN_COLLECTION`.
    pub fn collection(&self, name: &str) -> Result<&Arc<Collection>, StoreError> {
        let _ = name;
        todo!()
    }

    /// All collections, built-in ones first.
    pub fn collections(&self) -> impl Iterator<Item = &Arc<Collection>> {
        std::iter::empty()
    }
}

/// Whether a collection is the host's own or was made at run time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// Part of the host; its structure cannot be changed.
    BuiltIn,
    /// Made at run time.
    User,
}

/// One collection.
#[derive(Debug, Clone)]
pub struct Collection {
    /// The name, which is also the table's.
    pub name: String,
    /// What people see.
    pub title: Option<String>,
    /// Built in or made at run time.
    pub origin: Origin,
    /// The fields that identify a record (`filterTargetKey`, else the primary key); empty if there is none.
    pub key: Vec<String>,
    /// Scalar and association fields, in order.
    pub fields: Vec<Field>,
    /// The definition as given, for `collections:list`.
    pub options: Record,
}

impl Collection {
    /// Finds a field.
    ///
    /// # Errors
    ///
    /// [`StoreError::Invalid`] with `UNKNOWN_FIELD`.
    pub fn field(&self, name: &str) -> Result<&Field, StoreError> {
        let _ = name;
        todo!()
    }

    /// Finds an association field.
    pub fn association(&self, name: &str) -> Option<&Association> {
        let _ = name;
        todo!()
    }

    /// The key of a record: a scalar for a single key field, an object for several.
    pub fn key_of(&self, record: &Record) -> Option<Value> {
        let _ = record;
        todo!()
    }
}

/// One field of a collection.
#[derive(Debug, Clone)]
pub struct Field {
    /// The name, which for a scalar is also the column's.
    pub name: String,
    /// Scalar type, or where the association leads.
    pub field_type: FieldType,
    /// A value must be there.
    pub required: bool,
    /// No two records share a value.
    pub unique: bool,
    /// Taken when a create does not give a value.
    pub default: Option<Value>,
    /// Never leaves the store through a [`crate::Find`] (password hashes, queue internals).
    pub hidden: bool,
    /// The definition as given.
    pub options: Record,
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
    /// Exact decimal; a text on the wire.
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

/// How two collections are joined.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AssociationKind {
    /// The foreign key is here; at most one record.
    BelongsTo,
    /// The foreign key is there; at most one record.
    HasOne,
    /// The foreign key is there; any number.
    HasMany,
    /// Both foreign keys are in a through collection; any number.
    BelongsToMany,
}

/// Where an association field leads, and over which columns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Association {
    /// The kind of join.
    pub kind: AssociationKind,
    /// The collection at the other end.
    pub target: String,
    /// `belongsTo`: column here; `hasOne`/`hasMany`: column there; `belongsToMany`: column in `through` that points here.
    pub foreign_key: String,
    /// `belongsTo`: column there that the foreign key holds; otherwise the target's key.
    pub target_key: String,
    /// Column here that the foreign key holds (not for `belongsTo`).
    pub source_key: String,
    /// `belongsToMany`: the collection between.
    pub through: Option<String>,
    /// `belongsToMany`: column in `through` that points to the target.
    pub other_key: Option<String>,
}

impl AssociationKind {
    /// Says whether it leads to at most one record.
    pub fn is_to_one(self) -> bool {
        matches!(self, Self::BelongsTo | Self::HasOne)
    }
}

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
