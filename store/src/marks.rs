//! How far the workflows have come that start by the clock: a mark for each, or for each record that one waits with.
//!
//! A mark is advanced in the transaction that stores the executions, and only by whoever read it last: a moment starts once, however
//! many processes work on the database, and whatever happens to them. What is due is not known here.

use sea_query::{Cond, Expr, ExprTrait as _, InsertStatement, OnConflict, Query};
use serde_json::{Value, json};

use crate::{
    db::{Conn, Row, Tx, each, listed, listed_texts},
    error::StoreError,
    id::WorkflowId,
    schema::{Collection, FieldType},
};

/// An enabled workflow version that starts by the clock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkflowClock {
    /// The version.
    pub workflow_id: WorkflowId,
    /// Since when it is enabled with its configuration, in milliseconds since 1970.
    pub enabled_since_ms: i64,
    /// The collection whose records it waits with; `None` if it waits by itself.
    pub collection: Option<String>,
    /// The fields that decide when a record is due.
    pub fields: Vec<String>,
}

/// How far a workflow, or one record of it, has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    /// The workflow version.
    pub workflow_id: WorkflowId,
    /// The record's key as text; empty for a workflow that watches no collection.
    pub record_key: String,
    /// Until when everything is settled, in milliseconds since 1970.
    pub settled_until_ms: i64,
    /// How many executions were started.
    pub runs: u64,
}

macro_rules! next_mark {
    ($database:ident) => {
        concat!(
            r#"SELECT min("nextAt") AS "next" FROM "workflowMarks" WHERE "nextAt" IS NOT NULL AND "workflowId" NOT IN "#,
            listed!($database)
        )
    };
}

macro_rules! due_marks {
    ($database:ident) => {
        concat!(
            r#"SELECT "workflowId", "recordKey", "settledUntil", "runs" FROM "workflowMarks"
               WHERE "nextAt" <= ? AND "workflowId" NOT IN "#,
            listed!($database),
            r#" ORDER BY "nextAt", "workflowId" LIMIT ?"#
        )
    };
}

macro_rules! set_marks {
    ($database:ident) => {
        concat!(
            r#"INSERT INTO "workflowMarks" ("workflowId", "recordKey", "settledUntil", "nextAt")
               SELECT "workflows"."id", "key"."value", ?, ? FROM "#,
            set_marks!(@keys $database),
            r#" JOIN "workflows" ON "workflows"."id" = ? WHERE TRUE"#,
            set_marks!(@order $database),
            r#" ON CONFLICT ("workflowId", "recordKey") DO UPDATE SET
                 "settledUntil" = CASE WHEN "workflowMarks"."settledUntil" > "excluded"."settledUntil"
                                       THEN "workflowMarks"."settledUntil" ELSE "excluded"."settledUntil" END,
                 "nextAt" = "excluded"."nextAt""#
        )
    };
    (@keys sqlite) => {
        r#"json_each(?) AS "key""#
    };
    (@keys postgres) => {
        r#"json_array_elements_text(?::json) AS "key" ("value")"#
    };
    // There is one writer.
    (@order sqlite) => {
        ""
    };
    (@order postgres) => {
        r#" ORDER BY "key"."value" COLLATE "C""#
    };
}

macro_rules! remove_marks {
    ($database:ident) => {
        concat!(r#"DELETE FROM "workflowMarks" WHERE "workflowId" = ? AND "recordKey" IN "#, listed_texts!($database))
    };
}

const HOLD_MARKS: &str = r#"SELECT 1 AS "one" FROM "workflowMarks"
    JOIN json_array_elements(?::json) AS "mark" ON "workflowId" = ("mark"->>0)::bigint AND "recordKey" = "mark"->>1
    ORDER BY "workflowId", "recordKey" COLLATE "C" FOR UPDATE OF "workflowMarks""#;

impl Mark {
    fn read(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            workflow_id: WorkflowId(row.get("workflowId")?),
            record_key: row.get("recordKey")?,
            settled_until_ms: row.get("settledUntil")?,
            runs: row.get::<i64>("runs")?.unsigned_abs(),
        })
    }
}

/// Says whether the records of a collection can have marks: each has one key that is a number or a text.
pub fn can_be_marked(collection: &Collection) -> bool {
    key_column(collection).is_some()
}

/// A key as marks have it; `None` if the record has none.
pub fn mark_key(collection: &Collection, record: &crate::Record) -> Option<String> {
    match record.get(key_column(collection)?)? {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        key => Some(key.to_string()),
    }
}

