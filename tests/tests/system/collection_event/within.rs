//! Synchronous ones: they are part of the transaction that makes the change.

use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{Blog, Host, HostOptions, NewWorkflow, eventually, fixture::data_of};

/// A server that also tells its metrics.
async fn blog() -> (Host, Blog) {
    let environment = vec![("HOST_METRICS_LISTEN", "127.0.0.1:0".to_owned())];
    let host = Host::start_with(HostOptions { environment, ..HostOptions::default() }).await;
    let blog = Blog::set_up(host.admin().await).await;
    (host, blog)
}

/// A workflow within the transaction of these changes of posts.
fn within(actions: &[&str]) -> NewWorkflow {
    NewWorkflow::changes("posts", actions).sync()
}

/// Sets a field of the post that is being changed.
fn sets(workflow: NewWorkflow, values: &Value) -> NewWorkflow {
    let filter = json!({"id": "{{$context.data.id}}"});
    workflow.node("update", json!({"collection": "posts", "params": {"filter": filter, "values": values}}))
}

async fn titles(blog: &Blog) -> Vec<Value> {
    blog.admin.list("posts", json!({})).await.into_iter().map(|post| post["title"].clone()).collect()
}

#[tokio::test]
async fn what_it_writes_is_part_of_the_change_and_seen_by_all_that_follows() {
    let (_host, blog) = blog().await;
    let counted = json!({"aggregator": "count", "collection": "posts"});
    let numbered = within(&["create"]).node("aggregate", counted).logs("within");
    let numbered = blog.workflow(sets(numbered, &json!({"code": "numbered", "read": 7}))).await;
    let later = blog.workflow(NewWorkflow::on("posts").global(&["create"])).await;
    let heard = blog.workflow(NewWorkflow::changes("posts", &["create", "update"])).await;

    let post = blog.admin.post("posts:create", json!({"title": "a"})).await.ok();
    assert_eq!((&post["code"], &post["read"]), (&json!("numbered"), &json!(7)), "the answer tells the whole change");
    assert_eq!(blog.log().await, ["within"]);
    // There is nothing to wait for: it has ended with the change.
    let executions = blog.executions(&numbered).await;
    assert_eq!((executions.len(), &executions[0]["status"]), (1, &json!(1)));
    let path = format!("executions:get?filterByTk={}&appends=jobs", executions[0]["id"]);
    let jobs = blog.admin.get(&path).await.ok()["jobs"].clone();
    let results: Vec<_> = jobs.as_array().expect("jobs").iter().map(|job| job["result"].clone()).collect();
    assert_eq!(results[0], 1, "it sees the post that is not committed yet");
    assert_eq!(data_of(&blog.finished(&later, 1).await, "code"), ["numbered"]);
    // What it changes is a change of its own, after the one it reacts to.
    let heard = blog.finished(&heard, 2).await;
    assert_eq!(data_of(&heard, "code"), [Value::Null, json!("numbered")]);
}

#[tokio::test]
async fn a_change_that_it_refuses_is_undone_and_answered_in_its_words() {
    let (host, blog) = blog().await;
    let cheap = json!({"engine": "cel", "expression": "{{$context.data.read}} < 100", "rejectOnFalse": false});
    let strict = within(&["create", "update"]).logs("seen").node("condition", cheap);
    let strict = blog.workflow(strict).await;
    let condition =
        blog.admin.list("flow_nodes", json!({"workflowId": strict.id, "type": "condition"})).await[0]["id"].clone();
    let mut upstream = condition;
    for (number, (node_type, config)) in
        [("response-message", json!({"message": "too much"})), ("end", json!({"endStatus": -1}))]
            .into_iter()
            .enumerate()
    {
        let branch = if number == 0 { json!(0) } else { Value::Null };
        let node = json!({"type": node_type, "config": config, "upstreamId": upstream, "branchIndex": branch});
        upstream = blog.admin.post(&format!("workflows/{}/nodes:create", strict.id), node).await.ok()["id"].clone();
    }
    let started = blog.workflow(NewWorkflow::on("posts").global(&["create", "update"])).await;

    let post = blog.admin.post("posts:create", json!({"title": "a", "read": 1})).await.ok();
    let refused = blog.admin.post("posts:create", json!([{"title": "b"}, {"title": "c", "read": 100}])).await;
    assert_eq!((refused.status, &refused.body), (400, &json!({"errors": [{"message": "too much"}]})));
    let update = format!("posts:update?filterByTk={}", post["id"]);
    assert_eq!(blog.admin.post(&update, json!({"title": "z", "read": 200})).await.status, 400);
    assert_eq!(titles(&blog).await, ["a"]);
    assert_eq!(blog.log().await, ["seen"], "nothing of the refused ones is left");
    assert_eq!(blog.executions(&strict).await.len(), 1);
    assert_eq!(blog.finished(&started, 1).await.len(), 1);
    assert_eq!(host.metric("record_changes_undone_total{verdict=\"refused\"}").await, 2.0);
    assert!(host.log().contains("a workflow refused a change"), "{}", host.log());

    // A node that makes such a change fails with the same words.
    let clumsy = json!({"collection": "posts", "params": {"values": {"title": "d", "read": 500}}});
    let clumsy = blog.workflow(NewWorkflow::on("tags").global(&["create"]).logs("before").node("create", clumsy)).await;
    blog.admin.post("tags:create", json!({"name": "t"})).await.ok();
    let failed = blog.finished(&clumsy, 1).await;
    assert_eq!(failed[0]["status"], -2);
    let path = format!("executions:get?filterByTk={}&appends=jobs", failed[0]["id"]);
    let jobs = blog.admin.get(&path).await.ok()["jobs"].clone();
    assert_eq!(jobs[1]["result"], json!({"message": "too much"}));
    assert_eq!(blog.log().await, ["seen", "before"]);
}

