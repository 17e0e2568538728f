//! Plugins are looked at, switched off and on while the server runs, over HTTP and by command.

use std::process::{Command, Output};

use serde_json::{Value, json};

use super::versioned::{NEXT, Versioned};
use crate::harness::Client;

#[tokio::test]
async fn everything_about_a_plugin_is_told() {
    let rig = Versioned::start("settings = { secret = \"hush\" }").await;
    let workflow = rig.workflow("posts").await;
    let details = rig.details().await;
    assert_eq!(details["id"], "plugin-versioned");
    assert_eq!((&details["state"], &details["version"]), (&json!("loaded"), &json!("0.1.0")));
    assert_eq!(details["apiVersion"], "1.2.0");
    assert_eq!(details["triggers"][0]["id"], "versioned");
    assert_eq!(details["configSchemas"]["versioned"]["required"], json!(["collection"]));
    assert_eq!((&details["routes"], &details["nodes"]), (&json!(["versioned"]), &json!([])));
    assert_eq!(details["settings"], json!({"secret": "***"}), "a secret stays one");
    assert!(details["settingsSchema"]["properties"]["refuseNext"].is_object(), "{details:#}");
    assert_eq!(details["sha256"].as_str().map(str::len), Some(64));
    assert_eq!(details["breaker"]["faults"], 5);
    assert_eq!((&details["faults"], &details["lastFault"]), (&json!(0), &Value::Null));
    assert_eq!(details["workflows"][0]["id"], workflow);

    let all = rig.blog.admin.get("plugins:list").await.ok();
    let ids: Vec<&Value> = all.as_array().expect("a list").iter().map(|report| &report["id"]).collect();
    assert_eq!((ids[0], ids[ids.len() - 1]), (&json!("workflow-action-trigger"), &json!("plugin-versioned")));
    let approval = rig.blog.admin.get("plugins:get?filterByTk=workflow-approval").await.ok();
    let node = &approval["nodes"][0];
    assert_eq!((&node["id"], &node["title"]["en"]), (&json!("approval"), &json!("Approval")), "{approval:#}");
    assert_eq!(node["branches"].as_array().map(Vec::len), Some(3));
    assert_eq!(approval["nodeSchemas"]["approval"]["required"], json!(["title"]));
    let unknown = rig.blog.admin.get("plugins:get?filterByTk=nobody").await;
    assert_eq!((unknown.status, unknown.code()), (404, Some("UNKNOWN_PLUGIN")));
}

#[tokio::test]
async fn it_takes_an_administrator() {
    let rig = Versioned::start("").await;
    let user = json!({"username": "kim", "email": "kim@example.com", "password": "a-password", "roles": ["member"]});
    rig.blog.admin.post("users:create", user).await.ok();
    let kim = Client::sign_in(rig.host.base_url(), "kim", "a-password").await;
    for action in ["list", "get", "enable", "disable", "upgrade", "reload"] {
        let path = format!("plugins:{action}?filterByTk=plugin-versioned");
        assert_eq!(kim.post(&path, json!({})).await.status, 403, "{action}");
        assert_eq!(Client::anonymous(rig.host.base_url()).post(&path, json!({})).await.status, 401, "{action}");
    }
    let collection = rig.blog.admin.post("collections:create", json!({"name": "plugins", "fields": []})).await;
    assert_eq!((collection.status, collection.code()), (400, Some("RESERVED_NAME")), "nobody could reach it");
    assert_eq!(rig.blog.admin.post("plugins:explode", json!({})).await.code(), Some("UNKNOWN_ACTION"));
    assert_eq!(rig.act("disable", json!({"force": "yes"})).await.code(), Some("INVALID_VALUE"));
    assert_eq!(rig.state().await.0, "loaded");
}

