//! A plugin that keeps failing is taken out of service, and comes back.

use serde_json::{Value, json};

use super::versioned::Versioned;
use crate::harness::{NewWorkflow, eventually};

const SUSPENDED: &str = "plugin_suspended{plugin=\"plugin-versioned\"}";

#[tokio::test]
async fn an_optional_plugin_harms_nobody_else() {
    let rig = Versioned::start("breaker = { faults = 3, cooldown_seconds = 0, slow_call_ms = 100 }").await;
    let theirs = rig.workflow("posts").await;
    let ours = rig.blog.workflow(NewWorkflow::on("posts").global(&["create"])).await;

    rig.create("a", "panic").await.ok();
    rig.create("b", "error").await.ok();
    assert_eq!(rig.state().await.0, "loaded", "two are not enough");
    rig.create("c", "slow").await.ok();
    let details = rig.details().await;
    assert_eq!((&details["state"], &details["faults"]), (&json!("suspended"), &json!(3)));
    assert!(details["lastFault"].as_str().is_some_and(|fault| fault.starts_with("a hook took ")), "{details:#}");
    assert_eq!(rig.readyz().await, (200, json!("suspended")), "the server is ready without it");
    assert_eq!(rig.host.metric(SUSPENDED).await, 1.0);
    assert!(rig.host.log().contains("plugin taken out of service"), "{}", rig.host.log());

    rig.create("d", "").await.ok();
    assert_eq!(rig.titles(theirs).await, ["c"], "what came too late still came");
    rig.blog.finished(&ours, 4).await;
    let told = rig.blog.admin.get(&format!("workflows:get?filterByTk={theirs}")).await.ok();
    assert_eq!(told["obstacle"], "plugin \"plugin-versioned\" is out of service after too many faults");
    let lines = rig.blog.admin.get("workflows:explain?collection=posts&action=create").await.ok();
    let line = lines.as_array().expect("lines").iter().find(|line| line["workflowId"] == theirs);
    assert_eq!(line.map(|line| &line["reason"]), Some(&json!("pluginSuspended")), "{lines:#}");

    // Without a cool-down it takes an administrator.
    assert_eq!(rig.act("enable", json!({})).await.ok()["state"], "loaded");
    rig.create("e", "").await.ok();
    assert_eq!(rig.titles(theirs).await, ["c", "e"]);
    assert_eq!(rig.host.metric(SUSPENDED).await, 0.0);
}

#[tokio::test]
async fn without_a_required_plugin_there_is_no_action() {
    let rig = Versioned::start("required = true\nbreaker = { faults = 2, cooldown_seconds = 1 }").await;
    let theirs = rig.workflow("posts").await;
    let ours = rig.blog.workflow(NewWorkflow::on("posts").global(&["create"])).await;
    let refused = async |title: &str, bindings: &str| {
        let answer = rig.create(title, bindings).await;
        assert_eq!((answer.status, answer.code()), (503, Some("PLUGIN_UNAVAILABLE")), "{}", answer.body);
        assert!(
            answer.message().contains("\"plugin-versioned\", which is required, is out of order"),
            "{}",
            answer.body
        );
    };
    refused("a", "panic").await;
    refused("b", "error").await;
    assert_eq!(rig.state().await.0, "suspended");
    // Nobody waits for these.
    rig.blog.admin.post("tags:create", json!({"name": "x"})).await.ok();

    // The trial fails, and the plugin stays out for another second.
    eventually("the trial that fails", async || {
        refused("c", "error").await;
        (rig.details().await["faults"] == 3).then_some(())
    })
    .await;
    // Until then good requests are refused; the one that is the trial succeeds, and brings the plugin back.
    eventually("the trial that succeeds", async || (rig.create("d", "").await.status == 200).then_some(())).await;
    assert_eq!(rig.state().await.0, "loaded");
    rig.create("e", "").await.ok();

    let posts = rig.blog.admin.list("posts", json!({})).await;
    let stored: Vec<&Value> = posts.iter().map(|post| &post["title"]).collect();
    assert_eq!(stored, ["d", "e"], "nothing is stored of what was refused");
    assert_eq!(rig.titles(theirs).await, ["d", "e"]);
    assert_eq!(rig.blog.finished(&ours, 2).await.len(), 2, "and nothing fired");
}
