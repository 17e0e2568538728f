//! What people configure, and what it means for a change of records: the collection, the kinds of change, and under which terms a
//! record is handed over.
//!
//! The type's JSON Schema drives the console's form (see [`fields`]); `x-variable` names a variable that a field adds for
//! nodes; `x-sync` says that a synchronous workflow is part of the transaction of the change. Unknown fields are accepted and ignored.

use plugin_api::{
    Action, AssociationPath, BindingInfo, CollectionRef, Condition, ExecutionMode, Firing, ManualRun, Phase,
    PluginError, Previous, SchemaView, TriggerData, TriggerInfo, Variable, Workflow,
    watch::{ManualInput, Paths, Watch, fields, record_or_key, texts},
};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde_json::Value;

use crate::locales;

/// The configuration of a workflow of type `collection`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[schemars(title = "Collection event", extend("x-sync" = "transaction"))]
pub struct Config {
    /// The collection whose records start the workflow: `name`, or `source:name` in another data source than `main`.
    #[schemars(schema_with = "fields::collection")]
    pub collection: CollectionRef,

    /// The kinds of change that start the workflow, at least one.
    #[schemars(schema_with = "actions")]
    pub actions: Vec<Action>,

    /// Fields of which at least one has to change for an update to start the workflow; with none, every update does. New and
    /// deleted records are not held back.
    #[serde(default)]
    #[schemars(schema_with = "fields::changed")]
    pub changed: Vec<String>,

    /// What has to hold for a record to start the workflow: a filter on `data` (the record), `previous` (the record before the
    /// change), `user` and `roleName`, such as `{"data.amount": {"$gt": 500}}`.
    #[serde(default)]
    #[schemars(schema_with = "condition")]
    pub condition: Option<Condition>,

    /// The associations loaded into the trigger data, such as `category` or `category.owner`. A deleted record has none.
    #[serde(default)]
    #[schemars(schema_with = "fields::appends")]
    pub appends: Vec<AssociationPath>,

    /// Whether nodes also get `previous`, the record as it was before the change.
    #[serde(default)]
    #[schemars(title = locales::PREVIOUS.en, extend("x-title" = locales::PREVIOUS, "x-variable" = "previous"))]
    pub previous: bool,
}

impl Watch for Config {
    const PHASE: Phase = Phase::Changed;
    const ACTIONS: &'static [Action] = &[Action::Create, Action::Update, Action::Destroy];
    const PATHS: Paths = Paths::NotTaken;

    fn info() -> TriggerInfo {
        TriggerInfo {
            id: "collection".to_owned(),
            title: locales::TITLE.text(),
            description: locales::DESCRIPTION.text(),
            binding: BindingInfo {
                buttons: Vec::new(),
                data: vec![TriggerData::Record],
                variables: vec![
                    Variable::new("data", &texts::DATA),
                    Variable::new("user", &texts::USER),
                    Variable::new("roleName", &texts::ROLE_NAME),
                ],
                modes: vec![ExecutionMode::Async, ExecutionMode::Sync],
            },
        }
    }

    fn validate(&self, schema: &dyn SchemaView) -> Result<(), PluginError> {
        if self.actions.is_empty() {
            return Err(PluginError::invalid("\"actions\" must name at least one kind of change"));
        }
        fields::check_collection(schema, &self.collection)?;
        fields::check_appends(schema, &self.collection, &self.appends)?;
        fields::check_condition(schema, &self.collection, self.condition.as_ref())?;
        fields::check_changed(schema, &self.collection, &self.changed)
    }

    fn collection(&self) -> &CollectionRef {
        &self.collection
    }

    fn is_global(&self) -> bool {
        true
    }

    fn chooses(&self, action: Action) -> bool {
        self.actions.contains(&action)
    }

    fn firing(workflow: &Workflow<Self>, action: Action, path: AssociationPath) -> Firing {
        let config = &workflow.config;
        Firing {
            path,
            preloads: config.appends.clone(),
            condition: fields::asked(config.condition.as_ref()).cloned(),
            // Nothing can change but by an update.
            changed: if action == Action::Update { config.changed.clone() } else { Vec::new() },
            previous: if config.previous { Previous::Included } else { Previous::Omitted },
            ..Firing::new(workflow.id, workflow.mode)
        }
    }

    fn manual(&self, input: Value) -> Result<ManualRun, PluginError> {
        let mut input = ManualInput::read(input)?;
        let data = record_or_key(input.required("data")?, &self.collection, &self.appends)?;
        input.run(data)
    }
}

fn actions(_: &mut SchemaGenerator) -> Schema {
    let schema = json_schema!({
        "type": "array",
        "items": { "enum": Config::ACTIONS },
        "uniqueItems": true,
        "minItems": 1,
    });
    fields::titled(&locales::ACTIONS, schema)
}

fn condition(_: &mut SchemaGenerator) -> Schema {
    fields::condition(&["data", "previous", "user", "roleName"])
}

#[cfg(test)]
mod tests;
