//! Several engines on one database, and what becomes of the work of one that is gone.

use std::time::Duration;

use serde_json::json;
use store::{ClaimedBy, ExecutionId, ExecutionStatus, HandBack, NewExecution, StoreError};
use workflow::Instance;

use crate::harness::{Harness, log};

/// Far longer than a test takes.
const LONG: Duration = Duration::from_secs(3_600);
/// Far shorter than anybody wants to wait.
const SHORT: Duration = Duration::from_millis(200);

fn named(name: &str, lease: Duration) -> Instance {
    Instance { name: Some(name.to_owned()), lease }
}

#[test_database::test]
async fn two_processes_share_the_work_and_do_everything_once() {
    let harness = Harness::new().await;
    let (other_store, other) = harness.another_engine(Instance::default()).await;
    let mut ids: Vec<ExecutionId> = Vec::new();
    for _ in 0..4 {
        let workflow = harness.workflow(vec![log("{{$context.data}}")]).await;
        for n in 0..50 {
            // The ids come from two processes.
            let execution = vec![harness.execution(&workflow, json!({"data": n}))];
            let store = if n % 2 == 0 { &harness.store } else { &other_store };
            let stored: Result<_, StoreError> =
                store.write(move |tx| Box::pin(async move { tx.enqueue(execution).await })).await;
            ids.extend(stored.unwrap());
        }
        harness.engine.wake(&[workflow.id]);
        other.wake(&[workflow.id]);
    }
    assert!(ids.is_sorted_by(|a, b| a < b), "ids rise across processes");
    for id in &ids {
        harness.until(*id, ExecutionStatus::Resolved).await;
        assert_eq!(harness.jobs(*id).await.len(), 1);
    }
    assert_eq!(harness.logs().await.len(), ids.len());
    other.shutdown(LONG).await;
    other_store.close().await;
}

#[test_database::test]
async fn what_a_dead_process_was_doing_is_taken_over_when_its_lease_ends() {
    let harness = Harness::new().await;
    let workflow = harness.workflow((0..300).map(|_| log("x")).collect()).await;
    let (other_store, other) = harness.another_engine(named("other", SHORT)).await;
    let claim = other.claim();
    let execution = NewExecution { claimed_by: Some(claim), ..harness.execution(&workflow, json!({})) };
    let id = harness.enqueue(vec![execution]).await[0];
    {
        let run = other.run(id);
        tokio::pin!(run);
        assert!(futures::poll!(run.as_mut()).is_pending());
        harness.until_so(|| async { !harness.logs().await.is_empty() }).await;
    }
    // Without a word.
    drop(other);
    other_store.close().await;
    harness.until(id, ExecutionStatus::Resolved).await;
    assert_eq!((harness.logs().await.len(), harness.jobs(id).await.len()), (300, 300));
}

#[test_database::test]
async fn a_live_process_keeps_what_it_does() {
    let harness = Harness::new().await;
    let workflow = harness.workflow(vec![]).await;
    let (other_store, other) = harness.another_engine(named("other", SHORT)).await;
    let claim = other.claim();
    let execution = NewExecution { claimed_by: Some(claim.clone()), ..harness.execution(&workflow, json!({})) };
    let id = harness.enqueue(vec![execution]).await[0];
    // Over several leases, nobody takes it.
    let until = std::time::Instant::now() + 5 * SHORT;
    harness.until_so(|| async { std::time::Instant::now() > until }).await;
    assert_eq!(harness.status(id).await, ExecutionStatus::Queued);
    let standing = harness.store.read().await.unwrap().standing(id, Some(&claim)).await.unwrap().unwrap();
    assert!(standing.held);
    assert_eq!(other.run(id).await.unwrap().status, ExecutionStatus::Resolved);
    other.shutdown(LONG).await;
    other_store.close().await;
}

#[test_database::test]
async fn who_comes_back_under_the_same_name_does_not_wait() {
    let harness = Harness::new().await;
    let workflow = harness.workflow(vec![log("done")]).await;
    let (first_store, first) = harness.another_engine(named("one", LONG)).await;
    let execution = NewExecution { claimed_by: Some(first.claim()), ..harness.execution(&workflow, json!({})) };
    let id = harness.enqueue(vec![execution]).await[0];
    drop(first);
    first_store.close().await;
    let (second_store, second) = harness.another_engine(named("one", LONG)).await;
    harness.until(id, ExecutionStatus::Resolved).await;
    second.shutdown(LONG).await;
    second_store.close().await;
}

