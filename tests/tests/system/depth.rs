//! Under which terms a post-action event hands its records over: conditions, changed fields, values before the action,
//! batches.

use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{
    Blog, Host, NewWorkflow,
    fixture::{Workflow, data_of},
};

async fn blog() -> (Host, Blog) {
    let host = Host::start().await;
    let blog = Blog::set_up(host.admin().await).await;
    (host, blog)
}

/// A synchronous workflow on posts with more in its configuration.
fn on_posts(more: &Value) -> NewWorkflow {
    let mut workflow = NewWorkflow::on("posts").sync();
    for (name, value) in more.as_object().expect("an object") {
        workflow.config[name] = value.clone();
    }
    workflow
}

async fn update(blog: &Blog, id: &Value, workflow: &Workflow, values: Value) -> Value {
    blog.admin.post(&format!("posts:update?filterByTk={id}&triggerWorkflows={}", workflow.key), values).await.ok()
}

async fn titles(blog: &Blog, workflow: &Workflow) -> Vec<Value> {
    data_of(&blog.executions(workflow).await, "title")
}

fn keys(context: &Value) -> Vec<String> {
    let mut keys: Vec<String> = context.as_object().expect("an object").keys().cloned().collect();
    keys.sort();
    keys
}

#[tokio::test]
async fn a_condition_lets_some_records_pass() {
    let (_host, blog) = blog().await;
    let me = blog.admin.list("users", json!({})).await[0].clone();
    let cases = [
        (json!({"data.read": {"$gt": 500}}), json!(["much"])),
        (json!({"data": {"read": {"$lte": 500}}}), json!(["little", "none"])),
        (json!({"$or": [{"data.title": "none"}, {"data.read.$gt": 500}]}), json!(["much", "none"])),
        (json!({"data.category.title": "news"}), json!(["much"])),
        (json!({"data.category.owner.id": me["id"]}), json!(["much"])),
        (json!({"data.tags.name": "red"}), json!(["little"])),
        (json!({"data.category.$exists": false}), json!(["little", "none"])),
        (json!({"user.id": me["id"], "roleName": "root"}), json!(["much", "little", "none"])),
        (json!({"user.roles.name": "root"}), json!(["much", "little", "none"])),
        (json!({"roleName.$ne": "root"}), json!([])),
        (json!({"previous.$exists": true}), json!([])),
        (json!({}), json!(["much", "little", "none"])),
    ];
    let mut workflows = Vec::new();
    for (condition, _) in &cases {
        workflows.push(blog.workflow(on_posts(&json!({"condition": condition}))).await);
    }
    let bindings: Vec<&str> = workflows.iter().map(|workflow| workflow.key.as_str()).collect();
    let bindings = bindings.join(",");
    for values in [
        json!({"title": "much", "read": 501, "category": {"title": "news", "owner": me["id"]}}),
        json!({"title": "little", "read": 500, "tags": [{"name": "blue"}, {"name": "red"}]}),
        json!({"title": "none"}),
    ] {
        blog.create("posts", &bindings, values).await.ok();
    }
    for ((condition, expected), workflow) in cases.iter().zip(&workflows) {
        assert_eq!(Value::from(titles(&blog, workflow).await), *expected, "{condition}");
    }
}

#[tokio::test]
async fn what_only_the_condition_looks_at_is_not_handed_over() {
    let (_host, blog) = blog().await;
    let workflow = blog.workflow(on_posts(&json!({"condition": {"data.category.title": "news"}}))).await;
    let category = blog.admin.post("categories:create", json!({"title": "news"})).await.ok();

    blog.create("posts", &workflow.key, json!({"title": "x", "categoryId": category["id"]})).await.ok();

    let context = blog.executions(&workflow).await[0]["context"].clone();
    assert_eq!(keys(&context), ["data", "roleName", "user"]);
    assert!(context["data"].get("category").is_none(), "{context}");
}

