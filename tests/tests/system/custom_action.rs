//! Buttons that start workflows and do nothing else.

use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{Blog, Client, Host, NewWorkflow, fixture::data_of};

const NOTHING_DONE: &str = "No action done, please contact the administrator";

async fn blog() -> (Host, Blog) {
    let host = Host::start().await;
    let blog = Blog::set_up(host.admin().await).await;
    (host, blog)
}

async fn post(blog: &Blog, values: Value) -> i64 {
    blog.admin.post("posts:create", values).await.ok()["id"].as_i64().expect("an id")
}

#[tokio::test]
async fn a_button_hands_its_record_over_and_answers_nothing_but_messages() {
    let (_host, blog) = blog().await;
    let says = NewWorkflow::button("posts").sync().appends(&["category"]);
    let sync = blog.workflow(says.node("response-message", json!({"message": "{{$context.data.title}}!"}))).await;
    let background = blog.workflow(NewWorkflow::button("posts")).await;
    let other = blog.workflow(NewWorkflow::on("posts").global(&["create", "update", "destroy"])).await;
    let id = post(&blog, json!({"title": "pressed", "category": {"title": "c"}})).await;
    blog.finished(&other, 1).await;

    for path in [format!("posts:trigger/{id}?"), format!("posts:trigger?filterByTk={id}&")] {
        let path = format!("{path}triggerWorkflows={},{},{}", background.key, sync.key, other.key);
        let answer = blog.admin.post(&path, json!({})).await;
        assert_eq!((answer.status, answer.body), (200, json!({"messages": [{"message": "pressed!"}]})), "{path}");
    }
    let context = blog.executions(&sync).await[0]["context"].clone();
    let mut names: Vec<_> = context.as_object().expect("an object").keys().cloned().collect();
    names.sort();
    assert_eq!(names, ["data", "roleName", "user"]);
    assert_eq!((&context["data"]["id"], &context["data"]["category"]["title"]), (&json!(id), &json!("c")));
    assert_eq!(data_of(&blog.finished(&background, 2).await, "title"), ["pressed", "pressed"]);
    assert_eq!(blog.executions(&other).await.len(), 1, "a button is no post-action event");

    let quiet = format!("posts:trigger/{id}?triggerWorkflows={}", background.key);
    let answer = blog.admin.post(&quiet, json!({})).await;
    assert_eq!((answer.status, answer.body), (200, json!({})));
}

#[tokio::test]
async fn several_records_are_handed_over_one_by_one_or_as_an_array() {
    let (_host, blog) = blog().await;
    let each = blog.workflow(NewWorkflow::button("posts").sync()).await;
    let mut all = NewWorkflow::button("posts").sync();
    all.config["type"] = json!(2);
    let all = blog.workflow(all).await;
    let mut picky = NewWorkflow::button("posts").sync();
    picky.config["condition"] = json!({"data.read": {"$gt": 1}});
    let picky = blog.workflow(picky).await;
    let mut ids = Vec::new();
    for read in 1..=3 {
        ids.push(post(&blog, json!({"title": format!("p{read}"), "read": read})).await);
    }

    let bindings = format!("{},{},{}", each.key, all.key, picky.key);
    let keys = format!("filterByTk[]={}&filterByTk[]={}", ids[0], ids[2]);
    blog.admin.post(&format!("posts:trigger?{keys}&triggerWorkflows={bindings}"), json!({})).await.ok();
    let request = blog.admin.request(Method::POST, "posts:trigger");
    let query = [("filter", json!({"read.$lt": 2}).to_string()), ("triggerWorkflows", bindings)];
    blog.admin.send(request.query(&query)).await.ok();

    assert_eq!(data_of(&blog.executions(&each).await, "title"), ["p1", "p3", "p1"]);
    assert_eq!(data_of(&blog.executions(&picky).await, "title"), ["p3"]);
    let arrays = blog.executions(&all).await;
    let titles = |execution: &Value| -> Vec<Value> {
        let data = execution["context"]["data"].as_array().expect("an array");
        data.iter().map(|record| record["title"].clone()).collect()
    };
    assert_eq!(arrays.iter().map(titles).collect::<Vec<_>>(), [vec![json!("p1"), json!("p3")], vec![json!("p1")]]);
}

#[tokio::test]
async fn a_path_hands_over_what_is_at_its_end_and_order_is_kept() {
    let (_host, blog) = blog().await;
    let background = blog.workflow(NewWorkflow::button("posts").logs("background")).await;
    let one = blog.workflow(NewWorkflow::button("posts").sync().logs("one")).await;
    let two = blog.workflow(NewWorkflow::button("categories").sync().logs("two")).await;
    let id = post(&blog, json!({"title": "x", "category": {"title": "c"}})).await;

    let bindings = format!("{},{}!category,{},{}!nosuch,nobody", background.key, two.key, one.key, two.key);
    blog.admin.post(&format!("posts:trigger/{id}?triggerWorkflows={bindings}"), json!({})).await.ok();

    blog.finished(&background, 1).await;
    assert_eq!(blog.log().await, ["two", "one", "background"]);
    assert_eq!(data_of(&blog.executions(&two).await, "title"), ["c"]);
}

