//! Workflows that run before an action: they refuse it, leave it out, change its values, or let it pass.

use reqwest::Method;
use serde_json::{Value, json};
use tokio_util::task::TaskTracker;

use crate::harness::{Blog, Client, Host, NewWorkflow, fixture::Workflow};

const FAILED: &str = "Workflow on your action failed, please contact the administrator";
const HANGS: &str = "Workflow on your action hangs, please contact the administrator";

async fn blog() -> (Host, Blog) {
    let host = Host::start().await;
    let blog = Blog::set_up(host.admin().await).await;
    (host, blog)
}

/// Ends well, by an end node: the action is left out.
fn leaves_out(workflow: NewWorkflow) -> NewWorkflow {
    workflow.node("end", json!({"endStatus": 1}))
}

/// The `params` of each execution.
async fn params(blog: &Blog, workflow: &Workflow) -> Vec<Value> {
    blog.executions(workflow).await.iter().map(|execution| execution["context"]["params"].clone()).collect()
}

async fn titles(blog: &Blog) -> Vec<Value> {
    blog.admin.list("posts", json!({})).await.iter().map(|post| post["title"].clone()).collect()
}

#[tokio::test]
async fn it_runs_first_whatever_the_order_and_shares_the_event_with_what_follows() {
    let (_host, blog) = blog().await;
    let background = blog.workflow(NewWorkflow::on("posts").logs("background")).await;
    let post = blog.workflow(NewWorkflow::on("posts").sync().logs("post")).await;
    let one = blog.workflow(NewWorkflow::before("posts").logs("one")).await;
    let two = blog.workflow(NewWorkflow::before("posts").logs("two")).await;
    let global = blog.workflow(NewWorkflow::before("posts").global(&["create"]).logs("global")).await;

    let keys = [&background, &post, &two, &global, &one].map(|workflow| workflow.key.as_str()).join(",");
    blog.create("posts", &keys, json!({"title": "x"})).await.ok();

    blog.finished(&background, 1).await;
    assert_eq!(blog.log().await, ["two", "one", "global", "post", "background"]);
    let mut events = Vec::new();
    for workflow in [&background, &post, &one, &two, &global] {
        events.push(blog.executions(workflow).await[0]["eventKey"].clone());
    }
    events.dedup();
    assert_eq!(events.len(), 1, "one request is one event: {events:?}");
}

#[tokio::test]
async fn the_context_is_the_request_the_user_and_the_role_without_secrets() {
    let (_host, blog) = blog().await;
    let posts =
        blog.workflow(NewWorkflow::before("posts").global(&["create", "update", "updateOrCreate", "destroy"])).await;
    let users = blog.workflow(NewWorkflow::before("users").global(&["create"])).await;

    let post = blog.admin.post("posts:create", json!({"title": "a", "category": {"title": "c"}})).await.ok();
    let id = post["id"].as_i64().expect("an id");
    blog.admin.post(&format!("posts:update/{id}"), json!({"title": "b"})).await.ok();
    let request = blog.admin.request(Method::POST, "posts:update");
    let filter = json!({"title": "b"});
    blog.admin.send(request.query(&[("filter", filter.to_string())]).json(&json!({"read": 1}))).await.ok();
    blog.admin.post("posts:updateOrCreate?filterKeys=title", json!({"title": "b", "read": 2})).await.ok();
    blog.admin.post("posts:create", json!([{"title": "x"}, {"title": "y"}])).await.ok();
    blog.admin.post(&format!("posts:destroy?filterByTk[]={id}&filterByTk[]=99"), json!({})).await.ok();
    let user = json!({"username": "u", "password": "a-password-of-u"});
    blog.admin.post("users:create", user).await.ok();

    let request =
        |key: Value, filter: Value, values: Value| json!({"filterByTk": key, "filter": filter, "values": values});
    let none = || Value::Null;
    assert_eq!(
        params(&blog, &posts).await,
        [
            request(none(), none(), json!({"title": "a", "category": {"title": "c"}})),
            request(json!(id.to_string()), none(), json!({"title": "b"})),
            request(none(), filter, json!({"read": 1})),
            request(none(), json!({"title": {"$eq": "b"}}), json!({"title": "b", "read": 2})),
            request(none(), none(), json!([{"title": "x"}, {"title": "y"}])),
            request(json!([id.to_string(), "99"]), none(), none()),
        ]
    );
    assert_eq!(params(&blog, &users).await, [request(none(), none(), json!({"username": "u"}))]);

    let context = blog.executions(&posts).await[0]["context"].clone();
    let mut names: Vec<_> = context.as_object().expect("an object").keys().cloned().collect();
    names.sort();
    assert_eq!(names, ["params", "roleName", "user"]);
    assert_eq!((&context["roleName"], &context["user"]["username"]), (&json!("root"), &json!("admin")));
    assert!(context["user"].get("password").is_none());
}

