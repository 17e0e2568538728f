//! The migrations, which are part of the program. Those of the two databases go in step.

use sqlx::{PgConnection, SqliteConnection, migrate::Migrator};

use super::Dialect;
use crate::error::StoreError;

static SQLITE: Migrator = sqlx::migrate!("migrations/sqlite");
static POSTGRES: Migrator = sqlx::migrate!("migrations/postgres");

/// Applies the migrations that the database does not have yet.
pub(super) async fn sqlite(connection: &mut SqliteConnection) -> Result<(), StoreError> {
    SQLITE.run(connection).await.map_err(StoreError::Migration)
}

/// The same, one process at a time.
pub(super) async fn postgres(connection: &mut PgConnection) -> Result<(), StoreError> {
    POSTGRES.run(connection).await.map_err(StoreError::Migration)
}

/// The numbers of all migrations.
pub(super) fn versions(dialect: Dialect) -> Vec<i64> {
    let migrator = match dialect {
        Dialect::Sqlite => &SQLITE,
        Dialect::Postgres => &POSTGRES,
        // None of a host's.
        Dialect::Mysql => return Vec::new(),
    };
    migrator.iter().map(|migration| migration.version).collect()
}
