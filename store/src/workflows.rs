//! Workflow and node rows. Wire reads go through [`crate::Conn::find`] on the built-in collections `workflows` and
//! `flow_nodes`; what the engine and the host need typed is here.
//!
//! A workflow is a key with versions. A version that has been executed is frozen: its configuration and its nodes stay as
//! they were, so that what happened can be read later. Nothing here knows trigger or node types.

mod nodes;

use std::collections::HashMap;

use serde_json::{Value, json};

use crate::{
    Record,
    db::{Conn, Row, Tx, each, listed_texts},
    error::StoreError,
    hosts::HostChange,
    id::{UserId, WorkflowId},
};

pub use nodes::{NewNode, NodeRow};

/// One version of a workflow.
#[derive(Debug, Clone, PartialEq)]
pub struct WorkflowRow {
    /// This version.
    pub id: WorkflowId,
    /// Shared by all versions: 11 characters `a-z0-9`.
    pub key: String,
    /// What people see.
    pub title: Option<String>,
    /// The trigger type.
    pub trigger_type: String,
    /// The trigger's configuration.
    pub config: Value,
    /// What of it nobody reads but the trigger, by the names of its fields.
    pub secrets: Value,
    /// `{timeout, stackLimit, deleteExecutionOnStatus}`.
    pub options: Value,
    /// Switched on; at most one version of a key is.
    pub enabled: bool,
    /// The version that is shown; at most one of a key.
    pub current: bool,
    /// Runs before the answer; fixed when made.
    pub sync: bool,
    /// Executions of this version so far; above 0 the version is frozen.
    pub executed: i64,
    /// Since when it is enabled with its configuration, in milliseconds since 1970; of no meaning while it is not.
    pub enabled_since_ms: i64,
}

/// What a revision makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Revision {
    /// The next version under the same key, disabled.
    NextVersion,
    /// A workflow of its own under a new key.
    Copy,
}

macro_rules! select_workflows {
    ($condition:literal) => {
        concat!(
            r#"SELECT "id", "key", "title", "type", "config", "secrets", "options", "enabled", "current", "sync", "executed",
                 coalesce("enabledSince", 0) AS "enabledSince" FROM "workflows" WHERE "#,
            $condition
        )
    };
}

