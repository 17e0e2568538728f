//! What plugins ask of the host from threads of their own.

use std::{
    fs,
    io::{BufRead as _, BufReader, Write as _},
    net::TcpStream,
};

use serde_json::{Value, json};
use tempfile::TempDir;

use super::harness::{Answer, Blog, Host, HostOptions, NewWorkflow, eventually, process::BUILT_IN_PLUGINS};

/// A server with the plugin that asks what it hears on its socket.
struct Scene {
    host: Host,
    blog: Blog,
    line: TcpStream,
    folder: TempDir,
}

/// The entry of the plugin, which writes its address to the folder.
fn entry(folder: &TempDir, more: &str) -> String {
    let file = folder.path().join("address");
    format!(
        "[[plugin]]\nid = \"plugin-listener\"\nlibrary = \"plugin_listener\"\n{more}\
         settings = {{ addressFile = {file:?} }}\n"
    )
}

const GRANTS: &str = "grants = [\"records\", \"workflows\"]\n";

/// Why the plugin is not loaded without them.
const NOT_GRANTED: &str = "plugin \"plugin-listener\" needs the services records, workflows: if it may have them, add grants = \
                           [\"records\", \"workflows\"] to its entry in the manifest";

impl Scene {
    async fn set_up() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let manifest = format!("{BUILT_IN_PLUGINS}\n{}", entry(&folder, GRANTS));
        let host = Host::start_with(HostOptions { manifest, ..HostOptions::default() }).await;
        let blog = Blog::set_up(host.admin().await).await;
        let line = connect(&folder);
        Self { host, blog, line, folder }
    }

    /// Changes the plugin while it runs.
    async fn act(&self, action: &str) -> Answer {
        self.blog.admin.post(&format!("plugins:{action}?filterByTk=plugin-listener"), json!({})).await
    }

    /// What the host answered to the plugin.
    fn ask(&mut self, question: &Value) -> Value {
        writeln!(self.line, "{question}").expect("the question is sent");
        let mut answer = String::new();
        BufReader::new(&self.line).read_line(&mut answer).expect("an answer");
        serde_json::from_str(&answer).expect("JSON")
    }

    #[track_caller]
    fn refused(&mut self, question: &Value, kind: &str, message: &str) {
        assert_eq!(self.ask(question), json!({"error": {"kind": kind, "message": message}}), "{question}");
    }

    /// Makes a workflow of the plugin's own type that leaves a tag.
    async fn workflow(&self, enabled: bool) -> i64 {
        let admin = &self.blog.admin;
        let made = admin.post("workflows:create", json!({"title": "w", "type": "listener", "config": {}})).await.ok();
        let id = made["id"].as_i64().expect("an id");
        let values = json!({"tag": "{{$context.data.text}}"});
        let node = json!({"type": "create", "config": {"collection": "logs", "params": {"values": values}}});
        admin.post(&format!("workflows/{id}/nodes:create"), node).await.ok();
        admin.post(&format!("workflows:update?filterByTk={id}"), json!({"enabled": enabled})).await.ok();
        id
    }
}

/// Calls the version of the plugin that was loaded last.
fn connect(folder: &TempDir) -> TcpStream {
    let address = fs::read_to_string(folder.path().join("address")).expect("the plugin wrote its address");
    TcpStream::connect(address).expect("the plugin listens")
}

#[tokio::test]
async fn records_are_read_past_rights_and_without_secrets() {
    let mut scene = Scene::set_up().await;
    let categories = ["news", "sport"];
    for (position, title) in categories.iter().enumerate() {
        scene.blog.create("categories", "", json!({"title": title})).await.ok();
        let post = json!({"title": format!("about {title}"), "categoryId": position + 1});
        scene.blog.create("posts", "", post).await.ok();
    }
    let record = scene.ask(&json!({"record": {"collection": "posts", "key": 2, "appends": ["category"]}}));
    assert_eq!((&record["ok"]["title"], &record["ok"]["category"]["title"]), (&json!("about sport"), &json!("sport")));
    assert_eq!(scene.ask(&json!({"record": {"collection": "posts", "key": 3}})), json!({"ok": null}));

    let page = |page: u64, size: u64| {
        json!({"records": {"collection": "posts", "filter": {"category.title": {"$ne": "x"}}, "sort": ["-id"],
                           "page": page, "page_size": size}})
    };
    let found = scene.ask(&page(2, 1));
    assert_eq!((&found["ok"]["count"], &found["ok"]["records"][0]["title"]), (&json!(2), &json!("about news")));
    let nonsense = scene.ask(&page(1, 2_001));
    assert_eq!(nonsense["error"]["kind"], "invalid", "{nonsense}");

    let user = scene.ask(&json!({"record": {"collection": "users", "key": 1}}));
    let user = user["ok"].as_object().expect("the root user");
    assert!(user.contains_key("email") && !user.contains_key("password"), "{user:?}");

    let other = json!({"record": {"collection": "erp:posts", "key": 1}});
    scene.refused(&other, "invalid", "data source erp does not exist");
    let unknown = scene.ask(&json!({"record": {"collection": "nowhere", "key": 1}}));
    assert_eq!(unknown["error"]["kind"], "invalid", "{unknown}");
    let filter =
        scene.ask(&json!({"records": {"collection": "posts", "filter": {"colour": 1}, "page": 1, "page_size": 1}}));
    assert_eq!(filter["error"]["kind"], "invalid", "{filter}");
}

