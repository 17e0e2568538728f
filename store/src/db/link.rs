//! One connection to any of the databases: what carries statements out.

use futures::{StreamExt as _, TryStreamExt as _, stream::BoxStream};
use sea_query_sqlx::SqlxValues;
use sqlx::{
    Connection as _, Executor as _, MySql, MySqlConnection, PgConnection, SqlStr, Sqlite, SqliteConnection,
    pool::PoolConnection, postgres::PgArguments,
};

use super::{Dialect, arguments::arguments, pool::Held, row::Row};

/// A connection.
pub(super) enum Link {
    /// A connection of SQLite from a pool: one of the readers, or one that writes a further database's file.
    SqlitePooled(PoolConnection<Sqlite>),
    /// The main database's writer.
    SqliteWriter(Box<SqliteConnection>),
    /// A connection of PostgreSQL outside of a transaction.
    PostgresReader(Held),
    /// A connection of PostgreSQL in a transaction. After a refused statement the server takes no others.
    PostgresWriter { connection: Held, broken: bool },
    /// A connection of MySQL outside of a transaction.
    MysqlReader(PoolConnection<MySql>),
    /// A connection of MySQL in a transaction. After a refused statement it may have none any more: no others are carried out.
    MysqlWriter { connection: PoolConnection<MySql>, broken: bool },
}

/// PostgreSQL's `feature_not_supported`: in a prepared statement, that a column has another type by now.
const PLAN_OUTDATED: &str = "0A000";

impl Link {
    pub(super) fn dialect(&self) -> Dialect {
        match self {
            Self::SqlitePooled(_) | Self::SqliteWriter(_) => Dialect::Sqlite,
            Self::PostgresReader(_) | Self::PostgresWriter { .. } => Dialect::Postgres,
            Self::MysqlReader(_) | Self::MysqlWriter { .. } => Dialect::Mysql,
        }
    }

    /// Says whether other transactions may write at the same time.
    pub(super) fn has_rivals(&self) -> bool {
        matches!(self, Self::PostgresWriter { .. } | Self::MysqlWriter { .. })
    }

