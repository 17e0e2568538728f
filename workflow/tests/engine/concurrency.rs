//! How many executions of a workflow run at once, and in which order.

use std::time::Duration;

use serde_json::{Value, json};
use store::{ClaimedBy, ExecutionFinish, ExecutionId, ExecutionStatus, WorkflowId, WorkflowRow};
use workflow::Instance;

use crate::harness::{Harness, log, node};

/// A process that is alive for as long as a test takes, and does nothing by itself.
async fn busy(harness: &Harness) -> ClaimedBy {
    let busy = ClaimedBy("busy".into());
    let by = busy.clone();
    harness.write(move |tx| Box::pin(async move { tx.lease(&by, None, i64::MAX).await })).await;
    busy
}

/// A harness whose engine has stopped, so that the test alone claims.
async fn quiet() -> Harness {
    let harness = Harness::new().await;
    harness.engine.shutdown(Duration::ZERO).await;
    harness
}

async fn claim(harness: &Harness, workflow: &WorkflowRow, by: &ClaimedBy) -> Option<ExecutionId> {
    let (workflow, by) = (workflow.id, by.clone());
    let claimed = harness.write(move |tx| Box::pin(async move { tx.claim_next(workflow, &by).await })).await;
    claimed.map(|claimed| claimed.execution.id)
}

async fn end(harness: &Harness, id: ExecutionId) -> Vec<WorkflowId> {
    let finish = ExecutionFinish { status: ExecutionStatus::Resolved, reason: None, output: None };
    harness.write(move |tx| Box::pin(async move { tx.finish(id, finish).await })).await
}

async fn enqueue(harness: &Harness, workflow: &WorkflowRow, data: &[Value]) -> Vec<ExecutionId> {
    let context = |data: &Value| harness.execution(workflow, json!({"data": {"id": data}}));
    harness.enqueue(data.iter().map(context).collect()).await
}

#[test_database::test]
async fn one_after_the_other_also_across_processes() {
    let harness = Harness::new().await;
    let (other_store, other) = harness.another_engine(Instance::default()).await;
    let workflow = harness.workflow(vec![log("{{$context.data.id}}a"), log("{{$context.data.id}}b")]).await;
    let numbers: Vec<Value> = (0..100).map(Value::from).collect();
    let ids = enqueue(&harness, &workflow, &numbers).await;
    for id in &ids {
        harness.engine.wake(&[workflow.id]);
        other.wake(&[workflow.id]);
        harness.until(*id, ExecutionStatus::Resolved).await;
    }
    let want: Vec<String> = (0..100).flat_map(|n| [format!("{n}a"), format!("{n}b")]).collect();
    assert_eq!(harness.logs().await, want);
    other.shutdown(Duration::from_secs(5)).await;
    other_store.close().await;
}

#[test_database::test]
async fn as_many_run_at_once_as_the_options_say() {
    let harness = quiet().await;
    let by = busy(&harness).await;
    for (options, most) in [(json!({}), 1), (json!({"concurrency": 3}), 3)] {
        let (workflow, _) = harness.workflow_with(options, vec![]).await;
        let ids = enqueue(&harness, &workflow, &[json!(1), json!(2), json!(3), json!(4), json!(5)]).await;
        for id in &ids[..most] {
            assert_eq!(claim(&harness, &workflow, &by).await, Some(*id));
        }
        assert_eq!(claim(&harness, &workflow, &by).await, None);
        end(&harness, ids[0]).await;
        assert_eq!(claim(&harness, &workflow, &by).await, Some(ids[most]));
        assert_eq!(claim(&harness, &workflow, &by).await, None);
        // One that waits does not count.
        let waiting = ids[most];
        harness.write(move |tx| Box::pin(async move { tx.release(waiting).await })).await;
        assert_eq!(claim(&harness, &workflow, &by).await, ids.get(most + 1).copied());
    }
}

