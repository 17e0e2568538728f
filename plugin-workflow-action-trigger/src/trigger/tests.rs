use std::sync::Arc;

use plugin_api::{
    Action, Association, Batch, Button, Cardinality, CollectionRef, Condition, ErrorKind, ExecutionMode, ManualData,
    PluginError, SchemaView, Trigger, UserId, When, Workflow, WorkflowId,
};
use serde_json::{Value, json};

use super::PostActionTrigger;
use crate::{
    config::{ActionType, Config},
    index::SharedIndex,
};

fn config(json: Value) -> Config {
    serde_json::from_value(json).expect("a configuration")
}

fn trigger() -> PostActionTrigger {
    PostActionTrigger::new(Arc::new(SharedIndex::default()))
}

/// `posts` and `categories` in `main`; posts have a category.
struct Blog;

impl SchemaView for Blog {
    fn has_data_source(&self, data_source: &str) -> bool {
        data_source == "main"
    }

    fn has_collection(&self, collection: &CollectionRef) -> bool {
        ["posts", "categories"].contains(&collection.name())
    }

    fn association(&self, collection: &CollectionRef, field: &str) -> Option<Association> {
        (collection.name() == "posts" && field == "category")
            .then(|| Association { target: CollectionRef::parse("categories"), cardinality: Cardinality::One })
    }

    fn check_condition(&self, _: &CollectionRef, condition: &Condition) -> Result<(), PluginError> {
        match condition.0.keys().find(|name| !name.starts_with("data.")) {
            Some(name) => Err(PluginError::invalid(format!("{name} is unknown"))),
            None => Ok(()),
        }
    }

    fn check_comparable(&self, _: &CollectionRef, field: &str) -> Result<(), PluginError> {
        if field == "title" { Ok(()) } else { Err(PluginError::invalid(format!("{field} is unknown"))) }
    }
}

