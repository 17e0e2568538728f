use plugin_api::{
    Action, Association, AssociationPath, Batch, Button, Cardinality, CollectionRef, Condition, ExecutionMode, Firing,
    ManualData, ManualRun, PluginError, SchemaView, Workflow, WorkflowId, watch::Watch,
};
use serde_json::{Value, json};

use super::Config;

fn config(json: Value) -> Config {
    serde_json::from_value(json).expect("a configuration")
}

/// `posts` in `main`, with a category.
struct Blog;

impl SchemaView for Blog {
    fn has_data_source(&self, data_source: &str) -> bool {
        data_source == "main"
    }

    fn has_collection(&self, collection: &CollectionRef) -> bool {
        collection.name() == "posts"
    }

    fn association(&self, _: &CollectionRef, field: &str) -> Option<Association> {
        let target = CollectionRef::parse("categories");
        (field == "category").then_some(Association { target, cardinality: Cardinality::One })
    }

    fn check_condition(&self, _: &CollectionRef, _: &Condition) -> Result<(), PluginError> {
        Err(PluginError::invalid("data.x is unknown"))
    }
}

#[test]
fn a_configuration_names_what_exists_where_it_takes_records() {
    let check = |json: Value, expected: Result<(), &str>| {
        assert_eq!(config(json.clone()).validate(&Blog), expected.map_err(PluginError::invalid), "{json}");
    };
    check(json!({"type": 0}), Ok(()));
    check(json!({"type": 0, "collection": "nosuch", "appends": ["x"]}), Ok(()));
    check(json!({"type": 1, "collection": "posts", "appends": ["category"]}), Ok(()));
    check(json!({"type": 2, "collection": "posts", "condition": {}}), Ok(()));
    check(json!({"type": 1}), Err(r#""collection" is required"#));
    check(json!({"type": 2, "collection": null}), Err(r#""collection" is required"#));
    check(json!({"type": 1, "collection": "x"}), Err(r#"Collection "x" does not exist in data source "main""#));
    let message = r#"Association "x" does not exist in collection "posts""#;
    check(json!({"type": 1, "collection": "posts", "appends": ["x"]}), Err(message));
    let condition = json!({"type": 1, "collection": "posts", "condition": {"data.x": 1}});
    check(condition, Err(r#""condition": data.x is unknown"#));
    for other in [json!(3), json!(-1), json!("1"), Value::Null] {
        assert!(serde_json::from_value::<Config>(json!({"type": other})).is_err());
    }
}

#[test]
fn a_firing_says_what_is_handed_over() {
    let firing = |values: Value| {
        let (id, key, mode) = (WorkflowId(1), "k".to_owned(), ExecutionMode::Sync);
        let workflow = Workflow { id, key, mode, config: config(values) };
        Config::firing(&workflow, Action::Trigger, AssociationPath::parse("category"))
    };
    let plain = Firing { path: AssociationPath::parse("category"), ..Firing::new(WorkflowId(1), ExecutionMode::Sync) };
    let rest = json!({"collection": "posts", "appends": ["category"], "condition": {"data.title": "x"}});
    let typed = |number: u8| {
        let mut values = rest.clone();
        values["type"] = number.into();
        firing(values)
    };
    assert_eq!(typed(0), plain, "records have no part in it");
    let one = typed(1);
    assert_eq!((one.preloads.len(), one.condition.is_some(), one.batch), (1, true, Batch::PerRecord));
    assert_eq!(typed(2), Firing { batch: Batch::PerBatch, ..one });
}

#[test]
fn workflows_without_records_watch_no_collection() {
    let watched = |values: Value| config(values).collection().to_string();
    assert_eq!(watched(json!({"type": 0, "collection": "posts"})), "");
    assert_eq!(watched(json!({"type": 1, "collection": "posts"})), "posts");
    assert!(!config(json!({"type": 1, "collection": "posts"})).is_global(), "it is always named");
}

fn manual(values: Value, data: &Value) -> Result<ManualRun, String> {
    config(values).manual(json!({"data": data, "userId": 7})).map_err(|error| error.message)
}

#[test]
fn a_manual_run_hands_over_what_the_button_does() {
    let posts = || CollectionRef::parse("posts");
    let load = |key: Value| ManualData::Load { collection: posts(), key, preloads: vec![] };
    let check = |kind: u8, data: Value, expected: ManualData, batch: Batch| {
        let run = manual(json!({"type": kind, "collection": "posts"}), &data).expect("a good input");
        assert_eq!((run.data, run.batch), (expected, batch), "type {kind} {data}");
    };
    check(0, json!([1, {"x": 2}]), ManualData::Given(json!([1, {"x": 2}])), Batch::PerRecord);
    check(1, json!(12), load(json!(12)), Batch::PerRecord);
    check(1, json!({"id": 1}), ManualData::Given(json!({"id": 1})), Batch::PerRecord);
    check(2, json!(12), load(json!(12)), Batch::PerBatch);
    check(2, json!([1, "b"]), load(json!([1, "b"])), Batch::PerRecord);
    check(2, json!([{"id": 1}, {"id": 2}]), ManualData::Given(json!([{"id": 1}, {"id": 2}])), Batch::PerRecord);
    let whole = manual(json!({"type": 2, "collection": "posts", "appends": ["category"]}), &json!([{"id": 1}, 2]));
    let preloads = vec![AssociationPath::parse("category")];
    let keys = ManualData::Load { collection: posts(), key: json!([{"id": 1}, 2]), preloads };
    assert_eq!(whole.expect("a good input").data, keys);
}

#[test]
fn a_manual_run_says_what_is_wrong() {
    let check = |kind: u8, data: Value, message: &str| {
        let said = manual(json!({"type": kind, "collection": "posts"}), &data).expect_err("a bad input");
        assert_eq!(said, message);
    };
    check(0, Value::Null, r#""data" is required"#);
    check(1, json!([1, 2]), r#""data" must be a record or the primary key of one"#);
    check(2, json!([]), r#""data" must hold at least one record or key"#);
    check(2, json!([1, {"id": 2}]), r#""data" must hold records or keys, not both"#);
    check(2, json!([true]), r#""data" must be a record or the primary key of one"#);
}

#[test]
fn the_type_is_described_for_console_and_host() {
    let info = Config::info();
    assert_eq!(info.id, "custom-action");
    assert_eq!(info.binding.buttons, [Button::TriggerWorkflow]);
    assert_eq!(info.binding.modes, [ExecutionMode::Async, ExecutionMode::Sync], "the first is the default");
}

#[test]
fn the_schema_says_what_the_form_needs() {
    let schema = schemars::schema_for!(Config).to_value();
    assert_eq!(schema["required"], json!(["type"]));
    let choices = schema["properties"]["type"]["oneOf"].as_array().expect("choices");
    let numbers: Vec<&Value> = choices.iter().map(|choice| &choice["const"]).collect();
    assert_eq!(numbers, [0, 1, 2]);
    assert!(choices.iter().all(|choice| choice["x-title"]["zh"].is_string()));
    assert_eq!(schema["properties"]["collection"]["x-selector"], "collection");
    assert_eq!(schema["properties"]["collection"]["x-visible-if"], json!({"type": [1, 2]}));
    for field in ["type", "collection", "appends", "condition"] {
        assert!(schema["properties"][field]["x-title"]["en"].is_string(), "{field} has a title");
        assert!(schema["properties"][field]["description"].is_string(), "{field} has a description");
    }
}
