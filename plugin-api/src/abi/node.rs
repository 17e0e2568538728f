//! A plugin's [`crate::TaskNode`]: configurations, progress and answers are JSON text.

use abi_stable::{
    sabi_trait,
    sabi_trait::TD_Opaque,
    std_types::{RBox, RStr, RString},
};
use serde_json::Value;

use super::{
    error::{AbiResult, answer, read, result, write},
    guard::{GuardedDrop, guarded},
};
use crate::{
    erased::ErasedNode,
    error::PluginError,
    node::{NodeInfo, People, Progress, Step},
};

/// A node type that the host owns.
pub type NodeObject = RawNode_TO<RBox<()>>;

/// The plugin's side of a [`crate::TaskNode`].
#[sabi_trait]
pub trait RawNode: Send + Sync + 'static {
    /// The [`NodeInfo`].
    fn info(&self) -> AbiResult<RString>;
    /// The JSON Schema of configurations.
    fn config_schema(&self) -> AbiResult<RString>;
    /// Checks a configuration whose variables are not resolved.
    fn check(&self, config: RStr<'_>) -> AbiResult<()>;
    /// Answers with the [`People`] that a resolved configuration means.
    fn people(&self, config: RStr<'_>) -> AbiResult<RString>;
    /// Takes a resolved configuration and a [`Progress`], answers with a [`Step`]. The prefix of 1.2 ends here.
    #[sabi(last_prefix_field)]
    fn step(&self, config: RStr<'_>, progress: RStr<'_>) -> AbiResult<RString>;
}

struct NodeProvider(GuardedDrop<Box<dyn ErasedNode>>);

impl RawNode for NodeProvider {
    fn info(&self) -> AbiResult<RString> {
        answer(guarded("info", || write("node's description", &self.0.get().info())))
    }

    fn config_schema(&self) -> AbiResult<RString> {
        answer(guarded("config_schema", || write("configuration's schema", &self.0.get().config_schema())))
    }

    fn check(&self, config: RStr<'_>) -> AbiResult<()> {
        answer(guarded("check", || self.0.get().check(config.as_str())))
    }

    fn people(&self, config: RStr<'_>) -> AbiResult<RString> {
        answer(guarded("people", || write("people", &self.0.get().people(config.as_str())?)))
    }

    fn step(&self, config: RStr<'_>, progress: RStr<'_>) -> AbiResult<RString> {
        answer(guarded("step", || {
            let progress = read("progress", progress.as_str())?;
            write("step", &self.0.get().step(config.as_str(), &progress)?)
        }))
    }
}

/// Offers a plugin's node type.
pub(crate) fn provide(node: Box<dyn ErasedNode>) -> NodeObject {
    RawNode_TO::from_value(NodeProvider(GuardedDrop::new("dropping a node type", node)), TD_Opaque)
}

/// A node type as the host calls it.
pub struct NodeClient(NodeObject);

impl NodeClient {
    pub(crate) fn new(node: NodeObject) -> Self {
        Self(node)
    }

    /// Describes the type.
    ///
    /// # Errors
    ///
    /// A fault of the plugin.
    pub fn info(&self) -> Result<NodeInfo, PluginError> {
        read("node's description", &result(self.0.info())?)
    }

    /// The JSON Schema of its configuration.
    ///
    /// # Errors
    ///
    /// A fault of the plugin.
    pub fn config_schema(&self) -> Result<Value, PluginError> {
        read("configuration's schema", &result(self.0.config_schema())?)
    }

    /// Checks a configuration whose variables are not resolved.
    ///
    /// # Errors
    ///
    /// The configuration is wrong, or the plugin is at fault.
    pub fn check(&self, config: &Value) -> Result<(), PluginError> {
        result(self.0.check(config.to_string().as_str().into()))
    }

    /// Asks who is meant by a resolved configuration.
    ///
    /// # Errors
    ///
    /// The configuration is wrong, or the plugin is at fault.
    pub fn people(&self, config: &Value) -> Result<People, PluginError> {
        read("people", &result(self.0.people(config.to_string().as_str().into()))?)
    }

    /// Asks what is next.
    ///
    /// # Errors
    ///
    /// The configuration is wrong, an answer is not possible, or the plugin is at fault.
    pub fn step(&self, config: &Value, progress: &Progress) -> Result<Step, PluginError> {
        let (config, progress) = (config.to_string(), write("progress", progress)?);
        read("step", &result(self.0.step(config.as_str().into(), progress.as_rstr()))?)
    }
}
