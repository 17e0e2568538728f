//! Workflow configurations and the plugins' knowledge of them.
//!
//! A configuration is checked against the trigger's JSON Schema, then by the trigger itself. [`TriggerSwitch`] keeps the
//! triggers in step with the store: after a commit it reads what the store says now and tells the trigger, one workflow
//! change at a time, so that the last commit wins. Plugins come, go and are replaced in between, in `take_over`.

pub(crate) mod secrets;
mod take_over;

use std::sync::Arc;

use jsonschema::error::{TypeKind, ValidationErrorKind};
use plugin_api::{CollectionRef, ErrorKind, ExecutionMode, PluginError, Workflow};
use serde_json::Value;
use store::{Store, StoreError, WorkflowId, WorkflowRow};
use tokio::sync::Mutex;

use crate::{
    clock::ClockKeeper,
    data_sources::Schemas,
    http::error::ApiError,
    pipeline::CollectionsView,
    plugins::{LoadedTrigger, PluginManager, Plugins},
};

/// Finds a trigger type.
///
/// # Errors
///
/// 400 if no plugin offers it.
pub(crate) fn trigger<'p>(plugins: &'p Plugins, type_id: &str) -> Result<&'p LoadedTrigger, ApiError> {
    plugins.trigger(type_id).ok_or_else(|| ApiError::Refused(format!("Trigger type \"{type_id}\" is not registered")))
}

/// The collection that a configuration watches: what its one field holds that the schema calls a collection.
pub(crate) fn watched(trigger: &LoadedTrigger, config: &Value) -> Option<CollectionRef> {
    let fields = trigger.config_schema().get("properties")?.as_object()?;
    let (name, _) =
        fields.iter().find(|(_, field)| field.get("x-selector").and_then(Value::as_str) == Some("collection"))?;
    config.get(name)?.as_str().map(CollectionRef::parse)
}

/// Whether a workflow is part of the transaction of what starts it: its nodes are only those that can be.
pub(crate) fn runs_within(plugins: &Plugins, workflow: &WorkflowRow) -> bool {
    workflow.sync && plugins.trigger(&workflow.trigger_type).is_some_and(LoadedTrigger::runs_within)
}

/// Checks a configuration.
///
/// # Errors
///
/// 400 with one sentence about the first thing that is wrong.
pub(crate) fn check_config(trigger: &LoadedTrigger, config: &Value, schemas: &Schemas) -> Result<(), ApiError> {
    if !config.is_object() {
        return Err(ApiError::Refused("\"config\" must be an object".to_owned()));
    }
    check_against(trigger.config_schema(), config)?;
    trigger.validate(config, &CollectionsView(schemas)).map_err(refusal)
}

/// What a plugin's error is to the caller.
pub(crate) fn refusal(error: PluginError) -> ApiError {
    match error.kind {
        ErrorKind::Invalid => ApiError::Refused(error.message),
        _ => ApiError::Internal(error.message),
    }
}

fn check_against(schema: &Value, config: &Value) -> Result<(), ApiError> {
    let validator = jsonschema::validator_for(schema)
        .map_err(|error| ApiError::Internal(format!("the trigger's schema is no JSON Schema: {error}")))?;
    let Some(error) = validator.iter_errors(config).next() else { return Ok(()) };
    let name = error.instance_path().to_string().trim_start_matches('/').replace('/', ".");
    let sentence = match error.kind() {
        ValidationErrorKind::Required { property } => {
            let property = property.as_str().unwrap_or_default();
            if name.is_empty() {
                format!("\"{property}\" is required")
            } else {
                format!("\"{name}.{property}\" is required")
            }
        }
        ValidationErrorKind::Type { kind: TypeKind::Single(kind) } => {
            let kind = kind.to_string();
            let article = if kind.starts_with(['a', 'i', 'o']) { "an" } else { "a" };
            format!("\"{name}\" must be {article} {kind}")
        }
        _ if name.is_empty() => error.to_string(),
        _ => format!("\"{name}\": {error}"),
    };
    Err(ApiError::Refused(sentence))
}

