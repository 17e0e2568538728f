//! What plugins ask of the host from threads of their own.

use std::{
    fs,
    io::{BufRead as _, BufReader, Write as _},
    net::TcpStream,
};

use serde_json::{Value, json};
use tempfile::TempDir;

use super::harness::{Blog, Host, HostOptions, NewWorkflow, eventually, process::BUILT_IN_PLUGINS};

/// A server with the plugin that asks what it hears on its socket.
struct Scene {
    host: Host,
    blog: Blog,
    line: TcpStream,
    _folder: TempDir,
}

impl Scene {
    async fn set_up() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let file = folder.path().join("address");
        let manifest = format!(
            "{BUILT_IN_PLUGINS}\n[[plugin]]\nid = \"plugin-listener\"\nlibrary = \"plugin_listener\"\n\
             grants = [\"records\", \"workflows\"]\nsettings = {{ addressFile = {file:?} }}\n"
        );
        let host = Host::start_with(HostOptions { manifest, ..HostOptions::default() }).await;
        let blog = Blog::set_up(host.admin().await).await;
        let address = fs::read_to_string(file).expect("the plugin wrote its address");
        let line = TcpStream::connect(address).expect("the plugin listens");
        Self { host, blog, line, _folder: folder }
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
