//! {{title}}: starts workflows after a record was created in their collection. Make it yours: what is configured is `Config`,
//! what it waits for is said by `enable`, what starts is decided by `plan`.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use plugin_api::{
    Action, ActionEvent, ActionHook, BindingInfo, CollectionRef, ExecutionMode, Firing, Interest, LocalizedText,
    ManualRun, NoSettings, Phase, Plan, Plugin, PluginError, Registrar, SchemaView, Trigger, TriggerData, TriggerInfo,
    When, Workflow, WorkflowId,
};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

/// The plugin: one trigger type, and the hook that decides for it.
#[derive(Debug)]
pub struct {{type}};

impl Plugin for {{type}} {
    const ID: &'static str = "{{id}}";
    type Settings = NoSettings;

    fn register(_: NoSettings, registrar: &mut Registrar) -> Result<(), PluginError> {
        let enabled = Enabled::default();
        registrar.trigger(Created { enabled: enabled.clone() });
        // No interests of its own: the hook is asked about what the enabled workflows wait for.
        registrar.action_hook(vec![], CreatedHook { enabled });
        Ok(())
    }
}

plugin_api::export_plugin!({{type}});

/// What people configure. Its JSON Schema is the form they see.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
struct Config {
    /// The collection whose new records start the workflow.
    collection: String,
}

/// The workflows that are switched on, shared by the trigger, which is told of them, and the hook, which starts them.
#[derive(Clone, Default)]
struct Enabled(Arc<Mutex<BTreeMap<WorkflowId, Workflow<Config>>>>);

impl Enabled {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<WorkflowId, Workflow<Config>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Created {
    enabled: Enabled,
}

impl Trigger for Created {
    type Config = Config;

    fn info(&self) -> TriggerInfo {
        TriggerInfo {
            id: "{{id}}".into(),
            title: LocalizedText::new("{{title}}"),
            description: LocalizedText::new("Starts for each new record of a collection."),
            binding: BindingInfo {
                buttons: vec![],
                data: vec![TriggerData::Record],
                variables: vec![],
                modes: vec![ExecutionMode::Async, ExecutionMode::Sync],
            },
        }
    }

    fn validate(&self, config: &Config, schema: &dyn SchemaView) -> Result<(), PluginError> {
        if schema.has_collection(&CollectionRef::parse(&config.collection)) {
            Ok(())
        } else {
            Err(PluginError::invalid(format!("There is no collection {}", config.collection)))
        }
    }

    fn enable(&self, workflow: Workflow<Config>) -> Result<Vec<Interest>, PluginError> {
        let waits_for = Interest {
            phase: Phase::After,
            actions: vec![Action::Create],
            collection: Some(CollectionRef::parse(&workflow.config.collection)),
            when: When::Always,
        };
        self.enabled.lock().insert(workflow.id, workflow);
        Ok(vec![waits_for])
    }

    fn disable(&self, workflow: WorkflowId) {
        self.enabled.lock().remove(&workflow);
    }

    fn manual(&self, _: &Config, _: Value) -> Result<ManualRun, PluginError> {
        Err(PluginError::invalid("Create a record instead"))
    }
}

struct CreatedHook {
    enabled: Enabled,
}

impl ActionHook for CreatedHook {
    fn plan(&self, event: &ActionEvent<'_>) -> Result<Plan, PluginError> {
        if event.action != Action::Create {
            return Ok(Plan::default());
        }
        let enabled = self.enabled.lock();
        let here = enabled.values().filter(|it| CollectionRef::parse(&it.config.collection) == *event.collection);
        let firings = here.map(|workflow| Firing::new(workflow.id, workflow.mode)).collect();
        Ok(Plan { firings, skips: vec![] })
    }
}
