//! Version 1.0 of plugin-api and today's, together: a plugin of then in the server of today, and the plugin of today in a
//! host of then. `tests/frozen/api-1.0` keeps the sources of then in a workspace of their own; the first test that needs
//! them builds them.

use std::{
    env::{self, consts},
    fmt::Write as _,
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::OnceLock,
};

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::library;
use crate::harness::{Blog, Host, HostOptions, NewWorkflow};

/// Of the frozen files, by [`checksum`].
const FROZEN: &str = "27e4f1e015ac80e4c4eb232661568ec0d57686d734990a2a8519247e0a05e8a1";

fn sources() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("frozen/api-1.0")
}

/// The folder with what cargo built of the fixture.
fn built() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("api-1.0");
        let output = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
            .args(["build", "--locked", "--quiet", "--target-dir"])
            .arg(&target)
            .current_dir(sources())
            .output()
            .expect("cargo runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        target.join("debug")
    })
}

fn plugin_of_1_0() -> PathBuf {
    built().join(format!("{}plugin_previous{}", consts::DLL_PREFIX, consts::DLL_SUFFIX))
}

#[tokio::test]
async fn a_plugin_of_1_0_fires_in_todays_server() {
    let library = toml::Value::String(plugin_of_1_0().display().to_string());
    let manifest = format!("[[plugin]]\nid = \"plugin-previous\"\nlibrary = {library}\nrequired = true\n");
    let host = Host::start_with(HostOptions { manifest, ..HostOptions::default() }).await;
    let blog = Blog::set_up(host.admin().await).await;
    let new = |config| NewWorkflow::of("previous", config);
    let of_post = blog.workflow(new(json!({"collection": "posts"})).sync().logs("post")).await;
    let of_category = blog.workflow(new(json!({"collection": "posts", "field": "category"})).logs("category")).await;

    blog.create("posts", "", json!({"title": "Old friends", "category": {"title": "News"}})).await.ok();
    assert_eq!(blog.log().await.first().map(String::as_str), Some("post"), "a synchronous one ran before the answer");
    let executions = blog.finished(&of_post, 1).await;
    assert_eq!((executions.len(), &executions[0]["context"]["data"]["title"]), (1, &json!("Old friends")));
    let executions = blog.finished(&of_category, 1).await;
    assert_eq!(executions[0]["context"]["data"]["title"], "News", "associations are looked up across the versions");

    blog.switch(&of_post, false).await;
    blog.create("posts", "", json!({"title": "Again"})).await.ok();
    assert_eq!(blog.executions(&of_post).await.len(), 1, "a workflow that is off does not fire");
    let refused = blog.admin.post("workflows:create", json!({"type": "previous", "config": {"collection": "nosuch"}}));
    let answer = refused.await;
    assert_eq!((answer.status, answer.message()), (400, "no such collection"));
}

/// Has the host of 1.0 load today's library of the post-action event.
fn converse(conversation: &Value) -> Value {
    let mut host = Command::new(built().join(format!("host-previous{}", consts::EXE_SUFFIX)))
        .arg(library("plugin_workflow_action_trigger"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the host of 1.0 starts");
    let mut input = host.stdin.take().expect("stdin is piped");
    input.write_all(conversation.to_string().as_bytes()).expect("it listens");
    drop(input);
    let output = host.wait_with_output().expect("it ends");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("it answers in JSON")
}

#[test]
fn todays_plugin_decides_in_a_host_of_1_0() {
    let workflow = |id: i64, mode: &str, config: Value| json!({"id": id, "key": format!("key-{id}"), "mode": mode, "config": config});
    let heard = converse(&json!({
        "trigger": "action",
        "schema": {"posts": {"category": "categories"}, "categories": {}},
        "workflows": [
            workflow(1, "sync", json!({"collection": "posts", "appends": ["category"]})),
            workflow(2, "async", json!({"collection": "posts", "global": true, "actions": ["create"]})),
            workflow(3, "async", json!({"collection": "categories"})),
            workflow(4, "async", json!({"collection": "posts", "condition": {"data.title": {"$ne": "x"}}})),
        ],
        "actions": [
            {"action": "create", "collection": "posts", "bindings": "key-1,key-3!category,key-9"},
            {"action": "update", "collection": "posts", "bindings": ""},
        ],
    }));
    assert_eq!(heard["hostApi"], "1.0.0");
    assert_eq!(heard["pluginApi"], plugin_api::abi::module::API_VERSION);
    assert_eq!((&heard["id"], &heard["triggers"]), (&json!("workflow-action-trigger"), &json!(["action"])));

    for enabled in &heard["enabled"].as_array().expect("a list")[..3] {
        assert!(enabled["interests"].is_array(), "{enabled}");
    }
    let refused = &heard["enabled"][3]["error"];
    assert_eq!(
        refused["message"], "\"condition\": This host does not judge conditions",
        "none is silently passed over"
    );

    let created = &heard["plans"][0];
    let fired: Vec<_> = created["firings"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|it| (&it["workflow"], &it["path"], &it["mode"]))
        .collect();
    assert_eq!(
        fired,
        [
            (&json!(1), &json!(""), &json!("sync")),
            (&json!(3), &json!("category"), &json!("async")),
            (&json!(2), &json!(""), &json!("async")),
        ]
    );
    assert_eq!(created["skips"], json!([{"key": "key-9", "path": "", "reason": "notEnabled"}]));
    assert_eq!(heard["plans"][1]["firings"], json!([]), "nothing waits for an update");
}

/// A checksum of all files below a folder, with their names, in order.
fn checksum(folder: &Path) -> String {
    let mut folders = vec![folder.to_owned()];
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() { folders.push(path) } else { files.push(path) }
        }
    }
    files.sort();
    let mut sum = Sha256::new();
    for file in files {
        let name = file.strip_prefix(folder).expect("below the folder");
        sum.update(name.to_string_lossy().replace('\\', "/"));
        sum.update([0]);
        sum.update(fs::read(&file).expect("a file"));
        sum.update([0]);
    }
    sum.finalize().iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[test]
fn what_was_published_as_1_0_is_unchanged() {
    assert_eq!(
        checksum(&sources().join("plugin-api")),
        FROZEN,
        "tests/frozen/api-1.0/plugin-api is not ours to change"
    );
}
