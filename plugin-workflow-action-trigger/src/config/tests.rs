use plugin_api::{
    Action, Association, Batch, Button, Cardinality, CollectionRef, Condition, ErrorKind, ExecutionMode, Firing,
    ManualData, PluginError, Previous, SchemaView, UserId, Workflow, WorkflowId, watch::Watch,
};
use serde_json::{Value, json};

use super::Config;

fn config(json: Value) -> Config {
    serde_json::from_value(json).expect("a configuration")
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
        let answer = config(json.clone()).validate(&Blog);
        let answer = answer.as_ref().copied().map_err(|error| {
            assert_eq!(error.kind, ErrorKind::Invalid);
            error.message.as_str()
        });
        assert_eq!(answer, expected, "{json}");
    };
    check(json!({"collection": "posts", "appends": ["category"], "unknown": 1}), Ok(()));
    check(json!({"collection": "posts", "condition": {"data.title": "x"}, "changed": ["title"]}), Ok(()));
    check(json!({"collection": "posts", "condition": null, "changed": []}), Ok(()));
    check(json!({"collection": "posts", "condition": {"title": "x"}}), Err(r#""condition": title is unknown"#));
    check(json!({"collection": "posts", "changed": ["title", "x"]}), Err(r#""changed": x is unknown"#));
    check(json!({"collection": "nosuch"}), Err(r#"Collection "nosuch" does not exist in data source "main""#));
    let message = r#"Association "x" does not exist in collection "posts""#;
    check(json!({"collection": "posts", "appends": ["x"]}), Err(message));
}

fn firing(action: Action, values: Value) -> Firing {
    let (id, key, mode) = (WorkflowId(1), "a".to_owned(), ExecutionMode::Async);
    let workflow = Workflow { id, key, mode, config: config(values) };
    Config::firing(&workflow, action, plugin_api::AssociationPath::default())
}

#[test]
fn terms_go_along_and_changes_are_asked_of_updates_alone() {
    let plain = firing(Action::Update, json!({"collection": "posts", "condition": {}}));
    assert_eq!(plain, Firing::new(WorkflowId(1), ExecutionMode::Async), "terms that say nothing are none");

    let condition = json!({"data.title": "x"});
    let values = json!({"collection": "posts", "appends": ["category"], "condition": condition, "changed": ["title"],
        "previous": true, "batch": "perBatch"});
    for (action, changed) in [(Action::Create, &[][..]), (Action::Update, &["title"]), (Action::Destroy, &[])] {
        let firing = firing(action, values.clone());
        assert_eq!(serde_json::to_value(&firing.condition).expect("JSON"), condition);
        assert_eq!(serde_json::to_value(&firing.preloads).expect("JSON"), json!(["category"]));
        assert_eq!(firing.changed, changed, "{action:?}");
        assert_eq!((firing.previous, firing.batch), (Previous::Included, Batch::PerBatch));
    }
}

#[test]
fn actions_are_chosen_in_global_mode() {
    let chosen = |values: Value| {
        let config = config(values);
        Action::ALL.into_iter().filter(|action| config.is_global() && config.chooses(*action)).collect::<Vec<_>>()
    };
    assert_eq!(chosen(json!({"collection": "posts", "actions": ["create"]})), []);
    assert_eq!(chosen(json!({"collection": "posts", "global": true})), []);
    let both = json!({"collection": "posts", "global": true, "actions": ["update", "destroy"]});
    assert_eq!(chosen(both), [Action::Update, Action::Destroy]);
}

#[test]
fn a_manual_run_hands_over_what_actions_do() {
    let run = |values: Value, data: Value| {
        let input = json!({"data": data, "userId": 7, "roleName": "member"});
        config(values).manual(input).expect("a good input")
    };
    let given = run(json!({"collection": "posts"}), json!({"id": 1, "title": "given"}));
    assert_eq!(given.data, ManualData::Given(json!({"id": 1, "title": "given"})));
    assert_eq!((given.user, given.role.as_deref(), given.batch), (UserId(7), Some("member"), Batch::PerRecord));
    let whole = run(json!({"collection": "posts", "appends": ["category"], "batch": "perBatch"}), json!({"id": 1}));
    let preloads = serde_json::from_value(json!(["category"])).expect("paths");
    let load = ManualData::Load { collection: CollectionRef::parse("posts"), key: json!({"id": 1}), preloads };
    assert_eq!((whole.data, whole.batch), (load, Batch::PerBatch));
    let error = config(json!({"collection": "posts"})).manual(json!({"userId": 1})).expect_err("no data");
    assert_eq!(error, PluginError::invalid(r#""data" is required"#));
}

#[test]
fn the_type_is_described_for_console_and_host() {
    let info = Config::info();
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
    assert_eq!(schema["properties"]["actions"]["items"]["enum"], json!(["create", "update", "destroy"]));
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
