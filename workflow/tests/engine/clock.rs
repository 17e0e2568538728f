//! What is due, out of time or outdated is so by the store's clock, which the tests set: what the machine's says does not matter.

use serde_json::{Value, json};
use store::{Clock, ExecutionId, ExecutionStatus, JobStatus};
use tokio::net::{TcpListener, TcpStream};
use workflow::Instance;

use crate::harness::{Harness, Node, Place, log, node};

/// 1 May 2031, noon: long before or after the tests are run.
const START: i64 = 1_935_403_200_000;
const HOUR: i64 = 3_600_000;

fn waits(duration_ms: i64) -> Node {
    node("delay", json!({ "duration": duration_ms }))
}

fn text(moment_ms: i64) -> Value {
    let moment = chrono::DateTime::from_timestamp_millis(moment_ms).expect("a moment");
    json!(moment.to_rfc3339_opts(chrono::SecondsFormat::Millis, true))
}

/// What is stored about an execution.
async fn record(harness: &Harness, id: ExecutionId) -> Value {
    harness.records_where("executions", json!({"id": id.0})).await.remove(0)
}

/// Waits until everything that is due by now has been gone on with: something that became due after all of it has.
async fn settle(harness: &Harness) {
    let last = harness.workflow(vec![waits(0)]).await;
    let id = harness.trigger(&last, json!({})).await;
    harness.until(id, ExecutionStatus::Resolved).await;
    harness.idle().await;
}

/// A server that never answers, and a node that asks it.
async fn silence() -> (TcpListener, Node) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    (listener, node("request", json!({"url": url, "timeout": 600_000})))
}

async fn asked(listener: &TcpListener) -> TcpStream {
    listener.accept().await.unwrap().0
}

#[test_database::test]
async fn a_delay_is_over_when_the_clock_says_so_at_whichever_host() {
    let clock = Clock::standing_at(START);
    let harness = Harness::by(clock.clone()).await;
    let workflow = harness.workflow(vec![log("{{$system.now}}"), waits(HOUR), log("{{$system.now}}")]).await;
    let id = harness.run(&workflow, json!({})).await.id;
    let waiting = harness.jobs(id).await.remove(1);
    assert_eq!((waiting.status, waiting.due_at_ms), (JobStatus::Pending, Some(START + HOUR)));

    let (other_store, other) = harness.another_engine(Instance::default()).await;
    clock.set(START + HOUR - 1);
    settle(&harness).await;
    assert_eq!(harness.status(id).await, ExecutionStatus::Started, "a millisecond is left");
    harness.engine.shutdown(std::time::Duration::ZERO).await;
    clock.set(START + HOUR);
    harness.until(id, ExecutionStatus::Resolved).await;
    assert_eq!(json!(harness.logs().await), json!([text(START), text(START + HOUR)]));
    other.shutdown(std::time::Duration::ZERO).await;
    other_store.close().await;
}

#[test_database::test]
async fn a_waiting_execution_is_out_of_time_by_the_clock() {
    let clock = Clock::standing_at(START);
    let harness = Harness::by(clock.clone()).await;
    let (workflow, _) = harness.workflow_with(json!({"timeout": HOUR}), vec![waits(2 * HOUR)]).await;
    let id = harness.run(&workflow, json!({})).await.id;
    let stored = record(&harness, id).await;
    assert_eq!((&stored["startedAt"], &stored["expiresAt"]), (&text(START), &text(START + HOUR)));

    clock.set(START + HOUR - 1);
    settle(&harness).await;
    assert_eq!(harness.status(id).await, ExecutionStatus::Started, "a millisecond is left");
    clock.set(START + HOUR);
    harness.until(id, ExecutionStatus::Aborted).await;
    let stored = record(&harness, id).await;
    assert_eq!((&stored["reason"], &stored["updatedAt"]), (&json!("timeout"), &text(START + HOUR)));
}

#[test_database::test]
async fn a_running_execution_is_out_of_time_by_the_clock() {
    let clock = Clock::standing_at(START);
    let harness = Harness::by(clock.clone()).await;
    let (listener, asks) = silence().await;
    let (workflow, _) = harness.workflow_with(json!({"timeout": HOUR}), vec![asks]).await;
    let later = async {
        let unanswered = asked(&listener).await;
        clock.set(START + HOUR);
        unanswered
    };
    let (outcome, _unanswered) = tokio::join!(harness.run(&workflow, json!({})), later);
    assert_eq!(outcome.status, ExecutionStatus::Aborted);
    assert_eq!(record(&harness, outcome.id).await["reason"], "timeout");
}

