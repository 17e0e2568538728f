use plugin_api::{
    Action, Association, AssociationPath, CollectionRef, Condition, ErrorKind, ExecutionMode, Firing, ManualData,
    PluginError, Previous, SchemaView, UserId, Workflow, WorkflowId, watch::Watch,
};
use serde_json::{Value, json};

use super::Config;

fn config(json: Value) -> Config {
    serde_json::from_value(json).expect("a configuration")
}

/// `posts` in `main`, whose `title` can be compared.
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

    fn check_condition(&self, _: &CollectionRef, condition: &Condition) -> Result<(), PluginError> {
        let known = condition.0.contains_key("data.title");
        known.then_some(()).ok_or_else(|| PluginError::invalid("x is unknown"))
    }

    fn check_comparable(&self, _: &CollectionRef, field: &str) -> Result<(), PluginError> {
        if field == "title" { Ok(()) } else { Err(PluginError::invalid(format!("{field} is unknown"))) }
    }
}

#[test]
fn a_configuration_names_what_exists() {
    let check = |values: Value, problem: &str| {
        let checked = config(values).validate(&Posts);
        let told = checked.err().map(|error| (error.kind, error.message));
        assert_eq!(told, (!problem.is_empty()).then(|| (ErrorKind::Invalid, problem.to_owned())));
    };
    check(json!({"collection": "posts", "actions": ["create"], "unknown": 1}), "");
    let full =
        json!({"collection": "posts", "actions": ["update"], "changed": ["title"], "condition": {"data.title": "x"}});
    check(full, "");
    check(json!({"collection": "posts", "actions": []}), r#""actions" must name at least one kind of change"#);
    let none = r#"Collection "nosuch" does not exist in data source "main""#;
    check(json!({"collection": "nosuch", "actions": ["create"]}), none);
    let appends = json!({"collection": "posts", "actions": ["create"], "appends": ["nosuch"]});
    check(appends, r#"Association "nosuch" does not exist in collection "posts""#);
    let changed = json!({"collection": "posts", "actions": ["update"], "changed": ["x"]});
    check(changed, r#""changed": x is unknown"#);
    let condition = json!({"collection": "posts", "actions": ["update"], "condition": {"x": 1}});
    check(condition, r#""condition": x is unknown"#);
}

#[test]
fn the_terms_go_along_and_changed_fields_only_with_updates() {
    let values = json!({"collection": "posts", "actions": ["create", "update"], "appends": ["category"],
        "condition": {"data.title": "x"}, "changed": ["title"], "previous": true});
    let workflow =
        Workflow { id: WorkflowId(1), key: "k".to_owned(), mode: ExecutionMode::Async, config: config(values) };
    let fire = |action| Config::firing(&workflow, action, AssociationPath::default());
    let expected = Firing {
        preloads: vec![AssociationPath::parse("category")],
        condition: workflow.config.condition.clone(),
        changed: vec!["title".to_owned()],
        previous: Previous::Included,
        ..Firing::new(WorkflowId(1), ExecutionMode::Async)
    };
    assert_eq!(fire(Action::Update), expected);
    assert_eq!(fire(Action::Create), Firing { changed: Vec::new(), ..expected });
    let chosen = [Action::Create, Action::Update, Action::Destroy].map(|action| workflow.config.chooses(action));
    assert_eq!(chosen, [true, true, false]);
}

#[test]
fn a_manual_run_names_a_record_or_gives_one() {
    let manual = |input: Value| config(json!({"collection": "posts", "actions": ["create"]})).manual(input);
    let given = manual(json!({"data": {"title": "x"}, "userId": 7})).expect("a good input");
    assert_eq!((given.data, given.user), (ManualData::Given(json!({"title": "x"})), UserId(7)));
    assert!(matches!(manual(json!({"data": 3, "userId": 7})).expect("a key").data, ManualData::Load { .. }));
    assert_eq!(manual(json!({"userId": 7})).expect_err("no data"), PluginError::invalid(r#""data" is required"#));
}

#[test]
fn the_type_is_described_for_console_and_host() {
    let info = Config::info();
    assert_eq!(info.id, "collection");
    assert!(info.binding.buttons.is_empty(), "nothing is pressed");
    assert_eq!(
        info.binding.modes,
        [ExecutionMode::Async, ExecutionMode::Sync],
        "in the background, unless it is asked for"
    );
    let variables: Vec<&str> = info.binding.variables.iter().map(|variable| variable.name.as_str()).collect();
    assert_eq!(variables, ["data", "user", "roleName"]);
}

#[test]
fn the_schema_says_what_the_form_needs() {
    let schema = schemars::schema_for!(Config).to_value();
    assert_eq!(schema["required"], json!(["collection", "actions"]));
    assert_eq!(schema["properties"]["actions"]["items"]["enum"], json!(["create", "update", "destroy"]));
    assert_eq!(schema["properties"]["previous"]["x-variable"], "previous");
    assert_eq!(schema["x-sync"], "transaction", "the host reads this");
    for field in ["collection", "actions", "changed", "condition", "appends", "previous"] {
        assert!(schema["properties"][field]["x-title"]["en"].is_string(), "{field} has a title");
        assert!(schema["properties"][field]["description"].is_string(), "{field} has a description");
    }
}
