//! The two doors the host comes through: one to configure, one to ask about actions.

use serde_json::Value;

use super::{SharedIndex, Watch, global_interests, select::select};
use crate::{
    action::{ActionEvent, ActionHook, Interest},
    error::PluginError,
    id::WorkflowId,
    plan::Plan,
    schema::SchemaView,
    trigger::{ManualRun, Trigger, TriggerInfo, Workflow},
};

/// The door for configuration: keeps the index informed.
pub(super) struct WatchTrigger<C>(pub(super) SharedIndex<C>);

impl<C: Watch> Trigger for WatchTrigger<C> {
    type Config = C;

    fn info(&self) -> TriggerInfo {
        C::info()
    }

    fn validate(&self, config: &C, schema: &dyn SchemaView) -> Result<(), PluginError> {
        config.validate(schema)
    }

    fn enable(&self, workflow: Workflow<C>) -> Result<Vec<Interest>, PluginError> {
        let interests = global_interests(&workflow.config);
        self.0.enable(workflow);
        Ok(interests)
    }

    fn disable(&self, workflow: WorkflowId) {
        self.0.disable(workflow);
    }

    fn manual(&self, config: &C, input: Value) -> Result<ManualRun, PluginError> {
        config.manual(input)
    }
}

/// The door for actions: asks [`select`] with today's index. It waits for nothing and holds no lock.
pub(super) struct WatchHook<C>(pub(super) SharedIndex<C>);

impl<C: Watch> ActionHook for WatchHook<C> {
    fn plan(&self, event: &ActionEvent<'_>) -> Result<Plan, PluginError> {
        Ok(select(&self.0.snapshot(), event))
    }
}
