//! Leases: which processes hold claims, and what becomes of the claims of those that are gone.
//!
//! A claim names a process; the process has one lease for all its claims, which it renews. A claim counts as long as the
//! lease of its process lasts. Taking back is idempotent: it changes claims without a lease only, and only once.

use crate::{
    db::{Conn, Row, Tx, each, ids},
    error::StoreError,
    executions::ClaimedBy,
    id::ExecutionId,
    status::ExecutionStatus,
};

/// How an execution stands towards a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// Its state.
    pub status: ExecutionStatus,
    /// Whether the process holds its claim.
    pub held: bool,
}

/// An execution that was taken from a process that is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Takeover {
    /// The execution.
    pub id: ExecutionId,
    /// How often that has happened to it since it last got anywhere.
    pub times: i64,
}

/// Why a started execution is handed back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HandBack {
    /// Through no fault of its own.
    Undisturbed,
    /// Its run broke: it counts like a takeover.
    Broken,
}

macro_rules! standing {
    ($($more:tt)*) => {
        concat!(
            r#"SELECT "status", "claimedBy" IS NOT DISTINCT FROM ? AS "held""#,
            $($more)*
            r#" FROM "executions" WHERE "id" = ?"#
        )
    };
}

macro_rules! standing_with_ids {
    ($database:ident) => {
        standing!(", ", ids!($database), r#" AS "ids""#,)
    };
}

impl Standing {
    fn read(row: &Row) -> Result<Self, StoreError> {
        let code = row.get("status")?;
        let status = ExecutionStatus::from_code(code)
            .ok_or_else(|| StoreError::Corrupt { what: format!("execution status {code:?}") })?;
        Ok(Self { status, held: row.get("held")? })
    }
}

impl Conn {
    /// Says how an execution stands towards a process, or towards nobody: whether it is free. In a transaction it stands so
    /// until that ends. `None` if there is no such execution.
    ///
    /// # Errors
    ///
    /// Database errors.
    pub async fn standing(&mut self, id: ExecutionId, by: Option<&ClaimedBy>) -> Result<Option<Standing>, StoreError> {
        let rows = self.query_held(standing!(), [by.map(|by| by.0.as_str()).into(), id.0.into()]).await?;
        rows.first().map(Standing::read).transpose()
    }

    /// Says whether there are claims whose process has no lease at this moment (milliseconds since 1970).
    ///
    /// # Errors
    ///
    /// Database errors.
    pub async fn has_expired_claims(&mut self, now_ms: i64) -> Result<bool, StoreError> {
        let rows = self
            .query(
                r#"SELECT 1 AS "one" FROM "executions" WHERE "claimedBy" IS NOT NULL
                     AND "claimedBy" NOT IN (SELECT "id" FROM "claimants" WHERE "leaseUntil" > ?) LIMIT 1"#,
                [now_ms.into()],
            )
            .await?;
        Ok(!rows.is_empty())
    }
}

impl Tx {
    /// [`Conn::standing`] towards a process that is going to store jobs: brings along ids for them.
    ///
    /// # Errors
    ///
    /// Database errors.
    pub async fn standing_to_go_on(&mut self, id: ExecutionId, by: &ClaimedBy) -> Result<Option<Standing>, StoreError> {
        let rows = self.query_held(each!(standing_with_ids), [by.0.as_str().into(), id.0.into()]).await?;
        let Some(row) = rows.first() else { return Ok(None) };
        self.bring_ids(row)?;
        Standing::read(row).map(Some)
    }

    /// Gives a process a lease until this moment (milliseconds since 1970). A former process of the same `instance` loses
    /// its own: the caller knows that it is gone.
    ///
    /// # Errors
    ///
    /// Database errors.
    pub async fn lease(&mut self, by: &ClaimedBy, instance: Option<&str>, until_ms: i64) -> Result<(), StoreError> {
        if let Some(instance) = instance {
            self.run(
                r#"DELETE FROM "claimants" WHERE "instance" = ? AND "id" <> ?"#,
                [instance.into(), by.0.as_str().into()],
            )
            .await?;
        }
        self.run(
            r#"INSERT INTO "claimants" ("id", "instance", "leaseUntil") VALUES (?, ?, ?)
               ON CONFLICT ("id") DO UPDATE SET "leaseUntil" = excluded."leaseUntil""#,
            [by.0.as_str().into(), instance.into(), until_ms.into()],
        )
        .await
        .map(drop)
    }

    /// Takes back the claims of processes without a lease at this moment (milliseconds since 1970). Queued executions are
    /// queued for anybody; started ones, which are answered, are to be gone on with.
    ///
    /// # Errors
    ///
    /// Database errors.
    pub async fn take_back(&mut self, now_ms: i64) -> Result<Vec<Takeover>, StoreError> {
        let rows = self
            .query(
                r#"UPDATE "executions"
                   SET "claimedBy" = NULL, "ready" = CASE "status" WHEN 0 THEN 1 END,
                       "takeovers" = "takeovers" + CASE "status" WHEN 0 THEN 1 ELSE 0 END
                   WHERE "claimedBy" IS NOT NULL
                     AND "claimedBy" NOT IN (SELECT "id" FROM "claimants" WHERE "leaseUntil" > ?)
                   RETURNING "id", "takeovers", "status" IS NOT NULL AS "started""#,
                [now_ms.into()],
            )
            .await?;
        self.run(r#"DELETE FROM "claimants" WHERE "leaseUntil" <= ?"#, [now_ms.into()]).await?;
        let mut taken = Vec::new();
        for row in &rows {
            if row.get("started")? {
                taken.push(Takeover { id: ExecutionId(row.get("id")?), times: row.get("takeovers")? });
            }
        }
        taken.sort_unstable_by_key(|takeover| takeover.id);
        Ok(taken)
    }

    /// Ends a process's lease and gives its claims to whoever comes first.
    ///
    /// # Errors
    ///
    /// Database errors.
    pub async fn hand_back_all(&mut self, by: &ClaimedBy) -> Result<u64, StoreError> {
        self.run(r#"DELETE FROM "claimants" WHERE "id" = ?"#, [by.0.as_str().into()]).await?;
        self.run(
            r#"UPDATE "executions" SET "claimedBy" = NULL, "ready" = CASE "status" WHEN 0 THEN 1 END
               WHERE "claimedBy" = ?"#,
            [by.0.as_str().into()],
        )
        .await
    }

    /// Gives up the claim of a started execution that `by` does not run any more, for anybody to go on with. Answers how
    /// often it has been taken over or broken; `None` if `by` does not hold it.
    ///
    /// # Errors
    ///
    /// Database errors.
    pub async fn hand_back(
        &mut self,
        id: ExecutionId,
        by: &ClaimedBy,
        why: HandBack,
    ) -> Result<Option<Takeover>, StoreError> {
        let now = self.moment();
        let rows = self
            .query(
                r#"UPDATE "executions" SET "claimedBy" = NULL, "ready" = 1, "takeovers" = "takeovers" + ?, "updatedAt" = ?
                   WHERE "id" = ? AND "status" = 0 AND "claimedBy" = ? RETURNING "takeovers""#,
                [(why == HandBack::Broken).into(), now.into(), id.0.into(), by.0.as_str().into()],
            )
            .await?;
        rows.first().map(|row| Ok(Takeover { id, times: row.get("takeovers")? })).transpose()
    }
}
