//! What is to be done elsewhere for a change in a further database, noted in the change's own transaction.
//!
//! ```text
//! further database: the change and its message ─ one transaction      put_into_outbox
//! main database:    taken once, and what it asks for stored ─ one     take_once
//! further database: forgotten                                         forget_outbox
//! ```
//!
//! Whoever stops in between leaves the message to the next who looks ([`Store::outbox`]). That may be two at a time, and one that has
//! looked may be slow: a receipt in the main database says which messages were taken, and is kept until the message has been
//! gone for a while. The table is made if the administrator lets it be ([`ConnectOptions::outbox`](crate::ConnectOptions)).

use std::time::Duration;

use futures::future::BoxFuture;
use serde_json::Value;
use uuid::Uuid;

use crate::{
    Store,
    db::{Conn, Dialect, Row, Tx, each, listed_texts},
    error::StoreError,
    own_table::{OwnTable, TableState},
};

/// The table of the outbox in a further database.
pub(crate) struct Outbox;

/// One message.
#[derive(Debug, Clone, PartialEq)]
pub struct OutboxMessage {
    /// Under which it is taken.
    pub id: Uuid,
    /// What is to be done.
    pub message: Value,
}

/// The statements of one kind of database. Moments are in milliseconds since 1970 by the database's own clock.
struct Statements {
    create: &'static str,
    put: &'static str,
    oldest: &'static str,
    among: &'static str,
    forget: &'static str,
}

impl Statements {
    fn of(dialect: Dialect) -> &'static Self {
        match dialect {
            Dialect::Sqlite => &SQLITE,
            Dialect::Postgres => &POSTGRES,
            Dialect::Mysql => &MYSQL,
        }
    }
}

const SQLITE: Statements = Statements {
    create: r#"CREATE TABLE IF NOT EXISTS "_workflow_outbox"
               ("id" TEXT PRIMARY KEY NOT NULL, "createdAt" INTEGER NOT NULL, "message" TEXT NOT NULL)"#,
    put: r#"INSERT INTO "_workflow_outbox" ("id", "createdAt", "message")
            VALUES (?, CAST(unixepoch('subsec') * 1000 AS INTEGER), ?)"#,
    oldest: r#"SELECT "id", "message" FROM "_workflow_outbox"
               WHERE "createdAt" <= CAST(unixepoch('subsec') * 1000 AS INTEGER) - ? ORDER BY "createdAt", "id" LIMIT ?"#,
    among: r#"SELECT "id" FROM "_workflow_outbox" WHERE "id" IN (SELECT "value" FROM json_each(?))"#,
    forget: r#"DELETE FROM "_workflow_outbox" WHERE "id" IN (SELECT "value" FROM json_each(?))"#,
};

const POSTGRES: Statements = Statements {
    create: r#"CREATE TABLE IF NOT EXISTS "_workflow_outbox"
               ("id" text PRIMARY KEY, "createdAt" bigint NOT NULL, "message" text NOT NULL)"#,
    put: r#"INSERT INTO "_workflow_outbox" ("id", "createdAt", "message")
            VALUES ($1, CAST(extract(epoch FROM clock_timestamp()) * 1000 AS bigint), $2)"#,
    oldest: r#"SELECT "id", "message" FROM "_workflow_outbox"
               WHERE "createdAt" <= CAST(extract(epoch FROM clock_timestamp()) * 1000 AS bigint) - $1
               ORDER BY "createdAt", "id" LIMIT $2"#,
    among: r#"SELECT "id" FROM "_workflow_outbox" WHERE "id" IN (SELECT json_array_elements_text($1::json))"#,
    forget: r#"DELETE FROM "_workflow_outbox" WHERE "id" IN (SELECT json_array_elements_text($1::json))"#,
};

const MYSQL: Statements = Statements {
    create: "CREATE TABLE IF NOT EXISTS `_workflow_outbox`
             (`id` char(36) CHARACTER SET ascii COLLATE ascii_bin PRIMARY KEY, `createdAt` bigint NOT NULL,
              `message` longtext NOT NULL) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4",
    put: "INSERT INTO `_workflow_outbox` (`id`, `createdAt`, `message`)
          VALUES (?, CAST(unix_timestamp(now(3)) * 1000 AS SIGNED), ?)",
    oldest: "SELECT `id`, `message` FROM `_workflow_outbox`
             WHERE `createdAt` <= CAST(unix_timestamp(now(3)) * 1000 AS SIGNED) - ? ORDER BY `createdAt`, `id` LIMIT ?",
    // Ids have one length and no marks of the language: the list is a text in which they are looked for.
    among: "SELECT `id` FROM `_workflow_outbox` WHERE locate(`id`, ?) > 0",
    forget: "DELETE FROM `_workflow_outbox` WHERE locate(`id`, ?) > 0",
};

/// What a trial writes.
const TRIAL: &str = "[]";

impl OwnTable for Outbox {
    const NAME: &'static str = "_workflow_outbox";

    fn create(dialect: Dialect) -> &'static str {
        Statements::of(dialect).create
    }

    fn try_out(tx: &mut Tx) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(async move {
            let (id, statements) = (Uuid::new_v4(), Statements::of(tx.dialect()));
            tx.put_into_outbox(id, &Value::from(TRIAL)).await?;
            let ids = list(&[id]);
            tx.ask(statements.among, [ids.clone().into()]).await?;
            tx.carry_out(statements.forget, [ids.into()]).await.map(drop)
        })
    }
}

