//! A trigger type as the rest of the host uses it.

use std::{ops::Range, sync::Arc};

use plugin_api::{ManualRun, PluginError, SchemaView, TriggerInfo, Workflow, WorkflowId};
use plugin_loader::OfferedTrigger;
use serde_json::Value;

use super::{aside::aside, interests::Interests, member::Member};

/// A trigger type of a loaded plugin.
pub struct LoadedTrigger {
    member: Arc<Member>,
    /// Which of the plugin's trigger types.
    index: usize,
    /// The plugin's hooks, which wait on behalf of its workflows.
    hooks: Range<usize>,
    interests: Arc<Interests>,
}

impl LoadedTrigger {
    pub(super) fn new(member: Arc<Member>, index: usize, hooks: Range<usize>, interests: Arc<Interests>) -> Self {
        Self { member, index, hooks, interests }
    }

    fn offered(&self) -> &OfferedTrigger {
        &self.member.candidate.offered.triggers[self.index]
    }

    /// The plugin's id.
    pub fn plugin(&self) -> &str {
        &self.member.id
    }

    /// Whether the plugin is out of service: its workflows do not fire.
    pub fn is_suspended(&self) -> bool {
        self.member.health().is_suspended
    }

    /// What the type says about itself.
    pub fn info(&self) -> &TriggerInfo {
        &self.offered().info
    }

    /// The JSON Schema of its configuration.
    pub fn config_schema(&self) -> &Value {
        &self.offered().config_schema
    }

    /// Whether its synchronous workflows are part of the transaction of what they react to. Its configuration's JSON Schema
    /// says so, as `"x-sync": "transaction"`.
    pub fn runs_within(&self) -> bool {
        self.config_schema().get("x-sync").is_some_and(|sync| sync == "transaction")
    }

    /// Checks what the JSON Schema cannot say.
    ///
    /// # Errors
    ///
    /// The configuration is wrong, or the plugin is at fault.
    pub fn validate(&self, config: &Value, schema: &dyn SchemaView) -> Result<(), PluginError> {
        aside(|| self.offered().trigger.validate(config, schema)).inspect_err(|error| self.note(error))
    }

    /// Tells the plugin of an enabled workflow, and waits for its actions from now on. Calls about one workflow must
    /// not overlap: whoever switches workflows puts them in order.
    ///
    /// # Errors
    ///
    /// The plugin does not take the workflow, or is at fault; the workflow then fires nothing.
    pub fn enable(&self, workflow: &Workflow<Value>) -> Result<(), PluginError> {
        match aside(|| self.offered().trigger.enable(workflow)) {
            Ok(interests) => {
                self.interests.set(workflow.id, self.hooks.clone(), interests);
                Ok(())
            }
            Err(error) => {
                self.note(&error);
                // An earlier configuration may still be known.
                self.disable(workflow.id);
                Err(error)
            }
        }
    }

    /// Tells the plugin that a workflow is switched off or deleted.
    pub fn disable(&self, workflow: WorkflowId) {
        self.interests.forget(workflow);
        if let Err(error) = aside(|| self.offered().trigger.disable(workflow)) {
            self.note(&error);
        }
    }

    /// Reads the input of a manual run.
    ///
    /// # Errors
    ///
    /// The input is wrong, or the plugin is at fault.
    pub fn manual(&self, config: &Value, input: &Value) -> Result<ManualRun, PluginError> {
        aside(|| self.offered().trigger.manual(config, input)).inspect_err(|error| self.note(error))
    }

    fn note(&self, error: &PluginError) {
        self.member.note(&self.info().id, error);
    }
}
