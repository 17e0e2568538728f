//! Requests that name their button: what is bound to it fires, in its order, and nothing that is broken.

use serde_json::{Value, json};

use crate::harness::{
    Answer, Blog, Host, HostOptions, NewWorkflow,
    fixture::{Workflow, data_of},
    process::BUILT_IN_PLUGINS,
};

async fn blog() -> (Host, Blog) {
    let host = Host::start().await;
    let blog = Blog::set_up(host.admin().await).await;
    (host, blog)
}

/// A server that holds requests to their buttons.
async fn strict() -> (Host, Blog) {
    let environment = vec![("HOST_STRICT_BINDINGS", "true".to_owned())];
    let host = Host::start_with(HostOptions { environment, ..HostOptions::default() }).await;
    let blog = Blog::set_up(host.admin().await).await;
    (host, blog)
}

/// Makes a button `b`, with workflows and paths bound to it.
async fn button(blog: &Blog, kind: &str, collection: &str, bound: &[(&Workflow, &str)]) {
    let bindings: Value =
        bound.iter().map(|(workflow, path)| json!({"workflowKey": workflow.key, "path": path})).collect();
    let values = json!({"key": "b", "type": kind, "collection": collection, "bindings": bindings});
    blog.admin.post("buttons:create", values).await.ok();
}

/// What is said of the workflow: whether it fired, and why not.
#[track_caller]
fn about(lines: &Value, workflow: &Workflow) -> Vec<(Value, Value)> {
    let lines = lines.as_array().expect("lines").iter().filter(|line| line["key"] == workflow.key);
    lines.map(|line| (line["fired"].clone(), line["reason"].clone())).collect()
}

/// Why each binding of `b` is broken, in order.
async fn broken(blog: &Blog) -> Vec<Value> {
    let bindings = blog.admin.get("buttons/b/bindings:list").await.ok();
    let reason = |binding: &Value| binding["broken"].get("reason").cloned().unwrap_or_default();
    bindings.as_array().expect("a list").iter().map(reason).collect()
}

#[track_caller]
fn check_refused(answer: &Answer, code: &str, sentence: &str) {
    assert_eq!((answer.status, answer.code(), answer.message()), (400, Some(code), sentence), "{}", answer.body);
}

#[tokio::test]
async fn a_press_fires_what_is_bound_synchronous_ones_first_each_in_the_configured_order() {
    let (host, blog) = blog().await;
    let background = blog.workflow(NewWorkflow::on("posts").logs("background")).await;
    let global = blog.workflow(NewWorkflow::on("posts").global(&["create"]).sync().logs("global")).await;
    let one = blog.workflow(NewWorkflow::on("posts").sync().logs("one")).await;
    let two = blog.workflow(NewWorkflow::on("posts").sync().logs("two")).await;
    let category = blog.workflow(NewWorkflow::on("categories").sync().logs("category")).await;
    let tags = blog.workflow(NewWorkflow::on("tags").sync().logs("tag")).await;
    let bound = [(&background, ""), (&two, ""), (&category, "category"), (&one, ""), (&tags, "tags")];
    button(&blog, "formSubmit", "posts", &bound).await;

    let values = json!({"title": "x", "category": {"title": "c"}, "tags": [{"name": "t1"}, {"name": "t2"}]});
    let answer = blog.admin.post("posts:create?button=b&explain=1", values).await;
    let post = answer.body["data"]["id"].clone();
    for (workflow, _) in bound {
        assert_eq!(about(&answer.body["explain"], workflow), [(json!(true), Value::Null)], "{:#}", answer.body);
    }
    blog.finished(&background, 1).await;
    assert_eq!(blog.log().await, ["two", "category", "one", "tag", "tag", "global", "background"]);
    assert_eq!(data_of(&blog.executions(&category).await, "title"), [json!("c")]);
    assert_eq!(data_of(&blog.executions(&tags).await, "name"), [json!("t1"), json!("t2")]);

    // The order is data: it is changed there, and outlives the process.
    let bindings = blog.admin.get("buttons/b/bindings:list").await.ok();
    let last = format!("buttons/b/bindings:move/{}", bindings[3]["id"]);
    blog.admin.post(&last, json!({"position": 1})).await.ok();
    let host = host.crash_and_restart().await;
    let blog = Blog { admin: host.admin().await };
    blog.admin.post("logs:destroy?filter={\"tag.$ne\":\"\"}", json!({})).await.ok();
    let pressed = blog.admin.request(reqwest::Method::POST, &format!("posts:update?filterByTk={post}"));
    blog.admin.send(pressed.header("X-Button", "b").json(&json!({"title": "y"}))).await.ok();
    blog.finished(&background, 2).await;
    assert_eq!(blog.log().await, ["one", "two", "category", "tag", "tag", "background"]);
    assert_eq!(blog.executions(&global).await.len(), 1, "updates were not chosen");
}

