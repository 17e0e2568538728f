//! What roles may do, and what administrators may not do to root.

use serde_json::json;

use crate::harness::{Answer, Running};

const FORBIDDEN: (u16, &str) = (403, "No permissions");

#[track_caller]
fn refused(answer: &Answer, want: (u16, &str), what: &str) {
    assert_eq!(answer.refusal(), want, "{what}: {}", answer.1);
}

#[tokio::test]
async fn administrators_cannot_become_or_change_root() {
    let running = Running::start().await;
    let root = running.root().await;
    let user = json!({"username": "boss", "password": "a long one", "roles": ["admin"]});
    let id = root.post("users:create", user).await.data()["id"].clone();
    let boss = running.sign_in("boss", "a long one").await;

    let attempts = [
        ("users:create", json!({"username": "x", "password": "x", "roles": ["root"]})),
        ("users:create", json!({"username": "x", "password": "x", "roles": [{"name": "root"}]})),
        ("users:update?filterByTk=1", json!({"password": "x"})),
        ("users:update?filter={\"id.$gt\":0}", json!({"nickname": "x"})),
        ("users:updateOrCreate?filterKeys=username", json!({"username": "admin", "password": "x"})),
        ("users:destroy?filterByTk=1", json!({})),
        (&format!("users/{id}/roles:add"), json!(["root"])),
        (&format!("users/{id}/roles:add/root"), json!([])),
        (&format!("users/{id}/roles:set"), json!([{"name": "root"}])),
        ("users/1/roles:remove", json!(["root"])),
    ];
    for (path, body) in attempts {
        refused(&boss.post(path, body).await, FORBIDDEN, path);
    }
    refused(&boss.post("roles:update?filterByTk=root", json!({})).await, (400, "KEPT_ROLE"), "the root role");
    refused(&boss.post("roles/root/users:add", json!([id])).await, (404, "UNKNOWN_ACTION"), "from the other side");
    refused(&boss.post("rolesUsers:create", json!({})).await, (404, "UNKNOWN_ACTION"), "the links themselves");
    refused(&boss.post(&format!("users:destroy?filterByTk={id}"), json!({})).await, (400, "OWN_ACCOUNT"), "oneself");

    let through = json!({"name": "holders", "type": "belongsToMany", "target": "users", "through": "rolesUsers",
        "foreignKey": "roleName", "otherKey": "userId", "sourceKey": "title"});
    let owned = json!({"name": "owned", "type": "hasMany", "target": "Workflows", "foreignKey": "createdById"});
    root.make_posts().await;
    for field in [through, owned] {
        let whole = json!({"name": "trap", "fields": [field]});
        refused(&boss.post("collections:create", whole).await, (400, "BUILT_IN_COLLECTION"), "a new collection");
        let answer = boss.post("collections/posts/fields:create", field).await;
        refused(&answer, (400, "BUILT_IN_COLLECTION"), "a new field");
    }
    assert_eq!(boss.get(&format!("users/{id}/roles:list")).await.data()[0]["name"], "admin");
    running.root().await;
}

#[tokio::test]
async fn nested_values_do_not_reach_users() {
    let running = Running::start().await;
    let root = running.root().await;
    let owner = json!({"name": "owner", "type": "belongsTo", "target": "users", "foreignKey": "ownerId"});
    root.post("collections:create", json!({"name": "things", "fields": [owner]})).await.data();
    for owner in [json!({"username": "x", "password": "x"}), json!({"id": 1, "password": "x"})] {
        let answer = root.post("things:create?updateAssociationValues=owner", json!({"owner": owner})).await;
        refused(&answer, (400, "BUILT_IN_COLLECTION"), "a nested user");
    }
    let thing = root.post("things:create?updateAssociationValues=owner", json!({"owner": {"id": 1}})).await.data();
    assert_eq!((&thing["ownerId"], thing["owner"].get("password")), (&json!(1), None));
}

#[tokio::test]
async fn a_role_sees_and_asks_for_its_fields_only() {
    let running = Running::start().await;
    let root = running.root().await;
    root.make_posts().await;
    root.post("roles:create", json!({"name": "reader"})).await.data();
    let view = json!({"name": "posts", "actions": [{"name": "view", "fields": ["title", "category"]}]});
    root.post("roles/reader/dataSourceResources:create", view).await.data();
    root.post("users:create", json!({"username": "reader", "password": "p", "roles": ["reader", "member"]}))
        .await
        .data();
    let post = json!({"title": "t", "secret": "s", "category": {"title": "c"}});
    root.post("posts:create", post).await.data();
    let reader = running.sign_in("reader", "p").await;

    for path in ["posts:list", "posts:list?fields=title,secret", "posts:list?appends=category", "posts:list?except=id"]
    {
        let seen = reader.get(path).await.data()[0].clone();
        assert_eq!(seen["title"], "t", "{path}");
        assert!(seen.get("secret").is_none() && seen.get("category").is_none(), "{path}: {seen}");
    }
    let only = reader.get("posts:list?fields=secret,category,category.title").await.data();
    assert_eq!(only, json!([{"id": 1}]));
    for path in [
        "posts:list?filter={\"secret\":\"s\"}",
        "posts:list?filter={\"$or\":[{\"secret.$like\":\"s\"}]}",
        "posts:list?filter={\"category.title\":\"c\"}",
        "posts:list?sort=-secret",
        "posts/1/category:get",
        "categories:list",
        "roles:list",
        "jobs:list",
    ] {
        refused(&reader.get(path).await, FORBIDDEN, path);
    }
    refused(&reader.post("posts:firstOrCreate?filterKeys=title", json!({"title": "t"})).await, FORBIDDEN, "a create");

    root.post("roles/reader/dataSourceResources:update?filterByTk=1", json!({"actions": []})).await.data();
    refused(&reader.get("posts:list").await, FORBIDDEN, "a right taken away counts at once");
}

#[tokio::test]
async fn a_password_change_ends_older_sessions() {
    let running = Running::start().await;
    let root = running.root().await;
    let user = json!({"username": "u", "password": "one", "roles": ["member"]});
    let id = root.post("users:create", user).await.data()["id"].clone();
    let before = running.sign_in("u", "one").await;
    // Tokens count in seconds: one of the same second still holds.
    crate::harness::eventually("the old token is refused", async || {
        root.post(&format!("users:update?filterByTk={id}"), json!({"password": "two"})).await.data();
        (before.get("auth:check").await.refusal() == (401, "INVALID_TOKEN")).then_some(())
    })
    .await;
    assert_eq!(running.nobody().post("auth:signIn", json!({"account": "u", "password": "one"})).await.0, 401);
    assert_eq!(running.sign_in("u", "two").await.get("auth:check").await.data()["username"], "u");
}
