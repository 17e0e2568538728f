//! The migrations, which are part of the program.

use sqlx::{SqliteConnection, migrate::Migrator};

use crate::error::StoreError;

static MIGRATOR: Migrator = sqlx::migrate!("migrations/sqlite");

/// Applies the migrations that the database does not have yet.
pub(super) async fn run(connection: &mut SqliteConnection) -> Result<(), StoreError> {
    MIGRATOR.run(connection).await.map_err(StoreError::Migration)
}
