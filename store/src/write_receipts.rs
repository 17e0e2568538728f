//! Receipts for what the nodes of executions write into a further database, so that each of them writes once.
//!
//! ```text
//! further database: the receipt, what the node writes, what came of it ─ one transaction    begin_once, end_once
//! main database:    the node's job, which says the same
//! further database: the receipt is forgotten                                                 forget_receipt_soon
//! ```
//!
//! Whoever stops before the job is stored leaves the receipt to the one that goes on with the execution: it finds out what came of
//! the node and does not write again. The receipt comes first in its transaction, so of two at a time the later one waits until it
//! knows what became of the earlier. Whoever stops after the job is stored leaves the receipt to the sweep
//! ([`Store::sweep_write_receipts`]).

use std::{
    mem,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use futures::future::BoxFuture;
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use crate::{
    Store,
    db::{Conn, Dialect, Tx, each, listed},
    error::StoreError,
    id::ExecutionId,
    outbox::{id, list},
    own_table::{OwnTable, TableState},
    status::{ExecutionStatus, JobStatus},
};

/// Between two deletions: many receipts share one, and none is there for long.
const PAUSE: Duration = Duration::from_secs(1);

/// Receipts that are looked at together, and that one statement deletes.
const AT_ONCE: usize = 500;

/// How long a receipt is kept whose execution is not known. It may be that of hosts with another main database.
const UNKNOWN_FOR: Duration = Duration::from_secs(30 * 24 * 3_600);

/// Which write of which execution.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WriteKey {
    id: Uuid,
    execution: ExecutionId,
    event_key: String,
}

/// What came of a write.
#[derive(Debug, Clone, PartialEq)]
pub struct WriteReceipt {
    /// The state of the node's job.
    pub status: JobStatus,
    /// The result of the node's job.
    pub result: Value,
}

/// The receipts of a further database.
#[derive(Default)]
pub(crate) struct WriteReceipts {
    usable: AtomicBool,
    done: Mutex<Done>,
}

/// Receipts whose job is stored.
#[derive(Default)]
struct Done {
    ids: Vec<Uuid>,
    /// Somebody is going to delete them.
    attended: bool,
}

/// One that was left behind.
struct Left {
    id: Uuid,
    execution: ExecutionId,
    event_key: String,
    age_ms: i64,
}

/// The statements of one kind of database. Moments are in milliseconds since 1970 by the database's own clock.
struct Statements {
    create: &'static str,
    begin: &'static str,
    known: &'static str,
    end: &'static str,
    left: &'static str,
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
    create: r#"CREATE TABLE IF NOT EXISTS "_workflow_receipts"
               ("id" TEXT PRIMARY KEY NOT NULL, "createdAt" INTEGER NOT NULL, "execution" INTEGER NOT NULL,
                "eventKey" TEXT NOT NULL, "status" INTEGER, "result" TEXT)"#,
    begin: r#"INSERT INTO "_workflow_receipts" ("id", "createdAt", "execution", "eventKey")
              VALUES (?, CAST(unixepoch('subsec') * 1000 AS INTEGER), ?, ?) ON CONFLICT DO NOTHING"#,
    known: r#"SELECT "status", "result" FROM "_workflow_receipts" WHERE "id" = ?"#,
    end: r#"UPDATE "_workflow_receipts" SET "status" = ?, "result" = ? WHERE "id" = ?"#,
    left: r#"SELECT "id", "execution", "eventKey", CAST(unixepoch('subsec') * 1000 AS INTEGER) - "createdAt" AS "age"
             FROM "_workflow_receipts"
             WHERE "id" > ? AND "createdAt" <= CAST(unixepoch('subsec') * 1000 AS INTEGER) - ? ORDER BY "id" LIMIT ?"#,
    forget: r#"DELETE FROM "_workflow_receipts" WHERE "id" IN (SELECT "value" FROM json_each(?))"#,
};

