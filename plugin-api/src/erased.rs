//! Triggers, node types and clocks without their configuration type: configurations and input arrive as JSON text.
//!
//! [`crate::Registrar`] wraps each typed [`Trigger`] into [`Typed`], each [`TaskNode`] into [`TypedNode`] and each [`ClockHandler`] into
//! [`TypedClock`]; what carries them across the boundary sees only [`ErasedTrigger`], [`ErasedNode`] and [`ErasedClock`].

use schemars::schema_for;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::{
    action::Interest,
    clock::{ClockAnswer, ClockHandler, ClockQuestion, ClockWatch},
    error::PluginError,
    id::WorkflowId,
    node::{NodeInfo, People, Progress, Step, TaskNode},
    schema::SchemaView,
    trigger::{ManualRun, Trigger, TriggerInfo, Workflow},
};

/// A [`Trigger`] whose configuration type is hidden behind JSON text.
pub(crate) trait ErasedTrigger: Send + Sync {
    fn info(&self) -> TriggerInfo;
    fn config_schema(&self) -> Value;
    fn validate(&self, config: &str, schema: &dyn SchemaView) -> Result<(), PluginError>;
    fn enable(&self, workflow: &str) -> Result<Vec<Interest>, PluginError>;
    fn disable(&self, workflow: WorkflowId);
    fn manual(&self, config: &str, input: &str) -> Result<ManualRun, PluginError>;
}

/// Reads and writes JSON on behalf of a typed trigger.
pub(crate) struct Typed<T>(pub(crate) T);

impl<T: Trigger> ErasedTrigger for Typed<T> {
    fn info(&self) -> TriggerInfo {
        self.0.info()
    }

    fn config_schema(&self) -> Value {
        schema_for!(T::Config).to_value()
    }

    fn validate(&self, config: &str, schema: &dyn SchemaView) -> Result<(), PluginError> {
        self.0.validate(&read(config, "configuration")?, schema)
    }

    fn enable(&self, workflow: &str) -> Result<Vec<Interest>, PluginError> {
        self.0.enable(read::<Workflow<T::Config>>(workflow, "workflow")?)
    }

    fn disable(&self, workflow: WorkflowId) {
        self.0.disable(workflow);
    }

    fn manual(&self, config: &str, input: &str) -> Result<ManualRun, PluginError> {
        self.0.manual(&read(config, "configuration")?, read(input, "input")?)
    }
}

/// A [`TaskNode`] whose configuration type is hidden behind JSON text.
pub(crate) trait ErasedNode: Send + Sync {
    fn info(&self) -> NodeInfo;
    fn config_schema(&self) -> Value;
    fn check(&self, config: &str) -> Result<(), PluginError>;
    fn people(&self, config: &str) -> Result<People, PluginError>;
    fn step(&self, config: &str, progress: &Progress) -> Result<Step, PluginError>;
}

/// Reads and writes JSON on behalf of a typed node.
pub(crate) struct TypedNode<T>(pub(crate) T);

impl<T: TaskNode> ErasedNode for TypedNode<T> {
    fn info(&self) -> NodeInfo {
        self.0.info()
    }

    fn config_schema(&self) -> Value {
        schema_for!(T::Config).to_value()
    }

    fn check(&self, config: &str) -> Result<(), PluginError> {
        self.0.check(&read(config, "configuration")?)
    }

    fn people(&self, config: &str) -> Result<People, PluginError> {
        self.0.people(&read(config, "configuration")?)
    }

    fn step(&self, config: &str, progress: &Progress) -> Result<Step, PluginError> {
        self.0.step(&read(config, "configuration")?, progress)
    }
}

/// A [`ClockHandler`] whose configuration type is hidden behind JSON text.
pub(crate) trait ErasedClock: Send + Sync {
    fn watch(&self, config: &str) -> Result<Option<ClockWatch>, PluginError>;
    fn due(&self, config: &str, question: &ClockQuestion) -> Result<ClockAnswer, PluginError>;
}

/// Reads configurations on behalf of a typed clock.
pub(crate) struct TypedClock<T>(pub(crate) T);

impl<T: ClockHandler> ErasedClock for TypedClock<T> {
    fn watch(&self, config: &str) -> Result<Option<ClockWatch>, PluginError> {
        self.0.watch(&read(config, "configuration")?)
    }

    fn due(&self, config: &str, question: &ClockQuestion) -> Result<ClockAnswer, PluginError> {
        self.0.due(&read(config, "configuration")?, question)
    }
}

/// Reads a message; what does not fit is the configurer's or caller's mistake.
fn read<T: DeserializeOwned>(json: &str, what: &str) -> Result<T, PluginError> {
    serde_json::from_str(json).map_err(|error| PluginError::invalid(format!("the {what} does not fit: {error}")))
}
