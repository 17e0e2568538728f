//! Taking hold of executions over HTTP.

use serde_json::{Value, json};

use crate::harness::{Client, Running, eventually};

/// A background workflow on posts with these options and nodes, and the key of the execution that a post starts.
async fn start(root: &Client, options: Value, nodes: Vec<Value>) -> (Value, Value) {
    root.make_posts().await;
    let values = json!({"type": "action", "enabled": true, "config": {"collection": "posts"}, "options": options});
    let workflow = root.post("workflows:create", values).await.data();
    let mut last = Value::Null;
    for mut node in nodes {
        node["upstreamId"] = last;
        last = root.post(&format!("workflows/{}/nodes:create", workflow["id"]), node).await.data()["id"].clone();
    }
    let key = workflow["key"].as_str().expect("a key");
    root.post(&format!("posts:create?triggerWorkflows={key}"), json!({"title": "t"})).await.data();
    let execution = eventually("an execution", async || {
        root.get("executions:list?sort=id").await.data().as_array().and_then(|all| all.first().cloned())
    })
    .await;
    (execution["id"].clone(), last)
}

async fn until(root: &Client, id: &Value, status: i64) -> Value {
    eventually("the state", async || {
        let record = root.get(&format!("executions:get?filterByTk={id}&appends=jobs")).await.data();
        (record["status"] == status).then_some(record)
    })
    .await
}

/// A started execution is shown before its node has run; one that waits has a pending job.
async fn until_it_waits(root: &Client, id: &Value) {
    eventually("a pending job", async || {
        let record = root.get(&format!("executions:get?filterByTk={id}&appends=jobs")).await.data();
        (record["jobs"][0]["status"] == 0).then_some(())
    })
    .await;
}

#[tokio::test]
async fn what_an_execution_waits_for_can_be_ended() {
    let running = Running::start().await;
    let root = running.root().await;
    let delay = json!({"type": "delay", "config": {"unit": 60_000, "duration": 60}});
    let (id, _) = start(&root, json!({}), vec![delay]).await;
    until_it_waits(&root, &id).await;
    let resume = format!("executions:resume?filterByTk={id}");
    for (query, body, refusal) in [
        ("", json!({"status": 0}), (400, "INVALID_VALUE")),
        ("", json!({"status": "done"}), (400, "INVALID_VALUE")),
        ("&jobId=1", json!({}), (404, "NOT_FOUND")),
    ] {
        assert_eq!(root.post(&format!("{resume}{query}"), body.clone()).await.refusal(), refusal, "{body}");
    }
    root.post(&resume, json!({"status": 1, "result": {"ok": true}})).await.data();
    let record = until(&root, &id, 1).await;
    assert_eq!(record["jobs"][0]["result"], json!({"ok": true}));
    assert_eq!(root.post(&resume, json!({})).await.refusal(), (400, "NOT_WAITING"));
}

#[tokio::test]
async fn an_execution_is_run_again_from_a_node_on() {
    let running = Running::start().await;
    let root = running.root().await;
    let calculation = |text: &str| json!({"type": "calculation", "config": {"expression": text}});
    let (id, last) = start(&root, json!({}), vec![calculation("1"), calculation("2")]).await;
    until(&root, &id, 1).await;
    let rerun = format!("executions:rerun?filterByTk={id}");
    assert_eq!(root.post(&rerun, json!({})).await.refusal(), (400, "REQUIRED"));
    assert_eq!(root.post(&format!("{rerun}&nodeId=1"), json!({})).await.refusal(), (400, "NODE_NOT_REACHED"));
    assert_eq!(root.post("executions:rerun?filterByTk=1&nodeId=1", json!({})).await.0, 404);
    let again = root.post(&format!("{rerun}&nodeId={last}"), json!({})).await.data();
    assert_eq!(again["retryOf"], id);
    let record = until(&root, &again["id"], 1).await;
    let results: Vec<&Value> = record["jobs"].as_array().expect("jobs").iter().map(|job| &job["result"]).collect();
    assert_eq!(results, [&json!(1), &json!(2)]);
}

#[tokio::test]
async fn dead_letters_are_listed_and_put_back() {
    let running = Running::start().await;
    let root = running.root().await;
    let options = json!({"retry": {"attempts": 1, "backoffMs": 1, "on": [-1]}});
    let (id, _) = start(&root, options, vec![json!({"type": "end", "config": {"endStatus": -1}})]).await;
    let letters = "executions:list?filter={\"deadLetter\":true}";
    let letter = async || root.get(letters).await.data().as_array().and_then(|all| all.first().cloned());
    let dead = eventually("a dead letter", letter).await;
    assert_eq!((&dead["retryOf"], &dead["attempt"]), (&id, &json!(2)));

    assert_eq!(root.post("executions:redrive", json!({})).await.refusal(), (400, "FILTER_REQUIRED"));
    let first = root.post(&format!("executions:redrive?filterByTk={id}"), json!({})).await;
    assert_eq!(first.refusal(), (400, "NO_DEAD_LETTER"));
    let again = root.post(&format!("executions:redrive?filterByTk={}", dead["id"]), json!({})).await.data();
    assert_eq!((&again[0]["retryOf"], &again[0]["attempt"]), (&dead["id"], &json!(1)));
    let next = eventually("the next dead letter", letter).await;
    assert_ne!(next["id"], dead["id"]);
    let by_filter = format!("executions:redrive?filter={{\"workflowId\":{}}}", next["workflowId"]);
    assert_eq!(root.post(&by_filter, json!({})).await.data().as_array().map(Vec::len), Some(1));
}
