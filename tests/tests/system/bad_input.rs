//! Bad input gets a clear 4xx, and nothing is stored or fired.

use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{Answer, Blog, Client, Host, NewWorkflow};

/// A refusal: a status from 400 to 499 with a sentence.
#[track_caller]
fn refused(answer: &Answer, what: &str) {
    assert!((400..500).contains(&answer.status), "{what}: {} {}", answer.status, answer.body);
    assert!(!answer.message().is_empty(), "{what}: {}", answer.body);
}

async fn raw(client: &Client, path: &str, content_type: &str, body: impl Into<reqwest::Body>) -> Answer {
    client.send(client.request(Method::POST, path).header("Content-Type", content_type).body(body)).await
}

#[tokio::test]
async fn a_refused_request_stores_and_fires_nothing() {
    let host = Host::start().await;
    let blog = Blog::set_up(host.admin().await).await;
    let admin = &blog.admin;
    let local = blog.workflow(NewWorkflow::on("posts")).await;
    let global = blog.workflow(NewWorkflow::on("posts").global(&["create", "update", "destroy"])).await;
    let kept = admin.post("tags:create", json!({"name": "kept"})).await.ok();
    let key = &local.key;

    let deep = |levels: usize| (0..levels).fold(json!(1), |inner, _| json!({"category": inner}));
    let posts: Vec<(&str, Value)> = vec![
        ("posts:create", json!({"title": {"an": "object"}})),
        ("posts:create", json!({"title": "x".repeat(300)})),
        ("posts:create", json!({"title": "a\u{0}b"})),
        ("posts:create", json!({"read": "many"})),
        ("posts:create", json!({"read": 1.5})),
        ("posts:create", json!({"nosuch": 1})),
        ("posts:create", json!({"category": 987_654})),
        ("posts:create", json!({"category": {"id": 987_654}})),
        ("posts:create", json!({"categoryId": 987_654})),
        ("posts:create", json!({"category": {"title": "c", "ownerId": 987_654}})),
        ("posts:create", json!({"category": [1, 2]})),
        ("posts:create", json!({"tags": {"id": 987_654}})),
        ("posts:create", json!([{"title": "one"}, {"title": 2, "read": "bad"}])),
        ("posts:create", json!([])),
        ("posts:create", json!("text")),
        ("posts:create", deep(40)),
        ("posts:nosuch", json!({"title": "x"})),
        ("nosuch:create", json!({"title": "x"})),
        ("posts/1/nosuch:create", json!({"title": "x"})),
        ("categories/987654/posts:create", json!({"title": "x"})),
        ("posts:update", json!({"title": "x"})),
        ("posts:update?filter={\"nosuch\":1}", json!({"title": "x"})),
        ("posts:update?filter={\"title\":{\"$nosuch\":1}}", json!({"title": "x"})),
        ("posts:update?filter={\"read\":{\"$gt\":\"many\"}}", json!({"title": "x"})),
        ("posts:update?filter={broken", json!({"title": "x"})),
        ("posts:update?filterByTk=abc", json!({"title": "x"})),
        ("posts:destroy", json!({})),
        ("posts:destroy?filter={}", json!({})),
        ("posts:create?triggerWorkflows[a]=b", json!({"title": "x"})),
        ("collections:create", json!({"name": "bad name", "fields": []})),
        ("collections:create", json!({"name": "posts", "fields": []})),
        ("collections:create", json!({"name": "users", "fields": []})),
        ("collections:create", json!({"name": "sqlite_master", "fields": []})),
        ("collections:create", json!({"name": "x\"; DROP TABLE posts; --", "fields": []})),
        ("collections:create", json!({"name": "fresh", "fields": [{"type": "nosuch", "name": "a"}]})),
        (
            "collections:create",
            json!({"name": "fresh", "fields": [{"type": "string", "name": "a"}, {"type": "string", "name": "A"}]}),
        ),
        (
            "collections:create",
            json!({"name": "fresh", "fields": [{"type": "belongsTo", "name": "a", "target": "nosuch"}]}),
        ),
        ("collections/posts/fields:create", json!({"type": "string", "name": "title"})),
        ("collections/posts/fields:create", json!({"type": "string", "name": "a b"})),
        ("workflows:create", json!({"type": "action", "config": {"collection": "posts", "appends": ["nosuch"]}})),
        ("workflows:create", json!({"type": "action", "config": {"collection": "posts", "appends": "category"}})),
        ("workflows:create", json!({"type": "action", "config": {"collection": "posts", "global": "yes"}})),
        ("workflows:create", json!({"type": "action", "config": "text"})),
        ("workflows:execute?filterByTk=987654", json!({"data": 1, "userId": 1})),
        ("executions:cancel?filterByTk=987654", json!({})),
        ("users:create", json!({"username": "admin", "email": "admin@example.com", "password": "x"})),
        ("users:create", json!({"username": "somebody", "password": ""})),
        ("users:create", json!({"username": "somebody", "password": 5})),
        ("users:create", json!({"username": "somebody", "password": "x", "roles": ["nosuch"]})),
    ];
    for (path, body) in &posts {
        let path = if path.contains("triggerWorkflows") {
            (*path).to_owned()
        } else {
            format!("{path}{}triggerWorkflows={key}", if path.contains('?') { "&" } else { "?" })
        };
        refused(
            &admin.post(&path, body.clone()).await,
            &format!("{path} {}", body.to_string().get(..60).unwrap_or("")),
        );
    }

    let gets = [
        "posts:list?sort=nosuch",
        "posts:list?fields=nosuch",
        "posts:list?appends=nosuch",
        "posts:list?appends=title",
        "posts:list?appends=comments.post.comments.post.comments.post.comments.post.comments.post.comments.post.comments.post.comments.post.comments.post",
        "posts:list?page=0",
        "posts:list?pageSize=many",
        "posts:list?filter[title][$nosuch]=1",
        "posts:list?filter={\"$or\":5}",
        "posts:get?filterByTk=987654",
        "nosuch:list",
        "executions:get?filterByTk=x",
    ];
    for path in gets {
        refused(&admin.get(path).await, path);
    }

    let over_long = format!("posts:create?triggerWorkflows={}", "k".repeat(9_000));
    refused(&admin.post(&over_long, json!({"title": "x"})).await, "over-long bindings");
    let bound = format!("posts:create?triggerWorkflows={key}");
    for (body, content_type) in [("{\"title\": ", "application/json"), ("", "application/json"), ("{}x", "text/plain")]
    {
        refused(&raw(admin, &bound, content_type, body).await, body);
    }
    refused(&raw(admin, &bound, "application/json", vec![0xff, 0xfe, b'{']).await, "not UTF-8");
    let large = raw(admin, &bound, "application/json", format!("{{\"content\": \"{}\"}}", "x".repeat(11 << 20))).await;
    assert_eq!(large.status, 413, "{}", large.body);
    let nested = raw(admin, &bound, "application/json", "[".repeat(100_000)).await;
    refused(&nested, "brackets");

    for collection in ["posts", "categories"] {
        assert!(admin.list(collection, json!({})).await.is_empty(), "{collection} stays empty");
    }
    assert_eq!(admin.list("tags", json!({})).await, [kept]);
    assert_eq!(admin.list("executions", json!({})).await, Vec::<Value>::new());
    assert_eq!(admin.list("users", json!({})).await.len(), 1);
    assert!(admin.list("workflows", json!({})).await.len() == 2 && global.id != local.id);
    assert_eq!(admin.get("fresh:list").await.status, 404);
    blog.create("posts", key, json!({"title": "still works"})).await.ok();
    assert!(!host.log().contains("panicked"), "{}", host.log());
}

