use plugin_api::{
    Action, Association, AssociationPath, Button, CollectionRef, ExecutionMode, Firing, ManualData, PluginError,
    SchemaView, UserId, Workflow, WorkflowId, watch::Watch,
};
use serde_json::{Value, json};

use super::Config;

fn config(json: Value) -> Config {
    serde_json::from_value(json).expect("a configuration")
}

/// `posts` in `main`.
struct Posts;

impl SchemaView for Posts {
    fn has_data_source(&self, data_source: &str) -> bool {
        data_source == "main"
    }

    fn has_collection(&self, collection: &CollectionRef) -> bool {
        collection.name() == "posts"
    }

    fn association(&self, _: &CollectionRef, _: &str) -> Option<Association> {
        None
    }
}

#[test]
fn a_configuration_names_what_exists() {
    assert_eq!(config(json!({"collection": "posts", "unknown": 1})).validate(&Posts), Ok(()));
    let error = config(json!({"collection": "nosuch"})).validate(&Posts).expect_err("there is none");
    assert_eq!(error, PluginError::invalid(r#"Collection "nosuch" does not exist in data source "main""#));
}

#[test]
fn it_always_runs_before_the_answer_and_with_the_request_alone() {
    let config = config(json!({"collection": "posts"}));
    let workflow = Workflow { id: WorkflowId(1), key: "k".to_owned(), mode: ExecutionMode::Async, config };
    let firing = Config::firing(&workflow, Action::Create, AssociationPath::parse("category"));
    assert_eq!(firing, Firing::new(WorkflowId(1), ExecutionMode::Sync));
}

#[test]
fn a_manual_run_pretends_a_request() {
    let manual = |input: Value| config(json!({"collection": "posts"})).manual(input);
    let run = manual(json!({"params": {"values": {"title": "x"}, "more": 1}, "userId": 7})).expect("a good input");
    let params = json!({"filterByTk": null, "filter": null, "values": {"title": "x"}});
    assert_eq!((run.data, run.user, run.variable.as_str()), (ManualData::Given(params), UserId(7), "params"));
    for (input, message) in [
        (json!({"userId": 7}), r#""params" is required"#),
        (json!({"params": [], "userId": 7}), r#""params" must be an object"#),
        (json!({"params": {}}), r#""userId" is required"#),
    ] {
        assert_eq!(manual(input).expect_err("a bad input"), PluginError::invalid(message));
    }
}

#[test]
fn the_type_is_described_for_console_and_host() {
    let info = Config::info();
    assert_eq!(info.id, "request-interception");
    assert_eq!(info.binding.buttons, [Button::FormSubmit, Button::UpdateRecord, Button::DeleteRecord]);
    assert_eq!(info.binding.modes, [ExecutionMode::Sync]);
    let variables: Vec<&str> = info.binding.variables.iter().map(|variable| variable.name.as_str()).collect();
    assert_eq!(variables, ["params", "user", "roleName"]);
}

#[test]
fn the_schema_says_what_the_form_needs() {
    let schema = schemars::schema_for!(Config).to_value();
    assert_eq!(schema["required"], json!(["collection"]));
    let actions = &schema["properties"]["actions"]["items"]["enum"];
    assert_eq!(*actions, json!(["create", "update", "updateOrCreate", "destroy"]));
    for field in ["collection", "global", "actions"] {
        assert!(schema["properties"][field]["x-title"]["en"].is_string(), "{field} has a title");
        assert!(schema["properties"][field]["description"].is_string(), "{field} has a description");
    }
}
