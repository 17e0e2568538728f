//! A small, good plugin: one trigger type, one hook that logs and follows an association.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use plugin_api::{
    Action, ActionEvent, ActionHook, AssociationPath, Binding, BindingInfo, Button, CollectionRef, ExecutionMode,
    Firing, Interest, Language, LocalizedText, ManualData, ManualRun, Phase, Plan, Plugin, PluginError, Registrar,
    SchemaView, Skip, SkipReason, Trigger, TriggerData, TriggerInfo, UserId, When, Workflow, WorkflowId,
};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

struct Fixture;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Settings {
    /// Refuses to start, with this message.
    #[serde(default)]
    refuse: Option<String>,
}

type Enabled = Arc<Mutex<BTreeMap<WorkflowId, Workflow<Config>>>>;

impl Plugin for Fixture {
    const ID: &'static str = "plugin-previous";
    type Settings = Settings;

    fn register(settings: Settings, registrar: &mut Registrar) -> Result<(), PluginError> {
        if let Some(message) = settings.refuse {
            return Err(PluginError::unavailable(message));
        }
        let enabled = Enabled::default();
        registrar.trigger(FixtureTrigger { enabled: Arc::clone(&enabled) });
        let bound_updates =
            Interest { phase: Phase::After, actions: vec![Action::Update], collection: None, when: When::Bound };
        registrar.action_hook(vec![bound_updates], FixtureHook { enabled });
        tracing::info!("fixture registered");
        Ok(())
    }
}

#[derive(Debug, Clone, Deserialize, JsonSchema)]
struct Config {
    /// The collection whose records start the workflow.
    collection: String,
    /// An association of it.
    #[serde(default)]
    field: Option<String>,
}

struct FixtureTrigger {
    enabled: Enabled,
}

impl Trigger for FixtureTrigger {
    type Config = Config;

    fn info(&self) -> TriggerInfo {
        TriggerInfo {
            id: "previous".into(),
            title: LocalizedText::new("Fixture event").with(Language::Dutch, "Testgebeurtenis"),
            description: LocalizedText::new("Starts after a record was created."),
            binding: BindingInfo {
                buttons: vec![Button::FormSubmit],
                data: vec![TriggerData::Record],
                variables: vec![],
                modes: vec![ExecutionMode::Async, ExecutionMode::Sync],
            },
        }
    }

    fn validate(&self, config: &Config, schema: &dyn SchemaView) -> Result<(), PluginError> {
        let collection = CollectionRef::parse(&config.collection);
        if !schema.has_data_source(collection.data_source()) {
            return Err(PluginError::invalid("no such data source"));
        }
        if !schema.has_collection(&collection) {
            return Err(PluginError::invalid("no such collection"));
        }
        Ok(())
    }

    fn enable(&self, workflow: Workflow<Config>) -> Result<Vec<Interest>, PluginError> {
        let collection = CollectionRef::parse(&workflow.config.collection);
        self.enabled.lock().unwrap_or_else(PoisonError::into_inner).insert(workflow.id, workflow);
        Ok(vec![Interest {
            phase: Phase::After,
            actions: vec![Action::Create],
            collection: Some(collection),
            when: When::Always,
        }])
    }

    fn disable(&self, workflow: WorkflowId) {
        self.enabled.lock().unwrap_or_else(PoisonError::into_inner).remove(&workflow);
    }

    fn manual(&self, _: &Config, input: Value) -> Result<ManualRun, PluginError> {
        let user =
            input.get("userId").and_then(Value::as_i64).ok_or_else(|| PluginError::invalid("userId is missing"))?;
        Ok(ManualRun { data: ManualData::Given(input), user: UserId(user), role: None })
    }
}

struct FixtureHook {
    enabled: Enabled,
}

impl ActionHook for FixtureHook {
    fn plan(&self, event: &ActionEvent<'_>) -> Result<Plan, PluginError> {
        let span = tracing::info_span!("fixture_plan", collection = %event.collection, matches = tracing::field::Empty);
        let _entered = span.enter();
        let mut plan = Plan::default();
        for workflow in self.enabled.lock().unwrap_or_else(PoisonError::into_inner).values() {
            if CollectionRef::parse(&workflow.config.collection) != *event.collection {
                continue;
            }
            let path = AssociationPath::parse(workflow.config.field.as_deref().unwrap_or_default());
            let known = path.segments().iter().all(|field| event.schema.association(event.collection, field).is_some());
            if known {
                plan.firings.push(Firing { workflow: workflow.id, path, preloads: vec![], mode: workflow.mode });
            } else {
                plan.skips.push(Skip { key: workflow.key.clone(), path, reason: SkipReason::UnknownPath });
            }
        }
        for Binding { key, path } in Binding::parse_all(event.bindings) {
            plan.skips.push(Skip { key, path, reason: SkipReason::NotEnabled });
        }
        span.record("matches", plan.firings.len());
        tracing::debug!(role = event.role, actor = event.actor.map(|user| user.0), "fixture decided");
        Ok(plan)
    }
}

plugin_api::export_plugin!(Fixture);
