//! Executions whose time is over.

use serde_json::json;
use store::{ExecutionId, ExecutionStatus, JobStatus};

use crate::harness::{Harness, log, node};

/// What is stored about an execution.
async fn record(harness: &Harness, id: ExecutionId) -> serde_json::Value {
    let records = harness.records("executions").await;
    records.into_iter().find(|record| record["id"] == id.0).expect("an execution")
}

#[test_database::test]
async fn a_waiting_execution_is_aborted_with_its_job() {
    let harness = Harness::new().await;
    let nodes = vec![node("delay", json!({"unit": 60_000, "duration": 10})), log("never")];
    let (workflow, _) = harness.workflow_with(json!({"timeout": 50}), nodes).await;
    let id = harness.trigger(&workflow, json!({})).await;
    harness.until(id, ExecutionStatus::Aborted).await;
    assert_eq!(record(&harness, id).await["reason"], "timeout");
    assert_eq!(harness.jobs(id).await[0].status, JobStatus::Aborted);
    harness.idle().await;
    assert_eq!(harness.logs().await.len(), 0);
}

#[test_database::test]
async fn a_running_execution_is_aborted_between_its_nodes() {
    let harness = Harness::new().await;
    // Hundreds of transactions take longer than that.
    let (workflow, _) = harness.workflow_with(json!({"timeout": 30}), (0..600).map(|_| log("x")).collect()).await;
    let outcome = harness.run(&workflow, json!({})).await;
    assert_eq!(outcome.status, ExecutionStatus::Aborted);
    assert_eq!(record(&harness, outcome.id).await["reason"], "timeout");
    harness.idle().await;
    let ran = harness.logs().await.len();
    assert!(ran < 600, "{ran} nodes ran");
    assert_eq!(harness.jobs(outcome.id).await.len(), ran);
}

#[test_database::test]
async fn the_next_in_line_goes_on_after_a_timeout() {
    let harness = Harness::with_workers(1).await;
    let (slow, _) = harness.workflow_with(json!({"timeout": 30}), (0..600).map(|_| log("x")).collect()).await;
    let ids = harness.enqueue((0..3).map(|_| harness.execution(&slow, json!({}))).collect()).await;
    harness.engine.wake(&[slow.id]);
    for id in ids {
        harness.until(id, ExecutionStatus::Aborted).await;
    }
}

#[test_database::test]
async fn time_goes_on_while_no_engine_runs() {
    let mut harness = Harness::new().await;
    let nodes = vec![node("delay", json!({"unit": 60_000, "duration": 10}))];
    let (workflow, _) = harness.workflow_with(json!({"timeout": 300}), nodes).await;
    let id = harness.trigger(&workflow, json!({})).await;
    harness.until(id, ExecutionStatus::Started).await;
    let stored = record(&harness, id).await;
    let moment = |name: &str| chrono::DateTime::parse_from_rfc3339(stored[name].as_str().expect("a moment")).unwrap();
    assert_eq!((moment("expiresAt") - moment("startedAt")).num_milliseconds(), 300);
    harness.restart().await;
    harness.until(id, ExecutionStatus::Aborted).await;
    assert_eq!(record(&harness, id).await["expiresAt"], stored["expiresAt"], "it is counted from the first processing");
}

#[test_database::test]
async fn without_a_timeout_nothing_expires() {
    let harness = Harness::new().await;
    let workflow = harness.workflow(vec![log("done")]).await;
    let outcome = harness.run(&workflow, json!({})).await;
    assert_eq!(outcome.status, ExecutionStatus::Resolved);
    assert!(record(&harness, outcome.id).await["expiresAt"].is_null());
}
