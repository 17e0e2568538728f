//! `request` through the engine, against a server on this machine.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::State,
    http::{HeaderMap, Method, StatusCode, Uri, header},
    response::{IntoResponse, Redirect},
    routing::{any, get},
};
use serde_json::{Value, json};
use store::{ExecutionStatus, JobStatus, Submission};
use tokio_util::{sync::DropGuard, task::TaskTracker};
use workflow::{OutsideOptions, Permission};

use crate::harness::{Harness, log, node};

/// What reached the server: method, path and query, headers, body.
type Seen = Arc<Mutex<Vec<(Method, Uri, HeaderMap, String)>>>;

/// A server that writes down what it is asked. It stops when this is dropped.
struct Server {
    address: SocketAddr,
    seen: Seen,
    _stop: DropGuard,
}

impl Server {
    async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Seen::default();
        let other = format!("http://localhost:{}/echo", address.port());
        let router = Router::new()
            .route("/echo", any(echo))
            .route("/broken", any(|| async { (StatusCode::BAD_GATEWAY, "out of order") }))
            .route("/wrong", get(|| async { ([(header::CONTENT_TYPE, "application/json")], "{no json") }))
            .route("/empty", any(|| async { StatusCode::NO_CONTENT }))
            .route("/silent", any(std::future::pending::<StatusCode>))
            .route(
                "/endless",
                get(|| async {
                    Body::from_stream(futures::stream::repeat(Ok::<_, String>(Bytes::from_static(&[b'x'; 4096]))))
                }),
            )
            .route("/around", any(|| async { Redirect::temporary("/around") }))
            .route("/see-other", any(|| async { Redirect::to("/echo") }))
            .route("/temporary", any(|| async { Redirect::temporary("/echo") }))
            .route("/elsewhere", any(move || async move { Redirect::temporary(&other) }))
            .route("/to-file", any(|| async { Redirect::temporary("file:///etc/hostname") }))
            .with_state(Arc::clone(&seen));
        let stop = tokio_util::sync::CancellationToken::new();
        let stopped = stop.clone().cancelled_owned();
        TaskTracker::new().spawn(axum::serve(listener, router).with_graceful_shutdown(stopped).into_future());
        Self { address, seen, _stop: stop.drop_guard() }
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    fn last(&self) -> (Method, Uri, HeaderMap, String) {
        self.seen.lock().unwrap().last().cloned().expect("a request")
    }
}

async fn echo(
    State(seen): State<Seen>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: String,
) -> impl IntoResponse {
    let answer = json!({"body": body}).to_string();
    seen.lock().unwrap().push((method, uri, headers, body));
    ([(header::CONTENT_TYPE, "application/json; charset=utf-8"), (header::ETAG, "\"v1\"")], answer)
}

async fn harness() -> Harness {
    Harness::with_outside(OutsideOptions { private_requests: Permission::Granted, ..OutsideOptions::default() }).await
}

async fn request(harness: &Harness, config: Value) -> (JobStatus, Value) {
    let (_, job, result) = harness.run_node(node("request", config), json!({"data": {"id": 7, "name": "ä&b"}})).await;
    (job, result)
}

#[test_database::test]
async fn json_goes_out_and_comes_back() {
    let (harness, server) = (harness().await, Server::start().await);
    let config = json!({
        "url": server.url("/echo?a=1"), "params": [{"name": "q", "value": "{{$context.data.name}}"}],
        "headers": [{"name": "X-Token", "value": "s3cret"}], "data": {"id": "{{$context.data.id}}"},
    });
    let (status, result) = request(&harness, config).await;
    assert_eq!(status, JobStatus::Resolved, "{result}");
    assert_eq!((&result["status"], &result["headers"]["etag"]), (&json!(200), &json!("\"v1\"")));
    assert_eq!(result["data"], json!({"body": "{\"id\":7}"}));
    let (method, uri, headers, body) = server.last();
    assert_eq!((method, uri.to_string(), body.as_str()), (Method::POST, "/echo?a=1&q=%C3%A4%26b".into(), "{\"id\":7}"));
    assert_eq!(
        (&headers["content-type"], &headers["x-token"]),
        (&"application/json".parse().unwrap(), &"s3cret".parse().unwrap())
    );
}

