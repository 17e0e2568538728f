//! What actions on a further database start.

use serde_json::{Value, json};

use super::erp::Scene;
use crate::harness::{Client, NewWorkflow, fixture::data_of};

const ORDERS: &str = "erp:orders";

async fn refused(admin: &Client, trigger: &str, sync: bool, config: Value) -> String {
    let answer = admin.post("workflows:create", json!({"type": trigger, "sync": sync, "config": config})).await;
    assert_eq!(answer.status, 400, "{}", answer.body);
    answer.message().to_owned()
}

#[test_database::test_all]
async fn post_action_events_get_the_record_and_what_it_leads_to() {
    let scene = &Scene::new().await;
    let customer = scene.there.post("customers:create", json!({"name": "Ann"})).await.ok();
    let bound =
        scene.blog.workflow(NewWorkflow::on(ORDERS).appends(&["customer"]).logs("{{$context.data.title}}")).await;
    let onwards = scene.blog.workflow(NewWorkflow::on("erp:customers").logs("for {{$context.data.name}}")).await;
    let main = scene.blog.workflow(NewWorkflow::on("posts").logs("never")).await;

    let bindings = format!("{},{}!customer,{}", bound.key, onwards.key, main.key);
    scene.order(&bindings, json!({"title": "Chairs", "customer_id": customer["id"]})).await;
    let executions = scene.blog.finished(&bound, 1).await;
    assert_eq!(executions[0]["context"]["data"]["customer"]["name"], json!("Ann"), "{}", executions[0]);
    assert_eq!(executions[0]["context"]["user"]["username"], json!("admin"));
    assert_eq!(data_of(&scene.blog.finished(&onwards, 1).await, "name"), [json!("Ann")]);
    let mut log = scene.logged(2).await;
    log.sort();
    assert_eq!(log, ["Chairs", "for Ann"]);
    assert!(scene.blog.executions(&main).await.is_empty(), "another collection of another database");

    // The same names in main are another collection.
    let posts = scene.blog.workflow(NewWorkflow::on("main:posts").logs("post")).await;
    scene.blog.create("posts", &format!("{},{}", posts.key, bound.key), json!({"title": "x"})).await.ok();
    scene.blog.finished(&posts, 1).await;
    assert_eq!(scene.blog.executions(&bound).await.len(), 1);
}

#[test_database::test_all]
async fn synchronous_workflows_speak_before_the_answer() {
    let scene = &Scene::new().await;
    let says = NewWorkflow::on(ORDERS)
        .sync()
        .node("response-message", json!({"message": "thanks for {{$context.data.title}}"}));
    let says = scene.blog.workflow(says.logs("said")).await;
    let refuses = scene.blog.workflow(NewWorkflow::on(ORDERS).sync().refuses("too late")).await;
    let answer =
        scene.there.post(&format!("orders:create?triggerWorkflows={}", says.key), json!({"title": "Chairs"})).await;
    assert_eq!(answer.body["messages"], json!([{"message": "thanks for Chairs"}]), "{}", answer.body);
    assert_eq!(scene.blog.log().await, ["said"], "it has run");
    let answer =
        scene.there.post(&format!("orders:create?triggerWorkflows={}", refuses.key), json!({"title": "Desks"})).await;
    assert_eq!((answer.status, answer.message()), (400, "too late"));
    assert_eq!(scene.there.get("orders:list").await.ok().as_array().map(Vec::len), Some(2), "the order is stored");
}

#[test_database::test_all]
async fn global_workflows_with_conditions_and_changes() {
    let scene = &Scene::new().await;
    let mut new =
        NewWorkflow::on(ORDERS).global(&["create", "update"]).logs("{{$context.data.title}} {{$context.data.status}}");
    new.config["condition"] = json!({"data.customer.name": "Ann", "user.username": "admin"});
    new.config["changed"] = json!(["status"]);
    scene.blog.workflow(new).await;
    let [ann, bob] = ["Ann", "Bob"].map(|name| scene.there.post("customers:create", json!({"name": name})));
    let [ann, bob] = [ann.await.ok(), bob.await.ok()];
    let order = |customer: &Value| json!({"title": "Chairs", "status": "new", "customer_id": customer["id"]});
    let made = scene.order("", order(&ann)).await;
    scene.order("", order(&bob)).await;
    let path = format!("orders:update/{}", made["id"]);
    scene.there.post(&path, json!({"title": "Stools"})).await.ok();
    scene.there.post(&path, json!({"status": "sent"})).await.ok();
    assert_eq!(scene.logged(2).await, ["Chairs new", "Stools sent"]);

    let users = json!({"collection": ORDERS, "condition": {"user.login": "ann"}});
    let message = refused(&scene.blog.admin, "action", false, users).await;
    assert!(message.contains("login"), "users in conditions are main's: {message}");
}

