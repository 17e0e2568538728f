//! What became of a plugin, for people and for programs.

use plugin_api::{Button, ExecutionMode, Interest, LocalizedText, Service};
use serde::Serialize;

/// What became of one plugin of the manifest.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PluginReport {
    /// Its id.
    pub id: String,
    /// Its library, as the manifest names it.
    pub library: String,
    /// Whether the host needs it.
    pub required: bool,
    /// Loaded, failed or switched off.
    pub state: PluginState,
    /// The version of its crate, if the library could be opened.
    pub version: Option<String>,
    /// The version of plugin-api it was built with.
    pub api_version: Option<String>,
    /// The compiler it was built with.
    pub rustc: Option<String>,
    /// The services it needs, by name.
    pub needs: Vec<String>,
    /// The services that the manifest grants.
    pub grants: Vec<Service>,
    /// The trigger types it offers.
    pub triggers: Vec<TriggerReport>,
    /// Its hooks.
    pub hooks: Vec<HookReport>,
    /// Why it failed, in one line.
    pub error: Option<String>,
}

impl PluginReport {
    /// Says whether the host refuses to start because of it.
    pub fn stops_the_host(&self) -> bool {
        self.required && self.state == PluginState::Failed
    }
}

/// What became of a plugin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum PluginState {
    /// It works.
    Loaded,
    /// It could not be loaded.
    Failed,
    /// The manifest switched it off.
    Disabled,
}

/// A trigger type that a plugin offers.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TriggerReport {
    /// The type.
    pub id: String,
    /// What people see.
    pub title: LocalizedText,
    /// The buttons it can be bound to.
    pub buttons: Vec<Button>,
    /// The modes its workflows may have.
    pub modes: Vec<ExecutionMode>,
}

/// A hook of a plugin.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct HookReport {
    /// The actions it is always asked about.
    pub interests: Vec<Interest>,
}
