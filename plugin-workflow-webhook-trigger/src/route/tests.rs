use hmac::{Hmac, KeyInit as _, Mac as _};
use plugin_api::{CollectionRef, RouteRefusal};
use serde_json::json;
use sha2::Sha256;

use super::*;

struct Nothing;

impl SchemaView for Nothing {
    fn has_data_source(&self, _: &str) -> bool {
        false
    }

    fn has_collection(&self, _: &CollectionRef) -> bool {
        false
    }

    fn association(&self, _: &CollectionRef, _: &str) -> Option<plugin_api::Association> {
        None
    }
}

/// A route with one webhook at `k`.
fn route(config: Value) -> WebhookRoute {
    let enabled = Enabled::default();
    let config = serde_json::from_value(config).expect("a configuration");
    let trigger = WebhookTrigger(enabled.clone());
    trigger.validate(&config, &Nothing).expect("a good one");
    let workflow = Workflow { id: WorkflowId(7), key: "k".to_owned(), mode: ExecutionMode::Async, config };
    trigger.enable(workflow).expect("enabling cannot fail");
    WebhookRoute(enabled)
}

fn ask(route: &WebhookRoute, headers: &[(&str, &str)], body: &[u8]) -> RouteAnswer {
    let headers: Vec<_> = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let mut request = RouteRequest::new("POST", "k");
    (request.headers, request.body, request.query, request.at_ms) = (&headers, body, "a=1&a=2&b=%20", 1_000_000);
    route.answer(&request).expect("an answer")
}

fn status(answer: &RouteAnswer) -> u16 {
    match answer {
        RouteAnswer::Refuse(RouteRefusal { status, .. }) => *status,
        _ => 200,
    }
}

fn sign(secret: &str, text: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("any key");
    mac.update(text.as_bytes());
    hex::encode(mac.finalize().into_bytes())
}

#[test]
fn a_request_starts_its_workflow_with_what_it_says() {
    let answer = ask(&route(json!({})), &[("x-a", "1"), ("x-a", "2"), ("cookie", "c"), ("authorization", "s")], b"[1]");
    let RouteAnswer::Start(start) = answer else { panic!("{answer:?}") };
    assert_eq!(start.workflow, WorkflowId(7));
    let expected = json!({"headers": {"x-a": ["1", "2"]}, "query": {"a": ["1", "2"], "b": " "}, "body": [1]});
    assert_eq!(Value::Object(start.context), expected, "what proves something is not handed on");
}

#[test]
fn bodies_are_read_as_configured() {
    let body = |kind: &str, bytes: &[u8]| match ask(&route(json!({"body": kind})), &[], bytes) {
        RouteAnswer::Start(start) => start.context["body"].clone(),
        other => json!(status(&other)),
    };
    assert_eq!(body("json", b" "), Value::Null);
    assert_eq!(body("json", b"{"), 400);
    assert_eq!(body("form", b"x=1&y=a+b"), json!({"x": "1", "y": "a b"}));
    assert_eq!(body("text", "é".as_bytes()), "é");
    assert_eq!(body("text", &[0xff]), 400);
}

#[test]
fn a_signature_is_over_the_body_as_sent() {
    let route = route(json!({"secret": "long enough", "signatureHeader": "X-Hub-Signature-256"}));
    let good = sign("long enough", "{ }");
    let prefixed = format!("sha256={good}");
    let check =
        |headers: &[(&str, &str)], body: &str, want| assert_eq!(status(&ask(&route, headers, body.as_bytes())), want);
    check(&[("x-hub-signature-256", &good)], "{ }", 200);
    check(&[("x-hub-signature-256", &prefixed)], "{ }", 200);
    check(&[("x-hub-signature-256", &good)], "{}", 401);
    check(&[("x-hub-signature-256", &sign("another one", "{ }"))], "{ }", 401);
    check(&[("x-hub-signature-256", &good[..62])], "{ }", 401);
    check(&[("x-hub-signature-256", "no hex")], "{ }", 401);
    check(&[("x-hub-signature-256", &good), ("x-hub-signature-256", &good)], "{ }", 401);
    check(&[("x-signature", &good)], "{ }", 401);
    check(&[], "{", 401);
}

#[test]
fn an_old_signature_is_refused() {
    let config = json!({"secret": "long enough", "timestampHeader": "X-Time", "toleranceSeconds": 10});
    let route = route(config);
    let check = |time: &str, signed: &str, want| {
        let signature = sign("long enough", signed);
        assert_eq!(status(&ask(&route, &[("x-signature", &signature), ("x-time", time)], b"1")), want, "{time}");
    };
    check("1000", "1000.1", 200);
    check("990", "990.1", 200);
    check("1010", "1010.1", 200);
    check("989", "989.1", 401);
    check("1011", "1011.1", 401);
    check("1000", "1", 401);
    check("1001", "1000.1", 401);
    check("x", "x.1", 401);
    check("-9223372036854775808", "-9223372036854775808.1", 401);
}

#[test]
fn a_token_stands_in_one_of_two_headers() {
    let route = route(json!({"token": "long enough"}));
    let check = |headers: &[(&str, &str)], want| assert_eq!(status(&ask(&route, headers, b"1")), want, "{headers:?}");
    check(&[("authorization", "Bearer long enough")], 200);
    check(&[("x-webhook-token", "long enough")], 200);
    check(&[("x-webhook-token", "long enougH")], 401);
    check(&[("authorization", "long enough")], 401);
    check(&[], 401);
}

#[test]
fn what_is_not_there_or_asked_otherwise_is_refused() {
    let route = route(json!({"method": "PUT"}));
    assert_eq!(status(&ask(&route, &[], b"1")), 405);
    assert_eq!(status(&route.answer(&RouteRequest::new("PUT", "nosuch")).expect("an answer")), 404);
    assert_eq!(status(&route.answer(&RouteRequest::new("PUT", "k")).expect("an answer")), 200);
    WebhookTrigger(route.0.clone()).disable(WorkflowId(7));
    assert_eq!(status(&route.answer(&RouteRequest::new("PUT", "k")).expect("an answer")), 404);
}

#[test]
fn a_configuration_makes_sense() {
    let check = |config: Value, message: &str| {
        let config: Config = serde_json::from_value(config).expect("a configuration");
        assert_eq!(config.check().expect_err("a bad one"), PluginError::invalid(message));
    };
    check(json!({"secret": "short"}), r#""secret" must have at least 8 characters"#);
    check(json!({"token": ""}), r#""token" must have at least 8 characters"#);
    check(json!({"signatureHeader": "a b"}), r#""signatureHeader" must be the name of a header"#);
    check(json!({"timestampHeader": "X-Time"}), r#""timestampHeader" needs a "secret": nothing else is signed"#);
}

#[test]
fn the_schema_says_what_the_form_needs_and_what_is_secret() {
    let schema = schemars::schema_for!(Config).to_value();
    let fields = ["method", "body", "secret", "signatureHeader", "timestampHeader", "toleranceSeconds", "token"];
    for field in fields {
        let property = &schema["properties"][field];
        assert!(property["x-title"]["en"].is_string() && property["description"].is_string(), "{field} is described");
        assert_eq!(property["writeOnly"] == true, ["secret", "token"].contains(&field), "{field}");
    }
}