macro_rules! with_keys {
    ($database:ident) => {
        concat!(
            select_workflows!(r#""key" IN "#),
            listed_texts!($database),
            r#" ORDER BY "enabled", coalesce("current", 0), "id""#
        )
    };
}

macro_rules! enabled_of_types {
    ($database:ident) => {
        concat!(select_workflows!(r#""enabled" = 1 AND "type" IN "#), listed_texts!($database), r#" ORDER BY "id""#)
    };
}

impl WorkflowRow {
    fn read(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            id: WorkflowId(row.get("id")?),
            key: row.get("key")?,
            title: row.get("title")?,
            trigger_type: row.get("type")?,
            config: row.json("config")?,
            secrets: row.json("secrets")?,
            options: row.json("options")?,
            enabled: row.get("enabled")?,
            current: row.get::<Option<bool>>("current")?.unwrap_or(false),
            sync: row.get("sync")?,
            executed: row.get("executed")?,
            enabled_since_ms: row.get("enabledSince")?,
        })
    }

    /// What other hosts are told when it was changed.
    fn as_changed(&self) -> HostChange {
        HostChange::Workflow { id: self.id, trigger_type: self.trigger_type.clone() }
    }
}

impl Conn {
    /// Reads one version.
    ///
    /// # Errors
    ///
    /// Database errors.
    pub async fn workflow(&mut self, id: WorkflowId) -> Result<Option<WorkflowRow>, StoreError> {
        let rows = self.query(select_workflows!(r#""id" = ?"#), [id.0.into()]).await?;
        rows.first().map(WorkflowRow::read).transpose()
    }

    /// Reads the enabled version of a workflow.
    ///
    /// # Errors
    ///
    /// Database errors.
    pub async fn enabled_workflow(&mut self, key: &str) -> Result<Option<WorkflowRow>, StoreError> {
        let rows = self.query(select_workflows!(r#""enabled" = 1 AND "key" = ?"#), [key.into()]).await?;
        rows.first().map(WorkflowRow::read).transpose()
    }

    /// Reads every enabled version.
    ///
    /// # Errors
    ///
    /// Database errors.
    pub async fn enabled_workflows(&mut self) -> Result<Vec<WorkflowRow>, StoreError> {
        let rows = self.query(select_workflows!(r#""enabled" = 1 ORDER BY "id""#), []).await?;
        rows.iter().map(WorkflowRow::read).collect()
    }

    /// Reads every enabled version of these trigger types.
    ///
    /// # Errors
    ///
    /// Database errors.
    pub async fn enabled_workflows_of(&mut self, types: &[&str]) -> Result<Vec<WorkflowRow>, StoreError> {
        let types = Value::from(types).to_string();
        let rows = self.query(each!(enabled_of_types), [types.into()]).await?;
        rows.iter().map(WorkflowRow::read).collect()
    }

    /// Reads the versions that count, by key: the enabled one of a workflow, or else the current one. Keys that no workflow has
    /// are passed over.
    ///
    /// # Errors
    ///
    /// Database errors.
    pub async fn workflows_by_key(&mut self, keys: &[&str]) -> Result<HashMap<String, WorkflowRow>, StoreError> {
        let rows = self.query(each!(with_keys), [Value::from(keys).to_string().into()]).await?;
        // A later version takes the place of those before it.
        rows.iter().map(|row| WorkflowRow::read(row).map(|workflow| (workflow.key.clone(), workflow))).collect()
    }

    async fn workflow_versions(&mut self, key: &str) -> Result<Vec<WorkflowRow>, StoreError> {
        let rows = self.query_held(select_workflows!(r#""key" = ? ORDER BY "id""#), [key.into()]).await?;
        rows.iter().map(WorkflowRow::read).collect()
    }

    /// Reads a version that is there, and that nobody else changes before the transaction ends.
    async fn held_workflow(&mut self, id: WorkflowId) -> Result<WorkflowRow, StoreError> {
        let rows = self.query_held(select_workflows!(r#""id" = ?"#), [id.0.into()]).await?;
        rows.first().map(WorkflowRow::read).transpose()?.ok_or_else(|| StoreError::NotFound { what: "workflow".into() })
    }

    async fn present_workflow(&mut self, id: WorkflowId) -> Result<WorkflowRow, StoreError> {
        self.workflow(id).await?.ok_or_else(|| StoreError::NotFound { what: "workflow".into() })
    }
}

impl Tx {
    /// Stores a new workflow, with a new key, and answers it. The first version of a key is current. Takes `title, type,
    /// description, triggerTitle, enabled, sync, config, secrets, options`; other members are passed over.
    ///
    /// # Errors
    ///
    /// [`StoreError::Invalid`] if there is no type, or a value has the wrong type.
    pub async fn create_workflow(&mut self, values: Record, author: Option<UserId>) -> Result<WorkflowRow, StoreError> {
        let trigger_type = text(&values, "type")?
            .filter(|name| !name.is_empty())
            .ok_or_else(|| StoreError::invalid("INVALID_VALUE", "Trigger type is required"))?;
        let mut options = json!({"timeout": 0});
        if let (Some(given), Some(options)) = (object(&values, "options")?, options.as_object_mut()) {
            options.extend(given.clone());
        }
        let config = object(&values, "config")?.cloned().unwrap_or_default();
        let (id, now) = (WorkflowId(self.next_id().await?), self.moment());
        let enabled_since_ms = self.clock_ms();
        self.run(
            r#"INSERT INTO "workflows" ("id", "key", "title", "description", "type", "triggerTitle", "config", "secrets",
                 "options", "enabled", "current", "sync", "createdAt", "updatedAt", "createdById", "updatedById",
                 "enabledSince")
               VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 1, ?, ?, ?, ?, ?, ?)"#,
            [
                id.0.into(),
                new_key().into(),
                text(&values, "title")?.into(),
                text(&values, "description")?.into(),
                trigger_type.into(),
                text(&values, "triggerTitle")?.into(),
                Value::Object(config).to_string().into(),
                Value::Object(object(&values, "secrets")?.cloned().unwrap_or_default()).to_string().into(),
                options.to_string().into(),
                truth(&values, "enabled")?.unwrap_or(false).into(),
                truth(&values, "sync")?.unwrap_or(false).into(),
                now.as_str().into(),
                now.as_str().into(),
                author.map(|user| user.0).into(),
                author.map(|user| user.0).into(),
                enabled_since_ms.into(),
            ],
        )
        .await?;
        let made = self.present_workflow(id).await?;
        self.tell_hosts(made.as_changed());
        Ok(made)
    }

    /// Changes `title, description, triggerTitle, enabled, config, secrets, options, current`; other members are passed over.
    /// Enabling a version makes it current and disables the other versions of its key. A changed `config` of an executed
    /// version is [`StoreError::Invalid`] (`WORKFLOW_FROZEN`). Answers the versions whose `enabled` or `config` changed, for
    /// the triggers.
    ///
    /// # Errors
    ///
    /// [`StoreError::Invalid`], [`StoreError::NotFound`].
    pub async fn update_workflow(
        &mut self,
        id: WorkflowId,
        values: Record,
        author: Option<UserId>,
    ) -> Result<Vec<WorkflowRow>, StoreError> {
        // All versions, because enabling one disables the others.
        let before = self.present_workflow(id).await?;
        self.workflow_versions(&before.key).await?;
        let before = self.present_workflow(id).await?;
        let config =
            object(&values, "config")?.map_or_else(|| before.config.clone(), |given| Value::Object(given.clone()));
        let secrets =
            object(&values, "secrets")?.map_or_else(|| before.secrets.clone(), |given| Value::Object(given.clone()));
        let reconfigured = config != before.config || secrets != before.secrets;
        if reconfigured && before.executed > 0 {
            return Err(frozen("The configuration of an executed workflow could not be changed"));
        }
        let options =
            object(&values, "options")?.map_or_else(|| before.options.clone(), |given| Value::Object(given.clone()));
        let enabled = truth(&values, "enabled")?.unwrap_or(before.enabled);
        let current = before.current || enabled || truth(&values, "current")?.unwrap_or(false);

        let versions = if enabled || current { self.workflow_versions(&before.key).await? } else { Vec::new() };
        let begins = enabled && (!before.enabled || reconfigured);
        let enabled_since_ms = if begins { self.clock_ms() } else { before.enabled_since_ms };
        let (now, mut changed) = (self.moment(), Vec::new());
        for version in versions.into_iter().filter(|version| version.id != id) {
            let (loses_enabled, loses_current) = (enabled && version.enabled, current && version.current);
            if loses_enabled || loses_current {
                self.run(
                    r#"UPDATE "workflows" SET "enabled" = ?, "current" = ?, "updatedAt" = ? WHERE "id" = ?"#,
                    [
                        (version.enabled && !loses_enabled).into(),
                        (version.current && !loses_current).then_some(true).into(),
                        now.as_str().into(),
                        version.id.0.into(),
                    ],
                )
                .await?;
            }
            if loses_enabled {
                changed.push(WorkflowRow { enabled: false, current: version.current && !loses_current, ..version });
            }
        }
        self.run(
            r#"UPDATE "workflows" SET "enabled" = ?, "current" = ?, "config" = ?, "secrets" = ?, "options" = ?,
                 "title" = CASE WHEN ? = 1 THEN ? ELSE "title" END,
                 "description" = CASE WHEN ? = 1 THEN ? ELSE "description" END,
                 "triggerTitle" = CASE WHEN ? = 1 THEN ? ELSE "triggerTitle" END, "enabledSince" = ?,
                 "updatedAt" = ?, "updatedById" = coalesce(?, "updatedById")
               WHERE "id" = ?"#,
            [
                enabled.into(),
                current.then_some(true).into(),
                config.to_string().into(),
                secrets.to_string().into(),
                options.to_string().into(),
                values.contains_key("title").into(),
                text(&values, "title")?.into(),
                values.contains_key("description").into(),
                text(&values, "description")?.into(),
                values.contains_key("triggerTitle").into(),
                text(&values, "triggerTitle")?.into(),
                enabled_since_ms.into(),
                now.into(),
                author.map(|user| user.0).into(),
                id.0.into(),
            ],
        )
        .await?;
        let after = self.present_workflow(id).await?;
        if after.enabled != before.enabled || reconfigured {
            changed.push(after);
        }
        changed.iter().for_each(|version| self.tell_hosts(version.as_changed()));
        Ok(changed)
    }

    /// Makes the next version under the same key, or, with [`Revision::Copy`], a copy under a new one. Nodes are copied
    /// with their keys, so that variables keep their meaning.
    ///
    /// # Errors
    ///
    /// [`StoreError::NotFound`].
    pub async fn revise_workflow(&mut self, id: WorkflowId, kind: Revision) -> Result<WorkflowRow, StoreError> {
        let origin = self.present_workflow(id).await?;
        let (new, now) = (WorkflowId(self.next_id().await?), self.moment());
        let (key, title, current, all_executed) = match kind {
            Revision::NextVersion => (origin.key.clone(), origin.title, None, true),
            Revision::Copy => (new_key(), origin.title.map(|title| format!("{title} copy")), Some(true), false),
        };
        self.run(
            r#"INSERT INTO "workflows" ("id", "key", "title", "description", "type", "triggerTitle", "config", "secrets",
                 "options", "enabled", "current", "sync", "allExecuted", "createdAt", "updatedAt")
               SELECT ?, ?, ?, "description", "type", "triggerTitle", "config", "secrets", "options", 0, ?, "sync",
                 CASE WHEN ? = 1 THEN "allExecuted" ELSE 0 END, ?, ?
               FROM "workflows" WHERE "id" = ?"#,
            [
                new.0.into(),
                key.into(),
                title.into(),
                current.into(),
                all_executed.into(),
                now.as_str().into(),
                now.as_str().into(),
                id.0.into(),
            ],
        )
        .await?;
        self.copy_nodes(id, new).await?;
        self.present_workflow(new).await
    }

    /// Deletes a version with its nodes and executions, of a long history the larger part later; the current version of a key takes all versions with it. Answers
    /// what is gone.
    ///
    /// # Errors
    ///
    /// [`StoreError::NotFound`].
    pub async fn destroy_workflow(&mut self, id: WorkflowId) -> Result<Vec<WorkflowRow>, StoreError> {
        let workflow = self.present_workflow(id).await?;
        let gone = if workflow.current { self.workflow_versions(&workflow.key).await? } else { vec![workflow] };
        for version in &gone {
            // A chain loses what waits in it, as if the execution had failed.
            let rows = self
                .query(
                    r#"SELECT DISTINCT "waitsFor" AS "id" FROM "executions"
                       WHERE "waitsFor" IN (SELECT "id" FROM "executions"
                                            WHERE "workflowId" = ? AND ("status" IS NULL OR "status" = 0))"#,
                    [version.id.0.into()],
                )
                .await?;
            for row in &rows {
                self.drop_chain(crate::id::ExecutionId(row.get("id")?)).await?;
            }
            self.leave_behind(version.id).await?;
            self.run(r#"DELETE FROM "workflows" WHERE "id" = ?"#, [version.id.0.into()]).await?;
            self.tell_hosts(version.as_changed());
        }
        Ok(gone)
    }
}

/// Characters of a key: with 36 to choose from, keys can be drawn blindly.
const KEY_CHARS: usize = 11;
const KEY_ALPHABET: &[u8; 36] = b"abcdefghijklmnopqrstuvwxyz0123456789";

pub(crate) fn new_key() -> String {
    (0..KEY_CHARS).map(|_| char::from(KEY_ALPHABET[rand::random_range(0..KEY_ALPHABET.len())])).collect()
}

fn frozen(message: &str) -> StoreError {
    StoreError::invalid("WORKFLOW_FROZEN", message)
}

fn text(values: &Record, name: &str) -> Result<Option<String>, StoreError> {
    match values.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(_) => Err(must_be(name, "a string")),
    }
}

fn truth(values: &Record, name: &str) -> Result<Option<bool>, StoreError> {
    match values.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Bool(truth)) => Ok(Some(*truth)),
        Some(_) => Err(must_be(name, "a boolean")),
    }
}

fn object<'v>(values: &'v Record, name: &str) -> Result<Option<&'v Record>, StoreError> {
    match values.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Object(object)) => Ok(Some(object)),
        Some(_) => Err(must_be(name, "an object")),
    }
}

fn must_be(name: &str, what: &str) -> StoreError {
    StoreError::invalid("INVALID_VALUE", format!("\"{name}\" must be {what}"))
}
