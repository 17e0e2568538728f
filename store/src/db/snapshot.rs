//! A database as it is at one moment: read only, never brought up to date, whoever else works with it.

use std::{path::PathBuf, str::FromStr as _};

use sqlx::{SqlSafeStr as _, postgres::PgConnectOptions, sqlite::SqlitePoolOptions};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{Conn, Dialect, faults::FaultPoint, lifeline::Lifeline, link::Link, migrate, sqlite};
use crate::{error::StoreError, schema::Schema};

/// What kind of database there is at an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Found {
    /// None, or one without tables.
    Nothing,
    /// Others' tables.
    Strange,
    /// One of this program, but of a former version of it.
    Older,
    /// One of this program, but of a later version of it.
    Newer,
    /// One of this program, as this version of it needs it.
    Current,
}

/// Opens what is there, in a transaction that sees the database as it is now until it is dropped. `None` if there is no file.
///
/// # Errors
///
/// [`StoreError::Invalid`] for a URL that is not understood; database errors.
pub(crate) async fn snapshot(url: &str) -> Result<Option<Conn>, StoreError> {
    let mut conn = match sqlite::path(url) {
        Some(path) if !path.exists() => return Ok(None),
        Some(_) => {
            let options = sqlite::connect_options(url)?.read_only(true);
            let pool = SqlitePoolOptions::new().max_connections(1).connect_with(options).await;
            let connection = pool.map_err(StoreError::Database)?.acquire().await.map_err(StoreError::Database)?;
            Conn::new(Link::SqlitePooled(connection), Schema::built_in(Dialect::Sqlite).into(), FaultPoint::default())
        }
        None if is_postgres(url) => {
            let options = PgConnectOptions::from_str(url)
                .map_err(|error| StoreError::invalid("INVALID_VALUE", format!("the database URL: {error}")))?
                .application_name("host");
            let lifeline = Lifeline::new(options, TaskTracker::new(), CancellationToken::new());
            let connection = lifeline.pool(1).acquire().await.map_err(StoreError::Database)?;
            Conn::new(
                Link::PostgresReader(connection),
                Schema::built_in(Dialect::Postgres).into(),
                FaultPoint::default(),
            )
        }
        None => return Err(sqlite::misunderstood()),
    };
    let begin = match conn.dialect() {
        Dialect::Sqlite => "BEGIN",
        // It may be silent for as long as somebody writes elsewhere what it has read.
        Dialect::Postgres | Dialect::Mysql => {
            "SET idle_in_transaction_session_timeout = 0; BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
        }
    };
    conn.link().control(begin.into_sql_str()).await.map_err(StoreError::Database)?;
    // The moment is that of the first statement.
    conn.tables().await?;
    Ok(Some(conn))
}

/// Says whether a URL leads to PostgreSQL.
pub(super) fn is_postgres(url: &str) -> bool {
    url.starts_with("postgres:") || url.starts_with("postgresql:")
}

/// The file that a URL leads to, if it leads to one.
pub fn database_file(url: &str) -> Option<PathBuf> {
    sqlite::path(url).map(PathBuf::from)
}

/// A database's address without user and password.
pub(crate) fn shown(url: &str) -> String {
    match PgConnectOptions::from_str(url) {
        Ok(options) if is_postgres(url) => {
            let place = match options.get_socket() {
                Some(socket) => socket.display().to_string(),
                None => format!("{}:{}", options.get_host(), options.get_port()),
            };
            format!("postgres://{place}/{}", options.get_database().unwrap_or_default())
        }
        Ok(_) | Err(_) => sqlite::path(url).map_or_else(String::new, |path| format!("sqlite:{}", path.display())),
    }
}

// Partitions are parts of their tables.
macro_rules! tables {
    (sqlite) => {
        r#"SELECT "name" FROM sqlite_master WHERE "type" = 'table' AND "name" NOT LIKE 'sqlite\_%' ESCAPE '\'"#
    };
    (postgres) => {
        r#"SELECT "relname"::text AS "name" FROM pg_class
           WHERE "relnamespace" = current_schema()::regnamespace AND "relkind" IN ('r', 'p') AND NOT "relispartition""#
    };
}

// A column that always counts by itself cannot be given values.
macro_rules! columns {
    (sqlite) => {
        r#"SELECT "name" FROM pragma_table_info(?) ORDER BY "cid""#
    };
    (postgres) => {
        r#"SELECT "column_name"::text AS "name" FROM information_schema.columns
           WHERE "table_schema" = current_schema() AND "table_name" = ? AND "identity_generation" IS DISTINCT FROM 'ALWAYS'
           ORDER BY "ordinal_position""#
    };
}

impl Conn {
    /// The names of all tables, but for the database's own.
    ///
    /// # Errors
    ///
    /// Database errors.
    pub(crate) async fn tables(&mut self) -> Result<Vec<String>, StoreError> {
        let rows = self.query(super::each!(tables), []).await?;
        rows.iter().map(|row| row.get("name")).collect()
    }

    /// The columns of a table that can be given values, in order.
    ///
    /// # Errors
    ///
    /// Database errors.
    pub(crate) async fn columns(&mut self, table: &str) -> Result<Vec<String>, StoreError> {
        let rows = self.query(super::each!(columns), [table.into()]).await?;
        rows.iter().map(|row| row.get("name")).collect()
    }

    /// Says what the database is to this version of the program.
    ///
    /// # Errors
    ///
    /// Database errors.
    pub(crate) async fn what_is_it(&mut self) -> Result<Found, StoreError> {
        let tables = self.tables().await?;
        if !tables.iter().any(|table| table == "_sqlx_migrations") {
            return Ok(if tables.is_empty() { Found::Nothing } else { Found::Strange });
        }
        let rows = self.query(r#"SELECT "version" FROM "_sqlx_migrations" WHERE "success""#, []).await?;
        let applied: Vec<i64> = rows.iter().map(|row| row.get("version")).collect::<Result<_, _>>()?;
        let known = migrate::versions(self.dialect());
        Ok(if applied.iter().any(|version| !known.contains(version)) {
            Found::Newer
        } else if known.iter().any(|version| !applied.contains(version)) {
            Found::Older
        } else {
            Found::Current
        })
    }
}
