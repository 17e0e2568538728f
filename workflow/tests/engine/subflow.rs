//! Workflows that run other workflows.

use serde_json::{Value, json};
use store::{ExecutionId, ExecutionStatus, JobStatus, WorkflowRow};

use crate::harness::{Harness, Place, log, node};

/// The executions of a workflow.
async fn executions(harness: &Harness, workflow: &WorkflowRow) -> Vec<Value> {
    let records = harness.records("executions").await;
    records.into_iter().filter(|record| record["workflowId"] == workflow.id.0).collect()
}

fn id(record: &Value) -> ExecutionId {
    ExecutionId(record["id"].as_i64().expect("an id"))
}

#[test_database::test]
async fn the_parent_waits_for_the_childs_output() {
    let harness = Harness::new().await;
    let child = harness
        .workflow(vec![
            log("{{$context.data.title}} by {{$context.user.id}}"),
            node("output", json!({"value": {"twice": "{{$context.data.title}}{{$context.data.title}}"}})),
        ])
        .await;
    let context = json!({"data": {"title": "{{$context.data}}"}});
    let parent =
        harness.workflow(vec![node("subflow", json!({"workflow": child.key, "context": context})), log("after")]).await;
    let waiting = harness.run(&parent, json!({"data": "x", "user": {"id": 4}})).await;
    assert_eq!(waiting.status, ExecutionStatus::Started);
    harness.until(waiting.id, ExecutionStatus::Resolved).await;
    assert_eq!(harness.logs().await, ["x by 4", "after"]);
    assert_eq!(harness.jobs(waiting.id).await[0].result, json!({"twice": "xx"}));
    let children = executions(&harness, &child).await;
    assert_eq!(children.len(), 1);
    assert_eq!(
        (&children[0]["parentExecutionId"], &children[0]["stack"]),
        (&json!(waiting.id.0), &json!([waiting.id.0]))
    );
}

#[test_database::test]
async fn the_parent_goes_on_at_once_if_it_does_not_wait() {
    let harness = Harness::new().await;
    let child = harness.workflow(vec![node("delay", json!({"unit": 60_000, "duration": 10}))]).await;
    let parent =
        harness.workflow(vec![node("subflow", json!({"workflow": child.key, "async": true})), log("after")]).await;
    let outcome = harness.run(&parent, json!({})).await;
    assert_eq!(outcome.status, ExecutionStatus::Resolved);
    let children = executions(&harness, &child).await;
    assert_eq!(harness.jobs(outcome.id).await[0].result, json!({"execution": children[0]["id"]}));
    harness.until(id(&children[0]), ExecutionStatus::Started).await;
}

#[test_database::test]
async fn a_child_that_does_not_end_well_fails_the_job() {
    let harness = Harness::new().await;
    let failing = harness.workflow(vec![node("end", json!({"endStatus": -1}))]).await;
    let parent = harness.workflow(vec![node("subflow", json!({"workflow": failing.key})), log("never")]).await;
    let outcome = harness.run(&parent, json!({})).await;
    harness.until(outcome.id, ExecutionStatus::Failed).await;
    let job = harness.jobs(outcome.id).await.remove(0);
    assert_eq!(job.status, JobStatus::Failed);
    assert_eq!(job.result["message"], "the execution of the subflow ended as failed");

    let waiting = harness.workflow(vec![node("delay", json!({"unit": 60_000, "duration": 10}))]).await;
    let parent = harness.workflow(vec![node("subflow", json!({"workflow": waiting.key}))]).await;
    let outcome = harness.run(&parent, json!({})).await;
    let child = id(&executions(&harness, &waiting).await[0]);
    harness.until(child, ExecutionStatus::Started).await;
    harness.engine.cancel(child).await.unwrap();
    harness.until(outcome.id, ExecutionStatus::Aborted).await;
    assert_eq!(harness.logs().await.len(), 0);
}

