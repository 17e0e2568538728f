//! Two hosts on one PostgreSQL database, one of them on a machine whose clock is an hour ahead. Without a server these tests are
//! left out.

use serde_json::{Value, json};

use crate::harness::{
    Blog, Client, Fleet, Host, NewWorkflow, fixture::Workflow, fleet::elsewhere, library, process::EMAIL,
};

/// Starts a host whose machine's clock is an hour ahead.
async fn ahead(fleet: &Fleet, role: &str) -> Host {
    let mut options = fleet.options(role);
    let preloaded = library("fixture_hour_ahead").display().to_string();
    options.environment.push(("LD_PRELOAD", preloaded));
    let host = Host::start_with(options).await;
    let log = host.log();
    let first = log.split_whitespace().next().and_then(|moment| chrono::DateTime::parse_from_rfc3339(moment).ok());
    let minutes = first.map(|moment| (moment.to_utc() - chrono::Utc::now()).num_minutes());
    assert!(minutes.is_some_and(|minutes| (50..=60).contains(&minutes)), "its clock is right: {log}");
    host
}

/// Has an execution begun before the answer, which is an error: it waits, or fails.
async fn begin(blog: &Blog, workflow: &Workflow) {
    let answer = blog.create("posts", &workflow.key, json!({"title": "x"})).await;
    assert_ne!(answer.status, 200, "{answer:?}");
}

fn waits(duration_ms: u64) -> (&'static str, Value) {
    ("delay", json!({ "duration": duration_ms }))
}

async fn options(blog: &Blog, workflow: &Workflow, options: Value) {
    let path = format!("workflows:update?filterByTk={}", workflow.id);
    blog.admin.post(&path, json!({ "options": options })).await.ok();
}

#[tokio::test]
async fn what_a_host_with_a_wrong_clock_has_set_is_due_when_it_should_be() {
    let Some(fleet) = Fleet::new() else { return };
    let (sets, _works) = (ahead(&fleet, "serve").await, fleet.host("work").await);
    let blog = Blog::set_up(sets.admin().await).await;
    let (delay, config) = waits(1_000);
    let delayed = blog.workflow(NewWorkflow::on("posts").sync().node(delay, config).logs("delayed")).await;
    let (delay, config) = waits(86_400_000);
    let late = blog.workflow(NewWorkflow::on("posts").sync().node(delay, config)).await;
    options(&blog, &late, json!({"timeout": 1_000})).await;
    let failing = blog.workflow(NewWorkflow::on("posts").sync().refuses("not this time")).await;
    options(&blog, &failing, json!({"retry": {"attempts": 1, "backoffMs": 500, "on": [-1]}})).await;
    for workflow in [&delayed, &late, &failing] {
        begin(&blog, workflow).await;
    }

    assert_eq!(blog.finished(&delayed, 1).await[0]["status"], 1);
    let late = blog.finished(&late, 1).await.remove(0);
    assert_eq!((&late["status"], &late["reason"]), (&json!(-3), &json!("timeout")));
    let tries = blog.finished(&failing, 2).await;
    assert_eq!(tries[1]["retryOf"], tries[0]["id"]);
    assert_eq!(blog.log().await, ["delayed"]);
}

#[tokio::test]
async fn nor_does_it_take_for_due_what_others_have_set() {
    let Some(fleet) = Fleet::new() else { return };
    let (sets, _works) = (fleet.host("serve").await, ahead(&fleet, "work").await);
    let blog = Blog::set_up(sets.admin().await).await;
    let (delay, config) = waits(600_000);
    let waiting = blog.workflow(NewWorkflow::on("posts").sync().node(delay, config).logs("too early")).await;
    let (delay, config) = waits(1_000);
    let delayed = blog.workflow(NewWorkflow::on("posts").sync().node(delay, config).logs("delayed")).await;
    options(&blog, &delayed, json!({"timeout": 600_000})).await;
    begin(&blog, &waiting).await;
    begin(&blog, &delayed).await;
    // Before this one was due, everything else had been looked at that was.
    let done = blog.finished(&delayed, 1).await.remove(0);
    assert_eq!((&done["status"], &done["reason"]), (&json!(1), &Value::Null));
    assert_eq!(blog.executions(&waiting).await[0]["status"], 0);
    assert_eq!(blog.log().await, ["delayed"]);
}

#[tokio::test]
async fn a_password_that_is_changed_at_such_a_host_is_good_everywhere_at_once() {
    let Some(fleet) = Fleet::new() else { return };
    let (wrong, right) = (ahead(&fleet, "serve").await, fleet.host("serve").await);
    let admin = wrong.admin().await;
    let me = admin.list("users", json!({"email": EMAIL})).await.remove(0)["id"].clone();
    let password = json!({"password": "another-password-for-one-test"});
    admin.post(&format!("users:update?filterByTk={me}"), password).await.ok();
    let here = Client::sign_in(right.base_url(), EMAIL, "another-password-for-one-test").await;
    here.get("users:list").await.ok();
    elsewhere(&here, &wrong).get("users:list").await.ok();
}