#[tokio::test]
async fn a_run_that_was_undone_has_not_frozen_the_workflow() {
    let (_host, blog) = blog().await;
    let strict = blog.workflow(within(&["create"]).refuses("first")).await;
    let refused = blog.admin.post("posts:create", json!({"title": "a"})).await;
    assert_eq!((refused.status, refused.message()), (400, "first"));
    let says = blog.admin.list("flow_nodes", json!({"workflowId": strict.id, "type": "response-message"})).await;
    let path = format!("flow_nodes:update?filterByTk={}", says[0]["id"]);
    blog.admin.post(&path, json!({"config": {"message": "second"}})).await.ok();
    let refused = blog.admin.post("posts:create", json!({"title": "a"})).await;
    assert_eq!((refused.status, refused.message()), (400, "second"), "it runs as it is now");
}

#[tokio::test]
async fn one_that_breaks_down_undoes_the_change_and_the_log_says_why() {
    let (host, blog) = blog().await;
    let duplicate =
        json!({"collection": "posts", "params": {"values": {"title": "copy", "code": "{{$context.data.code}}"}}});
    let broken = blog.workflow(within(&["create"]).logs("began").node("create", duplicate)).await;
    let failed = blog.admin.post("posts:create", json!({"title": "a", "code": "x"})).await;
    assert_eq!(failed.status, 500);
    assert_eq!(failed.message(), "Workflow on your action failed, please contact the administrator");
    assert!(titles(&blog).await.is_empty() && blog.log().await.is_empty() && blog.executions(&broken).await.is_empty());
    assert!(host.log().contains("code already exists"), "{}", host.log());
    assert_eq!(host.metric("record_changes_undone_total{verdict=\"broken\"}").await, 1.0);

    // Other writers go on, and so does this one without it.
    blog.admin.post("tags:create", json!({"name": "t"})).await.ok();
    blog.switch(&broken, false).await;
    blog.admin.post("posts:create", json!({"title": "a", "code": "x"})).await.ok();
}

#[tokio::test]
async fn a_failure_that_a_loop_goes_on_after_is_undone_alone() {
    let (_host, blog) = blog().await;
    let looping = blog
        .workflow(within(&["create"]).node("loop", json!({"target": ["x", "taken", "y"], "exit": "continue"})))
        .await;
    let owner = blog.admin.list("flow_nodes", json!({"workflowId": looping.id})).await[0].clone();
    let log = json!({"collection": "logs", "params": {"values": {"tag": format!("{{{{$scopes.{}.item}}}}", owner["key"].as_str().expect("a key"))}}});
    let node = json!({"type": "create", "config": log, "upstreamId": owner["id"], "branchIndex": 0});
    let first = blog.admin.post(&format!("workflows/{}/nodes:create", looping.id), node).await.ok()["id"].clone();
    let post = json!({"collection": "posts", "params": {"values":
        {"title": "in a loop", "code": format!("{{{{$scopes.{}.item}}}}", owner["key"].as_str().expect("a key"))}}});
    let node = json!({"type": "create", "config": post, "upstreamId": first});
    blog.admin.post(&format!("workflows/{}/nodes:create", looping.id), node).await.ok();

    blog.admin.post("posts:create", json!({"title": "first", "code": "taken"})).await.ok();
    let codes: Vec<Value> = blog.admin.list("posts", json!({})).await.iter().map(|post| post["code"].clone()).collect();
    assert_eq!(codes, ["taken", "x", "y"]);
    assert_eq!(blog.log().await, ["x", "taken", "y"]);
}

