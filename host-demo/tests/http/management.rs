//! Workflows, runs by hand, and the descriptions that a console needs.

use serde_json::{Value, json};

use crate::harness::Running;

#[tokio::test]
async fn a_run_by_hand_can_leave_an_editable_version_behind() {
    let running = Running::start().await;
    let root = running.root().await;
    root.make_posts().await;
    root.post("posts:create", json!({"title": "t"})).await.data();
    let workflow = root.make_workflow().await;
    let (id, key) = (&workflow["id"], workflow["key"].as_str().expect("a key"));
    let execute = format!("workflows:execute?filterByTk={id}&autoRevision=1");

    let run = root.post(&execute, json!({"data": 1, "userId": 1})).await.data();
    assert_eq!(run["execution"]["status"], 1);
    let next = &run["newVersionId"];
    let version = async |id: &Value| root.get(&format!("workflows:get?filterByTk={id}")).await.data();
    let (old, new) = (version(id).await, version(next).await);
    assert_eq!((&old["enabled"], &old["current"], &old["executed"]), (&json!(false), &Value::Null, &json!(1)));
    assert_eq!((&new["enabled"], &new["current"], &new["key"]), (&json!(true), &json!(true), &json!(key)));

    root.post(&format!("posts:create?triggerWorkflows={key}"), json!({"title": "next"})).await.data();
    let executions = root.get(&format!("executions:list?filter={{\"workflowId\":{next}}}")).await.data();
    assert_eq!(executions[0]["context"]["data"]["title"], "next", "the new version fires");
    let again = root.post(&execute, json!({"data": 1, "userId": 1})).await.data();
    assert!(again.get("newVersionId").is_none(), "a version that had run makes none: {again}");

    let config = json!({"config": {"collection": "categories"}});
    let frozen = root.post(&format!("workflows:update?filterByTk={id}"), config).await;
    assert_eq!(frozen.0, 400);
    let (missing, odd) = (json!({"data": 99, "userId": 1}), json!({"data": [1], "userId": 1}));
    for input in [missing, odd, json!({}), json!({"data": 1, "userId": "x"})] {
        let before = root.get("executions:list").await.1["meta"]["count"].clone();
        assert_eq!(root.post(&execute, input.clone()).await.0, 400, "{input}");
        assert_eq!(root.get("executions:list").await.1["meta"]["count"], before, "{input}");
    }
}

#[tokio::test]
async fn copies_and_versions() {
    let running = Running::start().await;
    let root = running.root().await;
    root.make_posts().await;
    let workflow = root.make_workflow().await;
    let (id, key) = (&workflow["id"], &workflow["key"]);
    root.post(&format!("workflows/{id}/nodes:create"), json!({"type": "end", "config": {"endStatus": 1}})).await.data();

    let next =
        root.post(&format!("workflows:revision?filterByTk={id}&filter={{\"key\":{key}}}"), json!({})).await.data();
    let copy = root.post(&format!("workflows:revision?filterByTk={id}"), json!({})).await.data();
    assert_eq!((&next["key"], &next["enabled"]), (key, &json!(false)));
    assert!(copy["key"] != *key && copy["enabled"] == false);
    for version in [&next, &copy] {
        let nodes = root.get(&format!("workflows/{}/nodes:list", version["id"])).await.data();
        assert_eq!((nodes[0]["type"].as_str(), &nodes[0]["config"]), (Some("end"), &json!({"endStatus": 1})));
    }
    let foreign = root.post(&format!("workflows:revision?filterByTk={id}&filter={{\"key\":\"x\"}}"), json!({})).await;
    assert_eq!(foreign.refusal(), (404, "NOT_FOUND"));

    assert_eq!(root.post(&format!("workflows:destroy?filterByTk={id}"), json!({})).await.data(), 2);
    assert_eq!(root.get(&format!("workflows:get?filterByTk={}", next["id"])).await.0, 404);
}