#[tokio::test]
async fn a_refusal_stores_nothing_starts_nothing_and_is_kept_as_history() {
    let (_host, blog) = blog().await;
    let passes = blog.workflow(NewWorkflow::before("posts").logs("wrote")).await;
    let refuses = blog.workflow(NewWorkflow::before("posts").refuses("not {{$context.params.values.title}}")).await;
    let later = blog.workflow(NewWorkflow::before("posts")).await;
    let post = blog.workflow(NewWorkflow::on("posts").sync()).await;
    let background = blog.workflow(NewWorkflow::on("posts").global(&["create"])).await;

    let keys = [&post, &passes, &refuses, &later].map(|workflow| workflow.key.as_str()).join(",");
    let answer = blog.create("posts", &keys, json!({"title": "this"})).await;
    assert_eq!((answer.status, answer.body), (400, json!({"errors": [{"message": "not this"}]})));

    assert!(titles(&blog).await.is_empty());
    for idle in [&later, &post, &background] {
        assert!(blog.executions(idle).await.is_empty(), "nothing runs after the refusal");
    }
    let status = async |workflow: &Workflow| blog.executions(workflow).await[0]["status"].clone();
    assert_eq!((status(&passes).await, status(&refuses).await), (json!(1), json!(-1)));
    assert_eq!(blog.log().await, ["wrote"], "what a workflow wrote before the refusal stays");
}

#[tokio::test]
async fn whatever_is_not_a_clean_pass_keeps_the_action_from_being_done() {
    let (_host, blog) = blog().await;
    blog.admin.post("posts:create", json!({"title": "first", "code": "taken"})).await.ok();
    let before = || NewWorkflow::before("posts");
    let breaks = before().node("create", json!({"collection": "posts", "params": {"values": {"code": "taken"}}}));
    let hangs = before().node("delay", json!({"unit": 60_000, "duration": 10}));
    let odd = before().node("output", json!({"value": {"values": "text"}}));
    let unknown = before().node("output", json!({"value": {"values": {"nosuch": 1}}}));
    let says_nothing = before().node("end", json!({"endStatus": -1}));
    for (workflow, status, message) in [
        (breaks, 500, Some(FAILED)),
        (hangs, 500, Some(HANGS)),
        (odd, 500, Some(FAILED)),
        (unknown, 400, None),
        (says_nothing, 400, None),
    ] {
        let nodes = format!("{:?}", workflow.nodes);
        let workflow = blog.workflow(workflow).await;
        let answer = blog.create("posts", &workflow.key, json!({"title": "x"})).await;
        assert_eq!(answer.status, status, "{nodes}: {}", answer.body);
        if let Some(message) = message {
            assert_eq!(answer.message(), message, "{nodes}");
        }
        assert_eq!(titles(&blog).await, ["first"], "{nodes}");
    }
}

#[tokio::test]
async fn an_end_node_with_success_leaves_the_action_out() {
    let (_host, blog) = blog().await;
    let says = NewWorkflow::before("posts").node("response-message", json!({"message": "filed elsewhere"}));
    let first = blog.workflow(leaves_out(says)).await;
    let second = blog.workflow(NewWorkflow::before("posts")).await;
    let after = blog.workflow(NewWorkflow::on("posts").sync()).await;

    let bindings = format!("{},{},{}", after.key, first.key, second.key);
    let answer = blog.create("posts", &bindings, json!({"title": "x"})).await;
    assert_eq!((answer.status, answer.body), (200, json!({"messages": [{"message": "filed elsewhere"}]})));
    assert!(titles(&blog).await.is_empty());
    for idle in [&second, &after] {
        assert!(blog.executions(idle).await.is_empty());
    }

    let path = format!("posts:create?explain=1&triggerWorkflows={bindings}");
    let told = blog.admin.post(&path, json!({"title": "x"})).await.body["explain"].clone();
    let of = |key: &str| told.as_array().expect("lines").iter().find(|line| line["key"] == key).cloned();
    assert_eq!(of(&first.key).map(|line| line["fired"].clone()), Some(json!(true)));
    assert_eq!(of(&second.key).map(|line| line["reason"].clone()), Some(json!("actionLeftOut")));
}

