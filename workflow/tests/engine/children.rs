//! Children and the jobs that wait for them end together, whichever of the two is ended from outside.

use serde_json::{Value, json};
use store::{ExecutionId, ExecutionStatus, JobStatus, WorkflowRow};

use crate::harness::{Harness, Node, Place, log, node};

/// Waits until somebody ends it.
fn for_long() -> Node {
    node("delay", json!({"unit": 60_000, "duration": 10}))
}

fn subflow(workflow: &WorkflowRow) -> Node {
    node("subflow", json!({"workflow": workflow.key}))
}

/// The only execution of a workflow, once there is one.
async fn only(harness: &Harness, workflow: &WorkflowRow) -> ExecutionId {
    let of = || harness.records_where("executions", json!({"workflowId": workflow.id.0}));
    harness.until_so(|| async { !of().await.is_empty() }).await;
    let executions = of().await;
    assert_eq!(executions.len(), 1, "{executions:?}");
    ExecutionId(executions[0]["id"].as_i64().expect("an id"))
}

/// The only execution of a workflow, once it waits for a job.
async fn waiting(harness: &Harness, workflow: &WorkflowRow) -> ExecutionId {
    let id = only(harness, workflow).await;
    let waits = async || harness.jobs(id).await.iter().any(|job| job.status == JobStatus::Pending);
    harness.until_so(|| async { waits().await }).await;
    id
}

/// How an execution has ended, and why; no job of it may be left waiting.
async fn end(harness: &Harness, id: ExecutionId) -> (Value, Value) {
    let pending = harness.jobs(id).await.into_iter().filter(|job| job.status == JobStatus::Pending).count();
    assert_eq!(pending, 0, "jobs of {} wait", id.0);
    let record = harness.records_where("executions", json!({"id": id.0})).await.remove(0);
    (record["status"].clone(), record["reason"].clone())
}

fn parent_ended() -> (Value, Value) {
    (json!(-3), json!("parent_ended"))
}

async fn destroy(harness: &Harness, workflow: &WorkflowRow) {
    let id = workflow.id;
    harness.write(move |tx| Box::pin(async move { tx.destroy_workflow(id).await.map(drop) })).await;
}

#[test_database::test]
async fn cancelling_a_parent_aborts_those_it_waits_for_and_no_others() {
    let harness = Harness::new().await;
    let beside = harness.workflow(vec![for_long()]).await;
    let grandchild = harness.workflow(vec![for_long(), log("never")]).await;
    let child = harness.workflow(vec![subflow(&grandchild), log("never")]).await;
    let parent = harness
        .workflow(vec![node("subflow", json!({"workflow": beside.key, "async": true})), subflow(&child), log("never")])
        .await;
    let id = harness.trigger(&parent, json!({})).await;
    let (beside, grandchild) = (waiting(&harness, &beside).await, waiting(&harness, &grandchild).await);
    let child = waiting(&harness, &child).await;
    harness.engine.cancel(id).await.unwrap();
    assert_eq!(end(&harness, id).await, (json!(-3), json!("manual_cancel")));
    assert_eq!(end(&harness, child).await, parent_ended());
    assert_eq!(end(&harness, grandchild).await, parent_ended());
    assert_eq!(harness.status(beside).await, ExecutionStatus::Started);
    harness.idle().await;
    assert_eq!(harness.logs().await.len(), 0);
}

#[test_database::test]
async fn a_parent_that_is_not_kept_takes_its_children_along() {
    let harness = Harness::new().await;
    let child = harness.workflow(vec![for_long()]).await;
    let (parent, _) = harness.workflow_with(json!({"deleteExecutionOnStatus": [-3]}), vec![subflow(&child)]).await;
    let id = harness.trigger(&parent, json!({})).await;
    let child = waiting(&harness, &child).await;
    harness.engine.cancel(id).await.unwrap();
    assert!(harness.find(id).await.is_none());
    assert_eq!(end(&harness, child).await, parent_ended());
}

#[test_database::test]
async fn a_parent_that_is_out_of_time_aborts_its_child_which_is_not_run_again() {
    let harness = Harness::new().await;
    let again = json!({"retry": {"attempts": 3, "backoffMs": 1, "on": [-3]}});
    let (child, _) = harness.workflow_with(again, vec![for_long()]).await;
    let (parent, _) = harness.workflow_with(json!({"timeout": 300}), vec![subflow(&child)]).await;
    let id = harness.trigger(&parent, json!({})).await;
    let running = only(&harness, &child).await;
    harness.until(id, ExecutionStatus::Aborted).await;
    assert_eq!(end(&harness, id).await, (json!(-3), json!("timeout")));
    assert_eq!(end(&harness, running).await, parent_ended());
    harness.idle().await;
    assert_eq!(only(&harness, &child).await, running);
}