#[test_database::test]
async fn the_loop_guard_and_unknown_keys_fail_the_job() {
    let harness = Harness::new().await;
    let parent = harness.workflow(vec![node("subflow", json!({"workflow": "nosuch"}))]).await;
    let outcome = harness.run(&parent, json!({})).await;
    assert_eq!(outcome.status, ExecutionStatus::Error);
    assert_eq!(
        harness.jobs(outcome.id).await[0].result,
        json!({"message": "no enabled workflow has the key \"nosuch\""})
    );

    // A workflow that runs itself: once more is what the limit allows.
    let (own, rows) =
        harness.workflow_with(json!({"stackLimit": 2}), vec![node("subflow", json!({"workflow": "?"}))]).await;
    let (node_id, config) = (rows[0].id, json!({"config": {"workflow": own.key}}));
    harness
        .write(move |tx| {
            Box::pin(async move { tx.update_node(node_id, crate::harness::object(config)).await.map(drop) })
        })
        .await;
    let outer = harness.run(&own, json!({})).await;
    harness.until(outer.id, ExecutionStatus::Error).await;
    let runs = executions(&harness, &own).await;
    assert_eq!(runs.len(), 2);
    let innermost = harness.jobs(id(&runs[1])).await.remove(0);
    assert_eq!(
        innermost.result["message"],
        format!(
            "the workflow \"{}\" is under way already in the executions that led here, and its stack limit allows no more",
            own.key
        )
    );
}

#[test_database::test]
async fn the_parent_resumes_after_a_restart() {
    let mut harness = Harness::new().await;
    let child = harness
        .workflow(vec![log("child"), node("delay", json!({"duration": 40})), node("output", json!({"value": 5}))])
        .await;
    let parent =
        harness.workflow(vec![log("before"), node("subflow", json!({"workflow": child.key})), log("after")]).await;
    let outcome = harness.run(&parent, json!({})).await;
    harness.until_so(|| async { harness.logs().await.len() == 2 }).await;
    harness.restart().await;
    harness.until(outcome.id, ExecutionStatus::Resolved).await;
    assert_eq!(harness.logs().await, ["before", "child", "after"]);
    assert_eq!(harness.jobs(outcome.id).await[1].result, json!(5));
    assert_eq!(executions(&harness, &child).await.len(), 1);
}

#[test_database::test]
async fn the_parent_waits_for_the_last_attempt_of_its_child() {
    let harness = Harness::new().await;
    let once = json!({"engine": "cel", "expression": "{{$jobsMapByNodeKey.FIND}} == null"});
    let (child, rows) = harness
        .workflow_with(
            json!({"retry": {"attempts": 2, "backoffMs": 1, "on": [-1]}}),
            vec![
                node("query", json!({"collection": "logs", "params": {"filter": {"tag": "tried"}}})),
                node("condition", json!({"rejectOnFalse": false})),
                log("tried").at(Place::Branch(1, 1)),
                node("end", json!({"endStatus": -1})),
                node("output", json!({"value": "second"})).at(Place::Branch(1, 0)),
            ],
        )
        .await;
    let mut config: Value =
        serde_json::from_str(&once.to_string().replace("FIND", &rows[0].key)).expect("a configuration");
    config["rejectOnFalse"] = json!(false);
    let (node_id, values) = (rows[1].id, crate::harness::object(json!({"config": config})));
    harness.write(move |tx| Box::pin(async move { tx.update_node(node_id, values).await.map(drop) })).await;

    let parent = harness.workflow(vec![node("subflow", json!({"workflow": child.key})), log("after")]).await;
    let outcome = harness.run(&parent, json!({})).await;
    harness.until(outcome.id, ExecutionStatus::Resolved).await;
    assert_eq!(harness.jobs(outcome.id).await[0].result, json!("second"));
    assert_eq!(harness.logs().await, ["tried", "after"]);
    assert_eq!(executions(&harness, &child).await.len(), 2);
}
