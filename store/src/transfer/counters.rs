//! Columns that count by themselves, and the ids of the engine's rows: what was counted once is not given again.

use std::collections::BTreeMap;

use sea_query::{Expr, ExprTrait as _, Query};

use crate::{
    db::{Conn, Dialect, Tx, dialect::quoted, each},
    error::StoreError,
};

// A column that always counts by itself is nobody's key.
macro_rules! counters {
    (sqlite) => {
        r#"SELECT "name" AS "table", NULL AS "column", "seq" AS "last" FROM sqlite_sequence"#
    };
    (postgres) => {
        r#"SELECT "class"."relname"::text AS "table", "attname"::text AS "column",
                  pg_sequence_last_value(pg_get_serial_sequence(quote_ident("class"."relname"), "attname")::regclass) AS "last"
           FROM pg_class AS "class" JOIN pg_attribute ON "attrelid" = "class"."oid"
           WHERE "relnamespace" = current_schema()::regnamespace AND "relkind" IN ('r', 'p') AND "attnum" > 0 AND NOT "attisdropped"
             AND "attidentity" <> 'a' AND pg_get_serial_sequence(quote_ident("class"."relname"), "attname") IS NOT NULL"#
    };
}

impl Conn {
    /// The last numbers that columns have counted to, by table.
    ///
    /// # Errors
    ///
    /// Database errors.
    pub(super) async fn counters(&mut self) -> Result<BTreeMap<String, i64>, StoreError> {
        let rows = self.query(each!(counters), []).await?;
        rows.iter().map(|row| Ok((row.get("table")?, row.get::<Option<i64>>("last")?.unwrap_or(0)))).collect()
    }
}

impl Tx {
    /// Lets the columns that count go on above these numbers, and above all rows that are there; and the engine's ids above theirs.
    ///
    /// # Errors
    ///
    /// Database errors.
    pub(super) async fn count_on(&mut self, counters: &BTreeMap<String, i64>) -> Result<(), StoreError> {
        match self.dialect() {
            // Rows that were given numbers are counted already, and the engine's ids begin above them.
            Dialect::Sqlite => {
                for (table, last) in counters {
                    let set = r#"UPDATE sqlite_sequence SET "seq" = max("seq", ?) WHERE "name" = ?"#;
                    if self.run(set, [(*last).into(), table.as_str().into()]).await? == 0 {
                        let add = r#"INSERT INTO sqlite_sequence ("name", "seq") VALUES (?, ?)"#;
                        self.run(add, [table.as_str().into(), (*last).into()]).await?;
                    }
                }
            }
            // A host has none of these.
            Dialect::Mysql => {}
            Dialect::Postgres => {
                for row in &self.query(each!(counters), []).await? {
                    let (table, column): (String, String) = (row.get("table")?, row.get("column")?);
                    let of_rows = self.largest(&table, &column).await?;
                    let last = Ord::max(of_rows, counters.get(&table).copied().unwrap_or(0));
                    if let (1.., Some(statement)) = (last, self.dialect().count_above()) {
                        self.query(statement, [last.into(), quoted(&table).into(), column.into()]).await?;
                    }
                }
                let largest = self.largest_id().await?;
                let count = r#"SELECT setval('"_engineIds"', greatest(?, (SELECT "last_value" FROM "_engineIds")))"#;
                self.query(count, [largest.into()]).await?;
                // What the planner knows of the tables is that they were empty.
                self.run("ANALYZE", []).await?;
            }
        }
        Ok(())
    }

    async fn largest(&mut self, table: &str, column: &str) -> Result<i64, StoreError> {
        let largest =
            Query::select().expr_as(Expr::col(column.to_owned()).max(), "largest").from(table.to_owned()).take();
        let row = self.fetch_optional(&largest).await?;
        Ok(row.map_or(Ok(None), |row| row.get::<Option<i64>>("largest"))?.unwrap_or(0))
    }
}