#[tokio::test]
async fn without_a_record_the_workflow_gets_what_is_sent() {
    let (_host, blog) = blog().await;
    let free = blog.workflow(NewWorkflow::of("custom-action", json!({"type": 0})).sync()).await;
    let bound = blog.workflow(NewWorkflow::button("posts").sync()).await;
    let path = format!("workflows:trigger?triggerWorkflows={},{},nobody", free.key, bound.key);
    for body in [json!({"x": 1}), json!([1, {"y": 2}])] {
        let answer = blog.admin.post(&path, body).await;
        assert_eq!((answer.status, answer.body), (200, json!({})));
    }
    blog.admin.send(blog.admin.request(Method::POST, &path)).await.ok();
    let data: Vec<_> = blog.executions(&free).await.iter().map(|it| it["context"]["data"].clone()).collect();
    assert_eq!(data, [json!({"x": 1}), json!([1, {"y": 2}]), json!({})]);
    assert!(blog.executions(&bound).await.is_empty(), "it needs a record");

    let lines = blog.admin.get(&format!("workflows:explain?action=trigger&triggerWorkflows={}", free.key)).await.ok();
    assert_eq!((&lines[0]["key"], &lines[0]["fired"]), (&json!(free.key), &json!(true)));
    let explained = blog.admin.post(&format!("{path}&explain=1"), json!({})).await.body["explain"].clone();
    let lines = explained.as_array().expect("lines").iter();
    let mut told: Vec<_> = lines.map(|line| (line["key"].as_str(), line["reason"].as_str())).collect();
    told.sort_by_key(|(_, reason)| *reason);
    let expected = [(&*free.key, None), (&*bound.key, Some("otherCollection")), ("nobody", Some("unknownKey"))];
    assert_eq!(told, expected.map(|(key, reason)| (Some(key), reason)));
}

#[tokio::test]
async fn a_button_that_starts_nothing_says_so() {
    let (_host, blog) = blog().await;
    let button = blog.workflow(NewWorkflow::button("posts").sync()).await;
    let refuses = blog.workflow(NewWorkflow::button("posts").sync().refuses("not today")).await;
    let free = blog.workflow(NewWorkflow::of("custom-action", json!({"type": 0}))).await;
    let action = blog.workflow(NewWorkflow::on("posts")).await;
    let off = blog.workflow(NewWorkflow::button("posts")).await;
    blog.switch(&off, false).await;
    let id = post(&blog, json!({"title": "x"})).await;
    let required = "parameter \"triggerWorkflows\" is required";
    let filter = "\"filterByTk\" or \"filter\" is required";
    let key = &button.key;
    for (path, status, message) in [
        (format!("posts:trigger/{id}"), 400, required),
        (format!("posts:trigger/{id}?triggerWorkflows="), 400, required),
        ("workflows:trigger".to_owned(), 400, required),
        (format!("posts:trigger?triggerWorkflows={key}"), 400, filter),
        (format!("posts:trigger/{id}?triggerWorkflows=nobody"), 400, NOTHING_DONE),
        (format!("posts:trigger/{id}?triggerWorkflows=,"), 400, NOTHING_DONE),
        (format!("posts:trigger/{id}?triggerWorkflows={}", action.key), 400, NOTHING_DONE),
        (format!("posts:trigger/{id}?triggerWorkflows={}", off.key), 400, NOTHING_DONE),
        (format!("posts:trigger/{id}?triggerWorkflows={}", free.key), 400, NOTHING_DONE),
        (format!("posts:trigger/987654?triggerWorkflows={key}"), 400, NOTHING_DONE),
        (format!("posts:trigger/{id}?triggerWorkflows={key}!category"), 400, NOTHING_DONE),
        (format!("workflows:trigger?triggerWorkflows={key}"), 400, NOTHING_DONE),
        (format!("workflows:trigger?triggerWorkflows={}!category", free.key), 400, NOTHING_DONE),
        (format!("posts:trigger/{id}?triggerWorkflows={}", refuses.key), 400, "not today"),
        (format!("roles:trigger/root?triggerWorkflows={key}"), 404, "action \"trigger\" of \"roles\" not found"),
    ] {
        let answer = blog.admin.post(&path, json!({})).await;
        assert_eq!(answer.status, status, "{path}: {}", answer.body);
        if status != 404 {
            assert_eq!(answer.message(), message, "{path}");
        }
    }
    assert!(blog.executions(&button).await.is_empty());
}