#[tokio::test]
async fn an_output_node_changes_the_values_for_those_that_follow() {
    let (_host, blog) = blog().await;
    let output = |values: Value| ("output", json!({"value": {"values": values}}));
    let changes = |values: Value| {
        let (node, config) = output(values);
        NewWorkflow::before("posts").node(node, config)
    };
    let first = blog.workflow(changes(json!({"content": "by the first", "read": 7}))).await;
    let second = blog.workflow(changes(json!({"content": "seen: {{$context.params.values.content}}"}))).await;
    let bindings = format!("{},{}", first.key, second.key);

    let post = blog.create("posts", &bindings, json!({"title": "kept", "content": "mine"})).await.ok();
    let got = |post: &Value| ["title", "content", "read"].map(|name| post[name].clone());
    assert_eq!(got(&post), [json!("kept"), json!("seen: by the first"), json!(7)]);
    let both = blog.create("posts", &first.key, json!([{"title": "a"}, {"title": "b"}])).await.ok();
    assert_eq!([&both[0]["content"], &both[1]["content"]], ["by the first"; 2], "one object is for every record");

    let path = format!("posts:update?filterByTk={}&triggerWorkflows={}", post["id"], first.key);
    let changed = blog.admin.post(&path, json!({"title": "later"})).await.ok();
    assert_eq!(got(&changed[0]), [json!("later"), json!("by the first"), json!(7)]);
    let each = blog.workflow(changes(json!([{"read": 1}, {"read": 2}]))).await;
    let both = blog.create("posts", &each.key, json!([{"title": "c"}, {"title": "d"}])).await.ok();
    assert_eq!([&both[0]["read"], &both[1]["read"]], [1, 2]);
    let answer = blog.create("posts", &each.key, json!({"title": "one"})).await;
    assert_eq!((answer.status, answer.message()), (500, FAILED), "two changes do not fit one record");

    let doomed = format!("posts:destroy?filterByTk={}&triggerWorkflows={}", post["id"], first.key);
    blog.admin.post(&doomed, json!({})).await.ok();
    assert!(blog.admin.list("posts", json!({"id": post["id"]})).await.is_empty(), "a deletion has no values");
}

#[tokio::test]
async fn global_ones_watch_their_actions_and_local_ones_wait_to_be_named() {
    let (_host, blog) = blog().await;
    let keeps = blog.workflow(NewWorkflow::before("posts").global(&["destroy"]).refuses("keep")).await;
    let local = blog.workflow(NewWorkflow::before("posts").refuses("no")).await;
    let posts = format!("{}!category", blog.workflow(NewWorkflow::before("categories")).await.key);

    let post = blog.create("posts", &format!("{},{posts},nobody", keeps.key), json!({"title": "x"})).await.ok();
    assert!(blog.executions(&local).await.is_empty());
    let destroy = format!("posts:destroy?filterByTk={}", post["id"]);
    let answer = blog.admin.post(&destroy, json!({})).await;
    assert_eq!((answer.status, answer.message()), (400, "keep"));
    assert_eq!(titles(&blog).await, ["x"]);

    let path = format!("posts:firstOrCreate?filterKeys=title&triggerWorkflows={}", local.key);
    blog.admin.post(&path, json!({"title": "z"})).await.ok();
    blog.create("tags", &local.key, json!({"name": "z"})).await.ok();
    let category = blog.admin.post("categories:create", json!({"title": "c"})).await.ok();
    let below = format!("categories/{}/posts:create?triggerWorkflows={}", category["id"], local.key);
    let has_many = json!({"type": "hasMany", "name": "posts", "target": "posts", "foreignKey": "categoryId"});
    blog.admin.post("collections/categories/fields:create", has_many).await.ok();
    let answer = blog.admin.post(&below, json!({"title": "below"})).await;
    assert_eq!((answer.status, answer.message()), (400, "no"), "an association resource is about its target");
    blog.switch(&local, false).await;
    blog.admin.post(&below, json!({"title": "below"})).await.ok();
}

#[tokio::test]
async fn who_may_not_act_is_told_so_before_anything_runs() {
    let (host, blog) = blog().await;
    let guard = blog.workflow(NewWorkflow::before("posts").global(&["create", "destroy"])).await;
    let role = json!({"name": "writer", "title": "w", "strategy": {"actions": []}});
    blog.admin.post("roles:create", role).await.ok();
    let rights = json!({"name": "posts", "usingActionsConfig": true,
        "actions": [{"name": "create", "fields": ["title"]}]});
    blog.admin.post("roles/writer/dataSourceResources:create", rights).await.ok();
    let user = json!({"username": "w", "password": "a-password-of-w", "roles": ["writer"]});
    blog.admin.post("users:create", user).await.ok();
    let writer = Client::sign_in(host.base_url(), "w", "a-password-of-w").await;

    let answer = writer.post("posts:destroy?filterByTk=1", json!({})).await;
    assert_eq!((answer.status, answer.message()), (403, "No permissions"));
    assert!(blog.executions(&guard).await.is_empty());
    writer.post("posts:create", json!({"title": "t", "content": "not theirs"})).await.ok();
    let seen = params(&blog, &guard).await;
    assert_eq!(seen[0]["values"], json!({"title": "t"}), "what the role may not set is not part of the request");
}