const POSTGRES: Statements = Statements {
    create: r#"CREATE TABLE IF NOT EXISTS "_workflow_receipts"
               ("id" text COLLATE "C" PRIMARY KEY, "createdAt" bigint NOT NULL, "execution" bigint NOT NULL,
                "eventKey" text NOT NULL, "status" bigint, "result" text)"#,
    begin: r#"INSERT INTO "_workflow_receipts" ("id", "createdAt", "execution", "eventKey")
              VALUES ($1, CAST(extract(epoch FROM clock_timestamp()) * 1000 AS bigint), $2, $3) ON CONFLICT DO NOTHING"#,
    known: r#"SELECT "status", "result" FROM "_workflow_receipts" WHERE "id" = $1"#,
    end: r#"UPDATE "_workflow_receipts" SET "status" = $1, "result" = $2 WHERE "id" = $3"#,
    left: r#"SELECT "id", "execution", "eventKey",
                    CAST(extract(epoch FROM clock_timestamp()) * 1000 AS bigint) - "createdAt" AS "age"
             FROM "_workflow_receipts"
             WHERE "id" > $1 AND "createdAt" <= CAST(extract(epoch FROM clock_timestamp()) * 1000 AS bigint) - $2
             ORDER BY "id" LIMIT $3"#,
    forget: r#"DELETE FROM "_workflow_receipts" WHERE "id" IN (SELECT json_array_elements_text($1::json))"#,
};

const MYSQL: Statements = Statements {
    create: "CREATE TABLE IF NOT EXISTS `_workflow_receipts`
             (`id` char(36) CHARACTER SET ascii COLLATE ascii_bin PRIMARY KEY, `createdAt` bigint NOT NULL,
              `execution` bigint NOT NULL, `eventKey` text NOT NULL, `status` bigint, `result` longtext)
             ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4",
    // Nothing but the key can be wrong with a row of ours.
    begin: "INSERT IGNORE INTO `_workflow_receipts` (`id`, `createdAt`, `execution`, `eventKey`)
            VALUES (?, CAST(unix_timestamp(now(3)) * 1000 AS SIGNED), ?, ?)",
    known: "SELECT `status`, `result` FROM `_workflow_receipts` WHERE `id` = ?",
    end: "UPDATE `_workflow_receipts` SET `status` = ?, `result` = ? WHERE `id` = ?",
    left: "SELECT `id`, `execution`, `eventKey`, CAST(unix_timestamp(now(3)) * 1000 AS SIGNED) - `createdAt` AS `age`
           FROM `_workflow_receipts`
           WHERE `id` > ? AND `createdAt` <= CAST(unix_timestamp(now(3)) * 1000 AS SIGNED) - ? ORDER BY `id` LIMIT ?",
    // One by one: a statement about several would look at all rows, and wait for those that are being written.
    forget: "DELETE FROM `_workflow_receipts` WHERE `id` = ?",
};

impl OwnTable for WriteReceipts {
    const NAME: &'static str = "_workflow_receipts";

    fn create(dialect: Dialect) -> &'static str {
        Statements::of(dialect).create
    }

    fn try_out(tx: &mut Tx) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(async move {
            let key = WriteKey::new(ExecutionId(0), "trial", &Uuid::new_v4().to_string());
            let statements = Statements::of(tx.dialect());
            tx.begin_once(&key).await?;
            tx.end_once(&key, &WriteReceipt { status: JobStatus::Resolved, result: Value::Null }).await?;
            tx.ask(statements.known, [key.id.to_string().into()]).await?;
            tx.ask(statements.left, ["".into(), 0_i64.into(), 1_i64.into()]).await?;
            tx.forget_write_receipts(&[key.id]).await
        })
    }
}

impl WriteKey {
    /// That of an execution's `run`: the same text for a run that is repeated because its job could not be stored, another one for
    /// each other run of the execution's nodes. Executions of other main databases have other keys by their event's.
    pub fn new(execution: ExecutionId, event_key: &str, run: &str) -> Self {
        let mut hash = Sha256::new();
        for part in [event_key, &execution.0.to_string(), run] {
            hash.update(part);
            hash.update([0]);
        }
        let digest: [u8; 32] = hash.finalize().into();
        let id = uuid::Builder::from_custom_bytes(digest.first_chunk().copied().unwrap_or_default()).into_uuid();
        Self { id, execution, event_key: event_key.to_owned() }
    }
}

