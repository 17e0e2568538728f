//! Who may do what, and what a workflow sees of it.

use serde_json::{Value, json};

use crate::harness::{Blog, Client, Host, NewWorkflow};

/// A user with two roles: `member`, who writes posts' titles, and `viewer`, who reads them.
async fn member(host: &Host, blog: &Blog) -> Client {
    for role in ["writer", "viewer"] {
        blog.admin.post("roles:create", json!({"name": role, "title": role, "strategy": {"actions": []}})).await.ok();
    }
    let grant = async |role: &str, collection: &str, actions: Value| {
        let resource = json!({"name": collection, "usingActionsConfig": true, "actions": actions});
        blog.admin.post(&format!("roles/{role}/dataSourceResources:create"), resource).await.ok();
    };
    let fields = json!(["title", "category"]);
    let actions = json!([{"name": "view", "fields": fields}, {"name": "create", "fields": fields}, {"name": "update", "fields": fields}]);
    grant("writer", "posts", actions).await;
    grant("writer", "categories", json!([{"name": "create"}])).await;
    grant("viewer", "posts", json!([{"name": "view", "fields": ["title"]}])).await;
    let user = json!({"username": "member", "nickname": "Member", "email": "member@example.com", "password": "a long one", "roles": ["writer", "viewer"]});
    blog.admin.post("users:create", user).await.ok();
    Client::sign_in(host.base_url(), "member", "a long one").await
}

#[tokio::test]
async fn rights_are_per_role_collection_action_and_field() {
    let host = Host::start().await;
    let blog = Blog::set_up(host.admin().await).await;
    let member = member(&host, &blog).await;
    let workflow = blog.workflow(NewWorkflow::on("posts").sync()).await;
    let bound = format!("posts:create?triggerWorkflows={}", workflow.key);

    let stored =
        member.post(&bound, json!({"title": "t", "content": "dropped", "category": {"title": "c"}})).await.ok();
    assert_eq!(stored["content"], Value::Null, "a field without the right is dropped");
    let context = blog.executions(&workflow).await[0]["context"].clone();
    assert_eq!((&context["roleName"], &context["user"]["nickname"]), (&json!("writer"), &json!("Member")));

    let seen = member.list("posts", json!({})).await;
    let mut fields: Vec<_> = seen[0].as_object().expect("a record").keys().cloned().collect();
    fields.sort();
    assert!(fields.contains(&"title".to_owned()) && !fields.contains(&"content".to_owned()), "{fields:?}");

    let forbidden = [
        member.in_role("viewer").post(&bound, json!({"title": "t"})).await,
        member.post(&format!("posts:destroy?filterByTk={}", stored["id"]), json!({})).await,
        member.post("comments:create", json!({"content": "x"})).await,
        member.get("categories:list").await,
        member.post("collections:create", json!({"name": "mine", "fields": []})).await,
        member.post("roles:create", json!({"name": "mine"})).await,
        member.post("workflows:create", json!({"type": "action", "config": {"collection": "posts"}})).await,
        member.get("executions:list").await,
        member.get("users:list").await,
    ];
    for answer in forbidden {
        assert_eq!((answer.status, &answer.body), (403, &json!({"errors": [{"message": "No permissions"}]})));
    }
    assert_eq!(blog.executions(&workflow).await.len(), 1);
}
