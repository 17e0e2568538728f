//! What the hosts that work on one database tell each other.
//!
//! **Changes** that a host keeps something of in memory, of workflows, plugins and data sources, are rows, written in the transaction that
//! makes them and numbered in the order of the commits. A host knows up to which number it has followed, so it can always find
//! out what it has missed; [`Store::host_version`] says whether there is anything.
//!
//! **Hints** say that it is worth looking now. They are sent after the commit, without waiting, and may be lost: whoever hears
//! them looks from time to time without any. Sending them within the transaction would make all commits of all hosts wait for
//! each other.
//!
//! On SQLite there is one host: nothing is written and nothing is heard.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    changes::Change,
    db::{Conn, Dialect, Store, Tx},
    error::StoreError,
    id::{ExecutionId, WorkflowId},
};

/// A change that other hosts have to follow.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum HostChange {
    /// A workflow version was made, changed or destroyed.
    #[serde(rename_all = "camelCase")]
    Workflow {
        /// The version.
        id: WorkflowId,
        /// Its trigger type.
        trigger_type: String,
    },
    /// A further database was added, changed or removed, or is to be looked at anew.
    DataSource {
        /// Its key.
        key: String,
    },
    /// The plugins were changed.
    Plugins {
        /// The host that has changed its own already.
        by: String,
        /// What it did, in its own words.
        change: Value,
    },
}

/// A hint from another host.
#[derive(Debug, Clone, PartialEq)]
pub enum Hint {
    /// A workflow has queued executions, and the host is not going to run them at once.
    Queued(WorkflowId),
    /// An execution can be gone on with, or a job of it was ended from outside.
    Ready(ExecutionId),
    /// There are changes to follow, or the schema is another one.
    Changed,
    /// Hints may have been lost.
    Lost,
}

/// What is sent to other hosts: hints, and what those that watch want to hear.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Message {
    Hint(Hint),
    /// Somebody watches the executions of all hosts.
    Watching,
    /// What was committed, for those who watch.
    Told(Change),
}

/// How far a host would have to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct HostVersion {
    /// The number of the latest change.
    pub changes: i64,
    /// The version of the schema.
    pub schema: i64,
}

impl Store {
    /// How far the database is.
    ///
    /// # Errors
    ///
    /// Database errors.
    pub async fn host_version(&self) -> Result<HostVersion, StoreError> {
        let mut conn = self.read().await?;
        if conn.dialect() == Dialect::Sqlite || conn.is_further() {
            return Ok(HostVersion { changes: 0, schema: conn.schema().version() });
        }
        let sql = r#"SELECT (SELECT "version" FROM "_hostVersion") AS "changes",
                            (SELECT "version" FROM "_schemaVersion") AS "schema""#;
        let rows = conn.query(sql, []).await?;
        let Some(row) = rows.first() else { return Ok(HostVersion::default()) };
        Ok(HostVersion { changes: row.get("changes")?, schema: row.get("schema")? })
    }
}

impl Conn {
    /// The changes after a number, oldest first, and the number of the last one.
    ///
    /// # Errors
    ///
    /// Database errors.
    pub async fn host_changes(&mut self, after: i64) -> Result<(i64, Vec<HostChange>), StoreError> {
        if self.dialect() == Dialect::Sqlite || self.is_further() {
            return Ok((after, Vec::new()));
        }
        let sql = r#"SELECT "version", "change" FROM "_hostChanges" WHERE "version" > ? ORDER BY "version""#;
        let (mut last, mut changes) = (after, Vec::new());
        for row in &self.query(sql, [after.into()]).await? {
            last = row.get("version")?;
            let change = serde_json::from_value(row.json("change")?);
            // A later version of the program may know of changes that this one does not.
            match change {
                Ok(change) => changes.push(change),
                Err(error) => tracing::warn!(%error, version = last, "a change of another host is not understood"),
            }
        }
        Ok((last, changes))
    }
}

impl Tx {
    /// Has other hosts follow a change, if there are any and the transaction is committed.
    pub fn tell_hosts(&mut self, change: HostChange) {
        if self.dialect() == Dialect::Postgres && !self.is_further() {
            self.host_changes.push(change);
        }
    }

    /// Writes down what other hosts have to follow. Last in the transaction: the row that counts is everybody's.
    pub(crate) async fn write_host_changes(&mut self) -> Result<(), StoreError> {
        let changes = std::mem::take(&mut self.host_changes);
        let Ok(count @ 1..) = i64::try_from(changes.len()) else { return Ok(()) };
        let rows = self
            .query(r#"UPDATE "_hostVersion" SET "version" = "version" + ? RETURNING "version""#, [count.into()])
            .await?;
        let last: i64 = rows.first().map_or(Ok(0), |row| row.get("version"))?;
        for (version, change) in (last - count + 1..).zip(changes) {
            let change = serde_json::to_string(&change)
                .map_err(|error| StoreError::Corrupt { what: format!("a change for other hosts: {error}") })?;
            self.run(r#"INSERT INTO "_hostChanges" VALUES (?, ?)"#, [version.into(), change.into()]).await?;
        }
        self.send(Message::Hint(Hint::Changed));
        Ok(())
    }
}
