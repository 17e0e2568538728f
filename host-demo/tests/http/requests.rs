//! Shapes of requests and answers.

use reqwest::Method;
use serde_json::{Value, json};
use tokio::{io::AsyncWriteExt, net::TcpStream};

use crate::harness::{Running, eventually};

#[tokio::test]
async fn verbs_keys_and_content_types() {
    let running = Running::start().await;
    let root = running.root().await;
    root.make_posts().await;

    let form = root.request(Method::POST, "posts").header("Content-Type", "application/x-www-form-urlencoded");
    assert_eq!(root.send(form.body(r#"{"title": "curl"}"#)).await.data()["id"], 1);
    let put = root.send(root.request(Method::PUT, "posts/1").json(&json!({"title": "put"}))).await.data();
    assert_eq!(put[0]["title"], "put");
    assert_eq!(root.get("posts/1").await.data()["title"], "put");
    assert_eq!(root.get("posts").await.1["meta"], json!({"count": 1, "page": 1, "pageSize": 20, "totalPage": 1}));
    assert_eq!(root.send(root.request(Method::DELETE, "posts/1")).await.data(), 1);
    assert_eq!(root.send(root.request(Method::DELETE, "posts/1")).await.data(), 0);
    assert_eq!(root.get("posts/1").await.refusal(), (404, "NOT_FOUND"));
    assert_eq!(root.post("posts/1", json!({})).await.refusal(), (405, "METHOD_NOT_ALLOWED"));
    assert_eq!(root.post("posts:update?filterByTk=1", json!({"title": "x"})).await.data(), json!([]));
}

#[tokio::test]
async fn composite_keys() {
    let running = Running::start().await;
    let root = running.root().await;
    let key = |name: &str| json!({"name": name, "type": "bigInt"});
    let links = json!({"name": "links", "autoGenId": false, "filterTargetKey": ["a", "b"],
        "fields": [key("a"), key("b"), {"name": "remark", "type": "string"}]});
    root.post("collections:create", links).await.data();
    root.post("links:create", json!([{"a": 1, "b": 1}, {"a": 1, "b": 2}])).await.data();

    let changed = root.post("links:update?filterByTk[a]=1&filterByTk[b]=2", json!({"remark": "x"})).await.data();
    assert_eq!(
        (changed.as_array().map(Vec::len), &changed[0]["b"], &changed[0]["remark"]),
        (Some(1), &json!(2), &json!("x"))
    );
    assert_eq!(root.get("links:get/%7B%22a%22:1,%22b%22:2%7D").await.data()["remark"], "x");
    assert_eq!(root.get("links:get?filterByTk={\"a\":1,\"b\":1}").await.data()["remark"], Value::Null);
    assert_eq!(root.get("links:get?filterByTk={\"a\":1}").await.0, 400);
}

#[tokio::test]
async fn update_or_create_and_first_or_create() {
    let running = Running::start().await;
    let root = running.root().await;
    root.make_posts().await;
    let made = root.post("posts:updateOrCreate?filterKeys=title", json!({"title": "t", "secret": "1"})).await.data();
    let changed =
        root.post("posts:updateOrCreate?filterKeys[]=title", json!({"title": "t", "secret": "2"})).await.data();
    let first = root.post("posts:firstOrCreate?filterKeys=title", json!({"title": "t", "secret": "3"})).await.data();
    assert_eq!((&made["id"], &changed[0]["id"], &first["id"]), (&json!(1), &json!(1), &json!(1)));
    assert_eq!((&changed[0]["secret"], &first["secret"]), (&json!("2"), &json!("2")));
    let answer = root.post("posts:firstOrCreate", json!({"title": "t"})).await;
    assert_eq!(answer.refusal(), (400, "INVALID_PARAMETER"));
}

#[tokio::test]
async fn association_resources_see_linked_records_only() {
    let running = Running::start().await;
    let root = running.root().await;
    root.make_posts().await;
    let field = json!({"name": "posts", "type": "hasMany", "target": "posts", "foreignKey": "categoryId"});
    root.post("collections/categories/fields:create", field).await.data();
    root.post("categories:create", json!([{"title": "one"}, {"title": "two"}])).await.data();
    root.post("posts:create", json!({"title": "free"})).await.data();
    let below = root.post("categories/1/posts:create", json!({"title": "below"})).await.data();
    assert_eq!(below["categoryId"], 1);

    assert_eq!(root.get("categories/1/posts:list").await.data().as_array().map(Vec::len), Some(1));
    assert_eq!(root.get("categories/1/posts/1").await.refusal(), (404, "NOT_FOUND"));
    let update = root.post("categories/2/posts:update?filterByTk=2", json!({"title": "x"})).await;
    assert_eq!(update.data(), json!([]), "it belongs to another category");
    assert_eq!(root.get("posts/2/category:get").await.data()["title"], "one");
    let renamed = root.post("posts/2/category:update", json!({"title": "uno"})).await.data();
    assert_eq!(renamed[0]["title"], "uno");
    assert_eq!(root.get("categories/9/posts:list").await.refusal(), (404, "NOT_FOUND"));
    assert_eq!(root.post("categories/2/posts:add", json!([1])).await.1, json!({}));
    assert_eq!(root.get("posts/1").await.data()["categoryId"], 2);
}

#[tokio::test]
async fn a_request_id_comes_back_and_unknown_paths_are_json() {
    let running = Running::start().await;
    let client = reqwest::Client::builder().no_proxy().build().expect("a client");
    let answer =
        client.get(format!("{}/nowhere", running.url)).header("x-request-id", "mine").send().await.expect("sent");
    assert_eq!(
        (answer.status().as_u16(), &answer.headers()["x-request-id"]),
        (404, &"mine".parse().expect("a header"))
    );
    let body: Value = answer.json().await.expect("JSON");
    assert_eq!(body["errors"][0]["code"], "NOT_FOUND");
    let made = client.get(format!("{}/healthz", running.url)).send().await.expect("sent");
    assert!(made.headers().contains_key("x-request-id"));
}

#[tokio::test]
async fn what_a_caller_began_is_finished_when_the_caller_goes_away() {
    let running = Running::start().await;
    let root = running.root().await;
    root.make_posts().await;
    let workflows = [root.make_workflow().await, root.make_workflow().await];
    let keys = workflows.each_ref().map(|workflow| workflow["key"].as_str().expect("a key")).join(",");

    let body = r#"{"title": "left"}"#;
    let request = format!(
        "POST /api/posts:create?triggerWorkflows={keys} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\nContent-Length: {}\r\n\r\n{body}",
        root.token,
        body.len(),
    );
    let mut connection = TcpStream::connect(running.server.local_addr()).await.expect("connected");
    connection.write_all(request.as_bytes()).await.expect("sent");
    drop(connection);

    // A request whose caller leaves before it is read may never begin; once its record is there, all of it happens.
    let begun = eventually("the request is read", async || {
        let posts = root.get("posts:list").await.data();
        posts.as_array().is_some_and(|posts| !posts.is_empty()).then_some(true)
    });
    assert!(begun.await);
    eventually("both executions resolve", async || {
        let executions = root.get("executions:list?filter={\"status\":1}").await.data();
        (executions.as_array().map(Vec::len) == Some(2)).then_some(())
    })
    .await;
}