#[tokio::test]
async fn odd_bindings_are_passed_over_and_the_action_succeeds() {
    let host = Host::start().await;
    let blog = Blog::set_up(host.admin().await).await;
    let workflow = blog.workflow(NewWorkflow::on("posts").sync()).await;
    let odd = [
        "",
        ",",
        ",,,",
        "!",
        "!!",
        "!category",
        " ",
        "键😀",
        "a\u{0}b",
        "%",
        "' OR 1=1 --",
        "{\"a\":1}",
        "!....",
        "__proto__",
        "../../x",
    ];
    for bindings in odd {
        let request = blog.admin.request(Method::POST, "posts:create").query(&[("triggerWorkflows", bindings)]);
        let answer = blog.admin.send(request.json(&json!({"title": "x"}))).await;
        assert_eq!(answer.status, 200, "{bindings:?}: {}", answer.body);
    }
    assert_eq!(blog.admin.list("posts", json!({})).await.len(), odd.len());
    assert!(blog.executions(&workflow).await.is_empty());
}

#[tokio::test]
async fn tokens_and_roles_that_do_not_hold_are_401_with_a_code() {
    let host = Host::start().await;
    let blog = Blog::set_up(host.admin().await).await;
    let token = blog.admin.token.clone().expect("signed in");
    let broken = format!("{}AAAA", &token[..token.len() - 4]);
    let cases = [
        (Client::anonymous(host.base_url()), "EMPTY_TOKEN"),
        (blog.admin.with_token("nonsense"), "INVALID_TOKEN"),
        (blog.admin.with_token(&broken), "INVALID_TOKEN"),
        (blog.admin.in_role("nosuch"), "ROLE_NOT_FOUND_FOR_USER"),
    ];
    for (client, code) in cases {
        let answer = client.post("posts:create", json!({"title": "x"})).await;
        assert_eq!((answer.status, answer.code()), (401, Some(code)), "{}", answer.body);
    }
    assert!(blog.admin.list("posts", json!({})).await.is_empty());

    let by_parameter = Client::anonymous(host.base_url()).get(&format!("posts:list?token={token}")).await;
    assert_eq!(by_parameter.status, 200, "{}", by_parameter.body);
    let wrong = Client::anonymous(host.base_url())
        .post("auth:signIn", json!({"account": "admin@example.com", "password": "x"}))
        .await;
    assert_eq!(wrong.status, 401);
}
