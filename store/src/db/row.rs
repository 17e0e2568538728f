//! Rows that came back, read by name into types or by position into cells.

use serde_json::Value;
use sqlx::{
    ColumnIndex, Decode, MySql, Postgres, Row as _, Sqlite, TypeInfo as _, ValueRef as _, mysql::MySqlRow,
    postgres::PgRow, sqlite::SqliteRow,
};

use crate::error::StoreError;

/// One row of a result.
#[derive(Debug)]
pub(crate) enum Row {
    Sqlite(SqliteRow),
    Postgres(PgRow),
    Mysql(MySqlRow),
}

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

/// A type that a column can be read into: `i64`, `bool`, `String`, and each as an `Option`.
pub(crate) trait Column: Sized {
    /// Reads it; `None` if the cell holds something else.
    fn read(cell: Cell) -> Option<Self>;
}

impl Column for i64 {
    fn read(cell: Cell) -> Option<Self> {
        if let Cell::Integer(number) = cell { Some(number) } else { None }
    }
}

impl Column for bool {
    fn read(cell: Cell) -> Option<Self> {
        if let Cell::Integer(number) = cell { Some(number != 0) } else { None }
    }
}

impl Column for String {
    fn read(cell: Cell) -> Option<Self> {
        if let Cell::Text(text) = cell { Some(text) } else { None }
    }
}

impl<T: Column> Column for Option<T> {
    fn read(cell: Cell) -> Option<Self> {
        if cell == Cell::Null { Some(None) } else { T::read(cell).map(Some) }
    }
}

impl Row {
    /// Reads a column by name.
    pub(crate) fn get<T: Column>(&self, column: &str) -> Result<T, StoreError> {
        T::read(self.at(column)?)
            .ok_or_else(|| StoreError::Corrupt { what: format!("something of another type in {column}") })
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
        let names: Vec<&str> = match self {
            Self::Sqlite(row) => row.columns().iter().map(sqlx::Column::name).collect(),
            Self::Postgres(row) => row.columns().iter().map(sqlx::Column::name).collect(),
            Self::Mysql(row) => row.columns().iter().map(sqlx::Column::name).collect(),
        };
        names.into_iter().enumerate().map(|(index, name)| Ok((name.to_owned(), self.cell(index)?))).collect()
    }

    /// How many columns there are.
    pub(crate) fn columns(&self) -> usize {
        match self {
            Self::Sqlite(row) => row.columns().len(),
            Self::Postgres(row) => row.columns().len(),
            Self::Mysql(row) => row.columns().len(),
        }
    }

    /// Reads a column by position, whatever it holds.
    pub(crate) fn cell(&self, index: usize) -> Result<Cell, StoreError> {
        self.at(index)
    }

    fn at<I: ColumnIndex<SqliteRow> + ColumnIndex<PgRow> + ColumnIndex<MySqlRow>>(
        &self,
        index: I,
    ) -> Result<Cell, StoreError> {
        match self {
            Self::Sqlite(row) => sqlite_cell(row, index),
            Self::Postgres(row) => postgres_cell(row, index),
            Self::Mysql(row) => mysql_cell(row, index),
        }
        .map_err(StoreError::Database)
    }
}

fn sqlite_cell(row: &SqliteRow, index: impl ColumnIndex<SqliteRow>) -> Result<Cell, sqlx::Error> {
    let value = row.try_get_raw(index)?;
    if value.is_null() {
        return Ok(Cell::Null);
    }
    let type_name = value.type_info().name().to_owned();
    let cell = match type_name.as_str() {
        "INTEGER" => <i64 as Decode<'_, Sqlite>>::decode(value).map(Cell::Integer),
        "REAL" => <f64 as Decode<'_, Sqlite>>::decode(value).map(Cell::Real),
        _ => <String as Decode<'_, Sqlite>>::decode(value).map(Cell::Text),
    };
    cell.map_err(sqlx::Error::Decode)
}

fn postgres_cell(row: &PgRow, index: impl ColumnIndex<PgRow>) -> Result<Cell, sqlx::Error> {
    let value = row.try_get_raw(index)?;
    if value.is_null() {
        return Ok(Cell::Null);
    }
    let type_name = value.type_info().name().to_owned();
    let cell = match type_name.as_str() {
        "BOOL" => <bool as Decode<'_, Postgres>>::decode(value).map(|truth| Cell::Integer(truth.into())),
        "INT8" => <i64 as Decode<'_, Postgres>>::decode(value).map(Cell::Integer),
        "INT4" => <i32 as Decode<'_, Postgres>>::decode(value).map(|number| Cell::Integer(number.into())),
        "INT2" => <i16 as Decode<'_, Postgres>>::decode(value).map(|number| Cell::Integer(number.into())),
        "FLOAT8" => <f64 as Decode<'_, Postgres>>::decode(value).map(Cell::Real),
        "FLOAT4" => <f32 as Decode<'_, Postgres>>::decode(value).and_then(short),
        "TEXT" | "VARCHAR" | "NAME" => <String as Decode<'_, Postgres>>::decode(value).map(Cell::Text),
        other => Err(format!("no statement answers with the type {other}").into()),
    };
    cell.map_err(sqlx::Error::Decode)
}

fn mysql_cell(row: &MySqlRow, index: impl ColumnIndex<MySqlRow>) -> Result<Cell, sqlx::Error> {
    let value = row.try_get_raw(index)?;
    if value.is_null() {
        return Ok(Cell::Null);
    }
    let type_name = value.type_info().name().to_owned();
    let cell = match type_name.as_str() {
        "BOOLEAN" | "TINYINT" | "SMALLINT" | "MEDIUMINT" | "INT" | "BIGINT" => {
            <i64 as Decode<'_, MySql>>::decode(value).map(Cell::Integer)
        }
        unsigned if unsigned.ends_with(" UNSIGNED") => <u64 as Decode<'_, MySql>>::decode(value)
            .map(|number| i64::try_from(number).map_or_else(|_large| Cell::Text(number.to_string()), Cell::Integer)),
        "DOUBLE" => <f64 as Decode<'_, MySql>>::decode(value).map(Cell::Real),
        "FLOAT" => <f32 as Decode<'_, MySql>>::decode(value).and_then(short),
        _ => <String as Decode<'_, MySql>>::decode(value).map(Cell::Text),
    };
    cell.map_err(sqlx::Error::Decode)
}

/// A number of half the length, as people write it: 0.1, not 0.10000000149011612.
fn short(number: f32) -> Result<Cell, sqlx::error::BoxDynError> {
    Ok(Cell::Real(number.to_string().parse()?))
}