impl Store {
    /// Sees whether a further database's outbox can be used, and makes its table if there is none and that is allowed.
    ///
    /// # Errors
    ///
    /// [`StoreError::Invalid`] with `FURTHER_ONLY` for the main database; database errors that may pass by themselves. Why there is
    /// none otherwise is no error.
    pub async fn prepare_outbox(&self) -> Result<TableState, StoreError> {
        self.prepare::<Outbox>().await
    }

    /// The oldest messages of a further database's outbox that have been there for at least `older_than`.
    ///
    /// # Errors
    ///
    /// Database errors; [`StoreError::Corrupt`] for a message that somebody else has put there.
    pub async fn outbox(&self, limit: u32, older_than: Duration) -> Result<Vec<OutboxMessage>, StoreError> {
        let mut conn = self.further_conn().await?;
        let older_than = i64::try_from(older_than.as_millis()).unwrap_or(i64::MAX);
        let rows =
            conn.ask(Statements::of(conn.dialect()).oldest, [older_than.into(), i64::from(limit).into()]).await?;
        rows.iter().map(|row| Ok(OutboxMessage { id: id(row)?, message: row.json("message")? })).collect()
    }

    /// Which of these messages are still in a further database's outbox.
    ///
    /// # Errors
    ///
    /// Database errors.
    pub async fn still_in_outbox(&self, ids: &[Uuid]) -> Result<Vec<Uuid>, StoreError> {
        let mut conn = self.further_conn().await?;
        let rows = conn.ask(Statements::of(conn.dialect()).among, [list(ids).into()]).await?;
        rows.iter().map(id).collect()
    }

    /// Forgets messages of a further database's outbox, once what they ask for is stored.
    ///
    /// # Errors
    ///
    /// Database errors.
    pub async fn forget_outbox(&self, ids: &[Uuid]) -> Result<(), StoreError> {
        self.further()?;
        let ids = list(ids);
        self.write(move |tx| {
            Box::pin(async move { tx.carry_out(Statements::of(tx.dialect()).forget, [ids.into()]).await.map(drop) })
        })
        .await
    }

    async fn further_conn(&self) -> Result<Conn, StoreError> {
        self.further()?;
        self.read().await
    }
}

impl Tx {
    /// Notes something to be done elsewhere for this change, in this transaction of a further database.
    ///
    /// # Errors
    ///
    /// [`StoreError::Invalid`] with `FURTHER_ONLY` in the main database; database errors.
    pub async fn put_into_outbox(&mut self, id: Uuid, message: &Value) -> Result<(), StoreError> {
        if !self.is_further() {
            return Err(StoreError::invalid("FURTHER_ONLY", "only a further data source has an outbox"));
        }
        let put = Statements::of(self.dialect()).put;
        self.carry_out(put, [id.to_string().into(), message.to_string().into()]).await.map(drop)
    }

    /// Takes a message of a further database, in a transaction of the main one: what it asks for is to be stored in the same. Answers
    /// `false` if it was taken before.
    ///
    /// # Errors
    ///
    /// Database errors.
    pub async fn take_once(&mut self, source: &str, id: Uuid) -> Result<bool, StoreError> {
        let now = self.now_ms().await?;
        let sql = r#"INSERT INTO "outboxReceipts" ("source", "id", "takenAt") VALUES (?, ?, ?) ON CONFLICT DO NOTHING"#;
        Ok(self.run(sql, [source.into(), id.to_string().into(), now.into()]).await? == 1)
    }

    /// Forgets that messages were taken. They have to be gone from the outbox, for long enough that nobody works on them any more.
    ///
    /// # Errors
    ///
    /// Database errors.
    pub async fn forget_receipts(&mut self, source: &str, ids: &[Uuid]) -> Result<(), StoreError> {
        macro_rules! forget {
            ($database:ident) => {
                concat!(r#"DELETE FROM "outboxReceipts" WHERE "source" = ? AND "id" IN "#, listed_texts!($database))
            };
        }
        self.run(each!(forget), [source.into(), list(ids).into()]).await.map(drop)
    }
}

impl Conn {
    /// Which messages of a source were taken at least `older_than` ago, the oldest first.
    ///
    /// # Errors
    ///
    /// Database errors.
    pub async fn old_receipts(
        &mut self,
        source: &str,
        older_than: Duration,
        limit: u32,
    ) -> Result<Vec<Uuid>, StoreError> {
        let older_than = i64::try_from(older_than.as_millis()).unwrap_or(i64::MAX);
        let before = self.now_ms().await?.saturating_sub(older_than);
        let sql = r#"SELECT "id" FROM "outboxReceipts" WHERE "source" = ? AND "takenAt" <= ? ORDER BY "takenAt", "id" LIMIT ?"#;
        let rows = self.query(sql, [source.into(), before.into(), i64::from(limit).into()]).await?;
        rows.iter().map(id).collect()
    }
}

/// The id that a row has.
pub(crate) fn id(row: &Row) -> Result<Uuid, StoreError> {
    let text: String = row.get("id")?;
    Uuid::try_parse(&text).map_err(|error| StoreError::Corrupt { what: format!("a message's id: {error}") })
}

/// Ids as they are bound to a statement.
pub(crate) fn list(ids: &[Uuid]) -> String {
    Value::from(ids.iter().map(Uuid::to_string).collect::<Vec<_>>()).to_string()
}
