//! Moving a server from its file to PostgreSQL: by the command, with the data that the server made.

use std::{
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Command, Output, Stdio},
};

use futures::future::join_all;
use serde_json::{Value, json};
use test_database::{Database, TestDatabase};

use crate::harness::{Blog, Client, Host, HostOptions, NewWorkflow, eventually, fixture::Workflow};

/// A server on a file, and an empty database of PostgreSQL; `None` where there is no such server, or it is what all tests run on.
async fn start() -> Option<(Host, TestDatabase)> {
    if !test_database::begin(Database::Postgres) {
        return None;
    }
    let target = TestDatabase::new();
    test_database::begin(Database::Sqlite);
    let host = Host::start().await;
    test_database::chosen_for(&host.data_dir()).is_none().then_some((host, target))
}

fn command(data_dir: &Path, to: &str, more: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_host"));
    let from = format!("sqlite:{}", data_dir.join("host.db").display());
    command.args(["migrate", "--from", &from, "--to", to]).args(more).stdin(Stdio::null());
    command
}

fn migrate(data_dir: &Path, to: &str, more: &[&str]) -> Output {
    command(data_dir, to, more).output().expect("the program runs")
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

/// Why a server does not start on a database. It would not go on in any case: its metrics have no address.
fn refused(url: &str) -> String {
    let environment = vec![("HOST_DATABASE_URL", url.to_owned()), ("HOST_METRICS_LISTEN", "192.0.2.1:9".to_owned())];
    let (status, text) = Host::refuse(&HostOptions { environment, ..HostOptions::default() });
    assert!(!status.success(), "{text}");
    text
}

/// What does not change by itself.
async fn contents(admin: &Client) -> Vec<(&'static str, Value)> {
    let mut contents = Vec::new();
    for list in [
        "posts:list?sort=id&appends=category,tags,comments&pageSize=2000",
        "things:list?sort=id",
        "logs:list?sort=id&pageSize=2000",
        "users:list?sort=id&appends=roles",
        "roles:list?sort=name",
        "collections:list?paginate=false",
        "workflows:list?sort=id&appends=nodes",
        "workflowTasks:list?sort=id",
        "buttons:list?sort=key",
    ] {
        contents.push((list, admin.get(list).await.ok()));
    }
    let ended = admin.list("executions", json!({"status": {"$ne": 0}})).await;
    for execution in ended.iter().filter(|execution| !execution["status"].is_null()) {
        let path = format!("executions:get?filterByTk={}&appends=jobs", execution["id"]);
        contents.push(("an execution", admin.get(&path).await.ok()));
    }
    contents
}

/// Workflows, and executions in all states.
struct Work {
    ends: Workflow,
    fails: Workflow,
    waits: Workflow,
    asks: Workflow,
    approves: Workflow,
    queues: Workflow,
    someday: Workflow,
}

async fn work(blog: &Blog) -> Work {
    let wait = json!({"unit": 60_000, "duration": 600});
    let line = || NewWorkflow::on("posts");
    let work = Work {
        ends: blog.workflow(line().logs("ended")).await,
        fails: blog.workflow(line().node("end", json!({"endStatus": -1}))).await,
        waits: blog.workflow(line().node("delay", wait.clone())).await,
        asks: blog.workflow(line().node("manual", json!({"assignees": 1, "title": "Größe?"})).logs("asked")).await,
        approves: {
            let event = NewWorkflow::of("approval", json!({"collection": "posts"}));
            blog.workflow(event.node("approval", json!({"assignees": [1], "title": "May I?"})).logs("approved")).await
        },
        queues: blog.workflow(line().logs("queued")).await,
        someday: blog.workflow(NewWorkflow::of("schedule", json!({"startsOn": "2100-01-01"}))).await,
    };
    let Work { ends, fails, waits, asks, approves, .. } = &work;
    let all = [ends, fails, waits, asks, approves].map(|workflow| workflow.key.as_str()).join(",");
    let post = json!({"title": "ü😀\n\"'\\N\t", "category": {"title": "News"}, "tags": [{"name": "a"}, {"name": "b"}],
        "comments": [{"content": null}], "read": -1});
    blog.create("posts", &all, post).await.ok();
    blog.finished(ends, 1).await;
    blog.finished(fails, 1).await;
    for count in [1, 2] {
        eventually("people are asked", async || {
            (blog.admin.list("workflowTasks", json!({"status": 0})).await.len() >= count).then_some(())
        })
        .await;
    }
    work
}

#[tokio::test]
async fn a_server_goes_on_on_postgresql_where_it_was() {
    let Some((mut host, target)) = start().await else { return };
    let blog = Blog::set_up(host.admin().await).await;
    let fields = json!([{"type": "json", "name": "json"}, {"type": "double", "name": "double"}, {"type": "date", "name": "at"},
        {"type": "decimal", "name": "decimal", "scale": 4}, {"type": "bigInt", "name": "big"}, {"type": "boolean", "name": "is"}]);
    blog.admin.post("collections:create", json!({"name": "things", "fields": fields})).await.ok();
    for thing in [
        json!({"json": {"deep": vec![vec!["ü"; 50]; 500]}, "double": -0.0, "at": "2026-03-29T01:00:00Z", "decimal": "-0.0001"}),
        json!({"json": null, "double": 1e300, "big": "9223372036854775807", "is": false}),
        json!({}),
    ] {
        blog.admin.post("things:create", thing).await.ok();
    }
    let work = work(&blog).await;
    let queued = work.queues.key.clone();
    let data_dir = host.data_dir();
    let running = migrate(&data_dir, target.url(), &[]);
    assert!(!running.status.success() && said(&running).contains("is in use by another server"), "{}", said(&running));
    for number in 0..20 {
        blog.create("posts", &queued, json!({"title": format!("queued {number}")})).await.ok();
    }
    let last = blog.finished(&work.queues, 20).await.last().expect("an execution")["id"].as_i64();
    let before = contents(&blog.admin).await;
    let token = blog.admin.token.clone().expect("signed in");
    // Some of these are not begun when the server stops.
    let late = (0..50).map(|_| blog.create("posts", &queued, json!({"title": "at the last moment"})));
    join_all(late).await.into_iter().for_each(|answer| drop(answer.ok()));
    assert!(host.terminate().await.success());

    let looked = migrate(&data_dir, target.url(), &["--dry-run"]);
    assert!(
        looked.status.success() && said(&looked).contains("would be copied; nothing was changed"),
        "{}",
        said(&looked)
    );
    let moved = migrate(&data_dir, target.url(), &["--batch-rows", "7"]);
    let told = said(&moved);
    assert!(moved.status.success(), "{told}");
    for line in ["posts: 71 rows copied", "complete: ", "same in both"] {
        assert!(told.contains(line), "{line} in {told}");
    }
    assert!(told.lines().filter(|line| line.ends_with("  same")).count() > 20 && !told.contains("DIFFERENT"), "{told}");

    let host = host.restart_on(target.url()).await;
    let blog = Blog { admin: host.admin().await };
    blog.admin.with_token(&token).get("auth:check").await.ok();
    blog.finished(&work.queues, 70).await;
    let mut after = contents(&blog.admin).await;
    // What was queued, or ended by a hair, has run by now.
    after.retain(|(list, found)| !before.contains(&(list, found.clone())));
    let late = |(list, found): &(&str, Value)| match *list {
        "an execution" => found["workflowId"] == json!(work.queues.id),
        // They are counted.
        "workflows:list?sort=id&appends=nodes" => true,
        other => other.starts_with("logs:list") || other.starts_with("posts:list"),
    };
    assert!(after.iter().all(late), "{after:#?}");

    let next = blog.create("posts", &queued, json!({"title": "next"})).await.ok();
    assert_eq!(next["id"], 72);
    assert!(blog.finished(&work.queues, 71).await.last().expect("an execution")["id"].as_i64() > last);
    for task in blog.admin.list("workflowTasks", json!({"status": 0})).await {
        let answer = json!({"action": "approve", "values": {}});
        blog.admin.post(&format!("workflowTasks:submit/{}", task["id"]), answer).await.ok();
    }
    for workflow in [&work.asks, &work.approves] {
        assert_eq!(blog.finished(workflow, 1).await[0]["status"], 1);
    }
    assert_eq!(blog.executions(&work.waits).await[0]["status"], 0, "it waits for its time");
    assert_eq!(blog.executions(&work.someday).await.len(), 0);
}

#[tokio::test]
async fn a_move_that_is_killed_goes_on_and_no_server_starts_before_it_is_complete() {
    let Some((mut host, target)) = start().await else { return };
    let blog = Blog::set_up(host.admin().await).await;
    let workflow = blog.workflow(NewWorkflow::on("posts").global(&["create"]).logs("ran")).await;
    for number in 0..40 {
        blog.admin.post("posts:create", json!({"title": format!("post {number}")})).await.ok();
    }
    blog.finished(&workflow, 40).await;
    let before = blog.admin.list("jobs", json!({})).await;
    // Its lease is there for a while.
    host.kill();
    let data_dir = host.data_dir();
    let output = migrate(&data_dir, target.url(), &[]);
    assert!(said(&output).contains("a host works with the source: stop it first"), "{}", said(&output));
    eventually("the lease has ended", async || {
        migrate(&data_dir, target.url(), &["--dry-run"]).status.success().then_some(())
    })
    .await;

    let mut unfinished = 0;
    for killed_at in
        ["users: 1 rows copied", "executions: 40 rows copied", "jobs: 40 rows copied", "logs: 40 rows copied"]
    {
        let mut child =
            command(&data_dir, target.url(), &["--batch-rows", "1"]).stdout(Stdio::piped()).spawn().expect("it runs");
        let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
        lines.any(|line| line.is_ok_and(|line| line.starts_with(killed_at)));
        child.kill().expect("killed");
        child.wait().expect("reaped");
        unfinished += u32::from(refused(target.url()).contains("it is an unfinished copy of sqlite:"));
    }
    // It may have been faster than the signal.
    assert!(unfinished >= 2, "{unfinished}");
    let output = migrate(&data_dir, target.url(), &[]);
    assert!(output.status.success(), "{}", said(&output));
    let again = migrate(&data_dir, target.url(), &[]);
    assert!(again.status.success() && said(&again).contains("complete before"), "{}", said(&again));

    let host = host.restart_on(target.url()).await;
    let admin = host.admin().await;
    assert_eq!(admin.list("jobs", json!({})).await, before);
}