impl Store {
    /// Sees whether a further database can keep receipts, and makes their table if there is none and that is allowed.
    ///
    /// # Errors
    ///
    /// [`StoreError::Invalid`] with `FURTHER_ONLY` for the main database; database errors that may pass by themselves. Why there are
    /// none otherwise is no error.
    pub async fn prepare_write_receipts(&self) -> Result<TableState, StoreError> {
        let state = self.prepare::<WriteReceipts>().await?;
        self.further()?.write_receipts().usable.store(state == TableState::Ready, Ordering::Relaxed);
        Ok(state)
    }

    /// Says whether it is a further database that keeps receipts, as far as that was [prepared](Self::prepare_write_receipts).
    pub fn keeps_write_receipts(&self) -> bool {
        self.further().is_ok_and(|further| further.write_receipts().usable.load(Ordering::Relaxed))
    }

    /// Forgets receipts in the background: the jobs are stored. If it cannot, the sweep does.
    pub fn forget_write_receipts_soon(&self, keys: impl IntoIterator<Item = WriteKey>) {
        let Ok(further) = self.further() else { return };
        let mut done = further.write_receipts().done();
        done.ids.extend(keys.into_iter().map(|key| key.id));
        if done.ids.is_empty() || mem::replace(&mut done.attended, true) {
            return;
        }
        drop(done);
        let store = self.clone();
        self.spawn_until_closed(async move { store.forget_done().await });
    }

    async fn forget_done(&self) {
        let Ok(further) = self.further() else { return };
        loop {
            tokio::time::sleep(PAUSE).await;
            let ids = {
                let mut done = further.write_receipts().done();
                done.attended = !done.ids.is_empty();
                mem::take(&mut done.ids)
            };
            if ids.is_empty() {
                return;
            }
            if let Err(error) = self.forget_these(ids).await {
                tracing::debug!(%error, "receipts are left to the sweep");
            }
        }
    }

    async fn forget_these(&self, mut ids: Vec<Uuid>) -> Result<(), StoreError> {
        // In an order that is the same for everybody.
        ids.sort_unstable();
        self.write(move |tx| Box::pin(async move { tx.forget_write_receipts(&ids).await })).await
    }

    /// Forgets what was left behind in a further database, for at least `older_than`, by executions of this main one that have ended;
    /// after 30 days also what executions have left that are not known. Answers how many it was.
    ///
    /// # Errors
    ///
    /// [`StoreError::Invalid`] with `FURTHER_ONLY` for the main database; database errors of both.
    pub async fn sweep_write_receipts(&self, main: &Self, older_than: Duration) -> Result<usize, StoreError> {
        self.further()?;
        let (mut behind, mut forgotten) = (String::new(), 0);
        loop {
            let left = self.read().await?.left_write_receipts(&behind, older_than).await?;
            let Some(last) = left.last() else { return Ok(forgotten) };
            behind = last.id.to_string();
            let idle = main.read().await?.not_needed(&left).await?;
            forgotten += idle.len();
            if !idle.is_empty() {
                self.forget_these(idle).await?;
            }
            if left.len() < AT_ONCE {
                return Ok(forgotten);
            }
        }
    }
}