/// Tells triggers which workflows are enabled.
pub(crate) struct TriggerSwitch {
    store: Store,
    plugins: Arc<PluginManager>,
    /// Is told that something changed; it asks the store itself.
    clock: Arc<ClockKeeper>,
    /// Held while one change is passed on: the store is asked inside, so the order of the calls does not matter. The plugins are
    /// swapped inside, too.
    one_at_a_time: Mutex<()>,
    /// Held while the plugins are changed, from the loading on.
    one_change_of_plugins: Mutex<()>,
}

impl TriggerSwitch {
    pub(crate) fn new(store: Store, plugins: Arc<PluginManager>, clock: Arc<ClockKeeper>) -> Self {
        Self { store, plugins, clock, one_at_a_time: Mutex::new(()), one_change_of_plugins: Mutex::new(()) }
    }

    /// Tells the triggers of all enabled workflows, at start.
    pub(crate) async fn enable_all(&self) -> Result<(), StoreError> {
        let _turn = self.one_at_a_time.lock().await;
        let plugins = self.plugins.current();
        for row in self.store.read().await?.enabled_workflows().await? {
            tell(&plugins, &row);
            self.clock.expect(&plugins, &row);
        }
        Ok(())
    }

    /// Passes on what became of these versions: enabled, changed, disabled or gone.
    pub(crate) async fn follow(&self, changed: &[WorkflowRow]) -> Result<(), StoreError> {
        let changed: Vec<_> = changed.iter().map(|row| (row.id, row.trigger_type.clone())).collect();
        self.follow_versions(&changed).await
    }

    /// The same for versions with their trigger types.
    pub(crate) async fn follow_versions(&self, changed: &[(WorkflowId, String)]) -> Result<(), StoreError> {
        if changed.is_empty() {
            return Ok(());
        }
        let _turn = self.one_at_a_time.lock().await;
        let plugins = self.plugins.current();
        let mut conn = self.store.read().await?;
        // Off before on, so that a key is never known twice.
        let mut now_enabled = Vec::new();
        for (id, trigger_type) in changed {
            match conn.workflow(*id).await? {
                Some(now) if now.enabled => now_enabled.push(now),
                Some(_) | None => {
                    if let Some(trigger) = plugins.trigger(trigger_type) {
                        trigger.disable(plugin_api::WorkflowId(id.0));
                    }
                }
            }
        }
        for row in &now_enabled {
            tell(&plugins, row);
            self.clock.expect(&plugins, row);
        }
        self.clock.workflows_changed();
        Ok(())
    }
}

fn tell(plugins: &Plugins, row: &WorkflowRow) {
    let Some(trigger) = plugins.trigger(&row.trigger_type) else {
        tracing::warn!(workflow = %row.id, trigger = row.trigger_type, "enabled, but no plugin offers its trigger");
        return;
    };
    if let Err(error) = trigger.enable(&as_told(row)) {
        tracing::error!(workflow = %row.id, %error, "enabled, but its trigger does not take it");
    }
}

/// A workflow as its trigger is told of it.
fn as_told(row: &WorkflowRow) -> Workflow<Value> {
    Workflow {
        id: plugin_api::WorkflowId(row.id.0),
        key: row.key.clone(),
        mode: if row.sync { ExecutionMode::Sync } else { ExecutionMode::Async },
        config: secrets::told(row),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn sentences() {
        let schema = json!({
            "type": "object",
            "required": ["collection"],
            "properties": {
                "collection": {"type": "string"},
                "appends": {"type": "array", "items": {"type": "string"}},
                "global": {"type": "boolean"},
            },
        });
        let check = |config: Value, want: &str| {
            let got = check_against(&schema, &config).err().map(|error| error.to_string()).unwrap_or_default();
            assert_eq!(got, want, "{config}");
        };
        check(json!({"collection": "posts", "appends": ["a"]}), "");
        check(json!({}), "\"collection\" is required");
        check(json!({"collection": 1}), "\"collection\" must be a string");
        check(json!({"collection": "a", "appends": "b"}), "\"appends\" must be an array");
        check(json!({"collection": "a", "appends": ["b", 1]}), "\"appends.1\" must be a string");
        check(json!({"collection": "a", "global": "yes"}), "\"global\" must be a boolean");
    }
}