#[test_database::test]
async fn a_shutdown_hands_back_at_once() {
    let harness = Harness::new().await;
    let workflow = harness.workflow((0..300).map(|_| log("x")).collect()).await;
    let (other_store, other) = harness.another_engine(named("other", LONG)).await;
    let execution = NewExecution { claimed_by: Some(other.claim()), ..harness.execution(&workflow, json!({})) };
    let ids = harness.enqueue(vec![execution.clone(), execution]).await;
    {
        let run = other.run(ids[0]);
        tokio::pin!(run);
        assert!(futures::poll!(run.as_mut()).is_pending());
        harness.until_so(|| async { !harness.logs().await.is_empty() }).await;
    }
    other.shutdown(Duration::ZERO).await;
    other_store.close().await;
    for id in ids {
        harness.until(id, ExecutionStatus::Resolved).await;
        assert_eq!(harness.jobs(id).await.len(), 300);
    }
    assert_eq!(harness.logs().await.len(), 600);
}

#[test_database::test]
async fn an_execution_that_kills_its_processes_is_isolated() {
    let harness = Harness::new().await;
    let workflow = harness.workflow(vec![log("{{$context.data}}")]).await;
    let dead = ClaimedBy("a process that dies".into());
    let poison =
        NewExecution { claimed_by: Some(dead.clone()), ..harness.execution(&workflow, json!({"data": "bad"})) };
    let id = harness.enqueue(vec![poison]).await[0];
    harness
        .write(move |tx| {
            Box::pin(async move {
                for times in 1..=20 {
                    tx.claim(id, &dead).await?.expect("it is to be gone on with");
                    let taken = if times == 3 {
                        tx.hand_back(id, &dead, HandBack::Broken).await?.into_iter().collect()
                    } else {
                        tx.take_back(0).await?
                    };
                    assert_eq!((taken.len(), taken[0].times), (1, times));
                }
                tx.claim(id, &dead).await.map(drop)
            })
        })
        .await;
    let next = harness.trigger(&workflow, json!({"data": "good"})).await;
    harness.until(next, ExecutionStatus::Resolved).await;
    harness.until(id, ExecutionStatus::Error).await;
    assert_eq!(harness.records("executions").await[0]["reason"], "poison");
    assert_eq!(harness.logs().await, ["good"]);
}

#[test_database::test]
async fn getting_somewhere_clears_the_count() {
    let harness = Harness::new().await;
    let workflow = harness.workflow(vec![]).await;
    let dead = ClaimedBy("a process that dies".into());
    let execution = NewExecution { claimed_by: Some(dead.clone()), ..harness.execution(&workflow, json!({})) };
    let id = harness.enqueue(vec![execution]).await[0];
    let times = harness
        .write(move |tx| {
            Box::pin(async move {
                tx.claim(id, &dead).await?;
                tx.hand_back(id, &dead, HandBack::Broken).await?;
                tx.claim(id, &dead).await?;
                tx.release(id).await?;
                tx.claim(id, &dead).await?;
                Ok(tx.hand_back(id, &dead, HandBack::Broken).await?.map(|takeover| takeover.times))
            })
        })
        .await;
    assert_eq!(times, Some(1));
}

#[test_database::test]
async fn an_execution_that_cannot_be_read_is_isolated() {
    let harness = Harness::new().await;
    let workflow = harness.workflow(vec![log("{{$context.data}}")]).await;
    let claim = Some(ClaimedBy("nobody yet".into()));
    harness.write(|tx| Box::pin(async move { tx.lease(&ClaimedBy("nobody yet".into()), None, i64::MAX).await })).await;
    let held = NewExecution { claimed_by: claim, ..harness.execution(&workflow, json!({"data": "bad"})) };
    let bad = harness.enqueue(vec![held]).await[0];
    harness.damage("UPDATE \"executions\" SET \"context\" = '{', \"claimedBy\" = NULL").await;
    let good = harness.trigger(&workflow, json!({"data": "good"})).await;
    harness.until(good, ExecutionStatus::Resolved).await;
    assert_eq!(harness.logs().await, ["good"]);
    let state = harness.store.read().await.unwrap().execution_status(bad).await.unwrap();
    assert_eq!(state, Some(ExecutionStatus::Error));
}