#[test_database::test]
async fn forms_and_texts_go_out() {
    let (harness, server) = (harness().await, Server::start().await);
    let form = "application/x-www-form-urlencoded";
    for (content_type, data, want) in [
        (form, json!({"a": "x y", "b": [1, true], "c": null}), "a=x+y&b=1&b=true&c="),
        (form, json!([{"name": "a", "value": "&"}, {"name": "a", "value": "{{$context.data.id}}"}]), "a=%26&a=7"),
        ("text/plain", json!("hello {{$context.data.id}}"), "hello 7"),
    ] {
        let config = json!({"method": "PUT", "url": server.url("/echo"), "contentType": content_type, "data": data, "onlyData": true});
        let got = request(&harness, config).await;
        assert_eq!(got, (JobStatus::Resolved, json!({"body": want})));
        let (method, _, headers, _) = server.last();
        assert_eq!(method, Method::PUT);
        assert!(headers["content-type"].to_str().unwrap().starts_with(content_type), "{headers:?}");
    }
    let (_, result) = request(&harness, json!({"method": "GET", "url": server.url("/empty")})).await;
    assert_eq!((&result["status"], &result["data"]), (&json!(204), &json!(null)));
    let (_, result) = request(&harness, json!({"method": "GET", "url": server.url("/wrong"), "onlyData": true})).await;
    assert_eq!(result, json!("{no json"), "what the server wrongly calls JSON is text");
}

#[test_database::test]
async fn a_request_is_named_after_its_execution_and_node() {
    let (harness, server) = (harness().await, Server::start().await);
    let workflow = harness.workflow(vec![node("request", json!({"url": server.url("/echo")}))]).await;
    let mut keys = Vec::new();
    for _ in 0..2 {
        let outcome = harness.run(&workflow, json!({})).await;
        let jobs = harness.jobs(outcome.id).await;
        let (_, _, headers, _) = server.last();
        let key = headers["idempotency-key"].to_str().unwrap().to_owned();
        assert_eq!(key, format!("{}-{}", outcome.id.0, jobs[0].node_key));
        keys.push(key);
    }
    assert_ne!(keys[0], keys[1]);
}

#[test_database::test]
async fn a_request_that_is_sent_again_after_a_return_has_another_key() {
    let (harness, server) = (harness().await, Server::start().await);
    let user = harness.user(json!({})).await;
    let asks = node("manual", json!({"assignees": user, "title": "again?"}));
    let workflow = harness.workflow(vec![node("request", json!({"url": server.url("/echo")})), asks]).await;
    let id = harness.run(&workflow, json!({})).await.id;
    let jobs = harness.jobs(id).await;
    let (request, asked) = (jobs[0].id, jobs[1].id);
    harness.write(move |tx| Box::pin(async move { tx.set_returns_to(asked, request).await })).await;
    let task = harness.store.read().await.unwrap().tasks_of_job(asked).await.unwrap().remove(0);
    harness.engine.submit_task(task.user_id, task.id, "approve".into(), Submission::default()).await.unwrap();
    harness.until_so(async || harness.jobs(id).await.len() == 4).await;
    let keys: Vec<_> =
        server.seen.lock().unwrap().iter().map(|(_, _, headers, _)| headers["idempotency-key"].clone()).collect();
    let key = format!("{}-{}", id.0, jobs[0].node_key);
    assert_eq!(keys, [key.clone(), format!("{key}-again-1")]);
}

#[test_database::test]
async fn a_failure_fails_the_execution_unless_it_is_ignored() {
    let (harness, server) = (harness().await, Server::start().await);
    let config = |ignore: bool| json!({"url": server.url("/broken"), "ignoreFail": ignore});
    let (status, job, result) = harness.run_node(node("request", config(false)), json!({})).await;
    assert_eq!((status, job), (ExecutionStatus::Failed, JobStatus::Failed));
    assert_eq!((&result["status"], &result["data"]), (&json!(502), &json!("out of order")));

    let workflow = harness.workflow(vec![node("request", config(true)), log("after")]).await;
    assert_eq!(harness.run(&workflow, json!({})).await.status, ExecutionStatus::Resolved);
    assert_eq!(harness.logs().await, ["after"]);

    // A port that was just given back: nobody listens.
    let free = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let config = |ignore: bool| json!({"url": format!("http://{free}/?key=s3cret"), "ignoreFail": ignore});
    let (job, result) = request(&harness, config(false)).await;
    assert_eq!(job, JobStatus::Failed);
    assert!(result["message"].as_str().unwrap().starts_with("the request failed: "), "{result}");
    assert!(!result.to_string().contains("s3cret"), "{result}");
    assert_eq!(request(&harness, config(true)).await.0, JobStatus::Resolved);
}

