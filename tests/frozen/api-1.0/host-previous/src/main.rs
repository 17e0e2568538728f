//! A host of plugin-api 1.0, cut down to one conversation: it opens a library, makes the plugin, enables workflows, asks
//! the hooks about actions, and prints what it heard as JSON.
//!
//! `bridge` and `error` are the host's own files of that time, unchanged. What is asked comes as JSON on the standard input:
//!
//! ```json
//! {"trigger": "…", "schema": {"posts": {"category": "categories"}}, "workflows": [{"id": 1, "key": "…", "mode": "sync", "config": {}}],
//!  "actions": [{"action": "create", "collection": "posts", "bindings": ""}]}
//! ```

mod bridge;
mod error;

use std::{collections::BTreeMap, env, error::Error, io, path::Path, process::ExitCode};

use plugin_api::{
    Action, ActionEvent, ActionHook, Association, Cardinality, CollectionRef, Phase, SchemaView, Workflow,
};
use serde::Deserialize;
use serde_json::{Value, json};

#[derive(Deserialize)]
struct Conversation {
    trigger: String,
    schema: Schema,
    workflows: Vec<Workflow<Value>>,
    actions: Vec<UserAction>,
}

#[derive(Deserialize)]
struct UserAction {
    action: Action,
    collection: CollectionRef,
    bindings: String,
}

/// Associations that lead to one record each, by collection and field.
#[derive(Deserialize)]
struct Schema(BTreeMap<String, BTreeMap<String, CollectionRef>>);

impl SchemaView for Schema {
    fn has_data_source(&self, data_source: &str) -> bool {
        data_source == "main"
    }

    fn has_collection(&self, collection: &CollectionRef) -> bool {
        self.0.contains_key(&collection.to_string())
    }

    fn association(&self, collection: &CollectionRef, field: &str) -> Option<Association> {
        let target = self.0.get(&collection.to_string())?.get(field)?.clone();
        Some(Association { target, cardinality: Cardinality::One })
    }
}

fn main() -> ExitCode {
    match run() {
        Ok(heard) => {
            println!("{heard}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<Value, Box<dyn Error>> {
    let path = env::args_os().nth(1).ok_or("which library?")?;
    let Conversation { trigger, schema, workflows, actions } = serde_json::from_reader(io::stdin())?;
    let library = bridge::OpenLibrary::open(Path::new(&path), Path::new(&path))?;
    let offers = library.make(&json!({}))?;
    let mut triggers = BTreeMap::new();
    for offered in &offers.triggers {
        triggers.insert(offered.info()?.id, offered);
    }
    let trigger = triggers.get(&trigger).ok_or("no such trigger type")?;

    let mut enabled = Vec::new();
    for workflow in &workflows {
        let outcome = trigger.validate(&workflow.config, &schema).and_then(|()| trigger.enable(workflow));
        enabled.push(match outcome {
            Ok(interests) => json!({ "interests": interests }),
            Err(error) => json!({ "error": error }),
        });
    }
    let mut plans = Vec::new();
    for asked in &actions {
        let mut event = ActionEvent::new(Phase::After, asked.action, &asked.collection, &schema);
        event.bindings = &asked.bindings;
        for (_, hook) in &offers.hooks {
            plans.push(hook.plan(&event)?);
        }
    }
    Ok(json!({
        "hostApi": plugin_api::abi::module::API_VERSION,
        "pluginApi": library.api_version(),
        "id": library.id(),
        "triggers": triggers.keys().collect::<Vec<_>>(),
        "enabled": enabled,
        "plans": plans,
    }))
}
