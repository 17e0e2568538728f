//! Which workflows a successful action starts, in which order, and with what.

use serde_json::{Value, json};

use crate::harness::{Blog, Host, NewWorkflow, fixture::data_of};

const RESOLVED: i64 = 1;

async fn blog() -> (Host, Blog) {
    let host = Host::start().await;
    let blog = Blog::set_up(host.admin().await).await;
    (host, blog)
}

fn statuses(executions: &[Value]) -> Vec<Option<i64>> {
    executions.iter().map(|execution| execution["status"].as_i64()).collect()
}

#[tokio::test]
async fn a_bound_create_starts_its_workflow_once_and_an_unbound_one_does_not() {
    let (_host, blog) = blog().await;
    let workflow = blog.workflow(NewWorkflow::on("posts")).await;

    blog.admin.post("posts:create", json!({"title": "unbound"})).await.ok();
    assert!(blog.executions(&workflow).await.is_empty(), "nothing was bound");
    let twice = format!("{0},{0}!", workflow.key);
    let stored = blog.create("posts", &twice, json!({"title": "bound"})).await.ok();

    let executions = blog.finished(&workflow, 1).await;
    assert_eq!(statuses(&executions), [Some(RESOLVED)]);
    assert_eq!(data_of(&executions, "id"), [stored["id"].clone()]);
    assert_eq!(data_of(&executions, "title"), [json!("bound")]);
}

#[tokio::test]
async fn the_context_is_the_whole_record_the_user_without_secrets_and_the_role() {
    let (_host, blog) = blog().await;
    let workflow = blog.workflow(NewWorkflow::on("posts").appends(&["category.owner", "createdBy"]).sync()).await;
    let owner = blog.admin.list("users", json!({})).await[0]["id"].clone();

    let values = json!({"title": "x", "category": {"title": "c", "owner": owner}});
    blog.create("posts", &workflow.key, values).await.ok();

    let context = blog.executions(&workflow).await[0]["context"].clone();
    let mut keys: Vec<_> = context.as_object().expect("an object").keys().cloned().collect();
    keys.sort();
    assert_eq!(keys, ["data", "roleName", "user"]);
    assert_eq!(context["roleName"], "root");
    assert_eq!(context["data"]["read"], 0, "fields that were not submitted are there too");
    assert_eq!(context["data"]["category"]["owner"]["id"], owner);
    for user in [&context["user"], &context["data"]["createdBy"], &context["data"]["category"]["owner"]] {
        assert_eq!(user["email"], "admin@example.com");
        assert!(user.get("password").is_none(), "no secret in {user}");
    }
}

#[tokio::test]
async fn synchronous_ones_run_first_in_the_order_given_then_global_ones_then_the_background() {
    let (_host, blog) = blog().await;
    let background = blog.workflow(NewWorkflow::on("posts").logs("background")).await;
    let global = blog.workflow(NewWorkflow::on("posts").global(&["create"]).sync().logs("global")).await;
    let one = blog.workflow(NewWorkflow::on("posts").sync().logs("one")).await;
    let two = blog.workflow(NewWorkflow::on("posts").sync().logs("two")).await;

    let keys = [&background, &two, &one, &global].map(|workflow| workflow.key.as_str()).join(",");
    blog.create("posts", &keys, json!({"title": "x"})).await.ok();

    blog.finished(&background, 1).await;
    assert_eq!(blog.log().await, ["two", "one", "global", "background"]);
}

#[tokio::test]
async fn a_path_hands_over_each_record_at_its_end() {
    let (_host, blog) = blog().await;
    let categories = blog.workflow(NewWorkflow::on("categories").sync()).await;
    let tags = blog.workflow(NewWorkflow::on("tags").sync()).await;

    let bindings = format!("{}!post.category,{}!post.tags", categories.key, tags.key);
    let post = json!({"category": {"title": "c"}, "tags": [{"name": "t1"}, {"name": "t2"}]});
    blog.create("comments", &bindings, json!({"content": "x", "post": post})).await.ok();

    assert_eq!(data_of(&blog.executions(&categories).await, "title"), [json!("c")]);
    assert_eq!(data_of(&blog.executions(&tags).await, "name"), [json!("t1"), json!("t2")]);
}

#[tokio::test]
async fn several_records_of_one_action_that_share_a_related_record_fire_for_it_once() {
    let (_host, blog) = blog().await;
    let workflow = blog.workflow(NewWorkflow::on("categories").sync()).await;
    let category = blog.admin.post("categories:create", json!({"title": "shared"})).await.ok();

    let values = json!([{"title": "a", "categoryId": category["id"]}, {"title": "b", "categoryId": category["id"]}]);
    blog.create("posts", &format!("{}!category", workflow.key), values).await.ok();

    assert_eq!(data_of(&blog.executions(&workflow).await, "title"), [json!("shared")]);
}