#[tokio::test]
async fn an_update_starts_if_one_of_the_fields_changes() {
    let (_host, blog) = blog().await;
    let changed = on_posts(&json!({"changed": ["title", "category"]}));
    let workflow = blog.workflow(changed).await;
    let post = blog.create("posts", &workflow.key, json!({"title": "new", "read": 1})).await.ok();
    let id = &post["id"];

    for values in [
        json!({"read": 2}),
        json!({"title": "new"}),
        json!({"title": "other"}),
        json!({"title": "other", "content": "c"}),
        json!({"category": {"title": "c"}}),
        json!({"title": null}),
    ] {
        update(&blog, id, &workflow, values).await;
    }

    let expected = [json!("new"), json!("other"), json!("other"), Value::Null];
    assert_eq!(titles(&blog, &workflow).await, expected, "a create is not held back");
    blog.admin.post(&format!("posts:destroy?filterByTk={id}&triggerWorkflows={}", workflow.key), json!({})).await.ok();
    assert_eq!(blog.executions(&workflow).await.len(), 5, "nor is a delete");
}

#[tokio::test]
async fn previous_is_the_record_before_the_action() {
    let (_host, blog) = blog().await;
    let config = json!({"previous": true, "appends": ["category"]});
    let workflow = blog.workflow(on_posts(&config)).await;
    let post = blog.create("posts", &workflow.key, json!({"title": "1", "category": {"title": "a"}})).await.ok();
    update(&blog, &post["id"], &workflow, json!({"title": "2", "category": {"title": "b"}})).await;
    let destroy = format!("posts:destroy?filterByTk={}&triggerWorkflows={}", post["id"], workflow.key);
    blog.admin.post(&destroy, json!({})).await.ok();

    let contexts: Vec<Value> = blog.executions(&workflow).await.iter().map(|it| it["context"].clone()).collect();
    assert_eq!(keys(&contexts[0]), ["data", "previous", "roleName", "user"]);
    assert_eq!(contexts[0]["previous"], Value::Null);
    let seen = |name: &str| contexts.iter().map(|it| it[name]["title"].clone()).collect::<Vec<_>>();
    assert_eq!(seen("data"), [json!("1"), json!("2"), json!("2")]);
    assert_eq!(seen("previous"), [Value::Null, json!("1"), json!("2")]);
    assert_eq!(contexts[1]["previous"]["category"]["title"], "a");
    assert_eq!(contexts[1]["data"]["category"]["title"], "b");
}

#[tokio::test]
async fn a_condition_compares_with_the_record_before() {
    let (_host, blog) = blog().await;
    let condition = json!({"previous.read": {"$lt": 10}, "data.read": {"$gte": 10}, "previous.category.title": "news"});
    let workflow = blog.workflow(on_posts(&json!({"condition": condition}))).await;
    let post = blog.create("posts", &workflow.key, json!({"read": 1, "category": {"title": "news"}})).await.ok();

    for values in [json!({"read": 9}), json!({"read": 10, "category": null}), json!({"read": 11})] {
        update(&blog, &post["id"], &workflow, values).await;
    }

    let executions = blog.executions(&workflow).await;
    assert_eq!(data_of(&executions, "read"), [json!(10)]);
    assert_eq!(keys(&executions[0]["context"]), ["data", "roleName", "user"], "it was not asked for");
}

#[tokio::test]
async fn a_path_hands_over_what_changed_at_its_end() {
    let (_host, blog) = blog().await;
    let mut new = NewWorkflow::on("categories").sync();
    new.config["changed"] = json!(["title"]);
    new.config["previous"] = json!(true);
    let workflow = blog.workflow(new).await;
    let post = blog.admin.post("posts:create", json!({"title": "x", "category": {"title": "old"}})).await.ok();
    let category = json!({"id": post["category"]["id"], "title": "new"});
    let path =
        |more: &str| format!("posts:update?filterByTk={}&triggerWorkflows={}!category{more}", post["id"], workflow.key);

    blog.admin.post(&path(""), json!({"title": "y"})).await.ok();
    assert!(blog.executions(&workflow).await.is_empty(), "the category stayed as it was");
    blog.admin.post(&path("&updateAssociationValues=category"), json!({"category": category})).await.ok();
    blog.admin.post(&path(""), json!({"category": {"title": "another"}})).await.ok();

    let executions = blog.executions(&workflow).await;
    assert_eq!(data_of(&executions, "title"), [json!("new"), json!("another")]);
    assert_eq!(executions[0]["context"]["previous"]["title"], "old");
    assert_eq!(executions[1]["context"]["previous"], Value::Null, "it was not at the end of the path");
}

