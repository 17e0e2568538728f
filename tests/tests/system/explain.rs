//! Why workflows fire or do not: before an action, with it, and in the log.

use serde_json::{Value, json};

use crate::harness::{
    Blog, Client, Host, NewWorkflow,
    fixture::Workflow,
    process::{BUILT_IN_PLUGINS, HostOptions},
};

async fn blog() -> (Host, Blog) {
    let host = Host::start().await;
    let blog = Blog::set_up(host.admin().await).await;
    (host, blog)
}

/// Asks what an action would do.
async fn foresee(admin: &Client, query: &str, values: Option<Value>) -> Value {
    let path = format!("workflows:explain?{query}");
    match values {
        Some(values) => admin.post(&path, values).await.ok(),
        None => admin.get(&path).await.ok(),
    }
}

/// The line about a workflow: whether it fires, why not, and how often.
#[track_caller]
fn about(lines: &Value, key: &str) -> (Value, Value, Value) {
    let lines: Vec<&Value> = lines.as_array().expect("lines").iter().filter(|line| line["key"] == key).collect();
    let [line] = lines.as_slice() else { panic!("one line about {key}, not {lines:?}") };
    (line["fired"].clone(), line["reason"].clone(), line["executions"].clone())
}

#[track_caller]
fn check_fires(lines: &Value, workflow: &Workflow, executions: u64) {
    assert_eq!(about(lines, &workflow.key), (json!(true), Value::Null, json!(executions)), "{lines:#}");
}

#[track_caller]
fn check_refused(lines: &Value, key: &str, reason: &str) {
    assert_eq!(about(lines, key), (json!(false), json!(reason), json!(0)), "{lines:#}");
}

/// A workflow with more in its configuration.
fn on(collection: &str, more: &Value) -> NewWorkflow {
    let mut workflow = NewWorkflow::on(collection);
    for (name, value) in more.as_object().expect("an object") {
        workflow.config[name] = value.clone();
    }
    workflow
}

