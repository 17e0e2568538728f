//! Tasks, notifications and node trials over HTTP: what people have of their own, and who may see and do what.

use serde_json::{Value, json};

use crate::harness::{Client, Running, eventually};

const PASSWORD: &str = "a-password-for-somebody";

/// A member who may do nothing with any collection; answers id and client.
async fn member(running: &Running, root: &Client, name: &str) -> (Value, Client) {
    let user = json!({"username": name, "password": PASSWORD, "roles": ["member"]});
    let user = root.post("users:create", user).await.data();
    (user["id"].clone(), running.sign_in(name, PASSWORD).await)
}

/// Posts a post, bound to a background workflow with these nodes.
async fn trigger(root: &Client, nodes: Vec<Value>) {
    root.make_posts().await;
    let values = json!({"type": "action", "enabled": true, "config": {"collection": "posts"}});
    let workflow = root.post("workflows:create", values).await.data();
    let mut last = Value::Null;
    for mut node in nodes {
        node["upstreamId"] = last;
        last = root.post(&format!("workflows/{}/nodes:create", workflow["id"]), node).await.data()["id"].clone();
    }
    let key = workflow["key"].as_str().expect("a key");
    root.post(&format!("posts:create?triggerWorkflows={key}"), json!({"title": "a projector"})).await.data();
}

async fn first(client: &Client, path: &str) -> Value {
    eventually(path, async || client.get(path).await.data().as_array().and_then(|all| all.first().cloned())).await
}

#[tokio::test]
async fn an_assignee_finds_and_decides_a_task() {
    let running = Running::start().await;
    let root = running.root().await;
    let (ann_id, ann) = member(&running, &root, "ann").await;
    let (ben_id, ben) = member(&running, &root, "ben").await;
    let form = json!({"type": "object", "required": ["budget"], "properties": {"budget": {"type": "number"}}});
    let config = json!({"assignees": [ann_id, ben_id], "title": "Approve {{$context.data.title}}", "form": form});
    trigger(&root, vec![json!({"type": "manual", "title": "Boss", "config": config})]).await;

    let task = first(&ann, "workflowTasks:list?filter={\"status\":0}&sort=-id").await;
    assert_eq!((&task["userId"], &task["title"]), (&ann_id, &json!("Approve a projector")));
    assert_eq!((&task["node"]["type"], &task["node"]["title"]), (&json!("manual"), &json!("Boss")));
    assert_eq!((&task["actions"], &task["form"]), (&json!(["approve", "reject"]), &form));
    assert_eq!(
        ann.get("workflowTasks:count").await.data(),
        json!({"pending": 1, "approved": 0, "rejected": 0, "answered": 0, "closed": 0})
    );
    let id = task["id"].clone();
    let whole = ann.get(&format!("workflowTasks:get/{id}")).await.data();
    assert_eq!(whole["data"]["title"], "a projector");

    let submit = format!("workflowTasks:submit/{id}");
    for (client, body, refusal) in [
        (&ann, json!({}), (400, "REQUIRED")),
        (&ann, json!({"action": "delegate"}), (400, "UNKNOWN_TASK_ACTION")),
        (&ann, json!({"action": "approve"}), (400, "INVALID_VALUE")),
        (&ann, json!({"action": "approve", "values": {"budget": "x"}}), (400, "INVALID_VALUE")),
        (&ann, json!({"action": "approve", "values": []}), (400, "INVALID_VALUE")),
        (&ann, json!({"action": "approve", "values": {"budget": 1}, "comment": 1}), (400, "INVALID_VALUE")),
        (&ben, json!({"action": "approve", "values": {"budget": 1}}), (404, "NOT_FOUND")),
        (&root, json!({"action": "approve", "values": {"budget": 1}}), (404, "NOT_FOUND")),
        (&running.nobody(), json!({"action": "approve"}), (401, "EMPTY_TOKEN")),
    ] {
        assert_eq!(client.post(&submit, body.clone()).await.refusal(), refusal, "{body}");
    }
    let draft = json!({"values": {"budget": "later"}, "comment": "hm"});
    let saved = ann.post(&format!("workflowTasks:saveDraft/{id}"), draft).await.data();
    assert_eq!(
        (&saved["status"], &saved["result"], &saved["comment"]),
        (&json!(0), &json!({"budget": "later"}), &json!("hm"))
    );
    assert_eq!(ben.post(&format!("workflowTasks:saveDraft/{id}"), json!({})).await.refusal(), (404, "NOT_FOUND"));

    let decided = ann.post(&submit, json!({"action": "approve", "values": {"budget": 7}})).await.data();
    assert_eq!((&decided["status"], &decided["result"]), (&json!(1), &json!({"budget": 7})));
    assert_eq!(ann.post(&submit, json!({"action": "reject"})).await.refusal(), (409, "ILLEGAL_MOVE"));
    let execution = format!("executions:get?filterByTk={}&appends=jobs", task["executionId"]);
    let ended = eventually("the end", async || {
        let execution = root.get(&execution).await.data();
        (execution["status"] == 1).then_some(execution)
    })
    .await;
    assert_eq!(ended["jobs"][0]["result"]["values"], json!({"budget": 7}));
    let closed = first(&ben, "workflowTasks:list").await;
    assert_eq!(closed["status"], -3);
    let late = format!("workflowTasks:submit/{}", closed["id"]);
    assert_eq!(ben.post(&late, json!({"action": "reject"})).await.refusal(), (409, "ILLEGAL_MOVE"));
}

