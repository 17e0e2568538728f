//! Concurrency keys: which executions of a workflow keep their order.
//!
//! An execution takes its key from its context when it is stored. As many of a key as may run at once are in the queue; the
//! others are held back, and each that ends lets the oldest of them into the queue. So a claim never looks at what cannot be
//! claimed.

use serde_json::Value;

use super::NewExecution;
use crate::{
    db::{Tx, each},
    error::StoreError,
    id::{ExecutionId, WorkflowId},
};

/// The members below the context that a concurrency key names: `data`, `id` for `{{$context.data.id}}`. `None` if it names
/// nothing in a context.
pub fn context_members(key: &str) -> Option<Vec<&str>> {
    let path = key.trim().strip_prefix("{{").map_or(Some(key.trim()), |inner| inner.strip_suffix("}}"))?;
    let members: Vec<&str> = path.trim().strip_prefix("$context.")?.split('.').collect();
    let plain = |member: &&str| !member.is_empty() && !member.contains(['{', '}', '"', '\'', ' ', '$']);
    members.iter().all(plain).then_some(members)
}

/// The keys of new executions. `keyed`: workflow versions and the variables that their keys come from.
pub(super) fn concurrency_keys(
    ids: &[ExecutionId],
    executions: &[NewExecution],
    keyed: &[(WorkflowId, String)],
) -> Vec<(ExecutionId, String)> {
    let mut keys = Vec::new();
    for (workflow, variable) in keyed {
        let Some(members) = context_members(variable) else { continue };
        let of_workflow = ids.iter().zip(executions).filter(|(_, execution)| execution.workflow_id == *workflow);
        keys.extend(of_workflow.map(|(id, execution)| (*id, key_in(&execution.context, &members))));
    }
    keys
}

/// What a context has at the end of a path, as text.
fn key_in(context: &Value, members: &[&str]) -> String {
    let found = members.iter().try_fold(context, |value, member| match value {
        Value::Array(items) => items.get(member.parse::<usize>().ok()?),
        other => other.get(member),
    });
    match found {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.replace('\0', ""),
        Some(Value::Bool(truth)) => i32::from(*truth).to_string(),
        Some(other) => other.to_string(),
    }
}

/// What runs, or may run, of a key; bound are the workflow and the key, twice.
macro_rules! busy {
    () => {
        r#"(SELECT count(*) FROM "executions" AS "busy" WHERE "busy"."workflowId" = ? AND "busy"."concurrencyKey" = ?
              AND "busy"."concurrencyKey" IS NOT NULL AND "busy"."status" = 0
              AND ("busy"."claimedBy" IS NOT NULL OR "busy"."ready" = 1))
         + (SELECT count(*) FROM "executions" AS "next" WHERE "next"."workflowId" = ? AND "next"."concurrencyKey" = ?
              AND "next"."concurrencyKey" IS NOT NULL AND "next"."status" IS NULL AND "next"."heldBack" IS NULL
              AND "next"."notBefore" IS NULL)"#
    };
}

/// How many of a key may run at once.
macro_rules! most {
    (sqlite) => {
        r#"coalesce((SELECT json_extract("options", '$.concurrency') FROM "workflows" WHERE "workflows"."id" = ?), 1)"#
    };
    (postgres) => {
        r#"coalesce((SELECT ("options"::json ->> 'concurrency')::bigint FROM "workflows" WHERE "workflows"."id" = ?), 1)"#
    };
}

macro_rules! hold_back {
    ($database:ident) => {
        concat!(
            r#"UPDATE "executions" SET "heldBack" = 1
               WHERE "id" = ? AND "status" IS NULL AND ("#,
            busy!(),
            " - 1 >= ",
            most!($database),
            r#" OR EXISTS (SELECT 1 FROM "executions" AS "held" WHERE "held"."workflowId" = ?
                             AND "held"."concurrencyKey" = ? AND "held"."heldBack" = 1))"#
        )
    };
}

macro_rules! let_next {
    ($database:ident) => {
        concat!(
            r#"UPDATE "executions" SET "heldBack" = NULL
               WHERE "id" = (SELECT "id" FROM "executions" WHERE "workflowId" = ? AND "concurrencyKey" = ?
                               AND "heldBack" = 1 ORDER BY "id" LIMIT 1)
                 AND "#,
            busy!(),
            " < ",
            most!($database)
        )
    };
}

impl Tx {
    /// Gives new executions their keys, and holds back those that have to wait.
    pub(super) async fn take_keys(&mut self, keys: &[(ExecutionId, String)]) -> Result<(), StoreError> {
        for (id, key) in keys {
            self.run(
                r#"UPDATE "executions" SET "concurrencyKey" = ? WHERE "id" = ?"#,
                [key.as_str().into(), id.0.into()],
            )
            .await?;
            self.hold_back(*id).await?;
        }
        Ok(())
    }

    /// Lets nobody else store executions of a workflow, or let some into its queue, before the transaction ends.
    pub(super) async fn hold_workflow(&mut self, workflow: WorkflowId) -> Result<(), StoreError> {
        self.query_held(r#"SELECT "id" FROM "workflows" WHERE "id" = ?"#, [workflow.0.into()]).await.map(drop)
    }

    /// Holds a queued execution back if as many of its key as may run at once are before it.
    pub(super) async fn hold_back(&mut self, id: ExecutionId) -> Result<(), StoreError> {
        let rows = self
            .query(r#"SELECT "workflowId", "concurrencyKey" FROM "executions" WHERE "id" = ?"#, [id.0.into()])
            .await?;
        let Some(row) = rows.first() else { return Ok(()) };
        let workflow: i64 = row.get("workflowId")?;
        let Some(key) = row.get::<Option<String>>("concurrencyKey")? else { return Ok(()) };
        self.hold_workflow(WorkflowId(workflow)).await?;
        // It is itself in the queue so far.
        self.run(
            each!(hold_back),
            [
                id.0.into(),
                workflow.into(),
                key.as_str().into(),
                workflow.into(),
                key.as_str().into(),
                workflow.into(),
                workflow.into(),
                key.as_str().into(),
            ],
        )
        .await
        .map(drop)
    }

    /// Lets the oldest execution of a key that is held back into the queue, if there is room. Says whether it has.
    pub(super) async fn let_next(&mut self, workflow: WorkflowId, key: &str) -> Result<bool, StoreError> {
        self.hold_workflow(workflow).await?;
        let workflow = workflow.0;
        let let_in = self
            .run(
                each!(let_next),
                [
                    workflow.into(),
                    key.into(),
                    workflow.into(),
                    key.into(),
                    workflow.into(),
                    key.into(),
                    workflow.into(),
                ],
            )
            .await?;
        Ok(let_in > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::context_members;

    #[test]
    fn keys_name_members_of_the_context() {
        for (key, want) in [
            ("{{$context.data.id}}", Some(vec!["data", "id"])),
            ("$context.data.title", Some(vec!["data", "title"])),
            ("{{ $context.data.tags.0.name }}", Some(vec!["data", "tags", "0", "name"])),
            ("{{$context.data", None),
            ("{{$system.now}}", None),
            ("{{$context.a}} {{$context.b}}", None),
            ("$context.", None),
        ] {
            assert_eq!(context_members(key), want, "{key}");
        }
    }
}
