//! Failed executions that are run again, dead letters, and runs from a node on.

use serde_json::{Value, json};
use store::{ExecutionStatus, StoreError};
use workflow::EngineError;

use crate::harness::{Harness, Node, log, node};

fn failing() -> Vec<Node> {
    vec![log("tried"), node("end", json!({"endStatus": -1}))]
}

/// The executions, oldest first, once there are `count` of them and the engine is idle.
async fn executions(harness: &Harness, count: usize) -> Vec<Value> {
    harness
        .until_so(|| async {
            let records = harness.records("executions").await;
            records.len() == count
                && records.iter().all(|record| record["status"].as_i64().is_some_and(|code| code != 0))
        })
        .await;
    harness.records("executions").await
}

#[test_database::test]
async fn a_failed_execution_is_run_again_until_it_is_a_dead_letter() {
    let harness = Harness::new().await;
    let options = json!({"retry": {"attempts": 2, "backoffMs": 10, "on": [-1]}});
    let (workflow, _) = harness.workflow_with(options, failing()).await;
    let id = harness.trigger(&workflow, json!({"data": 7})).await;
    let tries = executions(&harness, 3).await;
    assert_eq!(tries.iter().map(|one| one["attempt"].as_i64().unwrap()).collect::<Vec<_>>(), [1, 2, 3]);
    assert_eq!((&tries[0]["id"], &tries[0]["retryOf"]), (&json!(id.0), &Value::Null));
    for pair in tries.windows(2) {
        assert_eq!((&pair[1]["retryOf"], &pair[1]["context"]), (&pair[0]["id"], &json!({"data": 7})));
        assert!(pair[1]["notBefore"].is_null(), "it has begun");
    }
    assert_eq!(
        tries.iter().map(|one| &one["deadLetter"]).collect::<Vec<_>>(),
        [&Value::Null, &Value::Null, &json!(true)]
    );
    assert_eq!(harness.logs().await.len(), 3);
    assert_eq!(harness.row(workflow.id).await.executed, 3);
}

#[test_database::test]
async fn only_what_the_policy_names_is_run_again() {
    let harness = Harness::new().await;
    for options in [json!({}), json!({"retry": {"attempts": 3, "backoffMs": 1}}), json!({"retry": {"attempts": 0}})] {
        let (workflow, _) = harness.workflow_with(options, failing()).await;
        assert_eq!(harness.run(&workflow, json!({})).await.status, ExecutionStatus::Failed);
    }
    let policy = json!({"retry": {"attempts": 3, "backoffMs": 1, "on": [-3]}});
    let (cancelled, _) = harness.workflow_with(policy, vec![node("delay", json!({"duration": 600_000}))]).await;
    let id = harness.run(&cancelled, json!({})).await.id;
    harness.engine.cancel(id).await.unwrap();
    let all = executions(&harness, 4).await;
    assert!(all.iter().all(|one| one["deadLetter"].is_null() && one["attempt"] == 1), "{all:?}");
}

#[test_database::test]
async fn an_execution_out_of_time_is_run_again_if_the_policy_says_so() {
    let harness = Harness::new().await;
    let options = json!({"timeout": 20, "retry": {"attempts": 1, "backoffMs": 1, "on": [-3]}});
    let (workflow, _) = harness.workflow_with(options, vec![node("delay", json!({"duration": 600_000}))]).await;
    harness.trigger(&workflow, json!({})).await;
    let tries = executions(&harness, 2).await;
    assert!(tries.iter().all(|one| one["reason"] == "timeout"));
    assert_eq!(tries[1]["deadLetter"], true);
}

#[test_database::test]
async fn a_retry_waits_in_the_store() {
    let mut harness = Harness::new().await;
    let options = json!({"retry": {"attempts": 1, "backoffMs": 300, "on": [-1]}});
    let (workflow, _) = harness.workflow_with(options, failing()).await;
    let id = harness.trigger(&workflow, json!({})).await;
    harness.until(id, ExecutionStatus::Failed).await;
    let waiting = &harness.records("executions").await[1];
    assert_eq!((&waiting["status"], waiting["notBefore"].is_string()), (&Value::Null, true), "it is seen to wait");
    harness.idle().await;
    assert_eq!(harness.logs().await.len(), 1, "what is not due is no work");
    harness.restart().await;
    executions(&harness, 2).await;
    assert_eq!(harness.logs().await.len(), 2);
}

