//! Nested values: creating, linking and changing the records at the other end of associations.

use std::sync::Arc;

use futures::{FutureExt as _, future::BoxFuture};
use serde_json::Value;

use super::{
    AssociationChange, WriteOptions,
    values::{Nested, Purpose, Values, split},
};
use crate::{
    Record, codec,
    db::{Cell, Tx},
    error::StoreError,
    query::{Filter, MAX_DEPTH},
    room::with_room,
    schema::{Association, AssociationKind, Collection, Field},
};

/// Where in the given values a write is.
pub(super) struct Nesting<'o> {
    options: &'o WriteOptions,
    path: Vec<String>,
    given: Vec<String>,
}

impl<'o> Nesting<'o> {
    pub(super) fn new(options: &'o WriteOptions) -> Self {
        Self { options, path: Vec::new(), given: Vec::new() }
    }

    /// The association paths for which something was given.
    pub(super) fn given(&self) -> &[String] {
        &self.given
    }

    fn enter(&mut self, name: &str) -> Result<(), StoreError> {
        if self.path.len() >= MAX_DEPTH {
            return Err(StoreError::invalid_value(name, format_args!("values nest at most {MAX_DEPTH} levels deep")));
        }
        self.path.push(name.to_owned());
        let path = self.path.join(".");
        if !self.given.contains(&path) {
            self.given.push(path);
        }
        Ok(())
    }

    fn leave(&mut self) {
        self.path.pop();
    }

    /// Whether existing records here are changed by what is given for them.
    fn updates_existing(&self) -> bool {
        let path = self.path.join(".");
        self.options.update_associations.contains(&path)
    }
}

impl Tx {
    /// Creates a record with what is nested in its values; answers the stored row.
    pub(super) fn create_nested<'t>(
        &'t mut self,
        collection: &'t Collection,
        values: Record,
        nesting: &'t mut Nesting<'_>,
    ) -> BoxFuture<'t, Result<Record, StoreError>> {
        with_room(async move {
            let mut values = split(collection, values, Purpose::Create)?;
            self.check_foreign_keys(collection, &values.columns).await?;
            let foreign_keys = self.write_before(collection, &values, nesting).await?;
            put(&mut values.columns, foreign_keys);
            let Values { columns, nested } = values;
            let record = self.insert_row(collection, columns, nesting.options.author).await?;
            self.write_after(collection, &record, &nested, nesting).await?;
            Ok(record)
        })
        .boxed()
    }

    /// Changes one record with what is nested in the values; answers the row as it is then.
    pub(super) fn update_nested<'t>(
        &'t mut self,
        collection: &'t Collection,
        record: &'t Record,
        values: &'t Values<'t>,
        nesting: &'t mut Nesting<'_>,
    ) -> BoxFuture<'t, Result<Record, StoreError>> {
        with_room(async move {
            let key = collection
                .key_of(record)
                .ok_or_else(|| StoreError::invalid("NO_KEY", format!("collection {} has no key", collection.name)))?;
            let mut columns = values.columns.clone();
            let foreign_keys = self.write_before(collection, values, nesting).await?;
            put(&mut columns, foreign_keys);
            let by_key = Filter::by_key(collection, &key)?;
            let mut rows = self.update_rows(collection, &by_key, &columns, nesting.options.author).await?;
            let record = rows.pop().ok_or_else(|| StoreError::NotFound { what: collection.name.clone() })?;
            self.write_after(collection, &record, &values.nested, nesting).await?;
            Ok(record)
        })
        .boxed()
    }

    /// Writes what the record's own foreign keys point to, and answers the foreign keys.
    async fn write_before<'c>(
        &mut self,
        collection: &'c Collection,
        values: &Values<'c>,
        nesting: &mut Nesting<'_>,
    ) -> Result<Vec<(&'c Field, Cell)>, StoreError> {
        let mut columns = Vec::new();
        for Nested { name, association, value } in &values.nested {
            if association.kind != AssociationKind::BelongsTo {
                continue;
            }
            nesting.enter(name)?;
            let column = collection.field(&association.foreign_key)?;
            let cell = match value {
                Value::Null => Cell::Null,
                value => {
                    let target = self.target(association)?;
                    let related = self.write_target(&target, association, name, value, None, nesting).await?;
                    key_cell(&target, association, &related, column)?
                }
            };
            if cell == Cell::Null && column.required {
                return Err(super::values::required(column));
            }
            columns.push((column, cell));
            nesting.leave();
        }
        Ok(columns)
    }

    /// Writes what points to the record.
    async fn write_after(
        &mut self,
        collection: &Collection,
        record: &Record,
        nested: &[Nested<'_>],
        nesting: &mut Nesting<'_>,
    ) -> Result<(), StoreError> {
        for Nested { name, association, value } in nested {
            let items: Vec<&Value> = match (association.kind, value) {
                (AssociationKind::BelongsTo, _) => continue,
                (_, Value::Null) => Vec::new(),
                (AssociationKind::HasMany | AssociationKind::BelongsToMany, Value::Array(items)) => {
                    items.iter().collect()
                }
                (AssociationKind::HasOne, Value::Array(_)) => {
                    return Err(StoreError::invalid_value(name, "a single record is expected"));
                }
                (AssociationKind::HasOne | AssociationKind::HasMany | AssociationKind::BelongsToMany, item) => {
                    vec![item]
                }
            };
            nesting.enter(name)?;
            let target = self.target(association)?;
            let own = own_cell(collection, association, record)?;
            let mut linked = Vec::with_capacity(items.len());
            for item in items {
                // A new record of the other side is stored with its foreign key, which may be required.
                let foreign_key = match association.kind {
                    AssociationKind::HasOne | AssociationKind::HasMany => {
                        Some((association.foreign_key.as_str(), &own))
                    }
                    AssociationKind::BelongsTo | AssociationKind::BelongsToMany => None,
                };
                linked.push(self.write_target(&target, association, name, item, foreign_key, nesting).await?);
            }
            self.link(association, own, &linked, AssociationChange::Set, nesting.options.author).await?;
            nesting.leave();
        }
        Ok(())
    }

    /// Creates, finds or changes one record at the other end.
    async fn write_target(
        &mut self,
        target: &Collection,
        association: &Association,
        name: &str,
        value: &Value,
        foreign_key: Option<(&str, &Cell)>,
        nesting: &mut Nesting<'_>,
    ) -> Result<Record, StoreError> {
        match value {
            Value::Object(members) => {
                if !names_existing(target, association, members) {
                    super::check_writable(target)?;
                    let mut members = members.clone();
                    if let Some((column, cell)) = foreign_key {
                        members.insert(column.to_owned(), codec::decode(target.field(column)?, cell.clone())?);
                    }
                    return self.create_nested(target, members, nesting).await;
                }
                let found = self.existing(target, association, name, value).await?;
                if !nesting.updates_existing() {
                    return Ok(found);
                }
                let changes: Record = members
                    .iter()
                    .filter(|(member, _)| **member != association.target_key && !target.key.contains(member))
                    .map(|(member, value)| (member.clone(), value.clone()))
                    .collect();
                if changes.is_empty() {
                    return Ok(found);
                }
                super::check_writable(target)?;
                let values = split(target, changes, Purpose::Update)?;
                self.check_foreign_keys(target, &values.columns).await?;
                self.update_nested(target, &found, &values, nesting).await
            }
            Value::String(_) | Value::Number(_) => self.existing(target, association, name, value).await,
            Value::Null | Value::Bool(_) | Value::Array(_) => {
                Err(StoreError::invalid_value(name, "a record or its key is expected"))
            }
        }
    }

    /// Finds the record that a key or an object with a key names.
    pub(super) async fn existing(
        &mut self,
        target: &Collection,
        association: &Association,
        name: &str,
        value: &Value,
    ) -> Result<Record, StoreError> {
        let filter = match named_by_target_key(target, association, value) {
            Some(key) => {
                let field = target.field(&association.target_key)?;
                Filter::equal(field, codec::operand(field, key)?)
            }
            None => Filter::by_key(target, value)?,
        };
        self.rows_referred_to(target, &filter).await?.into_iter().next().ok_or_else(|| {
            StoreError::invalid("DANGLING_ASSOCIATION", format!("{name}: there is no such record in {}", target.name))
        })
    }

    pub(super) fn target(&self, association: &Association) -> Result<Arc<Collection>, StoreError> {
        self.schema().collection(&association.target).cloned()
    }
}

