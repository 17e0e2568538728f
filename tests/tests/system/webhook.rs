//! Workflows that other systems start by HTTP requests.

use hmac::{Hmac, KeyInit as _, Mac as _};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use sha2::Sha256;

use crate::harness::{Answer, Blog, Client, Host, NewWorkflow, fixture::Workflow};

const SECRET: &str = "a secret of some length";

async fn blog() -> (Host, Blog, Client) {
    let host = Host::start().await;
    let blog = Blog::set_up(host.admin().await).await;
    let stranger = Client::anonymous(host.base_url());
    (host, blog, stranger)
}

fn webhook(config: Value) -> NewWorkflow {
    NewWorkflow::of("webhook", config)
}

fn signature(body: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).expect("any key");
    mac.update(body.as_bytes());
    format!("sha256={}", hex::encode(mac.finalize().into_bytes()))
}

async fn send(client: &Client, workflow: &Workflow, signature: &str, body: &str) -> Answer {
    let request = client.request(Method::POST, &format!("webhooks/{}?from=shop", workflow.key));
    client.send(request.header("X-Signature", signature).body(body.to_owned())).await
}

#[tokio::test]
async fn a_signed_request_of_a_stranger_starts_its_workflow_in_the_background() {
    let (host, blog, stranger) = blog().await;
    let workflow = blog.workflow(webhook(json!({"secret": SECRET})).logs("ran")).await;
    let body = r#"{"order":  7}"#;
    let answer = send(&stranger, &workflow, &signature(body), body).await;
    assert_eq!(answer.status, 202, "{}", answer.body);
    let execution = blog.finished(&workflow, 1).await.remove(0);
    assert_eq!(answer.body, json!({"data": {"execution": {"id": execution["id"]}}}));
    let context = &execution["context"];
    assert_eq!((&context["body"], &context["query"]), (&json!({"order": 7}), &json!({"from": "shop"})));
    assert!(context["headers"]["content-length"].is_string() && context["headers"].get("x-signature").is_none());
    assert!(context.get("user").is_none(), "nobody has signed in");

    for (signature, body) in [(signature(body), "{}"), ("sha256=00".to_owned(), body)] {
        let answer = send(&stranger, &workflow, &signature, body).await;
        assert_eq!((answer.status, answer.message()), (401, "the signature or the token is missing, wrong or too old"));
    }
    let large = "x".repeat((1 << 20) + 1);
    assert_eq!(send(&stranger, &workflow, &signature(&large), &large).await.status, 413);
    let get = stranger.get(&format!("webhooks/{}", workflow.key)).await;
    assert_eq!((get.status, get.message()), (405, "this webhook takes POST requests"));
    assert_eq!(stranger.post("webhooks/nosuch", json!({})).await.status, 404);

    let host = host.crash_and_restart().await;
    let blog = Blog { admin: host.admin().await };
    let stranger = Client::anonymous(host.base_url());
    assert_eq!(
        send(&stranger, &workflow, &signature(body), body).await.status,
        202,
        "its secret is known after a restart"
    );
    blog.finished(&workflow, 2).await;
    blog.switch(&workflow, false).await;
    assert_eq!(send(&stranger, &workflow, &signature(body), body).await.status, 404);
    assert_eq!(blog.executions(&workflow).await.len(), 2);
}