#[tokio::test]
async fn each_reason_has_a_name() {
    let (_host, blog) = blog().await;
    let admin = &blog.admin;
    let post = admin.post("posts:create", json!({"title": "x"})).await.ok();
    let fires = blog.workflow(NewWorkflow::on("posts")).await;
    let global = blog.workflow(NewWorkflow::on("posts").global(&["update"])).await;
    let unbound = blog.workflow(NewWorkflow::on("posts")).await;
    let not_chosen = blog.workflow(NewWorkflow::on("posts").global(&["create"])).await;
    let elsewhere = blog.workflow(NewWorkflow::on("tags")).await;
    let category = blog.workflow(NewWorkflow::on("categories")).await;
    let lost = blog.workflow(NewWorkflow::on("posts")).await;
    let picky = blog.workflow(on("posts", &json!({"condition": {"data.title": "y"}}))).await;
    let steady = blog.workflow(on("posts", &json!({"changed": ["title"]}))).await;
    let off = blog.workflow(NewWorkflow::on("posts")).await;
    let off_unnamed = blog.workflow(NewWorkflow::on("posts").global(&["update"])).await;
    let off_elsewhere = blog.workflow(NewWorkflow::on("tags")).await;
    for workflow in [&off, &off_unnamed, &off_elsewhere] {
        blog.switch(workflow, false).await;
    }

    let bindings = format!(
        "{},{},{}!category,{}!nosuch,{},{},{},nobody",
        fires.key, elsewhere.key, category.key, lost.key, picky.key, steady.key, off.key
    );
    let query = format!("filterByTk={}&triggerWorkflows={bindings}", post["id"]);
    let foreseen = foresee(admin, &format!("collection=posts&action=update&{query}"), Some(json!({"read": 1}))).await;

    check_fires(&foreseen, &fires, 1);
    check_fires(&foreseen, &global, 1);
    check_refused(&foreseen, &unbound.key, "notBound");
    check_refused(&foreseen, &not_chosen.key, "actionNotChosen");
    check_refused(&foreseen, &elsewhere.key, "otherCollection");
    check_refused(&foreseen, &category.key, "associationEmpty");
    check_refused(&foreseen, &lost.key, "unknownPath");
    check_refused(&foreseen, &picky.key, "conditionFalse");
    check_refused(&foreseen, &steady.key, "unchanged");
    check_refused(&foreseen, &off.key, "disabled");
    check_refused(&foreseen, &off_unnamed.key, "disabled");
    check_refused(&foreseen, "nobody", "unknownKey");
    assert_eq!(foreseen.as_array().map(Vec::len), Some(12), "nothing is said of other collections: {foreseen:#}");
    let line = foreseen.as_array().expect("lines").iter().find(|line| line["key"] == off.key).expect("a line");
    assert_eq!((&line["workflowId"], &line["title"]), (&json!(off.id), &json!("test")));
    let line = foreseen.as_array().expect("lines").iter().find(|line| line["key"] == category.key).expect("a line");
    assert_eq!((&line["workflowId"], &line["path"]), (&json!(category.id), &json!("category")));

    let stored = admin.list("posts", json!({})).await;
    assert_eq!((stored.len(), &stored[0]["read"]), (1, &json!(0)), "nothing was written");
    assert!(admin.list("executions", json!({})).await.is_empty(), "nothing was started");

    let answer = admin.post(&format!("posts:update?explain=1&{query}"), json!({"read": 1})).await;
    assert_eq!(answer.body["explain"], foreseen, "the action does what was foreseen");
    assert_eq!(answer.ok()[0]["read"], 1);
    assert_eq!(blog.finished(&fires, 1).await.len(), 1);
    assert_eq!(blog.finished(&global, 1).await.len(), 1);
    assert!(blog.executions(&unbound).await.is_empty());

    let nodes = foresee(admin, &format!("collection=posts&action=update&origin=node&{query}"), None).await;
    check_refused(&nodes, &fires.key, "loopGuard");
    check_refused(&nodes, &global.key, "loopGuard");
    check_refused(&nodes, "nobody", "unknownKey");
}

#[tokio::test]
async fn an_action_without_bindings_or_anybody_waiting_is_explained_too() {
    let (_host, blog) = blog().await;
    let unbound = blog.workflow(NewWorkflow::on("posts")).await;
    let stored = blog.admin.post("posts:create?explain=1", json!({"title": "x"})).await;
    check_refused(&stored.body["explain"], &unbound.key, "notBound");
    assert!(blog.executions(&unbound).await.is_empty());

    let path = format!("posts:updateOrCreate?explain=1&filterKeys=title&triggerWorkflows={}", unbound.key);
    let stored = blog.admin.post(&path, json!({"title": "x"})).await;
    check_refused(&stored.body["explain"], &unbound.key, "actionNotChosen");

    let path = format!("posts:update?explain=1&filterByTk=99&triggerWorkflows={0},{0}", unbound.key);
    let lines = blog.admin.post(&path, json!({"title": "y"})).await.body["explain"].clone();
    let reasons: Vec<&Value> = lines.as_array().expect("lines").iter().map(|line| &line["reason"]).collect();
    assert_eq!(reasons, [&json!("noRecord"), &json!("repeated")]);

    let plain = blog.create("posts", &unbound.key, json!({"title": "z"})).await;
    assert!(plain.body.get("explain").is_none(), "who does not ask is not told");
}

