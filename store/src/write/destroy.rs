//! Deleting records, and what refers to them.

use std::collections::BTreeMap;

use sea_query::{DeleteStatement, UpdateStatement};
use serde_json::Value;

use super::row::{all_columns, read, sort_by_key};
use crate::{
    Record, codec,
    db::{Cell, Tx},
    error::StoreError,
    query::Filter,
    record_changes::RecordChangeKind,
    schema::{AssociationKind, Collection, Field, Join, Origin},
};

/// A column that holds values of a column of the collection whose records are deleted.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Reference {
    owner: String,
    column: String,
    refers_to: String,
}

/// What becomes of a row that refers to a deleted record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Consequence {
    /// Its foreign key is cleared.
    Clear,
    /// It is a link and goes too.
    Delete,
}

impl Tx {
    /// Deletes the matching rows and answers them, hidden fields too, in key order.
    pub(super) async fn delete_rows(
        &mut self,
        collection: &Collection,
        filter: &Filter,
    ) -> Result<Vec<Record>, StoreError> {
        let records = if self.dialect().has_returning() {
            let statement = DeleteStatement::new()
                .from_table(collection.name.clone())
                .cond_where(filter.compile(self.dialect(), &collection.name))
                .returning(all_columns(collection))
                .take();
            let rows = self.fetch_all(&statement).await?;
            let mut records: Vec<Record> = rows.iter().map(|row| read(collection, row)).collect::<Result<_, _>>()?;
            sort_by_key(collection, &mut records);
            records
        } else {
            self.delete_by_key(collection, filter).await?
        };
        if self.is_heard(collection, RecordChangeKind::Destroyed) {
            self.note_records(collection, records.iter().map(|record| (Some(record.clone()), None)));
        }
        if !records.is_empty() && collection.origin != Origin::Further {
            self.clear_references(collection, &records).await?;
        }
        Ok(records)
    }

    /// Deletes links.
    pub(super) async fn unlink_rows(&mut self, through: &Collection, filter: &Filter) -> Result<(), StoreError> {
        let mut those = filter.clone();
        if self.is_heard(through, RecordChangeKind::Destroyed) {
            let doomed = self.rows_matching(through, filter).await?;
            those = self.exactly(through, &doomed, filter)?;
            self.note_records(through, doomed.into_iter().map(|record| (Some(record), None)));
        }
        let statement = DeleteStatement::new()
            .from_table(through.name.clone())
            .cond_where(those.compile(self.dialect(), &through.name))
            .take();
        self.execute(&statement).await.map(drop)
    }

    /// Puts one value into a column of the matching rows, without a stamp: the rows' owner did not change them.
    pub(super) async fn set_column(
        &mut self,
        collection: &Collection,
        column: &Field,
        cell: Cell,
        filter: &Filter,
    ) -> Result<(), StoreError> {
        let mut those = filter.clone();
        if self.is_heard(collection, RecordChangeKind::Updated) {
            let value = codec::decode(column, cell.clone())?;
            let mut before = self.rows_matching(collection, filter).await?;
            those = self.exactly(collection, &before, filter)?;
            // What has the value already is linked as it was.
            before.retain(|record| record.get(&column.name) != Some(&value));
            self.note_records(
                collection,
                before.into_iter().map(|record| {
                    let mut after = record.clone();
                    after.insert(column.name.clone(), value.clone());
                    (Some(record), Some(after))
                }),
            );
        }
        let statement = UpdateStatement::new()
            .table(collection.name.clone())
            .value(column.name.clone(), column.written(cell))
            .cond_where(those.compile(self.dialect(), &collection.name))
            .take();
        self.execute(&statement).await.map(drop)
    }

    async fn clear_references(&mut self, collection: &Collection, records: &[Record]) -> Result<(), StoreError> {
        for (reference, consequence) in self.references(collection) {
            let field = collection.field(&reference.refers_to)?;
            let mut keys = Vec::new();
            for record in records {
                match codec::operand(field, record.get(&field.name).unwrap_or(&Value::Null))? {
                    Cell::Null => {}
                    cell => keys.push(cell),
                }
            }
            if keys.is_empty() {
                continue;
            }
            let owner = self.schema().collection(&reference.owner)?.clone();
            let column = owner.field(&reference.column)?;
            let referring = Filter::one_of(column, keys);
            match consequence {
                Consequence::Delete => self.unlink_rows(&owner, &referring).await?,
                Consequence::Clear if !column.required => {
                    self.set_column(&owner, column, Cell::Null, &referring).await?;
                }
                Consequence::Clear => {
                    if !self.rows_matching(&owner, &referring).await?.is_empty() {
                        return Err(StoreError::invalid(
                            "IN_USE",
                            format!("{} is referred to by {}.{}", collection.name, owner.name, column.name),
                        ));
                    }
                }
            }
        }
        Ok(())
    }

    /// Everything that refers to a collection, each column once. A link stays a link if the same column is also reached by
    /// another association.
    fn references(&self, collection: &Collection) -> BTreeMap<Reference, Consequence> {
        let mut references = BTreeMap::new();
        let mut add = |owner: &str, column: &str, refers_to: &str, consequence: Consequence| {
            let reference =
                Reference { owner: owner.to_owned(), column: column.to_owned(), refers_to: refers_to.to_owned() };
            let entry = references.entry(reference).or_insert(consequence);
            if consequence == Consequence::Delete {
                *entry = consequence;
            }
        };
        for source in self.schema().collections() {
            for association in source.fields.iter().filter_map(Field::association) {
                match (association.kind, association.join()) {
                    (AssociationKind::BelongsTo, _) if association.target == collection.name => {
                        let authored =
                            source.find_field(&association.foreign_key).is_some_and(|field| field.generated.is_some());
                        if !authored {
                            add(&source.name, &association.foreign_key, &association.target_key, Consequence::Clear);
                        }
                    }
                    (AssociationKind::HasOne | AssociationKind::HasMany, _) if source.name == collection.name => {
                        add(&association.target, &association.foreign_key, &association.source_key, Consequence::Clear);
                    }
                    (_, Join::Through { through, other_key }) => {
                        if source.name == collection.name {
                            add(through, &association.foreign_key, &association.source_key, Consequence::Delete);
                        }
                        if association.target == collection.name {
                            add(through, other_key, &association.target_key, Consequence::Delete);
                        }
                    }
                    (_, Join::BelongsTo | Join::Has) => {}
                }
            }
        }
        references
    }
}