#[tokio::test]
async fn what_the_request_names_itself_comes_after_the_button_and_repeated_ones_fire_once() {
    let (_host, blog) = blog().await;
    let bound = blog.workflow(NewWorkflow::on("posts").sync().logs("bound")).await;
    let own = blog.workflow(NewWorkflow::on("posts").sync().logs("own")).await;
    button(&blog, "formSubmit", "posts", &[(&bound, "")]).await;

    let path = format!("posts:create?explain=1&button=b&triggerWorkflows={},{}", own.key, bound.key);
    let answer = blog.admin.post(&path, json!({"title": "x"})).await;
    assert_eq!(blog.log().await, ["bound", "own"]);
    let repeated = [(json!(true), Value::Null), (json!(false), json!("repeated"))];
    assert_eq!(about(&answer.body["explain"], &bound), repeated);

    blog.admin.post("posts:create", json!({"title": "y"})).await.ok();
    blog.admin.post("buttons/b/bindings:set", json!([])).await.ok();
    blog.admin.post("posts:create?button=b", json!({"title": "z"})).await.ok();
    assert_eq!(blog.log().await, ["bound", "own"], "a button without bindings fires nothing");

    let category = blog.admin.post("categories:create", json!({"title": "c"})).await.ok();
    blog.admin.post("buttons/b/bindings:create", json!({"workflowKey": bound.key})).await.ok();
    let below = format!("categories/{}/posts:create?button=b", category["id"]);
    let posts = json!({"type": "hasMany", "name": "posts", "target": "posts", "foreignKey": "categoryId"});
    blog.admin.post("collections/categories/fields:create", posts).await.ok();
    blog.admin.post(&below, json!({"title": "below"})).await.ok();
    assert_eq!(blog.log().await, ["bound", "own", "bound"], "the collection is the one at the association's end");
}

#[tokio::test]
async fn what_breaks_later_stays_is_shown_as_broken_and_does_not_fire() {
    let (_host, blog) = blog().await;
    let admin = &blog.admin;
    let good = blog.workflow(NewWorkflow::on("posts").sync().logs("good")).await;
    let off = blog.workflow(NewWorkflow::on("posts").sync().logs("off")).await;
    let gone = blog.workflow(NewWorkflow::on("posts").sync().logs("gone")).await;
    let lost = blog.workflow(NewWorkflow::on("tags").sync().logs("lost")).await;
    let moved = blog.workflow(NewWorkflow::on("posts").logs("moved")).await;
    let bound = [(&off, ""), (&gone, ""), (&lost, "tags"), (&moved, ""), (&good, "")];
    button(&blog, "formSubmit", "posts", &bound).await;
    assert_eq!(broken(&blog).await, vec![Value::Null; 5]);

    blog.switch(&off, false).await;
    admin.post(&format!("workflows:destroy?filterByTk={}", gone.id), json!({})).await.ok();
    admin.post("collections/posts/fields:destroy?filterByTk=tags", json!({})).await.ok();
    let config = json!({"config": {"collection": "comments"}});
    admin.post(&format!("workflows:update?filterByTk={}", moved.id), config).await.ok();

    let reasons = ["disabled", "unknownKey", "unknownPath", "otherCollection"].map(Value::from);
    assert_eq!(broken(&blog).await[..4], reasons);
    assert_eq!(broken(&blog).await[4], Value::Null);
    let answer = admin.post("posts:create?button=b&explain=1", json!({"title": "x"})).await;
    for ((workflow, _), reason) in bound.iter().zip(&reasons) {
        let lines = about(&answer.body["explain"], workflow);
        assert_eq!(lines, [(json!(false), reason.clone())], "{:#}", answer.body["explain"]);
    }
    let foreseen = admin.get("workflows:explain?collection=posts&action=create&button=b").await.ok();
    for workflow in [&off, &gone, &lost, &moved] {
        assert_eq!(about(&foreseen, workflow), about(&answer.body["explain"], workflow), "{foreseen:#}");
    }
    assert_eq!(about(&foreseen, &good), [(json!(true), Value::Null)]);
    assert_eq!(blog.log().await, ["good"]);

    // Broken ones do not keep the list from being changed, and come back by themselves.
    let bindings = admin.get("buttons/b/bindings:list").await.ok();
    admin.post(&format!("buttons/b/bindings:move/{}", bindings[4]["id"]), json!({"position": 1})).await.ok();
    blog.switch(&off, true).await;
    admin.post("posts:create?button=b", json!({"title": "y"})).await.ok();
    assert_eq!(blog.log().await, ["good", "good", "off"]);

    admin.post("collections:destroy?filterByTk=posts", json!({})).await.ok();
    let button = admin.get("buttons:get/b").await.ok();
    assert_eq!(button["broken"]["reason"], "unknownCollection");
    assert_eq!(broken(&blog).await, vec![json!("unknownCollection"); 5]);
}

