//! Many rows at once: read one by one without keeping them, and written the fastest way that the database has.
//!
//! PostgreSQL takes rows as text with `COPY`, SQLite in statements with many rows of bound values.

use std::ops::ControlFlow;

use sea_query::{InsertStatement, SelectStatement, Value};
use sqlx::{AssertSqlSafe, PgConnection, SqlSafeStr as _};

use super::{Cell, Conn, Dialect, Row, Tx, dialect::quoted, refusal::refusal};
use crate::error::StoreError;

/// Values of one of SQLite's statements; its own limit is 32,766.
const VALUES_AT_A_TIME: usize = 8_192;
/// Text of rows that is sent at a time, in bytes.
const SENT_AT_A_TIME: usize = 1 << 18;

impl Conn {
    /// Hands over the rows of a statement one by one, until `take` has enough.
    ///
    /// # Errors
    ///
    /// Database errors, and those of `take`.
    pub(crate) async fn each_row(
        &mut self,
        statement: &SelectStatement,
        mut take: impl FnMut(&Row) -> Result<ControlFlow<()>, StoreError>,
    ) -> Result<(), StoreError> {
        let (sql, values) = self.dialect().build(statement);
        self.pass(&sql)?;
        let mut rows = self.link().stream(AssertSqlSafe(sql).into_sql_str(), values).map_err(StoreError::Database)?;
        while let Some(row) = futures::TryStreamExt::try_next(&mut rows).await.map_err(StoreError::Database)? {
            if take(&row)?.is_break() {
                break;
            }
        }
        Ok(())
    }
}

impl Tx {
    /// Puts rows into a table, in their order. Each has a cell for each column.
    ///
    /// # Errors
    ///
    /// Those of a row that does not fit: none is there then.
    pub(crate) async fn put_rows(
        &mut self,
        table: &str,
        columns: &[String],
        rows: Vec<Vec<Cell>>,
    ) -> Result<(), StoreError> {
        match self.dialect() {
            Dialect::Sqlite | Dialect::Mysql => {
                let at_a_time = (VALUES_AT_A_TIME / columns.len().max(1)).max(1);
                let mut rows = rows.into_iter().peekable();
                while rows.peek().is_some() {
                    let mut insert = InsertStatement::new();
                    insert.into_table(table.to_owned()).columns(columns.iter().cloned());
                    for row in rows.by_ref().take(at_a_time) {
                        insert.values_panic(row.into_iter().map(|cell| Value::from(cell).into()));
                    }
                    self.execute(&insert).await?;
                }
                Ok(())
            }
            Dialect::Postgres => {
                let names: Vec<String> = columns.iter().map(|name| quoted(name)).collect();
                let statement = format!("COPY {} ({}) FROM STDIN", quoted(table), names.join(", "));
                self.pass(&statement)?;
                let Some((connection, broken)) = self.link().postgres_writer() else { return Ok(()) };
                let copied = copy_in(connection, &statement, &rows).await;
                *broken |= copied.is_err();
                copied.map_err(refusal)
            }
        }
    }
}

async fn copy_in(connection: &mut PgConnection, statement: &str, rows: &[Vec<Cell>]) -> Result<(), sqlx::Error> {
    let mut copy = connection.copy_in_raw(statement).await?;
    let mut text = String::with_capacity(SENT_AT_A_TIME);
    for row in rows {
        line(row, &mut text);
        if text.len() >= SENT_AT_A_TIME {
            copy.send(text.as_bytes()).await?;
            text.clear();
        }
    }
    copy.send(text.as_bytes()).await?;
    copy.finish().await.map(drop)
}

/// One row in the text format of `COPY`.
fn line(row: &[Cell], text: &mut String) {
    for (index, cell) in row.iter().enumerate() {
        if index > 0 {
            text.push('\t');
        }
        match cell {
            Cell::Null => text.push_str("\\N"),
            Cell::Integer(number) => text.push_str(&number.to_string()),
            // The shortest digits that mean this number alone.
            Cell::Real(number) => text.push_str(&format!("{number:?}")),
            Cell::Text(value) => {
                for character in value.chars() {
                    match character {
                        '\\' => text.push_str("\\\\"),
                        '\t' => text.push_str("\\t"),
                        '\n' => text.push_str("\\n"),
                        '\r' => text.push_str("\\r"),
                        other => text.push(other),
                    }
                }
            }
        }
    }
    text.push('\n');
}

#[cfg(test)]
mod tests {
    use super::{Cell, line};

    #[test]
    fn cells_are_told_apart_in_a_line() {
        let mut text = String::new();
        let cells = ["\\N", "", "a\tb\nc\rd\\", "é"].map(|text| Cell::Text(text.to_owned()));
        line(
            &[&[Cell::Null, Cell::Integer(i64::MIN), Cell::Real(-0.0), Cell::Real(1e300)], &cells[..]].concat(),
            &mut text,
        );
        assert_eq!(text, "\\N\t-9223372036854775808\t-0.0\t1e300\t\\\\N\t\ta\\tb\\nc\\rd\\\\\té\n");
    }
}
