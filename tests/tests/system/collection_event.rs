//! Workflows that start when records change, whoever changes them.

mod within;

use std::slice;

use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{Blog, Host, HostOptions, NewWorkflow, fixture::data_of, process::BUILT_IN_PLUGINS};

async fn blog() -> (Host, Blog) {
    let host = Host::start().await;
    let blog = Blog::set_up(host.admin().await).await;
    (host, blog)
}

fn names(context: &Value) -> Vec<&str> {
    let mut names: Vec<_> = context.as_object().expect("an object").keys().map(String::as_str).collect();
    names.sort_unstable();
    names
}

#[tokio::test]
async fn every_kind_of_change_by_an_action_starts_its_workflows_once() {
    let (_host, blog) = blog().await;
    let made = blog.workflow(NewWorkflow::changes("posts", &["create"])).await;
    let mut kept = NewWorkflow::changes("posts", &["update"]);
    kept.config["previous"] = json!(true);
    let kept = blog.workflow(kept).await;
    let gone = blog.workflow(NewWorkflow::changes("posts", &["destroy"])).await;

    let id = blog.admin.post("posts:create", json!({"title": "a"})).await.ok()["id"].clone();
    blog.admin.post(&format!("posts:update/{id}"), json!({"title": "b"})).await.ok();
    blog.admin.post(&format!("posts:destroy/{id}"), json!({})).await.ok();

    let executions = blog.finished(&gone, 1).await;
    assert_eq!(data_of(&executions, "title"), ["b"]);
    assert_eq!(names(&executions[0]["context"]), ["data", "roleName", "user"]);
    assert_eq!(executions[0]["context"]["user"]["email"], "admin@example.com");
    assert!(executions[0]["context"]["user"].get("password").is_none());
    assert_eq!(data_of(&blog.finished(&made, 1).await, "title"), ["a"]);
    let kept = blog.finished(&kept, 1).await;
    let titles = ["data", "previous"].map(|name| kept[0]["context"][name]["title"].clone());
    assert_eq!((kept.len(), titles), (1, [json!("b"), json!("a")]));
}

#[tokio::test]
async fn nested_records_links_and_many_records_at_once_count() {
    let (_host, blog) = blog().await;
    let categories = blog.workflow(NewWorkflow::changes("categories", &["create"])).await;
    let comments = blog.workflow(NewWorkflow::changes("comments", &["create", "update"])).await;
    let links = blog.workflow(NewWorkflow::changes("posts_tags", &["create", "destroy"])).await;
    let posts = blog.workflow(NewWorkflow::changes("posts", &["create"]).appends(&["category"])).await;

    let nested =
        json!({"title": "p", "category": {"title": "c"}, "comments": [{"content": "k"}], "tags": [{"name": "t"}]});
    let id = blog.admin.post("posts:create", nested).await.ok()["id"].clone();
    assert_eq!(data_of(&blog.finished(&categories, 1).await, "title"), ["c"]);
    assert_eq!(
        data_of(&blog.finished(&comments, 1).await, "postId"),
        slice::from_ref(&id),
        "made with its key, not changed to it"
    );
    assert_eq!(data_of(&blog.finished(&links, 1).await, "postId"), slice::from_ref(&id));
    let first = blog.finished(&posts, 1).await;
    assert_eq!(first[0]["context"]["data"]["category"]["title"], "c");

    let comment = blog.admin.post("comments:create", json!({"content": "loose"})).await.ok()["id"].clone();
    let added = json!([comment]);
    blog.admin.post(&format!("posts/{id}/comments:add"), added).await.ok();
    let changed = blog.finished(&comments, 3).await;
    assert_eq!(data_of(&changed, "postId"), [id.clone(), Value::Null, id.clone()]);

    blog.admin.post("posts:create", json!([{"title": "x"}, {"title": "y"}])).await.ok();
    assert_eq!(data_of(&blog.finished(&posts, 3).await, "title"), ["p", "x", "y"]);
    blog.admin.post(&format!("posts:destroy/{id}"), json!({})).await.ok();
    assert_eq!(blog.finished(&links, 2).await.len(), 2, "the links of a deleted record are deleted with it");
}

#[tokio::test]
async fn changes_by_nodes_count_in_nobodys_name_and_a_workflow_does_not_set_itself_off() {
    let (_host, blog) = blog().await;
    let logged = blog.workflow(NewWorkflow::changes("logs", &["create"])).await;
    let own = json!({"collection": "posts", "params": {"values": {"title": "again"}}});
    let writer = NewWorkflow::changes("posts", &["create"]).logs("made").node("create", own);
    let writer = blog.workflow(writer).await;
    let ping = json!({"collection": "tags", "params": {"values": {"name": "ping"}}});
    let pong = json!({"collection": "categories", "params": {"values": {"title": "pong"}}});
    let tags = blog.workflow(NewWorkflow::changes("tags", &["create"]).node("create", pong)).await;
    let categories = blog.workflow(NewWorkflow::changes("categories", &["create"]).node("create", ping)).await;

    blog.admin.post("posts:create", json!({"title": "once"})).await.ok();
    let by_node = blog.finished(&logged, 1).await;
    assert_eq!(names(&by_node[0]["context"]), ["data"], "a node is nobody");
    assert_eq!(data_of(&blog.finished(&writer, 1).await, "title"), ["once"]);
    assert_eq!(blog.admin.list("posts", json!({})).await.len(), 2, "it has written the second post");

    blog.admin.post("tags:create", json!({"name": "start"})).await.ok();
    assert_eq!(blog.finished(&categories, 1).await.len(), 1);
    assert_eq!(data_of(&blog.finished(&tags, 1).await, "name"), ["start"], "not for what it led to");
    assert_eq!(blog.executions(&writer).await.len(), 1);

    let update = json!({"options": {"stackLimit": 2}});
    blog.admin.post(&format!("workflows:update?filterByTk={}", writer.id), update).await.ok();
    blog.admin.post("posts:create", json!({"title": "twice"})).await.ok();
    assert_eq!(data_of(&blog.finished(&writer, 3).await, "title"), ["once", "twice", "again"]);
}