#[tokio::test]
async fn an_action_that_fails_is_explained_beside_its_errors() {
    let (_host, blog) = blog().await;
    let fires = blog.workflow(NewWorkflow::on("posts")).await;
    let unbound = blog.workflow(NewWorkflow::on("posts")).await;
    let path = |query: &str| format!("posts:create?{query}triggerWorkflows={}", fires.key);

    let wrong = || json!({"title": "x", "read": "no number"});
    let refused = blog.admin.post(&path("explain=1&"), wrong()).await;
    assert_eq!(refused.status, 400, "{:?}", refused.body);
    assert!(refused.body["errors"][0]["message"].is_string());
    check_refused(&refused.body["explain"], &fires.key, "actionFailed");
    check_refused(&refused.body["explain"], &unbound.key, "notBound");
    assert!(blog.executions(&fires).await.is_empty());
    let plain = blog.admin.post(&path(""), wrong()).await;
    assert_eq!((plain.status, plain.body.get("explain")), (400, None));

    let sync = blog.workflow(NewWorkflow::on("posts").sync().refuses("no")).await;
    let path = format!("posts:create?explain=1&triggerWorkflows={}", sync.key);
    let rejected = blog.admin.post(&path, json!({"title": "x"})).await;
    assert_eq!(rejected.status, 400, "{:?}", rejected.body);
    check_fires(&rejected.body["explain"], &sync, 1);
    check_refused(&rejected.body["explain"], &unbound.key, "notBound");
}

#[tokio::test]
async fn without_a_record_what_depends_on_one_is_left_open() {
    let (_host, blog) = blog().await;
    let any = blog.workflow(NewWorkflow::on("posts").global(&["create"])).await;
    let picky = blog.workflow(on("posts", &json!({"condition": {"data.title": "y"}}))).await;
    let category = blog.workflow(NewWorkflow::on("categories")).await;
    let query = format!("collection=posts&action=create&triggerWorkflows={},{}!category", picky.key, category.key);

    let lines = foresee(&blog.admin, &query, None).await;
    assert_eq!(about(&lines, &any.key), (json!(true), Value::Null, Value::Null));
    for open in [&picky, &category] {
        assert_eq!(about(&lines, &open.key), (Value::Null, json!("recordUnknown"), Value::Null));
    }

    let lines = foresee(&blog.admin, &query, Some(json!({"title": "y", "category": {"title": "c"}}))).await;
    for workflow in [&any, &picky, &category] {
        check_fires(&lines, workflow, 1);
    }
    let lines = foresee(&blog.admin, &query, Some(json!([{"title": "y"}, {"title": "y"}, {"title": "x"}]))).await;
    check_fires(&lines, &any, 3);
    check_fires(&lines, &picky, 2);
    assert!(blog.admin.list("posts", json!({})).await.is_empty());

    let post = blog.admin.post("posts:create", json!({"title": "y"})).await.ok();
    let doomed = format!("collection=posts&action=destroy&filterByTk={}&triggerWorkflows={}", post["id"], picky.key);
    check_fires(&foresee(&blog.admin, &doomed, None).await, &picky, 1);
    assert_eq!(blog.admin.list("posts", json!({})).await.len(), 1, "it is still there");
}

#[tokio::test]
async fn only_administrators_are_told() {
    let (host, blog) = blog().await;
    let role = json!({"name": "writer", "title": "w", "strategy": {"actions": ["create", "view"]}});
    blog.admin.post("roles:create", role).await.ok();
    let user = json!({"username": "w", "email": "w@example.com", "password": "a-password-of-w", "roles": ["writer"]});
    blog.admin.post("users:create", user).await.ok();
    let writer = Client::sign_in(host.base_url(), "w@example.com", "a-password-of-w").await;

    assert_eq!(writer.post("posts:create", json!({"title": "x"})).await.status, 200);
    for path in ["posts:create?explain=1", "workflows:explain?collection=posts&action=create"] {
        let answer = writer.post(path, json!({"title": "y"})).await;
        assert_eq!((answer.status, answer.message()), (403, "No permissions"), "{path}");
    }
    assert_eq!(blog.admin.list("posts", json!({})).await.len(), 1, "nothing was written");

    for (query, status, message) in [
        ("action=create", 400, "\"collection\" is required"),
        ("collection=posts", 400, "\"action\" is required"),
        ("collection=posts&action=add", 400, "action \"add\" fires nothing"),
        ("collection=posts&action=create&origin=moon", 400, "\"origin\" has to be \"user\" or \"node\""),
    ] {
        let answer = blog.admin.get(&format!("workflows:explain?{query}")).await;
        assert_eq!((answer.status, answer.message()), (status, message), "{query}");
    }
    for collection in ["nosuch", "executions"] {
        let answer = blog.admin.get(&format!("workflows:explain?collection={collection}&action=create")).await;
        assert_eq!((answer.status, answer.code()), (404, Some("UNKNOWN_RESOURCE")), "{collection}");
    }
}