#[tokio::test]
async fn everybody_sees_their_own_tasks_only() {
    let running = Running::start().await;
    let root = running.root().await;
    let (ann_id, ann) = member(&running, &root, "ann").await;
    let (_, ben) = member(&running, &root, "ben").await;
    trigger(&root, vec![json!({"type": "manual", "config": {"assignees": ann_id, "title": "t"}})]).await;
    let id = first(&ann, "workflowTasks:list").await["id"].clone();

    assert_eq!(ben.get("workflowTasks:list").await.data(), json!([]));
    assert_eq!(root.get("workflowTasks:list").await.data(), json!([]));
    let everybodys = format!("workflowTasks:list?filter={{\"$or\":[{{\"userId\":{ann_id}}},{{\"id.$gt\":0}}]}}");
    assert_eq!(ben.get(&everybodys).await.data(), json!([]));
    assert_eq!(ben.get(&format!("workflowTasks:get/{id}")).await.refusal(), (404, "NOT_FOUND"));
    let all = root.get("workflowTasks:list?all=1").await;
    assert_eq!((&all.1["meta"]["count"], &all.1["data"][0]["id"]), (&json!(1), &id));
    assert_eq!(root.get(&format!("workflowTasks:get/{id}?all=1")).await.data()["id"], id);
    assert_eq!(ann.get("workflowTasks:list?all=1").await.0, 403);

    // Nothing behind a task of their own is reached by names, and nothing can be written past the actions.
    for query in ["filter={\"user.password.$ne\":null}", "filter={\"execution.context\":1}", "sort=user.email"] {
        let answer = ann.get(&format!("workflowTasks:list?{query}")).await;
        assert!(matches!(answer.0, 400 | 403), "{query}: {answer:?}");
    }
    let appended = ann.get("workflowTasks:list?appends=user,execution,job").await.data();
    assert!(["user", "execution", "job"].iter().all(|name| appended[0].get(*name).is_none()), "{appended}");
    assert_eq!(ann.get("workflowTasks:list?fields=title").await.data(), json!([{"title": "t", "id": id}]));
    for action in ["create", "update", "destroy"] {
        let path = format!("workflowTasks:{action}?filterByTk={id}");
        assert_eq!(root.post(&path, json!({"status": 1})).await.refusal(), (404, "UNKNOWN_ACTION"));
    }
}

#[tokio::test]
async fn notifications_are_read_and_deleted_by_their_receivers() {
    let running = Running::start().await;
    let root = running.root().await;
    let (ann_id, ann) = member(&running, &root, "ann").await;
    let (ben_id, ben) = member(&running, &root, "ben").await;
    let telling =
        |title: &str| json!({"type": "notification", "config": {"receivers": [ann_id, ben_id], "title": title}});
    trigger(&root, vec![telling("one"), telling("two {{$context.data.title}}")]).await;
    let unread = "notifications:list?filter={\"read\":false}&sort=id";
    eventually("both", async || (ann.get(unread).await.1["meta"]["count"] == 2).then_some(())).await;
    let told = ann.get(unread).await.data();
    assert_eq!((&told[0]["title"], &told[1]["title"]), (&json!("one"), &json!("two a projector")));
    let (one, two) = (&told[0]["id"], &told[1]["id"]);

    for action in ["read", "destroy"] {
        assert_eq!(ann.post(&format!("notifications:{action}"), json!({})).await.refusal(), (400, "FILTER_REQUIRED"));
        assert_eq!(ben.post(&format!("notifications:{action}?filterByTk={one}"), json!({})).await.data(), 0);
    }
    assert_eq!(ann.get("notifications:count").await.data(), json!({"unread": 2}));
    assert_eq!(ann.post(&format!("notifications:read?filterByTk={one}"), json!({})).await.data(), 1);
    assert_eq!(ann.get(&format!("notifications:get/{one}")).await.data()["read"], true);
    assert_eq!(ann.post("notifications:readAll", json!({})).await.data(), 1);
    assert_eq!(
        ann.post(&format!("notifications:destroy?filterByTk[]={one}&filterByTk[]={two}"), json!({})).await.data(),
        2
    );
    assert_eq!(ann.get("notifications:list").await.data(), json!([]));
    assert_eq!(ben.get("notifications:count").await.data(), json!({"unread": 2}));
    assert_eq!(root.post("notifications:create", json!({"title": "x"})).await.refusal(), (404, "UNKNOWN_ACTION"));
}

#[tokio::test]
async fn a_node_is_tried_out() {
    let running = Running::start().await;
    let root = running.root().await;
    root.make_posts().await;
    let (_, ann) = member(&running, &root, "ann").await;
    let calculation = json!({"type": "calculation", "config": {"expression": "{{$context.data.read}} * {{$jobsMapByNodeKey.a}}"},
        "context": {"data": {"read": 3}}, "jobs": {"a": 2}});
    assert_eq!(root.post("flow_nodes:test", calculation.clone()).await.data(), json!({"status": 1, "result": 6}));
    assert_eq!(ann.post("flow_nodes:test", calculation).await.0, 403);
    let create = json!({"type": "create", "config": {"collection": "posts", "params": {"values": {"title": "x"}}}});
    let tried = root.post("flow_nodes:test", create).await.data();
    assert_eq!((&tried["status"], &tried["result"]["title"]), (&json!(1), &json!("x")));
    for list in ["posts:list", "executions:list"] {
        assert_eq!(root.get(list).await.data(), json!([]), "{list}");
    }
    for (body, refusal) in [
        (json!({}), (400, "Node type is required")),
        (json!({"type": "nosuch"}), (400, "Node type \"nosuch\" is not registered")),
        (json!({"type": "create"}), (400, "\"collection\" is required")),
        (json!({"type": "end"}), (400, "end nodes cannot be tried out: they need an execution")),
        (json!({"type": "calculation", "config": {"expression": "1"}, "context": 1}), (400, "INVALID_VALUE")),
    ] {
        assert_eq!(root.post("flow_nodes:test", body.clone()).await.refusal(), refusal, "{body}");
    }
}
