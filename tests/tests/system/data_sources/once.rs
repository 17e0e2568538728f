//! What nodes write into a further database is written once, whenever the server is killed.

use std::collections::BTreeMap;

use futures::future::join_all;
use serde_json::{Value, json};

use super::erp::{Erp, Scene};
use crate::harness::{Blog, NewWorkflow, eventually, fixture::Workflow};

/// How often the server is killed.
const KILLS: usize = 4;
/// Workflows that run side by side, so that each kill meets some at work.
const WORKFLOWS: usize = 6;
/// Records of each life of the server; each starts all workflows.
const RECORDS: usize = 4;

/// How many orders there are, past the host.
async fn count(scene: &Scene) -> usize {
    scene.there.get("orders:list?pageSize=2000&fields=title").await.ok().as_array().map_or(0, Vec::len)
}

async fn workflows(scene: &Scene) -> Vec<Workflow> {
    let order = |number: usize, step: &str| {
        let values = json!({"title": format!("{{{{$context.data.title}}}} {number} {step}")});
        json!({"collection": "erp:orders", "params": {"values": values}})
    };
    let made = (0..WORKFLOWS).map(|number| {
        let new = NewWorkflow::on("posts").global(&["create"]);
        scene.blog.workflow(new.node("create", order(number, "a")).node("create", order(number, "b")))
    });
    join_all(made).await
}

/// The server is killed, and another one comes.
async fn crash(scene: Scene) -> Scene {
    let Scene { host, erp, .. } = scene;
    let host = host.crash_and_restart().await;
    let admin = host.admin().await;
    let there = admin.at(super::erp::KEY);
    Scene { host, erp, blog: Blog { admin }, there }
}

#[test_database::test_all]
async fn each_node_writes_once_whenever_the_server_is_killed() {
    let mut scene = Scene::new().await;
    let workflows = workflows(&scene).await;
    for life in 0..KILLS {
        let before = count(&scene).await;
        let posts = (0..RECORDS).map(|number| {
            let values = json!({"title": format!("{life}-{number}")});
            async { scene.blog.admin.post("posts:create", values).await.ok() }
        });
        join_all(posts).await;
        // Each time at another moment of what is under way.
        let some = before + 2 + 3 * life;
        eventually("some of it is done", async || (count(&scene).await >= some).then_some(())).await;
        scene = crash(scene).await;
    }
    for workflow in &workflows {
        let executions = scene.blog.finished(workflow, KILLS * RECORDS).await;
        assert!(executions.iter().all(|execution| execution["status"] == 1), "{executions:?}");
    }
    let orders = scene.there.get("orders:list?pageSize=2000&fields=title").await.ok();
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for order in orders.as_array().expect("orders") {
        *counts.entry(order["title"].to_string()).or_default() += 1;
    }
    let wrong: Vec<_> = counts.iter().filter(|(_, times)| **times != 1).collect();
    assert!(wrong.is_empty(), "{wrong:?}");
    assert_eq!(counts.len(), KILLS * RECORDS * WORKFLOWS * 2);
}

/// Puts a receipt there, as if whoever had written it had died an age ago.
async fn leave_behind(erp: &Erp, id: &str, execution: &Value) {
    let table = "\"_workflow_receipts\" (\"id\", \"createdAt\", \"execution\", \"eventKey\", \"status\", \"result\")";
    let event_key = execution["eventKey"].as_str().expect("an event");
    let row = format!("('{id}', 0, {}, '{event_key}', 1, 'null')", execution["id"]);
    assert_eq!(erp.change(format!("INSERT INTO {table} VALUES {row}")).await, 1);
}

#[test_database::test_all]
async fn receipts_do_not_stay() {
    let mut scene = Scene::new().await;
    let workflow = &workflows(&scene).await[0];
    scene.blog.create("posts", "", json!({"title": "x"})).await.ok();
    let execution = scene.blog.finished(workflow, 1).await[0].clone();
    let none_is_left = async |erp: &Erp| (erp.rows("_workflow_receipts").await == 0).then_some(());
    eventually("those of stored jobs are gone", async || none_is_left(&scene.erp).await).await;
    leave_behind(&scene.erp, "01890000-0000-4000-8000-000000000000", &execution).await;
    scene = crash(scene).await;
    eventually("what was left behind is gone", async || none_is_left(&scene.erp).await).await;
    let told = scene.told().await;
    assert_eq!((&told["receipts"], &told["leftOut"]), (&json!(true), &json!([])), "{told}");
}