#[tokio::test]
async fn nodes_that_wait_or_reach_outside_are_refused() {
    let (_host, blog) = blog().await;
    let workflow = blog.workflow(within(&["create"]).logs("ok")).await;
    let other = blog.workflow(NewWorkflow::changes("posts", &["create"])).await;
    for (node_type, config) in [
        ("delay", json!({"unit": 1, "duration": 1})),
        ("request", json!({"url": "http://127.0.0.1:9/"})),
        ("manual", json!({"assignees": 1, "title": "t"})),
        ("approval", json!({"assignees": 1, "title": "t"})),
        ("script", json!({"content": "return 1"})),
        ("notification", json!({"receivers": 1, "title": "t", "channels": ["in-app", "email"]})),
    ] {
        let node = json!({"type": node_type, "config": config});
        let refused = blog.admin.post(&format!("workflows/{}/nodes:create", workflow.id), node.clone()).await;
        let sentence =
            format!("a {node_type} node like this may wait or reach outside, which the transaction of a change cannot");
        assert_eq!((refused.status, refused.message()), (400, sentence.as_str()), "{}", refused.body);
        blog.admin.post(&format!("workflows/{}/nodes:create", other.id), node).await.ok();
    }
    let told = json!({"receivers": 1, "title": "t"});
    let node = json!({"type": "notification", "config": told});
    let made = blog.admin.post(&format!("workflows/{}/nodes:create", workflow.id), node).await.ok();
    let mailed = json!({"config": {"receivers": 1, "title": "t", "channels": ["email"]}});
    let refused = blog.admin.post(&format!("flow_nodes:update?filterByTk={}", made["id"]), mailed).await;
    assert_eq!(refused.status, 400);
    blog.admin.post("posts:create", json!({"title": "a"})).await.ok();
    assert_eq!(blog.log().await, ["ok"]);
}

#[tokio::test]
async fn changes_within_are_changes_as_deep_as_the_stack_limit_and_eight_workflows() {
    let (host, blog) = blog().await;
    let again = json!({"collection": "tags", "params": {"values": {"name": "again"}}});
    let own = blog.workflow(NewWorkflow::changes("tags", &["create"]).sync().logs("tag").node("create", again)).await;
    blog.admin.post("tags:create", json!({"name": "t"})).await.ok();
    assert_eq!(blog.log().await, ["tag"], "it does not start for what it led to");
    let update = json!({"options": {"stackLimit": 3}});
    blog.admin.post(&format!("workflows:update?filterByTk={}", own.id), update).await.ok();
    blog.admin.post("tags:create", json!({"name": "t"})).await.ok();
    assert_eq!(blog.log().await.len(), 4, "three in each other");
    let stacks: Vec<usize> =
        blog.executions(&own).await.iter().map(|execution| execution["stack"].as_array().map_or(0, Vec::len)).collect();
    assert_eq!(stacks, [0, 0, 1, 2]);

    let before = blog.admin.list("tags", json!({})).await.len();
    let update = json!({"options": {"stackLimit": 100}});
    blog.admin.post(&format!("workflows:update?filterByTk={}", own.id), update).await.ok();
    assert_eq!(blog.admin.post("tags:create", json!({"name": "t"})).await.status, 500);
    assert!(host.log().contains("more than 8 workflows started each other within one transaction"), "{}", host.log());
    assert_eq!(blog.admin.list("tags", json!({})).await.len(), before);
}

#[tokio::test]
async fn one_that_takes_too_long_is_given_up_with_the_change() {
    let (host, blog) = blog().await;
    let slow = blog.workflow(within(&["create"]).node("loop", json!({"target": 10_000}))).await;
    let owner = blog.admin.list("flow_nodes", json!({"workflowId": slow.id})).await[0]["id"].clone();
    let log = json!({"collection": "logs", "params": {"values": {"tag": "x"}}});
    let node = json!({"type": "create", "config": log, "upstreamId": owner, "branchIndex": 0});
    blog.admin.post(&format!("workflows/{}/nodes:create", slow.id), node).await.ok();
    // Its own time is over sooner than that of all such workflows.
    let options = json!({"options": {"timeout": 50}});
    blog.admin.post(&format!("workflows:update?filterByTk={}", slow.id), options).await.ok();
    assert_eq!(blog.admin.post("posts:create", json!({"title": "a"})).await.status, 500);
    assert!(host.log().contains("takes too long for the transaction of a change"), "{}", host.log());
    assert!(titles(&blog).await.is_empty() && blog.log().await.is_empty());
}

#[tokio::test]
async fn what_was_committed_survives_a_crash_and_nothing_else() {
    let (host, blog) = blog().await;
    let mirror = json!({"collection": "categories", "params": {"values": {"title": "{{$context.data.title}}"}}});
    blog.workflow(within(&["create"]).node("create", mirror)).await;
    let writes = async {
        for number in 0.. {
            let post = blog.admin.request(Method::POST, "posts:create").json(&json!({"title": number.to_string()}));
            if post.send().await.is_err() {
                return number;
            }
        }
        0
    };
    let (answered, host) = tokio::join!(writes, async {
        eventually("some are written", async || (titles(&blog).await.len() > 5).then_some(())).await;
        host.crash_and_restart().await
    });
    let blog = Blog { admin: host.admin().await };
    let posts = titles(&blog).await;
    let mirrored: Vec<Value> =
        blog.admin.list("categories", json!({})).await.into_iter().map(|it| it["title"].clone()).collect();
    assert_eq!(posts, mirrored, "the change and what was done within it are one");
    assert!(posts.len() >= answered, "{answered} were answered");
}
