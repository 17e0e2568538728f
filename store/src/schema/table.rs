//! Tables, columns and indexes of the collections made at run time.

use sea_query::{ColumnDef, Index, Table, UpdateStatement};

use super::{Collection, Field, Generated, Origin, Schema};
use crate::{
    codec,
    db::{Tx, dialect},
    error::StoreError,
};

/// Whether an index lets values repeat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Uniqueness {
    Unique,
    Any,
}

impl Tx {
    /// Makes the tables of all collections of another database that were made at run time, with their indexes. Their definitions are the
    /// caller's.
    ///
    /// # Errors
    ///
    /// [`StoreError::Invalid`] for a name that this database does not take; database errors.
    pub(crate) async fn make_tables(&mut self, schema: &Schema) -> Result<(), StoreError> {
        let made = || schema.collections().filter(|collection| collection.origin == Origin::User);
        for collection in made() {
            self.create_table(collection).await?;
        }
        for (collection, column) in schema.foreign_keys() {
            if made().any(|made| made.name == collection) {
                self.create_index(collection, &[column], Uniqueness::Any).await?;
            }
        }
        Ok(())
    }

    pub(super) async fn create_table(&mut self, collection: &Collection) -> Result<(), StoreError> {
        let mut table = Table::create();
        table.table(collection.name.clone());
        let mut has_primary_key = false;
        for field in collection.scalars() {
            check_column(&field.name)?;
            let mut column = ColumnDef::new(field.name.clone());
            if field.generated == Some(Generated::Sequence) && !has_primary_key {
                self.dialect().sequence(&mut column);
                has_primary_key = true;
            } else {
                self.dialect().column_type(&mut column, &field.field_type);
            }
            table.col(column);
        }
        let key_is_sequence = collection
            .key
            .iter()
            .all(|key| collection.find_field(key).is_some_and(|field| field.generated == Some(Generated::Sequence)));
        if !collection.key.is_empty() && !has_primary_key {
            let mut key = Index::create();
            for column in &collection.key {
                key.col(column.clone());
            }
            table.primary_key(&mut key);
        }
        self.define(&table).await?;
        if has_primary_key && !key_is_sequence {
            let columns: Vec<&str> = collection.key.iter().map(String::as_str).collect();
            self.create_index(&collection.name, &columns, Uniqueness::Unique).await?;
        }
        let key_alone = |field: &Field| collection.key.as_slice() == [field.name.clone()];
        for field in collection.fields.iter().filter(|field| field.unique && !key_alone(field)) {
            self.create_index(&collection.name, &[&field.name], Uniqueness::Unique).await?;
        }
        Ok(())
    }

    /// Adds a column to a table that may have rows.
    pub(super) async fn add_column(&mut self, table: &str, field: &Field) -> Result<(), StoreError> {
        check_column(&field.name)?;
        let mut column = ColumnDef::new(field.name.clone());
        self.dialect().column_type(&mut column, &field.field_type);
        self.define(&Table::alter().table(table.to_owned()).add_column(column).take()).await?;
        if let Some(default) = &field.default {
            let stored = codec::encode(field, default)?;
            let statement = UpdateStatement::new().table(table.to_owned()).value(field.name.clone(), stored).take();
            self.execute(&statement).await?;
        }
        if field.unique {
            self.create_index(table, &[&field.name], Uniqueness::Unique).await?;
        }
        Ok(())
    }

    /// Drops a column with the index on it alone.
    pub(super) async fn drop_column(&mut self, table: &str, column: &str) -> Result<(), StoreError> {
        // Long names were not always cut.
        for name in [index_name(table, &[column]), format!("{table}.{column}")] {
            let mut drop_index = Index::drop();
            drop_index.name(name).if_exists();
            self.define(&drop_index).await?;
        }
        self.define(&Table::alter().table(table.to_owned()).drop_column(column.to_owned()).take()).await
    }

    pub(super) async fn create_index(
        &mut self,
        table: &str,
        columns: &[&str],
        uniqueness: Uniqueness,
    ) -> Result<(), StoreError> {
        let mut index = Index::create();
        index.name(index_name(table, columns)).table(table.to_owned()).if_not_exists();
        for column in columns {
            index.col((*column).to_owned());
        }
        if uniqueness == Uniqueness::Unique {
            index.unique();
        }
        self.define(&index).await
    }
}

/// Tables and indexes share a namespace; no table has a point in its name.
fn index_name(table: &str, columns: &[&str]) -> String {
    dialect::short_name(&format!("{table}.{}", columns.join(".")))
}

fn check_column(name: &str) -> Result<(), StoreError> {
    if dialect::is_reserved_column(name) {
        return Err(StoreError::invalid("INVALID_NAME", format!("the name {name} is the database's own")));
    }
    Ok(())
}
