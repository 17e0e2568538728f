//! What requests start: in process, and through the library that the host loads.

use hmac::{Hmac, KeyInit as _, Mac as _};
use plugin_api::{ErrorKind, ExecutionMode, RouteAnswer, WorkflowId};
use plugin_testkit::{PluginUnderTest, Request, Schema, TestHost, both_ways};
use plugin_workflow_webhook_trigger::WebhookTriggerPlugin;
use serde_json::{Value, json};
use sha2::Sha256;

both_ways!(
    plugin_workflow_webhook_trigger,
    WebhookTriggerPlugin: a_request_starts_its_workflow, a_request_has_to_prove_itself, what_is_switched_off_is_not_there,
    a_bad_configuration_is_refused,
);

const SECRET: &str = "a secret of some length";

fn host(plugin: PluginUnderTest, config: Value) -> (TestHost, WorkflowId) {
    let mut host = TestHost::new(plugin, Schema::default());
    let workflow = host.enable("orders", "webhook", ExecutionMode::Sync, config).expect("a good configuration");
    (host, workflow)
}

fn order() -> Request {
    Request::post("webhooks", "orders").query("from=shop").json(&json!({"order": 7}))
}

/// The status of a refusal; 0 for a request that starts something.
fn status(host: &TestHost, request: &Request) -> u16 {
    match host.request(request).expect("an answer") {
        RouteAnswer::Refuse(refusal) => refusal.status,
        _ => 0,
    }
}

fn a_request_starts_its_workflow(plugin: PluginUnderTest) {
    let (host, workflow) = host(plugin, json!({}));
    let RouteAnswer::Start(start) = host.request(&order().header("X-Shop", "7")).expect("an answer") else {
        panic!("it is not refused")
    };
    assert_eq!((start.workflow, start.mode), (workflow, ExecutionMode::Sync));
    assert_eq!(start.context["body"], json!({"order": 7}));
    assert_eq!(start.context["query"], json!({"from": "shop"}));
    assert_eq!(start.context["headers"]["x-shop"], "7");
    assert_eq!(status(&host, &Request::new("get", "webhooks", "orders")), 405);
    assert_eq!(status(&host, &Request::post("webhooks", "orders").body("{")), 400);
}

fn a_request_has_to_prove_itself(plugin: PluginUnderTest) {
    let (host, _) = host(plugin, json!({"secret": SECRET, "timestampHeader": "x-time", "token": "a long token"}));
    let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).expect("any key");
    mac.update(b"1000.{\"order\":7}");
    let signature = hex::encode(mac.finalize().into_bytes());
    let signed = order().header("X-Time", "1000").header("X-Signature", &signature).at_ms(1_000_000);
    assert_eq!(status(&host, &signed), 401, "the token is missing");
    let signed = signed.header("Authorization", "Bearer a long token");
    assert_eq!(status(&host, &signed), 0);
    assert_eq!(status(&host, &signed.clone().body("{\"order\":8}")), 401, "another body");
    assert_eq!(status(&host, &signed.at_ms(1_000_000_000)), 401, "too late");
}

fn what_is_switched_off_is_not_there(plugin: PluginUnderTest) {
    let (mut host, workflow) = host(plugin, json!({}));
    assert_eq!(status(&host, &Request::post("webhooks", "payments")), 404);
    host.disable(workflow).expect("disables");
    assert_eq!(status(&host, &order()), 404);
    let nowhere = host.request(&Request::post("webhook", "orders")).expect_err("it is called otherwise");
    assert_eq!(nowhere.message, "no route webhook; there is: webhooks");
}

fn a_bad_configuration_is_refused(plugin: PluginUnderTest) {
    let mut host = TestHost::new(plugin, Schema::default());
    let misspelt = host.enable("orders", "webhook", ExecutionMode::Async, json!({"secrt": SECRET}));
    assert_eq!(misspelt.expect_err("it would be open to everybody").kind, ErrorKind::Invalid);
    assert_eq!(status(&host, &order()), 404);
}