#[tokio::test]
async fn a_path_that_leads_nowhere_or_elsewhere_is_skipped_and_the_others_fire() {
    let (_host, blog) = blog().await;
    let posts = blog.workflow(NewWorkflow::on("posts").sync()).await;
    let categories = blog.workflow(NewWorkflow::on("categories").sync()).await;

    for path in ["nosuch", "category.nosuch", "title", "tags", "category."] {
        let bindings = format!("{}!{path},{}", categories.key, posts.key);
        blog.create("posts", &bindings, json!({"title": path, "category": {"title": "c"}})).await.ok();
    }

    assert!(blog.executions(&categories).await.is_empty());
    assert_eq!(blog.executions(&posts).await.len(), 5);
}

#[tokio::test]
async fn a_global_workflow_fires_for_its_actions_only_and_once_when_named_too() {
    let (_host, blog) = blog().await;
    let workflow = blog.workflow(NewWorkflow::on("posts").global(&["update", "destroy"])).await;

    let post = blog.create("posts", &workflow.key, json!({"title": "new"})).await.ok();
    assert!(blog.executions(&workflow).await.is_empty(), "create was not chosen");
    let update = format!("posts:update?filterByTk={}&triggerWorkflows={}", post["id"], workflow.key);
    blog.admin.post(&update, json!({"title": "changed"})).await.ok();
    blog.admin.post(&format!("posts:destroy?filterByTk={}", post["id"]), json!({})).await.ok();

    let executions = blog.finished(&workflow, 2).await;
    assert_eq!(data_of(&executions, "title"), [json!("changed"), json!("changed")]);
}

#[tokio::test]
async fn a_delete_button_hands_over_the_record_and_its_relations_as_they_were() {
    let (_host, blog) = blog().await;
    let posts = blog.workflow(NewWorkflow::on("posts").appends(&["category"]).sync()).await;
    let categories = blog.workflow(NewWorkflow::on("categories").sync()).await;
    let post = blog.admin.post("posts:create", json!({"title": "gone", "category": {"title": "kept"}})).await.ok();

    let bindings = format!("{},{}!category", posts.key, categories.key);
    let path = format!("posts:destroy?filterByTk={}&triggerWorkflows={bindings}", post["id"]);
    blog.admin.post(&path, json!({})).await.ok();

    let executions = blog.executions(&posts).await;
    assert_eq!(data_of(&executions, "title"), [json!("gone")]);
    assert_eq!(executions[0]["context"]["data"]["category"]["title"], "kept");
    assert_eq!(data_of(&blog.executions(&categories).await, "title"), [json!("kept")]);
    assert!(blog.admin.list("posts", json!({"id": post["id"]})).await.is_empty());
}

#[tokio::test]
async fn a_bulk_update_fires_once_per_record() {
    let (_host, blog) = blog().await;
    let workflow = blog.workflow(NewWorkflow::on("posts")).await;
    let posts = blog.admin.post("posts:create", json!([{"title": "a"}, {"title": "b"}, {"title": "c"}])).await.ok();

    let filter = json!({"title": {"$in": ["a", "c"]}});
    let request = blog.admin.request(reqwest::Method::POST, "posts:update");
    let query = [("filter", filter.to_string()), ("triggerWorkflows", workflow.key.clone())];
    blog.admin.send(request.query(&query).json(&json!({"read": 9}))).await.ok();

    let executions = blog.finished(&workflow, 2).await;
    assert_eq!(data_of(&executions, "id"), [posts[0]["id"].clone(), posts[2]["id"].clone()]);
    assert_eq!(data_of(&executions, "read"), [json!(9), json!(9)]);
}

#[tokio::test]
async fn what_a_node_writes_starts_nothing() {
    let (_host, blog) = blog().await;
    let values = json!({"collection": "posts", "params": {"values": {"title": "inner"}}});
    let workflow = blog.workflow(NewWorkflow::on("posts").global(&["create"]).sync().node("create", values)).await;

    blog.admin.post("posts:create", json!({"title": "outer"})).await.ok();

    assert_eq!(data_of(&blog.executions(&workflow).await, "title"), [json!("outer")]);
    assert_eq!(blog.admin.list("posts", json!({})).await.len(), 2);
}

