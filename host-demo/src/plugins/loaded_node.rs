//! A node type of a plugin as the rest of the host uses it.

use std::sync::Arc;

use plugin_api::{NodeInfo, People, PluginError, Progress, Step};
use plugin_loader::OfferedNode;
use serde_json::Value;

use super::member::Member;

/// A node type of a loaded plugin. It keeps its plugin, whatever takes over from that meanwhile.
#[derive(Clone)]
pub struct LoadedNode {
    member: Arc<Member>,
    /// Which of the plugin's node types.
    index: usize,
}

impl LoadedNode {
    pub(super) fn new(member: Arc<Member>, index: usize) -> Self {
        Self { member, index }
    }

    fn offered(&self) -> &OfferedNode {
        &self.member.candidate.offered.nodes[self.index]
    }

    /// The plugin's id.
    pub fn plugin(&self) -> &str {
        &self.member.id
    }

    /// What the type says about itself.
    pub fn info(&self) -> &NodeInfo {
        &self.offered().info
    }

    /// The JSON Schema of its configuration.
    pub fn config_schema(&self) -> &Value {
        &self.offered().config_schema
    }

    /// Checks what the JSON Schema cannot say.
    ///
    /// # Errors
    ///
    /// The configuration is wrong; the plugin is at fault, or out of service.
    pub fn check(&self, config: &Value) -> Result<(), PluginError> {
        self.member.ask(&self.info().id, || self.offered().node.check(config))
    }

    /// Asks whom a configuration means.
    ///
    /// # Errors
    ///
    /// The configuration is wrong; the plugin is at fault, or out of service.
    pub fn people(&self, config: &Value) -> Result<People, PluginError> {
        self.member.ask(&self.info().id, || self.offered().node.people(config))
    }

    /// Asks what is next.
    ///
    /// # Errors
    ///
    /// The answer is not possible; the plugin is at fault, or out of service.
    pub fn step(&self, config: &Value, progress: &Progress) -> Result<Step, PluginError> {
        self.member.ask(&self.info().id, || self.offered().node.step(config, progress))
    }
}