#[tokio::test]
async fn terms_are_judged_on_what_a_request_changed_in_all() {
    let (_host, blog) = blog().await;
    let mut picky = NewWorkflow::changes("posts", &["create", "update"]);
    picky.config["changed"] = json!(["title"]);
    picky.config["condition"] = json!({"data.read": {"$gt": 1}, "user.email": "admin@example.com"});
    let picky = blog.workflow(picky).await;
    let mut risen = NewWorkflow::changes("posts", &["update"]);
    risen.config["condition"] = json!({"previous.read": {"$lt": 5}, "data.read": {"$gte": 5}});
    let risen = blog.workflow(risen).await;

    let id = blog.admin.post("posts:create", json!({"title": "a", "read": 2})).await.ok()["id"].clone();
    blog.admin.post("posts:create", json!({"title": "unread", "read": 1})).await.ok();
    let update = async |values: Value| blog.admin.post(&format!("posts:update/{id}"), values).await.ok();
    update(json!({"read": 3})).await;
    update(json!({"read": 5})).await;
    update(json!({"title": "a", "read": 6})).await;
    update(json!({"title": "b"})).await;
    assert_eq!(data_of(&blog.finished(&picky, 2).await, "title"), ["a", "b"]);
    assert_eq!(data_of(&blog.finished(&risen, 1).await, "read"), [5]);
}

#[tokio::test]
async fn a_change_that_is_taken_back_starts_nothing() {
    let (_host, blog) = blog().await;
    let watching = blog.workflow(NewWorkflow::changes("posts", &["create"])).await;
    blog.admin.post("posts:create", json!({"title": "a", "code": "1"})).await.ok();
    let answer = blog.admin.post("posts:create", json!([{"title": "b"}, {"title": "c", "code": "1"}])).await;
    assert_eq!(answer.status, 400);
    let refusing = blog.workflow(NewWorkflow::before("posts").global(&["create"]).refuses("no")).await;
    assert_eq!(blog.admin.post("posts:create", json!({"title": "d"})).await.status, 400);
    blog.switch(&refusing, false).await;
    blog.admin.post("posts:create", json!({"title": "e"})).await.ok();
    assert_eq!(data_of(&blog.finished(&watching, 2).await, "title"), ["a", "e"]);
}

#[tokio::test]
async fn a_wrong_configuration_is_refused() {
    let (_host, blog) = blog().await;
    for (config, message) in [
        (json!({"actions": ["create"]}), "\"collection\" is required"),
        (json!({"collection": "posts"}), "\"actions\" is required"),
        (json!({"collection": "posts", "actions": ["create"], "changed": ["tags"]}), "\"changed\": "),
        (json!({"collection": "posts", "actions": ["create"], "condition": {"data.nosuch": 1}}), "\"condition\": "),
        (json!({"collection": "nosuch", "actions": ["create"]}), "Collection \"nosuch\" does not exist"),
    ] {
        let answer = blog.admin.post("workflows:create", json!({"type": "collection", "config": config})).await;
        assert_eq!(answer.status, 400, "{config}");
        assert!(answer.message().starts_with(message), "{}", answer.message());
    }
}

#[tokio::test]
async fn executions_are_stored_with_the_change_and_survive_a_crash() {
    let (host, blog) = blog().await;
    let watching = blog.workflow(NewWorkflow::changes("posts", &["create"]).logs("ran")).await;
    blog.admin.post("posts:create", json!({"title": "before the crash"})).await.ok();
    let host = host.crash_and_restart().await;
    let blog = Blog { admin: host.admin().await };
    assert_eq!(data_of(&blog.finished(&watching, 1).await, "title"), ["before the crash"]);
    assert_eq!(blog.log().await, ["ran"], "once");
}

#[tokio::test]
async fn without_the_plugin_changes_pass_unnoticed() {
    let (before, _) = BUILT_IN_PLUGINS.split_once("# Without it, changes that").expect("the plugin's entry");
    let host = Host::start_with(HostOptions { manifest: before.to_owned(), ..HostOptions::default() }).await;
    let blog = Blog::set_up(host.admin().await).await;
    let values = json!({"type": "collection", "config": {"collection": "posts", "actions": ["create"]}});
    assert_eq!(blog.admin.post("workflows:create", values).await.status, 400);
    let request = blog.admin.request(Method::POST, "posts:create").json(&json!({"title": "x"}));
    blog.admin.send(request).await.ok();
}