#[test_database::test]
async fn an_attempt_that_is_still_to_come_is_aborted_too() {
    let harness = Harness::new().await;
    let later = json!({"retry": {"attempts": 1, "backoffMs": 3_600_000, "on": [-1]}});
    let (child, _) = harness.workflow_with(later, vec![node("end", json!({"endStatus": -1}))]).await;
    let parent = harness.workflow(vec![subflow(&child)]).await;
    let id = harness.trigger(&parent, json!({})).await;
    let attempts = || harness.records_where("executions", json!({"workflowId": child.id.0}));
    harness.until_so(|| async { attempts().await.len() == 2 }).await;
    harness.engine.cancel(id).await.unwrap();
    let second = ExecutionId(attempts().await[1]["id"].as_i64().expect("an id"));
    assert_eq!(end(&harness, second).await, parent_ended());
}

#[test_database::test]
async fn a_branch_that_is_decided_without_the_child_aborts_it() {
    let harness = Harness::new().await;
    let child = harness.workflow(vec![for_long()]).await;
    let parent = harness
        .workflow(vec![
            node("parallel", json!({"mode": "race"})),
            subflow(&child).at(Place::Branch(0, 1)),
            node("delay", json!({"duration": 50})).at(Place::Branch(0, 2)),
            log("after").at(Place::Behind(0)),
        ])
        .await;
    let id = harness.trigger(&parent, json!({})).await;
    let child = only(&harness, &child).await;
    harness.until(id, ExecutionStatus::Resolved).await;
    assert_eq!(end(&harness, child).await, parent_ended());
    assert_eq!(end(&harness, id).await.0, 1);
    assert_eq!(harness.logs().await, ["after"]);
}

#[test_database::test]
async fn a_child_whose_workflow_is_destroyed_does_not_leave_its_parent_waiting() {
    let harness = Harness::new().await;
    let grandchild = harness.workflow(vec![for_long()]).await;
    let child = harness.workflow(vec![subflow(&grandchild)]).await;
    let parent = harness
        .workflow(vec![
            node("parallel", json!({"mode": "allSettled"})),
            subflow(&child).at(Place::Branch(0, 1)),
            log("after").at(Place::Behind(0)),
        ])
        .await;
    let id = harness.trigger(&parent, json!({})).await;
    let grandchild = waiting(&harness, &grandchild).await;
    waiting(&harness, &child).await;
    destroy(&harness, &child).await;
    assert_eq!(end(&harness, grandchild).await, parent_ended());
    harness.until(id, ExecutionStatus::Resolved).await;
    let job = harness.jobs(id).await.remove(1);
    assert_eq!(job.status, JobStatus::Error);
    assert_eq!(job.result["message"], "the execution of the subflow is gone: its workflow was destroyed");
    assert_eq!(harness.logs().await, ["after"]);
}

#[test_database::test]
async fn a_child_deleted_in_a_later_batch_is_told_of_too() {
    let harness = Harness::new().await;
    let (child, _) = harness.workflow_with(json!({"concurrency": 1_000}), vec![for_long()]).await;
    let earlier = store::executions::EXECUTIONS_PER_BATCH as usize;
    harness.enqueue((0..earlier).map(|_| harness.execution(&child, json!({}))).collect()).await;
    let parent = harness.workflow(vec![subflow(&child)]).await;
    let id = harness.trigger(&parent, json!({})).await;
    harness.until_so(|| async { !harness.jobs(id).await.is_empty() }).await;
    destroy(&harness, &child).await;
    assert_eq!(harness.status(id).await, ExecutionStatus::Started);
    let version = child.id;
    let limit = store::executions::EXECUTIONS_PER_BATCH;
    harness.write(move |tx| Box::pin(async move { tx.delete_remains(version, limit).await.map(drop) })).await;
    harness.until(id, ExecutionStatus::Error).await;
}

#[test_database::test]
async fn a_parent_whose_workflow_is_destroyed_aborts_its_child() {
    let harness = Harness::new().await;
    let child = harness.workflow(vec![for_long()]).await;
    let parent = harness.workflow(vec![subflow(&child)]).await;
    harness.trigger(&parent, json!({})).await;
    let child = waiting(&harness, &child).await;
    destroy(&harness, &parent).await;
    assert_eq!(end(&harness, child).await, parent_ended());
}