#[test_database::test]
async fn a_branch_goes_on_by_the_clock_while_another_one_runs() {
    let clock = Clock::standing_at(START);
    let harness = Harness::by(clock.clone()).await;
    let (listener, asks) = silence().await;
    let nodes = vec![
        node("parallel", json!({"mode": "all"})),
        asks.at(Place::Branch(0, 1)),
        waits(HOUR).at(Place::Branch(0, 2)),
        log("goes on"),
    ];
    let workflow = harness.workflow(nodes).await;
    let id = harness.trigger(&workflow, json!({})).await;
    let unanswered = asked(&listener).await;
    harness.until_so(|| async { harness.jobs(id).await.iter().any(|job| job.due_at_ms == Some(START + HOUR)) }).await;
    clock.set(START + HOUR);
    harness.until_so(|| async { harness.logs().await == ["goes on"] }).await;
    drop(unanswered);
    harness.until(id, ExecutionStatus::Failed).await;
}

#[test_database::test]
async fn who_waits_for_another_execution_goes_on_at_a_host_whose_clock_is_late() {
    // In 2001.
    let harness = Harness::by(Clock::standing_at(988_718_400_000)).await;
    let child = harness.workflow(vec![log("child")]).await;
    let parent = harness.workflow(vec![node("subflow", json!({"workflow": child.key})), log("parent")]).await;
    let id = harness.trigger(&parent, json!({})).await;
    harness.until(id, ExecutionStatus::Resolved).await;
    assert_eq!(harness.logs().await, ["child", "parent"]);
}

#[test_database::test]
async fn a_retry_begins_when_the_clock_says_so() {
    let clock = Clock::standing_at(START);
    let harness = Harness::by(clock.clone()).await;
    let options = json!({"retry": {"attempts": 1, "backoffMs": HOUR, "on": [-1]}});
    let nodes = vec![log("tried"), node("end", json!({"endStatus": -1}))];
    let (workflow, _) = harness.workflow_with(options, nodes).await;
    let first = harness.run(&workflow, json!({})).await.id;
    let retries = harness.records_where("executions", json!({"retryOf": first.0})).await;
    let not_before = retries[0]["notBefore"].as_str().expect("a moment");
    let not_before = chrono::DateTime::parse_from_rfc3339(not_before).expect("a moment").timestamp_millis();
    assert!((START + HOUR..=START + 2 * HOUR).contains(&not_before), "{not_before}");

    clock.set(not_before - 1);
    settle(&harness).await;
    assert_eq!(harness.logs().await, ["tried"], "a millisecond is left");
    clock.set(not_before);
    harness.until_so(|| async { harness.logs().await == ["tried", "tried"] }).await;
    harness.idle().await;
    let retry = harness.records_where("executions", json!({"retryOf": first.0})).await.remove(0);
    assert_eq!((&retry["startedAt"], &retry["status"]), (&text(not_before), &json!(-1)));
}

#[test_database::test]
async fn what_has_ended_is_kept_by_the_clock() {
    let clock = Clock::standing_at(START);
    let mut harness = Harness::by(clock.clone()).await;
    let keep = |ms: i64| json!({"keepExecutionsForMs": {"1": ms}});
    let (longer, _) = harness.workflow_with(keep(HOUR), vec![log("x")]).await;
    let (shorter, _) = harness.workflow_with(keep(HOUR - 1), vec![log("x")]).await;
    let (stays, goes) = (harness.run(&longer, json!({})).await.id, harness.run(&shorter, json!({})).await.id);
    clock.set(START + HOUR);
    // Workflows are looked through in their order, at the beginning.
    harness.restart().await;
    harness.until_so(|| async { harness.find(goes).await.is_none() }).await;
    assert!(harness.find(stays).await.is_some());
    clock.set(START + HOUR + 1);
    harness.restart().await;
    harness.until_so(|| async { harness.find(stays).await.is_none() }).await;
}
