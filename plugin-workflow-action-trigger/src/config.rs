//! What people configure, and what it means for an action: the collection, local or global mode, the actions of global mode, associations to preload, and
//! under which terms a record is handed over.
//!
//! The type's JSON Schema drives the console's form (see [`fields`]); `x-variable` names a variable that a field adds for
//! nodes. Unknown fields are accepted and ignored.

use plugin_api::{
    Action, AssociationPath, Batch, BindingInfo, Button, CollectionRef, Condition, ExecutionMode, Firing, ManualRun,
    Phase, PluginError, Previous, SchemaView, TriggerData, TriggerInfo, Variable, Workflow,
    watch::{ManualInput, Paths, Watch, fields, record_or_key, texts},
};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Deserialize;
use serde_json::Value;

use crate::locales;

/// The configuration of a workflow of type `action`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[schemars(title = "Post-action event")]
pub struct Config {
    /// The collection whose records start the workflow: `name`, or `source:name` in another data source than `main`.
    #[schemars(schema_with = "fields::collection")]
    pub collection: CollectionRef,

    /// Fires for every action of the chosen kinds, not only for the buttons and requests that name the workflow.
    #[serde(default)]
    #[schemars(schema_with = "fields::global")]
    pub global: bool,

    /// The kinds of action that fire in global mode; with none, the workflow never fires.
    #[serde(default)]
    #[schemars(schema_with = "actions")]
    pub actions: Vec<Action>,

    /// The associations loaded into the trigger data, such as `category` or `category.owner`.
    #[serde(default)]
    #[schemars(schema_with = "fields::appends")]
    pub appends: Vec<AssociationPath>,

    /// What has to hold for a record to start the workflow: a filter on `data` (the record), `previous` (the record before
    /// the action), `user` and `roleName`, such as `{"data.amount": {"$gt": 500}}`.
    #[serde(default)]
    #[schemars(schema_with = "condition")]
    pub condition: Option<Condition>,

    /// Fields of which at least one has to change for an update to start the workflow; with none, every update does. Other
    /// actions are not held back.
    #[serde(default)]
    #[schemars(schema_with = "fields::changed")]
    pub changed: Vec<String>,

    /// Whether nodes also get `previous`, the record as it was before the action.
    #[serde(default)]
    #[schemars(title = locales::PREVIOUS.en, extend("x-title" = locales::PREVIOUS, "x-variable" = "previous"))]
    pub previous: bool,

    /// One execution for each record of an action, or one for all of them, whose data is then an array.
    #[serde(default)]
    #[schemars(title = locales::BATCH.en, extend("x-title" = locales::BATCH))]
    pub batch: BatchMode,
}

/// How the records of one action are divided among executions.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum BatchMode {
    /// Each record has an execution of its own.
    #[default]
    PerRecord,
    /// One execution gets the records as an array.
    PerBatch,
}

impl BatchMode {
    /// Hands the mode over as the host takes it.
    pub const fn batch(self) -> Batch {
        match self {
            Self::PerRecord => Batch::PerRecord,
            Self::PerBatch => Batch::PerBatch,
        }
    }
}

impl Watch for Config {
    const PHASE: Phase = Phase::After;
    /// `updateOrCreate` and `firstOrCreate` are not among them.
    const ACTIONS: &'static [Action] = &[Action::Create, Action::Update, Action::Destroy];
    const PATHS: Paths = Paths::Followed;

    fn info() -> TriggerInfo {
        TriggerInfo {
            id: "action".to_owned(),
            title: locales::TITLE.text(),
            description: locales::DESCRIPTION.text(),
            binding: BindingInfo {
                buttons: vec![Button::FormSubmit, Button::UpdateRecord, Button::DeleteRecord],
                data: vec![TriggerData::Record, TriggerData::ToOneAssociation, TriggerData::ToManyAssociation],
                variables: vec![
                    Variable::new("data", &texts::DATA),
                    Variable::new("user", &texts::USER),
                    Variable::new("roleName", &texts::ROLE_NAME),
                ],
                modes: vec![ExecutionMode::Async, ExecutionMode::Sync],
            },
        }
    }

    /// Checks that the data source, the collection, every preloaded association and every field exists, and that the
    /// condition makes sense.
    fn validate(&self, schema: &dyn SchemaView) -> Result<(), PluginError> {
        fields::check_collection(schema, &self.collection)?;
        fields::check_appends(schema, &self.collection, &self.appends)?;
        fields::check_condition(schema, &self.collection, self.condition.as_ref())?;
        fields::check_changed(schema, &self.collection, &self.changed)
    }

    fn collection(&self) -> &CollectionRef {
        &self.collection
    }

    fn is_global(&self) -> bool {
        self.global
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
            batch: config.batch.batch(),
            ..Firing::new(workflow.id, workflow.mode)
        }
    }

    fn manual(&self, input: Value) -> Result<ManualRun, PluginError> {
        let mut input = ManualInput::read(input)?;
        let data = record_or_key(input.required("data")?, &self.collection, &self.appends)?;
        Ok(ManualRun { batch: self.batch.batch(), ..input.run(data)? })
    }
}

fn actions(_: &mut SchemaGenerator) -> Schema {
    fields::actions(Config::ACTIONS)
}

fn condition(_: &mut SchemaGenerator) -> Schema {
    fields::condition(&["data", "previous", "user", "roleName"])
}

#[cfg(test)]
mod tests;