impl WriteReceipts {
    fn done(&self) -> MutexGuard<'_, Done> {
        self.done.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Tx {
    /// Begins what is to be written once, before anything of it is written, and waits for another transaction that has begun the
    /// same. `None` if it is for this one to be written, and to be [ended](Self::end_once); what came of it if it is written already.
    ///
    /// # Errors
    ///
    /// [`StoreError::Invalid`] with `FURTHER_ONLY` in the main database; database errors.
    pub async fn begin_once(&mut self, key: &WriteKey) -> Result<Option<WriteReceipt>, StoreError> {
        if !self.is_further() {
            return Err(StoreError::invalid("FURTHER_ONLY", "only a further data source has receipts"));
        }
        let (statements, id) = (Statements::of(self.dialect()), key.id.to_string());
        loop {
            let values = [id.as_str().into(), key.execution.0.into(), key.event_key.as_str().into()];
            if self.carry_out(statements.begin, values).await? == 1 {
                return Ok(None);
            }
            let rows = self.ask(statements.known, [id.as_str().into()]).await?;
            // If it has just been forgotten, it is begun anew: whoever asks finds out that nobody waits for it any more.
            let Some(row) = rows.first() else { continue };
            let code: Option<i64> = row.get("status")?;
            let status = code.and_then(JobStatus::from_code);
            let status = status.ok_or_else(|| StoreError::Corrupt { what: format!("job status {code:?}") })?;
            return Ok(Some(WriteReceipt { status, result: row.json("result")? }));
        }
    }

    /// Notes what came of a write, at its end.
    ///
    /// # Errors
    ///
    /// Database errors.
    pub async fn end_once(&mut self, key: &WriteKey, receipt: &WriteReceipt) -> Result<(), StoreError> {
        let values = [receipt.status.code().into(), receipt.result.to_string().into(), key.id.to_string().into()];
        self.carry_out(Statements::of(self.dialect()).end, values).await.map(drop)
    }

    async fn forget_write_receipts(&mut self, ids: &[Uuid]) -> Result<(), StoreError> {
        let forget = Statements::of(self.dialect()).forget;
        if self.dialect() == Dialect::Mysql {
            for id in ids {
                self.carry_out(forget, [id.to_string().into()]).await?;
            }
            return Ok(());
        }
        for ids in ids.chunks(AT_ONCE) {
            self.carry_out(forget, [list(ids).into()]).await?;
        }
        Ok(())
    }
}

macro_rules! of_executions {
    ($database:ident) => {
        concat!(r#"SELECT "id", "eventKey", "status" FROM "executions" WHERE "id" IN "#, listed!($database))
    };
}

impl Conn {
    /// Receipts in a further database that are older than this, in the order of their ids, behind one of them.
    async fn left_write_receipts(&mut self, behind: &str, older_than: Duration) -> Result<Vec<Left>, StoreError> {
        let older_than = i64::try_from(older_than.as_millis()).unwrap_or(i64::MAX);
        let at_once = i64::try_from(AT_ONCE).unwrap_or(i64::MAX);
        let values = [behind.into(), older_than.into(), at_once.into()];
        let rows = self.ask(Statements::of(self.dialect()).left, values).await?;
        let left = rows.iter().map(|row| {
            let execution = ExecutionId(row.get("execution")?);
            Ok(Left { id: id(row)?, execution, event_key: row.get("eventKey")?, age_ms: row.get("age")? })
        });
        left.collect()
    }

    /// Which receipts nobody will ask for any more, by what the main database knows of their executions.
    async fn not_needed(&mut self, left: &[Left]) -> Result<Vec<Uuid>, StoreError> {
        let executions: Value = left.iter().map(|it| it.execution.0).collect();
        let rows = self.query(each!(of_executions), [executions.to_string().into()]).await?;
        let mut known: Vec<(i64, String, bool)> = Vec::with_capacity(rows.len());
        for row in &rows {
            let status = ExecutionStatus::from_code(row.get("status")?);
            known.push((row.get("id")?, row.get("eventKey")?, status.is_some_and(ExecutionStatus::is_final)));
        }
        let unknown_for = i64::try_from(UNKNOWN_FOR.as_millis()).unwrap_or(i64::MAX);
        let is_idle = |it: &Left| {
            let found = known.iter().find(|(id, event_key, _)| (*id, event_key) == (it.execution.0, &it.event_key));
            found.map_or(it.age_ms >= unknown_for, |(_, _, has_ended)| *has_ended)
        };
        Ok(left.iter().filter(|it| is_idle(it)).map(|it| it.id).collect())
    }
}
