//! The trigger type, with something to do wrong in each method.

use plugin_api::{
    BindingInfo, ExecutionMode, Interest, LocalizedText, ManualData, ManualRun, PluginError, SchemaView, Trigger,
    TriggerInfo, UserId, Workflow, WorkflowId,
};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use crate::{caller::Caller, settings::Place};

#[derive(Deserialize, JsonSchema)]
pub(crate) struct Config {}

pub(crate) struct MisbehavingTrigger(pub(crate) Caller);

impl Trigger for MisbehavingTrigger {
    type Config = Config;

    fn info(&self) -> TriggerInfo {
        self.0.reach(Place::Info);
        let modes = vec![ExecutionMode::Async, ExecutionMode::Sync];
        TriggerInfo {
            id: "misbehaving".into(),
            title: LocalizedText::new("Misbehaving"),
            description: LocalizedText::new("Does wrong what it is told to."),
            binding: BindingInfo { buttons: vec![], data: vec![], variables: vec![], modes },
        }
    }

    fn validate(&self, _: &Config, schema: &dyn SchemaView) -> Result<(), PluginError> {
        self.0.reach(Place::Validate);
        schema.has_data_source("main");
        Ok(())
    }

    fn enable(&self, _: Workflow<Config>) -> Result<Vec<Interest>, PluginError> {
        self.0.reach(Place::Enable);
        Ok(vec![])
    }

    fn disable(&self, _: WorkflowId) {
        self.0.reach(Place::Disable);
    }

    fn manual(&self, _: &Config, input: Value) -> Result<ManualRun, PluginError> {
        self.0.reach(Place::Manual);
        Ok(ManualRun::new(ManualData::Given(input), UserId(1)))
    }
}

impl Drop for MisbehavingTrigger {
    fn drop(&mut self) {
        self.0.reach(Place::DropTrigger);
    }
}