#[tokio::test]
async fn terms_that_no_longer_fit_are_a_reason() {
    let (_host, blog) = blog().await;
    let workflow = blog.workflow(on("posts", &json!({"changed": ["content"]}))).await;
    blog.admin.post("collections/posts/fields:destroy?filterByTk=content", json!({})).await.ok();
    let post = blog.admin.post("posts:create", json!({"title": "x"})).await.ok();
    let path = format!("posts:update?explain=1&filterByTk={}&triggerWorkflows={}", post["id"], workflow.key);
    let answer = blog.admin.post(&path, json!({"title": "y"})).await;
    check_refused(&answer.body["explain"], &workflow.key, "termsInvalid");
}

#[tokio::test]
async fn decisions_are_in_the_log_when_they_are_wanted() {
    let options = HostOptions {
        manifest: BUILT_IN_PLUGINS.to_owned(),
        log: "info,host_demo::decisions=debug",
        ..HostOptions::default()
    };
    let host = Host::start_with(options).await;
    let blog = Blog::set_up(host.admin().await).await;
    let fires = blog.workflow(NewWorkflow::on("posts")).await;
    let elsewhere = blog.workflow(NewWorkflow::on("tags")).await;

    blog.create("posts", &format!("{},{},nobody", fires.key, elsewhere.key), json!({"title": "x"})).await.ok();

    let log = host.log();
    let line = |key: &str| {
        let about = format!("workflow=\"{key}\"");
        let mut lines = log.lines().filter(|line| line.contains("host_demo::decisions") && line.contains(&about));
        lines.next().unwrap_or_else(|| panic!("nothing about {key} in {log}")).to_owned()
    };
    assert!(line(&fires.key).contains("fired=true executions=1"), "{}", line(&fires.key));
    assert!(line(&elsewhere.key).contains("reason=\"otherCollection\""), "{}", line(&elsewhere.key));
    assert!(line("nobody").contains("reason=\"notEnabled\""), "{}", line("nobody"));
}

#[tokio::test]
async fn what_several_plugins_say_about_a_key_is_told_once() {
    let fixture = "[[plugin]]\nid = \"plugin-fixture\"\nlibrary = \"plugin_fixture\"\n";
    let options = HostOptions { manifest: format!("{BUILT_IN_PLUGINS}\n{fixture}"), ..HostOptions::default() };
    let host = Host::start_with(options).await;
    let blog = Blog::set_up(host.admin().await).await;
    let workflow = blog.workflow(NewWorkflow::on("posts").sync()).await;
    // It waits for creates alone, but its hook would fire it at whatever it is asked about; and it knows none of the keys.
    let values = json!({"title": "f", "type": "fixture", "enabled": true, "config": {"collection": "posts"}});
    let eager = blog.admin.post("workflows:create", values).await.ok();
    let started = async || blog.admin.list("executions", json!({"workflowId": eager["id"]})).await.len();

    let path = format!("posts:create?explain=1&triggerWorkflows={},nobody", workflow.key);
    let answer = blog.admin.post(&path, json!({"title": "x"})).await;
    check_fires(&answer.body["explain"], &workflow, 1);
    check_refused(&answer.body["explain"], "nobody", "unknownKey");
    assert_eq!(about(&answer.body["explain"], eager["key"].as_str().expect("a key")).0, json!(true));
    assert_eq!(started().await, 1);

    let path = format!("posts:update?explain=1&filterByTk={}", answer.ok()["id"]);
    let answer = blog.admin.post(&path, json!({"title": "y"})).await;
    check_refused(&answer.body["explain"], &workflow.key, "notBound");
    assert_eq!(started().await, 1, "asking starts nothing that would not have started");
}