#[test_database::test]
async fn answers_are_bounded_in_time_and_size() {
    let (harness, server) = (harness().await, Server::start().await);
    let (job, result) = request(&harness, json!({"url": server.url("/silent"), "timeout": 50})).await;
    assert_eq!((job, &result["message"]), (JobStatus::Failed, &json!("there was no complete answer within 50 ms")));
    let config =
        json!({"method": "GET", "url": server.url("/endless"), "maxResponseBytes": 100_000, "timeout": 30_000});
    let (job, result) = request(&harness, config).await;
    assert_eq!((job, &result["message"]), (JobStatus::Failed, &json!("the answer is longer than 100000 bytes")));
    let (job, result) = request(&harness, json!({"url": server.url("/empty"), "timeout": 6_000_000})).await;
    assert_eq!((job, &result["message"]), (JobStatus::Error, &json!("\"timeout\" must be between 1 and 600000")));
}

#[test_database::test]
async fn redirects_are_followed_with_care() {
    let (harness, server) = (harness().await, Server::start().await);
    let config =
        |path: &str| json!({"url": server.url(path), "headers": [{"name": "X-Token", "value": "t"}], "data": {"a": 1}});
    // To the same place: once without, once with the body.
    assert_eq!(request(&harness, config("/see-other")).await.1["status"], 200);
    let (method, _, headers, body) = server.last();
    assert_eq!((method, body.as_str(), headers.contains_key("x-token")), (Method::GET, "", true));
    assert_eq!(request(&harness, config("/temporary")).await.1["status"], 200);
    let (method, _, headers, body) = server.last();
    assert_eq!((method, body.as_str(), headers.contains_key("x-token")), (Method::POST, "{\"a\":1}", true));
    // To another origin: without what was meant for the first one.
    assert_eq!(request(&harness, config("/elsewhere")).await.1["status"], 200);
    let (method, _, headers, _) = server.last();
    assert_eq!((method, headers.contains_key("x-token")), (Method::POST, false));

    let (job, result) = request(&harness, config("/around")).await;
    assert_eq!((job, &result["message"]), (JobStatus::Failed, &json!("the server redirected more than 5 times")));
    let (job, result) = request(&harness, config("/to-file")).await;
    assert_eq!((job, &result["message"]), (JobStatus::Error, &json!("only http and https requests can be sent")));
}

#[test_database::test]
async fn private_addresses_are_out_of_reach_by_default() {
    let (harness, server) = (Harness::new().await, Server::start().await);
    let port = server.address.port();
    for host in
        ["127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "0x7f.1", "2130706433", "0.0.0.0", "169.254.169.254"]
    {
        let config = json!({"url": format!("http://{host}:{port}/echo"), "ignoreFail": true});
        let (job, result) = request(&harness, config).await;
        assert_eq!(job, JobStatus::Error, "{host}: {result}");
        let message = result["message"].as_str().unwrap();
        assert!(
            message.ends_with("is not a public address, and requests to others are not allowed here"),
            "{host}: {message}"
        );
    }
    assert!(server.seen.lock().unwrap().is_empty());
}

#[test_database::test]
async fn what_cannot_be_sent_is_refused() {
    let harness = harness().await;
    let check = |config: Value| harness.engine.check_node("request", &config).map_err(|error| error.to_string());
    assert_eq!(check(json!({"url": "https://example.com/{{$context.data.id}}"})), Ok(()));
    assert_eq!(check(json!({"url": "ftp://example.com"})), Err("only http and https requests can be sent".into()));
    assert_eq!(check(json!({"url": "example"})), Err("\"url\" is no address: relative URL without a base".into()));
    assert_eq!(check(json!({})), Err("\"url\" is required".into()));
    for (name, value) in [("Host", "example.com"), ("content-length", "3"), ("X-A", "a\r\nX-B: b"), ("a b", "c")] {
        let config = json!({"url": "http://127.0.0.1:1/", "headers": [{"name": name, "value": value}]});
        let (job, result) = request(&harness, config).await;
        assert_eq!(
            (job, &result["message"]),
            (JobStatus::Error, &json!(format!("the header \"{name}\" cannot be sent")))
        );
    }
}