#[tokio::test]
async fn a_button_of_something_else_is_refused_and_nothing_is_done() {
    let (_host, blog) = blog().await;
    let workflow = blog.workflow(NewWorkflow::on("posts")).await;
    let post = blog.admin.post("posts:create", json!({"title": "kept"})).await.ok();
    button(&blog, "updateRecord", "posts", &[(&workflow, "")]).await;

    let wrong = "the button \"b\" is for update of \"posts\", and this request does something else";
    let update = format!("posts:update?filterByTk={}", post["id"]);
    for path in [
        "posts:create?button=b",
        "comments:create?button=b",
        "categories:update?filterByTk=1&button=b",
        &format!("posts:destroy?filterByTk={}&button=b", post["id"]),
        "posts:updateOrCreate?filterKeys=title&button=b",
        &format!("posts/{}/tags:add?button=b", post["id"]),
    ] {
        check_refused(&blog.admin.post(path, json!({"title": "x"})).await, "WRONG_BUTTON", wrong);
    }
    let foreseen = blog.admin.get("workflows:explain?collection=posts&action=create&button=b").await;
    check_refused(&foreseen, "WRONG_BUTTON", wrong);
    let unknown = blog.admin.post(&format!("{update}&button=nobody"), json!({"title": "x"})).await;
    check_refused(&unknown, "UNKNOWN_BUTTON", "there is no button \"nobody\"");
    let two = blog.admin.request(reqwest::Method::POST, &format!("{update}&button=b")).header("X-Button", "c");
    let two = blog.admin.send(two.json(&json!({"title": "x"}))).await;
    check_refused(&two, "INVALID_PARAMETER", "\"button\" and \"X-Button\" name different buttons");
    let posts = blog.admin.list("posts", json!({})).await;
    assert_eq!((posts.len(), &posts[0]["title"]), (1, &json!("kept")));
    assert!(blog.admin.list("executions", json!({})).await.is_empty());

    blog.admin.post(&format!("{update}&button=b"), json!({"title": "x"})).await.ok();
    assert_eq!(blog.finished(&workflow, 1).await.len(), 1);
}

#[tokio::test]
async fn where_bindings_are_strict_a_press_fires_only_what_is_bound() {
    let (_host, blog) = strict().await;
    let admin = &blog.admin;
    let bound = blog.workflow(NewWorkflow::on("posts").sync().logs("bound")).await;
    let own = blog.workflow(NewWorkflow::on("posts").sync().logs("own")).await;
    let category = blog.workflow(NewWorkflow::on("categories").sync().logs("category")).await;
    blog.workflow(NewWorkflow::on("posts").global(&["create"]).sync().logs("global")).await;
    button(&blog, "formSubmit", "posts", &[(&bound, ""), (&category, "category")]).await;
    assert_eq!(admin.get("buttons:info").await.ok()["strictBindings"], true);

    for (entry, named) in [
        (own.key.clone(), own.key.clone()),
        (format!("{},{}!", bound.key, own.key), own.key.clone()),
        (category.key.clone(), category.key.clone()),
        (format!("{}!category", bound.key), format!("{}!category", bound.key)),
    ] {
        let path = format!("posts:create?button=b&triggerWorkflows={entry}");
        let sentence = format!("\"{named}\" is not bound to the button \"b\"");
        check_refused(&admin.post(&path, json!({"title": "x"})).await, "NOT_BOUND", &sentence);
    }
    assert!(admin.list("posts", json!({})).await.is_empty() && blog.log().await.is_empty(), "nothing was done");

    let path = format!("posts:create?button=b&triggerWorkflows={}", bound.key);
    admin.post(&path, json!({"title": "x", "category": {"title": "c"}})).await.ok();
    assert_eq!(blog.log().await, ["bound", "category", "global"]);
    let call = format!("posts:create?triggerWorkflows={}", own.key);
    admin.post(&call, json!({"title": "y"})).await.ok();
    assert_eq!(blog.log().await[3..], ["own", "global"], "a call that names no button is not held to one");
}