#[tokio::test]
async fn a_synchronous_one_answers_with_what_its_workflow_worked_out() {
    let (_host, blog, stranger) = blog().await;
    let says = webhook(json!({})).sync().node("response-message", json!({"message": "thanks"}));
    let says = blog.workflow(says.node("output", json!({"value": "{{$context.body.n}}"}))).await;
    let refuses = blog.workflow(webhook(json!({})).sync().refuses("sold out")).await;
    let answer = send(&stranger, &says, "", r#"{"n": 5}"#).await;
    assert_eq!((answer.status, answer.body), (200, json!({"data": 5, "messages": [{"message": "thanks"}]})));
    let answer = send(&stranger, &refuses, "", "{}").await;
    assert_eq!((answer.status, answer.message()), (400, "sold out"));
    let answer = send(&stranger, &says, "", "{").await;
    assert_eq!(answer.status, 400);
    assert!(answer.message().starts_with("the body is no JSON: "));
}

#[tokio::test]
async fn secrets_are_shown_to_nobody_and_kept_when_the_stars_come_back() {
    let (_host, blog, stranger) = blog().await;
    let workflow = blog.workflow(webhook(json!({"secret": SECRET}))).await;
    let path = format!("workflows:get?filterByTk={}", workflow.id);
    let shown = blog.admin.get(&path).await.ok();
    assert_eq!(shown["config"]["secret"], "***");
    let list = blog.admin.get("workflows:list").await.body.to_string();
    assert!(!shown.to_string().contains(SECRET) && !list.contains(SECRET));

    let filter = json!({"secrets": {"$notEmpty": true}}).to_string();
    let guess = blog.admin.request(Method::GET, "workflows:list").query(&[("filter", filter)]);
    assert_eq!(blog.admin.send(guess).await.status, 400, "nobody filters by them either");
    assert!(shown.get("secrets").is_none());

    let change = async |config: Value| {
        blog.admin.post(&format!("workflows:update?filterByTk={}", workflow.id), json!({"config": config})).await
    };
    let mut config = shown["config"].clone();
    config["body"] = json!("text");
    change(config.clone()).await.ok();
    assert_eq!(send(&stranger, &workflow, &signature("hello"), "hello").await.status, 202);
    assert_eq!(blog.finished(&workflow, 1).await[0]["context"]["body"], "hello");
    let executions = blog.admin.get("executions:list?appends[]=workflow").await;
    assert!(executions.status == 200 && !executions.body.to_string().contains(SECRET));

    let copy = blog.admin.post(&format!("workflows:revision?filterByTk={}", workflow.id), json!({})).await.ok();
    assert_eq!(copy["config"]["secret"], "***");
    let copy = Workflow { id: copy["id"].as_i64().expect("an id"), key: copy["key"].as_str().expect("a key").into() };
    blog.switch(&copy, true).await;
    assert_eq!(send(&stranger, &copy, &signature("again"), "again").await.status, 202, "a copy has the secret");
    let answer = change(json!({"secret": "another secret", "body": "text"})).await;
    assert_eq!(answer.status, 400, "a version that was executed is frozen, its secrets too");

    let other = json!({"secret": "short"});
    let answer = blog.admin.post("workflows:create", json!({"type": "webhook", "config": other})).await;
    assert_eq!((answer.status, answer.message()), (400, "\"secret\" must have at least 8 characters"));
    let misspelt = json!({"title": "w", "type": "webhook", "config": {"secrett": "long-enough"}});
    assert_eq!(blog.admin.post("workflows:create", misspelt).await.status, 400, "it would leave the address open");
    let stars = json!({"type": "webhook", "config": {"secret": "***"}});
    assert_eq!(blog.admin.post("workflows:create", stars).await.status, 400);
}

#[tokio::test]
async fn without_its_plugin_a_webhook_says_so_and_comes_back_with_it() {
    let (_host, blog, stranger) = blog().await;
    let workflow = blog.workflow(webhook(json!({"token": SECRET}))).await;
    let request = || {
        let request = stranger.request(Method::POST, &format!("webhooks/{}", workflow.key));
        stranger.send(request.header("X-Webhook-Token", SECRET))
    };
    assert_eq!(request().await.status, StatusCode::ACCEPTED.as_u16());
    blog.admin.post("plugins:disable/workflow-webhook-trigger", json!({})).await.ok();
    let gone = request().await;
    assert_eq!((gone.status, gone.code()), (404, Some("NOT_FOUND")), "{gone:?}");
    blog.admin.post("posts:create", json!({"title": "all else goes on"})).await.ok();
    let path = format!("workflows:get?filterByTk={}", workflow.id);
    assert_eq!(blog.admin.get(&path).await.ok()["config"]["token"], "***", "whoever knows the schema");
    blog.admin.post("plugins:enable/workflow-webhook-trigger", json!({})).await.ok();
    assert_eq!(request().await.status, StatusCode::ACCEPTED.as_u16());
    blog.finished(&workflow, 2).await;
}
