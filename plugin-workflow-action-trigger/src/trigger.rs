//! The door for configuration: describes the trigger type, keeps the index informed, reads manual runs.

use std::sync::Arc;

use plugin_api::{
    BindingInfo, Button, CollectionRef, ExecutionMode, Interest, ManualData, ManualRun, Phase, PluginError, SchemaView,
    Trigger, TriggerData, TriggerInfo, UserId, Variable, When, Workflow, WorkflowId,
};
use serde_json::{Map, Value};

use crate::{
    config::{ActionType, Config},
    index::SharedIndex,
    locales,
};

/// The type's id, as in a workflow's `type`.
const TYPE_ID: &str = "action";

/// The trigger type `action`.
pub(crate) struct PostActionTrigger {
    index: Arc<SharedIndex>,
}

impl PostActionTrigger {
    pub(crate) fn new(index: Arc<SharedIndex>) -> Self {
        Self { index }
    }
}

impl Trigger for PostActionTrigger {
    type Config = Config;

    fn info(&self) -> TriggerInfo {
        let variable = |name: &str, title| Variable { name: name.to_owned(), title };
        TriggerInfo {
            id: TYPE_ID.to_owned(),
            title: locales::TITLE.text(),
            description: locales::DESCRIPTION.text(),
            binding: BindingInfo {
                buttons: vec![Button::FormSubmit, Button::UpdateRecord, Button::DeleteRecord],
                data: vec![TriggerData::Record, TriggerData::ToOneAssociation, TriggerData::ToManyAssociation],
                variables: vec![
                    variable("data", locales::DATA.text()),
                    variable("user", locales::USER.text()),
                    variable("roleName", locales::ROLE_NAME.text()),
                ],
                modes: vec![ExecutionMode::Async, ExecutionMode::Sync],
            },
        }
    }

    fn validate(&self, config: &Config, schema: &dyn SchemaView) -> Result<(), PluginError> {
        config.validate(schema)
    }

    fn enable(&self, workflow: Workflow<Config>) -> Result<Vec<Interest>, PluginError> {
        let enabled = Arc::new(workflow);
        self.index.enable(&enabled);
        Ok(interests(&enabled.config))
    }

    fn disable(&self, workflow: WorkflowId) {
        self.index.disable(workflow);
    }

    fn manual(&self, config: &Config, input: Value) -> Result<ManualRun, PluginError> {
        let Value::Object(mut input) = input else {
            return Err(PluginError::invalid("The input of a manual run must be an object"));
        };
        Ok(ManualRun {
            data: manual_data(config, &mut input)?,
            user: user(&input)?,
            role: role(&input)?,
            batch: config.batch.batch(),
        })
    }
}

/// What a workflow waits for beyond requests that name it: a global one, every chosen action on its collection.
fn interests(config: &Config) -> Vec<Interest> {
    if !config.global || config.actions.is_empty() {
        return Vec::new();
    }
    vec![Interest {
        phase: Phase::After,
        actions: config.actions.iter().copied().map(ActionType::action).collect(),
        collection: Some(config.collection.clone()),
        when: When::Always,
    }]
}

/// A record is taken as given, unless associations have to be loaded with it; a key names the record to load.
fn manual_data(config: &Config, input: &mut Map<String, Value>) -> Result<ManualData, PluginError> {
    let load = |collection: &CollectionRef, key| ManualData::Load {
        collection: collection.clone(),
        key,
        preloads: config.appends.clone(),
    };
    match input.remove("data").unwrap_or_default() {
        Value::Null => Err(PluginError::invalid("\"data\" is required")),
        record @ Value::Object(_) if config.appends.is_empty() => Ok(ManualData::Given(record)),
        key @ (Value::Object(_) | Value::Number(_) | Value::String(_)) => Ok(load(&config.collection, key)),
        Value::Bool(_) | Value::Array(_) => {
            Err(PluginError::invalid("\"data\" must be a record or the primary key of one"))
        }
    }
}

fn user(input: &Map<String, Value>) -> Result<UserId, PluginError> {
    match input.get("userId") {
        None | Some(Value::Null) => Err(PluginError::invalid("\"userId\" is required")),
        Some(id) => {
            id.as_i64().map(UserId).ok_or_else(|| PluginError::invalid("\"userId\" must be the number of a user"))
        }
    }
}

fn role(input: &Map<String, Value>) -> Result<Option<String>, PluginError> {
    match input.get("roleName") {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(role)) => Ok(Some(role.clone())),
        Some(_) => Err(PluginError::invalid("\"roleName\" must be a string")),
    }
}

#[cfg(test)]
mod tests;
