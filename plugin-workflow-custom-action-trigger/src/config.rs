//! What people configure, and what it means for an action: what the workflow gets, of which collection, with which
//! associations, and under which condition.
//!
//! The type's JSON Schema drives the console's form (see [`fields`]). Unknown fields are accepted and ignored.

use plugin_api::{
    Action, AssociationPath, Batch, BindingInfo, Button, CollectionRef, Condition, ExecutionMode, Firing, ManualData,
    ManualRun, Phase, PluginError, SchemaView, TriggerData, TriggerInfo, Variable, Workflow,
    watch::{ManualInput, Paths, Watch, fields, record_or_key, texts},
};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, de::Error};
use serde_json::Value;

use crate::locales;

/// The configuration of a workflow of type `custom-action`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[schemars(title = "Custom action")]
pub struct Config {
    /// What the workflow gets: 0 = what the caller sends, 1 = one record, 2 = several records as an array.
    #[serde(rename = "type")]
    #[schemars(schema_with = "gets")]
    pub gets: Gets,

    /// The collection of the records: `name`, or `source:name` in another data source than `main`. Required for types 1 and 2.
    #[serde(default)]
    #[schemars(schema_with = "collection")]
    pub collection: Option<CollectionRef>,

    /// The associations loaded into the records, such as `category` or `category.owner`.
    #[serde(default)]
    #[schemars(schema_with = "fields::appends")]
    pub appends: Vec<AssociationPath>,

    /// What has to hold for a record to be handed over: a filter on `data` (the record), `user` and `roleName`, such as
    /// `{"data.amount": {"$gt": 500}}`.
    #[serde(default)]
    #[schemars(schema_with = "condition")]
    pub condition: Option<Condition>,
}

/// What a workflow gets: 0, 1 or 2 in JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gets {
    /// What the caller sends; no record.
    Input,
    /// One record; of several, each by itself.
    Record,
    /// An array of records, even of one.
    Records,
}

impl<'de> Deserialize<'de> for Gets {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match u64::deserialize(deserializer)? {
            0 => Ok(Self::Input),
            1 => Ok(Self::Record),
            2 => Ok(Self::Records),
            other => Err(D::Error::custom(format!("{other} is no type of custom action"))),
        }
    }
}

impl Config {
    fn batch(&self) -> Batch {
        match self.gets {
            Gets::Input | Gets::Record => Batch::PerRecord,
            Gets::Records => Batch::PerBatch,
        }
    }
}

impl Watch for Config {
    const PHASE: Phase = Phase::After;
    const ACTIONS: &'static [Action] = &[Action::Trigger];
    const PATHS: Paths = Paths::Followed;

    fn info() -> TriggerInfo {
        TriggerInfo {
            id: "custom-action".to_owned(),
            title: locales::TITLE.text(),
            description: locales::DESCRIPTION.text(),
            binding: BindingInfo {
                buttons: vec![Button::TriggerWorkflow],
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

    fn validate(&self, schema: &dyn SchemaView) -> Result<(), PluginError> {
        match (self.gets, &self.collection) {
            (Gets::Input, _) => Ok(()),
            (Gets::Record | Gets::Records, None) => Err(PluginError::invalid("\"collection\" is required")),
            (Gets::Record | Gets::Records, Some(collection)) => {
                fields::check_collection(schema, collection)?;
                fields::check_appends(schema, collection, &self.appends)?;
                fields::check_condition(schema, collection, self.condition.as_ref())
            }
        }
    }

    fn collection(&self) -> &CollectionRef {
        match (self.gets, &self.collection) {
            (Gets::Record | Gets::Records, Some(collection)) => collection,
            (Gets::Input, _) | (_, None) => CollectionRef::none(),
        }
    }

    fn firing(workflow: &Workflow<Self>, _: Action, path: AssociationPath) -> Firing {
        let config = &workflow.config;
        let firing = Firing { path, ..Firing::new(workflow.id, workflow.mode) };
        match config.gets {
            Gets::Input => firing,
            Gets::Record | Gets::Records => Firing {
                preloads: config.appends.clone(),
                condition: fields::asked(config.condition.as_ref()).cloned(),
                batch: config.batch(),
                ..firing
            },
        }
    }

    /// Takes what the button would hand over; of several records, their keys or all of them as they are.
    fn manual(&self, input: Value) -> Result<ManualRun, PluginError> {
        let mut input = ManualInput::read(input)?;
        let data = input.required("data")?;
        match (self.gets, data) {
            (Gets::Input, data) => input.run(ManualData::Given(data)),
            (Gets::Records, Value::Array(items)) => input.run(self.several(items)?),
            (Gets::Record | Gets::Records, one) => {
                let data = record_or_key(one, self.collection(), &self.appends)?;
                Ok(ManualRun { batch: self.batch(), ..input.run(data)? })
            }
        }
    }
}

impl Config {
    /// Reads several records, all given or all named by their keys.
    fn several(&self, items: Vec<Value>) -> Result<ManualData, PluginError> {
        let collection = self.collection();
        let items = items.into_iter().map(|item| record_or_key(item, collection, &self.appends));
        let (mut given, mut keys) = (Vec::new(), Vec::new());
        for item in items.collect::<Result<Vec<_>, _>>()? {
            match item {
                ManualData::Given(record) => given.push(record),
                ManualData::Load { key, .. } => keys.push(key),
            }
        }
        match (given.is_empty(), keys.is_empty()) {
            (false, true) => Ok(ManualData::Given(given.into())),
            (true, false) => {
                let preloads = self.appends.clone();
                Ok(ManualData::Load { collection: collection.clone(), key: keys.into(), preloads })
            }
            (true, true) => Err(PluginError::invalid("\"data\" must hold at least one record or key")),
            (false, false) => Err(PluginError::invalid("\"data\" must hold records or keys, not both")),
        }
    }
}

fn gets(_: &mut SchemaGenerator) -> Schema {
    let choices = [&locales::INPUT, &locales::RECORD, &locales::RECORDS];
    let choices: Vec<Value> = choices
        .into_iter()
        .enumerate()
        .map(|(number, title)| {
            let choice = json_schema!({"const": number});
            fields::titled(title, choice).to_value()
        })
        .collect();
    fields::titled(&locales::GETS, json_schema!({"type": "integer", "oneOf": choices}))
}

fn collection(generator: &mut SchemaGenerator) -> Schema {
    let mut schema = fields::collection(generator);
    schema.insert("type".to_owned(), vec!["string", "null"].into());
    schema.insert("default".to_owned(), Value::Null);
    schema.insert("x-visible-if".to_owned(), serde_json::json!({"type": [1, 2]}));
    schema
}

fn condition(_: &mut SchemaGenerator) -> Schema {
    fields::condition(&["data", "user", "roleName"])
}

#[cfg(test)]
mod tests;
