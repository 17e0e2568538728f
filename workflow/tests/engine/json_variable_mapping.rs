//! `json-variable-mapping` through the engine.

use serde_json::{Value, json};
use store::{ExecutionStatus, JobStatus};

use crate::harness::{Harness, node};

async fn map(harness: &Harness, source: Value, variables: Value) -> (JobStatus, Value) {
    let config = json!({"source": "{{$context.data}}", "variables": variables});
    let (_, job, result) = harness.run_node(node("json-variable-mapping", config), json!({"data": source})).await;
    (job, result)
}

#[test_database::test]
async fn parts_get_names() {
    let harness = Harness::new().await;
    let source =
        json!({"order": {"id": 7, "items": [{"price": 1.5, "tags": ["a", "b"]}, {"price": 2, "tags": ["c"]}]}});
    let variables = json!([
        {"path": "order.id", "name": "id", "required": true},
        {"path": "order.items.price", "name": "prices"},
        {"path": "order.items.tags", "name": "tags"},
        {"path": " order.items.1.price ", "name": "second"},
        {"path": "order.missing", "name": "missing"},
        {"path": "order.missing.deeper", "name": "defaulted", "default": "none", "required": true},
        {"path": "{{$context.data.order.id}}", "name": "verbatim"},
    ]);
    let want = json!({
        "id": 7, "prices": [1.5, 2], "tags": ["a", "b", "c"], "second": 2, "missing": null, "defaulted": "none",
        "verbatim": null,
    });
    assert_eq!(map(&harness, source.clone(), variables).await, (JobStatus::Resolved, want));
    let whole = json!([{"path": "", "name": "whole"}]);
    assert_eq!(map(&harness, source.clone(), whole).await, (JobStatus::Resolved, json!({"whole": source})));
}

#[test_database::test]
async fn a_text_is_read_as_json() {
    let harness = Harness::new().await;
    let variables = json!([{"path": "a.b", "name": "b"}]);
    let read = map(&harness, json!("{\"a\": {\"b\": [true]}}"), variables.clone()).await;
    assert_eq!(read, (JobStatus::Resolved, json!({"b": [true]})));
    let (status, result) = map(&harness, json!("<html>"), variables).await;
    assert_eq!(status, JobStatus::Error);
    assert!(result["message"].as_str().unwrap().starts_with("the source is a text, but not JSON"), "{result}");
}

#[test_database::test]
async fn a_missing_required_part_ends_the_execution() {
    let harness = Harness::new().await;
    let config = json!({"source": {"a": 1}, "variables": [{"path": "b", "name": "x", "required": true}]});
    let (status, job, result) = harness.run_node(node("json-variable-mapping", config), json!({})).await;
    assert_eq!((status, job), (ExecutionStatus::Error, JobStatus::Error));
    assert_eq!(result["message"], "\"x\" is missing: there is nothing at \"b\"");
}

#[test_database::test]
async fn names_are_checked_beforehand() {
    let harness = Harness::new().await;
    let check = |variables: Value| {
        let config = json!({"source": {}, "variables": variables});
        harness.engine.check_node("json-variable-mapping", &config).map_err(|error| error.to_string())
    };
    assert_eq!(check(json!([{"path": "a", "name": "a"}, {"path": "b", "name": "b"}])), Ok(()));
    assert_eq!(
        check(json!([{"path": "a", "name": "a"}, {"path": "b", "name": "a"}])),
        Err("the name \"a\" is given twice".into())
    );
    assert_eq!(
        check(json!([{"path": "a", "name": "a.b"}])),
        Err("\"a.b\" cannot be a name: it is empty or has a dot or a brace".into())
    );
    assert_eq!(check(json!([{"path": "a"}])), Err("\"variables.0.name\" is required".into()));
}
