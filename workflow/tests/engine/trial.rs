//! Nodes that are tried out: run on given values, without leaving anything behind.

use serde_json::{Value, json};
use store::{JobStatus, Record};
use workflow::{EngineError, Trial, Tried};

use crate::harness::{Harness, object};

fn trial(node_type: &str, config: Value) -> Trial {
    Trial {
        node_type: node_type.to_owned(),
        config,
        context: json!({"data": {"id": 1, "title": "x", "read": 3}}),
        jobs: object(json!({"k3y": {"total": 5}})),
        scopes: object(json!({"loop": {"item": "i"}})),
    }
}

impl Harness {
    async fn check_trial(&self, node_type: &str, config: Value, status: JobStatus, result: Value) {
        let tried = self.engine.try_node(trial(node_type, config)).await.unwrap();
        assert_eq!(tried, Tried { status, result }, "{node_type}");
    }
}

#[test_database::test]
async fn variables_take_what_is_given() {
    let harness = Harness::new().await;
    let resolved = JobStatus::Resolved;
    let expression = json!({"expression": "{{$context.data.read}} + {{$jobsMapByNodeKey.k3y.total}}"});
    harness.check_trial("calculation", expression, resolved, json!(8)).await;
    let script = json!({"content": "return a + b", "arguments": [
        {"name": "a", "value": "{{$scopes.loop.item}}"}, {"name": "b", "value": "{{$context.data.title}}"}]});
    harness.check_trial("script", script, resolved, json!("ix")).await;
    let query = json!({"source": "{{$context.data}}", "expression": ".read"});
    harness.check_trial("json-query", query, resolved, json!(3)).await;
    let message = json!({"message": "hello {{$context.data.title}}"});
    let tried = harness.engine.try_node(trial("response-message", message)).await.unwrap();
    assert_eq!(tried.status, resolved);
}

#[test_database::test]
async fn what_a_node_writes_is_taken_back() {
    let harness = Harness::new().await;
    let post = harness.post(json!({"title": "kept"})).await;
    let create = json!({"collection": "posts", "params": {"values": {"title": "{{$context.data.title}}"}}});
    let tried = harness.engine.try_node(trial("create", create)).await.unwrap();
    assert_eq!((tried.status, &tried.result["title"]), (JobStatus::Resolved, &json!("x")));
    let filter = json!({"id": post["id"]});
    let update = json!({"collection": "posts", "params": {"filter": filter, "values": {"title": "new"}}});
    assert_eq!(harness.engine.try_node(trial("update", update)).await.unwrap().status, JobStatus::Resolved);
    let destroy = json!({"collection": "posts", "params": {"filter": filter}});
    assert_eq!(harness.engine.try_node(trial("destroy", destroy)).await.unwrap().status, JobStatus::Resolved);
    let user = harness.user(json!({})).await;
    let notification = json!({"receivers": user, "title": "t"});
    let tried = harness.engine.try_node(trial("notification", notification)).await.unwrap();
    assert_eq!((tried.status, &tried.result["inApp"]), (JobStatus::Resolved, &json!([user])));

    let titles: Vec<Value> = harness.records("posts").await.iter().map(|post| post["title"].clone()).collect();
    assert_eq!(titles, [json!("kept")]);
    for collection in ["notifications", "executions", "jobs"] {
        assert_eq!(harness.records(collection).await, Vec::<Value>::new(), "{collection}");
    }
}

#[test_database::test]
async fn a_node_that_fails_says_why() {
    let harness = Harness::new().await;
    let error = JobStatus::Error;
    let nosuch = json!({"collection": "nosuch"});
    let tried = harness.engine.try_node(trial("create", nosuch)).await.unwrap();
    assert_eq!(tried.status, error);
    assert!(tried.result["message"].as_str().is_some_and(|message| message.contains("nosuch")), "{tried:?}");
    let twice = json!({"collection": "posts", "params": {"values": {"code": "c"}}});
    harness.post(json!({"code": "c"})).await;
    harness.check_trial("create", twice, error, json!({"message": "code already exists"})).await;
}

#[test_database::test]
async fn what_needs_an_execution_is_refused() {
    let harness = Harness::new().await;
    for (node_type, config) in [
        ("manual", json!({"assignees": 1, "title": "t"})),
        ("delay", json!({"duration": 1})),
        ("end", json!({})),
        ("loop", json!({"target": 3})),
        ("parallel", json!({})),
        ("subflow", json!({"workflow": "k"})),
    ] {
        let refusal = harness.engine.try_node(trial(node_type, config)).await.unwrap_err();
        let want = format!("{node_type} nodes cannot be tried out: they need an execution");
        assert_eq!(refusal.to_string(), want);
    }
    let mistake = harness.engine.try_node(trial("create", json!({}))).await.unwrap_err();
    assert_eq!(mistake.to_string(), "\"collection\" is required");
    let unknown = harness.engine.try_node(trial("nosuch", Value::Object(Record::new()))).await.unwrap_err();
    assert!(matches!(unknown, EngineError::UnknownNodeType(_)));
}
