//! What became of a plugin, for people and for programs.

use std::path::PathBuf;

use plugin_api::{Button, ExecutionMode, Interest, LocalizedText, NodeBranch, Service};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{error::LoadProblem, manifest::ManifestEntry, member::Member};

/// What became of one plugin of the manifest.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PluginReport {
    /// Its id.
    pub id: String,
    /// Its library, as the manifest names it.
    pub library: String,
    /// The file that was taken for it, if there is one.
    pub path: Option<PathBuf>,
    /// Whether the host needs it.
    pub required: bool,
    /// What it is doing.
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
    /// The node types it offers.
    #[serde(default)]
    pub nodes: Vec<NodeReport>,
    /// The names of the routes it answers, below `/api/`.
    #[serde(default)]
    pub routes: Vec<String>,
    /// How many of its calls failed since it was loaded.
    pub faults: u64,
    /// What the last of them said.
    pub last_fault: Option<String>,
    /// Why it could not be loaded, in one line.
    pub error: Option<String>,
}

/// What becomes of a plugin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum PluginState {
    /// It works.
    Loaded,
    /// It is loaded, and left out because it failed too often.
    Suspended,
    /// It could not be loaded.
    Failed,
    /// The manifest switched it off.
    Disabled,
}

impl PluginState {
    /// As it is written.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Loaded => "loaded",
            Self::Suspended => "suspended",
            Self::Failed => "failed",
            Self::Disabled => "disabled",
        }
    }
}

/// A trigger type that a plugin offers.
#[derive(Debug, Clone, Serialize, Deserialize)]
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
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HookReport {
    /// The actions it is always asked about.
    pub interests: Vec<Interest>,
}

/// A node type that a plugin offers.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NodeReport {
    /// The type.
    pub id: String,
    /// What people see.
    pub title: LocalizedText,
    /// The branches that may follow it.
    pub branches: Vec<NodeBranch>,
}

/// Everything there is to know about one plugin.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PluginDetails {
    /// What became of it.
    #[serde(flatten)]
    pub report: PluginReport,
    /// The SHA-256 of the library that is loaded, in hexadecimal.
    pub sha256: Option<String>,
    /// When it is taken out of service.
    pub breaker: super::BreakerSettings,
    /// Its settings; what their schema calls `writeOnly` or a `password` is starred out.
    pub settings: Value,
    /// The JSON Schema of its settings.
    pub settings_schema: Option<Value>,
    /// The JSON Schema of the configuration of each of its trigger types.
    pub config_schemas: serde_json::Map<String, Value>,
    /// The JSON Schema of the configuration of each of its node types.
    #[serde(default)]
    pub node_schemas: serde_json::Map<String, Value>,
    /// The workflows of its trigger types, if a server was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workflows: Option<Vec<WorkflowOfPlugin>>,
}

/// A workflow version of one of a plugin's trigger types.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct WorkflowOfPlugin {
    /// The version.
    pub id: i64,
    /// Shared by all versions.
    pub key: String,
    /// What people see.
    pub title: Option<String>,
    /// The trigger type.
    #[serde(rename = "type")]
    pub trigger_type: String,
    /// Whether it is switched on.
    pub enabled: bool,
}

impl PluginReport {
    /// A report on an entry of which nothing is known yet.
    pub(super) fn new(entry: &ManifestEntry) -> Self {
        Self {
            id: entry.id.clone(),
            library: entry.library.display().to_string(),
            path: None,
            required: entry.required,
            state: PluginState::Disabled,
            version: None,
            api_version: None,
            rustc: None,
            needs: Vec::new(),
            grants: entry.grants.clone(),
            triggers: Vec::new(),
            hooks: Vec::new(),
            nodes: Vec::new(),
            routes: Vec::new(),
            faults: 0,
            last_fault: None,
            error: None,
        }
    }

    /// Says whether the host refuses to start because of it.
    pub fn stops_the_host(&self) -> bool {
        self.required && self.state == PluginState::Failed
    }

