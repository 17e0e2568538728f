//! What starts a workflow: a record that somebody submits, who is the applicant from then on.
//!
//! The type's JSON Schema drives the console's form (see [`fields`]). Unknown fields are accepted and ignored.

use plugin_api::{
    Action, AssociationPath, BindingInfo, Button, CollectionRef, Condition, ExecutionMode, Firing, ManualRun, Phase,
    PluginError, SchemaView, TriggerData, TriggerInfo, Variable, Workflow,
    watch::{ManualInput, Paths, Watch, fields, record_or_key, texts},
};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Deserialize;
use serde_json::Value;

use crate::locales;

/// The configuration of a workflow of type `approval`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[schemars(title = "Approval event")]
pub struct Config {
    /// The collection whose records are applied with: `name`, or `source:name` in another data source than `main`.
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

    /// What has to hold for a record to need an approval: a filter on `data` (the record), `user` and `roleName`, such as
    /// `{"data.amount": {"$gt": 500}}`.
    #[serde(default)]
    #[schemars(schema_with = "condition")]
    pub condition: Option<Condition>,
}

impl Watch for Config {
    const PHASE: Phase = Phase::After;
    const ACTIONS: &'static [Action] = &[Action::Create, Action::Update];
    const PATHS: Paths = Paths::Followed;

    fn info() -> TriggerInfo {
        TriggerInfo {
            id: "approval".to_owned(),
            title: locales::EVENT.text(),
            description: locales::EVENT_DESCRIPTION.text(),
            binding: BindingInfo {
                buttons: vec![Button::FormSubmit, Button::UpdateRecord],
                data: vec![TriggerData::Record, TriggerData::ToOneAssociation, TriggerData::ToManyAssociation],
                variables: vec![
                    Variable::new("data", &texts::DATA),
                    Variable::new("user", &locales::APPLICANT),
                    Variable::new("roleName", &texts::ROLE_NAME),
                ],
                // People take their time.
                modes: vec![ExecutionMode::Async],
            },
        }
    }

    fn validate(&self, schema: &dyn SchemaView) -> Result<(), PluginError> {
        fields::check_collection(schema, &self.collection)?;
        fields::check_appends(schema, &self.collection, &self.appends)?;
        fields::check_condition(schema, &self.collection, self.condition.as_ref())
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

    fn firing(workflow: &Workflow<Self>, _: Action, path: AssociationPath) -> Firing {
        let config = &workflow.config;
        Firing {
            path,
            preloads: config.appends.clone(),
            condition: fields::asked(config.condition.as_ref()).cloned(),
            ..Firing::new(workflow.id, ExecutionMode::Async)
        }
    }

    fn manual(&self, input: Value) -> Result<ManualRun, PluginError> {
        let mut input = ManualInput::read(input)?;
        let data = record_or_key(input.required("data")?, &self.collection, &self.appends)?;
        input.run(data)
    }
}

fn actions(_: &mut SchemaGenerator) -> Schema {
    fields::actions(Config::ACTIONS)
}

fn condition(_: &mut SchemaGenerator) -> Schema {
    fields::condition(&["data", "user", "roleName"])
}