#[tokio::test]
async fn switching_changing_and_deleting_a_workflow_takes_effect_at_once() {
    let (_host, blog) = blog().await;
    let workflow = blog.workflow(NewWorkflow::on("posts").sync()).await;

    let config = json!({"config": {"collection": "tags"}});
    blog.admin.post(&format!("workflows:update?filterByTk={}", workflow.id), config).await.ok();
    blog.create("posts", &workflow.key, json!({"title": "x"})).await.ok();
    assert!(blog.executions(&workflow).await.is_empty(), "it waits for tags now");
    blog.create("tags", &workflow.key, json!({"name": "1"})).await.ok();
    blog.switch(&workflow, false).await;
    blog.create("tags", &workflow.key, json!({"name": "2"})).await.ok();
    blog.switch(&workflow, true).await;
    blog.create("tags", &workflow.key, json!({"name": "3"})).await.ok();
    assert_eq!(data_of(&blog.executions(&workflow).await, "name"), [json!("1"), json!("3")]);

    blog.admin.post(&format!("workflows:destroy?filterByTk={}", workflow.id), json!({})).await.ok();
    blog.create("tags", &workflow.key, json!({"name": "4"})).await.ok();
    assert!(
        blog.admin.list("executions", json!({"key": workflow.key, "context": {"$includes": "\"4\""}})).await.is_empty()
    );
}

#[tokio::test]
async fn the_answer_carries_the_verdict_of_synchronous_workflows_and_the_record_stays() {
    let (_host, blog) = blog().await;
    let failed = "Workflow on your action failed, please contact the administrator";
    let hangs = "Workflow on your action hangs, please contact the administrator";
    let duplicate = json!({"collection": "posts", "params": {"values": {"code": "taken"}}});
    blog.admin.post("posts:create", json!({"title": "first", "code": "taken"})).await.ok();
    let says =
        NewWorkflow::on("posts").sync().node("response-message", json!({"message": "hello {{$context.data.title}}"}));
    let cases = [
        (says, 200, json!([{"message": "hello x"}]), Value::Null),
        (
            NewWorkflow::on("posts").sync().refuses("no: {{$context.data.title}}"),
            400,
            Value::Null,
            json!([{"message": "no: x"}]),
        ),
        (NewWorkflow::on("posts").sync().node("end", json!({"endStatus": -1})), 400, Value::Null, Value::Null),
        (NewWorkflow::on("posts").sync().node("create", duplicate), 500, Value::Null, json!([{"message": failed}])),
        (
            NewWorkflow::on("posts").sync().node("delay", json!({"unit": 60_000, "duration": 10})),
            500,
            Value::Null,
            json!([{"message": hangs}]),
        ),
    ];
    for (index, (workflow, status, messages, errors)) in cases.into_iter().enumerate() {
        let workflow = blog.workflow(workflow).await;
        let later = blog.workflow(NewWorkflow::on("posts")).await;
        let answer = blog.create("posts", &format!("{},{}", later.key, workflow.key), json!({"title": "x"})).await;

        assert_eq!(answer.status, status, "case {index}: {}", answer.body);
        assert_eq!(answer.body.get("messages").cloned().unwrap_or_default(), messages, "case {index}");
        assert_eq!(answer.body.get("errors").cloned().unwrap_or_default(), errors, "case {index}");
        assert_eq!(blog.admin.list("posts", json!({"title": "x"})).await.len(), index + 1, "the record stays");
        let expected = usize::from(status == 200);
        assert_eq!(blog.finished(&later, expected).await.len(), expected, "a failure stops the chain");
    }
}

#[tokio::test]
async fn the_reimbursement_example_reviews_by_amount() {
    let (_host, blog) = blog().await;
    let fields = json!([{"type": "string", "name": "projectName"},
        {"type": "belongsTo", "name": "applicant", "target": "users"}, {"type": "number", "name": "amount"},
        {"type": "select", "name": "status", "enum": ["Approved", "Processed"]}]);
    blog.admin.post("collections:create", json!({"name": "reimbursements", "fields": fields})).await.ok();
    let over = json!({"group": {"type": "and", "calculations": [{"calculator": "gt", "operands": ["{{$context.data.amount}}", 500]}]}});
    let approve = json!({"collection": "reimbursements",
        "params": {"filter": {"id": "{{$context.data.id}}"}, "values": {"status": "Approved"}}});
    let workflow = NewWorkflow::on("reimbursements")
        .node("condition", json!({"engine": "basic", "rejectOnFalse": false, "calculation": over}));
    let workflow = blog.workflow(workflow).await;
    blog.switch(&workflow, false).await;
    let condition = blog.admin.list("flow_nodes", json!({"workflowId": workflow.id})).await[0]["id"].clone();
    let node = json!({"type": "update", "config": approve, "upstreamId": condition, "branchIndex": 0});
    blog.admin.post(&format!("workflows/{}/nodes:create", workflow.id), node).await.ok();
    blog.switch(&workflow, true).await;

    for amount in [499.5, 500.0, 500.5] {
        blog.create("reimbursements", &workflow.key, json!({"projectName": "p", "amount": amount})).await.ok();
    }

    blog.finished(&workflow, 3).await;
    let rows = blog.admin.list("reimbursements", json!({})).await;
    let statuses: Vec<_> = rows.iter().map(|row| row["status"].clone()).collect();
    assert_eq!(statuses, [json!("Approved"), json!("Approved"), Value::Null]);
}
