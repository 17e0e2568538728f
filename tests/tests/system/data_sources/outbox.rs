//! What a change in a further database starts is neither lost nor doubled, whoever dies when.

use std::collections::BTreeMap;

use futures::{StreamExt as _, stream::FuturesUnordered};
use serde_json::{Value, json};
use test_database::Database;
use uuid::Uuid;

use super::erp::{Erp, KEY, Scene};
use crate::harness::{Blog, Client, Host, NewWorkflow, eventually};

/// How often the server is killed.
const KILLS: usize = 5;
/// Requests that are under way when it is.
const AT_ONCE: usize = 24;

/// Puts a message into the outbox, as if whoever did had died an age ago. Says whether it was not there.
async fn put(erp: &Erp, id: Uuid, message: &Value) -> bool {
    let table = "\"_workflow_outbox\"";
    let there = erp.change(format!("UPDATE {table} SET \"id\" = \"id\" WHERE \"id\" = '{id}'")).await;
    // Quotes of a JSON text are no quotes of a name.
    let hex = hex::encode(message.to_string());
    let text = match Database::of_this_test() {
        Database::Postgres => format!("convert_from(decode('{hex}', 'hex'), 'UTF8')"),
        Database::Sqlite | Database::Mysql => format!("CAST(x'{hex}' AS {})", text_type()),
    };
    there == 0
        && erp
            .change(format!("INSERT INTO {table} (\"id\", \"createdAt\", \"message\") VALUES ('{id}', 0, {text})"))
            .await
            == 1
}

fn text_type() -> &'static str {
    if Database::of_this_test() == Database::Mysql { "CHAR" } else { "TEXT" }
}

#[test_database::test_all]
async fn what_nobody_took_is_taken_up_once_by_the_relay() {
    let scene = &Scene::new().await;
    let workflow = scene.blog.workflow(NewWorkflow::on("erp:orders").logs("{{$context.data.title}}")).await;
    let gone = scene.blog.workflow(NewWorkflow::on("erp:orders")).await;
    let path = format!("workflows:destroy?filterByTk={}", gone.id);
    scene.blog.admin.post(&path, json!({})).await.ok();
    let start = |id: i64, key: &str, mode: &str, title: &str| json!({"workflow": id, "key": key, "mode": mode, "context": {"data": {"title": title}}});
    let message = json!({"eventKey": "an-event", "starts": [
        start(workflow.id, &workflow.key, "sync", "first"),
        start(gone.id, &gone.key, "async", "of nobody"),
        start(workflow.id, &workflow.key, "async", "second"),
    ]});
    let id = Uuid::new_v4();
    put(&scene.erp, id, &message).await;
    assert_eq!(scene.logged(2).await, ["first", "second"]);
    // The same one again, as if whoever took it could not forget it; then another one.
    eventually("the message is forgotten", async || put(&scene.erp, id, &message).await.then_some(())).await;
    put(&scene.erp, Uuid::new_v4(), &message).await;
    assert_eq!(scene.logged(4).await, ["first", "second", "first", "second"], "three messages, two different ones");
    eventually("both are forgotten", async || outbox_is_empty(&scene.erp).await.then_some(())).await;
    let executions = scene.blog.finished(&workflow, 4).await;
    assert!(executions.len() == 4 && executions.iter().all(|it| it["eventKey"] == "an-event" && it["status"] == 1));
}

/// Says whether nothing is waiting to be taken.
async fn outbox_is_empty(erp: &Erp) -> bool {
    erp.change("UPDATE \"_workflow_outbox\" SET \"createdAt\" = \"createdAt\" + 1".to_owned()).await == 0
}

#[test_database::test_all]
async fn without_an_outbox_executions_are_stored_right_after_the_change() {
    let erp = Erp::new().await;
    let host = Host::start_with(erp.options()).await;
    let admin = host.admin().await;
    let made = json!({"key": KEY, "url": erp.url(), "outbox": false});
    let made = admin.post("dataSources:create", made).await.ok();
    assert_eq!(made["outbox"], json!(false), "{made}");
    assert!(made["outboxProblem"].is_string());
    assert_eq!(made["receipts"], json!(false), "{made}");
    assert!(made["receiptsProblem"].is_string());
    let blog = Blog::set_up(admin).await;
    let workflow = blog.workflow(NewWorkflow::on("erp:orders").logs("{{$context.data.title}}")).await;
    let path = format!("orders:create?triggerWorkflows={}", workflow.key);
    blog.admin.at(KEY).post(&path, json!({"title": "Chairs"})).await.ok();
    blog.finished(&workflow, 1).await;
    assert_eq!(blog.log().await, ["Chairs"]);
}

/// Makes orders until the server is gone; answers the titles of those that were acknowledged.
async fn load(there: &Client, life: usize, enough: usize) -> Vec<String> {
    let order = async |title: String| {
        let request = there.request(reqwest::Method::POST, "orders:create").json(&json!({"title": &title}));
        let answer = request.send().await.ok()?;
        (answer.status() == 200).then_some(title)
    };
    let mut requests: FuturesUnordered<_> = (0..AT_ONCE).map(|number| order(format!("{life}-{number}"))).collect();
    let mut acknowledged = Vec::new();
    while let Some(answered) = requests.next().await {
        acknowledged.extend(answered);
        if acknowledged.len() >= enough {
            break;
        }
    }
    acknowledged
}

#[test_database::test_all]
async fn each_change_has_its_execution_once_whenever_the_server_is_killed() {
    let Scene { mut host, erp, blog, .. } = Scene::new().await;
    let global = NewWorkflow::on("erp:orders").global(&["create"]).logs("{{$context.data.title}}");
    let workflow = blog.workflow(global).await;
    let mut acknowledged = Vec::new();
    for life in 0..KILLS {
        let there = host.admin().await.at(KEY);
        // Each time at another moment of those that are under way.
        acknowledged.extend(load(&there, life, 1 + life * (AT_ONCE / KILLS)).await);
        host = host.crash_and_restart().await;
    }
    let admin = host.admin().await;
    let blog = Blog { admin: admin.clone() };
    let orders = eventually("all orders have their executions", async || {
        let orders = admin.at(KEY).get("orders:list?pageSize=2000").await;
        let orders = orders.body["data"].as_array().cloned()?;
        let executions = blog.executions(&workflow).await;
        (executions.len() >= orders.len() && outbox_is_empty(&erp).await).then_some(orders)
    })
    .await;
    let executions = blog.finished(&workflow, orders.len()).await;
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for execution in &executions {
        *counts.entry(execution["context"]["data"]["title"].to_string()).or_default() += 1;
    }
    for order in &orders {
        assert_eq!(counts.remove(&order["title"].to_string()), Some(1), "{order}");
    }
    assert_eq!(counts, BTreeMap::new(), "an execution of a change that was not made");
    let stored: Vec<&str> = orders.iter().filter_map(|order| order["title"].as_str()).collect();
    let lost: Vec<_> = acknowledged.iter().filter(|title| !stored.contains(&title.as_str())).collect();
    assert!(lost.is_empty() && acknowledged.len() >= KILLS, "acknowledged, but not there: {lost:?}");
}
