//! Rows that came back, read by name into types or by position into cells.

use serde_json::Value;
use sqlx::{Column as _, Decode, Row as _, Sqlite, Type, TypeInfo as _, ValueRef as _, sqlite::SqliteRow};

use crate::error::StoreError;

/// One row of a result.
#[derive(Debug)]
pub(crate) struct Row(SqliteRow);

/// What a column holds, as the database has it.
#[derive(Debug, Clone, PartialEq, PartialOrd)]
pub(crate) enum Cell {
    Null,
    Integer(i64),
    Real(f64),
    Text(String),
}

impl From<Cell> for sea_query::Value {
    fn from(cell: Cell) -> Self {
        match cell {
            Cell::Null => Self::String(None),
            Cell::Integer(number) => Self::BigInt(Some(number)),
            Cell::Real(number) => Self::Double(Some(number)),
            Cell::Text(text) => Self::String(Some(text)),
        }
    }
}

impl From<Cell> for Value {
    fn from(cell: Cell) -> Self {
        match cell {
            Cell::Null => Self::Null,
            Cell::Integer(number) => Self::from(number),
            Cell::Real(number) => Self::from(number),
            Cell::Text(text) => Self::String(text),
        }
    }
}

/// A type that a column can be read into: `i64`, `f64`, `bool`, `String`, and each as an `Option`.
pub(crate) trait Column: for<'r> Decode<'r, Sqlite> + Type<Sqlite> {}

impl<T: for<'r> Decode<'r, Sqlite> + Type<Sqlite>> Column for T {}

impl Row {
    pub(crate) fn new(row: SqliteRow) -> Self {
        Self(row)
    }

    /// Reads a column by name.
    pub(crate) fn get<T: Column>(&self, column: &str) -> Result<T, StoreError> {
        self.0.try_get(column).map_err(StoreError::Database)
    }

    /// Reads a column that holds JSON; `NULL` is `null`.
    pub(crate) fn json(&self, column: &str) -> Result<Value, StoreError> {
        match self.get::<Option<String>>(column)? {
            None => Ok(Value::Null),
            Some(text) => serde_json::from_str(&text)
                .map_err(|error| StoreError::Corrupt { what: format!("JSON in {column}: {error}") }),
        }
    }

    /// Reads all columns with their names, whatever they hold.
    pub(crate) fn named_cells(&self) -> Result<Vec<(String, Cell)>, StoreError> {
        let columns = self.0.columns().iter().enumerate();
        columns.map(|(index, column)| Ok((column.name().to_owned(), self.cell(index)?))).collect()
    }

    /// Reads a column by position, whatever it holds.
    pub(crate) fn cell(&self, index: usize) -> Result<Cell, StoreError> {
        let value = self.0.try_get_raw(index).map_err(StoreError::Database)?;
        if value.is_null() {
            return Ok(Cell::Null);
        }
        let type_name = value.type_info().name().to_owned();
        let cell = match type_name.as_str() {
            "INTEGER" => i64::decode(value).map(Cell::Integer),
            "REAL" => f64::decode(value).map(Cell::Real),
            _ => String::decode(value).map(Cell::Text),
        };
        cell.map_err(|error| StoreError::Database(sqlx::Error::Decode(error)))
    }
}
