//! An engine goes, another one comes.

use serde_json::json;
use store::{ClaimedBy, ExecutionStatus, JobStatus, NewExecution, NewJob};

use crate::harness::{Harness, log, node};

/// A process that is gone.
fn dead() -> ClaimedBy {
    ClaimedBy("a former process".into())
}

#[test_database::test]
async fn an_execution_goes_on_behind_its_stored_jobs() {
    let mut harness = Harness::new().await;
    let (workflow, nodes) = harness.workflow_with(json!({}), vec![log("first"), log("second"), log("third")]).await;
    let execution = NewExecution { claimed_by: Some(dead()), ..harness.execution(&workflow, json!({})) };
    let id = harness.enqueue(vec![execution]).await[0];
    let first = nodes[0].clone();
    harness
        .write(move |tx| {
            Box::pin(async move {
                tx.claim(id, &dead()).await?.expect("it is the former process's");
                let job = NewJob {
                    id: None,
                    meta: json!(null),
                    execution_id: id,
                    node_id: first.id,
                    node_key: first.key,
                    upstream_id: None,
                    status: JobStatus::Resolved,
                    result: json!({"tag": "from the former process"}),
                    due_at_ms: None,
                    started_at_ms: 0,
                };
                tx.create_job(job).await.map(drop)
            })
        })
        .await;
    harness.restart().await;
    harness.until(id, ExecutionStatus::Resolved).await;
    assert_eq!(harness.logs().await, ["second", "third"]);
    let jobs = harness.jobs(id).await;
    assert_eq!(jobs.len(), 3);
    assert!(jobs.windows(2).all(|pair| pair[1].upstream_id == Some(pair[0].id)));
}

#[test_database::test]
async fn what_was_queued_for_a_former_process_runs() {
    let mut harness = Harness::new().await;
    let workflow = harness.workflow(vec![log("{{$context.data}}")]).await;
    let first = NewExecution { claimed_by: Some(dead()), ..harness.execution(&workflow, json!({"data": 1})) };
    let ids = harness.enqueue(vec![first]).await;
    let second = NewExecution {
        waits_for: Some(ids[0]),
        claimed_by: Some(dead()),
        ..harness.execution(&workflow, json!({"data": 2}))
    };
    let third = harness.enqueue(vec![second]).await[0];
    harness.idle().await;
    assert_eq!(harness.logs().await.len(), 0);
    harness.restart().await;
    harness.until(third, ExecutionStatus::Resolved).await;
    assert_eq!(harness.logs().await, ["1", "2"]);
}

#[test_database::test]
async fn a_crash_in_the_middle_repeats_nothing_and_loses_nothing() {
    let mut harness = Harness::new().await;
    let workflow = harness
        .workflow(vec![
            log("{{$context.data}}a"),
            node("calculation", json!({"expression": "1"})),
            log("{{$context.data}}b"),
        ])
        .await;
    let ids = harness.enqueue((0..100).map(|n| harness.execution(&workflow, json!({"data": n}))).collect()).await;
    harness.engine.wake(&[workflow.id]);
    for _ in 0..5 {
        let seen = harness.logs().await.len();
        harness.until_so(|| async { harness.logs().await.len() > seen || harness.logs().await.len() == 200 }).await;
        harness.restart().await;
    }
    harness.until_so(|| async { harness.logs().await.len() >= 200 }).await;
    harness.idle().await;
    let mut logs = harness.logs().await;
    logs.sort_unstable();
    let mut want: Vec<String> = (0..100).flat_map(|n| [format!("{n}a"), format!("{n}b")]).collect();
    want.sort_unstable();
    assert_eq!(logs, want);
    for id in ids {
        assert_eq!(harness.status(id).await, ExecutionStatus::Resolved);
        assert_eq!(harness.jobs(id).await.len(), 3);
    }
}

#[test_database::test]
async fn a_delay_outlives_its_engine() {
    let mut harness = Harness::new().await;
    let workflow = harness.workflow(vec![node("delay", json!({"duration": 50})), log("after")]).await;
    let outcome = harness.run(&workflow, json!({})).await;
    assert_eq!(outcome.status, ExecutionStatus::Started);
    harness.restart().await;
    harness.until(outcome.id, ExecutionStatus::Resolved).await;
    assert_eq!(harness.logs().await, ["after"]);
}

#[test_database::test]
async fn what_its_caller_never_ran_is_found() {
    let harness = Harness::new().await;
    let workflow = harness.workflow(vec![]).await;
    let head = harness.enqueue(vec![harness.direct(&workflow, json!({}))]).await[0];
    let tail = NewExecution { waits_for: Some(head), ..harness.direct(&workflow, json!({})) };
    let tail = harness.enqueue(vec![tail]).await[0];
    let (claim, later) = (harness.engine.claim(), 4_102_444_800_000);
    let mut conn = harness.store.read().await.unwrap();
    assert_eq!(conn.abandoned_executions(&claim, later, 10).await.unwrap(), [head]);
    assert_eq!(conn.abandoned_executions(&claim, 0, 10).await.unwrap(), []);
    assert_eq!(conn.abandoned_executions(&dead(), later, 10).await.unwrap(), []);
    harness.engine.run(head).await.unwrap();
    let mut conn = harness.store.read().await.unwrap();
    assert_eq!(conn.abandoned_executions(&claim, later, 10).await.unwrap(), [tail]);
}
