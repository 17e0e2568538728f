//! Who runs when: order within a workflow, workflows side by side, chains, delays.

use std::collections::HashSet;

use serde_json::json;
use store::{ExecutionId, ExecutionStatus, JobStatus, NewExecution};

use crate::harness::{Harness, log, node};

#[test_database::test]
async fn a_thousand_queued_executions_run_once_each_and_in_order() {
    let harness = Harness::new().await;
    let workflow = harness.workflow(vec![log("{{$context.data.number}}")]).await;
    let ids = harness
        .enqueue((0..1_000).map(|n| harness.execution(&workflow, json!({"data": {"number": n}}))).collect())
        .await;
    assert!(ids.is_sorted() && ids.iter().collect::<HashSet<_>>().len() == 1_000);
    harness.engine.wake(&[workflow.id]);
    harness.idle().await;
    let want: Vec<String> = (0..1_000).map(|n| n.to_string()).collect();
    assert_eq!(harness.logs().await, want);
    assert_eq!(harness.row(workflow.id).await.executed, 1_000);
    assert_eq!(harness.status(ids[999]).await, ExecutionStatus::Resolved);
}

#[test_database::test]
async fn executions_without_nodes_drain_too() {
    let harness = Harness::new().await;
    let workflow = harness.workflow(vec![]).await;
    let ids = harness.enqueue((0..200).map(|_| harness.execution(&workflow, json!({}))).collect()).await;
    harness.engine.wake(&[workflow.id]);
    harness.idle().await;
    for id in ids {
        assert_eq!(harness.status(id).await, ExecutionStatus::Resolved);
    }
}

#[test_database::test]
async fn what_no_hint_told_of_is_found() {
    let harness = Harness::new().await;
    let workflow = harness.workflow(vec![]).await;
    let ids = harness.enqueue(vec![harness.execution(&workflow, json!({}))]).await;
    harness.until(ids[0], ExecutionStatus::Resolved).await;
}

#[test_database::test]
async fn a_long_lane_starves_nobody() {
    let harness = Harness::with_workers(1).await;
    let (long, short) = (harness.workflow(vec![log("long")]).await, harness.workflow(vec![log("short")]).await);
    let mut queue: Vec<NewExecution> = (0..500).map(|_| harness.execution(&long, json!({}))).collect();
    queue.push(harness.execution(&short, json!({})));
    harness.enqueue(queue).await;
    harness.engine.wake(&[long.id, short.id]);
    harness.idle().await;
    let logs = harness.logs().await;
    let at = logs.iter().position(|tag| tag == "short").expect("the short one ran");
    assert!(at < 499, "the short workflow ran at place {at} of {}", logs.len());
    assert_eq!(logs.len(), 501);
}

#[test_database::test]
async fn a_waiting_execution_holds_nobody_up() {
    let harness = Harness::with_workers(1).await;
    let config = json!({"unit": 60_000, "duration": "{{$context.data.minutes}}"});
    let workflow = harness.workflow(vec![node("delay", config), log("{{$context.data.minutes}}")]).await;
    let ids = harness
        .enqueue([10, 0].map(|minutes| harness.execution(&workflow, json!({"data": {"minutes": minutes}}))).into())
        .await;
    harness.engine.wake(&[workflow.id]);
    harness.until(ids[1], ExecutionStatus::Resolved).await;
    assert_eq!(harness.status(ids[0]).await, ExecutionStatus::Started);
    assert_eq!(harness.logs().await, ["0"]);
}

#[test_database::test]
async fn a_delay_that_is_over_goes_on_or_fails() {
    let harness = Harness::new().await;
    for (end_status, status, job_status, logs) in
        [(1, ExecutionStatus::Resolved, JobStatus::Resolved, 1), (-1, ExecutionStatus::Failed, JobStatus::Failed, 1)]
    {
        let config = json!({"unit": 1, "duration": 20, "endStatus": end_status});
        let workflow = harness.workflow(vec![node("delay", config), log("after")]).await;
        let id = harness.trigger(&workflow, json!({})).await;
        harness.until(id, status).await;
        let jobs = harness.jobs(id).await;
        assert_eq!((jobs[0].status, &jobs[0].result), (job_status, &json!(20)));
        assert_eq!(harness.logs().await.len(), logs);
    }
}

/// Stores a chain: each execution but the first waits for the one before it; the last one is asynchronous.
async fn chain(harness: &Harness, first: &[&str]) -> Vec<ExecutionId> {
    let mut ids: Vec<ExecutionId> = Vec::new();
    for tag in first {
        let nodes = match *tag {
            "fails" => vec![node("end", json!({"endStatus": -1}))],
            "waits" => vec![node("delay", json!({"unit": 60_000, "duration": 10}))],
            "ends" => vec![node("end", json!({}))],
            other => vec![log(other)],
        };
        let workflow = harness.workflow(nodes).await;
        let execution = if ids.len() + 1 == first.len() {
            harness.execution(&workflow, json!({}))
        } else {
            harness.direct(&workflow, json!({}))
        };
        ids.extend(harness.enqueue(vec![NewExecution { waits_for: ids.last().copied(), ..execution }]).await);
    }
    ids
}

#[test_database::test]
async fn a_chain_goes_on_when_its_first_is_resolved() {
    let harness = Harness::new().await;
    let ids = chain(&harness, &["ends", "second", "third"]).await;
    assert!(harness.engine.run(ids[1]).await.is_err(), "it waits for the first");
    harness.idle().await;
    assert_eq!(harness.status(ids[2]).await, ExecutionStatus::Queued);
    for id in &ids[..2] {
        assert_eq!(harness.engine.run(*id).await.unwrap().status, ExecutionStatus::Resolved);
    }
    harness.until(ids[2], ExecutionStatus::Resolved).await;
    assert_eq!(harness.logs().await, ["second", "third"]);
}

#[test_database::test]
async fn a_chain_is_gone_when_its_first_fails_or_waits() {
    let harness = Harness::new().await;
    for (first, status) in [("fails", ExecutionStatus::Failed), ("waits", ExecutionStatus::Started)] {
        let ids = chain(&harness, &[first, "second", "third"]).await;
        let dropped = harness.find(ids[1]).await.expect("the second").workflow_id;
        assert_eq!(harness.row(dropped).await.executed, 1);
        assert_eq!(harness.engine.run(ids[0]).await.unwrap().status, status);
        assert_eq!((harness.find(ids[1]).await, harness.find(ids[2]).await), (None, None));
        assert_eq!(harness.row(dropped).await.executed, 0, "what never ran does not count");
    }
    harness.idle().await;
    assert_eq!(harness.logs().await.len(), 0);
}