#[tokio::test]
async fn a_plugin_starts_its_own_enabled_workflows() {
    let mut scene = Scene::set_up().await;
    let (enabled, disabled) = (scene.workflow(true).await, scene.workflow(false).await);
    let others = scene.blog.workflow(NewWorkflow::on("posts")).await.id;

    let start = |id: i64, more: Value| {
        let mut question = json!({"workflow": id, "data": {"text": "from a thread"}});
        question.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        json!({"start": question})
    };
    let started = scene.ask(&start(enabled, json!({"user": 1, "role": "root"})));
    let id = started["ok"].as_i64().unwrap_or_else(|| panic!("an id, not {started}"));
    let log = eventually("the workflow has run", async || {
        let log = scene.blog.log().await;
        (!log.is_empty()).then_some(log)
    })
    .await;
    assert_eq!(log, ["from a thread"]);
    let execution = &scene.blog.admin.list("executions", json!({"id": id})).await[0];
    let context = &execution["context"];
    assert_eq!((&context["user"]["id"], &context["roleName"]), (&json!(1), &json!("root")), "{execution}");
    assert!(context["user"].get("password").is_none(), "{execution}");

    let sentence = |id: i64| format!("Plugin \"plugin-listener\" has no workflow {id} of its trigger types");
    for id in [others, 0, -1, i64::MAX] {
        scene.refused(&start(id, json!({})), "invalid", &sentence(id));
    }
    scene.refused(&start(disabled, json!({})), "invalid", &format!("Workflow {disabled} is not enabled"));
    scene.refused(&start(enabled, json!({"user": 99})), "invalid", "user not found");
    let long = start(enabled, json!({"data": "x".repeat(1 << 20)}));
    scene.refused(&long, "invalid", "the question is longer than 1048576 bytes");
    assert_eq!(scene.blog.admin.list("executions", json!({})).await.len(), 1, "what was refused started nothing");
}

#[tokio::test]
async fn what_was_answered_is_there_after_a_crash() {
    let mut scene = Scene::set_up().await;
    let workflow = scene.workflow(true).await;
    let started = scene.ask(&json!({"start": {"workflow": workflow, "data": {"text": "kept"}}}));
    assert!(started["ok"].is_i64(), "{started}");
    let host = scene.host.crash_and_restart().await;
    let blog = Blog { admin: host.admin().await };
    eventually("the workflow has run", async || (blog.log().await == ["kept"]).then_some(())).await;
}

#[tokio::test]
async fn a_version_that_was_replaced_or_disabled_asks_in_vain() {
    let mut scene = Scene::set_up().await;
    let workflow = scene.workflow(true).await;
    let start = |text: &str| json!({"start": {"workflow": workflow, "data": {"text": text}}});
    let gone = "The host does not have this plugin any more";
    assert!(scene.ask(&start("the first"))["ok"].is_i64());

    scene.act("reload").await.ok();
    scene.refused(&start("replaced"), "unavailable", gone);
    scene.line = connect(&scene.folder);
    assert!(scene.ask(&start("the second"))["ok"].is_i64(), "the new version has a session of its own");

    scene.act("disable").await.ok();
    scene.refused(&start("disabled"), "unavailable", gone);
    scene.act("enable").await.ok();
    scene.refused(&start("disabled"), "unavailable", gone);
    scene.line = connect(&scene.folder);
    assert!(scene.ask(&start("the third"))["ok"].is_i64());
    assert_eq!(scene.blog.admin.list("executions", json!({})).await.len(), 3, "what was refused started nothing");
}

#[tokio::test]
async fn a_running_plugin_stays_as_it_is_if_its_entry_does_not_grant_what_it_needs() {
    let mut scene = Scene::set_up().await;
    let details = scene.blog.admin.get("plugins:get?filterByTk=plugin-listener").await.ok();
    let both = json!(["records", "workflows"]);
    assert_eq!((&details["needs"], &details["grants"]), (&both, &both), "{details:#}");

    let without = format!("{BUILT_IN_PLUGINS}\n{}", entry(&scene.folder, ""));
    fs::write(scene.host.manifest(), &without).expect("the manifest is written");
    for action in ["reload", "upgrade"] {
        let refused = scene.act(action).await;
        assert_eq!((refused.status, refused.code()), (400, Some("PLUGIN_NOT_LOADED")), "{}", refused.body);
        assert_eq!(refused.message(), NOT_GRANTED);
    }
    assert_eq!(scene.ask(&json!({"record": {"collection": "posts", "key": 1}})), json!({"ok": null}));
    let details = scene.blog.admin.get("plugins:get?filterByTk=plugin-listener").await.ok();
    assert_eq!((&details["state"], &details["grants"]), (&json!("loaded"), &both), "as it was loaded");
    assert_eq!(fs::read_to_string(scene.host.manifest()).expect("the manifest"), without);
}

#[tokio::test]
async fn a_plugin_is_not_enabled_without_what_it_needs() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let manifest = format!("{BUILT_IN_PLUGINS}\n{}", entry(&folder, "enabled = false\n"));
    let host = Host::start_with(HostOptions { manifest: manifest.clone(), ..HostOptions::default() }).await;
    let admin = host.admin().await;
    let refused = admin.post("plugins:enable?filterByTk=plugin-listener", json!({})).await;
    assert_eq!((refused.status, refused.code()), (400, Some("PLUGIN_NOT_LOADED")), "{}", refused.body);
    assert_eq!(refused.message(), NOT_GRANTED);
    let details = admin.get("plugins:get?filterByTk=plugin-listener").await.ok();
    assert_eq!((&details["state"], &details["grants"]), (&json!("disabled"), &json!([])), "{details:#}");
    assert_eq!(fs::read_to_string(host.manifest()).expect("the manifest"), manifest);

    fs::write(host.manifest(), manifest.replace("enabled = false\n", &format!("enabled = false\n{GRANTS}")))
        .expect("the manifest is written");
    assert_eq!(admin.post("plugins:enable?filterByTk=plugin-listener", json!({})).await.ok()["state"], "loaded");
}
