//! What is kept of ended executions, and what is left of destroyed workflows.

use std::time::Duration;

use serde_json::json;
use store::ExecutionStatus;

use crate::harness::{Harness, log, node};

#[test_database::test]
async fn outdated_executions_are_deleted_by_state() {
    let mut harness = Harness::new().await;
    let keep = json!({"keepExecutionsForMs": {"1": 0, "-2": 0, "-1": 86_400_000}});
    let (resolved, _) = harness.workflow_with(keep.clone(), vec![log("x")]).await;
    let (failed, _) = harness.workflow_with(keep.clone(), vec![node("end", json!({"endStatus": -1}))]).await;
    let (waiting, _) = harness.workflow_with(keep, vec![node("delay", json!({"duration": 600_000}))]).await;
    let kept = harness.workflow(vec![log("y")]).await;
    let gone = [harness.run(&resolved, json!({})).await.id, harness.run(&resolved, json!({})).await.id];
    let stays = [
        harness.run(&failed, json!({})).await.id,
        harness.run(&waiting, json!({})).await.id,
        harness.run(&kept, json!({})).await.id,
    ];
    harness.restart().await;
    for id in gone {
        harness.until_so(|| async { harness.find(id).await.is_none() }).await;
        assert_eq!(harness.jobs(id).await.len(), 0);
    }
    for id in stays {
        assert!(harness.find(id).await.is_some(), "{id:?}");
    }
    assert_eq!(harness.row(resolved.id).await.executed, 2, "they have been executed all the same");
}

#[test_database::test]
async fn dead_letters_are_not_outdated() {
    let mut harness = Harness::new().await;
    let options = json!({"keepExecutionsForMs": {"-1": 0}, "retry": {"attempts": 1, "backoffMs": 1, "on": [-1]}});
    let (workflow, _) = harness.workflow_with(options, vec![node("end", json!({"endStatus": -1}))]).await;
    let first = harness.trigger(&workflow, json!({})).await;
    harness
        .until_so(|| async { harness.records("executions").await.last().is_some_and(|one| one["deadLetter"] == true) })
        .await;
    harness.restart().await;
    harness.until_so(|| async { harness.find(first).await.is_none() }).await;
    let left = harness.records("executions").await;
    assert_eq!((left.len(), &left[0]["attempt"]), (1, &json!(2)));
}

#[test_database::test]
async fn a_long_history_goes_in_batches_and_its_queue_never_runs() {
    let mut harness = Harness::new().await;
    let workflow = harness.workflow(vec![log("ran")]).await;
    harness.engine.shutdown(Duration::ZERO).await;
    let ids = harness.enqueue((0..1_300).map(|_| harness.execution(&workflow, json!({}))).collect()).await;
    let id = workflow.id;
    harness.write(move |tx| Box::pin(async move { tx.destroy_workflow(id).await.map(drop) })).await;
    assert_eq!((harness.find(ids[0]).await, harness.find(ids[499]).await), (None, None));
    assert_eq!(harness.find(ids[500]).await.map(|one| one.status), Some(ExecutionStatus::Queued));
    assert_eq!(harness.store.read().await.unwrap().workflow_remains().await.unwrap(), [id]);
    harness.restart().await;
    harness.until_so(|| async { harness.records("executions").await.is_empty() }).await;
    harness
        .until_so(|| async { harness.store.read().await.unwrap().workflow_remains().await.unwrap().is_empty() })
        .await;
    assert_eq!(harness.logs().await.len(), 0);
}