#[tokio::test]
async fn a_disabled_plugin_fires_nothing_and_says_so() {
    let rig = Versioned::start("required = true").await;
    let workflow = rig.workflow("posts").await;
    let before = rig.manifest();

    let refused = rig.act("disable", json!({})).await;
    assert_eq!((refused.status, refused.code()), (400, Some("PLUGIN_REQUIRED")), "{}", refused.body);
    assert_eq!(rig.manifest(), before);

    assert_eq!(rig.act("disable", json!({"force": true})).await.ok()["state"], "disabled");
    let disabled = format!("{before}enabled = false\n");
    assert_eq!(rig.manifest(), disabled, "one line more, and the comments stay");
    assert_eq!(rig.readyz().await, (200, json!("disabled")));
    rig.create("a", "").await.ok();
    assert!(rig.titles(workflow).await.is_empty());
    assert!(rig.host.log().contains("enabled workflows cannot fire"), "{}", rig.host.log());

    let told = rig.blog.admin.get(&format!("workflows:get?filterByTk={workflow}")).await.ok();
    assert_eq!(
        (&told["enabled"], &told["obstacle"]),
        (&json!(true), &json!("no plugin offers the trigger type \"versioned\""))
    );
    let listed = rig.blog.admin.get("workflows:list").await.ok();
    assert_eq!(listed[0]["obstacle"], told["obstacle"]);
    let lines = rig.blog.admin.get("workflows:explain?collection=posts&action=create").await.ok();
    assert_eq!((&lines[0]["workflowId"], &lines[0]["reason"]), (&json!(workflow), &json!("noPlugin")), "{lines:#}");

    assert_eq!(rig.upgrade(NEXT).await.code(), Some("PLUGIN_DISABLED"));
    assert_eq!(rig.act("enable", json!({})).await.ok()["state"], "loaded");
    assert_eq!(rig.manifest(), disabled.replace("enabled = false", "enabled = true"));
    rig.create("b", "").await.ok();
    assert_eq!(rig.titles(workflow).await, ["b"], "it knows its workflows again");
    let told = rig.blog.admin.get(&format!("workflows:get?filterByTk={workflow}")).await.ok();
    assert!(told.get("obstacle").is_none(), "{told:#}");
}

#[tokio::test]
async fn a_restart_finds_the_plugins_as_they_were_left() {
    let mut rig = Versioned::start("").await;
    let workflow = rig.workflow("posts").await;
    rig.upgrade(NEXT).await.ok();
    assert!(rig.host.terminate().await.success());
    rig.host = rig.host.restart().await;
    rig.blog.admin = rig.host.admin().await;
    assert_eq!(rig.state().await, (json!("loaded"), json!("0.2.0")));
    rig.create("a", "").await.ok();
    assert_eq!(rig.titles(workflow).await, ["a"]);
}

/// Runs `host-demo plugins …` against a server.
fn command(server: &str, token: &str, arguments: &[&str]) -> (bool, String) {
    let output: Output = Command::new(env!("CARGO_BIN_EXE_host"))
        .arg("plugins")
        .args(arguments)
        .args(["--server", server])
        .env("HOST_TOKEN", token)
        .env("NO_PROXY", "*")
        .output()
        .expect("the command runs");
    let text = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).expect("text")).concat();
    (output.status.success(), text)
}

#[tokio::test]
async fn the_command_does_the_same() {
    let rig = Versioned::start("required = true").await;
    rig.workflow("posts").await;
    let token = rig.blog.admin.token.clone().expect("a token");
    let run = async |arguments: &'static [&'static str]| {
        let (server, token) = (rig.host.base_url().to_owned(), token.clone());
        tokio::task::spawn_blocking(move || command(&server, &token, arguments)).await.expect("it ends")
    };
    let (worked, shown) = run(&["list"]).await;
    assert!(worked && shown.contains("plugin-versioned 0.1.0  loaded  required\n"), "{shown}");
    let (worked, shown) = run(&["info", "plugin-versioned"]).await;
    assert!(worked && shown.contains("  sha256   ") && shown.contains("  enabled  \"test\"\n"), "{shown}");
    let (worked, shown) = run(&["disable", "plugin-versioned"]).await;
    assert!(!worked && shown.contains("is required") && shown.contains("(400)"), "{shown}");
    let (worked, shown) = run(&["upgrade", "plugin-versioned", "--library", NEXT]).await;
    assert!(worked && shown.contains("plugin-versioned 0.2.0  loaded"), "{shown}");
    let (worked, shown) = run(&["disable", "plugin-versioned", "--force"]).await;
    assert!(worked && shown.contains("plugin-versioned ?  disabled"), "{shown}");
    let (worked, shown) = run(&["enable", "plugin-versioned", "--json"]).await;
    assert!(worked, "{shown}");
    let reports: Value = serde_json::from_str(&shown).expect("JSON");
    assert_eq!((&reports[0]["state"], &reports[0]["version"]), (&json!("loaded"), &json!("0.2.0")));
    let (worked, shown) = run(&["reload"]).await;
    assert!(worked && shown.contains("plugin-versioned 0.2.0  loaded"), "{shown}");

    let server = rig.host.base_url().to_owned();
    let (worked, shown) =
        tokio::task::spawn_blocking(move || command(&server, "nonsense", &["list"])).await.expect("it ends");
    assert!(!worked && shown.contains("(401)"), "{shown}");
}