    /// Takes in what a plugin offers.
    pub(super) fn describe(&mut self, member: &Member) {
        let offered = &member.candidate.offered;
        let triggers = offered.triggers.iter().map(|offered| TriggerReport {
            id: offered.info.id.clone(),
            title: offered.info.title.clone(),
            buttons: offered.info.binding.buttons.clone(),
            modes: offered.info.binding.modes.clone(),
        });
        self.triggers = triggers.collect();
        let hooks = offered.hooks.iter();
        self.hooks = hooks.map(|(interests, _)| HookReport { interests: interests.clone() }).collect();
        let nodes = offered.nodes.iter().map(|offered| NodeReport {
            id: offered.info.id.clone(),
            title: offered.info.title.clone(),
            branches: offered.info.branches.clone(),
        });
        self.nodes = nodes.collect();
        self.routes = offered.routes.iter().map(|(name, _)| name.clone()).collect();
    }

    /// Says how loading ended.
    pub(super) fn finish(&mut self, problem: Option<&LoadProblem>) {
        match problem {
            None => self.state = PluginState::Loaded,
            Some(problem) => {
                let name = if self.id.is_empty() { &self.library } else { &self.id };
                self.state = PluginState::Failed;
                self.error = Some(format!("plugin \"{name}\" {problem}"));
            }
        }
    }
}

/// Stars out what a schema of settings calls a secret.
pub(super) fn without_secrets(settings: &Value, schema: &Value) -> Value {
    star_out(settings, &[schema], schema)
}

/// `schemas` all say something about the value.
fn star_out(value: &Value, schemas: &[&Value], root: &Value) -> Value {
    let mut schemas = schemas.to_vec();
    // What they refer to, and their alternatives, say something too. A schema that leads back to itself says it once.
    let mut seen = 0;
    while let Some(schema) = schemas.get(seen).copied() {
        seen += 1;
        let referred = schema["$ref"].as_str().and_then(|path| root.pointer(path.strip_prefix('#')?));
        let parts = ["anyOf", "oneOf", "allOf"].into_iter().filter_map(|kind| schema[kind].as_array()).flatten();
        for more in referred.into_iter().chain(parts) {
            if !schemas.iter().any(|known| std::ptr::eq(*known, more)) {
                schemas.push(more);
            }
        }
    }
    let below = |keys: [&str; 2], name: &str| -> Vec<&Value> {
        let [named, others] = keys;
        schemas.iter().flat_map(|schema| schema[named].get(name).into_iter().chain(schema.get(others))).collect()
    };
    match value {
        Value::Null => Value::Null,
        _ if schemas.iter().any(|schema| schema["writeOnly"] == true || schema["format"] == "password") => "***".into(),
        Value::Object(members) => members
            .iter()
            .map(|(name, value)| {
                (name.clone(), star_out(value, &below(["properties", "additionalProperties"], name), root))
            })
            .collect(),
        Value::Array(items) => {
            items.iter().map(|item| star_out(item, &below(["properties", "items"], ""), root)).collect()
        }
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::without_secrets;

    #[test]
    fn secrets_are_starred_out() {
        let schema = json!({"properties": {
            "key": {"type": "string", "format": "password"},
            "mail": {"properties": {"token": {"writeOnly": true}}},
        }});
        let settings = json!({"key": "k", "mail": {"token": {"a": 1}, "host": "h"}, "more": [1]});
        assert_eq!(
            without_secrets(&settings, &schema),
            json!({"key": "***", "mail": {"token": "***", "host": "h"}, "more": [1]})
        );

        // As schemars describes an optional struct, and lists of them.
        let schema = json!({
            "properties": {"mail": {"anyOf": [{"$ref": "#/$defs/Mail"}, {"type": "null"}]}, "mails": {"items": {"$ref": "#/$defs/Mail"}}},
            "$defs": {"Mail": {"properties": {"token": {"writeOnly": true}, "next": {"$ref": "#/$defs/Mail"}}}},
        });
        let mail = |token: &str| json!({"token": token, "next": {"token": token}});
        assert_eq!(
            without_secrets(&json!({"mail": mail("t"), "mails": [mail("t")]}), &schema),
            json!({"mail": mail("***"), "mails": [mail("***")]})
        );
    }
}
