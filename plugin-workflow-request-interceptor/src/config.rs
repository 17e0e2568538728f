//! What people configure, and what it means for an action: the collection, local or global mode, and the actions of global
//! mode.
//!
//! The type's JSON Schema drives the console's form (see [`fields`]). Unknown fields are accepted and ignored.

use plugin_api::{
    Action, AssociationPath, BindingInfo, Button, CollectionRef, ExecutionMode, Firing, ManualData, ManualRun, Phase,
    PluginError, SchemaView, TriggerInfo, Variable, Workflow,
    watch::{ManualInput, Paths, Watch, fields, texts},
};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::locales;

/// The variable that nodes find the request in.
const PARAMS: &str = "params";

/// The configuration of a workflow of type `request-interception`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[schemars(title = "Before-action event")]
pub struct Config {
    /// The collection whose requests are intercepted: `name`, or `source:name` in another data source than `main`.
    #[schemars(schema_with = "fields::collection")]
    pub collection: CollectionRef,

    /// Is asked about every action of the chosen kinds, not only those of buttons and requests that name the workflow.
    #[serde(default)]
    #[schemars(schema_with = "fields::global")]
    pub global: bool,

    /// The kinds of action that are intercepted in global mode; with none, the workflow never runs.
    #[serde(default)]
    #[schemars(schema_with = "actions")]
    pub actions: Vec<Action>,
}

impl Watch for Config {
    const PHASE: Phase = Phase::Before;
    /// `firstOrCreate` is not among them.
    const ACTIONS: &'static [Action] = &[Action::Create, Action::Update, Action::UpdateOrCreate, Action::Destroy];
    /// Before the action there is no record that a path could start at.
    const PATHS: Paths = Paths::NotTaken;

    fn info() -> TriggerInfo {
        TriggerInfo {
            id: "request-interception".to_owned(),
            title: locales::TITLE.text(),
            description: locales::DESCRIPTION.text(),
            binding: BindingInfo {
                buttons: vec![Button::FormSubmit, Button::UpdateRecord, Button::DeleteRecord],
                // No record is handed over.
                data: vec![],
                variables: vec![
                    Variable::new(PARAMS, &locales::PARAMS),
                    Variable::new("user", &texts::USER),
                    Variable::new("roleName", &texts::ROLE_NAME),
                ],
                modes: vec![ExecutionMode::Sync],
            },
        }
    }

    fn validate(&self, schema: &dyn SchemaView) -> Result<(), PluginError> {
        fields::check_collection(schema, &self.collection)
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

    fn firing(workflow: &Workflow<Self>, _: Action, _: AssociationPath) -> Firing {
        Firing::new(workflow.id, ExecutionMode::Sync)
    }

    /// Takes `params` as the request that is pretended.
    fn manual(&self, input: Value) -> Result<ManualRun, PluginError> {
        let mut input = ManualInput::read(input)?;
        let Value::Object(mut given) = input.required(PARAMS)? else {
            return Err(PluginError::invalid(format!("\"{PARAMS}\" must be an object")));
        };
        let mut member = |name: &str| given.remove(name).unwrap_or_default();
        let params = json!({
            "filterByTk": member("filterByTk"), "filter": member("filter"), "values": member("values"),
        });
        Ok(ManualRun { variable: PARAMS.to_owned(), ..input.run(ManualData::Given(params))? })
    }
}

fn actions(_: &mut SchemaGenerator) -> Schema {
    fields::actions(Config::ACTIONS)
}

#[cfg(test)]
mod tests;