#[test_database::test]
async fn what_is_to_be_gone_on_with_comes_first() {
    let harness = quiet().await;
    let by = busy(&harness).await;
    let workflow = harness.workflow(vec![]).await;
    let ids = enqueue(&harness, &workflow, &[json!(1), json!(2)]).await;
    let dead = ClaimedBy("dead".into());
    assert_eq!(claim(&harness, &workflow, &dead).await, Some(ids[0]));
    harness.write(|tx| Box::pin(async move { tx.take_back(0).await })).await;
    assert_eq!(claim(&harness, &workflow, &by).await, None, "the first one keeps its place");
    let first = ids[0];
    let taken = harness
        .write(move |tx| {
            let by = by.clone();
            Box::pin(async move { tx.claim(first, &by).await })
        })
        .await;
    assert!(taken.is_some());
}

#[test_database::test]
async fn executions_with_the_same_key_keep_their_order_and_others_do_not_wait() {
    let harness = quiet().await;
    let by = busy(&harness).await;
    let options = json!({"concurrencyKey": "{{$context.data.id}}"});
    let (workflow, _) = harness.workflow_with(options, vec![]).await;
    let data = ["a", "a", "b", "a", "b"].map(Value::from);
    let ids = enqueue(&harness, &workflow, &data).await;
    assert_eq!(claim(&harness, &workflow, &by).await, Some(ids[0]));
    assert_eq!(claim(&harness, &workflow, &by).await, Some(ids[2]));
    assert_eq!(claim(&harness, &workflow, &by).await, None);
    assert_eq!(end(&harness, ids[0]).await, [workflow.id], "there is work because of that");
    assert_eq!(claim(&harness, &workflow, &by).await, Some(ids[1]));
    assert_eq!(claim(&harness, &workflow, &by).await, None);
    // One that waits lets the next one of its key go on.
    let waiting = ids[2];
    harness.write(move |tx| Box::pin(async move { tx.release(waiting).await })).await;
    assert_eq!(claim(&harness, &workflow, &by).await, Some(ids[4]));
    // Cancelling one that is held back does not let anybody pass.
    let held = ids[3];
    let cancel = ExecutionFinish { status: ExecutionStatus::Aborted, reason: None, output: None };
    harness.write(move |tx| Box::pin(async move { tx.finish(held, cancel).await })).await;
    let late = enqueue(&harness, &workflow, &[json!("a"), json!("c")]).await;
    assert_eq!(claim(&harness, &workflow, &by).await, Some(late[1]));
    assert_eq!(claim(&harness, &workflow, &by).await, None);
    end(&harness, ids[1]).await;
    assert_eq!(claim(&harness, &workflow, &by).await, Some(late[0]));
    let records = harness.records("executions").await;
    assert_eq!(records[0]["concurrencyKey"], "a");
}

#[test_database::test]
async fn keys_drain_in_order_through_the_engine() {
    let harness = Harness::new().await;
    let options = json!({"concurrencyKey": "{{$context.data.id}}"});
    let nodes = vec![node("calculation", json!({"expression": "1"})), log("{{$context.data.id}}")];
    let (workflow, _) = harness.workflow_with(options, nodes).await;
    let data: Vec<Value> = (0..120).map(|n| json!(format!("{}-{n:03}", n % 7))).collect();
    // The key is the text as a whole here, so all are alone; and a second workflow has few keys.
    let (grouped, _) = harness
        .workflow_with(
            json!({"concurrencyKey": "$context.data.id.group"}),
            vec![log("{{$context.data.id.group}}-{{$context.data.id.n}}")],
        )
        .await;
    let groups: Vec<Value> = (0..120).map(|n| json!({"group": n % 5, "n": format!("{n:03}")})).collect();
    let mut ids = enqueue(&harness, &workflow, &data).await;
    ids.extend(enqueue(&harness, &grouped, &groups).await);
    harness.engine.wake(&[workflow.id, grouped.id]);
    for id in ids {
        harness.until(id, ExecutionStatus::Resolved).await;
    }
    let logs = harness.logs().await;
    assert_eq!(logs.len(), 240);
    for group in 0..5 {
        let of_group: Vec<&String> = logs
            .iter()
            .filter(|tag| tag.starts_with(&format!("{group}-")) && !data.iter().any(|one| one == tag.as_str()))
            .collect();
        assert!(of_group.is_sorted(), "{of_group:?}");
    }
}
