//! A plugin's [`crate::Trigger`]: configurations, workflows, input and answers are JSON text.

use abi_stable::{
    sabi_trait,
    sabi_trait::TD_Opaque,
    std_types::{RBox, RStr, RString},
};
use serde_json::Value;

use super::{
    error::{AbiResult, answer, read, result, write},
    guard::{GuardedDrop, guarded},
    schema::{SchemaClient, SchemaObject, SchemaProvider},
};
use crate::{
    action::Interest,
    erased::ErasedTrigger,
    error::PluginError,
    id::WorkflowId,
    schema::SchemaView,
    trigger::{ManualRun, TriggerInfo, Workflow},
};

/// A trigger type that the host owns.
pub type TriggerObject = RawTrigger_TO<RBox<()>>;

/// The plugin's side of a [`crate::Trigger`].
#[sabi_trait]
pub trait RawTrigger: Send + Sync + 'static {
    /// The [`TriggerInfo`].
    fn info(&self) -> AbiResult<RString>;
    /// The JSON Schema of configurations.
    fn config_schema(&self) -> AbiResult<RString>;
    /// Checks a configuration.
    fn validate(&self, config: RStr<'_>, schema: SchemaObject<'_>) -> AbiResult<()>;
    /// Takes a [`Workflow`], answers with its [`Interest`]s.
    fn enable(&self, workflow: RStr<'_>) -> AbiResult<RString>;
    /// Forgets a workflow.
    fn disable(&self, workflow: i64) -> AbiResult<()>;
    /// Reads a manual run's input, answers with a [`ManualRun`]. The frozen prefix ends here.
    #[sabi(last_prefix_field)]
    fn manual(&self, config: RStr<'_>, input: RStr<'_>) -> AbiResult<RString>;
}

struct TriggerProvider(GuardedDrop<Box<dyn ErasedTrigger>>);

impl RawTrigger for TriggerProvider {
    fn info(&self) -> AbiResult<RString> {
        answer(guarded("info", || write("trigger's description", &self.0.get().info())))
    }

    fn config_schema(&self) -> AbiResult<RString> {
        answer(guarded("config_schema", || write("configuration's schema", &self.0.get().config_schema())))
    }

    fn validate(&self, config: RStr<'_>, schema: SchemaObject<'_>) -> AbiResult<()> {
        answer(guarded("validate", || self.0.get().validate(config.as_str(), &SchemaClient(schema))))
    }

    fn enable(&self, workflow: RStr<'_>) -> AbiResult<RString> {
        answer(guarded("enable", || write("interests", &self.0.get().enable(workflow.as_str())?)))
    }

    fn disable(&self, workflow: i64) -> AbiResult<()> {
        answer(guarded("disable", || {
            self.0.get().disable(WorkflowId(workflow));
            Ok(())
        }))
    }

    fn manual(&self, config: RStr<'_>, input: RStr<'_>) -> AbiResult<RString> {
        answer(guarded("manual", || write("manual run", &self.0.get().manual(config.as_str(), input.as_str())?)))
    }
}

/// Offers a plugin's trigger type.
pub(crate) fn provide(trigger: Box<dyn ErasedTrigger>) -> TriggerObject {
    RawTrigger_TO::from_value(TriggerProvider(GuardedDrop::new("dropping a trigger", trigger)), TD_Opaque)
}

/// A trigger type as the host calls it.
pub struct TriggerClient(TriggerObject);

impl TriggerClient {
    pub(crate) fn new(trigger: TriggerObject) -> Self {
        Self(trigger)
    }

    /// Describes the type.
    ///
    /// # Errors
    ///
    /// A fault of the plugin.
    pub fn info(&self) -> Result<TriggerInfo, PluginError> {
        read("trigger's description", &result(self.0.info())?)
    }

    /// The JSON Schema of its configuration.
    ///
    /// # Errors
    ///
    /// A fault of the plugin.
    pub fn config_schema(&self) -> Result<Value, PluginError> {
        read("configuration's schema", &result(self.0.config_schema())?)
    }

    /// Checks a configuration against `schema`.
    ///
    /// # Errors
    ///
    /// The configuration is wrong, or the plugin, or the view, is at fault.
    pub fn validate(&self, config: &Value, schema: &dyn SchemaView) -> Result<(), PluginError> {
        let schema = SchemaProvider::new(schema);
        let verdict = result(self.0.validate(config.to_string().as_str().into(), schema.object()));
        schema.finish(verdict)
    }

    /// Hands an enabled workflow over.
    ///
    /// # Errors
    ///
    /// The workflow does not fit, or the plugin is at fault.
    pub fn enable(&self, workflow: &Workflow<Value>) -> Result<Vec<Interest>, PluginError> {
        let workflow = write("workflow", workflow)?;
        read("interests", &result(self.0.enable(workflow.as_rstr()))?)
    }

    /// Takes a workflow back.
    ///
    /// # Errors
    ///
    /// A fault of the plugin.
    pub fn disable(&self, workflow: WorkflowId) -> Result<(), PluginError> {
        result(self.0.disable(workflow.0))
    }

    /// Reads the input of a manual run.
    ///
    /// # Errors
    ///
    /// The input is wrong, or the plugin is at fault.
    pub fn manual(&self, config: &Value, input: &Value) -> Result<ManualRun, PluginError> {
        let (config, input) = (config.to_string(), input.to_string());
        read("manual run", &result(self.0.manual(config.as_str().into(), input.as_str().into()))?)
    }
}