#[tokio::test]
async fn each_plugin_says_what_its_workflows_may_be_bound_to() {
    let fixture = "[[plugin]]\nid = \"plugin-fixture\"\nlibrary = \"plugin_fixture\"\n";
    let options = HostOptions { manifest: format!("{BUILT_IN_PLUGINS}\n{fixture}"), ..HostOptions::default() };
    let host = Host::start_with(options).await;
    let blog = Blog::set_up(host.admin().await).await;
    let admin = &blog.admin;
    let values = json!({"title": "f", "type": "fixture", "enabled": true, "config": {"collection": "posts"}});
    let fixture = admin.post("workflows:create", values).await.ok()["key"].as_str().expect("a key").to_owned();
    let action = blog.workflow(NewWorkflow::on("posts")).await;

    let types = admin.get("buttons:info").await.ok()["types"].clone();
    let fitting: Vec<&Value> = types.as_array().expect("types").iter().map(|kind| &kind["triggerTypes"]).collect();
    let wanted = [
        json!(["action", "request-interception", "approval", "fixture"]),
        json!(["action", "request-interception", "approval"]),
        json!(["action", "request-interception"]),
        json!(["custom-action"]),
    ];
    assert_eq!(fitting, wanted.iter().collect::<Vec<_>>());

    for (kind, wanted) in [("formSubmit", vec![&fixture, &action.key]), ("deleteRecord", vec![&action.key])] {
        let choices = admin.post("buttons:options", json!({"type": kind, "collection": "posts"})).await.ok();
        let keys: Vec<&str> =
            choices.as_array().expect("a list").iter().filter_map(|choice| choice["workflowKey"].as_str()).collect();
        assert_eq!(keys, wanted, "{kind}");
        let button = json!({"key": kind, "type": kind, "collection": "posts"});
        admin.post("buttons:create", button).await.ok();
    }
    admin.post("buttons/formSubmit/bindings:create", json!({"workflowKey": fixture})).await.ok();
    let refused = admin.post("buttons/deleteRecord/bindings:create", json!({"workflowKey": fixture})).await;
    let sentence = "workflows of type \"fixture\" cannot be bound to buttons of type \"deleteRecord\"";
    check_refused(&refused, "INVALID_BINDING", sentence);
    let update = admin.get("buttons/formSubmit/bindings:list").await.ok()[0]["id"].clone();
    let refused =
        admin.post(&format!("buttons/formSubmit/bindings:update/{update}"), json!({"path": "category"})).await;
    check_refused(&refused, "INVALID_BINDING", "workflows of type \"fixture\" do not take an associated record");
}

#[tokio::test]
async fn bindings_of_a_plugin_that_is_gone_are_broken() {
    let fixture = "[[plugin]]\nid = \"plugin-fixture\"\nlibrary = \"plugin_fixture\"\n";
    let both = format!("{BUILT_IN_PLUGINS}\n{fixture}");
    let mut host = Host::start_with(HostOptions { manifest: both, ..HostOptions::default() }).await;
    let blog = Blog::set_up(host.admin().await).await;
    let values = json!({"title": "f", "type": "fixture", "enabled": true, "config": {"collection": "posts"}});
    let key = blog.admin.post("workflows:create", values).await.ok()["key"].as_str().expect("a key").to_owned();
    let fixture = Workflow { id: 0, key };
    button(&blog, "formSubmit", "posts", &[(&fixture, "")]).await;

    host.terminate().await;
    std::fs::write(host.data_dir().with_file_name("plugin.toml"), BUILT_IN_PLUGINS).expect("the manifest is written");
    let host = host.restart().await;
    let blog = Blog { admin: host.admin().await };
    assert_eq!(broken(&blog).await, ["notEnabled"]);
    let answer = blog.admin.post("posts:create?button=b&explain=1", json!({"title": "x"})).await;
    assert_eq!(about(&answer.body["explain"], &fixture), [(json!(false), json!("noPlugin"))]);
    assert_eq!(answer.ok()["title"], "x");
}
