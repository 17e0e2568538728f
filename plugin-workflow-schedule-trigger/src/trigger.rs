//! The door for configuration, and for people who run a workflow by hand.

use chrono::{SecondsFormat, Utc};
use plugin_api::{
    BindingInfo, CollectionRef, ExecutionMode, Interest, ManualData, ManualRun, PluginError, SchemaView, Trigger,
    TriggerData, TriggerInfo, Variable, Workflow, WorkflowId,
    watch::{ManualInput, record_or_key, texts},
};
use serde_json::{Map, Value};

use crate::{
    config::{Config, Mode},
    locales,
};

/// The trigger type's id.
pub(crate) const TYPE: &str = "schedule";

/// The variable that holds the moment.
const DATE: &str = "date";

/// The trigger type. It keeps nothing: each question to the clock brings the configuration.
pub(crate) struct ScheduleTrigger;

impl Trigger for ScheduleTrigger {
    type Config = Config;

    fn info(&self) -> TriggerInfo {
        TriggerInfo {
            id: TYPE.to_owned(),
            title: locales::TITLE.text(),
            description: locales::DESCRIPTION.text(),
            binding: BindingInfo {
                buttons: Vec::new(),
                data: vec![TriggerData::Record],
                variables: vec![Variable::new(DATE, &locales::DATE), Variable::new("data", &texts::DATA)],
                modes: vec![ExecutionMode::Async],
            },
        }
    }

    fn validate(&self, config: &Config, schema: &dyn SchemaView) -> Result<(), PluginError> {
        config.check(schema)
    }

    fn enable(&self, _: Workflow<Config>) -> Result<Vec<Interest>, PluginError> {
        Ok(Vec::new())
    }

    fn disable(&self, _: WorkflowId) {}

    /// `date` is now unless it is given; in mode 1 there is a record, too.
    fn manual(&self, config: &Config, input: Value) -> Result<ManualRun, PluginError> {
        let mut input = ManualInput::read(input)?;
        let date = match input.optional(DATE) {
            None => Value::from(Utc::now().to_rfc3339_opts(SecondsFormat::Millis, true)),
            Some(date) => date,
        };
        match (config.mode, &config.collection) {
            (Mode::Record, Some(collection)) => by_record(config, collection, input, date),
            _ => Ok(ManualRun { variable: DATE.to_owned(), ..input.run(ManualData::Given(date))? }),
        }
    }
}

fn by_record(
    config: &Config,
    collection: &CollectionRef,
    mut input: ManualInput,
    date: Value,
) -> Result<ManualRun, PluginError> {
    let data = record_or_key(input.required("data")?, collection, &config.appends)?;
    Ok(ManualRun { more: Map::from_iter([(DATE.to_owned(), date)]), ..input.run(data)? })
}