#[test_database::test]
async fn a_dead_letter_is_put_back_once() {
    let harness = Harness::new().await;
    let options = json!({"retry": {"attempts": 1, "backoffMs": 1, "on": [-1]}, "deleteExecutionOnStatus": [-1]});
    let (workflow, _) = harness.workflow_with(options, failing()).await;
    harness.trigger(&workflow, json!({})).await;
    // The first attempt is deleted by its state; the dead letter is kept all the same.
    harness.until_so(|| async { harness.logs().await.len() == 2 }).await;
    let letter = executions(&harness, 1).await.remove(0);
    assert_eq!((&letter["deadLetter"], &letter["attempt"]), (&json!(true), &json!(2)));
    let id = store::ExecutionId(letter["id"].as_i64().unwrap());
    let again = harness.engine.redrive(id).await.unwrap();
    assert!(again > id);
    let refused = harness.engine.redrive(id).await.unwrap_err();
    assert!(matches!(refused, EngineError::Store(StoreError::Invalid { code: "NO_DEAD_LETTER", .. })), "{refused}");
    harness.until_so(|| async { harness.logs().await.len() == 4 }).await;
    let unknown = harness.engine.redrive(store::ExecutionId(1)).await;
    assert!(matches!(unknown, Err(EngineError::Store(StoreError::NotFound { .. }))), "{unknown:?}");
}

#[test_database::test]
async fn a_run_from_a_node_on_repeats_nothing_before_it() {
    let harness = Harness::new().await;
    let (workflow, nodes) = harness
        .workflow_with(
            json!({}),
            vec![log("a"), node("calculation", json!({"expression": "6 * 7"})), log("{{$jobsMapByNodeKey.x}}c")],
        )
        .await;
    let first = harness.run(&workflow, json!({"data": 1})).await.id;
    let again = harness.engine.rerun(first, nodes[2].id).await.unwrap();
    harness.until(again, ExecutionStatus::Resolved).await;
    assert_eq!(harness.logs().await, ["a", "c", "c"]);
    let (before, after) = (harness.jobs(first).await, harness.jobs(again).await);
    assert_eq!((after.len(), after[1].result.as_i64()), (3, Some(42)));
    assert!(after.iter().zip(&before).all(|(new, old)| new.id > old.id && new.node_id == old.node_id));
    assert!(after.windows(2).all(|pair| pair[1].upstream_id == Some(pair[0].id)));
    assert_eq!(harness.find(again).await.unwrap().retry_of, Some(first));

    let all = harness.engine.rerun(again, nodes[0].id).await.unwrap();
    harness.until(all, ExecutionStatus::Resolved).await;
    assert_eq!(harness.logs().await, ["a", "c", "c", "a", "c"]);
}

#[test_database::test]
async fn what_cannot_be_run_from_a_node_on_is_refused() {
    let harness = Harness::new().await;
    let (workflow, nodes) =
        harness.workflow_with(json!({}), vec![node("delay", json!({"duration": 600_000})), log("never")]).await;
    let id = harness.run(&workflow, json!({})).await.id;
    let code = |error: EngineError| match error {
        EngineError::Store(StoreError::Invalid { code, .. }) => code,
        other => panic!("{other}"),
    };
    assert_eq!(code(harness.engine.rerun(id, nodes[0].id).await.unwrap_err()), "NOT_ENDED");
    harness.engine.cancel(id).await.unwrap();
    assert_eq!(code(harness.engine.rerun(id, nodes[1].id).await.unwrap_err()), "NODE_NOT_REACHED");
    assert_eq!(harness.records("executions").await.len(), 1);
}