#[test_database::test_all]
async fn before_action_events_change_and_refuse_what_goes_there() {
    let scene = &Scene::new().await;
    let before = NewWorkflow::before(ORDERS).node("output", json!({"value": {"values": {"status": "checked"}}}));
    let before = scene.blog.workflow(before).await;
    let order = scene.order(&before.key, json!({"title": "Chairs"})).await;
    assert_eq!(order["status"], json!("checked"));
    let refuses = scene.blog.workflow(NewWorkflow::before(ORDERS).refuses("closed")).await;
    let answer =
        scene.there.post(&format!("orders:create?triggerWorkflows={}", refuses.key), json!({"title": "x"})).await;
    assert_eq!((answer.status, answer.message()), (400, "closed"));
    assert_eq!(scene.there.get("orders:list").await.ok().as_array().map(Vec::len), Some(1));
}

#[test_database::test_all]
async fn custom_actions_and_manual_runs_get_its_records() {
    let scene = &Scene::new().await;
    let order = scene.order("", json!({"title": "Chairs"})).await;
    let button = scene.blog.workflow(NewWorkflow::button(ORDERS).logs("pressed {{$context.data.title}}")).await;
    let press = |key: &str| format!("orders:trigger/{}?triggerWorkflows={key}", order["id"]);
    assert_eq!(scene.there.post(&press(&button.key), json!({})).await.status, 200);
    assert_eq!(scene.logged(1).await, ["pressed Chairs"]);
    let nothing = scene.there.post(&press("nosuch"), json!({})).await;
    assert_eq!((nothing.status, nothing.message()), (400, "No action done, please contact the administrator"));

    let run = json!({"data": order["id"], "userId": 1});
    scene.blog.admin.post(&format!("workflows:execute?filterByTk={}", button.id), run).await.ok();
    assert_eq!(scene.logged(2).await[1], "pressed Chairs");
}

#[test_database::test_all]
async fn collection_events_hear_of_changes_that_the_host_makes() {
    let scene = &Scene::new().await;
    scene
        .blog
        .workflow(NewWorkflow::changes(ORDERS, &["create", "update", "destroy"]).logs("{{$context.data.title}}"))
        .await;
    let order = scene.order("", json!({"title": "Chairs"})).await;
    scene.there.post(&format!("orders:update/{}", order["id"]), json!({"title": "Stools"})).await.ok();
    scene.there.post(&format!("orders:destroy/{}", order["id"]), json!({})).await.ok();
    let mut log = scene.logged(3).await;
    log.sort();
    assert_eq!(log, ["Chairs", "Stools", "Stools"]);
}

#[test_database::test_all]
async fn buttons_and_explanations_know_its_collections() {
    let scene = &Scene::new().await;
    let workflow = scene.blog.workflow(NewWorkflow::on(ORDERS).logs("{{$context.data.title}}")).await;
    let button = json!({"key": "submit", "type": "formSubmit", "collection": ORDERS, "bindings": [{"workflowKey": workflow.key}]});
    scene.blog.admin.post("buttons:create", button).await.ok();
    scene.there.post("orders:create?button=submit", json!({"title": "Chairs"})).await.ok();
    assert_eq!(scene.logged(1).await, ["Chairs"]);
    let wrong = scene.blog.admin.post("posts:create?button=submit", json!({"title": "x"})).await;
    assert_eq!((wrong.status, wrong.code()), (400, Some("WRONG_BUTTON")));

    let question = format!("workflows:explain?collection={ORDERS}&action=create&triggerWorkflows={}", workflow.key);
    let lines = scene.blog.admin.post(&question, json!({"title": "Desks"})).await.ok();
    assert_eq!((&lines[0]["key"], &lines[0]["fired"]), (&json!(workflow.key), &json!(true)), "{lines}");
    assert_eq!(scene.there.get("orders:list").await.ok().as_array().map(Vec::len), Some(1), "nothing was written");
}

#[test_database::test_all]
async fn what_cannot_be_is_refused_when_it_is_configured() {
    let scene = &Scene::new().await;
    let admin = &scene.blog.admin;
    for trigger in ["action", "request-interception", "collection"] {
        let sync = trigger == "request-interception";
        let mut config = json!({"collection": "nosuch:orders", "actions": ["create"]});
        if trigger == "action" {
            config["global"] = json!(true);
        }
        let message = refused(admin, trigger, sync, config.clone()).await;
        assert_eq!(message, "Data source \"nosuch\" does not exist");
        config["collection"] = json!("erp:posts");
        let message = refused(admin, trigger, sync, config).await;
        assert_eq!(message, "Collection \"posts\" does not exist in data source \"erp\"");
    }
    let within = refused(admin, "collection", true, json!({"collection": ORDERS, "actions": ["create"]})).await;
    assert_eq!(within, "a workflow cannot be part of a change in data source \"erp\": it has to be asynchronous");
    let dates = json!({"mode": 1, "collection": ORDERS, "startsOn": {"field": "due"}});
    let dates = refused(admin, "schedule", false, dates).await;
    assert_eq!(dates, "the dates of records in data source \"erp\" cannot be waited for, only those in main");
}
