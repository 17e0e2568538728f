//! One connection to either database: what carries statements out.

use futures::TryStreamExt as _;
use sea_query_sqlx::SqlxValues;
use sqlx::{
    Connection as _, Executor as _, SqlStr, Sqlite, SqliteConnection, pool::PoolConnection, postgres::PgArguments,
};

use super::{Dialect, arguments::arguments, lifeline::Held, row::Row};

/// A connection.
pub(super) enum Link {
    /// One of SQLite's readers.
    SqliteReader(PoolConnection<Sqlite>),
    /// SQLite's writer.
    SqliteWriter(Box<SqliteConnection>),
    /// A connection of PostgreSQL outside of a transaction.
    PostgresReader(Held),
    /// A connection of PostgreSQL in a transaction. After a refused statement the server takes no others.
    PostgresWriter { connection: Held, broken: bool },
}

/// PostgreSQL's `feature_not_supported`: in a prepared statement, that a column has another type by now.
const PLAN_OUTDATED: &str = "0A000";

impl Link {
    pub(super) fn dialect(&self) -> Dialect {
        match self {
            Self::SqliteReader(_) | Self::SqliteWriter(_) => Dialect::Sqlite,
            Self::PostgresReader(_) | Self::PostgresWriter { .. } => Dialect::Postgres,
        }
    }

    /// Says whether other transactions may write at the same time.
    pub(super) fn has_rivals(&self) -> bool {
        matches!(self, Self::PostgresWriter { .. })
    }

    /// Runs a statement and reads all its rows.
    pub(super) async fn rows(&mut self, sql: SqlStr, values: SqlxValues) -> Result<Vec<Row>, sqlx::Error> {
        match self {
            Self::SqliteReader(connection) => sqlite_rows(connection, sql, values).await,
            Self::SqliteWriter(connection) => sqlite_rows(connection, sql, values).await,
            Self::PostgresReader(connection) => {
                let bound = arguments(values.0)?;
                let answer = postgres_rows(connection, sql.clone(), bound.clone()).await;
                match answer {
                    Err(error) if is_outdated(&error) => {
                        forget_statements(connection).await?;
                        postgres_rows(connection, sql, bound).await
                    }
                    answer => answer,
                }
            }
            Self::PostgresWriter { connection, broken } => {
                let answer = postgres_rows(connection, sql, arguments(values.0)?).await;
                if let Err(error) = &answer {
                    *broken = true;
                    if is_outdated(error) {
                        forget_statements(connection).await?;
                    }
                }
                answer
            }
        }
    }

    /// Runs a statement and answers how many rows it changed.
    pub(super) async fn changed(&mut self, sql: SqlStr, values: SqlxValues) -> Result<u64, sqlx::Error> {
        match self {
            Self::SqliteReader(connection) => sqlite_changed(connection, sql, values).await,
            Self::SqliteWriter(connection) => sqlite_changed(connection, sql, values).await,
            Self::PostgresReader(connection) => postgres_changed(connection, sql, values).await,
            Self::PostgresWriter { connection, broken } => {
                let answer = postgres_changed(connection, sql, values).await;
                *broken |= answer.is_err();
                answer
            }
        }
    }

    /// Runs statements without values, which may begin and end transactions, and reads the rows of all of them.
    pub(super) async fn control(&mut self, sql: SqlStr) -> Result<Vec<Row>, sqlx::Error> {
        match self {
            Self::SqliteReader(connection) => connection.execute(sql).await.map(|_| Vec::new()),
            Self::SqliteWriter(connection) => connection.execute(sql).await.map(|_| Vec::new()),
            Self::PostgresReader(connection) | Self::PostgresWriter { connection, .. } => {
                let (connection, line) = connection.parts()?;
                line.answer(sqlx::raw_sql(sql).fetch(connection).map_ok(Row::Postgres).try_collect()).await
            }
        }
    }

    /// Takes note that what was refused is undone: the server takes statements again.
    pub(super) fn mend(&mut self) {
        if let Self::PostgresWriter { broken, .. } = self {
            *broken = false;
        }
    }

    /// Closes the connection.
    pub(super) async fn close(self) -> Result<(), sqlx::Error> {
        match self {
            Self::SqliteReader(connection) => connection.close().await,
            Self::SqliteWriter(connection) => connection.close().await,
            Self::PostgresReader(connection) | Self::PostgresWriter { connection, .. } => connection.close().await,
        }
    }
}

async fn sqlite_rows(
    connection: &mut SqliteConnection,
    sql: SqlStr,
    values: SqlxValues,
) -> Result<Vec<Row>, sqlx::Error> {
    sqlx::query_with(sql, values).fetch(connection).map_ok(Row::Sqlite).try_collect().await
}

async fn sqlite_changed(
    connection: &mut SqliteConnection,
    sql: SqlStr,
    values: SqlxValues,
) -> Result<u64, sqlx::Error> {
    sqlx::query_with::<Sqlite, _>(sql, values).execute(connection).await.map(|done| done.rows_affected())
}

async fn postgres_rows(held: &mut Held, sql: SqlStr, bound: PgArguments) -> Result<Vec<Row>, sqlx::Error> {
    let (connection, line) = held.parts()?;
    line.answer(sqlx::query_with(sql, bound).fetch(connection).map_ok(Row::Postgres).try_collect()).await
}

async fn postgres_changed(held: &mut Held, sql: SqlStr, values: SqlxValues) -> Result<u64, sqlx::Error> {
    let (connection, line) = held.parts()?;
    let query = sqlx::query_with(sql, arguments(values.0)?);
    line.answer(query.execute(connection)).await.map(|done| done.rows_affected())
}

async fn forget_statements(held: &mut Held) -> Result<(), sqlx::Error> {
    let (connection, line) = held.parts()?;
    line.answer(connection.clear_cached_statements()).await
}

fn is_outdated(error: &sqlx::Error) -> bool {
    error.as_database_error().is_some_and(|refused| refused.code().as_deref() == Some(PLAN_OUTDATED))
}
