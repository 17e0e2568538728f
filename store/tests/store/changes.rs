//! The feed of committed changes: everything that was committed, in order, and nothing that was not.

use std::iter;

use serde_json::json;
use store::{
    Change, ClaimedBy, ExecutionFinish, ExecutionId, ExecutionStatus, ExecutionStep, JobStatus, NewExecution, NewJob,
    NodeId, StoreError, Tx, WorkflowId,
};
use tokio::sync::broadcast::{Receiver, error::TryRecvError};

use crate::fixture::Fixture;

const WORKFLOW: WorkflowId = WorkflowId(7);

fn by() -> ClaimedBy {
    ClaimedBy("this process".to_owned())
}

fn execution(waits_for: Option<ExecutionId>) -> NewExecution {
    NewExecution {
        workflow_id: WORKFLOW,
        key: "key".to_owned(),
        context: json!({}),
        event_key: "event".to_owned(),
        claimed_by: None,
        waits_for,
        stack: Vec::new(),
        parent_job: None,
        manually: false,
    }
}

fn job(execution_id: ExecutionId, status: JobStatus) -> NewJob {
    NewJob {
        id: None,
        execution_id,
        node_id: NodeId(1),
        node_key: "node".to_owned(),
        upstream_id: None,
        status,
        result: json!(null),
        meta: json!(null),
        due_at_ms: None,
        started_at_ms: 0,
    }
}

fn finish(status: ExecutionStatus) -> ExecutionFinish {
    ExecutionFinish { status, reason: None, output: None }
}

/// What was heard of so far, in short.
fn heard(changes: &mut Receiver<Change>) -> Vec<(i64, String)> {
    iter::from_fn(|| match changes.try_recv() {
        Ok(Change::Execution(change)) => Some((change.id.0, format!("{:?}", change.step))),
        Ok(Change::Job(change)) => Some((change.execution_id.0, format!("job {}", change.status))),
        Err(TryRecvError::Empty) => None,
        Err(error) => panic!("the feed is broken: {error}"),
    })
    .collect()
}

async fn one_life(tx: &mut Tx) -> Result<ExecutionId, StoreError> {
    let id = tx.enqueue(vec![execution(None)]).await?[0];
    let behind = tx.enqueue(vec![execution(Some(id))]).await?[0];
    tx.claim_next(WORKFLOW, &by()).await?.expect("it is queued");
    let pending = tx.create_job(job(id, JobStatus::Pending)).await?;
    tx.release(id).await?;
    tx.claim(id, &by()).await?.expect("it can be taken up again");
    tx.finish_job(pending.id, JobStatus::Resolved, json!(1)).await?;
    tx.create_job(job(id, JobStatus::Pending)).await?;
    tx.finish(id, finish(ExecutionStatus::Failed)).await?;
    tx.abort_jobs(id).await?;
    assert!(tx.execution_status(behind).await?.is_none(), "its chain is gone");
    Ok(id)
}

#[test_database::test]
async fn each_move_is_heard_of_in_order() {
    let fixture = Fixture::empty().await;
    let store = &fixture.store;
    let mut changes = store.changes();
    let id = store.write(|tx| Box::pin(one_life(tx))).await.expect("a life");
    let mut told = heard(&mut changes);
    let behind = told[1].0;
    // Within one millisecond of the first claim, the second looks like it.
    let again = told.remove(4);
    assert!(["Resumed", "Started"].contains(&again.1.as_str()), "{again:?}");
    let expected = [
        (id.0, "Queued"),
        (behind, "Queued"),
        (id.0, "Started"),
        (id.0, "job pending"),
        (id.0, "job resolved"),
        (id.0, "job pending"),
        (id.0, "Ended(Failed)"),
        (behind, "Dropped"),
        (id.0, "job aborted"),
    ];
    assert_eq!(told, expected.map(|(id, step)| (id, step.to_owned())));
}

#[test_database::test]
async fn what_is_undone_is_not_heard_of() {
    let fixture = Fixture::empty().await;
    let store = &fixture.store;
    let mut changes = store.changes();
    let queue = || store.write(|tx| Box::pin(async move { tx.enqueue(vec![execution(None)]).await }));
    let refuse = || {
        store.write::<(), _, _>(|tx| {
            Box::pin(async move {
                tx.enqueue(vec![execution(None)]).await?;
                Err(StoreError::NotFound { what: "reason".to_owned() })
            })
        })
    };
    refuse().await.expect_err("refused alone");
    // Handed over before the writer's task runs: one transaction.
    let (first, refused, last) = tokio::join!(queue(), refuse(), queue());
    refused.expect_err("refused among others");
    // What ran side by side is stored, and heard of, in any order.
    let mut ids = [first.expect("queued")[0], last.expect("queued")[0]];
    ids.sort_unstable();
    let mut told = heard(&mut changes);
    told.sort_unstable();
    assert_eq!(told, ids.map(|id| (id.0, "Queued".to_owned())));
}

#[test_database::test]
async fn a_slow_reader_is_told_that_it_missed_some() {
    let fixture = Fixture::empty().await;
    let store = &fixture.store;
    let mut changes = store.changes();
    let many = iter::repeat_with(|| execution(None)).take(9_000).collect();
    let ids = store.write(|tx| Box::pin(async move { tx.enqueue(many).await })).await.expect("queued");
    assert_eq!(changes.try_recv(), Err(TryRecvError::Lagged(9_000 - 8_192)));
    let Ok(Change::Execution(change)) = changes.try_recv() else { panic!("the rest is there") };
    assert_eq!((change.id, change.step), (ids[9_000 - 8_192], ExecutionStep::Queued));
}

#[test_database::test]
async fn the_figures_of_the_queue() {
    let fixture = Fixture::empty().await;
    let store = &fixture.store;
    let ids = store
        .write(|tx| {
            Box::pin(async move {
                let ids = tx.enqueue(vec![execution(None), execution(None), execution(None)]).await?;
                tx.claim_next(WORKFLOW, &by()).await?.expect("it is queued");
                tx.create_job(NewJob { due_at_ms: Some(1), ..job(ids[0], JobStatus::Pending) }).await?;
                tx.enqueue(vec![execution(Some(ids[2]))]).await?;
                Ok::<_, StoreError>(ids)
            })
        })
        .await
        .expect("queued");
    let figures = store.read().await.expect("a reader").queue_figures().await.expect("the figures");
    assert_eq!((figures.queued, figures.claimed, figures.waiting_jobs), (2, 1, 1), "of {ids:?}");
    assert!(figures.oldest_queued_at.is_some());
}