/// Puts foreign keys that nested values led to in the place of those that were given beside them.
fn put<'c>(columns: &mut Vec<(&'c Field, Cell)>, foreign_keys: Vec<(&'c Field, Cell)>) {
    for (column, cell) in foreign_keys {
        columns.retain(|(given, _)| given.name != column.name);
        columns.push((column, cell));
    }
}

fn present<'r>(record: &'r Record, name: &str) -> Option<&'r Value> {
    record.get(name).filter(|value| !value.is_null())
}

/// The value of the association's target key, if the given value names a record by it.
fn named_by_target_key<'v>(target: &Collection, association: &Association, value: &'v Value) -> Option<&'v Value> {
    let has_column = target.find_field(&association.target_key).is_some_and(|field| field.association().is_none());
    match value {
        Value::Object(members) => present(members, &association.target_key).filter(|_| has_column),
        scalar => Some(scalar).filter(|_| has_column),
    }
}

/// Whether an object says which record it is.
fn names_existing(target: &Collection, association: &Association, members: &Record) -> bool {
    present(members, &association.target_key).is_some()
        || (!target.key.is_empty() && target.key.iter().all(|key| present(members, key).is_some()))
}

/// The value of a `belongsTo` foreign key that points to a record.
fn key_cell(
    target: &Collection,
    association: &Association,
    related: &Record,
    column: &Field,
) -> Result<Cell, StoreError> {
    let key = related.get(&association.target_key).unwrap_or(&Value::Null);
    let stored = codec::operand(target.field(&association.target_key)?, key)?;
    match stored {
        Cell::Null => Err(StoreError::invalid(
            "DANGLING_ASSOCIATION",
            format!("{}: the record has no {}", column.name, association.target_key),
        )),
        cell => Ok(cell),
    }
}

/// The value that foreign keys on the other side hold for a record.
pub(super) fn own_cell(
    collection: &Collection,
    association: &Association,
    record: &Record,
) -> Result<Cell, StoreError> {
    let column = association.source_column();
    match codec::operand(collection.field(column)?, record.get(column).unwrap_or(&Value::Null))? {
        Cell::Null => Err(StoreError::invalid("DANGLING_ASSOCIATION", format!("the record has no {column}"))),
        cell => Ok(cell),
    }
}
