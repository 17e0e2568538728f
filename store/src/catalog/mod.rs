//! Reading the structure of a further database from its own catalog.
//!
//! ```text
//! catalog ─ sqlite.rs, postgres.rs, mysql.rs ─ Tables ─ collections.rs, associations.rs ─ Schema
//! ```
//!
//! Each kind of database has one file with its questions and one with its types: which field a column becomes, and how its values
//! turn into the stored form and back ([`Native`]). What cannot become a field or a collection is left out, and said so.

mod associations;
mod collections;
mod mysql;
mod mysql_types;
mod postgres;
mod postgres_types;
mod sqlite;
mod sqlite_types;

use std::sync::Arc;

use crate::{
    Store,
    db::{Conn, ConnectOptions, Dialect, Native},
    error::StoreError,
    schema::{FieldType, Generated},
};

/// A table, a column or a foreign key that is not taken, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftOut {
    /// The table or view.
    pub table: String,
    /// The column; `None` if it is the whole table.
    pub column: Option<String>,
    /// Why, as a sentence without its end.
    pub reason: String,
}

/// What a catalog says.
#[derive(Debug, Default)]
struct Structure {
    tables: Vec<Table>,
    left_out: Vec<LeftOut>,
}

/// A table or a view.
#[derive(Debug, Default)]
struct Table {
    name: String,
    is_view: bool,
    columns: Vec<Column>,
    /// The columns of the primary key.
    key: Vec<String>,
    /// The columns of each other key that no two rows share.
    unique: Vec<Vec<String>>,
    foreign_keys: Vec<ForeignKey>,
}

/// A column.
#[derive(Debug)]
struct Column {
    name: String,
    /// What it becomes, or why it cannot.
    kind: Result<Kind, String>,
    /// It cannot be without a value.
    required: bool,
    /// The database puts something there if nothing is given.
    has_default: bool,
    generated: Option<Generated>,
}

/// What a column becomes.
#[derive(Debug)]
struct Kind {
    field_type: FieldType,
    native: Native,
}

/// A foreign key.
#[derive(Debug, Clone, PartialEq, Eq)]
struct ForeignKey {
    columns: Vec<String>,
    target: String,
    /// The columns there; empty for its primary key.
    target_columns: Vec<String>,
}

impl Store {
    /// Reads the structure of a further database anew and works with it from now on. Answers what of it is left out: tables and
    /// columns that cannot be read, or whose names or types have no place here.
    ///
    /// # Errors
    ///
    /// [`StoreError::Invalid`] with `FURTHER_ONLY` for the main database; database errors. The structure stays as it was then.
    pub async fn refresh_structure(&self) -> Result<Arc<Vec<LeftOut>>, StoreError> {
        let further = self.further()?;
        let mut conn = self.read().await?;
        let structure = conn.structure(further.options()).await?;
        let (schema, left_out) = collections::schema(conn.dialect(), structure, further.options());
        let left_out = Arc::new(left_out);
        further.left_out().store(Arc::clone(&left_out));
        self.set_structure(schema);
        Ok(left_out)
    }

    /// What of a further database's structure was left out when it was read last.
    pub fn left_out(&self) -> Arc<Vec<LeftOut>> {
        self.further().map_or_else(|_main| Arc::default(), |further| further.left_out().load_full())
    }
}

impl Conn {
    async fn structure(&mut self, options: &ConnectOptions) -> Result<Structure, StoreError> {
        match self.dialect() {
            Dialect::Sqlite => sqlite::structure(self).await,
            Dialect::Postgres => postgres::structure(self, options.schema.as_deref().unwrap_or("public")).await,
            Dialect::Mysql => mysql::structure(self).await,
        }
    }
}

impl Structure {
    fn leave_out(&mut self, table: &str, reason: impl Into<String>) {
        self.left_out.push(LeftOut { table: table.to_owned(), column: None, reason: reason.into() });
    }
}