#[tokio::test]
async fn who_presses_needs_the_right_and_has_to_see_the_record() {
    let (host, blog) = blog().await;
    let button = blog.workflow(NewWorkflow::button("posts").sync()).await;
    let free = blog.workflow(NewWorkflow::of("custom-action", json!({"type": 0})).sync()).await;
    let id = post(&blog, json!({"title": "x", "content": "hidden"})).await;
    let user = async |name: &str, rights: Value| {
        let role = json!({"name": name, "title": name, "strategy": {"actions": []}});
        blog.admin.post("roles:create", role).await.ok();
        for (collection, actions) in rights.as_object().expect("collections") {
            let resource = json!({"name": collection, "usingActionsConfig": true, "actions": actions});
            blog.admin.post(&format!("roles/{name}/dataSourceResources:create"), resource).await.ok();
        }
        let user = json!({"username": name, "password": "a-password-of-one", "roles": [name]});
        blog.admin.post("users:create", user).await.ok();
        Client::sign_in(host.base_url(), name, "a-password-of-one").await
    };
    let view = json!({"name": "view", "fields": ["title"]});
    let sees = user("sees", json!({"posts": [view]})).await;
    let blind = user("blind", json!({"posts": [{"name": "trigger"}]})).await;
    let presses =
        user("presses", json!({"posts": [view, {"name": "trigger"}], "workflows": [{"name": "trigger"}]})).await;
    let of_posts = format!("posts:trigger/{id}?triggerWorkflows={}", button.key);
    let of_nothing = format!("workflows:trigger?triggerWorkflows={}", free.key);

    for (client, path) in [(&sees, &of_posts), (&blind, &of_posts), (&sees, &of_nothing), (&blind, &of_nothing)] {
        let answer = client.post(path, json!({})).await;
        assert_eq!((answer.status, answer.message()), (403, "No permissions"), "{path}");
    }
    let request = presses.request(Method::POST, "posts:trigger");
    let query = [("filter", json!({"content": "hidden"}).to_string()), ("triggerWorkflows", button.key.clone())];
    assert_eq!(presses.send(request.query(&query)).await.status, 403, "a filter must not tell what is not seen");
    presses.post(&of_posts, json!({})).await.ok();
    presses.post(&of_nothing, json!({})).await.ok();
    assert_eq!(presses.post(&format!("{of_posts}&explain=1"), json!({})).await.status, 403);
    assert_eq!(blog.executions(&button).await[0]["context"]["roleName"], "presses");
    assert_eq!(blog.executions(&free).await.len(), 1);
}

#[tokio::test]
async fn why_a_button_does_nothing_can_be_asked() {
    let (_host, blog) = blog().await;
    let button = blog.workflow(NewWorkflow::button("posts")).await;
    let other = blog.workflow(NewWorkflow::button("tags")).await;
    let id = post(&blog, json!({"title": "x"})).await;
    let bindings = format!("{},{},{}!category", button.key, other.key, button.key);
    let query = format!("collection=posts&action=trigger&filterByTk={id}&triggerWorkflows={bindings}");
    let lines = blog.admin.get(&format!("workflows:explain?{query}")).await.ok();
    let told: Vec<_> = lines.as_array().expect("lines").iter().map(|line| line["reason"].clone()).collect();
    assert_eq!(told, [Value::Null, json!("otherCollection"), json!("repeated")]);
    assert!(blog.executions(&button).await.is_empty(), "asking starts nothing");
}

#[tokio::test]
async fn each_type_can_be_run_by_hand() {
    let (_host, blog) = blog().await;
    let user = blog.admin.list("users", json!({})).await[0]["id"].clone();
    let ids = [post(&blog, json!({"title": "a"})).await, post(&blog, json!({"title": "b"})).await];
    let run = async |kind: u8, data: Value| {
        let mut new = NewWorkflow::button("posts");
        new.config["type"] = json!(kind);
        let workflow = blog.workflow(new).await;
        let path = format!("workflows:execute?filterByTk={}", workflow.id);
        blog.admin.post(&path, json!({"data": data, "userId": user})).await.ok();
        blog.executions(&workflow).await[0]["context"]["data"].clone()
    };
    assert_eq!(run(0, json!({"x": [1]})).await, json!({"x": [1]}));
    assert_eq!(run(1, json!(ids[0])).await["title"], "a");
    let one = run(2, json!(ids[1])).await;
    assert_eq!((one.as_array().map(Vec::len), &one[0]["title"]), (Some(1), &json!("b")));
    let both = run(2, json!([ids[1], ids[0]])).await;
    assert_eq!([&both[0]["title"], &both[1]["title"]], ["b", "a"], "in the order asked for");
}
