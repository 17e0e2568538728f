//! Ending executions from outside, the loop guard, and what options say.

use std::time::Duration;

use serde_json::json;
use store::{ExecutionStatus, JobStatus, StoreError};
use workflow::{EngineError, loop_guard};

use crate::harness::{Harness, log, node};

#[test_database::test]
async fn a_waiting_execution_is_cancelled_with_its_job() {
    let harness = Harness::new().await;
    let workflow = harness.workflow(vec![node("delay", json!({"unit": 60_000, "duration": 10})), log("never")]).await;
    let outcome = harness.run(&workflow, json!({})).await;
    harness.engine.cancel(outcome.id).await.unwrap();
    assert_eq!(harness.status(outcome.id).await, ExecutionStatus::Aborted);
    let jobs = harness.jobs(outcome.id).await;
    assert_eq!((jobs.len(), jobs[0].status, &jobs[0].result), (1, JobStatus::Aborted, &json!(600_000)));
    let stored = &harness.records("executions").await[0];
    assert_eq!((&stored["reason"], &stored["status"]), (&json!("manual_cancel"), &json!(-3)));

    let again = harness.engine.cancel(outcome.id).await.unwrap_err();
    assert!(matches!(again, EngineError::Store(StoreError::IllegalMove { .. })), "{again}");
    assert!(matches!(harness.engine.cancel(store::ExecutionId(1)).await, Err(EngineError::NotFound)));
}

#[test_database::test]
async fn a_queued_execution_is_cancelled_and_never_runs() {
    let harness = Harness::new().await;
    let workflow = harness.workflow(vec![log("ran")]).await;
    let ids = harness.enqueue(vec![harness.direct(&workflow, json!({}))]).await;
    harness.engine.cancel(ids[0]).await.unwrap();
    assert!(matches!(harness.engine.run(ids[0]).await, Err(EngineError::NotFound)));
    assert_eq!(harness.status(ids[0]).await, ExecutionStatus::Aborted);
    assert_eq!(harness.logs().await.len(), 0);
}

#[test_database::test]
async fn a_running_execution_stops_at_its_next_node() {
    let harness = Harness::new().await;
    // Hundreds of transactions are ahead when the first one is seen.
    let workflow = harness.workflow((0..300).map(|_| log("x")).collect()).await;
    let id = harness.enqueue(vec![harness.direct(&workflow, json!({}))]).await[0];
    let engine = harness.engine.clone();
    let (cancelled, outcome) = tokio::join!(
        async {
            harness.until_so(|| async { !harness.logs().await.is_empty() }).await;
            engine.cancel(id).await
        },
        harness.engine.run(id),
    );
    cancelled.unwrap();
    assert_eq!(outcome.unwrap().status, ExecutionStatus::Aborted);
    assert_eq!(harness.status(id).await, ExecutionStatus::Aborted);
    let ran = harness.logs().await.len();
    assert!((1..300).contains(&ran), "{ran} nodes ran");
    assert_eq!(harness.jobs(id).await.len(), ran, "effects and jobs are stored together");
}

#[test_database::test]
async fn the_loop_guard_counts_executions_of_the_same_workflow() {
    let harness = Harness::new().await;
    let (once, twice, other) = (
        harness.workflow(vec![]).await,
        harness.workflow_with(json!({"stackLimit": 2}), vec![]).await.0,
        harness.workflow(vec![]).await,
    );
    let one = harness.run(&once, json!({})).await.id;
    let two = harness.run(&twice, json!({})).await.id;
    let three = harness.run(&twice, json!({})).await.id;
    let mut conn = harness.store.read().await.unwrap();
    for (workflow, stack, want) in [
        (&once, vec![], true),
        (&once, vec![two, three], true),
        (&once, vec![two, one], false),
        (&twice, vec![one, two], true),
        (&twice, vec![two, three], false),
        (&other, vec![one, two, three], true),
    ] {
        assert_eq!(loop_guard::admits(&mut conn, workflow, &stack).await.unwrap(), want, "{stack:?}");
    }
}

#[test_database::test]
async fn executions_are_deleted_on_the_states_that_options_name() {
    let harness = Harness::new().await;
    let options = json!({"deleteExecutionOnStatus": [1]});
    let (resolved, _) = harness.workflow_with(options.clone(), vec![log("done")]).await;
    let (failed, _) = harness.workflow_with(options, vec![node("end", json!({"endStatus": -1}))]).await;
    let outcome = harness.run(&resolved, json!({})).await;
    assert_eq!((outcome.status, harness.find(outcome.id).await), (ExecutionStatus::Resolved, None));
    assert_eq!(harness.jobs(outcome.id).await.len(), 0);
    assert_eq!(harness.logs().await, ["done"]);
    let outcome = harness.run(&failed, json!({})).await;
    assert_eq!(harness.status(outcome.id).await, ExecutionStatus::Failed);
}

#[test_database::test]
async fn a_run_goes_on_without_its_caller() {
    let harness = Harness::new().await;
    let workflow = harness.workflow(vec![log("first"), log("second")]).await;
    let id = harness.enqueue(vec![harness.direct(&workflow, json!({}))]).await[0];
    {
        let run = harness.engine.run(id);
        tokio::pin!(run);
        // Polled once, then dropped.
        assert!(futures::poll!(run.as_mut()).is_pending());
    }
    harness.idle().await;
    assert_eq!(harness.status(id).await, ExecutionStatus::Resolved);
    assert_eq!(harness.logs().await, ["first", "second"]);
}

#[test_database::test]
async fn after_a_shutdown_nothing_runs() {
    let harness = Harness::new().await;
    let workflow = harness.workflow(vec![log("late")]).await;
    harness.engine.shutdown(Duration::from_secs(5)).await;
    let id = harness.enqueue(vec![harness.direct(&workflow, json!({}))]).await[0];
    assert!(matches!(harness.engine.run(id).await, Err(EngineError::Stopping)));
    assert_eq!(harness.status(id).await, ExecutionStatus::Queued);
}

#[test_database::test]
async fn an_unknown_node_type_is_the_jobs_error() {
    let harness = Harness::new().await;
    let workflow = harness.workflow(vec![]).await;
    let id = workflow.id;
    harness
        .write(move |tx| {
            Box::pin(async move {
                let node = store::workflows::NewNode {
                    node_type: "gone".into(),
                    title: None,
                    config: json!({}),
                    upstream_id: None,
                    branch_index: None,
                };
                tx.create_node(id, node).await.map(drop)
            })
        })
        .await;
    let outcome = harness.run(&workflow, json!({})).await;
    assert_eq!(outcome.status, ExecutionStatus::Error);
    assert_eq!(harness.jobs(outcome.id).await[0].result, json!({"message": "Node type \"gone\" is not registered"}));
}
