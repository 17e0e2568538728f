//! Waiting for the transactions that were there before.
//!
//! A host hears of what others have changed when a transaction begins. One that had begun before does not know of it, and may commit later:
//! whoever relies on everybody knowing waits until all of those have ended. They are not disturbed by it.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use tokio::time::sleep;

use super::{Conn, Dialect, Store};
use crate::error::StoreError;

/// Between two looks.
const PAUSE: Duration = Duration::from_millis(20);

/// The transactions of hosts on this database: each holds a lock on its own number as long as it lasts.
const RUNNING: &str = r#"SELECT "held"."virtualtransaction" AS "number" FROM pg_locks AS "held"
    JOIN pg_stat_activity AS "session" ON "session"."pid" = "held"."pid"
    WHERE "held"."locktype" = 'virtualxid' AND "held"."mode" = 'ExclusiveLock' AND "held"."granted"
      AND "held"."pid" <> pg_backend_pid() AND "session"."datname" = current_database()
      AND "session"."application_name" = current_setting('application_name')"#;

impl Store {
    /// Waits until all transactions have ended that hosts of this database had begun before this call, `at_most` so long. Says whether
    /// they have. On SQLite nothing is begun before the one before has ended.
    ///
    /// # Errors
    ///
    /// Database errors.
    pub async fn outlast_predecessors(&self, at_most: Duration) -> Result<bool, StoreError> {
        let mut conn = self.read().await?;
        if conn.dialect() == Dialect::Sqlite {
            return Ok(true);
        }
        let begun = Instant::now();
        let mut left = running(&mut conn).await?;
        while !left.is_empty() {
            if begun.elapsed() > at_most {
                return Ok(false);
            }
            sleep(PAUSE).await;
            let now = running(&mut conn).await?;
            left.retain(|number| now.contains(number));
        }
        Ok(true)
    }
}

async fn running(conn: &mut Conn) -> Result<BTreeSet<String>, StoreError> {
    conn.query(RUNNING, []).await?.iter().map(|row| row.get("number")).collect()
}
