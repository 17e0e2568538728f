//! Writing records, with nested values for their associations.
//!
//! Values are split into columns and nested values; what a record needs before it can be stored (`belongsTo`) is written
//! first, what needs the record (`hasOne`, `hasMany`, `belongsToMany`) after it. Everything a request writes is in the
//! request's transaction.

mod associate;
mod destroy;
mod foreign_keys;
mod nested;
mod read_back;
mod row;
mod values;

use std::sync::Arc;

use serde_json::Value;

use crate::{
    Record,
    db::Tx,
    error::StoreError,
    id::UserId,
    query::{Filter, Plan, Select},
    schema::{Collection, Origin},
};
use nested::Nesting;
use values::Purpose;

pub use associate::AssociationChange;

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
    /// Values for `createdAt`, `updatedAt`, `createdById` and `updatedById` are passed over. A foreign key
    /// of a `belongsTo` association that is given as a column has to lead to a record.
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
        check_writable(collection)?;
        let mut nesting = Nesting::new(options);
        let record = self.create_nested(collection, values, &mut nesting).await?;
        let mut records = self.complete(collection, vec![record], &nesting).await?;
        records.pop().ok_or(StoreError::NotFound { what: collection.name.clone() })
    }

    /// Changes the matching records, in key order, and answers them as they are then. The given value of a to-many
    /// association is the whole of it: records that are not in it are unlinked. `null` clears a field or unlinks.
    ///
    /// # Errors
    ///
    /// As for [`create`](Self::create).
    pub async fn update(
        &mut self,
        collection: &Collection,
        filter: &Filter,
        values: Record,
        options: &WriteOptions,
    ) -> Result<Vec<Record>, StoreError> {
        check_writable(collection)?;
        let mut nesting = Nesting::new(options);
        let values = values::split(collection, values, Purpose::Update)?;
        self.check_foreign_keys(collection, &values.columns).await?;
        let records = if values.nested.is_empty() {
            self.update_rows(collection, filter, &values.columns, options.author).await?
        } else {
            let mut updated = Vec::new();
            for record in self.rows_matching(collection, filter).await? {
                updated.push(self.update_nested(collection, &record, &values, &mut nesting).await?);
            }
            updated
        };
        self.complete(collection, records, &nesting).await
    }

    /// Deletes the matching records and answers them as they were, in key order. Foreign keys that point to them are
    /// cleared, links to them removed. There are no database constraints between run-time collections: this is what keeps
    /// them whole. Authorship (`createdById`, `updatedById`) keeps the id of a deleted user, which is never given again. In a
    /// further database its own constraints say what becomes of what refers to them.
    ///
    /// # Errors
    ///
    /// [`StoreError::Invalid`] with `IN_USE` if a record is referred to by a field that must have a value.
    pub async fn destroy(&mut self, collection: &Collection, filter: &Filter) -> Result<Vec<Record>, StoreError> {
        let is_managed = matches!(collection.name.as_str(), "collections" | "fields" | "workflows" | "flow_nodes");
        if collection.origin == Origin::BuiltIn && is_managed {
            return Err(managed(collection));
        }
        let mut records = self.delete_rows(collection, filter).await?;
        let plan = Plan::new(self.schema(), &Arc::new(collection.clone()), &Select::default())?;
        plan.strip_all(&mut records);
        Ok(records)
    }

    /// Loads the associations that were given, and takes away what is hidden.
    async fn complete(
        &mut self,
        collection: &Collection,
        mut records: Vec<Record>,
        nesting: &Nesting<'_>,
    ) -> Result<Vec<Record>, StoreError> {
        let select = Select { appends: nesting.given().to_vec(), ..Select::default() };
        let schema = Arc::clone(self.schema());
        let plan = match schema.collection(&collection.name) {
            Ok(shared) => Plan::new(&schema, shared, &select)?,
            Err(_) => Plan::new(&schema, &Arc::new(collection.clone()), &select)?,
        };
        self.load_appends(&plan, &mut records).await?;
        plan.strip_all(&mut records);
        Ok(records)
    }
}

/// The schema's own tables and the engine's have operations of their own, which know their rules.
fn check_writable(collection: &Collection) -> Result<(), StoreError> {
    if is_writable(collection) { Ok(()) } else { Err(managed(collection)) }
}

pub(crate) fn is_writable(collection: &Collection) -> bool {
    collection.origin != Origin::BuiltIn
        || !matches!(
            collection.name.as_str(),
            "collections"
                | "fields"
                | "workflows"
                | "flow_nodes"
                | "executions"
                | "jobs"
                | "workflowTasks"
                | "buttons"
                | "buttonBindings"
                | "dataSources"
        )
}

fn managed(collection: &Collection) -> StoreError {
    StoreError::invalid("BUILT_IN", format!("records of {} are not written directly", collection.name))
}