    /// Runs a statement and reads all its rows.
    pub(super) async fn rows(&mut self, sql: SqlStr, values: SqlxValues) -> Result<Vec<Row>, sqlx::Error> {
        match self {
            Self::SqlitePooled(connection) => sqlite_rows(connection, sql, values).await,
            Self::SqliteWriter(connection) => sqlite_rows(connection, sql, values).await,
            Self::PostgresReader(connection) => {
                let bound = arguments(values.0)?;
                let answer = postgres_rows(connection, sql.clone(), bound.clone()).await;
                match answer {
                    Err(error) if is_outdated(&error) => {
                        forget_statements(connection).await?;
                        postgres_rows(connection, sql, bound).await
                    }
                    Err(_) if connection.was_gone() => {
                        connection.replace().await?;
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
            Self::MysqlReader(connection) => mysql_rows(connection, sql, values).await,
            Self::MysqlWriter { broken: true, .. } => Err(given_up()),
            Self::MysqlWriter { connection, broken } => {
                let answer = mysql_rows(connection, sql, values).await;
                *broken = answer.is_err();
                answer
            }
        }
    }

    /// Runs a statement and reads its rows one by one. A caller that has enough drops them.
    pub(super) fn stream(
        &mut self,
        sql: SqlStr,
        values: SqlxValues,
    ) -> Result<BoxStream<'_, Result<Row, sqlx::Error>>, sqlx::Error> {
        Ok(match self {
            Self::SqlitePooled(connection) => {
                sqlx::query_with::<Sqlite, _>(sql, values).fetch(&mut **connection).map_ok(Row::Sqlite).boxed()
            }
            Self::SqliteWriter(connection) => {
                sqlx::query_with::<Sqlite, _>(sql, values).fetch(&mut **connection).map_ok(Row::Sqlite).boxed()
            }
            Self::PostgresReader(connection) | Self::PostgresWriter { connection, .. } => {
                let bound = arguments(values.0)?;
                let (connection, _line) = connection.parts()?;
                sqlx::query_with(sql, bound).fetch(connection).map_ok(Row::Postgres).boxed()
            }
            Self::MysqlReader(connection) | Self::MysqlWriter { connection, .. } => {
                sqlx::query_with::<MySql, _>(sql, values).fetch(&mut **connection).map_ok(Row::Mysql).boxed()
            }
        })
    }

    /// The connection of PostgreSQL in a transaction, and whether a statement of that was refused; `None` if it is another one.
    pub(super) fn postgres_writer(&mut self) -> Option<(&mut PgConnection, &mut bool)> {
        match self {
            Self::PostgresWriter { connection, broken } => {
                let (connection, _line) = connection.parts().ok()?;
                Some((connection, broken))
            }
            _ => None,
        }
    }

    /// Runs a statement and answers how many rows it changed.
    pub(super) async fn changed(&mut self, sql: SqlStr, values: SqlxValues) -> Result<u64, sqlx::Error> {
        match self {
            Self::SqlitePooled(connection) => sqlite_changed(connection, sql, values).await,
            Self::SqliteWriter(connection) => sqlite_changed(connection, sql, values).await,
            Self::PostgresReader(connection) => postgres_changed(connection, sql, values).await,
            Self::PostgresWriter { connection, broken } => {
                let answer = postgres_changed(connection, sql, values).await;
                *broken |= answer.is_err();
                answer
            }
            Self::MysqlReader(connection) => mysql_changed(connection, sql, values).await,
            Self::MysqlWriter { broken: true, .. } => Err(given_up()),
            Self::MysqlWriter { connection, broken } => {
                let answer = mysql_changed(connection, sql, values).await;
                *broken = answer.is_err();
                answer
            }
        }
    }

    /// Begins a transaction, with statements as [`control`](Self::control) runs them. A connection that was gone before is
    /// replaced by another one.
    pub(super) async fn begin(&mut self, sql: SqlStr) -> Result<Vec<Row>, sqlx::Error> {
        let begun = self.control(sql.clone()).await;
        match self {
            Self::PostgresWriter { connection, .. } if begun.is_err() && connection.was_gone() => {
                connection.replace().await?;
                self.control(sql).await
            }
            _ => begun,
        }
    }

    /// Runs statements without values, which may begin and end transactions, and reads the rows of all of them.
    pub(super) async fn control(&mut self, sql: SqlStr) -> Result<Vec<Row>, sqlx::Error> {
        match self {
            Self::SqlitePooled(connection) => connection.execute(sql).await.map(|_| Vec::new()),
            Self::SqliteWriter(connection) => connection.execute(sql).await.map(|_| Vec::new()),
            Self::PostgresReader(connection) | Self::PostgresWriter { connection, .. } => {
                let (connection, line) = connection.parts()?;
                line.answer(sqlx::raw_sql(sql).fetch(connection).map_ok(Row::Postgres).try_collect()).await
            }
            Self::MysqlReader(connection) | Self::MysqlWriter { connection, .. } => {
                sqlx::raw_sql(sql).fetch(&mut **connection).map_ok(Row::Mysql).try_collect().await
            }
        }
    }

    /// Takes note that what was refused is undone: the server takes statements again.
    pub(super) fn mend(&mut self) {
        if let Self::PostgresWriter { broken, .. } | Self::MysqlWriter { broken, .. } = self {
            *broken = false;
        }
    }

    /// Says whether a statement of the transaction was refused.
    pub(super) fn is_broken(&self) -> bool {
        matches!(self, Self::PostgresWriter { broken: true, .. } | Self::MysqlWriter { broken: true, .. })
    }

    /// Closes the connection.
    pub(super) async fn close(self) -> Result<(), sqlx::Error> {
        match self {
            Self::SqlitePooled(connection) => connection.close().await,
            Self::SqliteWriter(connection) => connection.close().await,
            Self::PostgresReader(connection) | Self::PostgresWriter { connection, .. } => connection.close().await,
            Self::MysqlReader(connection) | Self::MysqlWriter { connection, .. } => connection.close().await,
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

async fn mysql_rows(
    connection: &mut MySqlConnection,
    sql: SqlStr,
    values: SqlxValues,
) -> Result<Vec<Row>, sqlx::Error> {
    sqlx::query_with(sql, values).fetch(connection).map_ok(Row::Mysql).try_collect().await
}

async fn mysql_changed(connection: &mut MySqlConnection, sql: SqlStr, values: SqlxValues) -> Result<u64, sqlx::Error> {
    sqlx::query_with::<MySql, _>(sql, values).execute(connection).await.map(|done| done.rows_affected())
}

fn given_up() -> sqlx::Error {
    sqlx::Error::Protocol("a statement of the transaction was refused".to_owned())
}

fn is_outdated(error: &sqlx::Error) -> bool {
    error.as_database_error().is_some_and(|refused| refused.code().as_deref() == Some(PLAN_OUTDATED))
}