fn key_column(collection: &Collection) -> Option<&str> {
    let [column] = collection.key.as_slice() else { return None };
    let field_type = &collection.field(column).ok()?.field_type;
    let is_plain = matches!(
        field_type,
        FieldType::Integer | FieldType::BigInt | FieldType::String { .. } | FieldType::Text | FieldType::Uuid
    );
    is_plain.then_some(column)
}

impl Conn {
    /// The clocks as they were told of last, also those of versions that have been switched since.
    ///
    /// # Errors
    ///
    /// Database errors.
    pub async fn workflow_clocks(&mut self) -> Result<Vec<WorkflowClock>, StoreError> {
        let rows = self.query(r#"SELECT * FROM "workflowClocks" ORDER BY "workflowId""#, []).await?;
        let clock = |row: &Row| -> Result<WorkflowClock, StoreError> {
            let fields = row.json("fields")?;
            let fields = fields.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned);
            Ok(WorkflowClock {
                workflow_id: WorkflowId(row.get("workflowId")?),
                enabled_since_ms: row.get("enabledSince")?,
                collection: row.get("collection")?,
                fields: fields.collect(),
            })
        };
        rows.iter().map(clock).collect()
    }

    /// When the next mark is to be asked about, in milliseconds since 1970; those of the workflows in `but` are passed over.
    ///
    /// # Errors
    ///
    /// Database errors.
    pub async fn next_mark_at(&mut self, but: &[WorkflowId]) -> Result<Option<i64>, StoreError> {
        let rows = self.query(each!(next_mark), [ids(but).into()]).await?;
        rows.first().map_or(Ok(None), |row| row.get("next"))
    }

    /// The marks that are to be asked about by now, at most `limit`, the longest overdue first; those of the workflows in `but` are
    /// passed over.
    ///
    /// # Errors
    ///
    /// Database errors.
    pub async fn due_marks(&mut self, now_ms: i64, but: &[WorkflowId], limit: u32) -> Result<Vec<Mark>, StoreError> {
        let rows = self.query(each!(due_marks), [now_ms.into(), ids(but).into(), i64::from(limit).into()]).await?;
        rows.iter().map(Mark::read).collect()
    }
}

impl Tx {
    /// Begins to keep the time for a version: notes it, and marks it, or each record that it waits with, to be asked about at once.
    /// What was started before is still counted.
    ///
    /// # Errors
    ///
    /// [`StoreError::Invalid`] if the collection or a field is not there, or its records cannot be marked; database errors.
    pub async fn begin_clock(&mut self, clock: &WorkflowClock) -> Result<(), StoreError> {
        let WorkflowClock { workflow_id, enabled_since_ms, collection, fields } = clock;
        let names: Value = fields.iter().map(String::as_str).collect();
        self.run(
            r#"INSERT INTO "workflowClocks" ("workflowId", "enabledSince", "collection", "fields") VALUES (?, ?, ?, ?)
               ON CONFLICT ("workflowId") DO UPDATE SET "enabledSince" = "excluded"."enabledSince",
                 "collection" = "excluded"."collection", "fields" = "excluded"."fields""#,
            [workflow_id.0.into(), (*enabled_since_ms).into(), collection.clone().into(), names.to_string().into()],
        )
        .await?;
        let Some(name) = collection else {
            return self.mark(*workflow_id, &[String::new()], *enabled_since_ms).await;
        };
        let collection = self.schema().collection(name)?.clone();
        let Some(key) = key_column(&collection) else {
            return Err(StoreError::invalid("NO_KEY", format!("collection {name} has no single key")));
        };
        let key = key.to_owned();
        // Marks of records that are gone, or have no dates any more, have nothing to say.
        self.rest_marks(*workflow_id).await?;
        for field in fields {
            collection.readable_scalar(field)?;
        }
        self.execute(&marks_of_all(&collection.name, &key, clock)).await.map(drop)
    }

