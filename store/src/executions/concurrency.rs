//! Concurrency keys: which executions of a workflow keep their order.
//!
//! An execution takes its key from its context when it is stored. As many of a key as may run at once are in the queue; the
//! others are held back, and each that ends lets the oldest of them into the queue. So a claim never looks at what cannot be
//! claimed.

use crate::{
    db::Tx,
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
    () => {
        r#"coalesce((SELECT json_extract("options", '$.concurrency') FROM "workflows" WHERE "workflows"."id" = ?), 1)"#
    };
}

impl Tx {
    /// Gives new executions their keys, and holds back those that have to wait. `keyed`: workflow versions and the variables
    /// that their keys come from.
    pub(super) async fn take_keys(
        &mut self,
        ids: &[ExecutionId],
        keyed: &[(WorkflowId, String)],
    ) -> Result<(), StoreError> {
        for (workflow, variable) in keyed {
            let Some(members) = context_members(variable) else { continue };
            let path: String = members
                .iter()
                .map(|member| match member.parse::<usize>() {
                    Ok(index) => format!("[{index}]"),
                    Err(_) => format!(".\"{member}\""),
                })
                .collect();
            for id in ids {
                let taken = self
                    .run(
                        r#"UPDATE "executions" SET "concurrencyKey" = coalesce(CAST(json_extract("context", ?) AS TEXT), '')
                           WHERE "id" = ? AND "workflowId" = ?"#,
                        [format!("${path}").into(), id.0.into(), workflow.0.into()],
                    )
                    .await?;
                if taken > 0 {
                    self.hold_back(*id).await?;
                }
            }
        }
        Ok(())
    }

    /// Holds a queued execution back if as many of its key as may run at once are before it.
    pub(super) async fn hold_back(&mut self, id: ExecutionId) -> Result<(), StoreError> {
        let rows = self
            .query(r#"SELECT "workflowId", "concurrencyKey" FROM "executions" WHERE "id" = ?"#, [id.0.into()])
            .await?;
        let Some(row) = rows.first() else { return Ok(()) };
        let workflow: i64 = row.get("workflowId")?;
        let Some(key) = row.get::<Option<String>>("concurrencyKey")? else { return Ok(()) };
        // It is itself in the queue so far.
        self.run(
            concat!(
                r#"UPDATE "executions" SET "heldBack" = 1
                   WHERE "id" = ? AND "status" IS NULL AND ("#,
                busy!(),
                " - 1 >= ",
                most!(),
                r#" OR EXISTS (SELECT 1 FROM "executions" AS "held" WHERE "held"."workflowId" = ?
                                 AND "held"."concurrencyKey" = ? AND "held"."heldBack" = 1))"#
            ),
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
        let workflow = workflow.0;
        let let_in = self
            .run(
                concat!(
                    r#"UPDATE "executions" SET "heldBack" = NULL
                       WHERE "id" = (SELECT "id" FROM "executions" WHERE "workflowId" = ? AND "concurrencyKey" = ?
                                       AND "heldBack" = 1 ORDER BY "id" LIMIT 1)
                         AND "#,
                    busy!(),
                    " < ",
                    most!()
                ),
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