#[tokio::test]
async fn asking_why_runs_nothing() {
    let (_host, blog) = blog().await;
    let refuses = blog.workflow(NewWorkflow::before("posts").global(&["create"]).refuses("no")).await;
    let local = blog.workflow(NewWorkflow::before("posts")).await;
    let after = blog.workflow(NewWorkflow::on("posts")).await;
    let query = format!("collection=posts&action=create&triggerWorkflows={}!category,{},nobody", local.key, after.key);

    for values in [None, Some(json!({"title": "x"}))] {
        let path = format!("workflows:explain?{query}");
        let lines = match values {
            None => blog.admin.get(&path).await.ok(),
            Some(values) => blog.admin.post(&path, values).await.ok(),
        };
        let told: Vec<_> = lines
            .as_array()
            .expect("lines")
            .iter()
            .map(|line| [&line["key"], &line["fired"], &line["reason"]].map(Value::clone))
            .collect();
        let line = |key: &str, fired: bool, reason: Value| [json!(key), json!(fired), reason];
        assert_eq!(
            told,
            [
                line(&refuses.key, true, Value::Null),
                line(&after.key, true, Value::Null),
                line(&local.key, false, json!("pathNotTaken")),
                line("nobody", false, json!("unknownKey")),
            ]
        );
    }
    assert!(blog.executions(&refuses).await.is_empty() && titles(&blog).await.is_empty());
    let from_node = blog.admin.get(&format!("workflows:explain?{query}&origin=node")).await.ok();
    assert_eq!(from_node[0]["reason"], "loopGuard");
}

#[tokio::test]
async fn many_callers_at_once_each_have_their_own_verdict() {
    let (_host, blog) = blog().await;
    let even = json!({"group": {"type": "and", "calculations":
        [{"calculator": "equal", "operands": ["{{$context.params.values.read}}", 1]}]}});
    let guard = NewWorkflow::before("posts")
        .global(&["create"])
        .node("condition", json!({"engine": "basic", "rejectOnFalse": true, "calculation": even}));
    let guard = blog.workflow(guard).await;
    let callers = TaskTracker::new();
    let calls = (0..16).map(|number| {
        let admin = blog.admin.clone();
        callers.spawn(async move {
            let values = json!({"title": number.to_string(), "read": number % 2});
            (number, admin.post("posts:create", values).await.status)
        })
    });
    for call in calls.collect::<Vec<_>>() {
        let (number, status) = call.await.expect("the call ends");
        assert_eq!(status, if number % 2 == 1 { 200 } else { 500 }, "{number}");
    }
    assert_eq!(titles(&blog).await.len(), 8);
    assert_eq!(blog.executions(&guard).await.len(), 16);
}

#[tokio::test]
async fn it_is_always_synchronous_and_can_be_run_by_hand() {
    let (_host, blog) = blog().await;
    let values = json!({"title": "t", "type": "request-interception", "config": {"collection": "posts"}});
    let made = blog.admin.post("workflows:create", values.clone()).await.ok();
    assert_eq!(made["sync"], true);
    let mut background = values;
    background["sync"] = json!(false);
    let answer = blog.admin.post("workflows:create", background).await;
    assert_eq!(answer.status, 400);
    assert_eq!(answer.message(), "Trigger type \"request-interception\" has no such execution mode");

    let user = blog.admin.list("users", json!({})).await[0]["id"].clone();
    let path = format!("workflows:execute?filterByTk={}", made["id"]);
    let input = json!({"params": {"values": {"title": "x"}}, "userId": user, "roleName": "root"});
    let run = blog.admin.post(&path, input).await.ok();
    assert_eq!(run["execution"]["status"], 1);
    let context = blog.admin.list("executions", json!({"workflowId": made["id"]})).await[0]["context"].clone();
    assert_eq!(context["params"], json!({"filterByTk": null, "filter": null, "values": {"title": "x"}}));
    assert!(context.get("data").is_none());
}