    /// Stops to keep the time for a version. How far it has come stays known.
    ///
    /// # Errors
    ///
    /// Database errors.
    pub async fn end_clock(&mut self, workflow: WorkflowId) -> Result<(), StoreError> {
        self.run(r#"DELETE FROM "workflowClocks" WHERE "workflowId" = ?"#, [workflow.0.into()]).await?;
        self.rest_marks(workflow).await
    }

    async fn rest_marks(&mut self, workflow: WorkflowId) -> Result<(), StoreError> {
        self.run(
            r#"UPDATE "workflowMarks" SET "nextAt" = NULL WHERE "workflowId" = ? AND "nextAt" IS NOT NULL"#,
            [workflow.0.into()],
        )
        .await
        .map(drop)
    }

    /// Sees to it that nobody else changes these marks before the transaction ends. Whoever changes several takes them in the order of
    /// their keys, so that transactions do not wait for each other in circles.
    ///
    /// # Errors
    ///
    /// Database errors.
    pub async fn hold_marks<'k>(
        &mut self,
        marks: impl IntoIterator<Item = (WorkflowId, &'k str)> + Send,
    ) -> Result<(), StoreError> {
        let marks: Vec<Value> = marks.into_iter().map(|(workflow, key)| json!([workflow.0, key])).collect();
        if !self.has_rivals() || marks.len() < 2 {
            return Ok(());
        }
        self.query(HOLD_MARKS, [Value::from(marks).to_string().into()]).await.map(drop)
    }

    /// Marks records to be asked about at once; everything until `settled_ms` counts as settled. A workflow that is gone has no marks.
    ///
    /// # Errors
    ///
    /// Database errors.
    pub async fn mark(&mut self, workflow: WorkflowId, keys: &[String], settled_ms: i64) -> Result<(), StoreError> {
        self.run(
            each!(set_marks),
            [settled_ms.into(), settled_ms.into(), Value::from(keys).to_string().into(), workflow.0.into()],
        )
        .await
        .map(drop)
    }

    /// Forgets the marks of records.
    ///
    /// # Errors
    ///
    /// Database errors.
    pub async fn unmark(&mut self, workflow: WorkflowId, keys: &[String]) -> Result<(), StoreError> {
        self.hold_marks(keys.iter().map(|key| (workflow, key.as_str()))).await?;
        self.run(each!(remove_marks), [workflow.0.into(), Value::from(keys).to_string().into()]).await.map(drop)
    }

    /// Settles everything until `now_ms`, with so many executions started, and says when to ask again. Answers whether the mark was
    /// still as it was read: if not, somebody else has settled it, and nothing of it may be started.
    ///
    /// # Errors
    ///
    /// Database errors.
    pub async fn advance_mark(
        &mut self,
        mark: &Mark,
        now_ms: i64,
        started: usize,
        next_ms: Option<i64>,
    ) -> Result<bool, StoreError> {
        let runs = |runs: u64| i64::try_from(runs).unwrap_or(i64::MAX);
        let changed = self
            .run(
                r#"UPDATE "workflowMarks" SET "settledUntil" = ?, "runs" = ?, "nextAt" = ?
                   WHERE "workflowId" = ? AND "recordKey" = ? AND "settledUntil" = ? AND "runs" = ?"#,
                [
                    Ord::max(now_ms, mark.settled_until_ms).into(),
                    runs(mark.runs.saturating_add(started as u64)).into(),
                    next_ms.into(),
                    mark.workflow_id.0.into(),
                    mark.record_key.as_str().into(),
                    mark.settled_until_ms.into(),
                    runs(mark.runs).into(),
                ],
            )
            .await?;
        Ok(changed == 1)
    }
}

/// Marks every record of a collection that has one of the dates; what is settled of those that have marks already stays settled.
fn marks_of_all(collection: &str, key: &str, clock: &WorkflowClock) -> InsertStatement {
    let dated = clock.fields.iter().fold(Cond::any(), |any, field| any.add(Expr::col(field.clone()).is_not_null()));
    let mut records = Query::select();
    records
        .expr(Expr::val(clock.workflow_id.0))
        .expr(Expr::col(key.to_owned()).cast_as("text"))
        .expr(Expr::val(clock.enabled_since_ms))
        .expr(Expr::val(clock.enabled_since_ms))
        .from(collection.to_owned())
        .cond_where(dated);
    let mut insert = Query::insert();
    insert
        .into_table("workflowMarks")
        .columns(["workflowId", "recordKey", "settledUntil", "nextAt"])
        .on_conflict(OnConflict::columns(["workflowId", "recordKey"]).update_column("nextAt").to_owned());
    // As many expressions as columns.
    let _ = insert.select_from(records);
    insert
}

fn ids(workflows: &[WorkflowId]) -> String {
    workflows.iter().map(|id| id.0).collect::<Value>().to_string()
}