#[tokio::test]
async fn a_batch_is_one_execution() {
    let (_host, blog) = blog().await;
    let config = json!({"batch": "perBatch", "previous": true, "condition": {"data.title": {"$ne": "left out"}}});
    let workflow = blog.workflow(on_posts(&config)).await;
    let values = json!([{"title": "a"}, {"title": "left out"}, {"title": "b"}]);
    blog.create("posts", &workflow.key, values).await.ok();
    let bulk = [("filter", json!({"read": 0}).to_string()), ("triggerWorkflows", workflow.key.clone())];
    let request = blog.admin.request(Method::POST, "posts:update").query(&bulk).json(&json!({"read": 1}));
    blog.admin.send(request).await.ok();
    blog.create("posts", &workflow.key, json!({"title": "alone"})).await.ok();
    blog.create("posts", &workflow.key, json!({"title": "left out"})).await.ok();

    let executions = blog.executions(&workflow).await;
    let seen = |of: &str, field: &str| -> Vec<Value> {
        let batches = executions.iter().map(|it| it["context"][of].as_array().expect("an array"));
        batches.map(|batch| batch.iter().map(|record| record[field].clone()).collect()).collect()
    };
    assert_eq!(seen("data", "title"), [json!(["a", "b"]), json!(["a", "b"]), json!(["alone"])]);
    assert_eq!(seen("data", "read"), [json!([0, 0]), json!([1, 1]), json!([0])]);
    assert_eq!(seen("previous", "read"), [json!([null, null]), json!([0, 0]), json!([null])]);
    let input = json!({"data": {"id": 1, "title": "by hand"}, "userId": 1});
    blog.admin.post(&format!("workflows:execute?filterByTk={}", workflow.id), input).await.ok();
    assert_eq!(blog.executions(&workflow).await[3]["context"]["data"][0]["title"], "by hand");
}

#[tokio::test]
async fn configurations_that_make_no_sense_are_refused() {
    let (_host, blog) = blog().await;
    let wrong = [
        (json!({"condition": {"data.nosuch": 1}}), r#""condition": posts has no field nosuch"#),
        (json!({"condition": {"nosuch": 1}}), r#""condition": the condition has no field nosuch"#),
        (json!({"condition": {"data.title.$regexp": "."}}), r#""condition": unknown operator $regexp"#),
        (json!({"condition": {"user.password": "x"}}), r#""condition": users has no field password"#),
        (json!({"condition": {"data.read": "many"}}), r#""condition": read: a whole number of 32 bits is expected"#),
        (json!({"condition": 1}), r#""condition": 1 is not of types "null", "object""#),
        (json!({"changed": ["nosuch"]}), r#""changed": posts has no field nosuch"#),
        (
            json!({"changed": ["title", "tags"]}),
            r#""changed": posts.tags leads to records that hold the key, and cannot be compared"#,
        ),
        (json!({"changed": "title"}), r#""changed" must be an array"#),
        (json!({"previous": "yes"}), r#""previous" must be a boolean"#),
        (json!({"batch": "perhaps"}), r#""batch": "#),
    ];
    for (config, sentence) in wrong {
        let config = on_posts(&config).config;
        let values = json!({"title": "t", "type": "action", "config": config});
        let answer = blog.admin.post("workflows:create", values).await;
        assert_eq!(answer.status, 400, "{config}: {}", answer.body);
        assert!(answer.message().starts_with(sentence), "{config}: {}", answer.message());
    }
}

#[tokio::test]
async fn a_field_that_is_gone_keeps_its_workflow_from_starting_and_nothing_else() {
    let (_host, blog) = blog().await;
    let broken = blog.workflow(on_posts(&json!({"condition": {"data.content": "x"}}))).await;
    let sound = blog.workflow(on_posts(&json!({}))).await;
    blog.admin.post("collections/posts/fields:destroy?filterByTk=content", json!({})).await.ok();

    blog.create("posts", &format!("{},{}", broken.key, sound.key), json!({"title": "x"})).await.ok();

    assert!(blog.executions(&broken).await.is_empty());
    assert_eq!(blog.executions(&sound).await.len(), 1);
}
