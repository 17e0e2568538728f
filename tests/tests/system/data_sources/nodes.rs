//! Nodes that work on a further database.

use serde_json::{Value, json};

use super::erp::Scene;
use crate::harness::NewWorkflow;

/// A node's part of a configuration.
#[expect(clippy::needless_pass_by_value, reason = "`json!` at the call reads best without a borrow")]
fn on(params: Value) -> Value {
    json!({"collection": "erp:orders", "params": params})
}

#[test_database::test_all]
async fn nodes_read_and_write_there_whatever_has_started_them() {
    let scene = &Scene::new().await;
    for amount in ["10.5", "20"] {
        scene.order("", json!({"title": "Chairs", "amount": amount})).await;
    }
    let values = json!({"title": "{{$context.data.title}}", "status": "new"});
    let mine = json!({"title": "{{$context.data.title}}"});
    let sum = json!({"aggregator": "sum", "collection": "erp:orders", "params": {"field": "amount"}});
    let workflow = NewWorkflow::on("posts")
        .node("create", on(json!({"values": values})))
        .node("update", on(json!({"filter": mine, "values": {"status": "sent"}})))
        .node("query", on(json!({"filter": mine})))
        .node("aggregate", sum)
        .node("destroy", on(json!({"filter": {"title": "Chairs"}})));
    let workflow = scene.blog.workflow(workflow).await;
    scene.blog.create("posts", &workflow.key, json!({"title": "Desks"})).await.ok();
    let execution = &scene.blog.finished(&workflow, 1).await[0];
    assert_eq!(execution["status"], json!(1), "{execution}");
    let path = format!("executions:get?filterByTk={}&appends=jobs", execution["id"]);
    let mut jobs = scene.blog.admin.get(&path).await.ok()["jobs"].as_array().expect("jobs").clone();
    jobs.sort_by_key(|job| job["id"].as_i64());
    let results: Vec<&Value> = jobs.iter().map(|job| &job["result"]).collect();
    assert_eq!((results[0]["title"].as_str(), results[1]), (Some("Desks"), &json!(1)), "{results:?}");
    assert_eq!(results[2]["status"], json!("sent"));
    assert_eq!(results[3].to_string().trim_matches('"').parse::<f64>().ok(), Some(30.5), "{results:?}");
    assert_eq!(results[4], &json!(2));
    let left = scene.there.get("orders:list?fields=title,status").await.ok();
    assert_eq!(
        (&left[0]["title"], &left[0]["status"], left.as_array().map(Vec::len)),
        (&json!("Desks"), &json!("sent"), Some(1))
    );
}

#[test_database::test_all]
async fn what_a_node_writes_there_is_a_change_and_does_not_start_itself_for_ever() {
    let scene = &Scene::new().await;
    let next = on(json!({"values": {"title": "{{$context.data.title}}!"}}));
    let workflow = NewWorkflow::changes("erp:orders", &["create"]).node("create", next);
    let workflow = scene.blog.workflow(workflow).await;
    scene.order("", json!({"title": "Chairs"})).await;
    scene.blog.finished(&workflow, 1).await;
    // Another one hears of the node's change, and is the last.
    let heard =
        scene.blog.workflow(NewWorkflow::changes("erp:orders", &["create"]).logs("{{$context.data.title}}")).await;
    scene.order("", json!({"title": "Desks"})).await;
    let mut log = scene.logged(2).await;
    log.sort();
    assert_eq!(log, ["Desks", "Desks!"]);
    assert_eq!((scene.blog.finished(&workflow, 2).await.len(), scene.blog.finished(&heard, 2).await.len()), (2, 2));
}

#[test_database::test_all]
async fn nodes_with_names_that_lead_nowhere_fail_with_a_sentence() {
    let scene = &Scene::new().await;
    for (name, want) in
        [("nosuch:orders", "data source nosuch does not exist"), ("erp:posts", "collection posts does not exist")]
    {
        let node = json!({"collection": name, "params": {"filter": {"id": 1}}});
        let workflow = scene.blog.workflow(NewWorkflow::on("posts").node("query", node.clone())).await;
        scene.blog.create("posts", &workflow.key, json!({"title": "x"})).await.ok();
        let execution = &scene.blog.finished(&workflow, 1).await[0];
        assert_eq!(execution["status"], json!(-2));
        let tried = json!({"type": "query", "config": node});
        let tried = scene.blog.admin.post("flow_nodes:test", tried).await.ok();
        assert_eq!(tried["result"]["message"], json!(want));
    }
}

#[test_database::test_all]
async fn a_trial_leaves_nothing_behind_there() {
    let scene = &Scene::new().await;
    let trial = json!({"type": "create", "config": on(json!({"values": {"title": "Chairs"}}))});
    let tried = scene.blog.admin.post("flow_nodes:test", trial).await.ok();
    assert_eq!((&tried["status"], &tried["result"]["title"]), (&json!(1), &json!("Chairs")), "{tried}");
    assert_eq!(scene.there.get("orders:list").await.ok(), json!([]));
}

#[test_database::test_all]
async fn nothing_of_it_is_part_of_a_transaction_of_main() {
    let scene = &Scene::new().await;
    let values = json!({"type": "collection", "sync": true, "config": {"collection": "posts", "actions": ["create"]}});
    let workflow = scene.blog.admin.post("workflows:create", values).await.ok();
    let node = json!({"type": "query", "config": on(json!({"filter": {"id": 1}}))});
    scene.blog.admin.post(&format!("workflows/{}/nodes:create", workflow["id"]), node).await;
    let enabled = json!({"enabled": true});
    let enabled = scene.blog.admin.post(&format!("workflows:update?filterByTk={}", workflow["id"]), enabled).await;
    let nodes = scene.blog.admin.get(&format!("workflows/{}/nodes:list", workflow["id"])).await.ok();
    let refused = enabled.status == 400 || nodes == json!([]);
    assert!(refused, "neither such a node nor such a workflow: {} {nodes}", enabled.body);
}