#[tokio::test]
async fn nodes_are_checked_before_they_are_stored() {
    let running = Running::start().await;
    let root = running.root().await;
    root.make_posts().await;
    let workflow = root.make_workflow().await;
    let create = format!("workflows/{}/nodes:create", workflow["id"]);
    for node in [
        json!({}),
        json!({"type": "nosuch"}),
        json!({"type": "end", "config": "x"}),
        json!({"type": "end", "upstreamId": "x"}),
    ] {
        assert_eq!(root.post(&create, node.clone()).await.0, 400, "{node}");
    }
    assert_eq!(root.post("workflows/1/nodes:create", json!({"type": "end"})).await.refusal(), (404, "NOT_FOUND"));
    let node = root.post(&create, json!({"type": "end"})).await.data();
    let update = format!("flow_nodes:update?filterByTk={}", node["id"]);
    assert_eq!(root.post(&update, json!({"config": {"endStatus": "x"}})).await.0, 400);
    assert_eq!(root.post(&update, json!({"title": "the end"})).await.data()[0]["title"], "the end");
    root.post(&format!("flow_nodes:destroy?filterByTk={}", node["id"]), json!({})).await.data();
    assert_eq!(root.get("flow_nodes:list").await.1["meta"]["count"], 0);
}

#[tokio::test]
async fn triggers_and_node_types_describe_themselves() {
    let running = Running::start().await;
    let root = running.root().await;
    let triggers = root.get("workflows:triggers").await.data();
    assert_eq!(triggers[0]["id"], "action");
    assert_eq!(triggers[0]["configSchema"]["properties"]["collection"]["type"], "string");
    for language in ["en", "fr", "ru", "ko", "nl", "zh"] {
        assert!(triggers[0]["title"][language].is_string(), "{language}");
    }
    let types = root.get("workflows:nodeTypes").await.data();
    let names: Vec<_> = types.as_array().expect("a list").iter().filter_map(|node| node["type"].as_str()).collect();
    for name in ["condition", "calculation", "create", "update", "query", "destroy", "end", "response-message", "delay"]
    {
        assert!(names.contains(&name), "{name}: {names:?}");
    }
}

#[tokio::test]
async fn rights_go_with_their_collection() {
    let running = Running::start().await;
    let root = running.root().await;
    root.make_posts().await;
    let all = json!({"name": "posts", "actions": [{"name": "view"}]});
    root.post("roles/member/dataSourceResources:create", all).await.data();
    for wrong in [
        json!({"name": "nosuch", "actions": []}),
        json!({"name": "posts", "actions": [{"name": "vew"}]}),
        json!({"name": "posts", "actions": [{"name": "view", "fields": ["nosuch"]}]}),
        json!({"name": "posts", "actions": "view"}),
        json!({"name": "posts", "dataSourceKey": "other", "actions": []}),
    ] {
        let answer = root.post("roles/admin/dataSourceResources:create", wrong.clone()).await;
        assert_eq!(answer.0, 400, "{wrong}: {}", answer.1);
    }
    root.post("collections:destroy?filterByTk=posts", json!({})).await.data();
    assert_eq!(root.get("roles/member/dataSourceResources:list").await.data(), json!([]));
    assert_eq!(root.get("posts:list").await.refusal(), (404, "UNKNOWN_RESOURCE"));
}

#[tokio::test]
async fn options_are_checked_before_they_are_stored() {
    let running = Running::start().await;
    let root = running.root().await;
    root.make_posts().await;
    let workflow = root.make_workflow().await;
    let update = format!("workflows:update?filterByTk={}", workflow["id"]);
    let good = json!({"options": {"timeout": 1_000, "retry": {"attempts": 2, "on": [-2]}, "concurrency": 2}});
    let updated = root.post(&update, good.clone()).await.data();
    assert_eq!(updated[0]["options"], good["options"]);
    let refused = root.post(&update, json!({"options": {"timeout": "soon"}})).await;
    assert_eq!(refused.0, 400);
    assert_eq!(refused.1["errors"][0]["message"], "\"timeout\" must be a whole number from 0 to 315360000000");
    let mut values = json!({"type": "action", "config": {"collection": "posts"}, "options": {"stackLimit": 0}});
    assert_eq!(root.post("workflows:create", values.clone()).await.0, 400);
    values["options"] = json!({"stackLimit": 3});
    assert_eq!(root.post("workflows:create", values).await.data()["options"]["stackLimit"], 3);
}