#[test]
fn a_configuration_names_what_exists() {
    let check = |json: Value, expected: Result<(), &str>| {
        let answer = trigger().validate(&config(json.clone()), &Blog);
        let answer = answer.as_ref().copied().map_err(|error| {
            assert_eq!(error.kind, ErrorKind::Invalid);
            error.message.as_str()
        });
        assert_eq!(answer, expected, "{json}");
    };
    check(json!({"collection": "posts", "appends": ["category"], "unknown": 1}), Ok(()));
    check(json!({"collection": "main:posts"}), Ok(()));
    check(json!({"collection": "posts", "condition": {"data.title": "x"}, "changed": ["title"]}), Ok(()));
    check(json!({"collection": "posts", "condition": null, "changed": []}), Ok(()));
    check(json!({"collection": "posts", "condition": {"title": "x"}}), Err(r#""condition": title is unknown"#));
    check(json!({"collection": "posts", "changed": ["title", "x"]}), Err(r#""changed": x is unknown"#));
    check(json!({"collection": "nosuch:posts"}), Err(r#"Data source "nosuch" does not exist"#));
    check(json!({"collection": "nosuch"}), Err(r#"Collection "nosuch" does not exist in data source "main""#));
    check(json!({"collection": ""}), Err(r#"Collection "" does not exist in data source "main""#));
    for path in ["x.y", "category.y", ""] {
        let message = format!(r#"Association "{path}" does not exist in collection "posts""#);
        check(json!({"collection": "posts", "appends": ["category", path]}), Err(&message));
    }
}

#[test]
fn only_global_workflows_wait_for_requests_that_do_not_name_them() {
    let interests = |json: Value| {
        let config = config(json);
        let workflow = Workflow { id: WorkflowId(1), key: "k".to_owned(), mode: ExecutionMode::Sync, config };
        trigger().enable(workflow).expect("enabling cannot fail")
    };
    assert_eq!(interests(json!({"collection": "posts"})), []);
    assert_eq!(interests(json!({"collection": "posts", "actions": ["create"]})), []);
    assert_eq!(interests(json!({"collection": "posts", "global": true})), []);

    let global = interests(json!({"collection": "posts", "global": true, "actions": ["update", "destroy"]}));
    let [interest] = global.as_slice() else { panic!("one interest, not {global:?}") };
    assert_eq!(interest.actions, [Action::Update, Action::Destroy]);
    assert_eq!(interest.collection, Some(CollectionRef::parse("posts")));
    assert_eq!(interest.when, When::Always);
}

#[test]
fn trigger_and_hook_share_the_index() {
    let index = Arc::new(SharedIndex::default());
    let trigger = PostActionTrigger::new(Arc::clone(&index));
    let config = config(json!({"collection": "posts", "global": true, "actions": ["create"]}));
    let workflow = Workflow { id: WorkflowId(5), key: "k".to_owned(), mode: ExecutionMode::Sync, config };
    trigger.enable(workflow).expect("enabling cannot fail");
    assert!(index.snapshot().by_key("k").is_some());
    trigger.disable(WorkflowId(5));
    assert!(index.snapshot().globals(&CollectionRef::parse("posts"), ActionType::Create).next().is_none());
}

#[test]
fn a_manual_run_takes_a_record_or_a_key() {
    let check = |appends: Value, data: Value, expected: ManualData| {
        let config = config(json!({"collection": "posts", "appends": appends}));
        let run = trigger().manual(&config, json!({"data": data, "userId": 7})).expect("a good input");
        assert_eq!((run.data, run.user, run.role), (expected, UserId(7), None));
    };
    let load = |config: Value, key| {
        let preloads = serde_json::from_value(config).expect("paths");
        ManualData::Load { collection: CollectionRef::parse("posts"), key, preloads }
    };
    check(json!([]), json!({"id": 1, "title": "given"}), ManualData::Given(json!({"id": 1, "title": "given"})));
    check(json!(["category"]), json!({"id": 1}), load(json!(["category"]), json!({"id": 1})));
    check(json!([]), json!(12), load(json!([]), json!(12)));
    check(json!([]), json!("slug"), load(json!([]), json!("slug")));
}

#[test]
fn a_manual_run_keeps_the_given_role() {
    let input = json!({"data": 1, "userId": 7, "roleName": "member"});
    let run = trigger().manual(&config(json!({"collection": "posts"})), input).expect("a good input");
    assert_eq!(run.role.as_deref(), Some("member"));
    assert_eq!(run.batch, Batch::PerRecord);
}

#[test]
fn a_manual_run_hands_over_what_actions_do() {
    let config = config(json!({"collection": "posts", "batch": "perBatch"}));
    let run = trigger().manual(&config, json!({"data": 1, "userId": 7})).expect("a good input");
    assert_eq!(run.batch, Batch::PerBatch);
}

#[test]
fn a_manual_run_says_what_is_missing() {
    let check = |input: Value, message: &str| {
        let error = trigger().manual(&config(json!({"collection": "posts"})), input).expect_err("a bad input");
        assert_eq!((error.kind, error.message.as_str()), (ErrorKind::Invalid, message));
    };
    check(json!({"userId": 1}), r#""data" is required"#);
    check(json!({"data": null, "userId": 1}), r#""data" is required"#);
    check(json!({"data": [1, 2], "userId": 1}), r#""data" must be a record or the primary key of one"#);
    check(json!({"data": true, "userId": 1}), r#""data" must be a record or the primary key of one"#);
    check(json!({"data": 1}), r#""userId" is required"#);
    check(json!({"data": 1, "userId": null}), r#""userId" is required"#);
    check(json!({"data": 1, "userId": "x"}), r#""userId" must be the number of a user"#);
    check(json!({"data": 1, "userId": 1.5}), r#""userId" must be the number of a user"#);
    check(json!({"data": 1, "userId": 1, "roleName": 3}), r#""roleName" must be a string"#);
    check(json!([]), "The input of a manual run must be an object");
    check(Value::Null, "The input of a manual run must be an object");
}

#[test]
fn the_type_is_described_for_console_and_host() {
    let info = trigger().info();
    assert_eq!(info.id, "action");
    assert_eq!(info.binding.buttons, [Button::FormSubmit, Button::UpdateRecord, Button::DeleteRecord]);
    assert_eq!(info.binding.modes, [ExecutionMode::Async, ExecutionMode::Sync], "the first is the default");
    let variables: Vec<&str> = info.binding.variables.iter().map(|variable| variable.name.as_str()).collect();
    assert_eq!(variables, ["data", "user", "roleName"]);
}

#[test]
fn the_schema_says_what_the_form_needs() {
    let schema = schemars::schema_for!(Config).to_value();
    assert_eq!(schema["required"], json!(["collection"]));
    assert_eq!(schema["properties"]["collection"]["type"], "string");
    assert_eq!(schema["properties"]["collection"]["x-selector"], "collection");
    assert_eq!(schema["properties"]["appends"]["x-selector"], "association-path");
    assert_eq!(schema["properties"]["actions"]["x-visible-if"], json!({"global": true}));
    assert_eq!(schema["properties"]["condition"]["x-selector"], "filter");
    assert_eq!(schema["properties"]["changed"]["x-selector"], "field");
    assert_eq!(schema["properties"]["previous"]["x-variable"], "previous");
    assert!(schema.get("additionalProperties").is_none(), "unknown fields are accepted");
    for field in ["collection", "global", "actions", "appends", "condition", "changed", "previous", "batch"] {
        let titles = &schema["properties"][field]["x-title"];
        assert!(
            titles["en"].is_string() && schema["properties"][field]["title"] == titles["en"],
            "{field} has a title"
        );
        assert!(schema["properties"][field]["description"].is_string(), "{field} has a description");
    }
}
